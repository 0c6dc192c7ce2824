"""Listing: what is served, in which versions, and its pictures."""
import json

import numpy as np
from support import digits, models, near
from support.reference import Model

CONFIGS = {
    "classes": models.compose((3, 4), models.dense(7)),
    "plain": models.compose((5,), models.dense(4, "feedforward",
                                               decoder=False),
                            preprocess=(), classifier=None, low=-1),
    "stacked": models.compose((3, 4), models.dense(7, up="pooled"),
                              models.dense(5, "feedforward"),
                              classifier="pooled"),
    "vectors": models.compose((12,), models.dense(7)),
}
FOLDER = []


def MODELS(folder):
    for name, config in CONFIGS.items():
        models.write(folder, name, config)
    for version in (2, 10):
        models.write(folder, "classes", CONFIGS["classes"], version,
                     seed=version)
    (folder / "classes" / "11").mkdir()  # no file in it yet
    (folder / ".hidden" / "1").mkdir(parents=True)
    (folder / "README.md").write_text("not a model")
    FOLDER[:] = [folder]
    return folder


def test_list(t):
    """Models are listed by name, the highest complete version in service"""
    listed = t.call("GET", "/v1/models").json()["models"]
    assert [m["name"] for m in listed] == sorted(CONFIGS), listed
    first = listed[0]
    assert first["version"] == 10 and first["versions"] == [1, 2, 10], first
    assert first["input"] == {"shape": [3, 4], "size": 12, "range": [0, 1]}
    assert (first["code_size"], first["group_count"],
            first["class_count"]) == (7, 7, 3), first
    assert first["parameter_count"] == 7 * 12 + 7 + 49 + 84 + 21 + 3, first


def test_actions(t):
    """A model lists the actions that it can do, and those work"""
    bodies = {"decode": lambda m: {"codes": [[0] * m["code_size"]]}}
    for m in t.call("GET", "/v1/models").json()["models"]:
        for action in ("encode", "pool", "reconstruct", "classify", "decode",
                       "infer"):
            body = bodies.get(action, lambda m: {
                "inputs": [[0.5] * m["input"]["size"]]})(m)
            reply = t.call("POST", "/v1/models/%s/%s" % (m["name"], action),
                           body)
            want = 200 if action in m["actions"] else 409
            assert reply.status == want, "%s %s: %s" % (m["name"], action,
                                                        reply)


def test_show(t):
    """A model's own page has its file's metadata"""
    for name, config in CONFIGS.items():
        shown = t.call("GET", "/v1/models/" + name).json()
        assert shown["in_service"] is True
        assert shown["config"] == config, shown
        assert shown["metrics"] == {"error": 0.5}, shown
        assert shown["classes"] == (
            ["a", "b", "c"] if "classifier" in config else None), shown
        assert [layer["units"] for layer in shown["layers"]] == [
            layer["units"] for layer in config["layers"]], shown
        assert shown["preprocess"]["scales_rows"] == bool(
            config["preprocess"])


def test_versions(t):
    """Each version can be asked by its number"""
    reply = t.call("GET", "/v1/models/classes/versions").json()
    shipped = {"parent": None, "job": None, "created": None}
    assert reply == {"model": "classes", "versions": [
        {"version": 1, "in_service": False, **shipped},
        {"version": 2, "in_service": False, **shipped},
        {"version": 10, "in_service": True, **shipped}]}, reply
    for version in (1, 2, 10):
        one = t.call("GET", "/v1/models/classes/versions/%d" % version).json()
        assert one["version"] == version, one
        assert one["in_service"] == (version == 10), one
        assert one["lineage"]["seed"] == version or version == 1, one


def test_other_version_answers(t):
    """A version's routes use its weights, and the reply names it"""
    x = np.linspace(0, 1, 24).reshape(2, 12)
    for version, where in ((1, "/versions/1"), (2, "/versions/2"), (10, "")):
        model = Model(models.path_of(FOLDER[0], "classes", version))
        got = t.call("POST", "/v1/models/classes%s/encode" % where,
                     {"inputs": x.tolist()}).json()
        assert got["version"] == version, got
        near.arrays("code", near.dense(got["codes"], 7), model.encode(x), 1e-4)


