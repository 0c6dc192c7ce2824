"""Requests over HTTP: ours, what others would run, and a ceiling.

All servers have the same weights and are up at the same time, at rest but for
the one that is asked; a round asks each in turn. Before, their answers to the
same digits are compared. The ceiling is libmicrohttpd alone, which reads the
same body and gives a constant answer of our length (bench/ceiling.c).
"""
import json
import os
import struct

from row import Missing, Row
from serving import LAYOUT, Request, Served, load

MODEL = "mnist-drsae"
JSON = {"Content-Type": "application/json"}
OURS, CEILING = "sparsed", "libmicrohttpd, constant answer"
ROUTE = "/v1/models/%s/classify?top=10" % MODEL


# ---- bodies ----

def short(x):
    return "%.4g" % x


def as_json(rows, form):
    return b'{"inputs":[%s]}' % b",".join(
        b"[%s]" % ",".join(map(form, row)).encode() for row in rows)


def as_oip(rows, form):
    data = ",".join(",".join(map(form, row)) for row in rows)
    return ('{"inputs":[{"name":"input","shape":[%d,784],"datatype":"FP32",'
            '"data":[%s]}]}' % (len(rows), data)).encode()


def as_floats(rows):
    return b"".join(struct.pack("<784f", *row) for row in rows)


def as_npy(rows):
    head = "{'descr': '<f4', 'fortran_order': False, 'shape': (%d, 784), }" % (
        len(rows))
    head += " " * (-(len(head) + 11) % 64) + "\n"
    return (b"\x93NUMPY\x01\x00" + struct.pack("<H", len(head)) +
            head.encode() + as_floats(rows))


def as_oip_binary(rows):
    body = as_floats(rows)
    head = json.dumps({
        "inputs": [{"name": "input", "shape": [len(rows), 784],
                    "datatype": "FP32",
                    "parameters": {"binary_data_size": len(body)}}],
        "outputs": [
            {"name": "class"},
            {"name": "probabilities", "parameters": {"binary_data": True}}],
    }, separators=(",", ":")).encode()
    return head + body, {"Inference-Header-Content-Length": str(len(head)),
                         "Content-Type": "application/octet-stream"}


def request_of(name, rows, form):
    """The request that asks the server of this name for JSON rows."""
    if name == "MLServer":
        return Request("/v2/models/digits/infer", as_oip(rows, form), JSON)
    path = ROUTE if name == OURS else "/classify"
    return Request(path, as_json(rows, form), JSON)


# ---- answers ----

def answer_of(name, body):
    """(class, its probability) of each row, from a reply's JSON."""
    j = json.loads(body)
    if name == "MLServer":
        by_name = {o["name"]: o["data"] for o in j["outputs"]}
        return [(k, by_name["probabilities"][i * 10 + int(k)])
                for i, k in enumerate(by_name["class"])]
    if name == OURS:
        return [(p["class"], p["probability"]) for p in j["predictions"]]
    return [(p["class"], p["probabilities"][int(p["class"])])
            for p in j["predictions"]]


def compare(servers, rows):
    first = None
    for s in servers:
        status, body = s.ask(request_of(s.name, rows, repr))
        if status != 200:
            raise SystemExit("%s: %d %s" % (s.name, status, body[:200]))
        answer = answer_of(s.name, body)
        first = first or answer
        if len(answer) != len(rows) or any(
                a[0] != b[0] or abs(a[1] - b[1]) > 1e-4
                for a, b in zip(first, answer)):
            raise SystemExit("%s: other classes than ours" % s.name)


# ---- servers ----

def ours(bench, name="ours", models=(MODEL,)):
    folder = bench.folder / name
    (folder / "models").mkdir(parents=True)
    for m in models:
        (folder / "models" / m).symlink_to(bench.root / "models" / m)
    return Served(OURS, [
        bench.binary, "serve", "--listen", "127.0.0.1:0", "--threads", "2",
        "--models", folder / "models", "--data-dir", folder / "data",
        "--log-level", "warn"], folder)


def fastify(bench):
    return Served("fastify + onnxruntime-node", [
        "node", "bench/peers/http/node/server.js"], bench.folder / "fastify",
        {"PORT": "{port}", "MODEL": bench.onnx(MODEL),
         "NODE_PEERS": bench.build / "peers-node"}, bench.root)


def fastapi(bench):
    return Served("FastAPI + ONNX Runtime", [
        bench.build / "peers-http/bin/uvicorn", "fastapi_app:app",
        "--workers", "2", "--port", "{port}", "--loop", "uvloop", "--http",
        "httptools", "--no-access-log", "--log-level", "warning"],
        bench.folder / "fastapi", {"MODEL": bench.onnx(MODEL)},
        bench.root / "bench/peers/http")


def litserve(bench):
    return Served("LitServe", [
        bench.build / "peers-http/bin/python", "litserve_app.py", "{port}"],
        bench.folder / "litserve", {"MODEL": bench.onnx(MODEL)},
        bench.root / "bench/peers/http")


