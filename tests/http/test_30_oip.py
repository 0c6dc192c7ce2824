"""The Open Inference Protocol over bare sockets, judged by NumPy and by /v1."""
import json
import struct

import numpy as np
from support import digits, models, near, wire
from support.reference import Model

SHAPE, UNITS, CLASSES = (4, 6), 9, "abc"
INFER = "/v2/models/one/infer"
LENGTH = "Inference-Header-Content-Length"
DENSE = ["code", "groups", "reconstruction", "probabilities", "class"]
LISTS = ["code_indptr", "code_indices", "code_values"]
TYPES = {"FP32": "<f4", "INT64": "<i8"}
TOLERANCE = 1e-5


def MODELS(folder):
    models.write(folder, "one", models.compose(SHAPE, models.dense(UNITS)))
    models.write(folder, "one", models.compose(SHAPE, models.dense(UNITS)),
                 version=2, seed=2)
    return models.write(folder, "plain", models.compose(
        (24,), models.dense(5, decoder=False), classifier=None))


def rows(n=3, seed=1):
    return np.random.default_rng(seed).uniform(0, 1, (n, *SHAPE)).astype("f4")


def reference(t, version=2):
    return Model(models.path_of(t.server.models, "one", version))


def tensor(x, datatype="FP32", **more):
    return {"name": "input", "shape": list(x.shape), "datatype": datatype,
            **more}


def parcel(tensor, payload, **more):
    """Body and headers of a request whose input is bytes."""
    tensor = {**tensor, "parameters": {"binary_data_size": len(payload)}}
    head = json.dumps({"inputs": [tensor], **more}).encode()
    return head + payload, [(LENGTH, str(len(head)))]


def post(t, body, headers=(), target=INFER):
    if not isinstance(body, bytes):
        body = json.dumps(body).encode()
    return t.server.ask("POST", target, body, headers)


def texts(data):
    """The elements of a BYTES tensor."""
    out = []
    while data:
        size, = struct.unpack_from("<I", data)
        out.append(data[4:4 + size].decode())
        data = data[4 + size:]
    return out


def outputs(reply):
    """Arrays by name, however each of them came."""
    assert reply.status == 200, str(reply)
    size = reply.headers[LENGTH]
    kind = "application/octet-stream" if size else "application/json"
    assert reply.headers["Content-Type"] == kind, str(reply.headers)
    head = json.loads(reply.body[:int(size)] if size else reply.body)
    rest = reply.body[int(size):] if size else b""
    assert head["model_name"] in ("one", "plain"), head
    assert isinstance(head["model_version"], str), head
    out = {}
    for one in head["outputs"]:
        if "data" in one:
            assert "parameters" not in one, one
            got = one["data"]
        else:
            n = one["parameters"]["binary_data_size"]
            data, rest = rest[:n], rest[n:]
            got = texts(data) if one["datatype"] == "BYTES" else \
                np.frombuffer(data, TYPES[one["datatype"]])
        out[one["name"]] = np.asarray(got).reshape(one["shape"])
    assert rest == b"", len(rest)
    return out


def check(t, got, x, version=2):
    model = reference(t, version)
    p = model.probabilities(x)
    drawn, _ = model.reconstruct(x)
    near.arrays("code", got["code"], model.encode(x), TOLERANCE)
    near.arrays("groups", got["groups"], model.pool(x), TOLERANCE)
    near.arrays("reconstruction", got["reconstruction"],
                drawn.reshape(-1, *SHAPE), TOLERANCE)
    near.arrays("probabilities", got["probabilities"], p, TOLERANCE)
    assert got["class"].tolist() == [[CLASSES[k]] for k in p.argmax(1)]


def refuse(t, name, body, headers, status, *words, target=INFER):
    reply = post(t, body, headers, target)
    assert reply.status == status, "%s: %s, want %d" % (name, reply, status)
    assert reply.headers["Content-Type"] == "application/json", name
    error = reply.json()
    assert list(error) == ["error"], "%s: %s" % (name, error)
    for word in words:
        assert word in error["error"], "%s: no %r in %r" % (name, word, error)
    assert post(t, {"inputs": [tensor(rows(1), data=rows(1).tolist())]}
                ).status == 200, name


# ---- what is served ----

