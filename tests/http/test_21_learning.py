"""Learning while serving: post, train, follow, swap, go back."""
import concurrent.futures
import json
import threading
import time

import numpy as np
from support import contract, learning, near, wire
from support.learning import (LONG, OLD, Client, again, begin, file_of,
                              metadata, recall, until)
from support.reference import Model
from support.server import SANITIZED


def MODELS(folder):
    return learning.train(folder)


class Asker(threading.Thread):
    """A client that classifies all the time, and remembers every answer."""

    def __init__(self, one):
        super().__init__()
        self.address, self.path = one.server.address, one.path
        self.x, _ = learning.mixed(OLD, 2, seed=7)
        self.done, self.answers, self.error = threading.Event(), [], None

    def run(self):
        body = json.dumps({"inputs": self.x.astype(float).tolist()}).encode()
        request = wire.compose("POST", self.path + "/classify", body,
                               [("Content-Type", learning.JSON)])
        try:
            with wire.Connection(self.address) as connection:
                while not self.done.is_set():
                    began = time.monotonic()
                    connection.send(request)
                    reply = connection.read()
                    self.answers.append((began, time.monotonic(), reply))
                    time.sleep(0.001)  # for the job's sake
        except Exception as error:  # told to the test's own thread
            self.error = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.done.set()
        self.join()

    def versions(self):
        """[(asked, answered, version, probabilities)]; all were answered."""
        assert self.error is None, self.error
        for _, _, reply in self.answers:
            assert reply.status == 200, str(reply)
        told = [(began, ended, reply.json())
                for began, ended, reply in self.answers]
        return [(began, ended, value["version"],
                 [p["probability"] for p in value["predictions"]])
                for began, ended, value in told]


def test_new_class(t):
    """Posted rows of a new class make a version that knows it, and serves"""
    one = begin(t)
    before = one.info()
    assert recall(one, "e") == (1, 0)
    one.teach("e", 60)
    one.teach(OLD, 15)
    job = one.tune()
    assert job["state"] in ("queued", "running"), job
    assert (job["model"], job["trigger"], job["promoted"]) == (
        "shapes", "request", False), job
    job = one.wait(job["id"])
    assert (job["state"], job["promoted"], job["parent"], job["version"]) == (
        "succeeded", True, 1, 1001), job
    assert job["after"]["error"] < job["before"]["error"], job
    assert job["before"]["labels"]["e"]["error"] == 1, job
    assert job["created"] <= job["started"] <= job["ended"], job
    assert job["progress"] is None, job
    version, share = recall(one, "e")
    assert version == 1001 and share >= 0.95, share
    for label in OLD:
        assert recall(one, label)[1] >= 0.95, label
    after = one.info()
    assert after["classes"] == before["classes"] + ["e"], after["classes"]
    told = one.versions()
    assert told[1001] == told[1001] | {
        "in_service": True, "parent": 1, "job": job["id"]}, told
    assert told[1] == told[1] | {"in_service": False, "parent": None,
                                 "job": None, "created": None}, told


def test_the_file(t):
    """A tuned version's file is whole, says where it comes from, and is what
    answers"""
    one = begin(t)
    one.teach("e", 40)
    job = one.learn(promote="always", seed=5)
    path = file_of(one, job["version"])
    meta = metadata(path)
    assert json.loads(meta["classes"]) == [*OLD, "e"], meta["classes"]
    lineage = json.loads(meta["lineage"])
    assert lineage["parent"] == 1 and lineage["seed"] == 5, lineage
    assert [p.name for p in path.parent.iterdir()] == [path.name]
    assert list((one.server.folder / "data" / "jobs").glob("*")) == []
    x = learning.rows("e", 8, 3)
    reply = one.call("POST", one.path + "/classify", {
        "inputs": x.astype(float).tolist(), "top": 5}).json()
    assert reply["version"] == 1001
    got = np.zeros((8, 5))
    for row, predicted in zip(got, reply["predictions"]):
        for entry in predicted["top"]:
            row[entry["index"]] = entry["probability"]
    near.arrays("probabilities", got, Model(path).probabilities(x), 1e-4)


