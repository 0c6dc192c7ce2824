"""Other formats than JSON: npy and pictures, in and out."""
import numpy as np
from support import digits, models, near
from support.reference import Model

NPY = "application/x-npy"
# A baseline JPEG of 16 x 16, all white: one quantiser of 8, one code for each
# of the two differences of the mean (127, then 0), one for "no more".
WHITE_JPEG = bytes.fromhex(
    "ffd8" "ffdb004300" + "08" * 64 +
    "ffc0000b08" "0010" "0010" "01" "011100"
    "ffc4001500" "00020000000000000000000000000000" "0007"
    "ffc4001410" "01000000000000000000000000000000" "00"
    "ffda0008" "0101" "00003f00" "7f801f" "ffd9")
CONFIGS = {
    "grey": models.compose((4, 6), models.dense(9)),
    "signed": models.compose((4, 6), models.dense(9), preprocess=(), low=-1),
    "colour": models.compose((3, 4, 6), models.dense(9), preprocess=()),
    "vector": models.compose((24,), models.dense(9)),
}
REFERENCE = {}


def MODELS(folder):
    for name, config in CONFIGS.items():
        models.write(folder, name, config)
        REFERENCE[name] = Model(models.path_of(folder, name, 1))
    return folder


def post(t, name, action, body, kind, accept=None, want=200):
    headers = {"Content-Type": kind}
    if accept:
        headers["Accept"] = accept
    reply = t.call("POST", "/v1/models/%s/%s" % (name, action), body=body,
                   headers=headers)
    assert reply.status == want, "%s %s: %s" % (name, action, reply)
    return reply


def codes(reply):
    return near.dense(reply.json()["codes"], 9)


def pixels(shape, seed=0):
    return np.random.default_rng(seed).integers(0, 256, shape, np.uint8)


def in_range(x, low):
    """Bytes as numbers from low to 1."""
    return low + (1 - low) * (x.astype(float) / 255)


def test_npy_types(t):
    """npy rows of every number type and order are taken as they are"""
    x = np.arange(48).reshape(2, 24) % 7
    want = REFERENCE["grey"].encode(x)
    for kind in ("<f4", ">f4", "<f8", ">f8", "<f2", "<i1", "<i2", ">i4", "<i8",
                 "<u2", ">u4", "<u8"):
        for array in (x, np.asfortranarray(x), x.reshape(2, 4, 6)):
            body = digits.npy(array.astype(kind))
            near.arrays(kind, codes(post(t, "grey", "encode", body, NPY)),
                        want, 1e-4)


def test_npy_of_one_row(t):
    """One row needs no batch"""
    x = np.linspace(0, 1, 24, dtype=np.float32)
    for array in (x, x.reshape(4, 6), x[None], x.reshape(1, 4, 6)):
        near.arrays("code", codes(post(t, "grey", "encode", digits.npy(array),
                                       NPY)),
                    REFERENCE["grey"].encode(x[None]), 1e-4)


def test_npy_bytes(t):
    """Unsigned bytes are scaled from 0..255 to the model's range"""
    x = pixels((3, 24))
    for name, low in (("grey", 0), ("signed", -1)):
        want = REFERENCE[name].encode(in_range(x, low))
        near.arrays(name, codes(post(t, name, "encode", digits.npy(x), NPY)),
                    want, 1e-4)


def test_npy_replies(t):
    """Accept gives npy back, float32, a row an input"""
    x = np.random.default_rng(1).normal(size=(5, 24)).astype(np.float32)
    model = REFERENCE["grey"]
    for action, want in (("encode", model.encode(x)), ("pool", model.pool(x)),
                         ("reconstruct", model.reconstruct(x)[0]),
                         ("classify", model.probabilities(x))):
        reply = post(t, "grey", action, digits.npy(x), NPY, NPY)
        got = digits.from_npy(reply.body)
        assert got.dtype == np.dtype("<f4"), got.dtype
        near.arrays(action, got, want, 1e-4)
        assert reply.headers["Sparsed-Model"] == "grey"
        assert reply.headers["Sparsed-Version"] == "1"
    z = model.encode(x).astype(np.float32)
    reply = post(t, "grey", "decode", digits.npy(z), NPY, NPY)
    near.arrays("decode", digits.from_npy(reply.body), model.decode(z), 1e-4)


def test_options_without_room(t):
    """Options that only JSON has room for are refused with other replies"""
    x = digits.npy(np.ones((1, 24)))
    for target, accept in (("encode?explain=true", NPY),
                           ("reconstruct?explain=true", "image/png"),
                           ("classify?top=2", NPY),
                           ("encode?format=sparse", NPY)):
        detail = post(t, "grey", target, x, NPY, accept, 422).json()["detail"]
        name = target.split("?")[1].split("=")[0]
        assert detail.startswith(name + ": " + accept), detail
    for target in ("encode?explain=false", "encode?format=dense"):
        post(t, "grey", target, x, NPY, NPY)


