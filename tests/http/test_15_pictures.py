"""Convolutions, stacked on pools, and sheets of local fields, trained here in
seconds: served on the same routes, held against plain sums in NumPy."""
import io
import json
import subprocess

import numpy as np
from PIL import Image
from safetensors.numpy import load_file, save_file
from support import digits, models, near, pictures, server
from support.every import NPY, close

STACK, SHEET, COLOUR, WIDE = "convolutions", "sheet", "colour", "wide"
DATA = server.ROOT / "tests" / "data"
TOLERANCE = 1e-4
RUN = ("reconstruct", "encode", "pool", "infer")
TENSORS = {}


def conv(maps, up, **settings):
    return {"operator": "conv2d", "maps": maps, "up": up,
            "encoder": {"kind": "feedforward", "nonlinearity": "relu",
                        "gain": True},
            "structure": {"kind": "groups", "lambda": 0.1,
                          "window": {"size": 2, "stride": 2}}, **settings}


# Of three channels; and one whose code of a row takes 100 KB.
RANDOM = {
    COLOUR: models.compose((3, 8, 10), conv(4, "code", kernel=3, padding=1),
                           preprocess=(), classifier=None),
    WIDE: models.compose((1, 28, 28), conv(32, "code", kernel=5, padding=2),
                         classifier=None),
}


def MODELS(folder):
    for name in (STACK, SHEET):
        path = models.path_of(folder, name, 1)
        path.parent.mkdir(parents=True)
        subprocess.run(
            [server.BINARY, "train", DATA / "recipes" / (name + ".json"),
             "--data", DATA / "mnist-mini", "--out", path, "--threads", "2"],
            check=True, capture_output=True)
    rng = np.random.default_rng(1)
    for name, config in RANDOM.items():
        own, channels = config["layers"][0], config["input"]["shape"][0]
        shape = own["maps"], channels, own["kernel"], own["kernel"]
        values = {"encoder.weight": rng.normal(0, 0.5, shape),
                  "encoder.bias": rng.uniform(0.05, 0.1, own["maps"]),
                  "encoder.gain": rng.uniform(0.5, 1.5, own["maps"]),
                  "decoder.weight": rng.normal(0, 0.2, shape)}
        path = models.path_of(folder, name, 1)
        path.parent.mkdir(parents=True)
        save_file({"layers.0." + key: np.float32(value)
                   for key, value in values.items()}, path,
                  {"format": "sparsed", "config": json.dumps(config)})
    for name in (STACK, SHEET, *RANDOM):
        TENSORS[name] = load_file(models.path_of(folder, name, 1))
    return folder


def info(t, name):
    return t.call("GET", "/v1/models/" + name).json()


def ask(t, name, action, x, want=200, **options):
    key = "codes" if action == "decode" else "inputs"
    options[key] = np.asarray(x).tolist() if key == "inputs" else x
    reply = t.call("POST", "/v1/models/%s/%s" % (name, action), options)
    assert reply.status == want, "%s %s: %s" % (name, action, reply)
    return reply.json()


def rows(t, name, count=3):
    """Rows (count, *shape) of what the model knows."""
    shape = info(t, name)["input"]["shape"]
    if shape[-2:] == [28, 28]:
        x = np.stack([digits.read_png(digits.picture(k))[..., 0]
                      for k in range(count)]) / 255
        return np.round(x, 4).reshape(count, *shape)
    rng = np.random.default_rng(2)
    return np.round(rng.uniform(size=(count, *shape)), 4)


def forward(t, name, x):
    """[(codes, pools)] of each layer for rows x, in NumPy."""
    config = info(t, name)["config"]
    done = [pictures.forward(config, TENSORS[name], row) for row in x]
    return [tuple(np.stack(part) for part in zip(*layer))
            for layer in zip(*done)]


def test_shapes(t):
    """Metadata tell codes and groups as maps, rows and columns"""
    want = {STACK: [([8, 24, 24], [8, 12, 12]), ([12, 9, 9], [12, 5, 5])],
            SHEET: [([1, 20, 20], [1, 10, 10])],
            COLOUR: [([4, 8, 10], [4, 4, 5])],
            WIDE: [([32, 28, 28], [32, 14, 14])]}
    listed = {one["name"]: one for one in
              t.call("GET", "/v1/models").json()["models"]}
    for name, layers in want.items():
        got = info(t, name)
        assert [(one["code_shape"], one["group_shape"])
                for one in got["layers"]] == layers, got["layers"]
        for one in (got, listed[name]):
            assert (one["code_shape"], one["group_shape"]) == layers[-1]
            assert one["code_size"] == np.prod(layers[-1][0])
            assert one["group_count"] == np.prod(layers[-1][1])


