"""Packed bodies: what they mean, those that are damaged, bombs."""
import gzip
import json
import re
import zlib

from support import models, wire
from support.manners import BODY, ENCODE, JSON, ask, good, own_problem

ARGS = ("--max-body", "1MiB", "--request-timeout", "2")


def MODELS(folder):
    return models.write(folder, "one", models.compose((4,), models.dense(6)))


def coded(t, coding, body, target=ENCODE):
    return ask(t, "POST", target, body, JSON, ("Content-Encoding", coding))


def test_packed_bodies(t):
    """A packed body means what the plain one does, whole or in chunks"""
    want = good(t)
    for coding, body in (("gzip", gzip.compress(BODY)),
                         ("GZip", gzip.compress(BODY, 1)),
                         ("x-gzip", gzip.compress(BODY)),
                         ("deflate", zlib.compress(BODY)),
                         ("gzip", gzip.compress(BODY[:9])
                          + gzip.compress(b"") + gzip.compress(BODY[9:])),
                         ("identity", BODY), ("", BODY)):
        reply = coded(t, coding, body)
        assert reply.status == 200 and reply.json() == want, str(reply)
        reply = ask(t, "POST", ENCODE, wire.chunked(body, 7), JSON,
                    ("Content-Encoding", coding),
                    ("Transfer-Encoding", "chunked"))
        assert reply.status == 200 and reply.json() == want, str(reply)


def test_every_route(t):
    """Every route that takes a body takes a packed one"""
    for method, target, body, statuses in (
            ("POST", "/v1/models/one/infer", {"inputs": [[1, 2, 3, 4]]}, 200),
            ("POST", "/v1/models/one/versions/1/pool",
             {"inputs": [[1, 2, 3, 4]]}, 200),
            ("POST", "/v1/models/one/decode", {"codes": [[0] * 6]}, 200),
            ("POST", "/v1/models/one/samples",
             {"inputs": [[1, 2, 3, 4]], "labels": ["0"]}, 201),
            ("PUT", "/v1/models/one/samples/1/label", {"label": "1"}, 200)):
        reply = ask(t, method, target, gzip.compress(json.dumps(body).encode()),
                    JSON, ("Content-Encoding", "gzip"))
        assert reply.status == statuses, "%s: %s" % (target, reply)


def test_unknown_codings(t):
    """Other codings, and lists, get 415 with those that are known"""
    body = gzip.compress(BODY)
    for coding in ("br", "compress", "zstd", "gzip, gzip", "identity, gzip",
                   "gzip,", "gzip;q=1", "*", "gzip\x0b", "x" * 200):
        reply = coded(t, coding, body)
        detail = own_problem(reply, 415)
        assert "gzip, deflate" in detail, detail
        assert reply.headers["Accept-Encoding"] == "gzip, deflate"
        assert "application/json" in reply.headers["Accept-Post"]
    reply = ask(t, "POST", ENCODE, gzip.compress(body), JSON,
                ("Content-Encoding", "gzip"), ("Content-Encoding", "gzip"))
    own_problem(reply, 400)


def test_damaged_bodies(t):
    """A body that is cut, changed, or followed by something gets 400, and the
    connection goes on"""
    want = good(t)
    whole = {"gzip": gzip.compress(BODY), "deflate": zlib.compress(BODY)}
    with t.server.connect() as connection:
        for coding, body in whole.items():
            bad = [body[:n] for n in range(1, len(body))]
            bad += [body + tail for tail in (b"\0", b"{}", body[:5])]
            bad += [bytes(b ^ 0xff if i == at else b
                          for i, b in enumerate(body))
                    for at in range(10, len(body))]
            bad += [BODY, b"\x1f\x8b", b"x", zlib.compress(BODY)[2:-4],
                    body + b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"]
            for one in bad:
                connection.send(wire.compose(
                    "POST", ENCODE, one, [JSON, ("Content-Encoding", coding)]))
                detail = own_problem(connection.read(), 400)
                assert "Content-Encoding" in detail, detail
        connection.send(wire.compose("POST", ENCODE, whole["gzip"],
                                     [JSON, ("Content-Encoding", "gzip")]))
        assert connection.read().json() == want


def test_twice_packed(t):
    """Only one coding is taken off"""
    own_problem(coded(t, "gzip", gzip.compress(gzip.compress(BODY))), 400)


def bomb(size):
    """So many spaces, packed to a thousandth."""
    packer = zlib.compressobj(9, zlib.DEFLATED, 31)
    piece = b" " * (1 << 20)
    out = [packer.compress(piece) for _ in range(size >> 20)]
    return b"".join(out) + packer.compress(b" " * (size & (1 << 20) - 1)) \
        + packer.flush()


def test_the_limit_is_of_the_plain_body(t):
    """A body may inflate to --max-body and not a byte more"""
    size = 1 << 20
    text = BODY.replace(b"4", b" " * (size - len(BODY)) + b"4")
    reply = coded(t, "gzip", gzip.compress(text))
    assert len(text) == size and reply.json() == good(t), str(reply)
    detail = own_problem(coded(t, "gzip", gzip.compress(text + b" ")), 413)
    assert "--max-body" in detail, detail
    own_problem(coded(t, "deflate", zlib.compress(text + b" ")), 413)


def test_bombs(t):
    """Bombs stop at the limit, whatever length they claim, and memory with
    them"""
    body = bomb(1 << 28)
    shy = body[:-4] + (26).to_bytes(4, "little")
    nested = gzip.compress(gzip.compress(bomb(1 << 30), 9), 9)
    assert len(nested) < 4096, len(nested)
    for _ in range(3):
        for one, status in ((body, 413), (shy, 413), (nested, 400)):
            own_problem(coded(t, "gzip", one), status)
    peak = re.search(r"VmHWM:\s+(\d+) kB", open(
        "/proc/%d/status" % t.server.process.pid).read())[1]
    assert int(peak) < 300000, "%s kB" % peak
    good(t)


def test_lying_lengths(t):
    """A packed body whose Content-Length lies is no reason to read on"""
    want = good(t)
    body = gzip.compress(BODY)
    for length in (len(body) - 3, len(body) + 3):
        with t.server.connect() as connection:
            connection.send(wire.compose(
                "POST", ENCODE, body,
                [JSON, ("Content-Encoding", "gzip"),
                 ("Content-Length", str(length))]))
            connection.end()
            reply = connection.read_or_closed()
            assert reply is None or reply.status in (400, 408), str(reply)
    assert good(t) == want


def test_expect(t):
    """Who asks first is told to go on, or why not, before the body"""
    body = gzip.compress(BODY)
    for coding, length, status in (("gzip", len(body), 200),
                                   ("br", len(body), 415),
                                   ("gzip", 1 << 21, 413)):
        with t.server.connect() as connection:
            connection.send(wire.compose("POST", ENCODE, b"", [
                JSON, ("Content-Encoding", coding), ("Expect", "100-continue"),
                ("Content-Length", str(length))]))
            line = connection.stream.file.peek(12)[:12]
            if status == 200:
                assert line == b"HTTP/1.1 100", line
                connection.send(body)
            else:
                assert line == b"HTTP/1.1 %d" % status, line
            assert connection.read().status == status
