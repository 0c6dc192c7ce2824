"""Bad samples and bad jobs: a clear error each, and nothing is changed."""
import io
import json
import zipfile

import numpy as np
from support import digits, learning, models
from support.learning import JSON, NDJSON, NPY, NPZ, Client

SIZE = 64
ROW = [0.5] * SIZE


def MODELS(folder):
    models.write(folder, "shapes", models.compose((8, 8), models.dense(12)))
    models.write(folder, "wide", models.compose((100,), models.dense(12)))
    return models.write(folder, "vector", models.compose(
        (SIZE,), models.dense(12)))


def refuse(t, body, kind, want, words=(), query="", model="shapes"):
    """The post is refused with this status and these words, and leaves no
    trace."""
    one = Client(t, model=model)
    before = one.counts()
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    reply = one.call("POST", one.path + "/samples" + query, body=body,
                     headers={"Content-Type": kind})
    where = "%s %r" % (kind, body[:80])
    assert reply.status == want, "%s: %s, want %d" % (where, reply, want)
    detail = reply.json()["detail"]
    for word in words:
        assert word in detail, "%s: no %r in %r" % (where, word, detail)
    assert one.counts() == before, where
    return detail


def test_labels_of_the_wrong_type(t):
    """Labels that are no texts of 1 to 200 bytes are 422 and named"""
    for bad in (7, 7.5, True, ["7"], {"7": 1}, "", "x" * 201,
                "\u00fc" * 101):
        refuse(t, {"inputs": [ROW] * 3, "labels": ["a", bad, "a"]}, JSON, 422,
               ["labels[1]"])
    for bad in ("7", 7, {}, True):
        refuse(t, {"inputs": [ROW], "labels": bad}, JSON, 422, ["labels"])
    kept = Client(t).keep(np.ones((2, SIZE)), ["x" * 200, "\u00fc" * 100])
    assert kept["accepted"] == 2


def test_as_many_labels_as_rows(t):
    """More or fewer labels than rows are 422 with both counts"""
    for n in (0, 1, 3):
        refuse(t, {"inputs": [ROW] * 2, "labels": ["a"] * n}, JSON, 422,
               ["labels", "2", str(n)])
    refuse(t, learning.npz(x=np.ones((2, SIZE)), y=np.arange(3)), NPZ, 422,
           ["2", "3"])
    refuse(t, learning.npz(x=np.ones((2, SIZE)), y=np.zeros((2, 1), int)), NPZ,
           422, ["y"])


def test_mixed_shapes(t):
    """A batch with a row of another size is 422, and no row of it is kept"""
    short = ROW[:-1]
    refuse(t, {"inputs": [ROW, ROW, short]}, JSON, 422, ["inputs[2]"])
    lines = b"\n".join(json.dumps({"input": row}).encode()
                       for row in (ROW, short, ROW))
    refuse(t, lines, NDJSON, 422, ["line 2"])
    refuse(t, {"inputs": [ROW, [ROW]]}, JSON, 422)


def test_wrong_sizes(t):
    """Rows of another size than the model's are 422 with both sizes"""
    refuse(t, {"inputs": [ROW[:-1]]}, JSON, 422, ["63", "64"])
    refuse(t, {"inputs": [[0] * 65]}, JSON, 422, ["65", "64"])
    refuse(t, {"inputs": []}, JSON, 422)
    refuse(t, learning.npz(x=np.ones((2, 63))), NPZ, 422, ["63"])
    refuse(t, learning.npz(x=np.ones((2, 4, 16))), NPZ, 422)
    refuse(t, learning.npz(x=np.ones((0, SIZE))), NPZ, 422)
    refuse(t, digits.npy(np.ones((2, 65))), NPY, 422, ["65"])
    refuse(t, digits.png(np.zeros((8, 8))), "image/png", 422, model="vector")
    refuse(t, json.dumps({"input": ROW[:-1]}).encode(), NDJSON, 422,
           ["line 1"])


def test_too_many_rows(t):
    """1,025 rows are 413 in every form, with the limit"""
    x = np.zeros((1025, SIZE), np.float32)
    for body, kind in (
            ({"inputs": x.astype(int).tolist()}, JSON),
            (learning.npz(x=x), NPZ), (digits.npy(x), NPY),
            (b"\n".join([json.dumps({"input": [0] * SIZE}).encode()] * 1025),
             NDJSON)):
        refuse(t, body, kind, 413, ["1024"])


