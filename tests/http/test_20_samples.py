"""Samples: kept in every form, listed, labelled, deleted, never twice."""
import concurrent.futures
import json
import math

import numpy as np
from support import digits, learning, models
from support.learning import JSON, NDJSON, NPY, NPZ, Client
from support.server import Server

SIZE = 64


def MODELS(folder):
    picture = models.dense(12)
    models.write(folder, "shapes", models.compose((8, 8), picture))
    models.write(folder, "signed", models.compose((8, 8), picture, low=-1))
    models.write(folder, "plain", models.compose((4,), picture,
                                                 classifier=None))
    return folder


def fresh(t, model="shapes"):
    """A client of a model without samples."""
    one = Client(t, model=model)
    one.call("DELETE", one.path + "/samples?all=true", want=200)
    return one


def x_of(n, seed=0):
    return np.random.default_rng(seed).uniform(size=(n, SIZE)).round(
        4).astype(np.float32)


def kept(one, reply, n):
    """The samples that an answer says are kept, with their inputs."""
    assert set(reply) == {"model", "accepted", "batch", "ids"}, reply
    assert reply["model"] == one.model and reply["accepted"] == n, reply
    ids = reply["ids"]
    assert len(ids) == n and ids == sorted(set(ids)), ids
    found = one.listing("inputs=true&batch=%d" % reply["batch"])
    assert [s["id"] for s in found] == ids, found
    assert all(s["batch"] == reply["batch"] for s in found), found
    return found


def check(one, reply, x, labels):
    """What was answered is kept, with these inputs and labels."""
    found = kept(one, reply, len(x))
    assert [s["label"] for s in found] == list(labels), found
    got = np.array([s["input"] for s in found], np.float32)
    assert np.abs(got.reshape(x.shape) - x).max() < 1e-6, "other inputs"


def test_none(t):
    """A model without samples counts zeros"""
    assert fresh(t).counts() == {
        "model": "shapes", "total": 0, "stored": 0, "evicted": 0,
        "labels": {}, "unlabelled": 0}


def test_json(t):
    """JSON rows with labels, some null, are kept as they came"""
    one = fresh(t)
    x, labels = x_of(3), ["a", None, "\u00fc\u0308\U0001d11e"]
    check(one, one.keep(x, labels), x, labels)
    assert one.counts() == {
        "model": "shapes", "total": 3, "stored": 3, "evicted": 0,
        "labels": {"a": 1, labels[2]: 1}, "unlabelled": 1}
    check(one, one.keep(x), x, [None] * 3)
    body = json.dumps({"inputs": x.reshape(3, 8, 8).round(4).tolist()})
    reply = one.post(body.encode(), JSON)
    assert reply["accepted"] == 3, reply


def test_same_again(t):
    """Without a key the same post twice is kept twice"""
    one = fresh(t)
    first, second = one.keep(x_of(1), ["a"]), one.keep(x_of(1), ["a"])
    assert first["ids"] != second["ids"] and first["batch"] != second["batch"]
    assert one.counts()["labels"] == {"a": 2}


def test_ndjson(t):
    """NDJSON: a sample a line, the label optional, the last end too"""
    one = fresh(t)
    x = x_of(4)
    lines = [json.dumps({"input": row.round(4).tolist()} | extra)
             for row, extra in zip(x.astype(float), (
                 {"label": "a"}, {}, {"label": None}, {"label": "b"}))]
    for text in ("\n".join(lines), "\r\n".join(lines) + "\r\n"):
        check(one, one.post(text.encode(), NDJSON), x, ["a", None, None, "b"])


def test_npz(t):
    """npz: x alone, y of integers (classes, else numerals), y of names"""
    one = fresh(t)
    x = x_of(4)
    check(one, one.post(learning.npz(x=x), NPZ), x, [None] * 4)
    for kind in ("<i8", "<i4", "u1"):
        y = np.array([0, 2, 1, 7], kind)
        check(one, one.post(learning.npz(x=x, y=y), NPZ), x,
              ["a", "c", "b", "7"])
    y = np.array(["new", "a", "", "longer name"])
    check(one, one.post(learning.npz(x=x.astype("<f8").reshape(4, 8, 8), y=y),
                        NPZ), x, [name or None for name in y])


