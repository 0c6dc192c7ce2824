"""Inference on small random models of every composition, against NumPy."""
import numpy as np
from support import models, near
from support.reference import Model, softmax

CONFIGS = {
    "relu": models.compose((3, 4), models.dense(9)),
    "shrink": models.compose((3, 4), models.dense(9, nonlinearity="shrink")),
    "tanh": models.compose((12,), models.dense(9, nonlinearity="tanh")),
    "identity": models.compose((12,), models.dense(
        9, nonlinearity="identity", steps=3), preprocess=()),
    "gain": models.compose((12,), models.dense(9, gain=True), low=-1),
    "one-step": models.compose((12,), models.dense(9, steps=1)),
    "feedforward": models.compose((3, 2, 2), models.dense(
        9, "feedforward", "tanh"), classifier="pooled"),
    "deep": models.compose((3, 4), models.dense(9, up="pooled"),
                           models.dense(6, "feedforward"),
                           models.dense(5, steps=2, nonlinearity="shrink")),
    "windows": models.compose((3, 4), models.dense(
        3000, "feedforward", structure={"kind": "groups", "lambda": 0.1,
                                        "window": {"maps": 4}}, up="pooled"),
                              models.dense(40, structure={
                                  "kind": "groups", "lambda": 0.1,
                                  "window": {"maps": 5, "maps_stride": 3}}),
                              classifier="pooled"),
    "white": models.compose((3, 4), models.dense(9),
                            preprocess=("whiten", "unit_norm")),
    "plain": models.compose((12,), models.dense(9, decoder=False),
                            classifier=None),
}
WITH_DECODER = [name for name in CONFIGS if name != "plain"]
REFERENCE = {}


def MODELS(folder):
    for seed, (name, config) in enumerate(CONFIGS.items()):
        models.write(folder, name, config, seed=seed)
        REFERENCE[name] = Model(models.path_of(folder, name, 1))
    unstable = models.compose((12,), models.dense(200,
                                                  nonlinearity="identity"),
                              preprocess=())
    return models.write(folder, "unstable", unstable, recurrent=3.0)


def inputs(rows=4, seed=0):
    """Rows of 12 numbers; some are zero, some negative, as JSON has them."""
    x = np.random.default_rng(seed).normal(0.3, 0.5, (rows, 12))
    return np.round(np.where(x > 0.9, 0, x), 5)


def ask(t, name, action, x=None, want=200, query="", **options):
    if x is not None:
        options["inputs"] = np.asarray(x).tolist()
    reply = t.call("POST", "/v1/models/%s/%s%s" % (name, action, query),
                   options)
    assert reply.status == want, "%s %s: %s" % (name, action, reply)
    return reply.json()


def size_of(name, layer=-1):
    return CONFIGS[name]["layers"][layer]["units"]


def test_codes(t):
    """encode gives NumPy's codes, sparse and dense"""
    x = inputs()
    for name, model in REFERENCE.items():
        want = model.encode(x)
        got = ask(t, name, "encode", x)
        assert got["code_size"] == want.shape[1], got
        near.arrays(name, near.dense(got["codes"], want.shape[1]), want, 1e-4)
        assert all(v != 0 for code in got["codes"] for v in code["values"])
        got = ask(t, name, "encode", x, format="dense")
        near.arrays(name, got["codes"], want, 1e-4)


def test_nested_rows(t):
    """Rows nested like the input's shape mean the same as flat ones"""
    x = inputs()
    for name, model in REFERENCE.items():
        nested = x.reshape(-1, *model.shape)
        assert ask(t, name, "encode", nested) == ask(t, name, "encode", x)


def test_scales(t):
    """encode says by what it divided each row"""
    x = inputs()
    got = ask(t, "relu", "encode", x)["scales"]
    near.arrays("scales", got, np.linalg.norm(x, axis=1), 1e-5)
    assert "scales" not in ask(t, "identity", "encode", x)


def test_steps(t):
    """steps replaces the steps of the encoder"""
    x = inputs()
    for steps in (1, 2, 3, 40):
        got = ask(t, "shrink", "encode", x, format="dense", steps=steps)
        near.arrays("steps %d" % steps, got["codes"],
                    REFERENCE["shrink"].encode(x, steps=steps), 1e-3)


