"""Bad bodies that are no JSON, wrong types, wrong methods, bodies too long."""
import numpy as np
from support import digits, models, wire

LIMIT = 64 << 20
JSON = "application/json"
ENCODE = "/v1/models/one/encode"


def MODELS(folder):
    return models.write(folder, "one", models.compose((4, 6), models.dense(9)))


def good(t):
    reply = t.call("POST", ENCODE, {"inputs": [[0.5] * 24]})
    assert reply.status == 200, str(reply)
    return reply.json()


def refuse(t, name, body, kind, status, *words, path=ENCODE):
    before = good(t)
    headers = {"Content-Type": kind} if kind else {}
    reply = t.call("POST", path, body=body, headers=headers)
    assert reply.status == status, "%s: %s, want %d" % (name, reply, status)
    detail = reply.json()["detail"]
    for word in words:
        assert word in detail, "%s: no %r in %r" % (name, word, detail)
    assert good(t) == before, name
    return reply


def test_content_types(t):
    """Missing, unknown and malformed content types are 415, with the remedy"""
    body = b'{"inputs": [[0]]}'
    for kind in (None, "", "text/plain", "application/x-www-form-urlencoded",
                 "multipart/form-data; boundary=x", "json", "/", "*/*",
                 "application/json2", "application/octet-stream",
                 "image/gif", "application/jsonx; a=b", "x" * 2000):
        reply = refuse(t, repr(kind), body, kind, 415, JSON)
        assert JSON in reply.headers["Accept-Post"], str(reply.headers)
    refuse(t, "a picture for decode", digits.png(np.zeros((4, 6))),
           "image/png", 415, path="/v1/models/one/decode")


def test_body_and_type_disagree(t):
    """A body that is not of its type is malformed"""
    png = digits.png(np.zeros((4, 6)))
    refuse(t, "PNG as JSON", png, JSON, 400)
    refuse(t, "PNG as npy", png, "application/x-npy", 400)
    refuse(t, "JSON as PNG", b'{"inputs": []}', "image/png", 400)
    refuse(t, "JSON as npy", b'{"inputs": []}', "application/x-npy", 400)


def test_methods(t):
    """A wrong method is 405 and Allow names the right ones"""
    for path, methods, allow in (
            (ENCODE, ("GET", "PUT", "DELETE", "PATCH"), {"POST"}),
            ("/v1/models/one", ("POST", "PUT", "DELETE"), {"GET", "HEAD"}),
            ("/healthz", ("POST", "DELETE"), {"GET", "HEAD"}),
            ("/openapi.yaml", ("PUT",), {"GET", "HEAD"})):
        for method in methods:
            reply = t.call(method, path)
            assert reply.status == 405, "%s %s: %s" % (method, path, reply)
            got = set(reply.headers["Allow"].replace(",", " ").split())
            assert got == allow | {"OPTIONS"}, got


def test_corrupt_png(t):
    """A PNG cut or changed anywhere is refused or read, cleanly"""
    png = digits.png(np.arange(24).reshape(4, 6))
    before = good(t)
    for length in range(0, len(png) - 12):
        reply = t.call("POST", ENCODE, body=png[:length],
                       headers={"Content-Type": "image/png"})
        assert reply.status == 400, "cut at %d: %s" % (length, reply)
        assert reply.json()["detail"], str(reply)
    for at in range(len(png)):
        changed = png[:at] + bytes([png[at] ^ 0x55]) + png[at + 1:]
        reply = t.call("POST", ENCODE, body=changed,
                       headers={"Content-Type": "image/png"})
        assert reply.status in (200, 400, 413), "at %d: %s" % (at, reply)
    assert good(t) == before


def test_huge_png(t):
    """A tiny PNG that claims 60000 x 60000 is 413 before any pixel is made"""
    png = digits.png(np.zeros((4, 6)), width=60000, height=60000)
    refuse(t, "60000 x 60000", png, "image/png", 413, "60000")
    refuse(t, "60000 x 1", digits.png(np.zeros((1, 6)), width=60000),
           "image/png", 413, "60000")
    # What libpng itself takes for no PNG.
    refuse(t, "all ones", digits.png(np.zeros((1, 6)), 2**31 - 1, 2**31 - 1),
           "image/png", 400)
    refuse(t, "more than a PNG can have",
           digits.png(np.zeros((1, 6)), height=2**32 - 1), "image/png", 400)


def test_corrupt_jpeg(t):
    """What only begins like a JPEG is refused"""
    for body in (b"\xff\xd8", b"\xff\xd8\xff\xe0" + b"\0" * 100,
                 b"\xff\xd8" + b"\xff" * 5000, b"\xff\xd8\xff\xd9"):
        refuse(t, repr(body[:8]), body, "image/jpeg", 400)


def npy(header, data=b"", version=b"\1\0"):
    text = header.encode() + b"\n"
    size = len(text).to_bytes(2 if version == b"\1\0" else 4, "little")
    return b"\x93NUMPY" + version + size + text + data