def test_shipped_files_are_left(t):
    """The shipped folder is not written"""
    one = begin(t)
    before = {p: p.stat().st_mtime_ns for p in one.server.models.rglob("*")}
    one.teach("e", 20)
    one.learn(promote="always")
    assert before == {p: p.stat().st_mtime_ns
                      for p in one.server.models.rglob("*")}


def test_swap_loses_nothing(t):
    """Clients that keep asking lose no request; each reply is of a version
    that was in service then, and is that version's own answer"""
    one = begin(t)
    one.teach("e", 60)
    with Asker(one) as first, Asker(one) as second:
        time.sleep(0.2)
        job = one.learn()
        seen = time.monotonic()
        time.sleep(0.2)
        asked_back = time.monotonic()
        one.activate(1)
        back = time.monotonic()
        time.sleep(0.2)
    assert job["promoted"] and job["version"] == 1001, job
    x, _ = learning.mixed(OLD, 2, seed=7)
    want = {v: Model(file_of(one, v)).probabilities(x).max(axis=1)
            for v in (1, 1001)}
    for asker in (first, second):
        told = asker.versions()
        assert {v for _, _, v, _ in told} == {1, 1001}
        order = [v for _, _, v, _ in told]
        assert sum(a != b for a, b in zip(order, order[1:])) == 2, (
            "versions went back and forth")
        for asked, answered, version, probabilities in told:
            near.arrays("version %d" % version, np.array(probabilities),
                        want[version], 1e-4)
            if seen < asked and answered < asked_back:
                assert version == 1001, "old after `succeeded` was seen"
            if asked > back:
                assert version == 1, "new after it was taken out"


def test_pinned_version(t):
    """Requests that name a version get it, whatever is in service"""
    one = begin(t)
    one.teach("e", 30)
    one.learn(promote="always")
    body = {"inputs": learning.rows("a", 1).astype(float).tolist()}
    for version in (1, 1001):
        reply = one.call("POST", "%s/versions/%d/classify" % (
            one.path, version), body, want=200).json()
        assert reply["version"] == version


def test_events(t):
    """Events tell the state, each epoch once, progress, and the end"""
    one = begin(t)
    one.teach("e", 60)
    number = one.tune(epochs=8)["id"]
    with one.events(number) as events:
        assert events.reply.status == 200
        assert events.reply.headers.get_content_type() == "text/event-stream"
        told = list(events)
    kinds = [kind for kind, _, _ in told]
    assert set(kinds) <= {"state", "epoch", "progress"}, kinds
    assert kinds[0] == kinds[-1] == "state", kinds
    job = one.job(number)
    assert told[-1][2] == job and job["state"] == "succeeded", told[-1]
    epochs = [(int(i), data) for kind, i, data in told if kind == "epoch"]
    assert [i for i, _ in epochs] == list(range(1, len(epochs) + 1)), epochs
    assert 1 <= len(epochs) <= 8
    for i, data in epochs:
        assert data["epoch"] == i and data["epochs"] == 8, data
        assert np.isfinite(data["loss"]) and data["best"] in (True, False)
        assert 0 <= data["held_out_error"] <= 1, data
        assert data["seconds_left"] is None or data["seconds_left"] >= 0
    assert epochs[0][1]["best"], epochs[0]
    # Of one that has ended: its state, epochs that were missed, its end.
    for last in (0, 1, 1000):
        with one.events(number, last) as events:
            late = list(events)
        assert late[0] == late[-1] == ("state", None, job), late
        assert {int(i) for _, i, _ in late[1:-1]} <= set(
            range(last + 1, len(epochs) + 1)), late


