"""One DrSAE encode with class probabilities on the library, and batches.

One thread: processor time of the thread. Two threads: each side has two workers
of one thread, each with batches of its own; ONNX Runtime and PyTorch may also
split one batch over two threads, and the better way counts.
"""
import numpy as np

from row import Missing, Row, spread
from worker import Worker, together

MODEL = "mnist-drsae"
BATCHES = (32, 128, 512)


class Sides:
    """Ours and the peers, loaded, with `ways` to run each."""

    def __init__(self, bench):
        self.bench, self.all, self.ways = bench, [], {}
        self.inputs = bench.folder / "inputs"
        bench.digits(512, np.float32).tofile(self.inputs)

    def ours(self, count):
        b = self.bench
        return self.add("sparsed", count, lambda folder: [
            b.program("encode"), "models/" + MODEL, self.inputs, folder])

    def peer(self, kind, count, threads=1):
        b = self.bench
        model = b.onnx(MODEL) if kind == "onnxruntime" else b.weights(MODEL)
        return self.add(kind, count, lambda folder: [
            b.python, "bench/peers/encode.py", kind, model, threads,
            self.inputs, folder])

    def add(self, name, count, argv):
        made = []
        for _ in range(count):
            folder = self.bench.folder / ("side-%d" % len(self.all))
            self.all.append(Worker(argv(folder), folder))
            made.append(self.all[-1])
        self.ways.setdefault(name, []).append(made)

    def compare(self):
        """All results are those of the first side, ours."""
        first = self.all[0]
        for name in ("codes", "probabilities"):
            ours = np.frombuffer(first.check(name), "<f4")
            for w in self.all[1:]:
                theirs = np.frombuffer(w.check(name), "<f4")
                off = np.abs(ours - theirs).max() / np.abs(ours).max()
                if not off < 1e-4:
                    raise SystemExit("%s: %s differ by %g" % (
                        " ".join(w.argv), name, off))

    def round(self, line):
        """Microseconds a row of each side, by its best way."""
        return {name: min(together(workers, line) for workers in ways)
                for name, ways in self.ways.items()}

    def close(self):
        for w in self.all:
            w.close()


def rounds(bench, sides, id, name, rows, times, **goal):
    line = "%d %d" % (rows, times)
    sides.round(line)  # warms up
    figures = [sides.round(line) for _ in range(bench.rounds)]
    ours = [f.pop("sparsed") for f in figures]
    return Row(id, name, "us a row",
               ours,
               {p: [f[p] for f in figures] for p in figures[0]}, **goal)


def kinds(bench):
    found = ["onnxruntime"]
    if bench.has_module("torch"):
        found.append("pytorch")
    else:
        bench.say("PyTorch is not installed (Debian's python3-torch)")
    return found


def measure(bench):
    for need in ("onnx", "onnxruntime"):
        if not bench.has_module(need):
            raise Missing("%s is not in build/peers" % need)
    sides = Sides(bench)
    try:
        sides.ours(1)
        for kind in kinds(bench):
            sides.peer(kind, 1)
        sides.compare()
        yield rounds(bench, sides, "encode", "encode and classify one digit",
                     1, bench.times(512), must=10)
    finally:
        sides.close()
    sides = Sides(bench)
    try:
        sides.ours(2)
        for kind in kinds(bench) + ["sgemm"]:
            sides.peer(kind, 2)
            if kind != "sgemm":
                sides.peer(kind, 1, 2)
        sides.compare()
        for rows in BATCHES:
            yield rounds(bench, sides, "batch-%d" % rows,
                         "%d digits a batch, two threads" % rows, rows,
                         bench.times(2048 // rows),
                         must=2.5 if rows == 512 else 3)
    finally:
        sides.close()
