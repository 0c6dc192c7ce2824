"""Learning from outside: a small model and endless rows of its classes,
samples, jobs and their events.

A class is a random picture of 8 x 8; its rows are that picture, blurred by
noise. So a model is trained in a second, and any number of further classes are
there for it to learn.
"""
import io
import json
import time

import numpy as np
import sseclient
from safetensors import safe_open

from . import server as servers
from . import wire

SHAPE = (8, 8)
SIZE = 64
OLD = "abcd"  # classes of the model; any other letter is new to it
JSON = "application/json"
NPZ = "application/x-npz"
NPY = "application/x-npy"
NDJSON = "application/x-ndjson"

# Runs until it is cancelled: so slow that every epoch is a little better.
LONG = {"epochs": 1000, "promote": "never", "learning_rate": 1e-6}

RECIPE = {
    "seed": 1, "validation": 80, "batch": 20, "classes": list(OLD),
    "model": {
        "input": {"shape": list(SHAPE), "range": [0, 1]},
        "preprocess": [{"op": "unit_norm"}],
        "layers": [{
            "operator": "dense", "units": 48,
            "encoder": {"kind": "recurrent", "nonlinearity": "relu",
                        "steps": 3},
            "structure": {"kind": "l1", "lambda": 0.02},
            "decoder": True, "up": "code"}],
        "classifier": {"input": "code"}},
    "rates": {"decoder.weight": 1, "classifier.weight": 3},
    "phases": [
        {"name": "joint", "epochs": 20,
         "weights": {"reconstruction": 1, "structure": 1,
                     "classification": 0.2},
         "optimiser": {"kind": "adam", "rate": 0.002, "clip": 5},
         "schedule": {"kind": "cosine", "warmup": 1}}]}


# ---- rows ----

def rows(label, n, seed=0):
    """(n, 64) float32 of the class with that letter, in 0..1, of four
    decimals; other seeds give other rows."""
    shape = np.random.default_rng(ord(label)).uniform(size=SIZE) < 0.3
    noise = np.random.default_rng([ord(label), seed]).normal(
        0, 0.12, (n, SIZE))
    return np.round(np.clip(0.7 * shape + noise, 0, 1), 4).astype(np.float32)


def mixed(labels, n, seed=0):
    """n rows of each label, in turn, and their labels."""
    x = np.stack([rows(label, n, seed) for label in labels], axis=1)
    return x.reshape(-1, SIZE), list(labels) * n