def test_corrupt_npy(t):
    """npy headers that lie, trail or want code run are refused"""
    row = np.zeros(24, "<f4").tobytes()
    head = "{'descr': '%s', 'fortran_order': %s, 'shape': %s, }"

    def make(descr="<f4", order="False", shape="(1, 24)", data=row):
        return npy(head % (descr, order, shape), data)

    for name, body in (
            ("empty", b""), ("magic only", b"\x93NUMPY"),
            ("no header", b"\x93NUMPY\1\0\xff\xff"),
            ("version 9", npy(head % ("<f4", "False", "(1, 24)"), row,
                              b"\x09\0")),
            ("header longer than the file", npy("x")[:8] + b"\xff\xff"),
            ("data cut", make(data=row[:-1])), ("data left over",
                                                make(data=row + b"\0")),
            ("objects", make("|O")), ("texts", make("<U4")),
            ("complex", make("<c8")), ("float of 3 bytes", make("<f3")),
            ("negative size", make(shape="(-1, 24)")),
            ("overflow", make(shape="(4294967296, 4294967296, 24)")),
            ("overflow to right", make(
                shape="(1, 24, 4611686018427387905)", data=row)),
            ("fraction", make(shape="(1.0, 24)")),
            ("code", make(shape="__import__('os')")),
            ("no shape", npy("{'descr': '<f4', 'fortran_order': False}", row)),
            ("unknown key", npy(
                "{'descr': '<f4', 'fortran_order': False, 'shape': (24,), "
                "'x': 1}", row)),
            ("structured", make("[('a', '<f4')]"))):
        refuse(t, name, body, "application/x-npy", 400)


def test_npy_of_wrong_shapes(t):
    """npy arrays of other shapes, or not finite, are 422 with both shapes"""
    for array in (np.zeros(23), np.zeros((2, 25)), np.zeros((0, 24)),
                  np.zeros((6, 4)), np.zeros((1, 1, 24)), np.float64(1)):
        refuse(t, str(np.shape(array)), digits.npy(array),
               "application/x-npy", 422)
    refuse(t, "1,025 rows", digits.npy(np.zeros((1025, 24))),
           "application/x-npy", 413, "1024")
    for value in (np.nan, np.inf, -np.inf, 1e39):
        row = np.zeros((2, 24))
        row[1, 7] = value
        refuse(t, str(value), digits.npy(row), "application/x-npy", 422,
               "finite")


def head(length=None):
    lines = [b"POST %s HTTP/1.1" % ENCODE.encode(), b"Host: x",
             b"Content-Type: application/json"]
    lines.append(b"Transfer-Encoding: chunked" if length is None else
                 b"Content-Length: %d" % length)
    return b"\r\n".join(lines) + b"\r\n\r\n"


def test_body_limit_announced(t):
    """A body announced over 64 MiB is refused before it is sent"""
    before = good(t)
    for length in (LIMIT + 1, 1 << 40, 2**63 - 1):
        with t.server.connect() as connection:
            connection.send(head(length))
            reply = connection.read()
            assert reply.status == 413, str(reply)
            assert "64" in reply.json()["detail"] or (
                str(LIMIT) in reply.json()["detail"]), str(reply)
            assert connection.is_closed()
    assert good(t) == before


def test_body_limit_expect(t):
    """Expect: 100-continue gets the refusal instead of a go-ahead"""
    with t.server.connect() as connection:
        connection.send(head(LIMIT + 1)[:-2] +
                        b"Expect: 100-continue\r\n\r\n")
        line = connection.stream.file.readline()
        assert b" 413 " in line, line


def test_go_ahead(t):
    """Expect: 100-continue gets a go-ahead for what will be read"""
    body = b'{"inputs": [[%s]]}' % b",".join([b"1"] * 24)
    with t.server.connect() as connection:
        connection.send(head(len(body))[:-2] + b"Expect: 100-continue\r\n\r\n")
        line = connection.stream.file.readline()
        assert b" 100 " in line, line
        assert connection.stream.file.readline() == b"\r\n"
        connection.send(body)
        assert connection.read().status == 200


def test_body_limit_chunked(t):
    """A chunked body is cut off at 64 MiB"""
    before = good(t)
    piece = b"%x\r\n%s\r\n" % (1 << 20, b" " * (1 << 20))
    with t.server.connect() as connection:
        try:
            connection.send(head())
            for _ in range(66):
                connection.send(piece)
            connection.send(b"0\r\n\r\n")
        except ConnectionError:
            pass  # it need not listen to the end
        reply = connection.read_or_closed()
        assert reply is None or reply.status == 413, str(reply)
    assert good(t) == before


def test_body_at_the_limit(t):
    """A body of exactly 64 MiB is read"""
    head, tail = b'{"inputs": [[', b",".join([b"0.5"] * 24) + b"]]}"
    body = head + b" " * (LIMIT - len(head) - len(tail)) + tail
    reply = t.call("POST", ENCODE, body=body, headers={"Content-Type": JSON})
    assert reply.status == 200 and reply.json() == good(t), str(reply)


def test_chunked(t):
    """Chunks of any size make one body"""
    body = b'{"inputs": [[%s]]}' % b",".join([b"0.5"] * 24)
    want = good(t)
    for size in (1, 7, 100, 10000):
        with t.server.connect() as connection:
            connection.send(head() + wire.chunked(body, size))
            assert connection.read().json() == want


def test_bodies_of_get(t):
    """A body that a GET brings along is refused and read past"""
    with t.server.connect() as connection:
        for _ in range(3):
            connection.send(wire.compose("GET", "/healthz", b"x" * 1000))
            assert connection.read().status == 413
            connection.send(wire.compose("GET", "/healthz"))
            assert connection.read().status == 200