def mlserver(bench):
    env = {"MODEL": bench.onnx(MODEL), "MLSERVER_HTTP_PORT": "{port}",
           "MLSERVER_HOST": "127.0.0.1", "MLSERVER_GRPC_PORT": "0",
           "MLSERVER_METRICS_ENDPOINT": "", "MLSERVER_DEBUG": "false",
           "MLSERVER_PARALLEL_WORKERS": "2", "MLSERVER_METRICS_PORT": "0",
           "PYTHONPATH": "."}
    return Served("MLServer", [
        bench.build / "peers-mlserver/bin/mlserver", "start", "."],
        bench.folder / "mlserver", env,
        bench.root / "bench/peers/http/mlserver")


PEERS = (fastify, fastapi, litserve, mlserver)


def peers(bench):
    """Those that can be had, up and answering."""
    row = bench.digits(1)
    up = []
    for make in PEERS:
        try:
            served = make(bench)
            served.wait(request_of(served.name, row, short))
            up.append(served)
        except Missing as e:
            bench.say("%s: left out: %s" % (make.__name__, e))
    return up


def ceiling(bench, bytes):
    program = bench.program("ceiling")
    return Served(CEILING, [program, "internal", "2", bytes],
                  bench.folder / ("ceiling-%d" % bytes))


# ---- rows ----

def rounds(bench, jobs, connections=64, seconds=None):
    """`jobs`: (server, request); each in turn, round by round. The figures
    of each server's rounds."""
    found = {s.name: [] for s, _ in jobs}
    for s, request in jobs:
        load(s, request, connections, 1)
    for _ in range(bench.rounds):
        for s, request in jobs:
            found[s.name].append(load(s, request, connections,
                                      seconds or bench.seconds))
    return found


def rows_of(id, name, found, measure, **goal):
    """Two rows: requests a second, and processor time of a request."""
    rate = {s: [l.rate for l in loads] for s, loads in found.items()}
    cpu = {s: [l.cpu_us for l in loads] for s, loads in found.items()}
    yield Row(id, name, "requests/s", rate.pop(OURS), rate, less=False, **goal)
    yield Row(id + "-cpu", name + ": server's processor time",
              "us a request", cpu.pop(OURS), cpu,
              sense="over" if goal["sense"] == "share" else "times")


def json_rows(bench, mine, others):
    one, many = bench.digits(1), bench.digits(32)
    for id, name, rows, form, must, reach in (
            ("http-json", "one JSON digit, `classify`", one, short, 7, 9),
            ("http-json17", "one JSON digit of 17 places", one, repr, 7, 7),
            ("http-32", "32 JSON digits a request", many, short, 3.5, 3.5)):
        jobs = [(s, request_of(s.name, rows, form)) for s in [mine] + others]
        yield from rows_of(id, name, rounds(bench, jobs), bench, must=must,
                           reach=reach, sense="times")


def ceiling_rows(bench, mine):
    one = bench.digits(1)
    binary, headers = as_oip_binary(one)
    for id, name, request, must, reach in (
            ("ceiling-json", "one JSON digit, of the ceiling",
             request_of(OURS, one, short), .32, .40),
            ("ceiling-npy", "one npy digit, of the ceiling",
             Request(ROUTE, as_npy(one), {"Content-Type": "application/x-npy"}),
             .40, .55),
            ("ceiling-oip", "one OIP binary digit, of the ceiling",
             Request("/v2/models/%s/infer" % MODEL, binary, headers),
             .40, .55)):
        status, body = mine.ask(request)
        if status != 200:
            raise SystemExit("%s: %d %s" % (name, status, body[:200]))
        bare = ceiling(bench, len(body))
        try:
            yield from rows_of(
                id, name, rounds(bench, [(mine, request), (bare, request)]),
                bench, must=must, reach=reach, sense="share")
        finally:
            bare.stop()


def alone(bench, mine):
    """p50 with one connection, beside a constant answer of the same server."""
    cpus = sorted(os.sched_getaffinity(0))
    request = request_of(OURS, bench.digits(1), short)
    constant = Request("/healthz")
    mine.pin(cpus[:1])
    both = [], []
    for i in range(bench.rounds + 1):
        for found, r in zip(both, (request, constant)):
            found.append(load(mine, r, 1, 1, cpus[1:2] or cpus).p50_us)
    mine.pin(cpus)
    yield Row("p50", "p50 with one connection", "us", both[0][1:],
              {"GET /healthz, same server": both[1][1:]}, sense="over",
              must=1.3)


def measure(bench):
    if not bench.has_command("wrk"):
        raise Missing("wrk is not installed")
    bench.note("HTTP: " + LAYOUT + "; wrk with one thread, 64 connections, "
               "but for p50: one connection, server on the first processor, "
               "wrk on the second")
    mine = ours(bench)
    others = []
    try:
        mine.wait(request_of(OURS, bench.digits(1), short))
        yield from alone(bench, mine)
        yield from ceiling_rows(bench, mine)
        others = peers(bench)
        compare([mine] + others, bench.digits(32))
        yield from json_rows(bench, mine, others)
    finally:
        for s in [mine] + others:
            s.stop()
