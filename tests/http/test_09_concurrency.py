"""Many clients at once: each gets its own right answer."""
import concurrent.futures
import json
import socket
import threading
import time

import numpy as np
from support import contract, load, models, near, wire
from support.reference import Model

SIZE = 64
CONFIG = models.compose((SIZE,), models.dense(80, steps=11))
WIDE = models.compose((SIZE,), models.dense(1200, steps=11))
JSON = [("Content-Type", "application/json")]
ARGS = ["--queue-seconds", "60"]  # overload is file 37's


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
    """512 connections stay open and are all answered, also 128 at once"""
    # libmicrohttpd's own loop stands still when 128 events come at once to a
    # thread; with two threads these are 128, 64, 128 and 256 each.
    connections = [t.server.connect() for _ in range(512)]
    try:
        for count in (300, 128, 256, 512, 256, 128):
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
    """While slow batches of 1,024 run, quick requests are answered first"""
    rng = np.random.default_rng(7)
    quick = np.round(rng.normal(size=(1, SIZE)), 4)
    slow = load.slow_request(t.server, "one", SIZE, 3)
    connections = [t.server.connect() for _ in range(4)]
    try:
        for connection in connections:
            connection.send(slow)
        for _ in range(10):
            got = t.call("POST", "/v1/models/one/encode", body=body(quick),
                         headers=dict(JSON))
            assert got.status == 200, str(got)
            near.arrays("quick", near.dense(got.json()["codes"], 80),
                        REFERENCE["one"].encode(quick), 1e-4)
        early = [c for c in connections if c.has_bytes()]
        assert not early, "%d big batches came before the quick ones" % len(
            early)
        for connection in connections:
            reply = connection.read()
            assert reply.status == 200, str(reply)
            assert len(reply.json()["codes"]) == load.ROWS
    finally:
        for connection in connections:
            connection.close()


def test_big_batches_are_right(t):
    """Batches of 1,024 from several clients at once have the right codes"""
    big = np.round(np.random.default_rng(8).normal(size=(1024, SIZE)), 4)
    want = REFERENCE["one"].encode(big)
    data = body(big)

    def ask_big(_):
        got = t.call("POST", "/v1/models/one/encode", body=data,
                     headers=dict(JSON))
        assert got.status == 200, str(got)
        near.arrays("big", near.dense(got.json()["codes"], 80), want, 1e-4)

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        list(pool.map(ask_big, range(4)))


def test_deadline(t):
    """What cannot begin before --deadline gets 504"""
    own = t.start(models.write(t.folder(), "wide", WIDE),
                  ["--workers", "1", "--deadline", "0.1", *ARGS])
    slow = load.slow_request(own, "wide", SIZE, 1.5)
    with own.connect() as first, own.connect() as second:
        first.send(slow)
        time.sleep(0.3)
        second.send(slow)
        assert first.read().status == 200
        reply = second.read()
    contract.check("POST", "/v1/models/wide/encode", reply)
    assert reply.status == 504, str(reply)
    assert "--deadline" in reply.json()["detail"], str(reply)


def test_short_bodies_of_much_work(t):
    """Many sparse codes, or hidden steps, are no work for who answers others"""
    one = body(np.zeros((1, SIZE)))
    codes = b'{"codes":[%s]}' % b",".join(
        [b'{"indices":[3],"values":[1]}'] * 1000)
    own = t.start(models.write(t.folder(), "wide", WIDE))
    own.wait_ready()
    for target, data in (
            ("decode", codes), ("encode?st%65ps=1000", one),
            ("encode", one[:-1] + b', "\\u0073teps": 1000}'),
            ("encode", one)):
        reply = own.ask("POST", "/v1/models/wide/" + target, data, JSON)
        assert reply.status == 200, str(reply)
        # The time until its turn came is told of what waited for one.
        waited = "queue;dur=" in reply.headers["Server-Timing"]
        assert waited == (target != "encode" or data != one), target


def test_unread_replies(t):
    """Replies that nobody reads are bounded; probes are answered then too"""
    own = t.start(t.server.models, ["--max-held", "16MiB"])
    # More than the sockets hold.
    data = wire.compose("POST", "/v1/models/one/infer?format=dense&"
                        "outputs=trace&steps=60", body(np.ones((1000, SIZE))),
                        JSON)
    unread = []
    try:
        while own.ask("GET", "/v1/models").status == 200:
            assert len(unread) < 50, "no bound"
            connection = own.connect()
            unread.append(connection)
            connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF,
                                         4096)
            connection.send(data)
            while not connection.has_bytes():
                time.sleep(0.01)
        reply = own.ask("GET", "/v1/models")
        contract.check("GET", "/v1/models", reply)
        assert reply.status == 503, str(reply)
        assert "--max-held" in reply.json()["detail"], str(reply)
        assert own.ask("GET", "/healthz").status == 200
        assert own.ask("GET", "/readyz").status == 200
    finally:
        for connection in unread:
            connection.reset()
    while own.ask("GET", "/v1/models").status != 200:
        time.sleep(0.05)


def test_connection_limit(t):
    """Over --max-connections clients wait, and are served when one goes"""
    folder = t.folder()
    models.write(folder, "one", CONFIG)
    own = t.start(folder, ["--max-connections", "8"])
    own.wait_ready()
    first = [own.connect() for _ in range(8)]
    with own.connect() as late:
        try:
            for connection in first:
                ask_health(connection)
            late.send(wire.compose("GET", "/healthz"))
            # Time enough to answer the late one, if it had been let in.
            for _ in range(100):
                for connection in first:
                    ask_health(connection)
            assert not late.has_bytes(), "one more was served than the limit"
            first.pop().close()
            assert late.read().status == 200
        finally:
            for connection in first:
                connection.close()


def ask_health(connection):
    connection.send(wire.compose("GET", "/healthz"))
    assert connection.read().status == 200


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
