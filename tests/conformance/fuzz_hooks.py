"""What the contract has no words for, told to the fuzzer.

How long a row is, which models there are and what they can do depends on what
is loaded; JSON Schema knows nothing of it. Here stand: bodies that are no JSON
(MEDIA), what makes a request fit the loaded models (FIT), and which refusals
of requests that fit the contract are right all the same (REFUSALS), each with
its reason. Where the fuzzer means to send something wrong, nothing is changed.
"""
import io
import os
import pathlib
import re
import struct
import zlib

import numpy as np
import requests
import schemathesis
from host import SMALL
from hypothesis import strategies as st
from schemathesis.core.parameters import ParameterLocation as Location

# Whether the daemon asks for tokens.
TOKENS = "SPARSED_TOKEN" in os.environ

# ---- MEDIA: bodies that no schema describes ----


def npy(array):
    out = io.BytesIO()
    np.save(out, array)
    return out.getvalue()


def npz(rows):
    out = io.BytesIO()
    np.savez(out, x=np.zeros((rows, 4)), y=np.array(["a"] * rows))
    return out.getvalue()


def chunk(kind, data):
    return (struct.pack(">I", len(data)) + kind + data
            + struct.pack(">I", zlib.crc32(kind + data)))


def png(side):
    row = b"\0" + bytes(side)
    return (b"\x89PNG\r\n\x1a\n"
            + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0))
            + chunk(b"IDAT", zlib.compress(row * side)) + chunk(b"IEND", b""))


def oip(rows):
    """A request with one binary tensor behind its JSON."""
    head = (b'{"inputs":[{"name":"input","shape":[%d,4],"datatype":"FP32",'
            b'"parameters":{"binary_data_size":%d}}]}' % (rows, 16 * rows))
    return head + np.zeros((rows, 4), "<f4").tobytes()


JPEG = (pathlib.Path(__file__).parents[1] / "data/digit-7.jpg").read_bytes()
ROWS = st.integers(1, 3)
for kind, strategy in (
        ("application/x-npy", ROWS.map(lambda n: npy(np.zeros((n, 4))))),
        ("application/x-npz", ROWS.map(npz)),
        ("application/x-ndjson", ROWS.map(lambda n: b'{"input":[0,1,0,1]}\n'
                                          * n)),
        ("image/png", st.integers(1, 4).map(png)),
        ("image/jpeg", st.just(JPEG)),
        ("application/octet-stream", ROWS.map(oip))):
    schemathesis.openapi.media_type(kind, strategy)

# ---- FIT ----


def pick(value, choices):
    """One of the choices, always the same for the same value, so that a
    failure can be made smaller."""
    return choices[zlib.crc32(repr(value).encode()) % len(choices)]


def means_it(case, location):
    """Whether this part of the request is meant to be right."""
    return case.meta is None or not case.meta.is_negative_at(location)


def fit_path(path):
    """Models that there are, mostly: others are 404 and show nothing more."""
    if path.get("model") not in SMALL and pick(path, range(8)):
        path["model"] = pick(path.get("model"), sorted(SMALL))
    if "version" in path and pick(path, range(8)):
        path["version"] = type(path["version"])(1)
    if isinstance(path.get("unit"), int) and pick(path, range(8)):
        path["unit"] %= SMALL.get(path["model"], (1, 1))[1]


def numbers(row):
    """The numbers of a nested row, or None if it holds anything else."""
    flat = []
    for value in row if isinstance(row, list) else [None]:
        inner = numbers(value) if isinstance(value, list) else [value]
        if inner is None or any(isinstance(v, str | dict | None.__class__)
                                for v in inner):
            return None
        flat += inner
    return flat


def fit_row(row, size):
    """A row of this length, with the numbers of the old one."""
    flat = numbers(row)
    return (flat + [0] * size)[:size] if flat is not None else row


def fit_body(body, size, units):
    """Rows as long as the model's; as many masks, labels, scales as rows."""
    for name in ("inputs", "instances"):
        if isinstance(body.get(name), list):
            body[name] = [{**row, "input": fit_row(row["input"], size)}
                          if isinstance(row, dict) and "input" in row
                          else fit_row(row, size) for row in body[name]]
            for other in ("mask", "labels"):
                if isinstance(body.get(other), list) and body[other]:
                    body[other] = (body[other] * len(body[name]))[
                        :len(body[name])]
    if isinstance(body.get("mask"), list):
        body["mask"] = [fit_row(row, size) for row in body["mask"]]
    codes = body.get("codes")
    if isinstance(codes, list):
        body["codes"] = [fit_code(code, units) for code in codes]
        if isinstance(body.get("scales"), list):
            body["scales"] = (body["scales"] + [1] * len(codes))[:len(codes)]


