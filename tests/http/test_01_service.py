"""The service itself: health, ids, methods, connections."""
import json
import subprocess

from support import contract, models
from support.server import BINARY, ROOT


def MODELS(folder):
    config = models.compose((4,), models.dense(6))
    models.write(folder, "one", config)
    return models.write(folder, "two", config)


def test_health(t):
    """healthz answers"""
    reply = t.call("GET", "/healthz")
    assert reply.status == 200 and reply.json() == {"status": "ok"}, str(reply)


def test_ready(t):
    """readyz counts the models"""
    reply = t.call("GET", "/readyz")
    assert reply.status == 200, str(reply)
    assert reply.json() == {"status": "ready", "models": 2}, str(reply)


def test_contract_is_served(t):
    """openapi.yaml is served as it is in the tree"""
    reply = t.call("GET", "/openapi.yaml")
    assert reply.status == 200
    assert reply.body == contract.PATH.read_bytes(), "built from another one"


def test_page(t):
    """The page and all its files are served as they are in the tree"""
    page = t.call("GET", "/")
    assert page.body == (ROOT / "web" / "index.html").read_bytes()
    for accept in ("*/*", "text/html,*/*;q=0.8"):  # curl's, a browser's
        assert t.call("GET", "/", headers={"Accept": accept}).body == page.body
    types = {".html": "text/html", ".js": "text/javascript",
             ".css": "text/css", ".svg": "image/svg+xml", ".png": "image/png"}
    for path in sorted((ROOT / "web").rglob("*")):
        if path.suffix not in types or path.name.startswith("."):
            continue
        reply = t.server.ask("GET", "/" + str(path.relative_to(ROOT / "web")))
        assert reply.status == 200, "%s: %s" % (path, reply)
        assert reply.body == path.read_bytes(), path
        assert reply.type == types[path.suffix], "%s: %s" % (path, reply.type)


def test_default_folders(t):
    """Without flags: ./models or the installed ones, $XDG_STATE_HOME, ~"""
    folder = t.folder()
    for env, data in (({"XDG_STATE_HOME": "/x"}, "/x/sparsed"),
                      ({"HOME": "/h"}, "/h/.local/state/sparsed")):
        text = subprocess.run([BINARY, "serve", "--print-config"], env=env,
                              cwd=folder, capture_output=True, check=True)
        config = json.loads(text.stdout)
        assert config["data-dir"] == data, config
        assert config["models"].endswith("/share/sparsed/models"), config
    (folder / "models").mkdir()
    text = subprocess.run([BINARY, "serve", "--print-config"], env={},
                          cwd=folder, capture_output=True, check=True)
    assert json.loads(text.stdout)["models"] == "models", text.stdout


def test_head(t):
    """HEAD answers as GET does, without the body"""
    for path in ("/healthz", "/readyz", "/openapi.yaml", "/v1/models",
                 "/v1/models/one", "/v1/models/one/atoms.png", "/v1/nothing"):
        get, head = t.call("GET", path), t.call("HEAD", path)
        assert head.status == get.status, path
        for name in ("Content-Type", "Content-Length"):
            assert head.headers[name] == get.headers[name], (
                "%s %s: %r, want %r" % (path, name, head.headers[name],
                                        get.headers[name]))


def test_request_id_echo(t):
    """A good X-Request-Id comes back, in errors too"""
    for value in ("a", "order-66/7", "x" * 128):
        reply = t.call("GET", "/healthz", headers={"X-Request-Id": value})
        assert reply.headers["X-Request-Id"] == value
    reply = t.call("GET", "/v1/models/x", headers={"X-Request-Id": "me"})
    assert reply.json()["request_id"] == "me"


def test_request_id_new(t):
    """A missing or bad X-Request-Id is replaced by a new one"""
    seen = set()
    for headers in ({}, {"X-Request-Id": "x" * 129}, {"X-Request-Id": ""},
                    {"X-Request-Id": "a\tb"}, {"X-Request-Id": "caf\xe9"}):
        value = t.call("GET", "/healthz",
                       headers=headers).headers["X-Request-Id"]
        assert 0 < len(value) <= 128 and value.isprintable(), repr(value)
        assert value not in headers.values()
        seen.add(value)
    assert len(seen) == 5, seen


def test_unknown_paths(t):
    """Paths that are not there are 404, however they are spelled"""
    for path in ("/nothing", "/v1", "/v1/", "/v1/models/", "/v1//models",
                 "/v1/models/one/", "/v1/models/one/fly", "/V1/models",
                 "/v1/models/../../etc/passwd", "/v1/models/..%2f..%2fetc",
                 "/v1/models%00", "/v1/models/one%00", "/healthz/x",
                 "/v1/models/%6fne%2fversions", "/v1/models/one/versions/01",
                 "/v1/models/one/versions/1x", "/v1/models/one/versions/-1",
                 "/v1/models/one/versions/99999999999999999999999",
                 "/v1/models/" + "a" * 3000):
        reply = t.call("GET", path)
        assert reply.status == 404, "%s: %s" % (path[:60], reply)
        assert reply.json()["instance"] == path, str(reply)


def test_escaped_names(t):
    """Escapes in a path mean the letters that they stand for"""
    assert t.call("GET", "/v1/models/%6F%6ee").json()["name"] == "one"


def test_unknown_model_says_what_there_is(t):
    """A 404 of a model or version names what there is"""
    detail = t.call("GET", "/v1/models/three").json()["detail"]
    assert all(word in detail for word in ("three", "one", "two")), detail
    reply = t.call("POST", "/v1/models/one/versions/7/encode",
                   {"inputs": [[1, 2, 3, 4]]})
    assert reply.status == 404, str(reply)
    detail = reply.json()["detail"]
    assert all(word in detail for word in ("one", "7", "1")), detail


def test_query_is_checked(t):
    """Unknown query parameters of /v1 are refused"""
    for path in ("/v1/models?a=1", "/v1/models/one?layer=0",
                 "/v1/models/one/versions?v", "/v1/models/one/atoms.png?top=1",
                 "/v1/models/one/atoms.png?layer=1",
                 "/v1/models/one/atoms.png?layer=x",
                 "/v1/models/one/atoms.png?max_side=63",
                 "/v1/models/one/units/0?x=%zz"):
        reply = t.call("GET", path)
        assert reply.status in (400, 422), "%s: %s" % (path, reply)
    assert t.call("GET", "/healthz?cache=no").status == 200


def test_keep_alive(t):
    """Many requests fit on one connection"""
    with t.server.connect() as connection:
        for i in range(50):
            connection.send(b"GET /healthz HTTP/1.1\r\nHost: x\r\n"
                            b"X-Request-Id: %d\r\n\r\n" % i)
            reply = connection.read()
            assert reply.status == 200
            assert reply.headers["X-Request-Id"] == str(i)


def test_http_1_0(t):
    """HTTP/1.0 is answered and closed"""
    with t.server.connect() as connection:
        connection.send(b"GET /healthz HTTP/1.0\r\n\r\n")
        assert connection.read().status == 200
        assert connection.is_closed()


def test_server_does_not_tell_its_parts(t):
    """Headers name no versions of software and forbid sniffing"""
    for path in ("/healthz", "/v1/models", "/nothing"):
        headers = t.call("GET", path).headers
        assert "microhttpd" not in str(headers).lower(), str(headers)
        assert headers["X-Content-Type-Options"] == "nosniff", str(headers)
