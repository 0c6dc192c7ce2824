"""Codes by iteration to the same duality gap, beside SPAMS and scikit-learn.

    iterative.py ENCODE    (bench/encode.c, built)

Dictionaries are those of shipped models, rows the digits and photograph patches
in their files, preprocessed. Of every solver the loosest setting is found with
which the duality gap of each row, in double precision, is at most a share of
its energy; that one is timed. All 512 rows go in one call, with one thread;
sides take turns, a round each. What depends on the dictionary alone (D'D, L) is
at hand on both sides, where a peer takes it. Printed are medians (least-most)
of the rounds, microseconds of processor time a row; the ratio is that to the
first peer, the fastest of them.
"""
import json
import os
import pathlib
import statistics
import struct
import sys
import tempfile
import time
from importlib.metadata import version

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy as np
import scipy.sparse
import spams
from sklearn.linear_model import _cd_fast

ROOT = pathlib.Path(__file__).resolve().parents[2]
sys.path.insert(0, str(ROOT / "bench"))

from worker import Worker  # noqa: E402

ROUNDS, ROWS = 5, 512
GAPS = (1e-4, 1e-6)
TOLERANCES = [a * 10.0 ** -b for b in range(2, 8) for a in (1, 0.3)]
DECODER = "layers.0.decoder.weight"
GROUPS = "layers.0.structure.groups."


# ---- model files ----

KINDS = {"F32": "<f4", "I64": "<i8", "U8": "u1", "I32": "<i4"}


def read_model(path):
    raw = path.read_bytes()
    size = struct.unpack("<Q", raw[:8])[0]
    head, body = json.loads(raw[8:8 + size]), raw[8 + size:]
    config = json.loads(head.pop("__metadata__")["config"])
    return config, {name: np.frombuffer(
        body[slice(*t["data_offsets"])], KINDS[t["dtype"]]).reshape(t["shape"])
        for name, t in head.items()}


def write_model(path, config, tensors):
    head, body = {"__metadata__": {"format": "sparsed",
                                   "config": json.dumps(config)}}, b""
    for name, t in tensors.items():
        kind = next(k for k, v in KINDS.items() if np.dtype(v) == t.dtype)
        raw = np.ascontiguousarray(t).tobytes()
        head[name] = {"dtype": kind, "shape": list(t.shape),
                      "data_offsets": [len(body), len(body) + len(raw)]}
        body += raw
    text = json.dumps(head).encode()
    text += b" " * (-len(text) % 8)
    path.write_bytes(struct.pack("<Q", len(text)) + text + body)


# ---- structures: what a code costs, and the dual norm of a slope ----

class Lasso:
    def __init__(self, _, n):
        pass

    def value(self, z):
        return np.abs(z).sum(1)

    def dual_norm(self, c):
        return np.abs(c).max(1)


class Blocks:
    def __init__(self, settings, n):
        self.size = settings["blocks"]

    def norms(self, z):
        return np.sqrt((z.reshape(len(z), -1, self.size) ** 2).sum(2))

    def value(self, z):
        return self.norms(z).sum(1)

    def dual_norm(self, c):
        return self.norms(c).max(1)


class Tree:
    """Of every unit with all its descendants, the norm."""

    def __init__(self, settings, n):
        self.parents = settings["parents"]

    def sums(self, z, shrink):
        """Squares below each unit, which `shrink` sees and may lessen."""
        q = (z ** 2).T.copy()
        for i in reversed(range(len(q))):
            q[i] = shrink(q[i])
            if self.parents[i] >= 0:
                q[self.parents[i]] += q[i]
        return q

    def value(self, z):
        return np.sqrt(self.sums(z, lambda q: q)).sum(0)

    def dual_norm(self, c):
        """The least t at which the proximal step leaves nothing."""
        low, high = np.zeros(len(c)), np.abs(c).sum(1)
        for _ in range(50):
            t = (low + high) / 2
            left = self.sums(
                c, lambda q: np.maximum(0, np.sqrt(q) - t) ** 2)[0] > 0
            low, high = np.where(left, t, low), np.where(left, high, t)
        return high

    def for_spams(self):
        """The tree, and units ordered so that sub-trees lie side by side."""
        def path(i):
            return (path(self.parents[i]) if i else []) + [i]
        n = len(self.parents)
        order = sorted(range(n), key=path)
        place = np.argsort(order)
        inside = np.zeros((n, n), bool)
        for i in range(1, n):
            inside[place[i], place[self.parents[i]]] = True
        return order, place, {
            "eta_g": np.ones(n), "own_variables": np.arange(n, dtype=np.int32),
            "groups": scipy.sparse.csc_matrix(inside, dtype=bool),
            "N_own_variables": np.ones(n, np.int32)}


