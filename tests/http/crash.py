#!/usr/bin/env python3
"""Kills the server at random moments and looks whether all is still there.

    make test-crash ARGS='--kills 100 --seed N'

Clients post batches, change labels, start and cancel jobs, and put versions
into service, and remember what was acknowledged. Then kill -9, at any moment or
at one when a job has just written its checkpoint; a start; and every
acknowledged sample must be there with its input and label, of a batch that was
not acknowledged all rows or none, every acknowledged job; a version that is
whole serves; and the job goes on from its checkpoint.

What a batch holds follows from its sender and its number, so that any row that
is found can be held against what it must be. A batch without an answer is sent
again with its key, and must then be there once.
"""
import argparse
import http.client
import json
import os
import pathlib
import random
import sys
import tempfile
import threading
import time

import numpy as np
from safetensors import safe_open

if __name__ == "__main__":
    sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from support import learning  # noqa: E402
from support.server import SANITIZED, Server  # noqa: E402

PATH = "/v1/models/shapes"
SENDERS = 3
LABELS = "abcdef"
SECONDS = 1.2 * (4 if SANITIZED else 1)  # that a process lives, at most
GONE = (OSError, http.client.HTTPException)  # the server was killed


def content(sender, number):
    """Rows and labels of a batch. The first three numbers of a row say whose
    it is."""
    rng = np.random.default_rng([sender, number])
    n = int(rng.integers(1, 21))
    labels = [str(rng.choice(list(LABELS))) for _ in range(n)]
    x = np.stack([learning.rows(label, 1, number * 32 + i)[0]
                  for i, label in enumerate(labels)])
    x[:, 0], x[:, 1] = sender / 64, number / 65536
    x[:, 2] = np.arange(n) / 64
    return x, [None if rng.uniform() < 0.1 else label for label in labels]


def origin(row):
    """(sender, number, index) of a row that was found."""
    return round(row[0] * 64), round(row[1] * 65536), round(row[2] * 64)


def ask(server, method, target, value=None, headers=(), body=None,
        kind=learning.JSON):
    """The reply, of any status that is no server's error."""
    if value is not None:
        body = json.dumps(value).encode()
    reply = server.ask(method, target, body or b"",
                       [("Content-Type", kind), *headers])
    assert reply.status < 500, "%s %s: %s" % (method, target, reply)
    return reply


class Sender:
    """Posts batches one after another, and changes labels now and then."""

    def __init__(self, index, chance):
        self.index, self.chance = index, chance
        self.number = 0
        self.open = False  # whether that batch is sent, without an answer
        self.acknowledged = {}  # number: ids
        self.labels = {}  # id: labels that it may have by now

    def post(self, server):
        x, labels = content(self.index, self.number)
        key = ("Idempotency-Key", '"%d-%d"' % (self.index, self.number))
        self.open = True
        if self.number % 2:
            reply = ask(server, "POST", PATH + "/samples", {
                "inputs": x.astype(float).tolist(), "labels": labels}, [key])
        else:
            lines = [json.dumps({"input": row, "label": label}) for row, label
                     in zip(x.astype(float).tolist(), labels)]
            reply = ask(server, "POST", PATH + "/samples", None, [key],
                        "\n".join(lines).encode(), learning.NDJSON)
        assert reply.status == 201, str(reply)
        ids = reply.json()["ids"]
        assert len(ids) == len(labels), reply
        self.acknowledged[self.number] = ids
        for number, label in zip(ids, labels):
            self.labels.setdefault(number, {label})
        self.number += 1
        self.open = False

    def relabel(self, server):
        ids = self.acknowledged[max(self.acknowledged)]
        number = self.chance.choice(ids)
        label = self.chance.choice([*LABELS, None])
        self.labels[number] = self.labels[number] | {label}
        reply = ask(server, "PUT", "%s/samples/%d/label" % (PATH, number),
                    {"label": label})
        assert reply.status == 200, str(reply)
        self.labels[number] = {label}

    def run(self, server, calm):
        while True:
            self.post(server)
            if self.chance.random() < 0.2 and not calm:
                self.relabel(server)
            time.sleep(self.chance.uniform(0, 0.03))