def test_not_finite(t):
    """Numbers that are not finite are refused"""
    x = np.ones((2, SIZE), np.float32)
    for bad in (np.nan, np.inf, -np.inf):
        x[1, 5] = bad
        for body, kind in ((learning.npz(x=x), NPZ), (digits.npy(x), NPY)):
            refuse(t, body, kind, 422, ["finite"])
    for text in (b"NaN", b"Infinity", b"1e999"):
        refuse(t, b'{"inputs": [[%s%s]]}' % (text, b", 0" * 63), JSON, 400)


def test_bad_json(t):
    """Text that is no JSON is 400, unknown members and types are 422"""
    for text in (b"", b"{", b'{"inputs": [[1]]} x', b"\xff", b"[" * 100,
                 b'{"inputs": [[1,]]}'):
        refuse(t, text, JSON, 400)
    for value in ([], 7, {}, {"labels": ["a"]}, {"inputs": 7},
                  {"inputs": [ROW], "label": "a"}, {"inputs": [["a"] * 64]},
                  {"inputs": [[None] * 64]},
                  {"inputs": [ROW], "keep": True}):
        refuse(t, value, JSON, 422)
    refuse(t, b'{"inputs": [%s], "labels": ["\xff"]}' % json.dumps(
        ROW).encode(), JSON, 400)


def test_bad_ndjson(t):
    """A bad line is named, and the lines before it are not kept"""
    good = json.dumps({"input": ROW, "label": "a"}).encode()
    for bad, want in ((b"{", 400), (b"7", 422), (b"[]", 422), (b"{}", 422),
                      (b'{"input": 7}', 422), (good + good, 400),
                      (good[:-1] + b', "more": 1}', 422),
                      (good.replace(b'"a"', b"7"), 422),
                      (good.replace(b'"a"', b'""'), 422)):
        refuse(t, b"\n".join([good, good, bad, good]), NDJSON, want,
               ["line 3"])
    refuse(t, b"", NDJSON, 422)


def zipped(**members):
    out = io.BytesIO()
    with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED) as file:
        for name, data in members.items():
            file.writestr(name.replace("_", "."), data)
    return out.getvalue()


