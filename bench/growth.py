"""`make bench-growth`: how latency and memory grow, into GROWTH.md and growth/.

    growth.py [--only SECTION,...] [--quick]

Models are DrSAEs with random weights, whose thresholds are set so that the wanted
share of the units is on for real digits; the share that came out is written
down. Figures are medians (least-most) of rounds.
"""
import argparse
import json
import os
import pathlib
import re
import shutil
import statistics
import tempfile

import numpy as np
from safetensors.numpy import save_file

from plot import chart
from row import spread
from rows import http
from run import Bench, machine
from serving import Served, load
from worker import Worker

HERE = pathlib.Path(__file__).resolve().parent
MB = 1e6


# ---- models ----

def make_model(path, x, units=400, steps=11, share=0.1):
    """Writes PATH/1/model.safetensors; the share of units on, at the end."""
    random = np.random.default_rng(1)
    normal = lambda *shape: random.standard_normal(shape, np.float32)
    E = normal(units, 784) / 28
    S = normal(units, units) * np.float32(0.1 / (units * share) ** .5)
    flat = x.reshape(len(x), -1)
    flat = flat / np.linalg.norm(flat, axis=1, keepdims=True)
    ex = flat @ E.T
    b = np.quantile(ex, 1 - share, axis=0).astype("f4")
    z = np.maximum(ex - b, 0)
    for _ in range(steps - 1):
        z = np.maximum(ex + z @ S.T - b, 0)
    D = normal(784, units) / 28
    C = normal(10, units) / units ** .5
    config = {
        "input": {"shape": [28, 28], "range": [0, 1]},
        "preprocess": [{"op": "unit_norm"}],
        "layers": [{
            "operator": "dense", "units": units,
            "encoder": {"kind": "recurrent", "nonlinearity": "relu",
                        "steps": steps},
            "structure": {"kind": "l1", "lambda": 0.1},
            "decoder": True, "up": "code"}],
        "classifier": {"input": "code"}}
    (path / "1").mkdir(parents=True)
    layer = "layers.0."
    save_file(
        {layer + "encoder.weight": E, layer + "encoder.bias": b,
         layer + "encoder.recurrent": S, layer + "decoder.weight": D,
         "classifier.weight": C, "classifier.bias": np.zeros(10, "f4")},
        path / "1/model.safetensors",
        {"format": "sparsed", "config": json.dumps(config),
         "classes": json.dumps([str(k) for k in range(10)])})
    return float((z > 0).mean())


# ---- measures ----

class Growth(Bench):
    def encode_us(self, model, batches):
        """Microseconds a row of batches of each size, one thread."""
        inputs = self.folder / "inputs"
        if not inputs.exists():
            self.digits(512, np.float32).tofile(inputs)
        with tempfile.TemporaryDirectory(dir=self.folder) as folder:
            w = Worker([self.program("encode"), model, inputs, folder],
                       pathlib.Path(folder))
            try:
                found = {rows: [] for rows in batches}
                for rows in batches:
                    w.ask("%d 1" % rows)
                    once = float(w.ask("%d 1" % rows)) * rows
                    times = max(1, int((5e3 if self.quick else 4e4) / once))
                    found[rows] = [float(w.ask("%d %d" % (rows, times)))
                                   for _ in range(self.rounds)]
            finally:
                w.close()
        return found

    def serve(self, models):
        folder = pathlib.Path(tempfile.mkdtemp(dir=self.folder))
        return Served(http.OURS, [
            self.binary, "serve", "--listen", "127.0.0.1:0", "--threads", "2",
            "--models", models, "--data-dir", folder / "data", "--log-level",
            "warn"], folder)

    def started(self, models, name):
        """(milliseconds to the first answer, MB after it) of each round."""
        found = []
        for _ in range(self.rounds):
            served = self.serve(models)
            try:
                took = served.wait(request_to(self, name))
                found.append((took * 1e3, served.memory_bytes() / MB))
            finally:
                served.stop()
        return [list(side) for side in zip(*found)]


def request_to(bench, name):
    r = http.request_of(http.OURS, bench.digits(1), http.short)
    r.path = "/v1/models/%s/classify?top=10" % name
    return r


# ---- sections: (head, lines, plots); a plot is (name, x, y, series) ----

def by_model(bench, title, variants, key):
    """Latency and memory of models that differ in one setting."""
    x = bench.digits(512, np.float32)
    lines, one, many, memory = [], [], [], []
    for value in variants:
        folder = pathlib.Path(tempfile.mkdtemp(dir=bench.folder))
        on = make_model(folder / "m", x, **{key: value})
        us = bench.encode_us(folder / "m", (1, 128))
        _, mb = bench.started(folder, "m")
        size = (folder / "m/1/model.safetensors").stat().st_size / MB
        shutil.rmtree(folder)
        at = 100 * on if key == "share" else value
        shown = "%.1f %%" % at if key == "share" else value
        lines.append([shown, "%.1f %%" % (100 * on), spread(us[1]),
                      spread(us[128]), "%.1f" % size, spread(mb)])
        one.append((at, statistics.median(us[1])))
        many.append((at, statistics.median(us[128])))
        memory.append((at, statistics.median(mb)))
        print(title, *lines[-1], flush=True)
    head = [title, "units on", "one row, us", "of 128 rows, us a row",
            "file, MB", "server, MB"]
    return head, lines, [
        ("latency", "%s: microseconds a row" % title, title, "us",
         {"one row": one, "128 rows": many}),
        ("memory", "%s: memory of the server" % title, title, "MB",
         {"server": memory})]