class Teacher:
    """Starts jobs, long and short, cancels some, changes versions."""

    def __init__(self, chance):
        self.chance = chance
        self.started = set()
        self.ended = {}  # id: the job, as it was seen to end

    def look(self, server):
        """Every acknowledged job is there; those that had ended are as they
        were."""
        for number in sorted(self.started):
            reply = ask(server, "GET", "/v1/fine-tunes/%d" % number)
            assert reply.status == 200, "job %d: %s" % (number, reply)
            job = reply.json()
            assert self.ended.get(number, job) == job, (
                "was %s, is %s" % (self.ended[number], job))
            if job["ended"]:
                self.ended[number] = job

    def begin(self, server, short):
        reply = ask(server, "POST", PATH + "/fine-tunes", {
            "epochs": 3 if short else 1000,
            "learning_rate": 1e-3 if short else 1e-6,
            "promote": self.chance.choice(["if_better", "always", "never"])})
        assert reply.status in (202, 409, 422), str(reply)
        if reply.status == 202:
            self.started.add(reply.json()["id"])

    def act(self, server):
        turn = self.chance.random()
        if turn < 0.5:
            self.begin(server, turn < 0.2)
        elif turn < 0.6 and self.started:
            reply = ask(server, "POST", "/v1/fine-tunes/%d/cancel" %
                        max(self.started))
            assert reply.status in (200, 409), str(reply)
        elif turn < 0.7:
            version = self.chance.choice(sorted(versions(server)))
            reply = ask(server, "POST", "%s/versions/%d/activate" % (
                PATH, version))
            assert reply.status in (200, 404), str(reply)  # gone by now

    def run(self, server, calm):
        while True:
            if calm:
                self.begin(server, False)
            else:
                self.act(server)
            time.sleep(self.chance.uniform(0, 0.1))


class Asker:
    """Classifies all the time; whatever is answered is right."""

    def __init__(self):
        self.x, self.count = learning.mixed("abcd", 2), 0

    def run(self, server, _):
        x, labels = self.x
        while True:
            reply = ask(server, "POST", PATH + "/classify",
                        {"inputs": x.astype(float).tolist()})
            assert reply.status == 200, str(reply)
            assert len(reply.json()["predictions"]) == len(labels), str(reply)
            self.count += 1
            time.sleep(0.005)


def versions(server):
    reply = ask(server, "GET", PATH + "/versions")
    return {one["version"]: one for one in reply.json()["versions"]}


