#!/usr/bin/env python3
"""Codes against SPAMS (Mairal et al.), which solves the same problems, and
against the conditions that the best code meets, in double precision.

    make && SPARSED=build/sparsed build/venv/bin/python tests/interop/test_spams.py

A model file is written by the public safetensors package, `sparsed encode`
gives the codes: of random inputs, and of digits drawn by digits.
"""
import gzip
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
import scipy.sparse
import spams
from safetensors.numpy import save_file

ROOT = Path(__file__).resolve().parents[2]
SPARSED = os.environ.get("SPARSED", str(ROOT / "build" / "sparsed"))
DIGITS = ROOT / "tests" / "data" / "mnist-mini" / "train-images-idx3-ubyte"
ENCODER = {"kind": "iterative", "method": "fista", "steps": 1000,
           "tolerance": 1e-7}
BRANCHING = [4, 3, 2]  # 1 + 4 + 12 + 24 = 41 units
ROWS = 30


def unit(x, axis):
    return x / np.maximum(np.linalg.norm(x, axis=axis, keepdims=True), 1e-12)


def float32(x):
    """Rounded as the model has it, still in double."""
    return x.astype(np.float32).astype(float)


def random_problem(n):
    random = np.random.default_rng(n)
    return (float32(unit(random.standard_normal((20, n)), 0)),
            float32(unit(random.standard_normal((ROWS, 20)), 1)))


def digits_problem(n):
    raw = DIGITS.read_bytes()
    raw = gzip.decompress(raw) if raw[:2] == b"\x1f\x8b" else raw
    x = np.frombuffer(raw, np.uint8, offset=16).reshape(-1, 28, 28) / 255
    x = unit(x.reshape(-1, 14, 2, 14, 2).mean((2, 4)).reshape(-1, 196), 1)
    return float32(x[:n].T), float32(x[n:n + ROWS])


PROBLEMS = {"random": random_problem, "digits": digits_problem}


class Groups:
    """Weighted groups, parts of a larger one before it."""

    def __init__(self, lists, weights=None):
        self.lists = [np.array(g) for g in lists]
        self.weights = [np.ones(len(g)) for g in lists] \
            if weights is None else weights
        self.count = max(g.max() for g in self.lists) + 1

    def pool(self, z):
        return np.stack([np.sqrt((z[:, g] ** 2 * w).sum(1))
                         for g, w in zip(self.lists, self.weights)], 1)

    def shrink(self, x, w, t):
        """Prox of one group: x v / (v + t w), v by bisection."""
        size = np.sqrt((x ** 2 / w).sum(1, keepdims=True))
        low, high = 0 * size, np.sqrt((x ** 2 * w).sum(1, keepdims=True))
        for _ in range(60):
            v = (low + high) / 2
            z = x / (np.maximum(v, 1e-300) + t * w)
            small = (z ** 2 * w).sum(1, keepdims=True) > 1
            low, high = np.where(small, v, low), np.where(small, high, v)
        return np.where(size > t, x * v / (np.maximum(v, 1e-300) + t * w), 0)

    def parts(self, u, t, sweeps):
        """What each group takes of u, and what is left: the prox. One sweep is
        exact for disjoint groups and for trees."""
        left, taken = u.copy(), [0] * len(self.lists)
        for _ in range(sweeps):
            for k, (g, w) in enumerate(zip(self.lists, self.weights)):
                x = left[:, g] + taken[k]
                left[:, g] = self.shrink(x, w, t)
                taken[k] = x - left[:, g]
        return taken, left

    def tensors(self, order):
        """As the model file shows them; order[k] is the list of group k."""
        lists = [self.lists[k] for k in order]
        prefix = "layers.0.structure.groups."
        return {
            prefix + "indptr": np.cumsum([0] + [len(g) for g in lists]),
            prefix + "indices": np.concatenate(lists).astype(np.int64),
            prefix + "weights": np.concatenate(
                [self.weights[k] for k in order]).astype(np.float32)}


