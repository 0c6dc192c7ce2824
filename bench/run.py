"""`make bench`: one table, ours beside what a user would otherwise run.

    run.py [--only FAMILY,...] [--rounds N] [--seconds N] [--quick] [--out DIR]

Each family of rows is a module in rows/ with measure(bench), which yields rows
(row.py) and raises Missing where what it needs is not on this machine. All go
into RESULTS.md, and as JSON into build/bench/results.json; with --only, the
rows of the last run's other families stay there. --quick is for trying it:
few rounds, nothing written but the JSON.
"""
import argparse
import datetime
import importlib
import json
import os
import pathlib
import platform
import shutil
import subprocess
import sys
import tempfile
import time

from row import Missing, Row
import report

ROOT = pathlib.Path(__file__).resolve().parent.parent
FAMILIES = ("encode", "products", "models", "convolutions", "iterative",
            "training", "http", "start", "store")


class Bench:
    """What a family may use."""

    def __init__(self, args, folder):
        self.root, self.folder = ROOT, folder
        self.build = ROOT / "build"
        self.binary = ROOT / os.environ.get("SPARSED", "build/sparsed")
        self.python = self.build / "peers/bin/python"
        self.quick = args.quick
        self.rounds, self.seconds = args.rounds, args.seconds
        self.notes = []
        self.pixels = b""

    def say(self, text):
        print("bench: " + text, file=sys.stderr, flush=True)
        self.note(text)

    def note(self, text):
        if text not in self.notes:
            self.notes.append(text)

    def times(self, n):
        """Calls in a round."""
        return max(1, n // 4) if self.quick else n

    def program(self, name):
        path = self.build / "release" / name
        if not path.exists():
            raise Missing("%s is not built" % path.relative_to(ROOT))
        return path

    def has_module(self, name):
        return self.python.exists() and subprocess.run(
            [self.python, "-c", "import " + name], stderr=subprocess.DEVNULL,
            stdout=subprocess.DEVNULL).returncode == 0

    def has_command(self, name):
        return shutil.which(name) is not None

    def digits(self, n, kind=None):
        """Of MNIST's test set, 0..1: lists of numbers, or a NumPy array."""
        if not self.pixels:
            path = ROOT / "data/mnist/t10k-images-idx3-ubyte"
            self.pixels = path.read_bytes()[16:]
        raw = self.pixels[:n * 784]
        if kind:
            import numpy as np
            return (np.frombuffer(raw, "u1").reshape(n, 28, 28) / 255).astype(
                kind)
        return [[b / 255 for b in raw[i:i + 784]]
                for i in range(0, len(raw), 784)]

    def weights(self, model):
        return ROOT / "models" / model / "1/model.safetensors"

    def onnx(self, model):
        """The shipped model as an ONNX file."""
        path = self.folder / (model + ".onnx")
        if not path.exists() and subprocess.run(
                [self.binary, "export", self.weights(model), "--format",
                 "onnx", "--outputs", "code,probabilities", "--out", path],
                stdout=subprocess.DEVNULL).returncode:
            raise Missing("no ONNX file of " + model)
        return path


def machine():
    name = platform.machine()
    for line in pathlib.Path("/proc/cpuinfo").read_text().splitlines():
        if line.startswith("model name"):
            name = line.split(":", 1)[1].strip()
            break
    commit = subprocess.run(
        ["git", "describe", "--always", "--dirty", "--exclude=*"], cwd=ROOT,
        capture_output=True, text=True).stdout.strip()
    return {"machine": "%d x %s" % (os.cpu_count(), name),
            "commit": commit or "none",
            "day": datetime.date.today().isoformat(),
            "load": os.getloadavg()[0]}


def run(args):
    path = ROOT / "build/bench/results.json"
    path.parent.mkdir(parents=True, exist_ok=True)
    kept = json.loads(path.read_text()) if path.exists() else {}
    families = {} if args.only is None else kept.get("families", {})
    about = machine()
    for name in args.only or FAMILIES:
        start = time.monotonic()
        with tempfile.TemporaryDirectory(dir=path.parent) as folder:
            bench = Bench(args, pathlib.Path(folder))
            rows = []
            try:
                module = importlib.import_module("rows." + name)
                for row in module.measure(bench):
                    rows.append(row)
                    print(report.plain(row), flush=True)
            except Missing as e:
                bench.say("%s: left out: %s" % (name, e))
        families[name] = {"rows": [r.as_json() for r in rows],
                          "notes": bench.notes, "rounds": args.rounds,
                          "seconds": round(time.monotonic() - start)}
    found = {**about, "families": families}
    path.write_text(json.dumps(found, indent=1) + "\n")
    if not args.quick:
        report.write(ROOT / "bench/RESULTS.md", found)


def main():
    p = argparse.ArgumentParser(prog="make bench")
    p.add_argument("--only", type=lambda text: text.split(","))
    p.add_argument("--rounds", type=int)
    p.add_argument("--seconds", type=int, help="of one load of a server")
    p.add_argument("--quick", action="store_true")
    args = p.parse_args()
    args.rounds = args.rounds or (3 if args.quick else 7)
    args.seconds = args.seconds or (1 if args.quick else 2)
    for name in args.only or ():
        if name not in FAMILIES:
            p.error("--only: one of " + ", ".join(FAMILIES))
    os.chdir(ROOT)
    run(args)


if __name__ == "__main__":
    main()
