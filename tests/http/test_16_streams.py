"""Replies that go on after their head, and replies that wait for the disk: how
they begin, end and are cut, whatever they say."""
import concurrent.futures
import re
import time

from support import learning, wire
from support.learning import LONG, OLD, begin, until
from support.server import SANITIZED

STREAMS = 4  # of 16 connections
LAST_WORDS = b": the server stops\n\n"


def MODELS(folder):
    learning.train(folder)
    learning.train(folder, "others")
    return learning.train(folder, "third")


def start(t, *args):
    """A client whose first job runs until it is cancelled."""
    one = begin(t, "--fine-tune-threads", "1", *args)
    one.teach(OLD, 100)
    job = one.tune(**LONG)["id"]
    one.wait(job, "running")
    one.events_of = "/v1/fine-tunes/%d/events" % job
    return one


def listen(one, method="GET", headers=()):
    """A connection that has the head of a stream, and that head."""
    connection = one.server.connect()
    connection.send(wire.compose(method, one.events_of, b"", headers))
    return connection, connection.read_head(method)


def logged(one, status):
    """Streams in the log that ended with the status."""
    return len(re.findall(r'path="%s" status=%d' % (one.events_of, status),
                          one.server.log()))


def test_head(t):
    """A stream's head says so, and comes at once; HEAD ends with it"""
    one = start(t)
    for method in "GET", "HEAD":
        connection, head = listen(one, method)
        assert head.status == 200, head.status
        assert head.headers.get_content_type() == "text/event-stream"
        assert head.headers["X-Accel-Buffering"] == "no"
        assert re.fullmatch("no-(cache|store)", head.headers["Cache-Control"])
        if method == "HEAD":
            assert connection.read_rest() == b""
        else:
            assert head.headers["Transfer-Encoding"] == "chunked"
            assert head.readline() == b"event: state\n"
        connection.close()


def test_connection_goes_on(t):
    """After a stream's end the connection takes the next request"""
    one = start(t)
    connection, head = listen(one)
    one.cancel(1)
    assert b"cancelled" in head.read()
    connection.send(wire.compose("GET", one.events_of))
    assert b"cancelled" in connection.read().body
    connection.close()
    until(lambda: logged(one, 200), lambda n: n == 2, 5)


def test_http_1_0(t):
    """HTTP/1.0 gets a stream without chunks, and its end by closing"""
    one = start(t)
    with one.server.connect() as connection:
        connection.send(b"GET %s HTTP/1.0\r\n\r\n" % one.events_of.encode())
        head = connection.read_head()
        assert head.headers["Transfer-Encoding"] is None
        assert head.readline() == b"event: state\n"
        one.cancel(1)
        rest = head.read()
        assert rest.rstrip().endswith(b"}") and b"cancelled" in rest, rest
    until(lambda: logged(one, 200), lambda n: n == 1, 5)


def test_limit(t):
    """A quarter of the connections may be streams; those that go make room"""
    one = start(t, "--max-connections", "16")
    ends = [wire.Connection.close, wire.Connection.reset]
    for round_ in range(2):
        many = [listen(one) for _ in range(STREAMS)]
        assert all(head.status == 200 for _, head in many)
        for _ in range(2):
            refused = one.call("GET", one.events_of, want=503)
            assert refused.headers["Retry-After"]
        for i, (connection, _) in enumerate(many):
            ends[i % 2](connection)
        until(lambda: logged(one, 499),
              lambda n, want=STREAMS * (round_ + 1): n == want, 5)


def test_long_silence(t):
    """No clock cuts a stream, though nothing is said"""
    one = start(t, "--timeout", "1", "--request-timeout", "1")
    # Two long jobs go before the one that is listened to.
    other = learning.Client(t, one.server, "others")
    other.teach(OLD, 100)
    other.tune(**LONG)
    third = learning.Client(t, one.server, "third")
    third.teach(OLD, 10)
    third.events_of = "/v1/fine-tunes/%d/events" % third.tune()["id"]
    many = [listen(third) for _ in range(8)]
    for connection, head in many:
        while head.readline() != b"\n":
            pass
    time.sleep(3)
    assert not any(connection.has_bytes() for connection, _ in many)
    one.server.begin_stop()
    for connection, head in many:
        assert head.read() == LAST_WORDS
        connection.close()
    assert one.server.wait_stopped() == 0


def test_stop(t):
    """SIGTERM ends streams at once, with a comment and an orderly end"""
    one = start(t)
    many = [listen(one) for _ in range(3)]
    began = time.monotonic()
    one.server.begin_stop()
    for connection, head in many:
        assert head.read().endswith(LAST_WORDS)
        connection.close()
    assert one.server.wait_stopped() == 0
    took = time.monotonic() - began
    assert SANITIZED or took < 5, took
    assert logged(one, 200) == len(many), one.server.log()


def post_on(one, connection, i):
    """Posts until the server stops; the ids that were acknowledged."""
    body = b'{"input":[%s],"label":"a"}\n' % b",".join([b"0.5"] * 64)
    request = wire.compose("POST", one.path + "/samples", body,
                           [("Content-Type", learning.NDJSON)])
    ids = []
    while True:
        try:
            connection.send(request)
            reply = connection.read_or_closed()
        except ConnectionError:
            return ids
        if reply is None:
            return ids
        assert reply.status == 201, str(reply)
        ids += reply.json()["ids"]
        if reply.closes:
            return ids


def test_stop_while_posts_wait(t):
    """Posts that wait for the disk at SIGTERM are answered, and kept"""
    one = begin(t)
    with concurrent.futures.ThreadPoolExecutor(64) as pool:
        connections = [one.server.connect() for _ in range(64)]
        posts = [pool.submit(post_on, one, c, i)
                 for i, c in enumerate(connections)]
        time.sleep(0.5)
        one.server.begin_stop()
        ids = [i for post in posts for i in post.result()]
        assert one.server.wait_stopped() == 0
    for connection in connections:
        connection.close()
    assert "lost" not in one.server.log()
    assert len(ids) == len(set(ids)) > 64
    one.server.forget()
    one = begin(t, folder=one.server.folder)
    kept = {sample["id"] for sample in one.listing("limit=1000")}
    assert kept == set(ids), (len(kept), len(ids))
