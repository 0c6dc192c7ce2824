"""Bad JSON: each gets its status, a message that names the field and the
limit, and leaves the server as it was."""
import json

from support import models

ROW = [0.1, 0.2, 0.3, 0.4]
GOOD = json.dumps({"inputs": [ROW, ROW]}).encode()

# (sentence, body, status, words of the detail)
ENCODE = [
    ("empty body", b"", 400, ["JSON"]),
    ("white space only", b" \n", 400, []),
    ("truncated after a number", b'{"inputs": [[0.1', 400, ["byte"]),
    ("truncated after a comma", b'{"inputs": [[0.1,', 400, ["byte"]),
    ("one brace", b"{", 400, ["byte"]),
    ("NaN", b'{"inputs": [[NaN, 1, 1, 1]]}', 400, ["byte"]),
    ("Infinity", b'{"inputs": [[-Infinity, 1, 1, 1]]}', 400, ["byte"]),
    ("1e999", b'{"inputs": [[1e999, 1, 1, 1]]}', 400, ["1e999"]),
    ("leading zero", b'{"inputs": [[01, 1, 1, 1]]}', 400, ["byte"]),
    ("leading plus", b'{"inputs": [[+1, 1, 1, 1]]}', 400, ["byte"]),
    ("bare point", b'{"inputs": [[.5, 1, 1, 1]]}', 400, ["byte"]),
    ("point without digits", b'{"inputs": [[1., 1, 1, 1]]}', 400, ["byte"]),
    ("hexadecimal", b'{"inputs": [[0x1, 1, 1, 1]]}', 400, ["byte"]),
    ("trailing comma", b'{"inputs": [[1, 1, 1, 1],]}', 400, ["byte"]),
    ("single quotes", b"{'inputs': [[1, 1, 1, 1]]}", 400, ["byte"]),
    ("comment", b'{"inputs": [[1, 1, 1, 1]] /* x */}', 400, ["byte"]),
    ("text after the value", GOOD + b"x", 400, ["byte"]),
    ("two values", GOOD + GOOD, 400, ["byte"]),
    ("byte order mark", b"\xef\xbb\xbf" + GOOD, 400, ["byte"]),
    ("bad UTF-8", b'{"inputs": [[1, 1, 1, 1]], "\xff": 1}', 400, ["byte"]),
    ("NUL inside", b'{"inputs": [[1, 1,\0 1, 1]]}', 400, ["byte"]),
    ("lone surrogate", b'{"\\ud800": [[1]]}', 400, ["byte"]),
    ("control byte in a text", b'{"a\nb": 1}', 400, ["byte"]),
    ("nesting over 32", b'{"inputs": ' + b"[" * 40 + b"]" * 40 + b"}", 400,
     ["32"]),
    ("nesting without end", b"[" * 1000000, 400, ["32"]),
    ("key given twice", b'{"inputs": [[1, 1, 1, 1]], "inputs": []}', 400,
     ["duplicate"]),
    ("malformed after a wrong row", b'{"inputs": [[1], [1', 400, ["byte"]),
    ("an array", b"[[1, 1, 1, 1]]", 422, ["object"]),
    ("a number", b"1", 422, ["object"]),
    ("null", b"null", 422, ["object"]),
    ("no inputs", b"{}", 422, ["inputs"]),
    ("inputs null", b'{"inputs": null}', 422, ["inputs"]),
    ("inputs a number", b'{"inputs": 1}', 422, ["inputs"]),
    ("inputs an object", b'{"inputs": {"0": [1, 1, 1, 1]}}', 422, ["inputs"]),
    ("empty batch", b'{"inputs": []}', 422, ["inputs", "1"]),
    ("rows that are numbers", b'{"inputs": [1, 1, 1, 1]}', 422, ["inputs"]),
    ("empty row", b'{"inputs": [[]]}', 422, ["inputs", "4"]),
    ("short row", b'{"inputs": [[1, 1, 1]]}', 422, ["inputs", "4", "3"]),
    ("long row", b'{"inputs": [[1, 1, 1, 1, 1]]}', 422, ["inputs", "4"]),
    ("ragged rows", b'{"inputs": [[1, 1, 1, 1], [1, 1, 1]]}', 422,
     ["inputs[1]", "4", "3"]),
    ("ragged nesting", b'{"inputs": [[[1, 1], [1], [1]]]}', 422, ["inputs"]),
    ("nested otherwise than the model", b'{"inputs": [[[1], [1], [1], [1]]]}',
     422, ["inputs"]),
    ("text among the numbers", b'{"inputs": [[1, "1", 1, 1]]}', 422,
     ["inputs"]),
    ("null among the numbers", b'{"inputs": [[1, null, 1, 1]]}', 422,
     ["inputs"]),
    ("beyond single precision", b'{"inputs": [[1e39, 1, 1, 1]]}', 422,
     ["inputs", "finite"]),
    ("1,025 rows", b'{"inputs": [' + b",".join([b"[1,1,1,1]"] * 1025) + b"]}",
     413, ["1024"]),
    ("unknown option", b'{"inputs": [[1, 1, 1, 1]], "temperature": 1}', 422,
     ["temperature", "top_k"]),
    ("option of another route", b'{"inputs": [[1, 1, 1, 1]], "top": 1}', 422,
     ["top"]),
    ("option in capitals", b'{"inputs": [[1, 1, 1, 1]], "Steps": 1}', 422,
     ["Steps"]),
]