class Problem:
    """A shipped model's dictionary and rows; the structure may be another."""

    def __init__(self, name, model, kind, structure=None):
        path = ROOT / "models" / model / "1/model.safetensors"
        self.config, t = read_model(path)
        self.tensors = {k: v for k, v in t.items()
                        if k == DECODER or k.startswith(GROUPS)}
        layer = self.config["layers"][0]
        self.structure = structure or layer["structure"]
        self.D = t[DECODER]
        x = t["rehearsal.inputs"][:ROWS].reshape(-1, len(self.D)) / 255
        x = x.astype(np.float32)
        if "preprocess.whiten" in t:
            x = (x - t["preprocess.mean"]) @ t["preprocess.whiten"].T
        self.x = x / np.linalg.norm(x, axis=1, keepdims=True)
        self.penalty = self.structure["lambda"]
        self.cost = kind(self.structure, self.D.shape[1])
        self.name = "%s, %d to %d" % (name, *self.D.shape)

    def gap(self, z):
        """The largest of all rows, as a share of its energy."""
        D, x, z = (a.astype(float) for a in (self.D, self.x, z))
        r = x - z @ D.T
        energy = (r ** 2).sum(1) / 2 + self.penalty * self.cost.value(z)
        most = self.penalty / np.maximum(self.cost.dual_norm(r @ D), 1e-12)
        s = np.clip((x * r).sum(1) / (r ** 2).sum(1), -most, most)
        best = ((x ** 2).sum(1) - ((x - s[:, None] * r) ** 2).sum(1)) / 2
        return ((energy - best) / energy).max(), energy


# ---- solvers: solve() gives codes, time() microseconds a row ----

class Ours:
    def __init__(self, problem, method, tolerance, program, folder):
        layer = {"operator": "dense", "units": problem.D.shape[1],
                 "structure": problem.structure,
                 "encoder": {"kind": "iterative", "method": method,
                             "steps": 1000, "tolerance": tolerance}}
        write_model(folder / "m.safetensors", {
            "input": {"shape": [len(problem.D)], "range": [-1, 1]},
            "layers": [layer]}, problem.tensors)
        problem.x.astype("<f4").tofile(folder / "x")
        self.units = problem.D.shape[1]
        self.worker = Worker([program, folder / "m.safetensors", folder / "x",
                              folder], folder)

    def solve(self):
        return np.frombuffer(self.worker.check("codes"), "<f4").reshape(
            -1, self.units)

    def time(self):
        return float(self.worker.ask("%d 1" % ROWS))

    def close(self):
        self.worker.close()


class Peer:
    def __init__(self, solve):
        self.solve = solve

    def time(self):
        start = time.thread_time()
        self.solve()
        return (time.thread_time() - start) * 1e6 / ROWS

    def close(self):
        pass


def spams_lars(p, _):
    X, D = np.asfortranarray(p.x.T), np.asfortranarray(p.D)
    return Peer(lambda: spams.lasso(
        X, D=D, lambda1=p.penalty, mode=2, numThreads=1).toarray().T)


def spams_descent(p, tolerance):
    X, D = np.asfortranarray(p.x.T), np.asfortranarray(p.D)
    none = scipy.sparse.csc_matrix((D.shape[1], X.shape[1]), dtype=D.dtype)
    return Peer(lambda: spams.cd(
        X, D, none.copy(), lambda1=p.penalty, mode=2, itermax=10000,
        tol=tolerance, numThreads=1).toarray().T)


