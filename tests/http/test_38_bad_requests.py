"""Bad requests of the other protocol, packed bodies, paths, tokens: each gets
a documented status in the form of its routes, and the server goes on."""
import gzip
import json
import subprocess
import time
import zlib

from support import models, wire
from support.server import BINARY

# Short, so that the tests of slow clients are.
ARGS = ("--timeout", "2", "--request-timeout", "2")
INFER = "/v2/models/one/infer"
ENCODE = "/v1/models/one/encode"
LENGTH = "Inference-Header-Content-Length"
LIMIT = 64 << 20  # of a body, also when it is inflated
ROW = [0.5, 0.25, 0, 1]
TENSOR = {"name": "input", "shape": [1, 4], "datatype": "FP32", "data": ROW}
JSON = {"Content-Type": "application/json"}


def MODELS(folder):
    return models.write(folder, "one", models.compose((4,), models.dense(6)))


def good(t, server=None):
    reply = t.call("POST", INFER, {"inputs": [TENSOR]}, server=server)
    assert reply.status == 200, str(reply)
    return reply.json()


def refused(t, name, status, *words, target=INFER, json=None, body=b"",
            headers=(), method="POST"):
    """The reply has this status, the form of its route, and these words."""
    reply = t.call(method, target, json, body, headers)
    assert reply.status == status, "%s: %s" % (name, reply)
    text = reply.json()["error" if target.startswith("/v2") else "detail"]
    for word in words:
        assert word in text, "%s: no %r in %r" % (name, word, text)
    return reply


def test_bad_tensors(t):
    """Wrong names, types, shapes and data are 400 and say what is wanted"""
    before = good(t)
    for words, change in (
            (("input",), {"name": "image"}), (("input",), {"name": None}),
            (("datatype",), {"datatype": "FP31"}),
            (("datatype",), {"datatype": 32}),
            (("number",), {"datatype": "BYTES", "data": ["a"] * 4}),
            (("binary",), {"datatype": "FP16"}),
            (("binary",), {"datatype": "BF16"}),
            ((), {"shape": [1, 5]}), ((), {"shape": [2, 4]}),
            ((), {"shape": []}), ((), {"shape": [0, 4], "data": []}),
            ((), {"shape": [-1, 4]}), ((), {"shape": [1.5, 4]}),
            ((), {"shape": ["1", 4]}), ((), {"shape": 4}),
            ((), {"shape": [16, (1 << 60) + 2]}),
            ((), {"shape": [4, (1 << 60) + 2]}),
            ((), {"shape": [1 << 32, 1 << 32]}),
            ((), {"shape": [1] * 40 + [4]}),
            ((), {"data": ROW[:3]}), ((), {"data": ROW + [0]}),
            ((), {"data": ["0.5"] * 4}), ((), {"data": [None] * 4}),
            ((), {"data": "0.5"}), ((), {"data": {"0": 1}}),
            ((), {"data": [1e39, 0, 0, 0]}),
            ((), {"datatype": "UINT8", "data": [256, 0, 0, 0]}),
            ((), {"datatype": "INT8", "data": [-129, 0, 0, 0]}),
            ((), {"datatype": "INT32", "data": [0.5, 0, 0, 0]}),
            ((), {"datatype": "BOOL", "data": [2, 0, 0, 0]}),
            ((), {"parameters": {"binary_data_size": 16}}),
            ((), {"parameters": {"shared_memory_region": "x"}}),
            ((), {"parameters": [1]})):
        refused(t, change, 400, *words, json={"inputs": [
            {key: value for key, value in {**TENSOR, **change}.items()
             if value is not None or key != "name"}]})
    assert good(t) == before


