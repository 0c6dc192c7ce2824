"""A store that cannot be used: serving goes on, learning says why not."""
import concurrent.futures
import contextlib
import json
import os
import resource
import sqlite3

import numpy as np
from support import disks, learning, models
from support.learning import JSON, NPZ, Client
from support.server import Server, run

SIZE = 64
X = np.full((1, SIZE), 0.5)
MIB = 1 << 20


def make_models(t):
    return models.write(t.folder(), "shapes", models.compose(
        (8, 8), models.dense(12)))


def store_of(folder):
    path = folder / "data"
    path.mkdir(exist_ok=True)
    return path / "store.sqlite"


def begin(t, shipped, folder):
    """A server on that folder's data, ready."""
    own = t.start(shipped, folder=folder)
    own.wait_ready()
    return Client(t, own)


def filled(t, shipped):
    """A folder whose store has samples, and what they count; its server has
    ended."""
    folder = t.folder()
    one = begin(t, shipped, folder)
    one.teach("ab", 20)
    counts = one.counts()
    one.server.stop()
    return folder, counts


def assert_serves_only(one):
    """Inference goes on; the learning routes say 503 and why, and so does
    readyz. Gives the reason."""
    ready = one.call("GET", "/readyz", want=200).json()
    assert ready["status"] == "degraded", ready
    reason = " ".join(map(str, ready["reasons"]))
    assert "store" in reason or "--data-dir" in reason, ready
    assert one.classify(X)[0] == 1
    value = {"inputs": X.tolist()}
    for method, target, body in (
            ("POST", one.path + "/samples", value),
            ("GET", one.path + "/samples", None),
            ("DELETE", one.path + "/samples?all=true", None),
            ("PUT", one.path + "/samples/1/label", {"label": "a"}),
            ("POST", one.path + "/fine-tunes", {}),
            ("POST", one.path + "/versions/1/activate", None),
            ("POST", one.path + "/infer", value | {"keep": True}),
            ("GET", "/v1/fine-tunes", None), ("GET", "/v1/fine-tunes/1", None),
            ("GET", "/v1/fine-tunes/1/events", None),
            ("POST", "/v1/fine-tunes/1/cancel", None)):
        detail = one.call(method, target, body, want=503).json()["detail"]
        assert reason.removeprefix("learning: ") in detail, (
            "%s %s: %s" % (method, target, detail))
    one.call("POST", one.path + "/infer", value, want=200)
    one.call("GET", one.path, want=200)
    return reason


def test_corrupt(t):
    """Damaged store files: serving goes on, and they are left as they were"""
    shipped = make_models(t)
    folder, _ = filled(t, shipped)
    good = store_of(folder).read_bytes()
    for bad in (b"no database, but some text" * 1000, good[:100],
                b"\0" * len(good), os.urandom(8192),
                good[:16] + b"\xff" * 84 + good[100:]):
        for left in folder.glob("data/store.sqlite-*"):
            left.unlink()
        store_of(folder).write_bytes(bad)
        own = t.start(shipped, folder=folder)
        own.wait_ready()
        assert_serves_only(Client(t, own))
        own.stop()
        assert store_of(folder).read_bytes() == bad, bad[:30]


def test_damaged_within(t):
    """Pages damaged behind a good beginning never stop the server"""
    shipped = make_models(t)
    folder, _ = filled(t, shipped)
    good = store_of(folder).read_bytes()
    for at in range(4096, len(good), 4096):
        for left in folder.glob("data/store.sqlite-*"):
            left.unlink()
        store_of(folder).write_bytes(
            good[:at] + b"\xa5" * 4096 + good[at + 4096:])
        one = begin(t, shipped, folder)
        assert one.classify(X)[0] == 1
        for method, target, body in (
                ("GET", one.path + "/samples?inputs=true", None),
                ("POST", one.path + "/samples", {"inputs": X.tolist()}),
                ("DELETE", one.path + "/samples?all=true", None)):
            reply = one.call(method, target, body)
            assert reply.status in (200, 201, 500, 503), str(reply)
        assert one.server.is_running()
        one.server.stop()


def test_folder_in_its_place(t):
    """A folder where the store should be: serving goes on"""
    folder = t.folder()
    store_of(folder).mkdir()
    assert_serves_only(begin(t, make_models(t), folder))


def contents(path):
    """What a database says, whatever its bytes are."""
    with contextlib.closing(sqlite3.connect(path)) as db:
        return [db.execute("PRAGMA user_version").fetchone(),
                *db.iterdump()]


def test_newer_database(t):
    """A store of a newer program is left as it is, and that is said"""
    shipped = make_models(t)
    folder, _ = filled(t, shipped)
    with contextlib.closing(sqlite3.connect(store_of(folder))) as db:
        version, = db.execute("PRAGMA user_version").fetchone()
        assert version > 0, "no version in the file"
        db.execute("PRAGMA user_version=%d" % (version + 1))
    before = contents(store_of(folder))
    one = begin(t, shipped, folder)
    reason = assert_serves_only(one)
    assert str(version + 1) in reason, reason
    one.server.stop()
    assert contents(store_of(folder)) == before


def test_another_database(t):
    """A database of another program is not touched"""
    folder = t.folder()
    with contextlib.closing(sqlite3.connect(store_of(folder))) as db:
        db.execute("CREATE TABLE samples (mine TEXT)")
        db.commit()
    before = store_of(folder).read_bytes()
    one = begin(t, make_models(t), folder)
    assert_serves_only(one)
    one.server.stop()
    assert store_of(folder).read_bytes() == before