class Story:
    """One folder, many lives."""

    def __init__(self, folder, seed):
        self.chance = random.Random(seed)
        self.folder, self.models = folder, learning.train(folder / "models")
        self.senders = [Sender(i, random.Random("%d %d" % (seed, i)))
                        for i in range(SENDERS)]
        self.teacher = Teacher(random.Random("%d teacher" % seed))
        self.asker = Asker()
        self.seen = {}  # (sender, number): ids that were found
        self.last = 0  # id up to which samples were looked at
        self.resumed = 0
        self.errors, self.killing = [], False

    @property
    def checkpoints(self):
        return sorted((self.folder / "data/jobs").glob("*.checkpoint"))

    # ---- a life ----

    def run(self, server, one, calm):
        try:
            one.run(server, calm)
        except GONE as error:
            if not self.killing:
                self.errors.append(error)
        except Exception as error:  # told after the kill
            self.errors.append(error)

    def live(self, server, calm):
        """A calm life has a long job and nothing that disturbs it, and ends
        soon after the job's checkpoint was written anew."""
        threads = [threading.Thread(target=self.run, args=(server, one, calm))
                   for one in (*self.senders, self.teacher, self.asker)]
        for thread in threads:
            thread.start()
        if calm:
            self.wait_for_checkpoint()
        time.sleep(self.chance.uniform(0, SECONDS / (4 if calm else 1)))
        self.killing = True
        server.kill()
        for thread in threads:
            thread.join()
        self.killing = False
        if self.errors:
            raise self.errors[0]

    def wait_for_checkpoint(self):
        def stamps():
            found = []
            for path in self.checkpoints:
                try:
                    found.append(path.stat().st_ino)
                except FileNotFoundError:
                    pass
            return found

        before, end = stamps(), time.monotonic() + 5
        while stamps() == before and time.monotonic() < end:
            time.sleep(0.001)

    def start(self):
        return Server(self.folder, self.models)

    # ---- looking ----

    def check(self, server, everything=False):
        assert server.wait_ready().json()["status"] == "ready"
        self.check_service(server)
        self.check_samples(server, 0 if everything else self.last)
        self.teacher.look(server)

    def check_service(self, server):
        """One version serves, and its file and all others are whole."""
        reply = ask(server, "POST", PATH + "/classify", {
            "inputs": learning.rows("a", 1).astype(float).tolist()})
        told = versions(server)
        serving = [v for v, one in told.items() if one["in_service"]]
        assert len(serving) == 1 and reply.json()["version"] in told, told
        for version in told:
            if version < 1001:
                continue
            path = (self.folder / "data/models/shapes" / str(version) /
                    "model.safetensors")
            try:
                with safe_open(path, "np") as file:
                    for name in file.keys():
                        file.get_tensor(name)
            except FileNotFoundError:  # a job that ended now removed it
                assert version not in versions(server), path

    def check_samples(self, server, after):
        """Rows after that id: each is of a batch that is whole, once, in its
        own order, with a label that it may have."""
        found = {}
        while after is not None:
            page = ask(server, "GET", "%s/samples?inputs=true&limit=1000"
                       "&after=%d" % (PATH, after)).json()
            for sample in page["samples"]:
                found.setdefault(sample["batch"], []).append(sample)
                self.last = sample["id"]
            after = page["next"]
        for samples in found.values():
            self.check_batch(samples)
        for sender in self.senders:
            for number, ids in sender.acknowledged.items():
                assert self.seen.get((sender.index, number)) == ids, (
                    "sender %d, batch %d: acknowledged as %s, found as %s" % (
                        sender.index, number, ids,
                        self.seen.get((sender.index, number))))

    def check_batch(self, samples):
        rows = np.array([s["input"] for s in samples], np.float32).reshape(
            len(samples), -1)
        whose, number, _ = origin(rows[0])
        x, labels = content(whose, number)
        sender, ids = self.senders[whose], [s["id"] for s in samples]
        assert rows.shape == x.shape and np.abs(rows - x).max() < 1e-6, (
            "sender %d, batch %d: %d of %d rows" % (
                whose, number, len(rows), len(x)))
        assert number in sender.acknowledged or (
            number == sender.number and sender.open), "never sent"
        assert self.seen.setdefault((whose, number), ids) == ids, "kept twice"
        for sample, label in zip(samples, labels):
            allowed = sender.labels.get(sample["id"], {label})
            assert sample["label"] in allowed, "%s, not %s" % (sample, allowed)
            sender.labels[sample["id"]] = {sample["label"]}

    def check_resumed(self, server, kept):
        """The job whose checkpoint was there does not begin anew, unless a
        label of its samples was changed after it had read them."""
        for path in kept:
            number = int(path.name.split(".")[0])
            end = time.monotonic() + 30
            while time.monotonic() < end:
                job = ask(server, "GET", "/v1/fine-tunes/%d" % number).json()
                if job["ended"]:
                    break
                if (job["progress"] or {}).get("loss") is not None:
                    if job["progress"]["epoch"] > 1:
                        self.resumed += 1
                    else:
                        assert "checkpoint is of other data" in server.log(
                            ), "begun anew: %s" % job
                    break
                time.sleep(0.005)
            else:
                raise AssertionError("job %d does not go on: %s" % (
                    number, job))

    # ---- the whole ----

    def tell(self, kills):
        """The story in one line; raises if it is not a good one."""
        for kill in range(kills):
            kept, calm = self.checkpoints, kill % 2 == 1
            server = self.start()
            if self.chance.random() < 0.3 and not calm:  # hardly begun
                time.sleep(self.chance.uniform(0, 0.1))
                server.kill()
                continue
            try:
                self.check(server, everything=kill % 10 == 9)
                self.check_resumed(server, kept)
                self.live(server, calm)
            finally:
                if server.is_running():
                    server.kill()
        return self.end(kills)

    def end(self, kills):
        server = self.start()
        try:
            self.check(server, everything=True)
            for sender in self.senders:
                if sender.open:  # sent again with its key
                    sender.post(server)
            self.check_samples(server, 0)
            total = ask(server, "GET", PATH + "/samples").json()["total"]
            rows = sum(len(ids) for ids in self.seen.values())
            assert total == rows, "%d are there, %d were found" % (total, rows)
            for number in self.teacher.started - set(self.teacher.ended):
                ask(server, "POST", "/v1/fine-tunes/%d/cancel" % number)
            learning.until(lambda: self.teacher.look(server) or set(
                self.teacher.ended), lambda e: e == self.teacher.started)
            count = len(versions(server))
        finally:
            server.stop()
        assert self.resumed or kills < 8, "no kill met a checkpoint"
        return ("%d kills: %d batches, %d samples, %d jobs, %d versions left; "
                "%d jobs went on from a checkpoint; %d answers" % (
                    kills, len(self.seen), rows, len(self.teacher.started),
                    count, self.resumed, self.asker.count))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--kills", type=int, default=100)
    parser.add_argument("--seed", type=int,
                        default=int.from_bytes(os.urandom(3), "big"))
    args = parser.parse_args()
    print("crash: seed %d" % args.seed, flush=True)
    with tempfile.TemporaryDirectory(prefix="sparsed-crash-") as folder:
        story = Story(pathlib.Path(folder), args.seed)
        try:
            print(story.tell(args.kills))
        except BaseException:
            log = pathlib.Path(folder, "stderr.log")
            sys.stderr.write(log.read_text()[-4000:] if log.exists() else "")
            raise


if __name__ == "__main__":
    main()