# (option and value as JSON, words of the detail)
OPTIONS = [
    ('"steps": 0', ["steps", "1000"]), ('"steps": 1001', ["steps", "1000"]),
    ('"steps": 1.5', ["steps"]), ('"steps": "3"', ["steps"]),
    ('"steps": null', ["steps"]), ('"steps": -1', ["steps"]),
    ('"steps": 1e300', ["steps"]), ('"top_k": 0', ["top_k"]),
    ('"top_k": [1]', ["top_k"]), ('"threshold": -0.1', ["threshold"]),
    ('"threshold": "0"', ["threshold"]), ('"threshold": 1e300',
                                          ["threshold"]),
    ('"format": "csr"', ["format", "sparse", "dense"]),
    ('"format": 1', ["format"]), ('"explain": 1', ["explain"]),
    ('"explain": "true"', ["explain"]), ('"layer": 1', ["layer"]),
    ('"layer": -1', ["layer"]), ('"layer": 1e9', ["layer"]),
    ('"top": 0', ["top"]), ('"top": 65537', ["top", "65536"]),
    ('"outputs": []', ["outputs"]), ('"outputs": "code"', ["outputs"]),
    ('"outputs": ["codes"]', ["outputs", "code"]),
    ('"outputs": [1]', ["outputs"]), ('"note": "%s"' % ("x" * 70000), []),
]

DECODE = [
    ("no codes", b"{}", 422, ["codes"]),
    ("inputs instead", b'{"inputs": [[1]]}', 422, []),
    ("empty batch", b'{"codes": []}', 422, ["codes"]),
    ("wrong length", b'{"codes": [[1, 2]]}', 422, ["codes", "6"]),
    ("nested", b'{"codes": [[[1], [2]]]}', 422, ["codes"]),
    ("index too large", b'{"codes": [{"indices": [6], "values": [1]}]}', 422,
     ["codes", "6"]),
    ("negative index", b'{"codes": [{"indices": [-1], "values": [1]}]}', 422,
     ["indices"]),
    ("fraction as index", b'{"codes": [{"indices": [0.5], "values": [1]}]}',
     422, ["indices"]),
    ("huge index", b'{"codes": [{"indices": [1e18], "values": [1]}]}', 422,
     ["indices"]),
    ("index twice", b'{"codes": [{"indices": [1, 1], "values": [1, 1]}]}',
     422, ["codes[0]", "index 1"]),
    ("more values", b'{"codes": [{"indices": [1], "values": [1, 1]}]}', 422,
     ["values"]),
    ("fewer values", b'{"codes": [{"indices": [1, 2], "values": [1]}]}', 422,
     ["values"]),
    ("no values", b'{"codes": [{"indices": [1]}]}', 422, ["values"]),
    ("no indices", b'{"codes": [{"values": [1]}]}', 422, ["indices"]),
    ("unknown member", b'{"codes": [{"indices": [], "values": [], "x": 1}]}',
     422, ["x"]),
    ("values not numbers", b'{"codes": [{"indices": [1], "values": ["1"]}]}',
     422, ["values"]),
    ("beyond single precision", b'{"codes": [{"indices": [1], '
     b'"values": [1e39]}]}', 422, ["finite"]),
    ("scales of another length", b'{"codes": [[0,0,0,0,0,0]], '
     b'"scales": [1, 1]}', 422, ["scales"]),
    ("scales not numbers", b'{"codes": [[0,0,0,0,0,0]], "scales": ["1"]}',
     422, ["scales"]),
    ("truncated", b'{"codes": [{"indices": [1], "values": [', 400, ["byte"]),
]