def children_first(branching):
    """Sub-trees of a tree numbered level by level, and its parents."""
    parents, level = [-1], [0]
    for k in branching:
        level = [i for p in level
                 for i in range(len(parents), len(parents) + k)
                 if parents.append(p) is None]
    below = [{i} for i in range(len(parents))]
    for i in reversed(range(1, len(parents))):
        below[parents[i]] |= below[i]
    return Groups([sorted(below[i]) for i in
                   reversed(range(len(parents)))]), parents


def torus(side, window, stride, sigma):
    lists, weights = [], []
    places = np.arange(window) - (window - 1) / 2
    bell = np.exp(-(places[:, None] ** 2 + places ** 2) / (2 * sigma ** 2))
    for top in range(0, side, stride):
        for left in range(0, side, stride):
            y, x = np.mgrid[top:top + window, left:left + window] % side
            order = np.argsort((y * side + x).ravel())
            lists.append((y * side + x).ravel()[order])
            weights.append((bell / bell.sum()).ravel()[order])
    return Groups(lists, weights)


class Codes(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="sparsed-spams-"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def encode(self, D, x, structure, tensors):
        config = {"input": {"shape": [D.shape[0]], "range": [-1, 1]},
                  "layers": [{"operator": "dense", "units": D.shape[1],
                              "encoder": ENCODER, "structure": structure}]}
        model, data = self.folder / "m.safetensors", self.folder / "x.npy"
        out = self.folder / "z.npy"
        save_file({"layers.0.decoder.weight": D.astype(np.float32), **tensors},
                  model, metadata={"format": "sparsed",
                                   "config": json.dumps(config)})
        np.save(data, x.astype(np.float32))
        result = subprocess.run(
            [SPARSED, "encode", str(model), "--data", str(data), "--out",
             str(out)], capture_output=True, text=True, check=False)
        self.assertEqual(result.returncode, 0, result.stderr)
        return np.load(out).astype(float)

    def energy(self, D, x, z, penalty, groups):
        return (((x - z @ D.T) ** 2).sum(1) / 2 +
                penalty * groups.pool(z).sum(1))

    def assert_as_good(self, D, x, z, other, penalty, groups):
        """The same energy as another's solution, to 1e-4 of it."""
        ours = self.energy(D, x, z, penalty, groups)
        theirs = self.energy(D, x, other, penalty, groups)
        self.assertLess(np.abs(ours / theirs - 1).max(), 1e-4)

    def assert_best(self, D, x, z, penalty, groups):
        """At the best code prox(z + D'(x - D z)) is z."""
        _, moved = groups.parts(z + (x - z @ D.T) @ D, penalty, 1)
        breach = np.abs(moved - z).max(1) / np.abs(x @ D).max(1)
        self.assertLess(breach.max(), 1e-5)
        share = (z != 0).mean()
        self.assertTrue(0.02 < share < 0.9, share)

    def each(self, n, penalties):
        for name, penalty in penalties.items():
            yield PROBLEMS[name](n) + (penalty,)

    def test_lasso(self):
        groups = Groups([[i] for i in range(60)])
        for D, x, penalty in self.each(60, {"random": 0.1, "digits": 0.02}):
            z = self.encode(D, x, {"kind": "l1", "lambda": penalty}, {})
            other = spams.lasso(np.asfortranarray(x.T), D=np.asfortranarray(D),
                                lambda1=penalty, mode=2)
            self.assert_as_good(D, x, z, other.toarray().T, penalty, groups)
            self.assert_best(D, x, z, penalty, groups)

    def fista(self, solve, D, x, penalty, regul, *more, **options):
        w = solve(np.asfortranarray(x.T), np.asfortranarray(D),
                  np.zeros((D.shape[1], len(x)), order="F"), *more,
                  loss="square", regul=regul, lambda1=penalty, max_it=20000,
                  tol=1e-10, numThreads=1, **options)
        return w.T

    def test_disjoint_groups(self):
        groups = Groups(np.arange(60).reshape(15, 4))
        for D, x, penalty in self.each(60, {"random": 0.15, "digits": 0.04}):
            z = self.encode(D, x, {"kind": "groups", "lambda": penalty,
                                   "blocks": 4}, groups.tensors(range(15)))
            other = self.fista(spams.fistaFlat, D, x, penalty,
                               "group-lasso-l2", size_group=4)
            self.assert_as_good(D, x, z, other, penalty, groups)
            self.assert_best(D, x, z, penalty, groups)

    def test_disjoint_groups_with_weights(self):
        weights = np.random.default_rng(3).uniform(0.2, 3, (15, 4))
        groups = Groups(np.arange(60).reshape(15, 4), float32(weights))
        settings = {"lists": np.arange(60).reshape(15, 4).tolist(),
                    "weights": float32(weights).tolist()}
        for D, x, penalty in self.each(60, {"random": 0.15, "digits": 0.04}):
            z = self.encode(D, x, {"kind": "groups", "lambda": penalty,
                                   **settings}, groups.tensors(range(15)))
            self.assert_best(D, x, z, penalty, groups)

    def test_tree(self):
        groups, parents = children_first(BRANCHING)
        n = len(parents)
        # SPAMS wants sub-trees side by side.
        order = sorted(range(n), key=lambda i: self.path(parents, i))
        place = np.argsort(order)
        inside = np.zeros((n, n), bool)
        for i in range(1, n):
            inside[place[i], place[parents[i]]] = True
        tree = {"eta_g": np.ones(n),
                "groups": scipy.sparse.csc_matrix(inside, dtype=bool),
                "own_variables": np.arange(n, dtype=np.int32),
                "N_own_variables": np.ones(n, np.int32)}
        for D, x, penalty in self.each(n, {"random": 0.05, "digits": 0.01}):
            z = self.encode(D, x, {"kind": "tree", "lambda": penalty,
                                   "branching": BRANCHING},
                            groups.tensors(range(n)[::-1]))
            other = self.fista(spams.fistaTree, D[:, order], x, penalty,
                               "tree-l2", tree)[:, place]
            self.assert_as_good(D, x, z, other, penalty, groups)
            self.assert_best(D, x, z, penalty, groups)
            for i in range(1, n):
                self.assertFalse((z[:, i] != 0)[z[:, parents[i]] == 0].any())

    def path(self, parents, i):
        return (self.path(parents, parents[i]) if i else []) + [i]

    def test_overlapping_groups(self):
        groups = torus(8, 4, 2, 1.0)
        settings = {"height": 8, "width": 8, "window": 4, "stride": 2,
                    "sigma": 1.0}
        for D, x, penalty in self.each(64, {"random": 0.8, "digits": 0.7}):
            z = self.encode(D, x, {"kind": "groups", "lambda": penalty,
                                   "map": settings},
                            groups.tensors(range(16)))
            gap = self.gap(D, x, z, penalty, groups)
            self.assertLess(gap.max(), 1e-3)
            self.assertLess(np.median(gap), 1e-5)
            self.assertGreater((z != 0).mean(), 0.02)

    def gap(self, D, x, z, penalty, groups):
        """Energy less the dual's value at s (x - D z), relative; s so that
        s D'(x - D z) is a sum of parts, each at most `penalty` long."""
        r = x - z @ D.T
        c = r @ D
        parts, moved = groups.parts(z + c, penalty, 300)
        cover = np.zeros(groups.count)
        for g in groups.lists:
            cover[g] += 1
        rest = (moved - z) / cover
        over = np.stack([
            np.sqrt(((p + rest[:, g]) ** 2 / w).sum(1)) / penalty
            for p, g, w in zip(parts, groups.lists, groups.weights)], 1)
        s = 1 / np.maximum(1, over.max(1))[:, None]
        best = ((x ** 2).sum(1) - ((x - s * r) ** 2).sum(1)) / 2
        energy = self.energy(D, x, z, penalty, groups)
        return (energy - best) / energy


if __name__ == "__main__":
    unittest.main()
