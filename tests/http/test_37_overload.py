"""Overload: refused at once, what is taken is served, nobody works in vain.

Nothing here is timed: a long job holds the only worker, and what happens
meanwhile is looked at.
"""
import json
import re
import time

import numpy as np
from support import contract, load, models, wire

SIZE = 64
CONFIG = models.compose((SIZE,), models.dense(1200, steps=11))
JSON = [("Content-Type", "application/json")]
ONE = ["--workers", "1", "--queue-seconds", "0.05"]
PATH = "/v1/models/wide/encode"
SECONDS = 3


def MODELS(folder):
    return models.write(folder, "wide", CONFIG)


class Busy:
    """A server whose only worker is at a long job, of a kind that it knows."""

    def __init__(self, t, args=()):
        self.own = t.start(t.server.models, [*ONE, *args])
        self.own.wait_ready()
        self.request = load.slow_request(self.own, "wide", SIZE, SECONDS)
        with self.own.connect() as c:  # now it knows what this kind costs
            c.send(self.request)
            assert c.read().status == 200
        self.first = self.own.connect()
        self.first.send(self.request)
        await_counter(self.own, "runs", lambda: self.runs() == 1)

    def runs(self):
        return in_flight(self.own)

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.first.close()

    def is_over(self):
        return self.first.has_bytes()


def metric(server, pattern):
    text = server.ask("GET", "/metrics").body.decode()
    found = re.search("^%s (.+)$" % pattern, text, re.M)
    return float(found[1]) if found else 0.0
