"""Inputs of which some are missing, against NumPy's minimum of the energy."""
import numpy as np
from safetensors.numpy import load_file
from support import models, near

LAMBDA = 0.01
CONFIGS = {
    "fista": models.compose((3, 4), models.coding(6, method="fista"),
                            preprocess=(), classifier=None),
    "descent": models.compose((3, 4), models.coding(6, method="descent"),
                              preprocess=(), classifier="pooled"),
    "scaled": models.compose((3, 4), models.coding(6)),
    "white": models.compose((3, 4), models.coding(6),
                            preprocess=("whiten", "unit_norm")),
    "net": models.compose((3, 4), models.dense(6)),
}
TAKE_A_MASK = ["fista", "descent", "scaled"]
ATOMS = {}


def MODELS(folder):
    for seed, (name, config) in enumerate(CONFIGS.items()):
        models.write(folder, name, config, seed=seed)
        ATOMS[name] = load_file(models.path_of(folder, name, 1))[
            "layers.0.decoder.weight"].astype(float)
    return folder


def rows(count=5):
    """Inputs, and masks that differ from row to row."""
    rng = np.random.default_rng(3)
    x = np.round(rng.normal(0.3, 0.5, (count, 12)), 5)
    known = np.ones((count, 12), int)
    for row in known:
        row[rng.choice(12, 4, replace=False)] = 0
    return x, known


def ask(t, name, action, x, known, want=200, **options):
    options.update(inputs=np.asarray(x).tolist(),
                   mask=np.asarray(known).tolist())
    reply = t.call("POST", "/v1/models/%s/%s" % (name, action), options)
    assert reply.status == want, "%s %s: %s" % (name, action, reply)
    return reply.json()


def minimum(D, x, known):
    """z of 1/2 |known (x - D z)|^2 + lambda |z|_1, by many small steps."""
    D, x = D * known[:, None], x * known
    step = 1 / np.linalg.norm(D, 2) ** 2
    z = np.zeros(D.shape[1])
    for _ in range(5000):
        z = z - step * (D.T @ (D @ z - x))
        z = np.sign(z) * np.maximum(0, np.abs(z) - step * LAMBDA)
    return z


def test_codes(t):
    """Codes are those of the known numbers alone"""
    x, known = rows()
    for name in TAKE_A_MASK:
        scale = np.ones(len(x))
        if name == "scaled":
            scale = np.linalg.norm(x * known, axis=1)
        want = [minimum(ATOMS[name], row / size, mask)
                for row, size, mask in zip(x, scale, known)]
        got = ask(t, name, "infer", x, known, format="dense",
                  outputs=["code", "trace", "reconstruction"])
        near.arrays(name, got["codes"], want, 1e-3)
        near.arrays(name, [trace[-1] for trace in got["traces"]],
                    got["codes"], 1e-6)
        drawn = np.array(want) @ ATOMS[name].T * scale[:, None]
        near.arrays(name, got["reconstructions"], drawn, 2e-3)
        error = (np.linalg.norm((x - drawn) * known, axis=1) /
                 np.linalg.norm(x * known, axis=1))
        near.arrays(name, got["relative_error"], error, 5e-3)
        if name == "scaled":
            near.arrays(name, got["scales"], scale, 1e-5)


def test_restoring(t):
    """Missing numbers of what a code has drawn come back"""
    rng = np.random.default_rng(5)
    _, known = rows()
    for name in TAKE_A_MASK:
        code = np.zeros((len(known), 6))
        for row in code:
            row[rng.choice(6, 2, replace=False)] = 3
        x = code @ ATOMS[name].T
        got = ask(t, name, "reconstruct", np.where(known, x, -77), known)
        off = np.linalg.norm(got["reconstructions"] - x, axis=1)
        assert (off < 0.05 * np.linalg.norm(x, axis=1)).all(), (name, off)


def test_no_influence(t):
    """What stands in the place of a missing number does not matter"""
    x, known = rows()
    other = np.where(known, x, [[1e30]])
    for name in TAKE_A_MASK:
        for action in ("encode", "pool", "reconstruct", "infer"):
            assert (ask(t, name, action, x, known) ==
                    ask(t, name, action, other, known != 0)), (name, action)
    for name in ("descent", "scaled"):
        assert (ask(t, name, "classify", x, known) ==
                ask(t, name, "classify", other, known)), name


def test_refusals(t):
    """Models that need all inputs say why; a wrong mask is told where"""
    x, known = rows(2)
    for name, word in (("white", "preprocessing"), ("net", "encoder")):
        for action in ("encode", "pool", "reconstruct", "classify", "infer"):
            detail = ask(t, name, action, x, known, 409)["detail"]
            assert "mask" in detail and word in detail, detail
    for bad, word in ((known[:1], "mask"), (known[:, 1:], "mask[0]"),
                      (known * 2, "mask[0]"), (known + 0.5, "mask[0][0]")):
        detail = ask(t, "fista", "encode", x, bad, 422)["detail"]
        assert word in detail, detail
    reply = t.call("POST", "/v1/models/fista/encode?mask=1",
                   {"inputs": x.tolist()})
    assert reply.status == 422 and "mask" in reply.json()["detail"]
