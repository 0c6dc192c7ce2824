"""The contract: openapi.yaml, the routes in code, every example in it and in
the README."""
import re
import time

import openapi_spec_validator
from support import contract, models, near, readme
from support.server import ROOT, SHIPPED

PLAIN = models.compose((4,), models.dense(6, decoder=False), classifier=None)
TINY = models.compose((4,), models.dense(6))


def make_two(folder):
    """Of the shipped models, so that examples stay when others come."""
    for name in ("mnist-drsae", "fashion-drsae"):
        (folder / name).symlink_to(SHIPPED / name)
    return folder


def make_plain(folder):
    return models.write(folder, "plain", PLAIN)


def make_damaged(folder):
    path = models.path_of(models.write(folder, "tiny", TINY), "tiny", 1)
    path.write_bytes(path.read_bytes()[:-4])
    return folder


# Folders of models that the contract's `x-models` names.
FOLDERS = {None: make_two, "no-decoder": make_plain, "damaged": make_damaged}


def test_valid(t):
    """openapi.yaml is valid OpenAPI 3.1"""
    assert contract.DOCUMENT["openapi"].startswith("3.1.")
    openapi_spec_validator.validate(contract.DOCUMENT)


def routes_in_code():
    """(method, path) of each row of the table in api/routes.c"""
    text = (ROOT / "api" / "routes.c").read_text()
    table = text[text.index("struct route routes[] = {"):]
    table = table[:table.index("\n};")]
    rows = re.findall(r'^\s*\{"([A-Z]+)",\s*"(/[^"]*)"', table, re.MULTILINE)
    assert len(rows) == table.count('{"'), "a row that this cannot read"
    return rows


def test_routes(t):
    """The routes in code and in the contract are the same"""
    code = routes_in_code()
    stated = [(method, path) for method, path, _ in contract.operations()]
    assert len(set(code)) == len(code), code
    assert set(code) == set(stated), set(code) ^ set(stated)


def make_job(t):
    """Sample 1 and fine-tune 1, which has ended"""
    picture = (ROOT / "tests" / "data" / "digit-7.png").read_bytes()
    for target, body in (("models/mnist-drsae/samples?label=7", picture),
                         ("models/mnist-drsae/fine-tunes", b""),
                         ("fine-tunes/1/cancel", b"")):
        headers = {"Content-Type": "image/png"} if body else {}
        reply = t.call("POST", "/v1/" + target, body=body, headers=headers)
        assert reply.status < 300, str(reply)
    while t.call("GET", "/v1/fine-tunes/1").json()["ended"] is None:
        time.sleep(0.1)


def test_methods(t):
    """Every path takes the contract's methods and refuses all others"""
    make_job(t)
    by_path = {}
    for method, path, _ in contract.operations():
        by_path.setdefault(path, set()).add(method)
    for path, taken in by_path.items():
        allow = taken | ({"HEAD"} if "GET" in taken else set())
        for value, name in (("mnist-drsae", "{model}"), ("1", "{version}"),
                            ("0", "{unit}"), ("1", "{sample}"),
                            ("1", "{job}")):
            path = path.replace(name, value)
        for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "PATCH"):
            reply = t.call(method, path)
            if method in allow:
                assert reply.status not in (404, 405), "%s %s: %s" % (
                    method, path, reply)
            else:
                assert reply.status == 405, "%s %s: %s" % (method, path, reply)
                got = set(re.split(r",\s*", reply.headers["Allow"]))
                assert got == allow | {"OPTIONS"}, "%s: %s" % (path, got)
    # One of the routes was that which unloads the model.
    reply = t.call("POST", "/v2/repository/models/mnist-drsae/load")
    assert reply.status == 200, str(reply)


def test_operations_are_told(t):
    """Each operation has a name of its own, a summary and its errors"""
    names = [operation["operationId"]
             for _, _, operation in contract.operations()]
    assert len(set(names)) == len(names), names
    for method, path, operation in contract.operations():
        where = "%s %s" % (method, path)
        assert operation["summary"], where
        codes = set(operation["responses"])
        if "{model}" in path:
            assert "404" in codes, where
        if "requestBody" in operation:
            assert {"400", "413", "415"} <= codes, where
            own = contract.family_of(path) == ""
            assert own == ("422" in codes), where


def test_every_schema_is_used(t):
    """Nothing is declared that nothing refers to"""
    text = contract.PATH.read_text()
    for kind, members in contract.DOCUMENT["components"].items():
        for name in members:
            used = "'#/components/%s/%s'" % (kind, name) in text
            # These two have no route of their own: info.description.
            assert used or (kind, name) in (
                ("responses", "Problem"), ("responses", "MethodNotAllowed"),
                ("responses", "OipMethodNotAllowed"),
                ("securitySchemes", "token")), "%s/%s" % (kind, name)


def test_request_examples(t):
    """Every example of a request is as its schema says"""
    count = 0
    for _, path, operation in contract.operations():
        body = contract.resolve(operation.get("requestBody", {}))
        for kind, media in body.get("content", {}).items():
            for example in media.get("examples", {}).values():
                example = contract.resolve(example)
                if "value" in example:
                    contract.validate(example["value"], media["schema"])
                    count += 1
                else:
                    assert (ROOT / example["externalValue"]).exists(), path
    assert count >= 12, count


def test_examples(t):
    """Every example of an answer is what the server answers"""
    servers = {None: t.start(make_two(t.folder()))}
    servers[None].wait_ready()
    count = 0
    for example in contract.examples():
        if example.models not in servers:
            make = FOLDERS[example.models]
            servers[example.models] = t.start(make(t.folder()))
        got = example.ask(servers[example.models])
        found = near.difference(readme.comparable(got),
                                readme.comparable(example.want))
        assert found is None, "%s: %s" % (example, found)
        count += 1
    assert count >= 40, count


def test_recorded_examples(t):
    """Every example that was recorded is as its schema says"""
    count = 0
    for schema, answer in contract.recorded():
        contract.validate(answer, schema)
        count += 1
    assert count >= 7, count


def test_success_and_error_examples(t):
    """Every JSON answer that a route can give has an example"""
    without = []
    for name, response in contract.DOCUMENT["components"]["responses"].items():
        for kind, media in response.get("content", {}).items():
            if kind.endswith("json") and "examples" not in media:
                without.append(name)
    # These come with load, faults, signals, tokens, and when another acted in
    # between, which other tests provoke.
    assert {name.removeprefix("Oip") for name in without} <= {
        "Problem", "InternalError", "Unavailable", "Timeout",
        "InsufficientStorage", "ContentTooLarge", "Unauthorized", "Forbidden",
        "TooManyRequests", "PreconditionFailed"}, without


def test_readme(t):
    """Every curl command in README.md gives the output that stands below it"""
    blocks = readme.blocks()
    assert blocks, "no curl in README.md"
    for block in blocks:
        readme.check(block, t.server, t.folder())
