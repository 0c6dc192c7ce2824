"""Models come, change and go while clients use them."""
import concurrent.futures
import itertools
import json
import os
import shutil
import threading

import numpy as np
from support import learning, models, near, wire
from support.learning import again, begin, recall, until
from support.reference import Model

SIZE = 16
UNITS = 24
CONFIG = models.compose((SIZE,), models.dense(UNITS, steps=4))
JSON = [("Content-Type", "application/json")]


def MODELS(folder):
    models.write(folder, "one", CONFIG, seed=1)
    models.write(folder, "two", CONFIG, seed=2)
    return learning.train(folder)


def own(t, *names):
    """A server whose folder a test may change."""
    folder = t.folder()
    for seed, name in enumerate(names, 1):
        models.write(folder, name, CONFIG, seed=seed)
    server = t.start(folder)
    server.wait_ready()
    return server


def place(server, name, seed, version=1):
    """Another file of that place, renamed into it; its judge."""
    path = models.path_of(server.models, name, version)
    aside = models.path_of(
        models.write(server.folder / "aside" / str(seed), name, CONFIG,
                     version=version, seed=seed), name, version)
    judge = Model(aside)
    path.parent.mkdir(parents=True, exist_ok=True)
    os.replace(aside, path)
    shutil.rmtree(server.folder / "aside")
    return judge


def change(t, server, name, what, want=200, body=None, headers=()):
    reply = t.call("POST", "/v2/repository/models/%s/%s" % (name, what),
                   body, headers=headers, server=server)
    assert reply.status == want, str(reply)
    if want == 200:
        assert reply.body == b"", str(reply)
        return None
    return reply.json()["error"]


def index(t, server, **request):
    """{name: [(version, state, reason)]}"""
    reply = t.call("POST", "/v2/repository/index", request or None,
                   server=server)
    assert reply.status == 200, str(reply)
    found = {}
    for row in reply.json():
        found.setdefault(row["name"], []).append(
            (row.get("version"), row["state"], row["reason"]))
    return found


def rows(count, seed=0):
    x = np.random.default_rng(seed).normal(size=(count, SIZE))
    return np.round(x, 6)


def encode(x):
    return json.dumps({"inputs": x.tolist()}).encode()


def ask(t, server, name, x):
    """(version, codes)"""
    reply = t.call("POST", "/v1/models/%s/encode" % name,
                   {"inputs": x.tolist()}, server=server)
    assert reply.status == 200, str(reply)
    got = reply.json()
    return got["version"], near.dense(got["codes"], UNITS)


def check_gone(t, server, name):
    """The model is known, and nothing of it answers."""
    for path in ("/v1/models/%s/encode", "/v1/models/%s/versions/1/encode"):
        reply = t.call("POST", path % name, {"inputs": rows(1).tolist()},
                       server=server)
        assert reply.status == 404, str(reply)
        assert "is not loaded" in reply.json()["detail"], str(reply)
    for path in ("/v2/models/%s", "/v2/models/%s/stats",
                 "/v2/models/%s/config"):
        assert t.call("GET", path % name, server=server).status == 404
    assert t.call("GET", "/v2/models/%s/ready" % name,
                  server=server).status != 200
    listed = t.call("GET", "/v1/models", server=server).json()["models"]
    assert name not in [one["name"] for one in listed]


# ---- one after the other ----

def test_unload_and_load(t):
    """What is unloaded answers 404, is listed, and comes back"""
    server = own(t, "one", "two")
    assert index(t, server) == {"one": [("1", "READY", "")],
                                "two": [("1", "READY", "")]}
    x = rows(3)
    before = ask(t, server, "one", x)
    for body in (None, {}, {"parameters": {"unload_dependents": True}}):
        change(t, server, "one", "unload", body=body)
        check_gone(t, server, "one")
        assert index(t, server)["one"] == [(None, "UNAVAILABLE", "unloaded")]
        assert "one" not in index(t, server, ready=True)
        assert server.ask("GET", "/readyz").status == 200
        assert ask(t, server, "two", x)[0] == 1
        change(t, server, "one", "load", body=body)
        after = ask(t, server, "one", x)
        assert after[0] == before[0]
        near.arrays("codes", after[1], before[1], 0)
    change(t, server, "two", "unload")
    change(t, server, "one", "unload")
    assert server.ask("GET", "/readyz").status == 200