def test_events_go_on(t):
    """A client that comes back with Last-Event-ID gets the epochs after it;
    many may listen at once"""
    one = begin(t)
    one.teach(OLD, 100)
    number = one.tune(**LONG)["id"]

    def first_epochs(last, count):
        found = []
        with one.events(number, last) as events:
            for kind, i, data in events:
                if kind == "epoch":
                    assert int(i) == data["epoch"], (i, data)
                    found.append(int(i))
                if len(found) == count:
                    return found
        raise AssertionError("ended after %s" % found)

    assert first_epochs(None, 5) == [1, 2, 3, 4, 5]
    assert first_epochs(3, 3) == [4, 5, 6]
    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        for found in pool.map(lambda last: first_epochs(last, 2), range(12)):
            assert found[1] == found[0] + 1, found
    with one.events(number) as events:
        one.cancel(number)
        told = list(events)
    assert told[-1][0] == "state" and told[-1][2]["state"] == "cancelled"


def test_progress(t):
    """A running job tells how far it is"""
    one = begin(t)
    one.teach(OLD, 100)
    number = one.tune(**LONG)["id"]
    job = until(lambda: one.job(number), lambda job: (
        (job["progress"] or {}).get("epoch", 0)) > 2)
    told = job["progress"]
    assert job["state"] == "running" and job["ended"] is None, job
    assert told["epochs"] == 1000 and 0 <= told["share"] <= 1, told
    assert told["seconds"] > 0 and told["seconds_left"] > 0, told
    with one.events(number) as events:
        for kind, _, data in events:
            if kind == "progress":
                assert set(data) == set(told), data
                break
    one.cancel(number)


def test_cancel(t):
    """A running job is cancelled within a second and leaves nothing behind"""
    one = begin(t)
    one.teach(OLD, 100)
    for _ in range(3):
        number = one.tune(**LONG)["id"]
        until(lambda n=number: one.job(n),
              lambda job: job["state"] == "running" and job["progress"])
        began = time.monotonic()
        one.cancel(number)
        job = one.wait(number)
        took = time.monotonic() - began
        assert job["state"] == "cancelled", job
        assert took < (10 if SANITIZED else 1), took
        assert not job["promoted"] and job["ended"], job
        one.cancel(number, want=409)
    assert one.in_service() == 1 and set(one.versions()) == {1}
    assert list((one.server.folder / "data" / "jobs").glob("*")) == []
    assert not (one.server.folder / "data/models/shapes/1001").exists()


def test_second_start(t):
    """A second start is 409 with the first one's id; then it may be again"""
    one = begin(t)
    one.teach(OLD, 100)
    first = one.tune(**LONG)["id"]
    refused = one.tune(want=409)
    assert str(first) in refused["detail"], refused
    assert [job["id"] for job in one.jobs()] == [first]
    one.cancel(first)
    one.wait(first)
    second = one.tune(epochs=1)["id"]
    assert second > first
    one.wait(second)
    assert [job["id"] for job in one.jobs()] == [second, first]
    assert [job["id"] for job in one.jobs("?before=%d" % second)] == [first]
    assert [job["id"] for job in one.jobs("?limit=1")] == [second]
    assert len(one.jobs("?model=shapes")) == 2


def test_key_of_a_start(t):
    """A start that is sent again with its key is one job, across a restart"""
    one = begin(t)
    one.teach("e", 20)
    ids = set()
    for _ in range(2):
        reply = one.call("POST", one.path + "/fine-tunes", {"epochs": 2},
                         headers={"Idempotency-Key": '"start"'}, want=202)
        ids.add(reply.json()["id"])
        one.wait(reply.json()["id"])
    one = again(t, one, end="kill")
    reply = one.call("POST", one.path + "/fine-tunes", {"epochs": 2},
                     headers={"Idempotency-Key": '"start"'}, want=202)
    ids.add(reply.json()["id"])
    assert len(ids) == 1 and len(one.jobs()) == 1, ids


def test_back_and_forth(t):
    """activate goes back and forth, at once, and survives kills"""
    one = begin(t)
    one.teach("e", 60)
    assert one.learn()["promoted"]
    for version, previous in ((1, 1001), (1001, 1), (1001, 1001), (1, 1001)):
        assert one.activate(version) == {
            "model": "shapes", "version": version, "previous": previous}
        assert one.in_service() == version
        assert one.classify(learning.rows("a", 1))[0] == version
        one = again(t, one, end="kill")
        assert one.in_service() == version
        assert one.classify(learning.rows("a", 1))[0] == version
    assert set(one.versions()) == {1, 1001}