def test_data_folder_that_cannot_be(t):
    """A file where the data folder should be: serving goes on"""
    folder = t.folder()
    (folder / "data").write_text("no folder")
    assert_serves_only(begin(t, make_models(t), folder))


def test_second_daemon(t):
    """A second daemon on one data folder serves, and does not learn"""
    shipped, folder = make_models(t), t.folder()
    first = begin(t, shipped, folder)
    first.teach("a", 3)
    second = Server(t.folder(), shipped, ["--data-dir", str(folder / "data")])
    t.own.append(second)
    second.wait_ready()
    other = Client(t, second)
    assert other.call("GET", "/readyz").json()["status"] == "degraded"
    assert other.classify(X)[0] == 1
    other.call("POST", other.path + "/fine-tunes", {}, want=503)
    other.keep(X, want=503)
    first.teach("a", 3)
    assert first.counts()["total"] == 6


def test_bad_urls(t):
    """A --store that is no store's address stops the start"""
    shipped = make_models(t)
    for url in ("nothing", "mysql:x", "sqlite:", "/tmp/x"):
        done = run("serve", "--listen", "127.0.0.1:0", "--store", url,
                   "--models", shipped, "--data-dir", t.folder(), seconds=60)
        assert done.returncode == 2, "%s: %d" % (url, done.returncode)
        assert "sqlite:PATH" in done.stderr, done.stderr


def test_elsewhere(t):
    """--store sqlite:PATH keeps the samples there"""
    shipped, folder = make_models(t), t.folder()
    path = folder / "other.sqlite"
    own = t.start(shipped, ["--store", "sqlite:%s" % path])
    own.wait_ready()
    one = Client(t, own)
    one.teach("a", 2)
    own.stop()
    assert path.exists() and not store_of(own.folder).exists()
    again = t.start(shipped, ["--store", "sqlite:%s" % path])
    again.wait_ready()
    assert Client(t, again).counts()["total"] == 2


def test_read_only(t):
    """A store that is only for reading: serving goes on"""
    if not disks.possible():
        print("      (not shown: mounts are not allowed here)")
        return
    shipped = make_models(t)
    folder, counts = filled(t, shipped)
    with disks.read_only(folder / "data"):
        one = begin(t, shipped, folder)
        assert_serves_only(one)
        one.server.stop()
    one = begin(t, shipped, folder)
    assert one.counts() == counts
    one.teach("a", 1)


def post_until_full(one, most):
    """Posts of 64 rows until one is refused; gives the ids of those that were
    not."""
    ids = []
    for seed in range(most):
        x = np.random.default_rng(seed).uniform(size=(64, SIZE))
        body = learning.npz(x=x.astype(np.float32),
                            y=np.array(["a", "b"] * 32))
        reply = one.call("POST", one.path + "/samples", body=body,
                         headers={"Content-Type": NPZ})
        if reply.status != 201:
            assert reply.status == 507, str(reply)
            assert "space" in reply.json()["detail"], str(reply)
            return ids
        ids += reply.json()["ids"]
    raise AssertionError("%d posts, and the disk is not full" % most)


def assert_whole(one, ids):
    """All that was acknowledged is there, and nothing else."""
    assert [s["id"] for s in one.listing("limit=1000")] == ids
    assert one.counts()["total"] == len(ids)


def test_disk_full(t):
    """A full disk: 507, nothing half-written, and it goes on with new room"""
    if not disks.possible():
        print("      (not shown: mounts are not allowed here)")
        return
    shipped, folder = make_models(t), t.folder()
    data = folder / "data"
    data.mkdir()
    with disks.small(data, 24 * MIB):
        filler = data / "filler"
        filler.write_bytes(bytes(12 * MIB))
        one = begin(t, shipped, folder)
        ids = post_until_full(one, 1000)
        assert len(ids) > 64, "was full at once"
        assert_whole(one, ids)
        assert one.call("GET", "/readyz", want=200).json()[
            "status"] == "degraded"
        assert one.classify(X)[0] == 1
        with concurrent.futures.ThreadPoolExecutor(8) as pool:
            for reply in pool.map(lambda _: one.call(
                    "POST", one.path + "/samples",
                    body=learning.npz(x=np.ones((512, SIZE))),
                    headers={"Content-Type": NPZ}), range(8)):
                assert reply.status == 507, str(reply)
        assert_whole(one, ids)
        one.server.kill()
        one = begin(t, shipped, folder)
        assert_whole(one, ids)
        filler.unlink()
        ids += one.teach("a", 5)["ids"]
        assert_whole(one, ids)
        assert one.call("GET", "/readyz").json()["status"] == "ready"
        one.server.stop()


def test_file_that_may_not_grow(t):
    """Under a limit on file sizes: 507, and nothing half-written"""
    shipped, folder = make_models(t), t.folder()
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (4 * MIB, hard))
    try:
        one = begin(t, shipped, folder)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    ids = post_until_full(one, 1000)
    assert_whole(one, ids)
    assert one.classify(X)[0] == 1
    one.server.kill()
    one = begin(t, shipped, folder)
    assert_whole(one, ids)


def test_corrupt_key_store_is_named(t):
    """The reason names the file, so that an operator can move it away"""
    shipped, folder = make_models(t), t.folder()
    store_of(folder).write_bytes(b"x" * 5000)
    one = begin(t, shipped, folder)
    assert "store.sqlite" in assert_serves_only(one)
    reply = one.call("POST", one.path + "/samples",
                     body=json.dumps({"inputs": X.tolist()}).encode(),
                     headers={"Content-Type": JSON}, want=503)
    assert "store.sqlite" in reply.json()["detail"], str(reply)
