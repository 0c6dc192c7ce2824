"""A server to measure, asked over HTTP: what learning.py and learns.py share.

The harness of tests/http starts it and speaks to it.
"""
import io
import json
import sys
import tempfile
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT / "tests/http"))

from support.server import SHIPPED, Server  # noqa: E402
from support.wire import ask  # noqa: E402

MOST = 1024  # rows of a request


def npz(**arrays):
    out = io.BytesIO()
    np.savez(out, **arrays)
    return out.getvalue()


class Serving:
    """A daemon with a data folder of its own below `folder`, for one model."""

    def __init__(self, model, folder, models=SHIPPED, args=()):
        self.path = "/v1/models/" + model
        folder.mkdir(parents=True, exist_ok=True)
        self.temp = tempfile.TemporaryDirectory(dir=folder)
        self.server = Server(Path(self.temp.name), models,
                             ["--log-level", "warn", *args])
        self.server.wait_ready()

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.server.stop()
        self.temp.cleanup()

    @property
    def pid(self):
        return self.server.process.pid

    def call(self, method, target, value=None, body=b"",
             kind="application/json", accept="application/json", want=None):
        if value is not None:
            body = json.dumps(value).encode()
        reply = ask(self.server.address, method, target, body,
                    [("Content-Type", kind), ("Accept", accept)])
        if reply.status != (want or 200):
            raise SystemExit("%s %s: %s" % (method, target, reply))
        return reply

    def post(self, x, labels):
        """Bytes (n,...) and names."""
        for at in range(0, len(x), MOST):
            self.call("POST", self.path + "/samples", body=npz(
                x=x[at:at + MOST], y=np.array(labels[at:at + MOST], str)),
                      kind="application/x-npz", want=201)

    def tune(self, **options):
        reply = self.call("POST", self.path + "/fine-tunes", options, want=202)
        return reply.json()["id"]

    def job(self, number):
        return self.call("GET", "/v1/fine-tunes/%d" % number).json()

    def cancel(self, number):
        self.call("POST", "/v1/fine-tunes/%d/cancel" % number)

    def classes(self):
        return self.call("GET", self.path).json()["classes"]

    def classify(self, x):
        """The name of the class of each of the rows, bytes."""
        names, found = None, []
        for at in range(0, len(x), MOST):
            body = io.BytesIO()
            np.save(body, x[at:at + MOST])
            reply = self.call("POST", self.path + "/classify",
                              body=body.getvalue(), kind="application/x-npy",
                              accept="application/x-npy")
            names = names or self.classes()
            scores = np.load(io.BytesIO(reply.body), allow_pickle=False)
            found += [names[i] for i in scores.argmax(axis=1)]
        return np.array(found)
