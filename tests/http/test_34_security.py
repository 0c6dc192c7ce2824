"""Who may do what: tokens, scopes, limits, pages of other sites, paths that
lead out."""
import json
import os
import signal
import time

from support import contract, models, wire
from support.server import run

ENCODE = "/v1/models/one/encode"
SAMPLES = "/v1/models/one/samples"
ROW = {"inputs": [[0.25, 0.5, 0.75, 1]]}
BODY = json.dumps(ROW).encode()
SCOPES = "infer", "learn", "admin"
LAN = "--listen", "0.0.0.0:0"


def MODELS(folder):
    return models.write(folder, "one", models.compose((4,), models.dense(6)))


class Tokens:
    """A token file, and the tokens by their names."""

    def __init__(self, folder):
        self.path = folder / "tokens"
        self.path.touch()
        self.texts = {}

    def add(self, name, *args):
        done = run("token", name, "--tokens", self.path, *args)
        assert done.returncode == 0, done.stderr
        self.texts[name] = done.stdout.strip()

    def remove(self, name):
        lines = self.path.read_text().splitlines(keepends=True)
        self.path.write_text("".join(
            line for line in lines if not line.startswith(name + " ")))

    def header(self, name):
        return [("Authorization", "Bearer " + self.texts[name])]


def with_scopes(t):
    tokens = Tokens(t.folder())
    for scope in SCOPES:
        tokens.add(scope, "--scopes", scope)
    return tokens


def start(t, *args, **more):
    server = t.start(t.server.models, args, **more)
    server.wait_ready()
    return server


def encode(server, headers=()):
    return server.ask("POST", ENCODE, BODY,
                      [("Content-Type", "application/json"), *headers])


def reload(server, mark):
    """SIGHUP; waits until the log says it."""
    before = server.log().count(mark)
    server.process.send_signal(signal.SIGHUP)
    until(lambda: server.log().count(mark) > before)


def until(what):
    end = time.monotonic() + wire.SECONDS
    while not what():
        assert time.monotonic() < end, "never"
        time.sleep(0.02)


# ---- scopes ----

def scope_of(operation):
    """The scope that the contract says, or None."""
    wanted = operation["security"]
    return wanted[0]["token"][0] if wanted else None


def allows(token, scope):
    return scope is None or token in (scope, "admin")


def target_of(path, operation):
    """With the examples of the contract, but of a model that is not there:
    nothing comes to pass."""
    target = contract._with_parameters(path, operation)
    return target.replace("mnist-drsae", "nobody")


def test_every_route(t):
    """Every route takes the tokens of its scope, and no others"""
    tokens = with_scopes(t)
    server = start(t, "--tokens", str(tokens.path))
    for method, path, operation in contract.operations():
        scope = scope_of(operation)
        target = target_of(path, operation)
        for name in (None, "wrong", *SCOPES):
            headers = ([] if name is None else
                       [("Authorization", "Bearer sps_wrong")]
                       if name == "wrong" else tokens.header(name))
            if target.endswith("/events"):
                headers.append(("Accept", "text/event-stream"))
            reply = server.ask(method, target, b"", headers)
            said = "%s %s with %s: %s" % (method, target, name, reply)
            if name in SCOPES and not allows(name, scope):
                assert reply.status == 403, said
                assert 'error="insufficient_scope"' in (
                    reply.headers["WWW-Authenticate"]), said
                assert "403" in operation["responses"], said
            elif name not in SCOPES and scope:
                assert reply.status == 401, said
                challenge = reply.headers["WWW-Authenticate"]
                assert challenge.startswith("Bearer "), said
                assert ("invalid_token" in challenge) == (name == "wrong")
                assert "401" in operation["responses"], said
            else:
                assert reply.status not in (401, 403), said


def test_defaults(t):
    """Without tokens a network may infer, and is told how to get more"""
    server = start(t, *LAN)
    assert encode(server).status == 200
    for target in SAMPLES, "/v1/fine-tunes":
        reply = server.ask("GET", target)
        assert reply.status == 401, str(reply)
        assert "--tokens" in reply.json()["detail"]
        assert "--anonymous" in reply.json()["detail"]
    reply = server.ask("POST", "/v2/repository/models/one/unload")
    assert reply.status == 401 and "--tokens" in reply.json()["error"]
    assert encode(server, [("Authorization", "Bearer any")]).status == 200
    local = start(t)
    assert local.ask("GET", SAMPLES).status == 200


def test_anonymous(t):
    """--anonymous says what needs no token, with tokens and without"""
    tokens = with_scopes(t)
    server = start(t, "--tokens", str(tokens.path), "--anonymous", "infer")
    assert encode(server).status == 200
    assert server.ask("GET", SAMPLES).status == 401
    assert server.ask("GET", SAMPLES, b"", tokens.header("learn")).status == 200
    assert encode(server, tokens.header("learn")).status == 200
    closed = start(t, "--anonymous", "none")
    assert encode(closed).status == 401
    assert closed.ask("GET", "/healthz").status == 200
    opened = start(t, *LAN, "--anonymous", "infer,learn")
    assert opened.ask("GET", SAMPLES).status == 200
    assert " warn guard open-to-anyone scopes=infer,learn" in opened.log()