def npz(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


_TRAINED = {}


def train(folder, name="shapes"):
    """folder/name/1/model.safetensors, trained; gives the folder back."""
    path = folder / name / "1" / "model.safetensors"
    path.parent.mkdir(parents=True)
    if "model" not in _TRAINED:
        x, labels = mixed(OLD, 120, seed=1)
        data, recipe = folder / "data.npz", folder / "recipe.json"
        data.write_bytes(npz(x=x, y=np.array(
            [OLD.index(label) for label in labels])))
        recipe.write_text(json.dumps(RECIPE))
        done = servers.run("train", recipe, "--data", data, "--out", path)
        assert done.returncode == 0, done.stderr
        data.unlink()
        recipe.unlink()
        _TRAINED["model"] = path.read_bytes()
    path.write_bytes(_TRAINED["model"])
    return folder


# ---- requests ----

class Client:
    """The learning routes of one model; replies are as the contract says."""

    def __init__(self, t, server=None, model="shapes"):
        self.t, self.model = t, model
        self.server = server or t.server
        self.path = "/v1/models/" + model

    def call(self, method, target, json=None, body=b"", headers=(), want=None):
        reply = self.t.call(method, target, json, body, headers, self.server)
        assert want is None or reply.status == want, "%s %s: %s, want %s" % (
            method, target, reply, want)
        return reply

    def post(self, body, kind=NDJSON, query="", want=201, key=None):
        headers = {"Content-Type": kind}
        if key:
            headers["Idempotency-Key"] = key
        reply = self.call("POST", self.path + "/samples" + query, body=body,
                          headers=headers, want=want)
        return reply.json()

    def keep(self, x, labels=None, want=201, key=None):
        """Posts rows as JSON."""
        value = {"inputs": np.asarray(x, float).round(4).tolist()}
        if labels is not None:
            value["labels"] = list(labels)
        return self.post(json.dumps(value).encode(), JSON, want=want, key=key)

    def teach(self, labels, n, seed=0):
        """n rows of each label."""
        return self.keep(*mixed(labels, n, seed))

    def counts(self):
        return self.call("GET", self.path + "/samples", want=200).json()

    def listing(self, query):
        """All samples that the query names, page by page."""
        found, after = [], 0
        while after is not None:
            page = self.call("GET", "%s/samples?after=%d&%s" % (
                self.path, after, query), want=200).json()
            found += page["samples"]
            after = page["next"]
        return found

    def classify(self, x):
        """(version, [class of each row])"""
        reply = self.call("POST", self.path + "/classify",
                          {"inputs": np.asarray(x, float).tolist()}, want=200)
        return reply.json()["version"], [
            one["class"] for one in reply.json()["predictions"]]

    def info(self):
        return self.call("GET", self.path, want=200).json()

    def versions(self):
        """{version: what is said of it}"""
        found = self.call("GET", self.path + "/versions", want=200).json()
        return {one["version"]: one for one in found["versions"]}

    def in_service(self):
        found = [version for version, one in self.versions().items()
                 if one["in_service"]]
        assert len(found) == 1, found
        return found[0]

    def activate(self, version, want=200):
        return self.call("POST", "%s/versions/%d/activate" % (
            self.path, version), want=want).json()

    def tune(self, want=202, **options):
        """Starts a job; gives it as it was answered."""
        reply = self.call("POST", self.path + "/fine-tunes", options,
                          want=want)
        if want == 202:
            where = "/v1/fine-tunes/%d" % reply.json()["id"]
            assert reply.headers["Location"].endswith(where), str(reply)
        return reply.json()

    def job(self, number):
        return self.call("GET", "/v1/fine-tunes/%d" % number,
                         want=200).json()

    def jobs(self, query=""):
        return self.call("GET", "/v1/fine-tunes" + query,
                         want=200).json()["fine_tunes"]

    def cancel(self, number, want=200):
        return self.call("POST", "/v1/fine-tunes/%d/cancel" % number,
                         want=want).json()

    def wait(self, number, *states, seconds=90):
        """The job once it is in one of the states; by default, ended."""
        states = states or ("succeeded", "failed", "cancelled")
        return until(lambda: self.job(number),
                     lambda job: job["state"] in states, seconds)

    def learn(self, want="succeeded", **options):
        """A job from start to end."""
        job = self.wait(self.tune(**options)["id"])
        assert job["state"] == want, job
        return job

    def events(self, number, last=None):
        return Events(self.server, "/v1/fine-tunes/%d/events" % number, last)


def until(look, good, seconds=60):
    """What `look` gives, once it is good."""
    end = time.monotonic() + seconds
    while True:
        found = look()
        if good(found):
            return found
        assert time.monotonic() < end, "after %d s: %s" % (seconds, found)
        time.sleep(0.02)


# ---- a test's own server ----

def begin(t, *args, folder=None):
    """A client of a server for this test alone."""
    own = t.start(t.server.models, args, folder=folder)
    own.wait_ready()
    return Client(t, own)


def again(t, one, *args, end="stop"):
    """The same data, after an end and another start."""
    getattr(one.server, end)()
    return begin(t, *args, folder=one.server.folder)


def file_of(one, version):
    folder = (one.server.models if version < 1001
              else one.server.folder / "data" / "models")
    return folder / one.model / str(version) / "model.safetensors"


def metadata(path):
    """The texts of a model file, read by the public package, which also looks
    at every tensor."""
    with safe_open(path, "np") as file:
        for name in file.keys():
            value = file.get_tensor(name)
            assert value.dtype.kind != "f" or np.isfinite(value).all(), name
        return file.metadata()


def recall(one, label, seed=99):
    """(version, share of a label's fresh rows that get it)"""
    version, found = one.classify(rows(label, 100, seed))
    return version, found.count(label) / len(found)


class Events:
    """A stream of events, read by the public sseclient package."""

    def __init__(self, server, target, last=None):
        headers = [("Accept", "text/event-stream")]
        if last is not None:
            headers.append(("Last-Event-ID", str(last)))
        self.connection = server.connect()
        self.connection.send(wire.compose("GET", target, b"", headers))
        self.reply = self.connection.read_head()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.connection.close()

    def _bytes(self):
        """As they come; the end must be the body's, not the connection's."""
        while True:
            line = self.reply.readline()
            if not line:
                return
            yield line

    def __iter__(self):
        """(event, id or None, what its data say)"""
        client = sseclient.SSEClient(self._bytes())
        for one in client.events():
            yield one.event, one.id or None, json.loads(one.data)