def MODELS(folder):
    return models.write(folder, "one", models.compose((2, 2), models.dense(6)))


def good(t):
    reply = t.call("POST", "/v1/models/one/infer", body=GOOD,
                   headers={"Content-Type": "application/json"})
    assert reply.status == 200, str(reply)
    return reply.json()


def refuse(t, name, path, body, status, words):
    """The reply is as wanted, and the good answer afterwards is as before."""
    before = good(t)
    reply = t.call("POST", path, body=body,
                   headers={"Content-Type": "application/json"})
    assert reply.status == status, "%s: %s, want %d" % (name, reply, status)
    assert reply.type == "application/problem+json", str(reply)
    detail = reply.json()["detail"]
    for word in words:
        assert word in detail, "%s: no %r in %r" % (name, word, detail)
    assert good(t) == before, "%s: other answers afterwards" % name


def test_bad_encode_bodies(t):
    """Bad bodies of encode"""
    for name, body, status, words in ENCODE:
        refuse(t, name, "/v1/models/one/encode", body, status, words)


def test_bad_bodies_everywhere(t):
    """The same bodies are refused by every route that takes inputs"""
    for action in ("pool", "reconstruct", "classify", "infer"):
        for name, body, status, _ in ENCODE:
            if "option" not in name:
                refuse(t, action + ", " + name, "/v1/models/one/" + action,
                       body, status, [])


def test_bad_options(t):
    """Options out of their range or of the wrong type"""
    for option, words in OPTIONS:
        body = '{"inputs": [[1, 1, 1, 1]], %s}' % option
        refuse(t, option[:40], "/v1/models/one/infer", body.encode(), 422,
               words)


def test_bad_options_in_the_query(t):
    """Options in the query are judged as strictly"""
    for query, words in (
            ("steps=0", ["steps", "1000"]), ("steps=", ["steps"]),
            ("steps", ["steps"]), ("steps=3x", ["steps"]),
            ("steps=%203", ["steps"]), ("steps=1&steps=2", ["steps"]),
            ("explain=1", ["explain"]), ("format=Dense", ["format"]),
            ("outputs=", ["outputs"]), ("outputs=code,,trace", ["outputs"]),
            ("inputs=[]", ["inputs"]), ("x=1", ["x"]), ("=1", [])):
        refuse(t, query, "/v1/models/one/infer?" + query, GOOD, 422, words)
    refuse(t, "both", "/v1/models/one/infer?steps=1",
           b'{"inputs": [[1, 1, 1, 1]], "steps": 1}', 422, ["steps"])


def test_bad_codes(t):
    """Bad bodies of decode"""
    for name, body, status, words in DECODE:
        refuse(t, name, "/v1/models/one/decode", body, status, words)


def test_every_cut(t):
    """A body cut anywhere is malformed, never more"""
    body = b'{"inputs": [[0.1, -2e1, 3, 4]], "format": "dense", "top_k": 2}'
    before = good(t)
    for length in range(1, len(body)):
        reply = t.call("POST", "/v1/models/one/encode", body=body[:length],
                       headers={"Content-Type": "application/json"})
        assert reply.status == 400, "%r: %s" % (body[:length], reply)
    assert good(t) == before


def test_one_byte_changed(t):
    """A body with any one byte changed is answered or refused, cleanly"""
    body = b'{"inputs": [[0.1, -2e1, 3, 4]], "top_k": 2}'
    before = good(t)
    for at in range(len(body)):
        for byte in b'\0 "[]{},:-.e9x\xff\\':
            changed = body[:at] + bytes([byte]) + body[at + 1:]
            reply = t.call("POST", "/v1/models/one/encode", body=changed,
                           headers={"Content-Type": "application/json"})
            assert reply.status in (200, 400, 422), "%r: %s" % (changed, reply)
    assert good(t) == before