def test_changed_files(t):
    """A load takes in what is new on disk, and only then"""
    server = own(t, "one")
    x = rows(5)
    old = Model(models.path_of(server.models, "one", 1))
    judge = place(server, "one", 7)
    near.arrays("old", ask(t, server, "one", x)[1], old.encode(x), 1e-4)
    change(t, server, "one", "load")
    near.arrays("new", ask(t, server, "one", x)[1], judge.encode(x), 1e-4)
    judge = place(server, "one", 8, version=3)
    assert ask(t, server, "one", x)[0] == 1
    change(t, server, "one", "load")
    version, codes = ask(t, server, "one", x)
    assert version == 3
    near.arrays("third", codes, judge.encode(x), 1e-4)
    assert [row[0] for row in index(t, server)["one"]] == ["1", "3"]
    judge = place(server, "late", 9)
    assert "late" not in index(t, server)
    change(t, server, "late", "load")
    near.arrays("late", ask(t, server, "late", x)[1], judge.encode(x), 1e-4)


def test_damaged_files(t):
    """A file that is no model changes nothing, and the reply says which"""
    server = own(t, "one")
    x = rows(2)
    before = ask(t, server, "one", x)
    path = models.path_of(server.models, "one", 1)
    good = path.read_bytes()
    bad = [b"", b"x", good[:100], good[:-4], b"\xff" * 64,
           good[:2000] + b"\xff" * 4096 + good[6096:]]
    for number, data in enumerate(bad):
        for version in (1, 2):
            target = models.path_of(server.models, "one", version)
            target.parent.mkdir(exist_ok=True)
            aside = server.folder / "aside"
            aside.write_bytes(data)
            os.replace(aside, target)
            why = change(t, server, "one", "load", 400)
            assert why.startswith("failed to load 'one': "), why
            assert "one/%d/model.safetensors" % version in why, (number, why)
            after = ask(t, server, "one", x)
            assert after[0] == before[0]
            near.arrays("codes", after[1], before[1], 0)
            assert index(t, server)["one"] == [("1", "READY", "")]
            path.write_bytes(good)
        shutil.rmtree(models.path_of(server.models, "one", 2).parent)
    change(t, server, "one", "load")
    fresh = models.path_of(server.models, "fresh", 1)
    fresh.parent.mkdir(parents=True)
    fresh.write_bytes(b"x")
    why = change(t, server, "fresh", "load", 400)
    assert index(t, server)["fresh"] == [(None, "UNAVAILABLE", why)]
    check_gone(t, server, "fresh")
    assert server.ask("GET", "/readyz").status == 200
    fresh.write_bytes(good)
    change(t, server, "fresh", "load")
    assert index(t, server)["fresh"] == [("1", "READY", "")]


def test_damaged_at_start(t):
    """A model that failed at start is repaired, or given up, while it runs"""
    folder = t.folder()
    models.write(folder, "one", CONFIG)
    good = models.path_of(folder, "one", 1).read_bytes()
    for name in ("two", "three"):
        path = models.path_of(folder, name, 1)
        path.parent.mkdir(parents=True)
        path.write_bytes(b"x")
    server = t.start(folder)
    server.wait_ready(503)
    until(lambda: server.ask("GET", "/v1/models").status, lambda s: s == 200)
    assert index(t, server)["two"][0][:2] == ("1", "UNAVAILABLE")
    models.path_of(folder, "two", 1).write_bytes(good)
    change(t, server, "two", "load")
    assert server.ask("GET", "/readyz").status == 503
    change(t, server, "three", "unload")
    assert server.ask("GET", "/readyz").status == 200
    assert index(t, server)["three"] == [(None, "UNAVAILABLE", "unloaded")]


# ---- all at once ----

class Users:
    """Clients that encode all the time; every reply is right, or a clean
    404."""

    def __init__(self, server, judges, count=4):
        self.server, self.judges = server, judges
        self.done = threading.Event()
        self.pool = concurrent.futures.ThreadPoolExecutor(count)
        self.futures = [self.pool.submit(self.use, seed)
                        for seed in range(count)]

    def use(self, seed):
        """(answered, refused)"""
        answered = refused = 0
        with self.server.connect() as connection:
            for turn in itertools.count():
                if self.done.is_set():
                    return answered, refused
                name = sorted(self.judges)[turn % len(self.judges)]
                x = rows(1 + turn % 3, seed * 100000 + turn)
                connection.send(wire.compose(
                    "POST", "/v1/models/%s/encode" % name, encode(x), JSON))
                reply = connection.read()
                if reply.status == 404:
                    assert "is not loaded (unloaded)" in reply.json()[
                        "detail"], str(reply)
                    refused += 1
                    continue
                assert reply.status == 200, str(reply)
                codes = near.dense(reply.json()["codes"], UNITS)
                assert any(np.abs(codes - judge.encode(x)).max() < 1e-4
                           for judge in self.judges[name]), name
                answered += 1

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.done.set()
        self.pool.shutdown()

    def totals(self):
        self.done.set()
        return np.sum([one.result() for one in self.futures], axis=0)


