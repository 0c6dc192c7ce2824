"""Every route with every model that is served: the shipped ones, and small ones
for structures that may not be among them."""
import io

import numpy as np
from PIL import Image
from support import digits, models, near, server
from support.every import ROWS, close, numbers, served


def groups(price=0.4, **settings):
    return {"kind": "groups", "lambda": price, **settings}


def tree(**settings):
    return {"kind": "tree", "lambda": 0.1, **settings}


def lateral(**settings):
    return {"kind": "lateral", "lambda": 0.05, "strength": 0.4, **settings}


def descent(units, structure):
    return models.coding(units, structure, method="descent")


NOISY = {"kind": "gaussian", "lambda": 0.1}

CONFIGS = {
    "blocks": models.compose((5, 4), models.coding(12, groups(blocks=3)),
                             classifier="pooled"),
    "lists": models.compose((5, 4), models.coding(8, groups(
        lists=[[4, 0, 1], [1, 2, 3], [6]],
        weights=[[1, 0.5, 2], [1, 1, 3], [0.7]])), classifier="code"),
    "map": models.compose((5, 4), models.coding(24, groups(0.8, map={
        "height": 4, "width": 6, "window": 3, "stride": 2, "sigma": 1.0})),
        preprocess=("whiten", "unit_norm"), classifier=None),
    "tree": models.compose((5, 4), models.coding(10, tree(
        branching=[3, 2])), low=-1, classifier="pooled"),
    "forest": models.compose((20,), models.coding(9, tree(
        parents=[3, 3, 3, -1, -1, 4, 5, 4, 7],
        weights=[1, 1, 2, 0.5, 1, 1, 1, 1, 1])), preprocess=()),
    "tree-not-negative": models.compose((3, 5, 4), models.coding(
        10, tree(branching=[3, 2]), nonnegative=True)),
    "net-of-blocks": models.compose((5, 4), models.dense(
        12, nonlinearity="shrink", structure=groups(blocks=3)),
        classifier="pooled"),
    "stack": models.compose((5, 4), models.coding(
        12, groups(blocks=3), up="pooled"), models.dense(6)),
    "inhibits-all": models.compose((5, 4), descent(8, lateral(
        pattern="all", learned=True)), classifier=None),
    "inhibits-tree": models.compose((5, 4), descent(10, lateral(
        pattern="tree", branching=[3, 2]))),
    "inhibits-ring": models.compose((5, 4), descent(9, lateral(
        pattern="ring", near=1, far=3))),
    "inhibits-grid": models.compose((5, 4), descent(12, lateral(
        pattern="grid", height=3, width=4, near=1, far=2))),
    "noisy": models.compose((5, 4), models.dense(
        12, up="pooled"), models.dense(
            7, "feedforward", "identity", gain=True, structure=NOISY)),
}


def MODELS(folder):
    for seed, (name, config) in enumerate(CONFIGS.items()):
        models.write(folder, name, config, seed=seed)
    for path in server.SHIPPED.iterdir():
        if path.is_dir():
            (folder / path.name).symlink_to(path)
    return folder


def layers(t):
    """(model, number of a layer) of all."""
    return [(one, i) for one in served(t) for i in range(len(one.layers))]


def test_served(t):
    """Small and shipped models are served"""
    names = {one.name for one in served(t)}
    shipped = {path.parts[-3] for path in
               server.SHIPPED.glob("*/*/model.safetensors")}
    assert shipped and names == shipped | set(CONFIGS), names


def test_actions(t):
    """Each lists what it can do with the code of its top layer"""
    for one in served(t):
        top = len(one.layers) - 1
        for action, can in (("encode", True), ("pool", True), ("infer", True),
                            ("reconstruct", one.draws(top)),
                            ("decode", one.decodes(top)),
                            ("classify", bool(one.classes))):
            assert (action in one.info["actions"]) == can, (one.name, action)


def test_codes(t):
    """Codes have the layer's size, are sparse, and the same in every format"""
    for one, layer in layers(t):
        z = one.code(layer)
        got = one.ask("encode", layer=layer)
        assert got["code_size"] == z.shape[1] == one.layers[layer]["units"]
        close("%s: sparse" % one, near.dense(
            got["codes"], z.shape[1]), z, 0)
        array = one.ask_array("encode", one.x, "?layer=%d" % layer)
        assert array.dtype == "<f4"
        close("%s: npy" % one, array, z)
        assert z.any(), "%s: nothing is on" % one
        sparse = one.config["layers"][layer]["structure"]["kind"] != "gaussian"
        assert (z == 0).any() == sparse, "%s: units on and off" % one