def test_layers(t):
    """layer chooses whose code, groups and reconstruction are meant"""
    x = inputs()
    for name, layer in (("deep", 0), ("deep", 1), ("deep", 2),
                        ("windows", 0), ("windows", 1)):
        model = REFERENCE[name]
        got = ask(t, name, "infer", x, layer=layer, format="dense",
                  outputs=["code", "groups", "reconstruction"])
        near.arrays("code", got["codes"], model.encode(x, layer), 1e-4)
        near.arrays("groups", got["groups"], model.pool(x, layer), 1e-4)
        assert ask(t, name, "pool", x, layer=layer)["groups"] == got["groups"]
        drawn, error = model.reconstruct(x, layer)
        near.arrays("drawn", got["reconstructions"], drawn, 1e-4)
        near.arrays("error", got["relative_error"], error, 1e-4)
    ask(t, "deep", "encode", x, want=422, layer=3)
    ask(t, "relu", "encode", x, want=422, layer=1)


def test_pool(t):
    """pool gives each unit's magnitude for l1, for windows their weighted norm
    """
    x = inputs()
    for name, model in REFERENCE.items():
        near.arrays(name, ask(t, name, "pool", x)["groups"], model.pool(x),
                    1e-4)


def test_reconstruct(t):
    """reconstruct draws in the input's own units and says what is missing"""
    x = inputs()
    for name in WITH_DECODER:
        drawn, error = REFERENCE[name].reconstruct(x)
        got = ask(t, name, "reconstruct", x)
        near.arrays(name, got["reconstructions"], drawn, 1e-4)
        near.arrays(name, got["relative_error"], error, 1e-4)


def test_zero_input(t):
    """An input of zeros has no relative error, and answers all the same"""
    x = np.zeros((1, 12))
    for name in WITH_DECODER:
        got = ask(t, name, "infer", x)
        # Whitening takes a mean away, so zeros are no longer zero.
        assert (got["relative_error"] == [None]) == (name != "white"), got
    got = ask(t, "relu", "classify", x)["predictions"][0]
    want = softmax(REFERENCE["relu"].c[None])[0]
    assert abs(got["probability"] - want.max()) < 1e-5, got


def test_decode(t):
    """decode draws sparse and dense codes, scaled as told"""
    for name in ("relu", "shrink", "identity", "gain", "white"):
        model = REFERENCE[name]
        n = size_of(name)
        z = np.zeros((3, n))
        z[0, 2], z[1, [0, n - 1]], z[2] = 1.5, (-1, 0.25), np.arange(n)
        codes = [{"indices": [2], "values": [1.5]},
                 {"indices": [n - 1, 0], "values": [0.25, -1]}, z[2].tolist()]
        got = ask(t, name, "decode", codes=codes)
        near.arrays(name, got["reconstructions"], model.decode(z), 1e-4)
        scales = np.array([2, 0.5, 1])
        if not model.unit_norm:
            ask(t, name, "decode", want=422, codes=codes,
                scales=scales.tolist())
            continue
        got = ask(t, name, "decode", codes=codes, scales=scales.tolist())
        near.arrays(name, got["reconstructions"],
                    model.decode(z, scale=scales[:, None]), 1e-4)


def test_round_trip(t):
    """decode of what encode said is what reconstruct says"""
    x = inputs()
    for name in ("relu", "shrink", "tanh", "identity", "gain", "one-step",
                 "feedforward", "white"):
        code = ask(t, name, "encode", x)
        body = {key: code[key] for key in ("codes", "scales") if key in code}
        back = ask(t, name, "decode", **body)["reconstructions"]
        near.arrays(name, back,
                    ask(t, name, "reconstruct", x)["reconstructions"], 1e-5)


def test_decode_of_a_stack(t):
    """decode starts at the layer that is named"""
    model = REFERENCE["deep"]
    z = np.eye(9)[:2]
    got = ask(t, "deep", "decode", codes=z.tolist(), layer=0)
    near.arrays("drawn", got["reconstructions"], model.decode(z, 0), 1e-5)
    # A pooled code has lost what made it: there is no way down from above.
    ask(t, "deep", "decode", want=409, codes=[[0] * 5])


