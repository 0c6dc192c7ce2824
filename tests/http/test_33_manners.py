"""Manners: packed replies, OPTIONS, HEAD, CORS, what a client says of its time
and its trace."""
import gzip
import json
import re
import signal
import subprocess
import time
import zlib

from support import models, wire
from support.manners import BODY, ENCODE, JSON, ask, good, own_problem

LISTED = "https://a.example"
HERE = ("Host", "localhost")  # pages of others are refused elsewhere
ARGS = ("--cors-origins", LISTED + ",http://localhost:3000")
MANY = b'{"inputs": [%s]}' % b",".join([b"[1, 2, 3, 4]"] * 60)
WIDE = "/v1/models/wide/encode?format=dense"


def MODELS(folder):
    models.write(folder, "one", models.compose((4,), models.dense(6)))
    models.write(folder, "deep", models.compose(
        (4,), *[models.dense(6, "feedforward") for _ in range(8)]))
    return models.write(folder, "wide",
                        models.compose((4,), models.dense(400)))


def plain(reply):
    """The body, unpacked as its header says."""
    coding = reply.headers["Content-Encoding"]
    if coding is None:
        return reply.body
    return zlib.decompress(reply.body, 31 if coding == "gzip" else 15)


# ---- replies ----

def test_packed_replies(t):
    """Replies are packed as the client likes best, and say so"""
    want = json.loads(plain(ask(t, "POST", WIDE, MANY, JSON)))
    for accept, coding in (
            (None, None), ("", None), ("identity", None), ("*", None),
            ("br, zstd", None), ("gzip", "gzip"), ("deflate", "deflate"),
            ("gzip, deflate", "gzip"), ("deflate, gzip", "deflate"),
            ("gzip;q=0.1, deflate;q=0.2", "deflate"), ("gzip;q=0", None),
            ("identity;q=0.5, gzip;q=0.1", None), ("gzip;;;q", "gzip"),
            (",,,;q=1,gzip", "gzip"), ("x" * 3000 + ", gzip", "gzip")):
        headers = [JSON] + [("Accept-Encoding", accept)] * (accept is not None)
        reply = ask(t, "POST", WIDE, MANY, *headers)
        assert reply.status == 200, str(reply)
        assert reply.headers["Content-Encoding"] == coding, accept
        assert reply.headers.get_all("Vary") == ["Accept-Encoding", "Origin"]
        assert json.loads(plain(reply)) == want
        assert int(reply.headers["Content-Length"]) == len(reply.body)


def test_files_and_lists(t):
    """The page, the contract and the lists come packed too"""
    for target in ("/openapi.yaml", "/", "/app.js", "/style.css"):
        bare = ask(t, "GET", target)
        for coding in ("gzip", "deflate"):
            for _ in range(2):
                reply = ask(t, "GET", target, b"", ("Accept-Encoding", coding))
                assert reply.headers["Content-Encoding"] == coding, target
                assert plain(reply) == bare.body, target
                assert len(reply.body) < len(bare.body) / 2, target


def test_what_stays_plain(t):
    """Short replies, errors and pictures are not packed"""
    ask_packed = ("Accept-Encoding", "gzip, deflate")
    for method, target, body, headers in (
            ("POST", ENCODE, BODY, (JSON,)),
            ("GET", "/healthz", b"", ()),
            ("GET", "/v1/models/one/atoms.png", b"", ()),
            ("GET", "/nothing", b"", ()),
            ("POST", ENCODE, b"{}", (JSON,)),
            ("GET", "/v2/nothing", b"", ())):
        reply = ask(t, method, target, body, ask_packed, *headers)
        assert reply.headers["Content-Encoding"] is None, target
        assert "Accept-Encoding" not in reply.headers.get_all("Vary"), target


def test_tags(t):
    """A packed reply has a tag of its own, by which it is known again"""
    target = "/v1/models/deep"
    bare = ask(t, "GET", target).headers["ETag"]
    packed = ask(t, "GET", target, b"",
                 ("Accept-Encoding", "gzip")).headers["ETag"]
    assert packed == bare[:-1] + '-gzip"', packed
    for tag in (bare, packed, bare[:-1] + '-deflate"'):
        reply = ask(t, "GET", target, b"", ("If-None-Match", tag))
        assert reply.status == 304 and reply.headers["ETag"] == tag, str(reply)
        assert "Accept-Encoding" in reply.headers.get_all("Vary")
        reply = ask(t, "POST", target + "/versions/1/activate", b"",
                    ("If-Match", tag))
        assert reply.status == 200, str(reply)
    reply = ask(t, "POST", target + "/versions/1/activate", b"",
                ("If-Match", '"0-gzip"'))
    assert reply.status == 412, str(reply)


def test_unpacked_by_setting(t):
    """--compress=false packs nothing, and takes packed bodies all the same"""
    server = t.start(MODELS(t.folder()), ["--compress=false"])
    server.wait_ready()
    reply = server.ask("POST", WIDE, gzip.compress(MANY),
                       [JSON, ("Content-Encoding", "gzip"),
                        ("Accept-Encoding", "gzip")])
    assert reply.status == 200, str(reply)
    assert reply.headers["Content-Encoding"] is None
    assert reply.headers["Vary"] is None


