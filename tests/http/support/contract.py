"""openapi.yaml as the judge of replies, and its examples as requests.

An example of an answer says which request gets it: the request body's example
of the same name, or its own `x-request` with any of `method`, `path`, `query`,
`headers`, `body` (JSON, or text as it is sent), `example` (a request body's
example of another name). `x-models` names a folder of models, made by
test_11, other than the usual one. `x-recorded` marks an answer that came when
more had happened than one request; it is held to its schema alone.
"""
import json as json_text
import re
import urllib.parse

import jsonschema
import yaml
from referencing import Registry
from referencing.jsonschema import DRAFT202012

from .server import ROOT

PATH = ROOT / "openapi.yaml"
METHODS = ("get", "put", "post", "delete", "patch")
BASE = "urn:contract"
# Errors that any route may give, before it is even known; info.description.
EVERYWHERE = (400, 408, 413, 417, 431, 501, 503)


def _load():
    with open(PATH, encoding="utf-8") as file:
        return yaml.safe_load(file)


DOCUMENT = _load()


def resolve(value):
    while isinstance(value, dict) and "$ref" in value:
        target = DOCUMENT
        for part in value["$ref"].removeprefix("#/").split("/"):
            target = target[part.replace("~1", "/").replace("~0", "~")]
        value = target
    return value


def operations():
    """(METHOD, path, operation) of all routes, in the contract's order."""
    for path, item in DOCUMENT["paths"].items():
        for method in METHODS:
            if method in item:
                yield method.upper(), path, item[method]


def _pattern(path):
    return re.compile(re.sub(r"\\\{\w+\\\}", "[^/:]+", re.escape(path)) + "$")


def find(method, target):
    """The operation that a request means, or None."""
    method = "GET" if method == "HEAD" else method
    path = target.split("?")[0]
    # A route without parameters wins over one with.
    for key in sorted(DOCUMENT["paths"], key=lambda k: k.count("{")):
        if _pattern(key).match(path):
            return DOCUMENT["paths"][key].get(method.lower())
    return None


def _closed(value):
    """A copy in which objects with listed members have no others: clients
    must ignore members that they do not know, but these tests must not."""
    if isinstance(value, list):
        return [_closed(member) for member in value]
    if not isinstance(value, dict):
        return value
    out = {key: _closed(member) for key, member in value.items()}
    if "properties" in out and out.get("type") == "object":
        out.setdefault("additionalProperties", False)
    return out


_REGISTRY = Registry().with_resource(
    BASE, DRAFT202012.create_resource(_closed(DOCUMENT)))


def validate(value, schema):
    """Errors name the place; the schema may refer into the contract."""
    checker = jsonschema.Draft202012Validator(_absolute(_closed(schema)),
                                              registry=_REGISTRY)
    error = jsonschema.exceptions.best_match(checker.iter_errors(value))
    if error:
        raise AssertionError("not as the contract says: %s: %s" % (
            error.json_path, error.message[:500]))


def _absolute(schema):
    """The schema with references that name the contract."""
    if isinstance(schema, list):
        return [_absolute(member) for member in schema]
    if not isinstance(schema, dict):
        return schema
    return {key: BASE + member if key == "$ref" else _absolute(member)
            for key, member in schema.items()}


def family_of(target):
    """Whose form an error has: that of the other protocol, or our own."""
    path = target.split("?")[0]
    return "Oip" if path == "/v2" or path.startswith("/v2/") or \
        path.endswith(":predict") else ""


def _described(method, target, status):
    """What the contract says of a reply with this status."""
    operation = find(method, target)
    shared = DOCUMENT["components"]["responses"]
    family = family_of(target)
    if operation is None:  # no such route or method: only an error will do
        assert status in (404, 405), "status %d" % status
        return shared[family + ("NotFound" if status == 404
                                else "MethodNotAllowed")]
    responses = operation["responses"]
    if str(status) in responses:
        return resolve(responses[str(status)])
    assert status in EVERYWHERE, "%s %s: status %d is not in the contract" % (
        method, target, status)
    return shared[family + ("BadRequest" if family else "Problem")]


def check(method, target, reply):
    """The reply's status, type, headers and body are in the contract."""
    described = _described(method, target, reply.status)
    for name, header in described.get("headers", {}).items():
        value = reply.headers[name]
        assert value is not None or not resolve(header).get("required"), (
            "no header %s in %s" % (name, reply))
    content = described.get("content", {})
    if not content or method == "HEAD":
        assert reply.body == b"", str(reply)
        return
    assert reply.type in content, "%s %s: content type %r of %d" % (
        method, target, reply.type, reply.status)
    if reply.type.endswith("json"):
        validate(reply.json(), content[reply.type].get("schema", True))
    if reply.type == "application/problem+json":
        assert reply.json()["status"] == reply.status, str(reply)