def test_forward(t):
    """Codes and pools of each layer are those of plain sums"""
    for name in TENSORS:
        x = rows(t, name)
        for layer, (z, v) in enumerate(forward(t, name, x)):
            told = "%s, layer %d" % (name, layer)
            got = ask(t, name, "encode", x, layer=layer)
            near.arrays(told, near.dense(got["codes"], got["code_size"]),
                        z.reshape(len(x), -1), TOLERANCE)
            got = ask(t, name, "pool", x, layer=layer)["groups"]
            near.arrays(told, got, v.reshape(len(x), -1), TOLERANCE)
            trace = ask(t, name, "infer", x, layer=layer, format="dense",
                        outputs=["trace"])["traces"]
            near.arrays(told, [steps[-1] for steps in trace],
                        z.reshape(len(x), -1), TOLERANCE)


def test_bodies(t):
    """Nested, flat, npy and picture bodies of one input say the same"""
    for name in TENSORS:
        x = rows(t, name, 1)
        want = ask(t, name, "encode", x, format="dense")["codes"]
        flat = ask(t, name, "encode", x.reshape(1, -1), format="dense")
        near.arrays(name, flat["codes"], want, 0)
        reply = t.call("POST", "/v1/models/%s/encode" % name,
                       body=digits.npy(x.astype("f4")),
                       headers={"Content-Type": NPY, "Accept": NPY})
        near.arrays(name, digits.from_npy(reply.body), want, TOLERANCE)
        bad = ask(t, name, "encode", x[:, :-1], 422)
        assert "inputs[0]" in bad["detail"], bad


def picture(t, name, action, png, **headers):
    query = "" if headers else "?format=dense"
    reply = t.call("POST", "/v1/models/%s/%s%s" % (name, action, query),
                   body=png, headers={"Content-Type": "image/png", **headers})
    assert reply.status == 200, reply
    return reply


def test_pictures(t):
    """Grey and colour pictures come in, others fitted in size, and go out"""
    rng = np.random.default_rng(3)
    for name, shape in ((STACK, (28, 28)), (WIDE, (28, 28)),
                        (COLOUR, (8, 10, 3))):
        pixels = rng.integers(0, 256, shape)
        planes = np.atleast_3d(pixels).transpose(2, 0, 1) / 255
        x = planes.reshape(1, *info(t, name)["input"]["shape"])
        want = ask(t, name, "encode", x, format="dense")["codes"]
        got = picture(t, name, "encode", digits.png(pixels)).json()["codes"]
        near.arrays(name, got, want, TOLERANCE)
        drawn = np.reshape(ask(t, name, "reconstruct", x)["reconstructions"],
                           planes.shape)
        reply = picture(t, name, "reconstruct", digits.png(pixels),
                        Accept="image/png")
        got = digits.read_png(reply.body).transpose(2, 0, 1)
        near.arrays(name, got, np.clip(drawn, 0, 1) * 255, 0.51)
        large = np.repeat(np.repeat(pixels, 3, 0), 3, 1)
        picture(t, name, "reconstruct", digits.png(large), Accept="image/png")
    # A grey picture has three alike channels, a coloured one its brightness.
    grey = rng.integers(0, 256, (8, 10))
    same = np.repeat(grey[None, None] / 255, 3, 1)
    near.arrays("grey", picture(t, COLOUR, "encode", digits.png(grey))
                .json()["codes"], ask(t, COLOUR, "encode", same,
                                      format="dense")["codes"], TOLERANCE)
    picture(t, STACK, "encode", digits.png(rng.integers(0, 256, (9, 9, 3))))


def test_way_back(t):
    """Codes are decoded, but not through pools; each layer reconstructs"""
    for name in TENSORS:
        x = rows(t, name)
        layers = info(t, name)["config"]["layers"]
        for layer in range(len(layers)):
            got = ask(t, name, "infer", x, layer=layer,
                      outputs=["code", "reconstruction"])
            if name not in RANDOM:
                assert max(got["relative_error"]) < 1, (name, layer)
            through = any(one["up"] == "pooled" for one in layers[:layer])
            want = 409 if through else 200
            scales = {"scales": got["scales"]} if "scales" in got else {}
            drawn = ask(t, name, "decode", got["codes"], want, layer=layer,
                        **scales)
            if want == 200:
                near.arrays(name, drawn["reconstructions"],
                            got["reconstructions"], TOLERANCE)
    assert "decode" not in info(t, STACK)["actions"]


def test_shares(t):
    """Explanations of each layer add up to 1"""
    for name in TENSORS:
        x = rows(t, name)
        for layer in range(len(info(t, name)["layers"])):
            for code, why in zip(*map(
                    ask(t, name, "encode", x, layer=layer,
                        explain=True).get, ("codes", "explanations"))):
                assert code["indices"] == why["indices"]
                close(name, sum(why["reconstruction"]), 1, 1e-3)