def test_curl(t):
    """curl --compressed gets what curl gets"""
    for target in ("/openapi.yaml", "/v1/models"):
        outs = [subprocess.run(["curl", "-sf", *flags, t.server.url + target],
                               check=True, capture_output=True).stdout
                for flags in ((), ("--compressed",))]
        assert outs[0] and outs[0] == outs[1], target


def test_pipelining(t):
    """Packed and plain, quick and slow requests sent ahead are answered in
    order"""
    want = json.loads(plain(ask(t, "POST", WIDE, MANY, JSON)))
    data = b""
    for i in range(10):
        ident = ("X-Request-Id", "p%d" % i)
        data += wire.compose("POST", WIDE, gzip.compress(MANY), [
            JSON, ident, ("Content-Encoding", "gzip"),
            ("Accept-Encoding", "gzip")])
        data += wire.compose("OPTIONS", WIDE, b"", [ident])
        data += wire.compose("POST", WIDE, MANY,
                             [JSON, ident, ("Accept-Encoding", "deflate")])
        data += wire.compose("HEAD", "/openapi.yaml", b"",
                             [ident, ("Accept-Encoding", "gzip")])
    with t.server.connect() as connection:
        connection.send(data)
        for i in range(10):
            for method in ("POST", "OPTIONS", "POST", "HEAD"):
                reply = connection.read(method)
                assert reply.headers["X-Request-Id"] == "p%d" % i
                if method == "POST":
                    assert json.loads(plain(reply)) == want


def test_clients_that_leave(t):
    """A client that goes while its reply is packed disturbs nobody"""
    for _ in range(20):
        connection = t.server.connect()
        connection.send(wire.compose("POST", WIDE, MANY, [
            JSON, ("Accept-Encoding", "gzip")]))
        connection.reset()
    good(t)


# ---- methods ----

def test_head(t):
    """HEAD has the headers of GET and no body"""
    for target in ("/healthz", "/readyz", "/openapi.yaml", "/", "/app.js",
                   "/v1/models", "/v1/models/one", "/v1/models/one/units/0",
                   "/v1/models/one/atoms.png", "/v1/models/one/versions",
                   "/v1/models/one/samples", "/v1/fine-tunes",
                   "/nothing", "/v1/models/none"):
        for accept in ("identity", "gzip"):
            pairs = [("Accept-Encoding", accept), ("X-Request-Id", "same")]
            with t.server.connect() as connection:
                both = []
                for method in ("GET", "HEAD"):
                    connection.send(wire.compose(method, target, b"", pairs))
                    both.append(connection.read(method))
            got, head = [[pair for pair in sorted(r.headers.items())
                          if pair[0] != "Date"] for r in both]
            assert both[0].status == both[1].status, target
            assert both[1].body == b"", target
            assert got == head, "%s: %s, %s" % (target, got, head)


def test_options(t):
    """OPTIONS tells the methods of every path, and the connection goes on"""
    with t.server.connect() as connection:
        for target, methods in (
                ("/healthz", "GET HEAD OPTIONS"),
                ("/app.js", "GET HEAD OPTIONS"),
                (ENCODE, "OPTIONS POST"),
                ("/v1/models/none/samples",
                 "DELETE GET HEAD OPTIONS POST"),
                ("*", "DELETE GET HEAD OPTIONS POST PUT"),
                ("/v1/models?hidden=1", "GET HEAD OPTIONS")):
            connection.send(wire.compose("OPTIONS", target))
            reply = connection.read("OPTIONS")
            assert reply.status == 204 and reply.body == b"", str(reply)
            assert reply.headers["Content-Type"] is None, str(reply)
            got = sorted(reply.headers["Allow"].split(", "))
            assert got == methods.split(), "%s: %s" % (target, got)
        connection.send(wire.compose("OPTIONS", "/nothing"))
        own_problem(connection.read(), 404)


def test_refused_methods(t):
    """TRACE, CONNECT and unknown methods are refused"""
    assert own_problem(ask(t, "TRACE", "/healthz"), 405)
    own_problem(ask(t, "CONNECT", "example.org:443"), 501)
    reply = ask(t, "BREW", "/healthz")
    own_problem(reply, 405)
    assert reply.headers["Allow"] == "GET, HEAD, OPTIONS"


# ---- other sites ----

def test_listed_origins(t):
    """Pages of listed origins may read every reply, errors too"""
    for method, target, headers in (
            ("GET", "/v1/models", ()), ("GET", "/nothing", ()),
            ("POST", ENCODE, (JSON,)), ("DELETE", "/healthz", ()),
            ("POST", ENCODE, (JSON, ("Content-Encoding", "br"))),
            ("POST", ENCODE, (JSON, ("Request-Timeout", "soon"))),
            ("GET", "/openapi.yaml", ())):
        body = b"x" if method == "POST" else b""
        reply = ask(t, method, target, body, ("Origin", LISTED), *headers)
        assert reply.headers["Access-Control-Allow-Origin"] == LISTED, target
        exposed = reply.headers["Access-Control-Expose-Headers"].split(", ")
        assert {"ETag", "X-Request-Id", "Retry-After"} <= set(exposed)
        assert "Origin" in reply.headers.get_all("Vary"), target
        assert reply.headers["Access-Control-Allow-Credentials"] is None