def test_bad_npz(t):
    """Archives that are damaged, or lack x, or hold what cannot be are refused
    """
    x = np.ones((3, SIZE), np.float32)
    good = learning.npz(x=x, y=np.arange(3))
    for body in (b"", b"PK\3\4", good[:-30], good[:len(good) // 2],
                 digits.npy(x), b"\0" * 1000, zipped(x_npy=b"no npy"),
                 zipped(x_npy=digits.npy(x)[:100])):
        refuse(t, body, NPZ, 400)
    for body in (zipped(), learning.npz(z=x), learning.npz(y=np.arange(3))):
        one = Client(t)
        reply = one.call("POST", one.path + "/samples", body=body,
                         headers={"Content-Type": NPZ})
        assert reply.status in (400, 422) and "x" in reply.json()["detail"]
    refuse(t, learning.npz(x=x, y=np.array([0.5, 1, 2])), NPZ, 422, ["y"])
    refuse(t, learning.npz(x=x, y=np.array(["a", "x" * 201, "b"])), NPZ, 422)
    # Says that it is far larger than what it holds.
    bomb = zipped(x_npy=digits.npy(np.zeros((1024, SIZE * 1024), np.float32)))
    reply = Client(t).call("POST", "/v1/models/shapes/samples", body=bomb,
                           headers={"Content-Type": NPZ})
    assert reply.status in (400, 413, 422), str(reply)


def test_bad_npy_and_pictures(t):
    """npy and pictures that are none are 400"""
    good = digits.npy(np.ones((3, SIZE), np.float32))
    for body in (b"", b"\x93NUMPY", good[:-1], good[:20]):
        refuse(t, body, NPY, 400)
    picture = digits.png(np.zeros((8, 8)))
    for body in (b"", picture[:-20], b"\x89PNG\r\n\x1a\n" + b"\0" * 50):
        refuse(t, body, "image/png", 400)
    refuse(t, digits.png(np.zeros((1, 1)), 100000, 100000), "image/png", 413)


def test_query(t):
    """Bad values and unknown names in a query are refused"""
    row = digits.npy(np.ones((1, SIZE)))
    for query in ("?label=", "?label=" + "x" * 201, "?labels=a", "?keep=true"):
        refuse(t, row, NPY, 422, query=query)
    refuse(t, row, NPY, 400, query="?label=%zz")
    one = Client(t)
    for query in ("limit=0", "limit=1001", "limit=x", "after=-1", "after=x",
                  "batch=x", "unlabelled=perhaps", "more=1", "inputs=2"):
        reply = one.call("GET", one.path + "/samples?" + query)
        assert reply.status in (400, 422), "%s: %s" % (query, reply)
        assert query.split("=")[0] in reply.json()["detail"], str(reply)


def test_types(t):
    """Other types, and none, are 415 with those that are taken"""
    for headers in ({}, {"Content-Type": "text/csv"}):
        reply = t.call("POST", "/v1/models/shapes/samples", body=b"1,2",
                       headers=headers)
        assert reply.status == 415, str(reply)
        assert NDJSON in reply.json()["detail"], str(reply)


def test_unknown_model(t):
    """An unknown model is 404 on every route"""
    one = Client(t, model="nobody")
    one.call("POST", one.path + "/samples", {"inputs": [ROW]}, want=404)
    one.call("GET", one.path + "/samples", want=404)
    one.call("DELETE", one.path + "/samples?all=true", want=404)
    one.call("PUT", one.path + "/samples/1/label", {"label": "a"}, want=404)
    one.call("POST", one.path + "/fine-tunes", {}, want=404)
    one.activate(1, want=404)


def test_too_many_classes(t):
    """300 and 1,000 new labels at once are over --max-labels: none is kept"""
    for n in (300, 1000):
        labels = ["label %d" % i for i in range(n)]
        refuse(t, {"inputs": [[0] * SIZE] * n, "labels": labels}, JSON, 422,
               ["256", "--max-labels"])
    own = t.start(t.server.models, ["--max-labels", "3"])
    own.wait_ready()
    one = Client(t, own)
    ids = one.keep(np.ones((3, SIZE)), ["a", "b", "c"])["ids"]
    one.keep(np.ones((1, SIZE)), ["d"], want=422)
    one.keep(np.ones((2, SIZE)), ["a", None])
    path = "%s/samples/%d/label" % (one.path, ids[0])
    one.call("PUT", path, {"label": "d"})  # in the place of "a", or not
    one.call("DELETE", one.path + "/samples?label=b", want=200)
    one.keep(np.ones((1, SIZE)), ["d"])
    assert len(one.counts()["labels"]) <= 3


def test_no_samples(t):
    """A fine-tune of a model without samples is 422 with counts"""
    one = Client(t, model="wide")
    detail = one.tune(want=422)["detail"]
    assert "0" in detail and "sample" in detail, detail
    assert [j for j in one.jobs() if j["model"] == "wide"] == []


def test_options(t):
    """Options out of range, of other types, or unknown are 422 and named"""
    one = Client(t)
    one.keep(np.ones((1, SIZE)), ["a"])
    before = one.jobs()
    for name, values in (
            ("epochs", (0, -1, 1001, 1.5, "3", None)),
            ("learning_rate", (0, -1, 1e7, "fast", None, True)),
            ("promote", ("", "maybe", 1, True)),
            ("seed", (-1, 1.5, "x")), ("steps", (1,))):
        for value in values:
            detail = one.tune(want=422, **{name: value})["detail"]
            assert name in detail, detail
    one.call("POST", one.path + "/fine-tunes", body=b"{", want=400,
             headers={"Content-Type": JSON})
    one.call("POST", one.path + "/fine-tunes", json=[], want=422)
    assert one.jobs() == before


def test_unknown_jobs(t):
    """Unknown jobs are 404, and so are numbers that are none"""
    for number in ("0", "999999", "x", "-1", "1.5", "9" * 30, "01"):
        path = "/v1/fine-tunes/" + number
        for method, target in (("GET", path), ("GET", path + "/events"),
                               ("POST", path + "/cancel")):
            reply = t.call(method, target)
            assert reply.status == 404, "%s: %s" % (target, reply)
    for query in ("limit=0", "limit=x", "before=x", "more=1"):
        reply = t.call("GET", "/v1/fine-tunes?" + query)
        assert reply.status in (400, 422), "%s: %s" % (query, reply)
    assert t.call("GET", "/v1/fine-tunes?model=nobody").status in (200, 404)


def test_unknown_versions(t):
    """Unknown versions are not put into service"""
    one = Client(t)
    for version in ("2", "1001", "0", "x", "1x", "9" * 30):
        reply = one.call("POST", "%s/versions/%s/activate" % (
            one.path, version))
        assert reply.status == 404, "%s: %s" % (version, reply)
    assert one.in_service() == 1