def fit_code(code, units):
    if not isinstance(code, dict):
        return fit_row(code, units)
    if not {"indices", "values"} <= set(code):
        return code
    indices = sorted({i % units for i in code["indices"]})
    return {**code, "indices": indices,
            "values": (code["values"] + [1] * units)[:len(indices)]}


def fit_tensors(body):
    """The data of a tensor as long as its shape says, and that as the
    model's."""
    for tensor in body["inputs"]:
        if not isinstance(tensor, dict) or "data" not in tensor:
            continue
        flat = numbers(tensor["data"]) or []
        rows = max(1, min(4, len(flat) // 4))
        tensor["shape"] = [rows, 4]
        tensor["data"] = (flat + [0] * rows * 4)[:rows * 4]
        tensor.pop("parameters", None)


@schemathesis.hook
def before_call(context, case, kwargs):
    if means_it(case, Location.PATH) and case.path_parameters:
        fit_path(case.path_parameters)
    size, units = SMALL.get((case.path_parameters or {}).get("model"), (4, 6))
    if means_it(case, Location.BODY) and isinstance(case.body, dict):
        # The body of a link is an object, whatever type was drawn for it.
        case.media_type = "application/json"
        if case.path.startswith("/v2"):
            if isinstance(case.body.get("inputs"), list):
                fit_tensors(case.body)
        else:
            fit_body(case.body, size, units)
    fit_headers(case)


def fit_headers(case):
    headers = case.headers or {}
    if not means_it(case, Location.HEADER):
        return
    # Time to answer in, mostly: in a millisecond nothing is answered.
    given = headers.get("Request-Timeout")
    if given is not None and pick([case.body, given], range(8)):
        headers["Request-Timeout"] = "60"
    # The fuzzer packs no bodies, and cannot count how long a part of one is.
    headers.pop("Content-Encoding", None)
    headers.pop("Inference-Header-Content-Length", None)
    if isinstance(case.body, bytes) and case.path.endswith("/infer"):
        head, end, _ = case.body.partition(b"}}]}")
        if end:
            headers["Inference-Header-Content-Length"] = str(
                len(head) + len(end))


@schemathesis.hook
def after_call(context, case, response):
    """Loads again what was unloaded, or the rest finds no models."""
    if case.path.endswith("/unload") and response.status_code == 200:
        url = response.request.url.split("?")[0].removesuffix("unload")
        requests.post(url + "load", headers={
            "Authorization": "Bearer %s" % os.environ.get("SPARSED_TOKEN")},
            timeout=60).raise_for_status()


# ---- REFUSALS ----

# Of requests that fit the contract: status, the reply's words, and why the
# contract cannot say it.
REFUSALS = (
    (r"4[02]\d", r"want \d+ numbers|want an array of shape|not pictures|"
     r"want a picture|has layers 0 to|want a whole number from 0 to",
     "how large a model is"),
    ("400", "no output ", "what a model can do"),
    ("422", "given twice", "an option may stand in the query or in the body"),
    (r"4[02]\d", "say which samples|no sample is both|goes alone",
     "parameters of one query that need or exclude each other"),
    ("422", "goes with a picture or npy",
     "a parameter that goes with one type of body"),
    ("400", "is asked for twice", "that objects of a list differ in a member"),
    (r"4[02]\d", "the reconstruction is not finite|norm is over what float32",
     "what a model makes of numbers"),
    ("412", "If-Match", "what there is that may match"),
    ("422", "has no samples to learn from", "what was posted before"),
    ("422", "was used with another body", "what came before with that key"),
    ("400", r"want a number of [A-Z]+\d*|is no [A-Z]+\d*|wants whole numbers",
     "what a number may be depends on the tensor's type"),
    (r"4[02]\d", "want 1 to 200 bytes|value is over 255 bytes",
     "characters are counted, not bytes"),
    ("400", r"u0000 is not taken in text",
     "members of any name are passed over; the contract says it in words"),
)


@schemathesis.hook
def filter_failure(context, failure, case, response):
    """False for what is no failure."""
    status, headers = response.status_code, case.headers or {}
    if failure.code == "ST202":
        text = response.content.decode(errors="replace")
        return not any(re.fullmatch(wanted, str(status))
                       and re.search(words, text)
                       for wanted, words, _ in REFUSALS)
    if failure.code == "ST201":
        return is_wrong(failure, headers)
    # No answer in time, where the request gave it next to none.
    return status != 504 or "Request-Timeout" not in headers


def is_wrong(failure, headers):
    """Whether a request that was taken should have been refused."""
    # Unknown headers are passed over: RFC 9110, section 5.1.
    if any("schemathesis-unknown" in name for name in headers):
        return False
    # What was wrong has been replaced by what a link found.
    if "positive test case" in failure.message:
        return False
    return TOKENS or "`Authorization`" not in failure.message