def test_bad_requests(t):
    """Requests that name too much, too little or the wrong thing are 400"""
    before = good(t)
    one = [TENSOR]
    for request in (
            {}, {"inputs": []}, {"inputs": None}, {"inputs": {}},
            {"inputs": [1]}, {"inputs": [TENSOR, TENSOR]},
            {"inputs": one, "outputs": [{"name": "nothing"}]},
            {"inputs": one, "outputs": [{}]},
            {"inputs": one, "outputs": {"name": "code"}},
            {"inputs": one, "outputs": [{"name": "code"}, {"name": "code"}]},
            {"inputs": one, "outputs": [{"name": "code"}] * 1000},
            {"inputs": one, "id": 5}, {"inputs": one, "parameters": [1]},
            {"inputs": one, "parameters": {"timeout": -1}},
            {"inputs": one, "parameters": {"timeout": "soon"}},
            {"inputs": one, "parameters": {"triton_enable": True}},
            {"inputs": one, "parameters": {"binary_data_output": "yes"}},
            *({"inputs": one, "outputs": [
                {"name": name, "parameters": {"classification": count}}]}
              for name, count in (("probabilities", -1),
                                  ("probabilities", "3"), ("class", 3))),
            {"inputs": one, "outputs": [
                {"name": "code", "parameters": {"binary_data": 1}}]}):
        refused(t, request, 400, json=request)
    for text in (b"", b"{", b"[]", b"null", b"\xff", b'{"inputs": NaN}',
                 b"[" * 100 + b"]" * 100, b'{"inputs": [], "inputs": []}',
                 json.dumps({"inputs": one}).encode() + b"x"):
        refused(t, text, 400, body=text)
    assert good(t) == before


def binary(size=16, shape=(1, 4), datatype="FP32"):
    return json.dumps({"inputs": [{
        "name": "input", "shape": shape, "datatype": datatype,
        "parameters": {"binary_data_size": size}}]}).encode()


def test_bad_header_lengths(t):
    """A header length that lies, either way, or is no number is 400"""
    before = good(t)
    head, data = binary(), bytes(16)
    n = len(head)
    for length in (n - 1, n + 1, n + 8, n + 16, n + 17, 1, -1, -n,
                   1 << 31, 1 << 63, 1 << 64, "%d " % n + "x", "+%d" % n,
                   "0x%x" % n, "%d.0" % n, "", "all", "%d, %d" % (n, n)):
        refused(t, length, 400, body=head + data,
                headers={LENGTH: str(length)})
    refused(t, "none", 400, body=head + data)
    refused(t, "twice", 400, body=head + data,
            headers={LENGTH: "%d,%d" % (n, n)})
    whole = t.call("POST", INFER, body=head + data, headers={LENGTH: str(n)})
    assert whole.status == 200, str(whole)
    assert good(t) == before


def test_bad_binary_sizes(t):
    """Binary parts of a size that is not that of shape and type are 400"""
    before = good(t)
    for size, sent in ((16, 15), (16, 17), (16, 0), (16, 1 << 20), (12, 12),
                       (20, 20), (0, 0), (-1, 16), (1 << 62, 16),
                       ("16", 16), (16.5, 16), (True, 16), (None, 16)):
        head = binary(size)
        refused(t, (size, sent), 400, body=head + bytes(sent),
                headers={LENGTH: str(len(head))})
    for shape, datatype in (([1 << 40, 4], "FP32"), ([4, (1 << 60) + 2],
                            "FP64"), ([1, 4], "BYTES"), ([1, 4], "FP64")):
        head = binary(16, shape, datatype)
        refused(t, (shape, datatype), 400, body=head + bytes(16),
                headers={LENGTH: str(len(head))})
    # Not finite: only binary tensors can say so.
    head = binary()
    refused(t, "nan", 400, body=head + b"\0\0\xc0\x7f" * 4,
            headers={LENGTH: str(len(head))})
    for size in (0, 1, 15, 18):  # the body is the one tensor
        refused(t, size, 400, body=bytes(size), headers={LENGTH: "0"})
    assert good(t) == before


def pack(coding, data):
    return gzip.compress(data) if coding == "gzip" else zlib.compress(data)


def packed(t, name, status, coding, body):
    """Of both families of routes."""
    for target in (INFER, ENCODE):
        began = time.monotonic()
        refused(t, name, status, target=target, body=body,
                headers={**JSON, "Content-Encoding": coding})
        assert time.monotonic() - began < 30, name


def test_bombs(t):
    """What inflates beyond the limit of a body is 413, and costs little"""
    before = good(t)
    for coding in ("gzip", "deflate"):
        for size in (LIMIT + 1, 1 << 30):
            squeeze = zlib.compressobj(9, zlib.DEFLATED,
                                       31 if coding == "gzip" else 15)
            piece = bytes(1 << 20)
            body = b"".join(squeeze.compress(piece)
                            for _ in range(size >> 20))
            body += squeeze.compress(bytes(size & 0xfffff)) + squeeze.flush()
            packed(t, size, 413, coding, body)
    assert good(t) == before