def test_alone(t):
    """A row's code is the same alone and among others"""
    for one, layer in layers(t):
        z = one.code(layer)
        for b in range(ROWS):
            close("%s: row %d" % (one, b), one.code(layer, one.x[b:b + 1])[0],
                  z[b])


def test_noisy(t):
    """A noisy code is served without its noise: it is the mean"""
    one = next(one for one in served(t) if one.name == "noisy")
    E, b, gain = (one.tensors["layers.1.encoder." + name].astype(float)
                  for name in ("weight", "bias", "gain"))
    below = np.abs(one.code(0))
    both = gain * (below @ E.T - b)
    assert both.shape == (ROWS, 14)
    close("means", one.code(1), both[:, :7])
    assert (np.abs(both[:, 7:]) > 1e-3).all(), "no noise to leave out"


def test_pools(t):
    """Pools are the roots of what their groups' weighted squares add up to"""
    for one, layer in layers(t):
        want = one.pools(layer, one.code(layer))
        got = numbers("%s: groups" % one, one.ask("pool", layer=layer)[
            "groups"], (ROWS, one.layers[layer]["group_count"]))
        close("%s: groups" % one, got, want)
        close("%s: npy" % one, one.ask_array(
            "pool", one.x, "?layer=%d" % layer), got)


def test_trees(t):
    """A tree's unit is on only where its parent is"""
    seen = 0
    for one, layer in layers(t):
        up = one.parents(layer)
        if up is None:
            continue
        on = one.code(layer) != 0
        lonely = (up >= 0) & on & ~on[:, up]
        assert not lonely.any(), "%s: %s" % (one, np.argwhere(lonely)[0])
        seen += (on & (up >= 0)).sum()
    assert seen, "no child was on"


def test_inhibition(t):
    """What a file shows as inhibition is symmetric, and 0 on the diagonal"""
    for one, layer in layers(t):
        S = one.tensors.get("layers.%d.structure.inhibition" % layer)
        if S is not None:
            assert S.shape == (one.layers[layer]["units"],) * 2
            assert (S >= 0).all() and (S == S.T).all() and S.any(), one.name
            assert not S.diagonal().any(), one.name


def test_reconstructions(t):
    """Reconstructions have the input's shape, and their error is told"""
    for one, layer in layers(t):
        if not one.draws(layer):
            one.ask("reconstruct", want=409, layer=layer)
            continue
        got = one.ask("reconstruct", layer=layer)
        drawn = numbers("%s: drawn" % one, got["reconstructions"],
                        one.x.shape)
        error = numbers("%s: error" % one, got["relative_error"], (ROWS,))
        # The best code is no worse than none; a random net's may be.
        if all(own["encoder"]["kind"] == "iterative"
               for own in one.config["layers"]):
            assert (error < 1.00001).all(), "%s: %s" % (one, error)
        assert (error > 0).all(), "%s: %s" % (one, error)
        close("%s: npy" % one, one.ask_array(
            "reconstruct", one.x, "?layer=%d" % layer), drawn)


def test_pictures(t):
    """A reconstruction comes as a picture, of one line for a vector"""
    for one in served(t):
        if not one.draws(len(one.layers) - 1):
            continue
        reply = t.call("POST", one.path + "/reconstruct",
                       {"inputs": one.x[:1].tolist()},
                       headers={"Accept": "image/png"})
        assert reply.status == 200, "%s: %s" % (one, reply)
        pixels = digits.read_png(reply.body)
        channels, height, width = [1, 1, 1, *one.shape][-3:]
        assert pixels.shape == (height, width, channels), pixels.shape


def test_decode(t):
    """Decoding what encode gave is what reconstruct gives"""
    for one, layer in layers(t):
        got = one.ask("encode", layer=layer)
        back = {"codes": got["codes"], "layer": layer}
        if "scales" in got:
            back["scales"] = got["scales"]
        if not one.decodes(layer):
            one.ask("decode", want=409, **back)
            continue
        want = one.ask("reconstruct", layer=layer)["reconstructions"]
        close("%s: decoded" % one, numbers("%s: decoded" % one, one.ask(
            "decode", **back)["reconstructions"], one.x.shape), want)


def test_classes(t):
    """Each row gets a class and shares that add up to 1, or a conflict"""
    for one in served(t):
        if not one.classes:
            one.ask("classify", want=409)
            continue
        count = len(one.classes)
        got = one.ask("classify", top=count)["predictions"]
        p = np.zeros((ROWS, count))
        for row, answer in zip(p, got):
            shares = [entry["probability"] for entry in answer["top"]]
            assert shares == sorted(shares, reverse=True), answer
            assert answer["class"] == one.classes[answer["index"]], answer
            assert answer["index"] == answer["top"][0]["index"], answer
            row[[entry["index"] for entry in answer["top"]]] = shares
        close("%s: sum" % one, p.sum(axis=1), np.ones(ROWS))
        close("%s: npy" % one, one.ask_array("classify", one.x), p)