def test_bad_authorization(t):
    """Anything but one bearer token is refused, and the server goes on"""
    tokens = with_scopes(t)
    server = start(t, "--tokens", str(tokens.path))
    good = tokens.texts["infer"]
    for value in ("", "Bearer", "Bearer ", "Basic " + good, good,
                  "Bearer " + good + "x", "Bearer " + good[:-1],
                  "Bearer " + good.lower(), "Bearer %s %s" % (good, good),
                  "Bearer " + "x" * 5000, "Bearer \xff\x00\x01".replace(
                      "\x00", "")):
        reply = encode(server, [("Authorization", value)])
        assert reply.status == 401, "%r: %s" % (value, reply)
        assert good not in str(reply)
    twice = tokens.header("infer") + tokens.header("admin")
    assert encode(server, twice).status == 400
    for value in "bearer " + good, "BEARER   " + good:
        assert encode(server, [("authorization", value)]).status == 200
    for text in tokens.texts.values():
        assert text not in server.log()


def test_before_the_body(t):
    """Who may not send a body is told so before it is read"""
    tokens = with_scopes(t)
    server = start(t, "--tokens", str(tokens.path))
    for name, status in ("learn", 403), (None, 401):
        with server.connect() as connection:
            connection.send(wire.compose("POST", ENCODE, b"", [
                ("Content-Type", "application/json"),
                ("Expect", "100-continue"), ("Content-Length", "1000000"),
                *(tokens.header(name) if name else [])]))
            assert connection.read_head().status == status


def test_reloading(t):
    """SIGHUP takes new tokens; a file with an error changes nothing"""
    tokens = with_scopes(t)
    server = start(t, "--tokens", str(tokens.path))
    tokens.add("new")
    assert encode(server, tokens.header("new")).status == 401
    reload(server, "server reloaded")
    assert encode(server, tokens.header("new")).status == 200
    before = tokens.path.read_text()
    tokens.path.write_text("nonsense\n")
    reload(server, "not-reloaded part=guard")
    assert "line 1" in server.log()
    assert encode(server, tokens.header("new")).status == 200
    tokens.path.write_text(before)
    tokens.remove("new")
    reload(server, "server reloaded")
    assert encode(server, tokens.header("new")).status == 401
    assert encode(server, tokens.header("infer")).status == 200


def test_first_token(t):
    """--first-token is made once, for its owner's eyes, and does everything"""
    folder = t.folder()
    path = folder / "token"
    server = start(t, folder=folder, env={"SPARSED_FIRST_TOKEN": str(path)})
    assert path.stat().st_mode & 0o777 == 0o600
    text = path.read_text()
    header = [("Authorization", "Bearer " + text.strip())]
    assert encode(server).status == 200
    assert server.ask("GET", SAMPLES).status == 401
    assert encode(server, header).status == 200
    assert server.ask("GET", SAMPLES, b"", header).status == 200
    server.stop()
    server = start(t, folder=folder, env={"SPARSED_FIRST_TOKEN": str(path)})
    assert path.read_text() == text
    assert encode(server, header).status == 200
    server.stop()
    path.write_text("short\n")
    done = run("serve", "--listen", "127.0.0.1:0", "--first-token", path)
    assert done.returncode == 2 and "remove the file" in done.stderr
    done = run("serve", "--listen", "127.0.0.1:0", "--first-token",
               folder / "none" / "token")
    assert done.returncode == 1, done.stderr


def test_command(t):
    """`sparsed token` tells a token once, and its line without a file"""
    done = run("token", "a", "--scopes", "infer,learn", "--rate", "2",
               "--daily", "9")
    assert done.returncode == 0
    assert done.stdout.strip() not in done.stderr
    line = done.stderr.splitlines()[-1].split()
    assert line[:2] == ["a", "infer,learn"], line
    assert line[3:] == ["rate=2", "daily=9"], line
    tokens = Tokens(t.folder())
    tokens.add("a")
    for args, code in ((["a"], 1), (["b/c"], 2), ([], 2),
                       (["b", "--scopes", "all"], 2), (["b", "--rate", "-1"],
                                                       2)):
        done = run("token", *args, "--tokens", tokens.path)
        assert done.returncode == code, (args, done.stderr)
        assert done.stdout == ""


# ---- limits ----