def test_npz_of_bytes(t):
    """npz and npy of bytes are scaled to the model's range"""
    x = np.random.default_rng(1).integers(0, 256, (3, 8, 8), np.uint8)
    for name, low in (("shapes", 0), ("signed", -1)):
        one = fresh(t, name)
        want = (low + (1 - low) * (x / 255)).astype(np.float32)
        check(one, one.post(learning.npz(x=x, y=np.array([1, 1, 0])), NPZ),
              want, ["b", "b", "a"])
        check(one, one.post(digits.npy(x), NPY), want, [None] * 3)


def test_npy(t):
    """npy rows, all with ?label= or without"""
    one = fresh(t)
    x = x_of(3)
    check(one, one.post(digits.npy(x), NPY), x, [None] * 3)
    check(one, one.post(digits.npy(x), NPY, "?label=two%20words"), x,
          ["two words"] * 3)


def test_pictures(t):
    """One PNG or JPEG, with or without ?label="""
    one = fresh(t)
    x = np.random.default_rng(2).integers(0, 256, (8, 8), np.uint8)
    want = (x / 255).astype(np.float32)[None]
    check(one, one.post(digits.png(x), "image/png", "?label=7"), want, ["7"])
    check(one, one.post(digits.png(x), "image/png"), want, [None])
    # Of another size: resized to the model's.
    large = np.kron(x, np.ones((3, 3), np.uint8))
    found = kept(one, one.post(digits.png(large), "image/png", "?label=%C3%A9"
                               ), 1)
    assert found[0]["label"] == "\u00e9", found
    got = np.array(found[0]["input"]).reshape(1, 8, 8)
    assert np.abs(got - want).max() < 0.02, "badly resized"


def test_no_classifier(t):
    """A model without a classifier takes samples as well"""
    one = fresh(t, "plain")
    check(one, one.keep(np.ones((2, 4)), ["a", None]), np.ones((2, 4)),
          ["a", None])


def test_most_rows(t):
    """1,024 rows are one batch"""
    one = fresh(t)
    x = x_of(1024)
    labels = ["abc"[i % 3] for i in range(1024)]
    check(one, one.post(learning.npz(x=x, y=np.array(labels)), NPZ), x, labels)


def test_listing(t):
    """GET lists by label, batch, page; counts stay those of the model"""
    one = fresh(t)
    first = one.teach("ab", 30)
    second = one.keep(x_of(5))
    assert one.counts()["labels"] == {"a": 30, "b": 30}
    assert "samples" not in one.counts()
    every = one.listing("limit=7")
    assert [s["id"] for s in every] == first["ids"] + second["ids"]
    assert all("input" not in s for s in every)
    assert all(s["created"].endswith("Z") for s in every)
    assert [s["id"] for s in one.listing("label=a&limit=4")
            ] == first["ids"][::2]
    assert [s["id"] for s in one.listing("unlabelled=true")] == second["ids"]
    assert [s["id"] for s in one.listing(
        "batch=%d&label=b" % first["batch"])] == first["ids"][1::2]
    assert one.listing("label=nobody") == []
    page = one.call("GET", one.path + "/samples?after=%d&limit=1" %
                    first["ids"][4]).json()
    assert page["next"] == page["samples"][0]["id"] == first["ids"][5], page
    assert page["total"] == 65, page
    last = one.call("GET", one.path + "/samples?after=%d" %
                    second["ids"][3]).json()
    assert last["next"] is None and len(last["samples"]) == 1, last


def test_held_out(t):
    """One in five of each label is held out, and stays so"""
    one = fresh(t)
    for seed in range(10):
        one.teach("ab", 5, seed)
    every = one.listing("limit=1000")
    for label in "ab":
        held = [s["held_out"] for s in every if s["label"] == label]
        assert sum(held) == math.floor(len(held) / 5), held
    assert one.listing("limit=1000") == every


def test_delete(t):
    """DELETE takes a label, a batch or all, and counts; ids never return"""
    one = fresh(t)
    first, second = one.teach("ab", 10), one.teach("bc", 10)
    one.keep(x_of(2))

    def delete(query, want):
        reply = one.call("DELETE", one.path + "/samples?" + query, want=200)
        assert reply.json() == {"model": "shapes", "deleted": want}, str(reply)

    delete("label=b", 20)
    assert one.counts()["labels"] == {"a": 10, "c": 10}
    delete("label=b", 0)
    delete("batch=%d" % first["batch"], 10)
    assert one.counts()["labels"] == {"c": 10}
    delete("batch=%d&label=a" % second["batch"], 0)
    delete("all=true", 12)
    assert one.counts()["total"] == 0
    again = one.keep(x_of(1))
    assert min(again["ids"]) > max(second["ids"]), again
    assert again["batch"] > second["batch"], again