def test_loads_under_use(t):
    """Clients get the right numbers or a clean 404 while models come and go"""
    server = own(t, "one", "two")
    judges = {name: [Model(models.path_of(server.models, name, 1))]
              for name in ("one", "two")}
    for seed in (11, 12):  # known before anybody may see them
        aside = models.write(t.folder(), "one", CONFIG, seed=seed)
        judges["one"].append(Model(models.path_of(aside, "one", 1)))
    with Users(server, judges) as users:
        for turn in range(40):
            change(t, server, "two", "unload")
            place(server, "one", 11 + turn % 2)
            change(t, server, "one", "load")
            change(t, server, "two", "load")
            assert server.ask("GET", "/readyz").status == 200
        answered, refused = users.totals()
    assert answered > 100, answered
    assert refused > 0, refused


def test_loads_at_once(t):
    """Many loads and unloads of one model: each is done, or told to wait"""
    server = own(t, "one")

    def work(number):
        what = "unload" if number % 4 == 3 else "load"
        reply = server.ask("POST", "/v2/repository/models/one/" + what)
        if reply.status == 503:
            assert reply.headers["Retry-After"], str(reply)
            assert "being loaded" in reply.json()["error"], str(reply)
        else:
            assert reply.status == 200, str(reply)

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        list(pool.map(work, range(120)))
    change(t, server, "one", "load")
    assert ask(t, server, "one", rows(1))[0] == 1


# ---- bad input ----

def test_names_that_lead_elsewhere(t):
    """No name reaches a file outside the models folder"""
    server = own(t, "one")
    outside = models.write(server.folder / "outside", "secret", CONFIG)
    assert outside.is_dir()
    names = ["..", "%2e%2e", "..%2foutside%2fsecret", "%2e%2e%2foutside",
             "%2e%2e%2f%2e%2e%2fetc", "..\\outside", "one%2f1", "one%00",
             ".", "%2fetc", "one/../one", ".hidden", "a" * 65, "%ff", ""]
    for name in names:
        for what in ("load", "unload"):
            reply = server.ask("POST", "/v2/repository/models/%s/%s" % (
                name, what))
            assert reply.status == 404, (name, str(reply))
            assert "secret" not in reply.body.decode(), str(reply)
    for name in ("none", "secret", "ONE", "..one"):
        if name.startswith("."):
            continue
        why = change(t, server, name, "load", 404)
        assert why.startswith("failed to load '%s': " % name), why
    assert list(index(t, server)) == ["one"]


def test_links(t):
    """Links that the operator made are followed, at start and later alike"""
    server = own(t, "one")
    outside = models.write(server.folder / "outside", "elsewhere", CONFIG)
    (server.models / "linked").symlink_to(outside / "elsewhere")
    (server.models / "loop").symlink_to("loop")
    (server.models / "dangling").symlink_to("nowhere")
    change(t, server, "linked", "load")
    assert ask(t, server, "linked", rows(1))[0] == 1
    for name in ("loop", "dangling"):
        change(t, server, name, "load", 404 if name == "dangling" else 400)
    other = t.start(server.models)
    other.wait_ready()
    assert sorted(index(t, other)) == ["linked", "one"]


def test_bodies_that_ask_for_more(t):
    """Configs and files in the request are refused, and nothing is loaded"""
    server = own(t, "one")
    for parameters, words in (
            ({"config": "{}"}, "parameters.config"),
            ({"file:1/model.safetensors": "YWJj" * 1000}, "parameters.file:"),
            ({"unload_dependents": "yes"}, "unload_dependents"),
            ([], "parameters")):
        for what in ("load", "unload"):
            why = change(t, server, "one", what, 400,
                         {"parameters": parameters})
            assert words in why, why
    for body in (b"{", b"[]", b"null", b"{}{}", b"\xff"):
        for path in ("index", "models/one/load", "models/one/unload"):
            reply = server.ask("POST", "/v2/repository/" + path, body)
            assert reply.status == 400 and reply.json()["error"], str(reply)
    for ready in (1, "true", None, []):
        reply = t.call("POST", "/v2/repository/index", {"ready": ready},
                       server=server)
        assert reply.status == 400, str(reply)
    assert ask(t, server, "one", rows(1))[0] == 1