def test_metadata(t):
    """Server, health, list, model and configuration are told"""
    for path in ("/v2", "/v2/", "/v2?test_1=1&test_2=2"):
        got = t.call("GET", path).json()
        assert got["name"] == "sparsed" and "classification" in got[
            "extensions"], got
    assert t.call("GET", "/v2/health/live").json() == {"live": True}
    assert t.call("GET", "/v2/health/ready").json() == {
        "live": True, "ready": True}
    assert t.call("GET", "/v2/models").json() == {"models": ["one", "plain"]}
    got = t.call("GET", "/v2/models/one").json()
    assert got["versions"] == ["1", "2"], got
    assert got["inputs"] == [{"name": "input", "datatype": "FP32",
                              "shape": [-1, *SHAPE]}], got
    assert [one["name"] for one in got["outputs"]] == DENSE + LISTS, got
    for path, version in (("", "2"), ("/versions/1", "1")):
        assert t.call("GET", "/v2/models/one%s/ready" % path).json() == {
            "name": "one", "version": version, "ready": True}
        config = t.call("GET", "/v2/models/one%s/config" % path).json()
        assert config["max_batch_size"] == 1024, config
        assert config["input"][0]["dims"] == list(SHAPE), config


def test_unknown(t):
    """Unknown models, versions and routes are 404, wrong methods 405"""
    for path in ("/v2/models/nobody", "/v2/models/one/versions/3",
                 "/v2/models/one/versions/v1.2.3", "/v2/models/one/versions/0",
                 "/v2/models/nobody/ready", "/v2/models/nobody/config",
                 "/v2/nothing", "/v2/models/one/nothing", "/v2/models/a%20b",
                 "/v2/models/one/", "/v2/health", "/v2//models"):
        reply = t.call("GET", path)
        assert reply.status == 404 and "error" in reply.json(), path
    for method, path, allow in (("POST", "/v2", "GET, HEAD"),
                                ("GET", INFER, "POST"),
                                ("PUT", "/v2/models/one", "GET, HEAD")):
        reply = t.call(method, path)
        assert reply.status == 405, str(reply)
        assert set(allow.split(", ")) <= set(
            reply.headers["Allow"].split(", ")), str(reply.headers)


# ---- inference ----

def test_json(t):
    """Numbers in JSON, flat or nested, give what NumPy finds"""
    x = rows()
    for shape in ((3, 24), (3, *SHAPE)):
        for data in (x.ravel().tolist(), x.reshape(shape).tolist(),
                     x.reshape(3, 24).tolist()):
            check(t, outputs(post(t, {"inputs": [tensor(
                x.reshape(shape), data=data)]})), x)
    one = {"inputs": [tensor(x[0], data=x[0].tolist())]}
    check(t, outputs(post(t, one)), x[:1])
    check(t, outputs(post(t, one, target="/v2/models/one/versions/1/infer")),
          x[:1], version=1)


def test_both_protocols_agree(t):
    """/v1 and /v2 give the very same numbers"""
    x = rows()
    got = outputs(post(t, {"inputs": [tensor(x, data=x.tolist())]}))
    want = t.call("POST", "/v1/models/one/infer", {
        "inputs": x.tolist(), "format": "dense", "top": 3,
        "outputs": ["code", "groups", "reconstruction", "classes"]}).json()
    near.arrays("code", got["code"], want["codes"], 0)
    near.arrays("groups", got["groups"], want["groups"], 0)
    near.arrays("reconstruction", got["reconstruction"].reshape(3, -1),
                want["reconstructions"], 0)
    assert [[p["class"]] for p in want["predictions"]] == got["class"].tolist()


def test_binary(t):
    """Bytes go both ways, output by output"""
    x = rows()
    for more in ({"parameters": {"binary_data_output": True}}, {},
                 {"outputs": [{"name": name,
                               "parameters": {"binary_data": i % 2 == 0}}
                              for i, name in enumerate(DENSE)]}):
        body, headers = parcel(tensor(x), x.tobytes(), **more)
        check(t, outputs(post(t, body, headers)), x)
        check(t, outputs(post(t, {
            "inputs": [tensor(x, data=x.tolist())], **more})), x)
    check(t, outputs(post(t, x.tobytes(), [(LENGTH, "0")])), x)
    check(t, outputs(post(t, x[0].tobytes(), [(LENGTH.lower(), "0")])), x[:1])


def test_datatypes(t):
    """Every datatype is converted to what it says"""
    x = (rows() * 4).astype("f4")
    for name, kind in (("FP64", "<f8"), ("FP16", "<f2"), ("INT8", "<i1"),
                       ("INT16", "<i2"), ("INT32", "<i4"), ("INT64", "<i8"),
                       ("UINT8", "<u1"), ("UINT16", "<u2"), ("UINT32", "<u4"),
                       ("UINT64", "<u8"), ("BOOL", "?")):
        y = x.astype(kind)
        body, headers = parcel(tensor(y, name), y.tobytes())
        check(t, outputs(post(t, body, headers)), y.astype("f4"))
        if name != "FP16":
            check(t, outputs(post(t, {"inputs": [tensor(
                y, name, data=y.tolist())]})), y.astype("f4"))
    bf16 = (x.view("<u4") >> 16).astype("<u2")
    body, headers = parcel(tensor(bf16, "BF16"), bf16.tobytes())
    check(t, outputs(post(t, body, headers)),
          (bf16.astype("<u4") << 16).view("f4"))