def test_npy_replies_are_cut_too(t):
    """top_k works on npy replies"""
    x = np.random.default_rng(1).normal(size=(5, 24)).astype(np.float32)
    reply = post(t, "grey", "encode?top_k=1", digits.npy(x), NPY, NPY)
    full = REFERENCE["grey"].encode(x)
    want = np.where(full == full.max(axis=1, keepdims=True), full, 0)
    near.arrays("codes", digits.from_npy(reply.body), want, 1e-4)


def test_png_grey(t):
    """A PNG is the row of its pixels"""
    x = pixels((4, 6))
    for name, low in (("grey", 0), ("signed", -1)):
        want = REFERENCE[name].encode(in_range(x, low)[None])
        got = codes(post(t, name, "encode", digits.png(x), "image/png"))
        near.arrays(name, got, want, 1e-4)


def test_png_colour(t):
    """A model of three channels takes colours, channel by channel"""
    x = pixels((4, 6, 3))
    want = REFERENCE["colour"].encode(x.transpose(2, 0, 1)[None] / 255)
    got = codes(post(t, "colour", "encode", digits.png(x), "image/png"))
    near.arrays("colour", got, want, 1e-4)


def test_png_conversion(t):
    """Grey and colour turn into each other, and sizes into the model's"""
    x = pixels((4, 6))
    same = np.repeat(x[:, :, None], 3, axis=2)
    grey = codes(post(t, "grey", "encode", digits.png(x), "image/png"))
    near.arrays("to grey", codes(post(t, "grey", "encode", digits.png(same),
                                      "image/png")), grey, 1e-2)
    colour = codes(post(t, "colour", "encode", digits.png(same), "image/png"))
    near.arrays("to colour", codes(post(t, "colour", "encode", digits.png(x),
                                        "image/png")), colour, 1e-4)
    large = np.kron(x, np.ones((5, 3), np.uint8))
    near.arrays("smaller", codes(post(t, "grey", "encode", digits.png(large),
                                      "image/png")), grey, 1e-2)
    one = digits.png(np.full((1, 1), 255))
    near.arrays("larger", codes(post(t, "grey", "encode", one, "image/png")),
                REFERENCE["grey"].encode(np.ones((1, 24))), 1e-4)


def test_jpeg(t):
    """A JPEG is taken, under either name of a picture"""
    want = REFERENCE["grey"].encode(np.ones((1, 24)))
    got = codes(post(t, "grey", "encode", WHITE_JPEG, "image/jpeg"))
    near.arrays("white", got, want, 1e-3)


def test_pictures_of_vectors(t):
    """A model of plain vectors takes no pictures"""
    post(t, "vector", "encode", digits.png(pixels((4, 6))), "image/png",
         want=422)


def test_png_replies(t):
    """reconstruct and decode draw a PNG of one row, range to 0..255"""
    for name, low in (("grey", 0), ("signed", -1), ("colour", 0)):
        model = REFERENCE[name]
        x = np.random.default_rng(2).uniform(low, 1, (1, *model.shape))
        body = digits.npy(x.astype(np.float32))
        reply = post(t, name, "reconstruct", body, NPY, "image/png")
        drawn = model.reconstruct(x)[0].reshape(model.shape)
        drawn = np.moveaxis(drawn.reshape(-1, *model.shape[-2:]), 0, -1)
        want = np.clip((drawn - low) / (1 - low), 0, 1) * 255
        near.arrays(name, digits.read_png(reply.body), want, 1)
    reply = post(t, "grey", "decode", b'{"codes": [{"indices": [], '
                 b'"values": []}]}', "application/json", "image/png")
    near.arrays("nothing", digits.read_png(reply.body), np.zeros((4, 6, 1)), 0)


def test_png_of_many_rows(t):
    """A PNG of two rows is refused with the remedy"""
    body = digits.npy(np.ones((2, 24)))
    reply = post(t, "grey", "reconstruct", body, NPY, "image/png", want=422)
    assert "one" in reply.json()["detail"] or "1" in reply.json()["detail"]


def test_accept(t):
    """Accept chooses by weight and precision; JSON is the default"""
    x = digits.npy(np.ones((1, 24)))
    for accept, want in (
            ("*/*", "application/json"), ("application/*", "application/json"),
            ("text/html, */*;q=0.1", "application/json"),
            ("application/x-npy", NPY), ("image/png", "image/png"),
            ("image/*", "image/png"),
            ("application/json;q=0.5, application/x-npy", NPY),
            ("application/x-npy;q=0.5, application/json", "application/json"),
            ("application/json;q=0, */*", None),
            ("application/problem+json, application/json",
             "application/json")):
        reply = post(t, "grey", "reconstruct", x, NPY, accept)
        assert reply.type == want or (
            want is None and reply.type != "application/json"), (
                "%s: %s" % (accept, reply.type))
    for action, accept in (("reconstruct", "text/html"), ("encode",
                           "image/png"), ("infer", NPY), ("infer", "image/*"),
                           ("reconstruct", "application/json;q=0")):
        post(t, "grey", action, x, NPY, accept, want=406)
