"""Bad HTTP: requests that servers read differently, clients that stop, drip or
ask too much."""
import time

from support import models, wire

# Short, so that the tests of slow clients are.
ARGS = ("--timeout", "2", "--request-timeout", "2")
BODY = b'{"inputs": [[1, 2, 3, 4]]}'
ENCODE = "/v1/models/one/encode"
HIDDEN = b"GET /healthz?hidden HTTP/1.1\r\nHost: x\r\n\r\n"


def MODELS(folder):
    return models.write(folder, "one", models.compose((4,), models.dense(6)))


def good(t):
    reply = t.call("POST", ENCODE, body=BODY,
                   headers={"Content-Type": "application/json"})
    assert reply.status == 200, str(reply)
    return reply.json()


def post(*headers, body=BODY):
    """A POST as bytes with just these header lines, besides the type."""
    lines = [b"POST %s HTTP/1.1" % ENCODE.encode(),
             b"Content-Type: application/json", *headers]
    return b"\r\n".join(lines) + b"\r\n\r\n" + body


def ends(t, name, data, statuses):
    """One reply of these statuses (None: closed at once), then the end. (The
    library sends the header of its own refusals twice: that may follow.)"""
    with t.server.connect() as connection:
        try:
            connection.send(data)
        except ConnectionError:
            pass
        reply = connection.read_or_closed()
        status = reply.status if reply else None
        assert status in statuses, "%s: %s" % (name, reply)
        rest = connection.read_rest()
        assert b" 200 " not in rest, "%s: something behind it was run: %r" % (
            name, rest)


def test_two_framings(t):
    """A body framed in two ways is refused and nothing behind it is read"""
    before = good(t)
    length = b"Content-Length: %d" % len(BODY)
    chunks = wire.chunked(BODY, 9)
    host = b"Host: x"
    coding = b"Transfer-Encoding: chunked"
    for name, data in (
            ("both", post(host, length, coding, body=chunks)),
            ("both, other order", post(host, coding, length, body=chunks)),
            ("two lengths", post(host, length, b"Content-Length: 3")),
            ("two equal lengths", post(host, length, length)),
            ("a list of lengths", post(host, b"Content-Length: %d, %d" %
                                       (len(BODY), len(BODY)))),
            ("two codings", post(host, coding, coding, body=chunks))):
        ends(t, name, data + HIDDEN, (400, 501))
    assert good(t) == before


def test_unknown_codings(t):
    """Codings but chunked are refused"""
    for coding in (b"gzip", b"identity", b"gzip, chunked", b"chunked, gzip",
                   b"xchunked", b"chunked;a=b", b"\x0bchunked", b""):
        data = post(b"Host: x", b"Transfer-Encoding: " + coding,
                    body=wire.chunked(BODY, 9))
        ends(t, coding, data + HIDDEN, (400, 501))


def test_bad_lengths(t):
    """A length that is no plain number is refused"""
    for length in (b"-1", b"+5", b"0x10", b"1e1", b"5 5", b"", b"abc",
                   b"99999999999999999999999"):
        data = post(b"Host: x", b"Content-Length: " + length)
        ends(t, length, data + HIDDEN, (400, 413))


def test_bad_chunks(t):
    """Chunks that lie are refused or dropped, never run"""
    before = good(t)
    coding = b"Transfer-Encoding: chunked"
    for chunks in (b"zz\r\n" + BODY, b"-5\r\nabcde\r\n0\r\n\r\n",
                   b"ffffffffffffffffff\r\nx", b"5\r\nabcdefgh\r\n0\r\n\r\n"):
        ends(t, chunks[:20], post(b"Host: x", coding, body=chunks) + HIDDEN,
             (400, 413, None))
    assert good(t) == before


def test_hosts(t):
    """HTTP/1.1 without Host is refused"""
    ends(t, "no host", b"GET /healthz HTTP/1.1\r\n\r\n", (400,))


def test_bad_request_lines(t):
    """What is no request is refused or dropped"""
    before = good(t)
    for data in (b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03" + b"x" * 300,
                 b"GET\r\n\r\n", b"GET /healthz\r\n\r\n",
                 b"GET /healthz HTTP/9.9\r\nHost: x\r\n\r\n",
                 b"GET /healthz HTTP/2.0\r\nHost: x\r\n\r\n",
                 b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n",
                 b"\0\0\0\0\r\n\r\n" * 10):
        with t.server.connect() as connection:
            connection.send(data)
            connection.end()
            reply = connection.read_or_closed()
            assert reply is None or reply.status >= 400, "%r: %s" % (
                data[:30], reply)
    assert good(t) == before


def test_long_headers(t):
    """Headers and targets without end are cut off with 431 or 414"""
    before = good(t)
    for data in (b"GET /%s HTTP/1.1\r\nHost: x\r\n\r\n" % (b"a" * 300000),
                 b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: %s\r\n\r\n" % (
                     b"a" * 300000),
                 b"GET /healthz HTTP/1.1\r\nHost: x\r\n%s\r\n" % (
                     b"A: a\r\n" * 60000)):
        ends(t, data[:30], data, (414, 431))
    assert good(t) == before


def test_headers_over_the_limit(t):
    """Headers over 8 KiB are refused as any other request, with its id"""
    for target, value in (("/healthz", "a" * 9000),
                          ("/healthz?" + "a" * 9000, "")):
        reply = t.call("GET", target, headers={"A": value,
                                               "X-Request-Id": "long"})
        assert reply.status == 431, str(reply)
        assert reply.json()["request_id"] == "long", str(reply)
    assert t.call("GET", "/healthz", headers={"A": "a" * 7000}).status == 200