def spams_fista(p, tolerance):
    order = place = np.arange(p.D.shape[1])
    solve, more, options = spams.fistaFlat, [], {"regul": "l1"}
    if isinstance(p.cost, Blocks):
        options = {"regul": "group-lasso-l2", "size_group": p.cost.size}
    if isinstance(p.cost, Tree):
        order, place, tree = p.cost.for_spams()
        solve, more, options = spams.fistaTree, [tree], {"regul": "tree-l2"}
    X, D = np.asfortranarray(p.x.T), np.asfortranarray(p.D[:, order])
    none = np.zeros((D.shape[1], X.shape[1]), D.dtype, order="F")
    L = float(np.linalg.eigvalsh(D.T @ D).max()) * 1.001
    return Peer(lambda: solve(
        X, D, none, *more, loss="square", lambda1=p.penalty, max_it=20000,
        tol=tolerance, it0=5, L0=L, compute_gram=True, numThreads=1,
        **options)[place].T)


def scikit_descent(p, tolerance):
    G = np.ascontiguousarray(p.D.T @ p.D)
    random = np.random.RandomState(0)

    def solve():
        q = p.x @ p.D
        z = np.zeros_like(q)
        for b in range(len(z)):
            _cd_fast.enet_coordinate_descent_gram(
                z[b], p.penalty, 0, G, q[b], p.x[b], 10000, tolerance, random,
                False, False)
        return z

    return Peer(solve)


def reach(problem, make, gap):
    """With its loosest setting that is good enough, or None."""
    for tolerance in TOLERANCES:
        side = make(problem, tolerance)
        found, energy = problem.gap(side.solve())
        if found <= gap:
            return side, energy
        side.close()
        if make is spams_lars:
            break
    return None


# ---- rows ----

def middle(values, form=".3g"):
    return "%s (%s-%s)" % tuple(format(f(values), form) for f in
                                (statistics.median, min, max))


def row(problem, method, gap, peers, program):
    with tempfile.TemporaryDirectory() as folder:
        def ours(p, tolerance):
            return Ours(p, method, tolerance, program, pathlib.Path(folder))
        name = "%s, %s, gap %g" % (method, problem.name, gap)
        first = reach(problem, ours, gap)
        if not first:
            print("%s: not reached" % name, flush=True)
            return
        sides = {n: reach(problem, make, gap) for n, make in peers.items()}
        for n in [n for n, side in sides.items() if not side]:
            print("%s: not reached by %s" % (name, n), flush=True)
            del sides[n]
        for n, (_, energy) in sides.items():
            off = np.abs(energy / first[1] - 1).max()
            if not off < 2 * gap:
                sys.exit("iterative.py: energies of %s differ by %g" % (n, off))
        times = {None: [], **{n: [] for n in sides}}
        for _ in range(ROUNDS + 1):  # the first one warms up
            times[None].append(first[0].time())
            for n, (side, _) in sides.items():
                times[n].append(side.time())
        first[0].close()
        mine = times.pop(None)[1:]
        rank = sorted(times, key=lambda n: statistics.median(times[n][1:]))
        if not rank:
            return
        ratios = [y / x for x, y in zip(mine, times[rank[0]][1:])]
        cells = [name, middle(mine), *(middle(times[n][1:]) for n in rank),
                 middle(ratios)]
        print("\n| row | sparsed | %s | ratio |\n|%s" % (
            " | ".join(rank), "---|" * len(cells)))
        print("| %s |" % " | ".join(cells), flush=True)


def main():
    fista = {"SPAMS, FISTA": spams_fista}
    single = {"SPAMS, LARS": spams_lars, "SPAMS, descent": spams_descent,
              "scikit-learn, descent": scikit_descent}
    print("Codes by iteration, microseconds a row, one thread; SPAMS %s, "
          "scikit-learn %s." % (version("spams-bin"), version("scikit-learn")))
    patches = Problem("lasso, patches", "patches-lista", Lasso)
    digits = Problem("lasso, digits", "mnist-drsae", Lasso)
    blocks = Problem("groups, digits", "digits-groups", Blocks)
    tree = Problem("tree, patches", "patches-tree", Tree)
    for gap in GAPS:
        for problem, method, peers in (
                (patches, "descent", single), (patches, "fista", fista),
                (digits, "descent", single), (blocks, "fista", fista),
                (tree, "fista", fista)):
            row(problem, method, gap, peers, sys.argv[1])


main()