def test_lists(t):
    """A code as CSR is the dense one"""
    x = rows()
    for binary in (False, True):
        got = outputs(post(t, {
            "inputs": [tensor(x, data=x.tolist())],
            "outputs": [{"name": name, "parameters": {"binary_data": binary}}
                        for name in ["code", *LISTS]]}))
        dense = np.zeros_like(got["code"])
        ends = got["code_indptr"]
        for row, at, end in zip(dense, ends, ends[1:]):
            row[got["code_indices"][at:end]] = got["code_values"][at:end]
        near.arrays("code", dense, got["code"], 0)
        assert len(ends) == 4 and ends[-1] == len(got["code_values"])


def test_classification(t):
    """The largest probabilities come as value:index:label"""
    x = rows()
    got = outputs(post(t, {
        "inputs": [tensor(x, data=x.tolist())],
        "outputs": [{"name": "probabilities",
                     "parameters": {"classification": 2}}]}))["probabilities"]
    p = reference(t).probabilities(x)
    assert got.shape == (3, 2)
    for row, want in zip(got, p):
        for text, k in zip(row, np.argsort(-want)):
            value, index, label = text.split(":")
            assert (int(index), label) == (k, CLASSES[k]), (text, want)
            assert len(value.split(".")[1]) == 6, text
            assert abs(float(value) - want[k]) < 1e-5, (text, want)


def test_ids_and_types(t):
    """Ids are echoed, empty ones are not; content types mean nothing"""
    body = {"inputs": [tensor(rows(1), data=rows(1).tolist())]}
    for sent, want in (("a\0b\u00e9", "a\0b\u00e9"), ("", None), (None, None)):
        got = post(t, {**body, "id": sent, "model_name": "other",
                       "outputs": None}).json()
        assert got.get("id") == want, got
    for kind in ("application/x-www-form-urlencoded", "text/plain", "",
                 "application/octet-stream", "nonsense"):
        reply = post(t, body, [("Content-Type", kind), ("Accept", "x/y")],
                     INFER + "?test_1=1&%zz")
        assert reply.status == 200, "%s: %s" % (kind, reply)


def test_connection_goes_on(t):
    """Requests of both forms, and refused ones, share a connection"""
    x = rows(1)
    body, headers = parcel(tensor(x), x.tobytes())
    with t.server.connect() as connection:
        for sent, given, status in ((body, headers, 200), (body, (), 400),
                                    (b"{}", (), 400), (body, headers, 200)):
            connection.send(wire.compose("POST", INFER, sent, given))
            assert connection.read("POST").status == status


# ---- what is refused ----

def test_bad_tensors(t):
    """Wrong names, datatypes, shapes and numbers are 400 and named"""
    x = rows(1)
    good = tensor(x, data=x.ravel().tolist())
    for name, change, word in (
            ("name", {"name": "images"}, "\"input\""),
            ("no name", {"name": None}, "\"input\""),
            ("datatype", {"datatype": "FP8"}, "FP8"),
            ("texts", {"datatype": "BYTES"}, "BYTES"),
            ("halves", {"datatype": "FP16"}, "binary"),
            ("shape", {"shape": [1, 23]}, "(1,23)"),
            ("more rows", {"shape": [2, 24]}, "48"),
            ("negative", {"shape": [-1, 24]}, "shape[0]"),
            ("no rows", {"shape": [0, 24], "data": []}, "empty"),
            ("overflow", {"shape": [16, 2 ** 60 + 2]}, "shape"),
            ("overflow of few", {"shape": [4, 2 ** 60 + 2]}, "shape"),
            ("large", {"shape": [2 ** 40, 2 ** 40]}, "overflows"),
            ("short", {"data": [1.0] * 23}, "23"),
            ("long", {"data": [1.0] * 25}, "25"),
            ("text", {"data": ["1"] * 24}, "data[0]"),
            ("null", {"data": [1.0] * 23 + [None]}, "data[23]"),
            ("huge", {"data": [1.0] * 23 + [1e39]}, "data[23]"),
            ("range", {"datatype": "INT8", "data": [128] * 24}, "INT8"),
            ("fraction", {"datatype": "INT8", "data": [0.5] * 24}, "INT8"),
            ("nothing", {"data": None}, "binary_data_size"),
            ("memory", {"parameters": {"shared_memory_region": "r"}},
             "shared memory")):
        refuse(t, name, {"inputs": [{**good, **change}]}, (), 400, word)
    for name, body, word in (
            ("none", {}, "inputs"), ("null", {"inputs": None}, "inputs"),
            ("empty", {"inputs": []}, "inputs"),
            ("two", {"inputs": [good, good]}, "one tensor"),
            ("id", {"inputs": [good], "id": 7}, "id"),
            ("reserved", {"inputs": [good], "parameters": {"triton_a": 1}},
             "triton_a"),
            ("unknown output", {"inputs": [good], "outputs": [
                {"name": "x"}]}, "\"x\""),
            ("output twice", {"inputs": [good], "outputs": [
                {"name": "code"}, {"name": "code"}]}, "twice"),
            ("a list is no class", {"inputs": [good], "outputs": [
                {"name": "class", "parameters": {"classification": 1}}]},
             "classification")):
        refuse(t, name, body, (), 400, word)
    text = json.dumps({"inputs": [good]}).encode()
    for name, body in (("cut", text[:-3]), ("more", text + b"x"),
                       ("nothing", b""), ("NaN", text.replace(b"[0", b"[NaN")),
                       ("deep", b'{"inputs":' + b"[" * 9999)):
        refuse(t, name, body, (), 400)
    many = np.zeros((1025, 24))
    refuse(t, "rows", {"inputs": [tensor(many, data=many.tolist())]}, (), 413)
    refuse(t, "no model", text, (), 404, target="/v2/models/nobody/infer")
    refuse(t, "version", text, (), 404,
           target="/v2/models/one/versions/9/infer")


