"""SIGTERM: what was accepted is answered, then the server ends."""
import concurrent.futures
import signal
import time

from support import load, models, wire

SIZE = 256
CONFIG = models.compose((SIZE,), models.dense(400, steps=11))
SECONDS = 1.5  # that a slow request takes


def start(t, stop_timeout="120"):
    own = t.start(models.write(t.folder(), "one", CONFIG),
                  ["--stop-timeout", stop_timeout])
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


def test_interrupt(t):
    """SIGINT ends it as SIGTERM does"""
    own = start(t)
    own.process.send_signal(signal.SIGINT)
    assert own.wait_stopped() == 0


def test_second_signal(t):
    """A second signal ends it without waiting for anybody"""
    own = start(t)
    with own.connect() as connection:
        connection.send(slow_request(own))
        wait_busy(own)
        own.begin_stop()
        time.sleep(0.1)
        own.begin_stop()
        assert own.wait_stopped() in (0, 1)
        reply = connection.read_or_closed()
        assert reply is None or reply.status == 200, str(reply)
    own.forget()


def test_one_line_on_stdout(t):
    """stdout has one line, the address; talk goes to stderr"""
    own = start(t)
    own.begin_stop()
    assert own.wait_stopped() == 0
    assert own.process.stdout.read() == b""
    assert own.log()
