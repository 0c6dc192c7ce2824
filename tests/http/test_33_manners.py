"""Manners: packed bodies and replies, OPTIONS, HEAD, CORS, what a client says of
its time and its trace."""
import gzip
import json
import re
import subprocess
import zlib

from support import models, wire

LISTED = "https://a.example"
ARGS = ("--max-body", "1MiB", "--request-timeout", "2", "--cors-origins",
        LISTED + ",http://localhost:3000")
JSON = ("Content-Type", "application/json")
BODY = b'{"inputs": [[1, 2, 3, 4]]}'
ENCODE = "/v1/models/one/encode"
MANY = b'{"inputs": [%s]}' % b",".join([b"[1, 2, 3, 4]"] * 60)
WIDE = "/v1/models/wide/encode?format=dense"


def MODELS(folder):
    models.write(folder, "one", models.compose((4,), models.dense(6)))
    return models.write(folder, "wide",
                        models.compose((4,), models.dense(400)))


def ask(t, method, target, body=b"", *headers):
    """One request with these headers, on a connection of its own."""
    return t.server.ask(method, target, body, headers)


def good(t):
    """What a plain request of BODY is answered."""
    reply = ask(t, "POST", ENCODE, BODY, JSON)
    assert reply.status == 200, str(reply)
    return reply.json()


def coded(t, coding, body, target=ENCODE):
    return ask(t, "POST", target, body, JSON, ("Content-Encoding", coding))


def plain(reply):
    """The body, unpacked as its header says."""
    coding = reply.headers["Content-Encoding"]
    if coding is None:
        return reply.body
    return zlib.decompress(reply.body, 31 if coding == "gzip" else 15)


def own_problem(reply, status):
    """A refusal of ours: a problem with the request's id."""
    assert reply.status == status, str(reply)
    assert reply.type == "application/problem+json", str(reply)
    assert reply.json()["request_id"] == reply.headers["X-Request-Id"]
    assert reply.headers["Content-Encoding"] is None, str(reply)
    return reply.json()["detail"]


# ---- bodies ----

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
            reply = ask(t, method, "/v1/models", b"", *pairs,
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


# ---- single headers ----

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