def test_address_rate(t):
    """An address that asks too often gets 429 with the time to wait"""
    server = start(t, "--rate", "0.2", "--rate-burst", "3")
    for _ in range(3):
        assert encode(server).status == 200
    reply = encode(server)
    assert reply.status == 429, str(reply)
    assert 1 <= int(reply.headers["Retry-After"]) <= 5, reply.headers
    contract.check("POST", ENCODE, reply)
    assert server.ask("GET", "/nowhere").status == 429
    for target in "/healthz", "/readyz", "/metrics", "/", "/v2/health/live":
        assert server.ask("GET", target).status == 200, target
    with server.connect() as connection:  # its body is not waited for
        connection.send(wire.compose("POST", ENCODE, b"", [
            ("Content-Type", "application/json"),
            ("Content-Length", "2000000")]))
        assert connection.read_head().status == 429
    time.sleep(int(encode(server).headers["Retry-After"]))
    assert encode(server).status == 200


def test_token_limits(t):
    """A token has its own rate, and a quota that reading again leaves"""
    tokens = Tokens(t.folder())
    tokens.add("slow", "--rate", "0.1")
    tokens.add("few", "--daily", "2")
    tokens.add("free")
    server = start(t, "--tokens", str(tokens.path))
    assert encode(server, tokens.header("slow")).status == 200
    reply = encode(server, tokens.header("slow"))
    assert reply.status == 429 and "'slow'" in reply.json()["detail"]
    assert 1 <= int(reply.headers["Retry-After"]) <= 10
    for _ in range(2):
        assert encode(server, tokens.header("few")).status == 200
    reload(server, "server reloaded")
    reply = encode(server, tokens.header("few"))
    assert reply.status == 429 and "today" in reply.json()["detail"]
    assert 1 <= int(reply.headers["Retry-After"]) <= 86400
    for _ in range(20):
        assert encode(server, tokens.header("free")).status == 200


# ---- pages ----

def test_pages(t):
    """Pages of other sites, and names that point here of a sudden, are
    refused"""
    server = start(t)
    own = "localhost:%d" % server.address[1]
    for headers, status in (
            ({}, 200),
            ({"Host": own, "Origin": "http://" + own}, 200),
            ({"Host": own, "Sec-Fetch-Site": "same-origin"}, 200),
            ({"Host": own, "Origin": "http://evil.example"}, 403),
            ({"Host": own, "Origin": "null"}, 403),
            ({"Host": own, "Sec-Fetch-Site": "cross-site"}, 403),
            ({"Host": "evil.example", "Origin": "http://evil.example",
              "Sec-Fetch-Site": "same-origin"}, 403),
            ({"Host": "evil.example"}, 200)):
        reply = encode(server, headers.items())
        assert reply.status == status, "%s: %s" % (headers, reply)
    for headers, status in (
            ({"Host": "evil.example", "Sec-Fetch-Site": "same-origin"}, 403),
            ({"Host": own, "Sec-Fetch-Site": "cross-site"}, 200)):
        reply = server.ask("GET", "/v1/models", b"", headers.items())
        assert reply.status == status, "%s: %s" % (headers, reply)
    listed = start(t, "--cors-origins", "https://good.example")
    own = "localhost:%d" % listed.address[1]
    for origin, status in (("https://good.example", 200),
                           ("https://evil.example", 403)):
        reply = encode(listed, [("Host", own), ("Origin", origin)])
        assert reply.status == status, str(reply)
    reply = encode(listed, [("Host", "good.example"),
                            ("Origin", "https://good.example")])
    assert reply.status == 200, str(reply)


# ---- paths ----

def test_paths(t):
    """No path of a request leads out of the folders of models"""
    server = start(t)
    secret = server.models.parent / "secret"
    (secret / "1").mkdir(parents=True)
    os.link(models.path_of(server.models, "one", 1),
            secret / "1" / "model.safetensors")
    for name in ("..", "../secret", "..%2fsecret", "%2e%2e%2fsecret",
                 "%2e%2e/secret", "one/../../secret", "one%2f..%2f..%2fsecret",
                 "..%5csecret", "%252e%252e%252fsecret", "one%00", ".", "./one",
                 str(secret), "%2f" + str(secret).replace("/", "%2f")):
        for method, pattern in (
                ("GET", "/v1/models/%s"), ("GET", "/v1/models/%s/versions/1"),
                ("POST", "/v1/models/%s/encode"), ("GET", "/v2/models/%s"),
                ("POST", "/v1/models/%s/versions/1/activate"),
                ("POST", "/v1/models/%s/fine-tunes"),
                ("POST", "/v2/repository/models/%s/load"),
                ("GET", "/%s")):
            reply = server.ask(method, pattern % name)
            assert reply.status in (400, 404, 405), "%s %s: %s" % (
                method, pattern % name, reply)
    for parameters in ({"config": '{"name":"one"}'},
                       {"file:1/model.safetensors": "AAAA"}):
        reply = server.ask(
            "POST", "/v2/repository/models/one/load",
            json.dumps({"parameters": parameters}).encode())
        assert reply.status == 400, str(reply)
    reply = server.ask("POST", "/v2/repository/index")
    assert [one["name"] for one in reply.json()] == ["one"]
    assert encode(server).status == 200