def test_unknown_expectations(t):
    """An Expect other than 100-continue gets 417"""
    kind = {"Content-Type": "application/json"}
    for value, status in (("foo", 417), ("100-continue, foo", 417),
                          ("100-Continue", 200)):
        reply = t.call("POST", ENCODE, body=BODY,
                       headers={**kind, "Expect": value})
        assert reply.status == status, "%s: %s" % (value, reply)


def test_pipelining(t):
    """Requests sent ahead are answered in order, each with its own reply"""
    before = good(t)
    data = b""
    for i in range(20):
        ident = ("X-Request-Id", "p%d" % i)
        data += wire.compose("GET", "/healthz", b"", [ident])
        data += wire.compose("POST", ENCODE, BODY,
                             [("Content-Type", "application/json"), ident])
        data += wire.compose("GET", "/nothing", b"", [ident])
    with t.server.connect() as connection:
        connection.send(data)
        for i in range(20):
            for status in (200, 200, 404):
                reply = connection.read()
                assert reply.status == status, str(reply)
                assert reply.headers["X-Request-Id"] == "p%d" % i
                if b"codes" in reply.body:
                    assert reply.json() == before


def test_errors_keep_the_connection(t):
    """After an error that read its whole body the connection goes on"""
    with t.server.connect() as connection:
        for body, status in ((b'{"inputs": [[1]]}', 422), (BODY, 200),
                             (b"{", 400), (BODY, 200)):
            connection.send(wire.compose(
                "POST", ENCODE, body, [("Content-Type", "application/json")]))
            assert connection.read().status == status


def test_early_refusals_read_on_or_close(t):
    """A refusal before the body never takes the body for a request"""
    before = good(t)
    for target, kind, status in (("/v1/models/none/x", "application/json",
                                  404), (ENCODE, "text/plain", 415),
                                 ("/healthz", "application/json", 405)):
        body = HIDDEN * 3
        with t.server.connect() as connection:
            connection.send(wire.compose("POST", target, body,
                                         [("Content-Type", kind)]))
            assert connection.read().status == status
            if not connection_goes_on(connection):
                continue
            reply = connection.read()
            assert reply.headers["X-Request-Id"] == "next", str(reply)
            assert reply.status == 200, str(reply)
    assert good(t) == before


def connection_goes_on(connection):
    """Sends one more request; false if the server has closed."""
    try:
        connection.send(wire.compose("GET", "/healthz", b"",
                                     [("X-Request-Id", "next")]))
        return connection.stream.file.peek(1) != b""
    except ConnectionError:
        return False


def test_clients_that_stop(t):
    """A client that stops anywhere leaves nothing behind"""
    before = good(t)
    data = wire.compose("POST", ENCODE, BODY,
                        [("Content-Type", "application/json")])
    for length in range(0, len(data), 7):
        for leave in (wire.Connection.close, wire.Connection.reset):
            connection = t.server.connect()
            connection.send(data[:length])
            leave(connection)
    with t.server.connect() as connection:
        connection.send(data[:-5])
        connection.end()
        reply = connection.read_or_closed()
        assert reply is None or reply.status in (400, 408), str(reply)
    assert good(t) == before


def test_clients_that_do_not_read(t):
    """A client that goes before its answer disturbs nobody"""
    before = good(t)
    rows = b",".join([b"[1,2,3,4]"] * 1024)
    for _ in range(5):
        connection = t.server.connect()
        connection.send(wire.compose(
            "POST", "/v1/models/one/infer?format=dense",
            b'{"inputs":[%s]}' % rows, [("Content-Type",
                                         "application/json")]))
        connection.reset()
    assert good(t) == before


def test_slow_but_steady(t):
    """A request that comes in small pieces is answered"""
    data = wire.compose("POST", ENCODE, BODY,
                        [("Content-Type", "application/json")])
    with t.server.connect() as connection:
        connection.send_slowly(data, 30, 0.01)
        assert connection.read().json() == good(t)


def drip(t, connection, data):
    """Sends byte by byte until the server ends it; others are served
    meanwhile."""
    for i in range(len(data)):
        try:
            connection.send(data[i:i + 1])
        except ConnectionError:
            return
        if connection.has_bytes():
            return
        time.sleep(0.05)
        if i % 10 == 0:
            good(t)
    raise AssertionError("all bytes were taken, for %d s" % (len(data) // 20))


def test_headers_that_drip(t):
    """Headers that drip are cut off, and others served meanwhile"""
    with t.server.connect() as connection:
        drip(t, connection,
             b"GET /healthz HTTP/1.1\r\nHost: x\r\nA: " + b"a" * 400)
        reply = connection.read_or_closed()
        assert reply is None or reply.status == 408, str(reply)


def test_bodies_that_drip(t):
    """A body that drips, or stops half way, gets 408, and then the end"""
    for pieces in (b" " * 400, b""):
        with t.server.connect() as connection:
            connection.send(post(b"Host: x", b"Content-Length: 1000",
                                 body=b" " * 100))
            if pieces:
                drip(t, connection, pieces)
            reply = connection.read()
            assert reply.status == 408, str(reply)
            assert connection.is_closed()
    good(t)


def test_silence(t):
    """A connection without a request is closed after a while"""
    with t.server.connect(seconds=30) as connection:
        assert connection.is_closed()