def test_delete_wants_to_know_what(t):
    """DELETE without label, batch or all=true is 400 and deletes nothing"""
    one = fresh(t)
    one.teach("a", 3)
    for query in ("", "?all=false", "?all=", "?all=1"):
        reply = one.call("DELETE", one.path + "/samples" + query)
        assert reply.status in (400, 422) and (
            query not in ("", "?all=false") or reply.status == 400), (
                "%s: %s" % (query, reply))
    assert one.counts()["total"] == 3


def test_models_apart(t):
    """A model's samples are its own"""
    one, other = fresh(t), fresh(t, "signed")
    ids = one.teach("a", 2)["ids"]
    other.teach("b", 1)
    assert one.counts()["labels"] == {"a": 2}
    assert other.counts()["labels"] == {"b": 1}
    other.call("PUT", "%s/samples/%d/label" % (other.path, ids[0]),
               {"label": "z"}, want=404)
    other.call("DELETE", other.path + "/samples?all=true", want=200)
    assert one.counts()["total"] == 2


def test_label_later(t):
    """PUT sets a label, changes it, takes it away"""
    one = fresh(t)
    ids = one.keep(x_of(3))["ids"]
    path = "%s/samples/%d/label" % (one.path, ids[1])
    for label in ("b", "other", None, "b"):
        reply = one.call("PUT", path, {"label": label}, want=200)
        assert reply.json() == {"model": "shapes", "id": ids[1],
                                "label": label}, str(reply)
        assert one.counts()["labels"] == ({label: 1} if label else {})
        assert one.counts()["unlabelled"] == 3 - bool(label)
    for body in ({}, {"label": 7}, {"label": ""}, {"label": "x" * 201},
                 {"label": ["b"]}, {"label": "b", "more": 1}, ["b"]):
        one.call("PUT", path, body, want=422)
    for number in ("0", "999999999999", "x", "-1", "9" * 30):
        one.call("PUT", "%s/samples/%s/label" % (one.path, number),
                 {"label": "b"}, want=404)
    assert [s["label"] for s in one.listing("")] == [None, "b", None]


def test_keep(t):
    """infer with keep answers with ids of what it kept; without, it does not"""
    one = fresh(t)
    x = x_of(2)
    value = {"inputs": x.astype(float).round(4).tolist(),
             "outputs": ["classes"]}
    plain = one.call("POST", one.path + "/infer", value, want=200).json()
    no = one.call("POST", one.path + "/infer", value | {"keep": False},
                  want=200).json()
    assert "ids" not in plain and no == plain
    assert one.counts()["total"] == 0
    reply = one.call("POST", one.path + "/infer", value | {"keep": True},
                     want=200).json()
    ids = reply.pop("ids")
    assert reply == plain, "another answer with keep"
    found = one.listing("inputs=true")
    assert [s["id"] for s in found] == ids and len(ids) == 2, found
    assert np.abs(np.array([s["input"] for s in found]).reshape(2, SIZE)
                  - x).max() < 1e-6
    one.call("PUT", "%s/samples/%d/label" % (one.path, ids[0]),
             {"label": "a"}, want=200)
    assert one.counts()["labels"] == {"a": 1}
    reply = one.call("POST", one.path + "/infer?keep=true", body=digits.png(
        np.zeros((8, 8))), headers={"Content-Type": "image/png"}, want=200)
    assert len(reply.json()["ids"]) == 1, str(reply)


def test_keep_is_of_infer(t):
    """Other routes refuse keep; what infer refuses is not kept"""
    one = fresh(t)
    value = {"inputs": x_of(1).astype(float).tolist(), "keep": True}
    for action in ("encode", "classify", "reconstruct", "pool"):
        one.call("POST", "%s/%s" % (one.path, action), value, want=422)
    one.call("POST", one.path + "/infer", value | {"keep": "yes"}, want=422)
    one.call("POST", one.path + "/infer", value | {"outputs": ["fly"]},
             want=422)
    one.call("POST", one.path + "/infer", value | {"inputs": [[1]]}, want=422)
    assert one.counts()["total"] == 0


