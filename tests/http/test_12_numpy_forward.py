"""The shipped models against a NumPy forward pass over their own files, on
real digits; and against `sparsed eval`."""
import json

import numpy as np
from safetensors.numpy import load_file
from support import digits, models, near, pictures, server
from support.every import close
from support.reference import Model

NAME = "mnist-drsae"
STACKS = "mnist-conv-stack", "fashion-conv-stack"
FEW = 25
NPY = "application/x-npy"
ROWS = 1000
TOLERANCE = 1e-4


def reference():
    return Model(models.path_of(server.SHIPPED, NAME, 1))


def images(rows=ROWS):
    """Test images as numbers from 0 to 1, as single precision has them."""
    x, _ = digits.mnist_test()
    return x[:rows].reshape(rows, -1).astype(np.float32) / np.float32(255)


def post(t, action, body, kind, accept="application/json", name=NAME):
    # Not by t.call: a schema takes longer over a million numbers than all else.
    reply = t.server.ask("POST", "/v1/models/%s/versions/1/%s" % (name, action),
                         body, [("Content-Type", kind), ("Accept", accept)])
    assert reply.status == 200, str(reply)
    return reply


def test_config(t):
    """The shipped model is what the paper has: 784 inputs, 400 units, T = 11
    """
    model = reference()
    assert model.shape == [28, 28] and model.unit_norm
    assert len(model.layers) == 1 and model.layers[0].steps == 11
    assert model.layers[0].E.shape == (400, 784)
    assert model.layers[0].S.shape == (400, 400)
    assert model.layers[0].D.shape == (784, 400)
    assert model.C.shape == (10, 400)
    assert model.classes == list("0123456789")


def test_json_agrees(t):
    """Code, reconstruction and probabilities of 1,000 digits agree, in JSON"""
    model, x = reference(), images()
    body = json.dumps({
        "inputs": x.tolist(), "outputs": ["code", "reconstruction", "classes"],
        "top": 10}).encode()
    got = post(t, "infer", body, "application/json").json()
    near.arrays("code", near.dense(got["codes"], 400), model.encode(x),
                TOLERANCE)
    drawn, error = model.reconstruct(x)
    near.arrays("reconstruction", got["reconstructions"], drawn, TOLERANCE)
    near.arrays("relative error", got["relative_error"], error, TOLERANCE)
    probabilities = np.zeros((ROWS, 10))
    for row, one in zip(probabilities, got["predictions"]):
        for entry in one["top"]:
            row[entry["index"]] = entry["probability"]
    near.arrays("probabilities", probabilities, model.probabilities(x),
                TOLERANCE)


def test_npy_agrees(t):
    """The same in npy"""
    model, x = reference(), images()
    body = digits.npy(x.reshape(ROWS, 28, 28))
    for action, want in (("encode", model.encode(x)),
                         ("reconstruct", model.reconstruct(x)[0]),
                         ("classify", model.probabilities(x))):
        got = digits.from_npy(post(t, action, body, NPY, NPY).body)
        near.arrays(action, got, want, TOLERANCE)


def test_bytes_agree(t):
    """Digits as bytes are the same digits"""
    x, _ = digits.mnist_test()
    got = digits.from_npy(post(t, "encode", digits.npy(x[:ROWS]), NPY,
                               NPY).body)
    near.arrays("code", got, reference().encode(images()), TOLERANCE)


def test_trace_agrees(t):
    """The code after each of the 11 steps agrees"""
    model, x = reference(), images(20)
    body = json.dumps({"inputs": x.tolist(), "outputs": ["trace"],
                       "format": "dense"}).encode()
    got = post(t, "infer", body, "application/json").json()["traces"]
    near.arrays("trace", got, np.stack(model.traces(x)[0], axis=1), TOLERANCE)


def wrong_over_http(t, x, labels):
    """How many of the images get another class than their label."""
    wrong = 0
    for at in range(0, len(x), ROWS):
        reply = post(t, "classify?top=1", digits.npy(x[at:at + ROWS]), NPY)
        got = [int(p["class"]) for p in reply.json()["predictions"]]
        wrong += int(np.sum(np.array(got) != labels[at:at + ROWS]))
    return wrong


def error_of_eval():
    done = server.run("eval", server.SHIPPED / NAME, "--data", digits.MNIST,
                      "--split", "test", "--json")
    assert done.returncode == 0, done
    return json.loads(done.stdout)["error"]


def test_eval_agrees(t):
    """`sparsed eval` and the HTTP route find the same error rate"""
    x, labels = digits.mnist_test()
    wrong = wrong_over_http(t, x, labels)
    error = error_of_eval()
    assert abs(error - wrong / len(x)) < 1e-9, (error, wrong)
    assert error <= 0.016, "test error %g is over 1.6 %%" % error


def test_pictures(t):
    """The PNG digits of tests/data get their classes"""
    for label in range(10):
        got = post(t, "classify", digits.picture(label), "image/png").json()
        assert got["predictions"][0]["class"] == str(label), (label, got)


def test_jpeg(t):
    """The JPEG digit gets its class too"""
    body = (server.ROOT / "tests" / "data" / "digit-7.jpg").read_bytes()
    got = post(t, "classify", body, "image/jpeg").json()
    assert got["predictions"][0]["class"] == "7", got


def test_picture_is_its_pixels(t):
    """A PNG digit gets the code of its pixels, and is drawn as a PNG"""
    x, labels = digits.mnist_test()
    x = x[labels == 7][:1].reshape(1, -1) / 255
    code = post(t, "encode", digits.picture(7), "image/png").json()["codes"]
    near.arrays("code", near.dense(code, 400), reference().encode(x),
                TOLERANCE)
    drawn = post(t, "reconstruct", digits.picture(7), "image/png", "image/png")
    assert digits.png_size(drawn.body) == (28, 28)


def test_stacks_agree(t):
    """All layers of the convolutional stacks agree, and their classes"""
    x = images(FEW).reshape(FEW, 28, 28)
    for name in STACKS:
        config = t.call("GET", "/v1/models/" + name).json()["config"]
        tensors = load_file(models.path_of(server.SHIPPED, name, 1))
        want = [pictures.forward(config, tensors, row) for row in x]

        def got(action, layer):
            rows = post(t, "%s?layer=%d" % (action, layer), digits.npy(x),
                        NPY, NPY, name).body
            return digits.from_npy(rows).reshape(FEW, -1)
        for layer in range(len(config["layers"])):
            told = "%s, layer %d" % (name, layer)
            for part, action in enumerate(("encode", "pool")):
                close("%s of %s" % (action, told), got(action, layer),
                      [row[layer][part].ravel() for row in want])
            back = [pictures.reconstruct(config, tensors, *row) for row in
                    zip(x, (row[:layer + 1] for row in want))]
            close("reconstruction of " + told, got("reconstruct", layer),
                  [drawn.ravel() for drawn, _ in back])
            body = json.dumps({"inputs": x.tolist(), "layer": layer}).encode()
            close("error of " + told,
                  post(t, "reconstruct", body, "application/json",
                       name=name).json()["relative_error"],
                  [error for _, error in back])
        close("probabilities of " + name,
              digits.from_npy(post(t, "classify", digits.npy(x), NPY, NPY,
                                   name).body),
              [pictures.probabilities(config, tensors, row)
               for row in want])