def outputs_of(one, layer):
    """All that infer can be asked for."""
    wanted = ["code", "groups", "trace"]
    if one.draws(layer):
        wanted.append("reconstruction")
    if one.classes:
        wanted.append("classes")
    return wanted


def test_infer(t):
    """infer gives in one answer what the single routes give"""
    for one, layer in layers(t):
        wanted = outputs_of(one, layer)
        got = one.ask("infer", layer=layer, outputs=wanted, format="dense")
        z = one.code(layer)
        close("%s: codes" % one, got["codes"], z)
        close("%s: groups" % one, got["groups"],
              one.ask("pool", layer=layer)["groups"])
        if "reconstruction" in wanted:
            drawn = one.ask("reconstruct", layer=layer)
            close("%s: drawn" % one, got["reconstructions"],
                  drawn["reconstructions"])
            close("%s: error" % one, got["relative_error"],
                  drawn["relative_error"])
        if "classes" in wanted:
            assert [p["class"] for p in got["predictions"]] == [
                p["class"] for p in one.ask("classify")["predictions"]]
        for name in ("code", "groups", "reconstruction", "classes"):
            if name not in wanted:
                one.ask("infer", want=409, outputs=[name], layer=layer)


def test_traces(t):
    """A trace has as many steps for all rows, and ends in the code"""
    for one, layer in layers(t):
        got = one.ask("infer", layer=layer, outputs=["code", "trace"],
                      format="dense")
        steps = len(got["traces"][0])
        assert steps >= 1
        trace = numbers("%s: trace" % one, got["traces"],
                        (ROWS, steps, one.layers[layer]["units"]))
        close("%s: end" % one, trace[:, -1], got["codes"], 0)


def test_explanations(t):
    """Shares of a drawing add up to 1, of a score to all but its bias"""
    for one, layer in layers(t):
        draws = one.draws(layer)
        votes = bool(one.classes) and layer == len(one.layers) - 1
        if not draws and not votes:
            one.ask("encode", want=409, explain=True, layer=layer)
            continue
        got = one.ask("encode", explain=True, layer=layer)
        scores = one.scores(one.code(layer)) if votes else [None] * ROWS
        for code, why, score in zip(got["codes"], got["explanations"], scores):
            assert why["indices"] == code["indices"], one.name
            shape = (len(code["indices"]),)
            assert ("reconstruction" in why) == draws, (one.name, why)
            assert ("score" in why) == votes, (one.name, why)
            if draws:
                shares = numbers("shares", why["reconstruction"], shape)
                assert not shape[0] or abs(shares.sum() - 1) < 1e-3, (
                    one.name, shares.sum())
            if votes:
                shares = numbers("score", why["score"], shape)
                close("%s: score" % one, shares.sum(),
                      score[one.classes.index(why["class"])], 1e-3)


def test_atoms(t):
    """Atoms are drawn in both views, or the reason is told"""
    for one, layer in layers(t):
        for view, can in (("atoms", one.draws(layer)),
                          ("orientation", one.draws(layer) and
                           one.has_orientations())):
            reply = one.get("/atoms.png?layer=%d&view=%s" % (layer, view),
                            200 if can else 409)
            if not can:
                assert reply.json()["detail"], str(reply)
                continue
            picture = Image.open(io.BytesIO(reply.body))
            if one.is_dense():
                room = one.layers[layer]["units"] * one.size
                assert picture.width * picture.height >= room, picture.size
            assert np.std(picture) > 1, "%s: nothing is drawn" % one


def test_units(t):
    """A unit's atom is its column of the decoder, and it votes once a class"""
    for one, layer in layers(t):
        units = one.layers[layer]["units"]
        D = one.tensors.get("layers.%d.decoder.weight" % layer)
        for unit in (0, units // 2, units - 1):
            got = one.get("/units/%d?layer=%d" % (unit, layer)).json()
            assert (got["atom"] is not None) == one.draws(layer), one.name
            if got["atom"] is not None:
                atom = numbers("%s: atom" % one, got["atom"], (one.size,))
                close("%s: norm" % one, got["norm"], np.linalg.norm(atom))
                if layer == 0 and one.is_dense():
                    close("%s: atom" % one, atom, D[:, unit], 1e-5)
            if got["votes"] is not None:
                assert [v["class"] for v in got["votes"]] == one.classes
                numbers("%s: votes" % one, [v["weight"] for v in got["votes"]],
                        (len(one.classes),))
        one.get("/units/%d?layer=%d" % (units, layer), 404)