def test_key(t):
    """A key sent again gets the first answer, and nothing is kept twice"""
    one = fresh(t)
    x = x_of(3)
    first = one.keep(x, ["a"] * 3, key='"k-1"')
    for key in ('"k-1"', "k-1"):
        assert one.keep(x, ["a"] * 3, key=key) == first
    assert one.counts()["total"] == 3
    refused = one.keep(x, ["b"] * 3, want=422, key="k-1")
    assert "Idempotency-Key" in refused["detail"], refused
    one.keep(x, ["b"] * 3, key="k-2")
    other = fresh(t, "signed")
    other.keep(x, ["b"] * 3, key="k-1")  # keys are of a path
    assert one.counts()["labels"] == {"a": 3, "b": 3}


def test_refused_key(t):
    """A key whose request was refused is still free"""
    one = fresh(t)
    one.keep(np.ones((1, 3)), want=422, key="bad-first")
    assert one.keep(x_of(1), key="bad-first")["accepted"] == 1
    for key in ("x" * 256, '""'):
        reply = one.call("POST", one.path + "/samples", {"inputs": [[0] * 64]},
                         headers={"Idempotency-Key": key})
        assert reply.status in (400, 422), "%s: %s" % (key, reply)
    assert one.counts()["total"] == 1


def test_key_at_once(t):
    """Sixteen clients with one key keep one batch"""
    one = fresh(t)
    x = x_of(2)
    with concurrent.futures.ThreadPoolExecutor(16) as pool:
        replies = list(pool.map(lambda _: one.keep(x, key="together"),
                                range(16)))
    assert all(reply == replies[0] for reply in replies), replies
    assert one.counts()["total"] == 2


def test_many_posts(t):
    """Many clients' small posts at once are all kept, each its own"""
    one = fresh(t)

    def post(seed):
        x = x_of(1 + seed % 3, seed)
        return one.keep(x, ["a%d" % (seed % 20)] * len(x)), x

    with concurrent.futures.ThreadPoolExecutor(32) as pool:
        done = list(pool.map(post, range(160)))
    ids = [i for reply, _ in done for i in reply["ids"]]
    assert len(set(ids)) == len(ids)
    found = {s["id"]: s for s in one.listing("limit=1000&inputs=true")}
    assert set(found) == set(ids)
    for seed, (reply, x) in enumerate(done):
        for number, row in zip(reply["ids"], x):
            assert found[number]["label"] == "a%d" % (seed % 20)
            got = np.array(found[number]["input"]).reshape(-1)
            assert np.abs(got - row).max() < 1e-6, seed


def test_restart(t):
    """All of it is there after a restart, and after a kill: keys, ids, counts
    """
    own = t.start(MODELS(t.folder()))
    own.wait_ready()
    one = Client(t, own)
    x = x_of(4)
    first = one.keep(x, ["a", None, "b", "b"], key="across")
    one.call("PUT", "%s/samples/%d/label" % (one.path, first["ids"][0]),
             {"label": "late"}, want=200)
    for end in (Server.stop, Server.kill):
        before = one.counts(), one.listing("inputs=true")
        end(own)
        own = t.start(own.models, folder=own.folder)
        own.wait_ready()
        one = Client(t, own)
        assert (one.counts(), one.listing("inputs=true")) == before
        assert one.keep(x, ["a", None, "b", "b"], key="across") == first
        one.keep(x_of(1), ["c"], want=422, key="across")
        assert one.counts() == before[0]
        assert min(one.keep(x_of(1))["ids"]) > max(
            s["id"] for s in before[1])


def test_most_samples(t):
    """Over --max-samples the label with the most gives up, all are counted"""
    own = t.start(MODELS(t.folder()), ["--max-samples", "50"])
    own.wait_ready()
    one = Client(t, own)
    ids = one.teach("b", 5)["ids"]
    for seed in range(4):
        one.teach("a", 30, seed)
    counts = one.counts()
    assert counts["labels"] == {"a": 45, "b": 5}, counts
    assert (counts["total"], counts["stored"], counts["evicted"]) == (
        125, 50, 75), counts
    assert [s["id"] for s in one.listing("label=b")] == ids
    # A fair draw of all that came, neither the first nor the last alone.
    batches = {s["batch"] for s in one.listing("label=a&limit=1000")}
    assert len(batches) == 4, batches
    one.call("DELETE", one.path + "/samples?label=a", want=200)
    counts = one.counts()
    assert (counts["total"], counts["stored"], counts["evicted"]) == (
        5, 5, 0), counts
    one.keep(x_of(60), ["a"] * 60)
    assert one.counts()["stored"] == 50