def units(bench):
    return by_model(bench, "hidden units",
                    (200, 400, 800, 1600, 3200, 6400), "units")


def active(bench):
    head, lines, plots = by_model(bench, "active share, %",
                                  (.02, .05, .1, .2, .4, .8), "share")
    return head, lines, plots[:1]


def steps(bench):
    head, lines, plots = by_model(bench, "steps T", (1, 2, 5, 11, 20, 50),
                                  "steps")
    return head, lines, plots[:1]


def batch(bench):
    sizes = (1, 2, 4, 8, 16, 32, 64, 128, 256, 512)
    us = bench.encode_us(bench.weights(http.MODEL), sizes)
    lines = [[n, spread(us[n])] for n in sizes]
    return ["rows a batch", "us a row"], lines, [
        ("latency", "mnist-drsae, one thread", "rows a batch", "us a row",
         {"encode": [(n, statistics.median(us[n])) for n in sizes]})]


def connections(bench):
    served = http.ours(bench)
    lines, rate, p50, p99 = [], [], [], []
    try:
        request = request_to(bench, http.MODEL)
        served.wait(request)
        for n in (1, 4, 16, 64, 127, 128, 256, 512, 1000):
            loads = [load(served, request, n, bench.seconds)
                     for _ in range(bench.rounds)]
            mb = served.memory_bytes() / MB
            lines.append([n, spread([l.rate for l in loads]),
                          spread([l.p50_us for l in loads]),
                          spread([l.p99_us for l in loads]),
                          spread([l.cpu_us for l in loads]), "%.1f" % mb])
            middle = lambda what: statistics.median(
                getattr(l, what) for l in loads)
            rate.append((n, middle("rate")))
            p50.append((n, middle("p50_us")))
            p99.append((n, middle("p99_us")))
            print("connections", *lines[-1], flush=True)
    finally:
        served.stop()
    return (["connections", "requests/s", "p50, us", "p99, us",
             "server's processor time, us", "server, MB"], lines, [
        ("rate", "one JSON digit a request", "connections", "requests/s",
         {"classify": rate}),
        ("latency", "one JSON digit a request", "connections", "us",
         {"p50": p50, "p99": p99})])


def models(bench):
    """Each in a file of its own, so that nothing is shared."""
    x = bench.digits(512, np.float32)
    folder, first = bench.folder / "many", bench.folder / "first"
    make_model(first, x)
    lines, starts, memory = [], [], []
    have = 0
    for n in (1, 5, 20, 50, 100, 200):
        for have in range(have, n):
            shutil.copytree(first, folder / ("m%03d" % have))
        have = n
        ms, mb = bench.started(folder, "m000")
        served = bench.serve(folder)
        try:
            served.wait(request_to(bench, "m%03d" % (n - 1)))
            p50 = [load(served, request_to(bench, "m%03d" % (n - 1)), 1,
                        1).p50_us for _ in range(bench.rounds)]
        finally:
            served.stop()
        lines.append([n, spread(ms), spread(mb), spread(p50)])
        starts.append((n, statistics.median(ms)))
        memory.append((n, statistics.median(mb)))
        print("models", *lines[-1], flush=True)
    return (["models", "cold start to the first answer, ms", "server, MB",
             "p50 of one connection, us"], lines, [
        ("start", "cold start to the first answer", "models", "ms",
         {"start": starts}),
        ("memory", "memory after load", "models", "MB",
         {"server": memory})])


SECTIONS = {"units": units, "active": active, "steps": steps, "batch": batch,
            "connections": connections, "models": models}


# ---- the document ----

def table(head, lines):
    rows = [head, ["---"] * len(head)] + lines
    return "".join("| %s |\n" % " | ".join(map(str, r)) for r in rows)


def section(name, rounds, head, lines, plots):
    out = table(head, lines) + "\n"
    for kind, title, x, y, series in plots:
        path = HERE / "growth" / ("%s-%s.svg" % (name, kind))
        path.parent.mkdir(exist_ok=True)
        path.write_text(chart(title, x, y, series))
        out += "![%s against %s](growth/%s)\n" % (kind, x, path.name)
    about = machine()
    return "\n%s; commit %s; %d rounds.\n\n%s" % (
        about["machine"], about["commit"], rounds, out)


def write(name, text):
    """Into its place in GROWTH.md; what stands around it stays."""
    path = HERE / "GROWTH.md"
    pattern = re.compile("(<!-- %s -->\n).*?(<!-- /%s -->)" % (name, name),
                         re.S)
    whole, n = pattern.subn(lambda m: m[1] + text + m[2], path.read_text())
    if n != 1:
        raise SystemExit("GROWTH.md: no place for " + name)
    path.write_text(whole)


def main():
    p = argparse.ArgumentParser(prog="make bench-growth")
    p.add_argument("--only", type=lambda text: text.split(","),
                   default=list(SECTIONS))
    p.add_argument("--quick", action="store_true")
    args = p.parse_args()
    args.rounds, args.seconds = (2, 1) if args.quick else (5, 2)
    os.chdir(HERE.parent)
    place = HERE.parent / "build/bench"
    place.mkdir(parents=True, exist_ok=True)
    for name in args.only:
        with tempfile.TemporaryDirectory(dir=place) as folder:
            bench = Growth(args, pathlib.Path(folder))
            write(name, section(name, args.rounds, *SECTIONS[name](bench)))


main()
