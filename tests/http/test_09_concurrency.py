"""Many clients at once: each gets its own right answer."""
import concurrent.futures
import json
import threading

import numpy as np
from support import contract, load, models, near, wire
from support.reference import Model

SIZE = 64
CONFIG = models.compose((SIZE,), models.dense(80, steps=11))
JSON = [("Content-Type", "application/json")]


def MODELS(folder):
    for name, seed in (("one", 1), ("two", 2)):
        models.write(folder, name, CONFIG, seed=seed)
        REFERENCE[name] = Model(models.path_of(folder, name, 1))
    return folder


REFERENCE = {}


def body(x):
    return json.dumps({"inputs": np.round(x, 6).tolist()}).encode()


def ask_in_turn(address, seed, count):
    """One client's requests on one connection, checked against NumPy."""
    rng = np.random.default_rng(seed)
    with wire.Connection(address) as connection:
        for i in range(count):
            name = ("one", "two")[int(rng.integers(2))]
            rows = int(rng.choice([1, 2, 9, 33]))
            x = np.round(rng.normal(size=(rows, SIZE)), 6)
            ident = "c%d-%d" % (seed, i)
            connection.send(wire.compose(
                "POST", "/v1/models/%s/encode" % name, body(x),
                [*JSON, ("X-Request-Id", ident)]))
            reply = connection.read()
            assert reply.status == 200, str(reply)
            assert reply.headers["X-Request-Id"] == ident
            got = reply.json()
            assert got["model"] == name, got["model"]
            near.arrays(ident, near.dense(got["codes"], 80),
                        REFERENCE[name].encode(x), 1e-4)
    return count


def test_many_clients(t):
    """48 clients with two models and batches of any size"""
    address = t.server.address
    with concurrent.futures.ThreadPoolExecutor(48) as pool:
        done = list(pool.map(lambda seed: ask_in_turn(address, seed, 12),
                             range(48)))
    assert sum(done) == 48 * 12


def test_many_connections(t):
    """300 connections stay open and are all answered, also 128 at once"""
    connections = [t.server.connect() for _ in range(300)]
    try:
        for count in (300, 128, 256):
            for i, connection in enumerate(connections[:count]):
                connection.send(wire.compose(
                    "GET", "/healthz", b"", [("X-Request-Id", str(i))]))
            for i, connection in enumerate(connections[:count]):
                reply = connection.read()
                assert reply.status == 200, str(reply)
                assert reply.headers["X-Request-Id"] == str(i)
    finally:
        for connection in connections:
            connection.close()


def test_big_batch_lets_quick_ones_by(t):
    """While batches of 1,024 run, quick requests are answered, and all are"""
    rng = np.random.default_rng(7)
    big = np.round(rng.normal(size=(1024, SIZE)), 4)
    want = REFERENCE["one"].encode(big)
    quick = np.round(rng.normal(size=(1, SIZE)), 4)
    slow = load.slow_request(t.server, "one", SIZE, 0.5)
    begin = threading.Barrier(5)

    def ask_big():
        with wire.Connection(t.server.address) as connection:
            begin.wait()
            connection.send(slow)
            reply = connection.read()
            assert reply.status == 200, str(reply)
            assert len(reply.json()["codes"]) == load.ROWS
            connection.send(wire.compose("POST", "/v1/models/one/encode",
                                         body(big), JSON))
            reply = connection.read()
            assert reply.status == 200, str(reply)
            near.arrays("big", near.dense(reply.json()["codes"], 80), want,
                        1e-4)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        running = [pool.submit(ask_big) for _ in range(4)]
        begin.wait()
        for _ in range(30):
            got = t.call("POST", "/v1/models/one/encode", body=body(quick),
                         headers=dict(JSON))
            assert got.status == 200, str(got)
            near.arrays("quick", near.dense(got.json()["codes"], 80),
                        REFERENCE["one"].encode(quick), 1e-4)
        for one in running:
            one.result()


def test_overload(t):
    """With its queue full it refuses at once with Retry-After, and recovers"""
    folder = t.folder()
    models.write(folder, "one", CONFIG)
    own = t.start(folder, ["--workers", "1", "--queue", "1"])
    own.wait_ready()
    slow = load.slow_request(own, "one", SIZE, 0.5)

    def ask(_):
        with own.connect() as connection:
            connection.send(slow)
            reply = connection.read()
        contract.check("POST", "/v1/models/one/encode", reply)
        return reply.status

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        statuses = list(pool.map(ask, range(12)))
    assert set(statuses) == {200, 503}, statuses
    assert ask(0) == 200


def test_connection_limit(t):
    """Over --max-connections clients wait, and are served when one goes"""
    folder = t.folder()
    models.write(folder, "one", CONFIG)
    own = t.start(folder, ["--max-connections", "8"])
    first = [own.connect() for _ in range(8)]
    for connection in first:
        connection.send(wire.compose("GET", "/healthz"))
        assert connection.read().status == 200
    with own.connect() as late:
        late.send(wire.compose("GET", "/healthz"))
        for connection in first:
            connection.close()
        assert late.read().status == 200


def test_bad_among_good(t):
    """Errors of some clients do not touch the answers of others"""
    address = t.server.address
    stop = threading.Event()

    def misbehave(seed):
        rng = np.random.default_rng(seed)
        kinds = [b"{", b'{"inputs": [[1]]}', b"\0" * 1000, b"[" * 100000]
        while not stop.is_set():
            connection = wire.Connection(address)
            data = wire.compose("POST", "/v1/models/one/infer",
                                kinds[int(rng.integers(4))], JSON)
            cut = len(data) if rng.integers(2) else int(
                rng.integers(len(data)))
            try:
                connection.send(data[:cut])
                if cut == len(data):
                    assert connection.read().status in (400, 422)
            finally:
                connection.reset()

    with concurrent.futures.ThreadPoolExecutor(12) as pool:
        bad = [pool.submit(misbehave, seed) for seed in range(4)]
        try:
            good = list(pool.map(lambda seed: ask_in_turn(address, seed, 20),
                                 range(100, 108)))
        finally:
            stop.set()
        for one in bad:
            one.result()
    assert sum(good) == 8 * 20
