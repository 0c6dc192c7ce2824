"""SIGTERM: what was accepted is answered, then the server ends."""
import concurrent.futures
import os
import signal
import socket
import subprocess
import time

from support import contract, load, models, wire
from support.server import BINARY

SIZE = 256
CONFIG = models.compose((SIZE,), models.dense(400, steps=11))
SECONDS = 1.5  # that a slow request takes


def start(t, stop_timeout="120", env=None):
    own = t.start(models.write(t.folder(), "one", CONFIG),
                  ["--stop-timeout", stop_timeout], env)
    own.wait_ready()
    return own


def slow_request(own):
    return load.slow_request(own, "one", SIZE, SECONDS)


def wait_busy(own):
    """Gives what was sent time to be read; the answers take far longer."""
    time.sleep(0.3)


def test_idle(t):
    """An idle server with open connections ends at once, with exit 0"""
    own = start(t)
    idle = [own.connect() for _ in range(10)]
    own.begin_stop()
    assert own.wait_stopped() == 0
    for connection in idle:
        assert connection.is_closed()
        connection.close()


def test_requests_in_flight(t):
    """Requests in flight are answered in full before the end"""
    own = start(t)
    data = slow_request(own)

    def ask():
        with own.connect() as connection:
            connection.send(data)
            return connection.read()

    with concurrent.futures.ThreadPoolExecutor(4) as pool:
        asked = [pool.submit(ask) for _ in range(4)]
        wait_busy(own)
        own.begin_stop()
        replies = [one.result() for one in asked]
    for reply in replies:
        assert reply.status == 200, str(reply)
        assert len(reply.json()["codes"]) == load.ROWS
    assert own.wait_stopped() == 0


def test_body_on_its_way(t):
    """A request whose body is still coming is answered too"""
    own = start(t)
    data = slow_request(own)
    with own.connect() as connection:
        connection.send(data[:-100])
        wait_busy(own)
        own.begin_stop()
        time.sleep(0.2)
        connection.send(data[-100:])
        reply = connection.read()
        assert reply.status == 200, str(reply)
        assert len(reply.json()["codes"]) == load.ROWS
    assert own.wait_stopped() == 0


def test_no_new_connections(t):
    """While it drains it takes no new connections"""
    own = start(t)
    with own.connect() as connection:
        connection.send(slow_request(own))
        wait_busy(own)
        own.begin_stop()
        time.sleep(0.2)
        try:
            status = own.ask("GET", "/readyz").status
        except (ConnectionError, OSError, wire.http.client.HTTPException):
            status = None
        assert status in (None, 503), status
        assert connection.read().status == 200
    assert own.wait_stopped() == 0


def test_client_that_never_ends(t):
    """A client that never ends its request cannot hold the server up"""
    own = start(t, "1")
    with own.connect() as connection:
        connection.send(slow_request(own)[:-1])
        wait_busy(own)
        own.begin_stop()
        assert own.wait_stopped() == 0


def test_lost_requests(t):
    """A drain that ends before all is answered says so, with exit 1"""
    own = start(t, "0.5")
    inputs = b",".join([b"[%s]" % b",".join([b"0.5"] * SIZE)] * 1024)
    with own.connect() as connection:
        # A reply of some MiB that the client does not read.
        connection.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
        connection.send(wire.compose(
            "POST", "/v1/models/one/infer?format=dense",
            b'{"inputs":[%s]}' % inputs, [("Content-Type",
                                           "application/json")]))
        while not connection.has_bytes():
            time.sleep(0.01)
        own.begin_stop()
        assert own.wait_stopped() == 1
    assert "server lost requests=1" in own.log(), own.log()
    own.forget()


def wait_listening(address):
    """The first reply of readyz, as soon as there is one."""
    for _ in range(1000):
        try:
            return wire.ask(address, "GET", "/readyz")
        except OSError:
            time.sleep(0.01)
    raise AssertionError("nobody listens")


def test_loading(t):
    """While models are being loaded it answers 503, and stops if told to"""
    folder = models.write(t.folder(), "one", models.compose(
        (784,), models.dense(1200, steps=11)))
    first = models.path_of(folder, "one", 1)
    for version in range(2, 60):
        path = models.path_of(folder, "one", version)
        path.parent.mkdir(parents=True)
        path.hardlink_to(first)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        address = free.getsockname()
    with subprocess.Popen(
            [BINARY, "serve", "--listen", "127.0.0.1:%d" % address[1],
             "--models", str(folder), "--data-dir", str(t.folder())],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL) as process:
        reply = wait_listening(address)
        contract.check("GET", "/readyz", reply)
        assert reply.status == 503, str(reply)
        assert reply.json() == {"status": "loading", "models": 0,
                                "reasons": []}, str(reply)
        target = "/v1/models/one/atoms.png"
        reply = wire.ask(address, "GET", target)
        contract.check("GET", target, reply)
        assert reply.status == 503, str(reply)
        assert reply.headers["Retry-After"] == "1", str(reply)
        assert process.stdout.readline().startswith(b"listening on")
        assert wire.ask(address, "GET", "/readyz").status == 200
        process.terminate()
        assert process.wait(60) == 0


def test_interrupt(t):
    """SIGINT ends it as SIGTERM does"""
    own = start(t)
    own.process.send_signal(signal.SIGINT)
    assert own.wait_stopped() == 0


def test_second_signal(t):
    """A second signal ends it with exit 1, without waiting for anybody"""
    # Threads that nobody waited for are the point here, no leak.
    options = os.environ.get("TSAN_OPTIONS", "") + ":report_thread_leaks=0"
    own = start(t, env={"TSAN_OPTIONS": options})
    data = slow_request(own)
    with own.connect() as connection, own.connect() as unfinished:
        connection.send(data)
        unfinished.send(data[:-1])  # so the end cannot come by itself
        wait_busy(own)
        own.begin_stop()
        while "draining" not in own.log():
            time.sleep(0.01)
        own.begin_stop()
        assert own.wait_stopped() == 1
        assert unfinished.read_or_closed() is None
    own.forget()


def test_one_line_on_stdout(t):
    """stdout has one line, the address; talk goes to stderr"""
    own = start(t)
    own.begin_stop()
    assert own.wait_stopped() == 0
    assert own.process.stdout.read() == b""
    assert own.log()