def test_classify(t):
    """classify gives NumPy's probabilities, best first"""
    x = inputs()
    for name, model in REFERENCE.items():
        if model.C is None:
            continue
        want = model.probabilities(x)
        for row, p in zip(ask(t, name, "classify", x)["predictions"], want):
            top = row["top"]
            assert [c["index"] for c in top] == list(np.argsort(-p)), row
            near.arrays(name, [c["probability"] for c in top], np.sort(p)[::-1],
                        1e-4)
            assert all(c["class"] == "abc"[c["index"]] for c in top), row
            assert {k: row[k] for k in top[0]} == top[0], row


def test_top(t):
    """top says how many classes, never more than there are"""
    x = inputs(1)
    for top, count in ((1, 1), (2, 2), (3, 3), (65536, 3)):
        got = ask(t, "relu", "classify", x, top=top)["predictions"][0]["top"]
        assert len(got) == count, got


def test_top_k_and_threshold(t):
    """top_k and threshold choose what is sent, and change nothing else"""
    x = inputs(6)
    full = np.array(ask(t, "shrink", "encode", x, format="dense")["codes"])
    for k, threshold in ((1, 0), (3, 0), (9, 0), (100, 0), (9, 0.1), (2, 0.1),
                         (9, 1e9)):
        want = np.where(np.abs(full) >= threshold, full, 0)
        rank = np.argsort(np.argsort(-np.abs(want), axis=1, kind="stable"),
                          axis=1)
        want = np.where(rank < k, want, 0)
        options = {"top_k": k, "threshold": threshold}
        got = ask(t, "shrink", "infer", x, outputs=["code", "groups",
                                                    "reconstruction"],
                  **options)
        near.arrays("codes", near.dense(got["codes"], 9), want, 0)
        near.arrays("groups", got["groups"], np.abs(want), 0)
        near.arrays("drawn", got["reconstructions"],
                    REFERENCE["shrink"].reconstruct(x)[0], 1e-4)
        got = ask(t, "shrink", "encode", x, format="dense", **options)
        near.arrays("dense", got["codes"], want, 0)
        assert ask(t, "shrink", "pool", x, **options)["groups"] == [
            [abs(v) for v in row] for row in got["codes"]]


def test_infer(t):
    """infer answers as the single routes do, all at once"""
    x = inputs()
    for name in CONFIGS:
        got = ask(t, name, "infer", x)
        want = {**ask(t, name, "encode", x), **ask(t, name, "pool", x)}
        if name in WITH_DECODER:
            want.update(ask(t, name, "reconstruct", x))
            want.update(ask(t, name, "classify", x))
        found = near.difference(got, want, 1e-5)
        assert found is None, "%s: %s" % (name, found)


def test_outputs(t):
    """outputs names what is wanted; what the model cannot do is refused"""
    x = inputs(1)
    keys = {"code": {"code_size", "codes", "scales"}, "groups": {"groups"},
            "reconstruction": {"reconstructions", "relative_error"},
            "classes": {"predictions"}, "trace": {"code_size", "traces"}}
    for output, want in keys.items():
        got = ask(t, "relu", "infer", x, outputs=[output])
        assert set(got) - {"scales"} == (want | {"model", "version"}) - {
            "scales"}, got
    ask(t, "plain", "infer", x, want=409, outputs=["code", "classes"])
    ask(t, "plain", "infer", x, want=409, outputs=["reconstruction"])


def test_trace(t):
    """trace is the code after each step"""
    x = inputs(2)
    for name, layer in (("relu", 0), ("tanh", 0), ("gain", 0),
                        ("feedforward", 0), ("deep", 0), ("deep", 2)):
        want = np.stack(REFERENCE[name].traces(x)[layer], axis=1)
        got = ask(t, name, "infer", x, outputs=["trace"], layer=layer,
                  format="dense")["traces"]
        near.arrays(name, got, want, 1e-4)
        got = ask(t, name, "infer", x, outputs=["trace"], layer=layer)
        near.arrays(name, [near.dense(row, want.shape[2])
                           for row in got["traces"]], want, 1e-4)


def shares(model, x):
    """Of each unit: reconstruction (B,n), and score of the best class (B,n)
    at fixed norm; the best class (B)."""
    z = model.encode(x)
    drawn = model.draw(z)
    reconstruction = z * (drawn @ model.layers[0].D) / (
        drawn ** 2).sum(axis=1, keepdims=True)
    best = model.probabilities(x).argmax(axis=1)
    score = model.C[best] * z / np.linalg.norm(z, axis=1, keepdims=True)
    return reconstruction, score, best