def cors_headers(reply):
    return [name for name in reply.headers
            if name.lower().startswith("access-control-")]


def test_other_origins(t):
    """Others, and who has none, are told nothing"""
    for origin in (None, "https://b.example", "null", "*", "", LISTED + ".evil",
                   LISTED + ":443", LISTED.upper(), "https://" + "a" * 3000):
        pairs = [("Origin", origin)] * (origin is not None)
        for method in ("GET", "OPTIONS"):
            reply = ask(t, method, "/v1/models", b"", HERE, *pairs,
                        ("Access-Control-Request-Method", "GET"))
            assert reply.status in (200, 204), str(reply)
            assert cors_headers(reply) == [], origin
            assert "Origin" in reply.headers.get_all("Vary"), origin


def test_preflights(t):
    """A preflight is told methods, headers that are known, and for how long"""
    pairs = [("Origin", LISTED), ("Access-Control-Request-Method", "POST"),
             ("Access-Control-Request-Headers",
              "authorization,content-type,if-match,x-evil")]
    reply = ask(t, "OPTIONS", ENCODE, b"", *pairs)
    assert reply.status == 204, str(reply)
    assert reply.headers["Access-Control-Allow-Origin"] == LISTED
    assert reply.headers["Access-Control-Allow-Methods"] == "POST, OPTIONS"
    assert reply.headers["Access-Control-Allow-Headers"] == (
        "Authorization, Content-Type, If-Match")
    assert int(reply.headers["Access-Control-Max-Age"]) > 0


def test_no_origins(t):
    """Without --cors-origins nobody is told anything; with a wrong one the
    server does not start"""
    server = t.start(MODELS(t.folder()))
    reply = server.ask("GET", "/healthz", b"", [("Origin", LISTED)])
    assert cors_headers(reply) == [] and reply.headers["Vary"] is None
    star = t.start(MODELS(t.folder()), ["--cors-origins", "*"])
    reply = star.ask("GET", "/healthz", b"", [("Origin", LISTED)])
    assert reply.headers["Access-Control-Allow-Origin"] == "*"
    assert reply.headers["Vary"] is None
    try:
        t.start(MODELS(t.folder()), ["--cors-origins", "a.example"])
    except AssertionError as e:
        assert "--cors-origins" in str(e) and "a.example" in str(e), str(e)
    else:
        raise AssertionError("it starts with an origin that is none")


def test_reload(t):
    """SIGHUP changes both settings, and keeps what it had if one is wrong"""
    file = t.folder() / "settings.json"

    def reload(want, **settings):
        file.write_text(json.dumps(settings))
        server.process.send_signal(signal.SIGHUP)
        end = time.monotonic() + wire.SECONDS
        while True:
            reply = server.ask("GET", "/openapi.yaml", b"", [
                HERE, ("Origin", LISTED), ("Accept-Encoding", "gzip")])
            got = (reply.headers["Content-Encoding"],
                   reply.headers["Access-Control-Allow-Origin"])
            if got == want:
                return
            assert time.monotonic() < end, got
            time.sleep(0.02)

    file.write_text("{}")
    server = t.start(MODELS(t.folder()), ["--config", str(file)])
    reload(("gzip", LISTED), **{"cors-origins": LISTED})
    reload((None, LISTED), **{"cors-origins": "a.example", "compress": False})
    reload((None, "*"), **{"cors-origins": "*", "compress": False})
    reload(("gzip", None))


# ---- single headers ----

def test_request_timeout(t):
    """A Request-Timeout that is none is refused"""
    for text in ("1", "0.5", "3600", "0.001"):
        reply = ask(t, "GET", "/v1/models", b"", ("Request-Timeout", text))
        assert reply.status == 200, "%s: %s" % (text, reply)
    for text in ("0", "-1", "3601", "1e3", "soon", "", "1 s", "nan"):
        reply = ask(t, "GET", "/v1/models", b"", ("Request-Timeout", text))
        assert "Request-Timeout" in own_problem(reply, 400), text


def test_traces(t):
    """Whatever a traceparent says, the request is answered"""
    trace = "0af7651916cd43dd8448eb211c80319c"
    for text in ("00-%s-b7ad6b7169203331-01" % trace,
                 "ff-%s-b7ad6b7169203331-01" % trace, "", "\xff" * 55,
                 "-" * 55, "0" * 4000):
        reply = ask(t, "GET", "/healthz", b"", ("traceparent", text))
        assert reply.status == 200, str(reply)
        assert reply.headers["traceparent"] is None
        assert trace not in str(reply.headers)