def test_bad_packing(t):
    """What is not packed as it says is 400; another coding 415"""
    before = good(t)
    for target, text in ((INFER, {"inputs": [TENSOR]}),
                         (ENCODE, {"inputs": [ROW]})):
        plain = json.dumps(text).encode()
        for coding in ("gzip", "deflate"):
            whole = pack(coding, plain)
            for name, body in (
                    ("plain", plain), ("empty", b""), ("cut", whole[:-1]),
                    ("cut in the middle", whole[:len(whole) // 2]),
                    ("first byte", whole[:1]), ("more", whole + b"x"),
                    ("sum", whole[:-6] + bytes([whole[-6] ^ 1]) + whole[-5:]),
                    ("twice", pack(coding, whole))):
                refused(t, (coding, name), 400, target=target, body=body,
                        headers={**JSON, "Content-Encoding": coding})
            reply = t.call("POST", target, body=whole,
                           headers={**JSON, "Content-Encoding": coding})
            assert reply.status == 200, str(reply)
        for coding in ("br", "zstd", "gzip, gzip", "x", "compress"):
            reply = refused(t, coding, 415, target=target, body=plain,
                            headers={**JSON, "Content-Encoding": coding})
            assert "gzip" in reply.headers["Accept-Encoding"], str(reply)
    assert good(t) == before


def test_packed_binary(t):
    """The header length counts what was packed, before it was"""
    head = binary()
    for coding in ("gzip", "deflate"):
        body = pack(coding, head + bytes(16))
        for length, status in ((len(head), 200), (len(body), 400),
                               (len(head) + 17, 400)):
            reply = t.call("POST", INFER, body=body, headers={
                LENGTH: str(length), "Content-Encoding": coding})
            assert reply.status == status, "%d: %s" % (length, reply)


def test_forms_before_the_route(t):
    """What is refused before the body is read has the form of its routes"""
    before = good(t)
    for name, status, headers in (
            ("length", 413, {"Content-Length": str(LIMIT + 1)}),
            ("flood", 431, {"X-%d" % i: "x" * 100 for i in range(90)}),
            ("expectation", 417, {"Expect": "miracles"}),
            ("timeout", 400, {"Request-Timeout": "soon"}),
            ("no time", 400, {"Request-Timeout": "0"})):
        for target in (INFER, ENCODE):
            refused(t, name, status, target=target,
                    headers={**JSON, **headers})
    assert good(t) == before


def test_slow_clients(t):
    """A body that drips gets 408 in the form of its routes"""
    body = json.dumps({"inputs": [TENSOR]}).encode()
    for target, member in ((INFER, "error"), (ENCODE, "detail")):
        with t.server.connect() as connection:
            connection.send(wire.compose("POST", target, headers=[
                *JSON.items(), ("Content-Length", str(len(body)))]) + body[:9])
            reply = connection.read()
            assert reply.status == 408 and reply.json()[member], str(reply)
            assert connection.is_closed()
    good(t)


def test_cut_off(t):
    """Requests cut off anywhere leave nothing behind"""
    before = good(t)
    head = binary()
    data = wire.compose("POST", INFER, head + bytes(16),
                        [(LENGTH, str(len(head)))])
    for at in range(1, len(data), 7):
        with t.server.connect() as connection:
            connection.send(data[:at])
            if at % 2:
                connection.reset()
    assert good(t) == before


def test_pipelining(t):
    """Good and bad requests sent ahead are answered in order"""
    body = json.dumps({"inputs": [TENSOR]}).encode()
    bad = json.dumps({"inputs": [{**TENSOR, "name": "x"}]}).encode()
    with t.server.connect() as connection:
        connection.send(b"".join(
            wire.compose("POST", INFER, one) for one in (
                body, bad, body, b"{", body)))
        got = [connection.read().status for _ in range(5)]
    assert got == [200, 400, 200, 400, 200], got


TRICKS = ("..", ".", "%2e%2e", "..%2fsecret", "%2e%2e%2fsecret", "..%5csecret",
          "one%2f..%2f..%2fsecret", "%00", "one%00", "one%0a", "%ff", "a" * 65,
          "%", "%zz", "one%20", "~root", "one;x", "%252e%252e")


def test_paths(t):
    """No path leads out of the folder of models"""
    folder = t.folder()
    (folder / "models").mkdir()
    for name, inside in (("one", "models"), ("secret", ".")):
        models.write(folder / inside, name,
                     models.compose((4,), models.dense(6)))
    server = t.start(folder / "models")
    server.wait_ready()
    before = good(t, server)
    for name in TRICKS:
        for method, target in (
                ("GET", "/v2/models/%s"), ("POST", "/v2/models/%s/infer"),
                ("GET", "/v1/models/%s"), ("GET", "/v1/models/%s/atoms.png"),
                ("POST", "/v2/repository/models/%s/load"),
                ("POST", "/v2/repository/models/%s/unload")):
            reply = server.ask(method, target % name)
            assert reply.status in (400, 404, 405), "%s: %s" % (
                target % name, reply)
    for target in ("/../openapi.yaml", "//v2", "/v2//models", "/v2/models/",
                   "/V2", "/v2/models/one/versions/", "/v2/models/one/Ready",
                   "/v2/models/one/versions/1/../ready"):
        reply = server.ask("GET", target)
        assert reply.status == 404, "%s: %s" % (target, reply)
    index = server.ask("POST", "/v2/repository/index").json()
    assert [one["name"] for one in index] == ["one"], index
    assert good(t, server) == before


def test_bad_repository_requests(t):
    """The repository takes no files, no configurations, no dependents"""
    before = good(t)
    load = "/v2/repository/models/one/load"
    for parameters in ({"config": "{}"}, {"file:1/model.safetensors": "AAAA"},
                       {"file:../../x": "AAAA"}, {"config": 5}):
        refused(t, parameters, 400, target=load,
                json={"parameters": parameters})
    for body in (b"{", b"[]", b'{"parameters": 5}'):
        refused(t, body, 400, target=load, body=body)
    for body in (b"{", b"[]", b'{"ready": 5}'):
        refused(t, body, 400, target="/v2/repository/index", body=body)
    refused(t, "unknown", 404, "failed to load",
            target="/v2/repository/models/nobody/load")
    assert good(t) == before


def make_token(path, name, scopes):
    made = subprocess.run(
        [BINARY, "token", name, "--scopes", scopes, "--tokens", str(path)],
        capture_output=True, text=True, check=True)
    return made.stdout.strip()


def test_tokens(t):
    """Routes open to tokens of their scope alone; 401 and 403 say why"""
    path = t.folder() / "tokens"
    tokens = {name: make_token(path, name, name)
              for name in ("infer", "learn", "admin")}
    server = t.start(MODELS(t.folder()), (
        "--tokens", str(path), "--anonymous", "none"))
    server.wait_ready()
    for scope, method, target in (
            ("infer", "GET", "/v1/models"), ("infer", "GET", "/v2/models"),
            ("infer", "POST", INFER), ("infer", "POST", ENCODE),
            ("infer", "GET", "/v2/models/stats"),
            ("learn", "GET", "/v1/models/one/samples"),
            ("learn", "DELETE", "/v1/models/one/samples"),
            ("learn", "GET", "/v1/fine-tunes"),
            ("admin", "POST", "/v1/models/one/versions/1/activate"),
            ("admin", "POST", "/v2/repository/models/one/unload")):
        for name in (None, "bad", *tokens):
            headers = {} if name is None else {
                "Authorization": "Bearer " + tokens.get(name, "sps_" + "A" *
                                                        43)}
            reply = t.call(method, target, headers=headers, server=server)
            if name in (None, "bad"):
                assert reply.status == 401, str(reply)
                assert reply.headers["WWW-Authenticate"].startswith("Bearer")
            elif name not in (scope, "admin"):
                assert reply.status == 403, str(reply)
            else:
                assert reply.status not in (401, 403), str(reply)
        if target.endswith("unload"):
            server.ask("POST", "/v2/repository/models/one/load", b"", [
                ("Authorization", "Bearer " + tokens["admin"])])
    malformed(t, server, tokens["infer"])
    for target in ("/healthz", "/readyz", "/v2", "/v2/health/live",
                   "/v2/health/ready", "/v2/models/one/ready", "/metrics"):
        reply = t.call("GET", target, server=server)
        assert reply.status == 200, "%s: %s" % (target, reply)
    log = server.log()
    assert not any(token in log for token in tokens.values())


def malformed(t, server, token):
    """What is no bearer token is as good as none."""
    for value in ("", "Bearer", "Bearer ", token, "Basic " + token,
                  "Bearer  " + token + " x", "Bearer " + token[:-1],
                  "Bearer " + token + "A", "Bearer " + token.upper(),
                  "Bearer " + "A" * 5000):
        reply = t.call("GET", "/v2/models", server=server,
                       headers={"Authorization": value})
        assert reply.status == 401, "%r: %s" % (value[:80], reply)
