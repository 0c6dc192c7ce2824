"""Requests that take a while, on whatever machine and build this is."""
import json
import time

import numpy as np

from . import wire

HEADERS = [("Content-Type", "application/json")]
ROWS = 1024


def _seconds(server, path, body):
    began = time.monotonic()
    reply = server.ask("POST", path, body, HEADERS)
    assert reply.status == 200, str(reply)
    return time.monotonic() - began


def slow_request(server, model, size, seconds):
    """A request as bytes, 1,024 rows of a size, with as many steps as take
    about so long (a model of one recurrent layer)."""
    x = np.random.default_rng(0).uniform(size=(ROWS, size))
    body = json.dumps({"inputs": np.round(x, 3).tolist()}).encode()
    path = "/v1/models/%s/encode?top_k=1&steps=" % model
    steps, took = 1, 0.0
    while took < seconds / 3 and steps < 1000:
        steps = min(1000, 2 * steps)
        took = _seconds(server, path + str(steps), body)
    steps = max(1, min(1000, int(steps * seconds / took)))
    return wire.compose("POST", path + str(steps), body, HEADERS)