def test_restart(t):
    """After a stop in the middle, the job goes on and ends; all figures stay
    """
    one = begin(t)
    one.teach("e", 60)
    done = one.learn()
    one.teach("f", 100)
    number = one.tune(epochs=60, promote="always")["id"]
    before = until(lambda: one.job(number), lambda job: (
        (job["progress"] or {}).get("epoch", 0)) > 3)
    one = again(t, one)
    assert one.job(done["id"]) == done
    assert one.in_service() == 1001
    job = one.wait(number)
    assert job["state"] == "succeeded" and job["version"] == 1002, job
    assert job["started"] == before["started"], "begun anew"
    assert job["parent"] == 1001
    assert recall(one, "f")[1] >= 0.95
    assert one.info()["classes"] == [*OLD, "e", "f"]


def test_keep_versions(t):
    """--keep-versions 2: older tuned ones go, the one in service stays"""
    one = begin(t, "--keep-versions", "2")

    def tuned(*want):
        """What is kept, soon after a job's end."""
        until(lambda: set(one.versions()), lambda kept: kept == {1, *want}, 10)

    one.teach("e", 20)
    for _ in range(4):
        one.learn(promote="always", epochs=1)
    tuned(1002, 1003, 1004)
    one.activate(1002)
    for _ in range(3):
        one.learn(promote="never", epochs=1)
    tuned(1002, 1006, 1007)
    folder = one.server.folder / "data/models/shapes"
    assert {int(p.name) for p in folder.iterdir()} == {1002, 1006, 1007}
    one.activate(1001, want=404)
    one = again(t, one, "--keep-versions", "2")
    tuned(1002, 1006, 1007)
    assert one.in_service() == 1002


def test_other_models_wait(t):
    """Jobs of two models: one runs, the other is queued, both end"""
    folder = t.folder()
    for name in ("one", "two"):
        learning.train(folder, name)
    own = t.start(folder)
    own.wait_ready()
    first, second = Client(t, own, "one"), Client(t, own, "two")
    for each in (first, second):
        each.teach(OLD, 60)
    running, queued = first.tune(**LONG)["id"], second.tune(**LONG)["id"]
    first.wait(running, "running")
    assert second.job(queued)["state"] == "queued"
    second.cancel(queued)
    assert second.job(queued)["state"] == "cancelled"
    queued = second.tune(epochs=1)["id"]
    first.cancel(running)
    assert second.wait(queued)["state"] == "succeeded"


def test_garbage_is_not_loaded(t):
    """Half-written and foreign files in the data folder are never served"""
    one = begin(t)
    one.teach("e", 30)
    one.learn(promote="always", epochs=1)
    good = file_of(one, 1001).read_bytes()
    for version, name, data in (
            (1002, "model.safetensors", good[:len(good) // 2]),
            (1003, "model.safetensors.tmp", good),
            (1004, "model.safetensors", good), (1005, "x", b"")):
        path = file_of(one, version).with_name(name)
        path.parent.mkdir()
        path.write_bytes(data)
    one = again(t, one)
    assert set(one.versions()) == {1, 1001} and one.in_service() == 1001
    assert one.call("GET", "/readyz").json()["status"] == "ready"
    job = one.learn(promote="always", epochs=1)
    assert job["version"] > 1001
    metadata(file_of(one, job["version"]))


def test_lost_version(t):
    """A tuned file that is damaged is told, and another version serves"""
    one = begin(t)
    one.teach("e", 30)
    one.learn(promote="always", epochs=1)
    one.server.stop()
    path = file_of(one, 1001)
    path.write_bytes(path.read_bytes()[:-1])
    own = t.start(t.server.models, folder=one.server.folder)
    contract.check("GET", "/readyz", own.wait_ready(503))
    one = Client(t, own)
    reply = one.call("GET", "/readyz").json()
    assert "1001" in json.dumps(reply["reasons"]), reply
    assert one.classify(learning.rows("a", 1))[0] == 1