def test_explain(t):
    """explain gives each unit's share of the drawing and of the score"""
    x = inputs()
    for name in ("relu", "shrink", "tanh", "white"):
        model = REFERENCE[name]
        drawing, score, best = shares(model, x)
        near.arrays("sum", drawing.sum(axis=1), np.ones(4), 1e-9)
        for action in ("encode", "reconstruct", "classify", "infer"):
            got = ask(t, name, action, x, explain=True)["explanations"]
            for row, one in enumerate(got):
                at = one["indices"]
                assert at == list(np.flatnonzero(model.encode(x)[row])), one
                near.arrays(name, one["reconstruction"], drawing[row, at],
                            1e-3)
                near.arrays(name, one["score"], score[row, at], 1e-3)
                assert one["class"] == "abc"[best[row]], one


def test_explain_is_cut_too(t):
    """explain tells only of the units that are sent"""
    got = ask(t, "relu", "encode", inputs(), explain=True, top_k=2)
    for code, one in zip(got["codes"], got["explanations"]):
        assert one["indices"] == code["indices"], got


def test_explain_without_heads(t):
    """explain needs a decoder or a classifier"""
    ask(t, "plain", "encode", inputs(), want=409, explain=True)


def test_query_options(t):
    """Options in the query mean the same as in the body"""
    x = inputs()
    body = {"top_k": 2, "threshold": 0.01, "format": "dense", "steps": 3,
            "explain": True, "outputs": ["code", "trace", "classes"],
            "top": 2, "layer": 0}
    query = ("?top_k=2&threshold=1e-2&format=dense&steps=3&explain=true"
             "&outputs=code%2Ctrace,classes&top=2&layer=0")
    assert ask(t, "relu", "infer", x, **body) == ask(t, "relu", "infer", x,
                                                     query=query)


def test_batch_is_its_rows(t):
    """A batch of 1,024 answers as its rows do one by one"""
    x = inputs(1024, seed=5)
    got = ask(t, "shrink", "infer", x)
    for row in (0, 1, 500, 1023):
        one = ask(t, "shrink", "infer", x[row:row + 1])
        for key in ("codes", "groups", "reconstructions", "predictions"):
            found = near.difference(got[key][row], one[key][0], 1e-4)
            assert found is None, "row %d: %s" % (row, found)


def test_numbers_of_all_kinds(t):
    """Numbers may be written in every way that JSON has"""
    body = (b'{"inputs":[[0,-0,1e0,1E-2,0.5e+1,-2.5,12345678901234567890,'
            b'0.1000000000000000055511151231257827,1e-400,2e5,3,4]]}')
    x = np.array([[0, 0, 1, 0.01, 5, -2.5, 1.2345678901234567e19, 0.1, 0, 2e5,
                   3, 4]])
    reply = t.call("POST", "/v1/models/relu/encode", body=body,
                   headers={"Content-Type": "application/json"})
    assert reply.status == 200, str(reply)
    near.arrays("code", near.dense(reply.json()["codes"], 9),
                REFERENCE["relu"].encode(x), 1e-4)


def test_overflow(t):
    """Numbers or steps that make a code overflow are 422, not a fault"""
    for action in ("encode", "pool", "reconstruct", "classify", "infer"):
        ask(t, "identity", action, [[3e38] * 12], want=422)
    got = t.call("POST", "/v1/models/unstable/encode?steps=1000",
                 {"inputs": [[1] * 12]})
    assert got.status == 422 and "steps" in got.json()["detail"], str(got)
    # A row's own norm may overflow too, where rows are divided by it.
    reply = t.call("POST", "/v1/models/relu/infer",
                   {"inputs": [[3e38] * 12]})
    assert reply.status in (200, 422), str(reply)


def test_keys_and_types_are_read_loosely(t):
    """Escapes in keys, white space and media type parameters are understood"""
    x = inputs(1)
    want = ask(t, "relu", "encode", x)
    body = ' \r\n\t{ "inp\\u0075ts" : %s , "steps": 5.0 } \n' % x.tolist()
    for kind in ("application/json", "Application/JSON",
                 "application/json; charset=utf-8"):
        reply = t.call("POST", "/v1/models/relu/encode", body=body.encode(),
                       headers={"Content-Type": kind})
        assert reply.status == 200 and reply.json() == want, str(reply)