def test_bad_bytes(t):
    """Sizes and header lengths that lie either way are 400"""
    x = rows(1)
    size = x.nbytes
    for claimed, sent in ((size, size - 1), (size, size + 1), (size, 0),
                          (size - 4, size - 4), (size + 4, size + 4),
                          (0, 0), (0, size), (-1, size), (2 ** 62, size)):
        head = json.dumps({"inputs": [tensor(
            x, parameters={"binary_data_size": claimed})]}).encode()
        payload = (x.tobytes() + bytes(4))[:sent]
        refuse(t, "%d of %d" % (sent, claimed), head + payload,
               [(LENGTH, str(len(head)))], 400)
    body, headers = parcel(tensor(x), x.tobytes())
    length = int(headers[0][1])
    for value in (length - 1, length + 1, len(body), len(body) + 1, 1, -1,
                  2 ** 31, 2 ** 32 + length, 2 ** 64 + length, "x", "",
                  "%dx" % length, "+%d" % length, "1e2", "0x10"):
        refuse(t, "header %s" % value, body, [(LENGTH, str(value))], 400)
    refuse(t, "raw, cut", x.tobytes()[:-1], [(LENGTH, "0")], 400, "rows")
    refuse(t, "raw, nothing", b"", [(LENGTH, "0")], 400, "rows")
    nan = np.full((1, *SHAPE), np.nan, "<f4")
    refuse(t, "NaN", nan.tobytes(), [(LENGTH, "0")], 400, "finite")


# ---- KServe's first protocol ----

def test_predict(t):
    """Instances get the objects of classify, or of encode"""
    x = rows()
    want = t.call("POST", "/v1/models/one/classify",
                  {"inputs": x.tolist()}).json()["predictions"]
    for instances in (x.tolist(), x.reshape(3, -1).tolist(),
                      [{"input": row} for row in x.tolist()]):
        reply = post(t, {"instances": instances},
                     target="/v1/models/one:predict")
        assert reply.json() == {"predictions": want}, str(reply)
        assert reply.headers["Sparsed-Version"] == "2"
    want = t.call("POST", "/v1/models/plain/encode",
                  {"inputs": x.reshape(3, -1).tolist()}).json()["codes"]
    reply = post(t, {"instances": x.reshape(3, -1).tolist()},
                 target="/v1/models/plain:predict")
    assert reply.json() == {"predictions": want}, str(reply)
    for name, body, status in (("none", {}, 400), ("empty", {
            "instances": []}, 400), ("short", {"instances": [[1]]}, 400),
            ("wrapped", {"instances": [{"x": [1]}]}, 400)):
        refuse(t, name, body, (), status, "instances",
               target="/v1/models/one:predict")
    refuse(t, "model", {}, (), 404, target="/v1/models/nobody:predict")


def test_a_digit(t):
    """A real digit gets its class from the shipped model, in all forms"""
    server = t.start()
    server.wait_ready()
    images, labels = digits.mnist_test()
    x = images[:20].astype("f4") / np.float32(255)
    body, headers = parcel(tensor(x), x.tobytes(), outputs=[
        {"name": "class", "parameters": {"binary_data": True}}])
    path = "/v2/models/mnist-drsae/infer"
    reply = server.ask("POST", path, body, headers)
    size = int(reply.headers[LENGTH])
    got = [int(text) for text in texts(reply.body[size:])]
    assert got == labels[:20].tolist(), got