def test_units(t):
    """A unit draws its weights at its own place, and nothing else"""
    for name in TENSORS:
        own = info(t, name)
        layer, (maps, height, width) = own["config"]["layers"][0], own[
            "layers"][0]["code_shape"]
        D = TENSORS[name]["layers.0.decoder.weight"]
        shape = ([1] + own["input"]["shape"])[-3:]
        for unit in (0, maps * height * width // 2, maps * height * width - 1):
            m, y, x = np.unravel_index(unit, (maps, height, width))
            weight = D[m]
            if layer["operator"] == "local2d":
                rows_, columns = layer["period"]
                weight = D[y % rows_ * columns + x % columns]
            pad, side = layer.get("padding", 0), layer["kernel"]
            want = np.zeros((shape[0], shape[1] + 2 * pad, shape[2] + 2 * pad))
            want[:, y:y + side, x:x + side] = weight
            want = want[:, pad:pad + shape[1], pad:pad + shape[2]]
            reply = t.call("GET", "/v1/models/%s/units/%d?layer=0" %
                           (name, unit))
            near.arrays(name, reply.json()["atom"], want.ravel(), TOLERANCE)
    atom = t.call("GET", "/v1/models/%s/units/%d" % (STACK, 40)).json()["atom"]
    drawn = np.argwhere(np.reshape(atom, (28, 28)))
    # 4 pools of 3 units, 2 apart, of 5 pixels: 13, begun at 2 * 4.
    assert drawn.min(axis=0).tolist() == [8, 8], drawn.min(axis=0)
    assert drawn.max(axis=0).tolist() == [20, 20], drawn.max(axis=0)


def atoms(t, name, rest=""):
    reply = t.call("GET", "/v1/models/%s/atoms.png?max_side=1000%s" %
                   (name, rest))
    assert reply.status == 200, reply
    return np.array(Image.open(io.BytesIO(reply.body)))


def tiles(picture_, down, across, side):
    """(down, across, side, side) of a picture of square tiles."""
    step = (picture_.shape[1] - 1) // across
    zoom = (step - 1) // side
    assert step * across + 1 == picture_.shape[1], picture_.shape
    assert zoom * side + 1 == step, picture_.shape
    at = np.arange(side) * zoom + zoom // 2 + 1
    return np.array([[picture_[y * step + at][:, x * step + at]
                      for x in range(across)] for y in range(down)])


def test_atoms(t):
    """A picture has a tile for each kernel or own field, as large as it"""
    for name, layer, (down, across), side in (
            (STACK, 0, (2, 3), 5), (SHEET, 0, (8, 10), 9), (WIDE, 0, (5, 6), 5)):
        D = TENSORS[name]["layers.%d.decoder.weight" % layer][:, 0]
        got = tiles(atoms(t, name, "&layer=%d" % layer), down, across, side)
        most = np.abs(D).max(axis=(1, 2), keepdims=True)
        want = np.round(127.5 + 127.5 * D / most)[:down * across]
        near.arrays(name, got.reshape(-1, side, side), want, 1)
    got = tiles(atoms(t, STACK), 3, 4, 13)
    assert (got.std(axis=(2, 3)) > 1).all(), "nothing is drawn"


def test_orientations(t):
    """Maps are coloured and have their pinwheels marked"""
    picture_ = atoms(t, SHEET, "&view=orientation")
    assert picture_.shape[2] == 3
    assert (picture_.std(axis=2) > 20).any()
    assert picture_.shape[0] > picture_.shape[1] * 8 / 10 + 60  # the wheel
    reply = t.call("GET", "/v1/models/%s/atoms.png?view=orientation" % COLOUR)
    assert reply.status == 200, reply


def test_many(t):
    """A thousand rows of large codes are answered, the same as alone"""
    x = rows(t, WIDE)
    many = np.tile(x, (342, 1, 1, 1))[:1024]

    def ask_many(action, **options):
        """Without the slow look at each number of both bodies."""
        body = json.dumps({"inputs": many.tolist(), **options}).encode()
        reply = t.server.ask("POST", "/v1/models/%s/%s" % (WIDE, action), body,
                             [("Content-Type", "application/json")])
        assert reply.status == 200, reply
        return reply.json()
    alone = ask(t, WIDE, "encode", x, top_k=20)["codes"]
    assert ask_many("encode", top_k=20)["codes"] == (alone * 342)[:1024]
    got = ask_many("infer", top_k=5, outputs=["code", "reconstruction"],
                   explain=True)
    assert len(got["explanations"]) == len(got["reconstructions"]) == 1024