def call(server, method, target, json=None, body=b"", headers=()):
    """A request, its reply checked. JSON bodies bring their type along."""
    headers = list(dict(headers).items())
    if json is not None:
        body = json_text.dumps(json, allow_nan=False).encode()
        headers.insert(0, ("Content-Type", "application/json"))
    reply = server.ask(method, target, body, headers)
    check(method, target, reply)
    return reply


# ---- examples ----

class Example:
    """One answer that the contract states, and the request that gets it."""

    def __init__(self, where, status, kind, raw):
        self.where = where  # keys from the document's root to the value
        self.status, self.kind = int(status), kind
        self.name = where[-2]
        self.want = raw["value"]
        self.models = raw.get("x-models")
        self.headers = {"X-Request-Id": "example"}
        if kind != "application/problem+json":
            self.headers["Accept"] = kind
        self.body = b""

    def __str__(self):
        return "%s %s: %d, example %s" % (self.method, self.target,
                                          self.status, self.name)

    def find_request(self, method, path, operation, own):
        self.method = own.get("method", method)
        self.target = own.get("path") or _with_parameters(path, operation)
        if "query" in own:
            query = {key: json_text.dumps(value) if isinstance(value, bool)
                     else value for key, value in own["query"].items()}
            self.target += "?" + urllib.parse.urlencode(query)
        self._find_body(operation, own)
        for name, value in own.get("headers", {}).items():
            self.headers.pop(name, None)
            if value is not None:
                self.headers[name] = value

    def _find_body(self, operation, own):
        name = own.get("example", self.name)
        body = resolve(operation.get("requestBody", {})).get("content", {})
        for kind, media in body.items():
            named = resolve(media.get("examples", {}).get(name, {}))
            if "value" in named:
                self._set_body(kind, json_text.dumps(named["value"]).encode())
            elif "externalValue" in named:
                self._set_body(kind,
                               (ROOT / named["externalValue"]).read_bytes())
        if "body" in own:
            body = own["body"]
            self._set_body("application/json", (
                body if isinstance(body, str)
                else json_text.dumps(body)).encode())

    def _set_body(self, kind, body):
        self.headers["Content-Type"] = kind
        self.body = body

    def ask(self, server):
        reply = server.ask(self.method, self.target, self.body,
                           list(self.headers.items()))
        assert reply.status == self.status, "%s: %s" % (self, reply)
        try:
            check(self.method, self.target, reply)
        except AssertionError as error:
            raise AssertionError("%s: %s" % (self, error)) from None
        # Where the folder of models lies is not the contract's affair.
        return json_text.loads(reply.body.decode().replace(
            str(server.models), "models"))


def _with_parameters(path, operation):
    """The path with the examples of its parameters."""
    item = DOCUMENT["paths"].get(path, {})
    for raw in item.get("parameters", []) + operation.get("parameters", []):
        parameter = resolve(raw)
        if parameter["in"] == "path":
            path = path.replace("{%s}" % parameter["name"],
                                str(parameter["example"]))
    return path


def recorded():
    """(schema, answer) of the examples that nobody asks for again."""
    responses = [response for _, _, operation in operations()
                 for response in operation["responses"].values()]
    for response in map(resolve, responses):
        for media in response.get("content", {}).values():
            for raw in media.get("examples", {}).values():
                if raw.get("x-recorded"):
                    yield media["schema"], raw["value"]


def _stated(where, status, response):
    """(place, status, kind, example) of one response."""
    if "$ref" in response:
        where = response["$ref"].removeprefix("#/").split("/")
        response = resolve(response)
    for kind, media in response.get("content", {}).items():
        for name, raw in media.get("examples", {}).items():
            if raw.get("x-recorded"):
                continue
            yield [*where, "content", kind, "examples", name, "value"], \
                status, kind, raw


def examples():
    """All stated answers. Those of errors that routes share are asked once,
    on the first route that has them."""
    routes = [("GET", "", {"responses": {
        "405": DOCUMENT["components"]["responses"][name]}},
               ["components", "responses", name])
              for name in ("MethodNotAllowed", "OipMethodNotAllowed")]
    routes += [(method, path, operation, None)
               for method, path, operation in operations()]
    seen = set()
    for method, path, operation, place in routes:
        for status, response in operation["responses"].items():
            where = place or ["paths", path, method.lower(), "responses",
                              status]
            for stated in _stated(where, status, response):
                key = tuple(stated[0])
                if int(status) >= 400 and key in seen:
                    continue
                seen.add(key)
                one = Example(*stated)
                one.find_request(method, path, operation,
                                 stated[3].get("x-request", {}))
                yield one