def test_units(t):
    """A unit shows its atom and its votes"""
    model = Model(models.path_of(FOLDER[0], "classes", 10))
    for unit in range(7):
        got = t.call("GET", "/v1/models/classes/units/%d" % unit).json()
        atom = model.layers[0].D[:, unit]
        near.arrays("atom", got["atom"], atom, 1e-6)
        assert abs(got["norm"] - np.linalg.norm(atom)) < 1e-5
        near.arrays("votes", [v["weight"] for v in got["votes"]],
                    model.C[:, unit], 1e-6)
        assert [v["class"] for v in got["votes"]] == ["a", "b", "c"]
    assert t.call("GET", "/v1/models/classes/units/7").status == 404
    assert t.call("GET", "/v1/models/classes/units/-1").status == 404
    plain = t.call("GET", "/v1/models/plain/units/0").json()
    assert plain["atom"] is None and plain["votes"] is None, plain


def test_units_of_a_stack(t):
    """Units of a lower layer can be asked too"""
    model = Model(models.path_of(FOLDER[0], "stacked", 1))
    got = t.call("GET", "/v1/models/stacked/units/6?layer=0").json()
    near.arrays("atom", got["atom"], model.layers[0].D[:, 6], 1e-6)
    assert got["layer"] == 0 and got["votes"] is None, got
    assert t.call("GET", "/v1/models/stacked/units/6").status == 404


def test_atoms(t):
    """The atoms come as one picture, in any size that is asked"""
    for path in ("/v1/models/classes/atoms.png",
                 "/v1/models/classes/versions/1/atoms.png",
                 "/v1/models/stacked/atoms.png?layer=0"):
        reply = t.call("GET", path)
        assert reply.status == 200, str(reply)
        width, height = digits.png_size(reply.body)
        assert width >= 12 and height >= 6, (width, height)
        small = t.call("GET", path + ("&" if "?" in path else "?") +
                       "max_side=64")
        assert max(digits.png_size(small.body)) <= 64
    assert t.call("GET", "/v1/models/plain/atoms.png").status == 409


def test_orientations(t):
    """Orientations of atoms are drawn in colour, where they are pictures"""
    path = "/v1/models/classes/atoms.png"
    atoms, view = (t.call("GET", path + query) for query in (
        "?view=atoms", "?view=orientation"))
    assert atoms.body == t.call("GET", path).body
    assert view.status == 200 and view.type == "image/png", str(view)
    assert view.body[25] == 2, "not RGB"
    assert digits.png_size(view.body)[1] > digits.png_size(atoms.body)[1]
    assert view.headers["ETag"] != atoms.headers["ETag"]
    small = t.call("GET", path + "?view=orientation&max_side=64")
    assert max(digits.png_size(small.body)) <= 64
    reply = t.call("GET", "/v1/models/vectors/atoms.png?view=orientation")
    assert reply.status == 409 and "no pictures" in reply.json()["detail"]
    assert t.call("GET", "/v1/models/vectors/atoms.png").status == 200
    reply = t.call("GET", path + "?view=colour")
    assert reply.status == 422, str(reply)
    assert all(word in reply.json()["detail"] for word in (
        "view", "atoms", "orientation", "colour")), str(reply)


def test_atoms_are_cached(t):
    """If-None-Match spares the picture until it changes"""
    path = "/v1/models/classes/atoms.png"
    tag = t.call("GET", path).headers["ETag"]
    for match in (tag, '"other", ' + tag, "*"):
        reply = t.call("GET", path, headers={"If-None-Match": match})
        assert reply.status == 304 and reply.headers["ETag"] == tag, str(reply)
    other = t.call("GET", "/v1/models/classes/versions/1/atoms.png",
                   headers={"If-None-Match": tag})
    assert other.status == 200 and other.headers["ETag"] != tag


def test_replies_are_plain_json(t):
    """Numbers are finite and names are as in the file"""
    text = t.call("GET", "/v1/models").body.decode()
    assert json.loads(text), text
    assert "NaN" not in text and "Infinity" not in text