# ---- conditions ----

def test_conditions(t):
    """Tags spare replies, and keep two operators out of each other's way"""
    server = own(t, "one")
    for path in ("/v1/models", "/v1/models/one", "/v1/models/one/units/3",
                 "/v1/models/one/versions/1", "/v2/models/one",
                 "/v2/models/one/config", "/openapi.yaml", "/"):
        first = t.call("GET", path, server=server)
        tag = first.headers["ETag"]
        assert tag and not tag.startswith("W/"), path
        for method in ("GET", "HEAD"):
            reply = server.ask(method, path, headers=[("If-None-Match", tag)])
            assert reply.status == 304 and reply.body == b"", str(reply)
            assert reply.headers["ETag"] == tag
        reply = server.ask("GET", path, headers=[("If-None-Match", '"no"')])
        assert reply.status == 200 and reply.body == first.body, str(reply)
    tag = t.call("GET", "/v1/models/one", server=server).headers["ETag"]
    match = {"If-Match": tag}
    place(server, "one", 5, version=2)
    change(t, server, "one", "load", headers=match)
    why = change(t, server, "one", "unload", 412, headers=match)
    assert "If-Match" in why, why
    reply = t.call("POST", "/v1/models/one/versions/1/activate", headers=match,
                   server=server)
    assert reply.status == 412, str(reply)
    match = {"If-Match": t.call("GET", "/v1/models/one",
                                server=server).headers["ETag"]}
    reply = t.call("POST", "/v1/models/one/versions/1/activate", headers=match,
                   server=server)
    assert reply.status == 200, str(reply)


# ---- statistics ----

def test_statistics(t):
    """Each version counts its own rows and runs"""
    server = own(t, "one")
    place(server, "one", 6, version=2)
    change(t, server, "one", "load")
    for count in (1, 3, 3):
        ask(t, server, "one", rows(count))
    t.call("POST", "/v1/models/one/encode", {"inputs": [[1]]}, server=server)
    reply = t.call("GET", "/v2/models/one/stats", server=server)
    first, second = reply.json()["model_stats"]
    assert (first["version"], first["inference_count"]) == ("1", 0)
    assert (second["version"], second["inference_count"],
            second["execution_count"]) == ("2", 7, 3), second
    stats = second["inference_stats"]
    assert stats["success"]["count"] == 3 and stats["success"]["ns"] > 0
    assert stats["fail"]["count"] == 1, stats
    assert {one["batch_size"]: one["compute_infer"]["count"]
            for one in second["batch_stats"]} == {1: 1, 3: 2}
    assert second["last_inference"] > first["last_inference"] == 0


# ---- with learning ----

def test_after_fine_tuning(t):
    """A load brings the tuned version back into service"""
    one = begin(t)
    one.teach("abcde", 40)
    one.learn(promote="always")
    x = learning.rows("e", 20, seed=3)
    before = one.classify(x)
    assert before[0] == 1001
    change(t, one.server, "shapes", "unload")
    for method, path, body in (
            ("POST", "/samples", {"inputs": x[:1].astype(float).tolist()}),
            ("GET", "/samples", None), ("GET", "/versions", None),
            ("POST", "/fine-tunes", {}),
            ("POST", "/versions/1/activate", None)):
        reply = one.call(method, one.path + path, body, want=404)
        assert "is not loaded" in reply.json()["detail"], str(reply)
    change(t, one.server, "shapes", "load")
    assert one.classify(x) == before
    assert sorted(one.versions()) == [1, 1001] and one.in_service() == 1001
    assert one.counts()["total"] == 200
    one.activate(1)
    change(t, one.server, "shapes", "unload")
    change(t, one.server, "shapes", "load")
    assert one.in_service() == 1
    change(t, one.server, "shapes", "unload")
    one = again(t, one)
    assert one.in_service() == 1  # unloading ends with the process


def test_unload_during_a_job(t):
    """A job goes on while its model is out, and serves after the next load"""
    one = begin(t)
    one.teach("abcde", 40)
    job = one.tune(promote="always")["id"]
    one.wait(job, "running", "succeeded")
    change(t, one.server, "shapes", "unload")
    done = one.wait(job)
    assert done["state"] == "succeeded", done
    assert t.call("GET", one.path, server=one.server).status == 404
    change(t, one.server, "shapes", "load")
    assert one.in_service() == 1001
    version, share = recall(one, "e")
    assert version == 1001 and share > 0.5, share
