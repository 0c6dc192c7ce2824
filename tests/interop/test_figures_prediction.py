#!/usr/bin/env python3
"""The section on guessed codes: the methods of bench/figures/solvers.py reach
one minimum, and a net whose weights are those of ISTA, run by the real binary,
is found to be as good as ISTA after as many steps.

    SPARSED=build/sparsed build/venv/bin/python \\
        tests/interop/test_figures_prediction.py
"""
import itertools
import json
import re
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace
from unittest import mock

import numpy as np
from figures_stub import stub
from safetensors.numpy import save_file

import optimality
import prediction
import solvers
import timing
from groups import Groups
from model import Model

STEPS, LAMBDA = 7, 0.1


def after(method, energy, steps):
    return next(itertools.islice(method(energy), steps - 1, None))


def unit_norm(columns):
    return columns / np.linalg.norm(columns, axis=0)


class Solvers(unittest.TestCase):
    METHODS = {"ista": 3000, "fista": 300, "sweeps": 100, "greedy": 3000}

    def setUp(self):
        rng = np.random.default_rng(20)
        self.x = rng.normal(size=(30, 10))
        self.D = unit_norm(rng.normal(size=(10, 15))) * rng.uniform(0.5, 2, 15)

    def energy(self, **how):
        return solvers.Energy(self.x, self.D, 0.5, **how)

    def test_the_energy_is_what_it_says(self):
        z = np.random.default_rng(21).normal(size=(30, 15))
        direct = (((self.x - z @ self.D.T) ** 2).sum(axis=1) / 2
                  + 0.5 * np.abs(z).sum(axis=1))
        np.testing.assert_allclose(self.energy().value(z), direct)
        groups = Groups.of_lists([[0, 1], range(2, 15)], 15)
        direct += 0.5 * (groups.pool(z).sum(axis=1) - np.abs(z).sum(axis=1))
        np.testing.assert_allclose(self.energy(groups=groups).value(z),
                                   direct)

    def test_all_methods_reach_one_minimum(self):
        for nonnegative in False, True:
            energy = self.energy(nonnegative=nonnegative)
            least, unrest = solvers.minimum(energy)
            self.assertLessEqual(unrest, 1e-8)
            model = stub({"lambda": 0.5}, units=15, nonnegative=nonnegative)
            self.assertLess(optimality.subgradient_error(
                model, self.x, self.D, least).max(), 1e-7)
            self.assertEqual((least < 0).any(), not nonnegative)
            for name, steps in self.METHODS.items():
                found = after(getattr(solvers, name), energy, steps)
                np.testing.assert_allclose(found, least, atol=1e-6,
                                           err_msg=name)

    def test_groups_have_a_minimum_too(self):
        groups = Groups.of_lists(np.arange(15).reshape(5, 3), 15)
        least, _ = solvers.minimum(self.energy(groups=groups))
        model = stub({"lambda": 0.5}, units=15, groups=groups)
        self.assertLess(optimality.subgradient_error(
            model, self.x, self.D, least).max(), 1e-7)
        self.assertTrue((groups.pool(least) == 0).any())

    def test_ista_and_sweeps_never_go_uphill(self):
        energy = self.energy()
        for method in solvers.ista, solvers.sweeps:
            values = [energy.value(z) for z in
                      itertools.islice(method(energy), 20)]
            self.assertLess(np.diff(values, axis=0).max(), 1e-12)
            self.assertLess(np.diff(values, axis=0)[0].min(), -1e-3)

    def test_orthogonal_units_are_found_in_one_step(self):
        D, _ = np.linalg.qr(np.random.default_rng(22).normal(size=(10, 10)))
        energy = solvers.Energy(self.x, D, 0.5)
        u = self.x @ D
        want = np.sign(u) * np.maximum(0, np.abs(u) - 0.5)
        for name in self.METHODS:
            np.testing.assert_allclose(
                after(getattr(solvers, name), energy, 1), want, atol=1e-12,
                err_msg=name)

    def test_a_greedy_step_moves_one_unit(self):
        """Two equal atoms: once one is on, the other has no more to do."""
        energy = solvers.Energy(np.ones((1, 1)), np.ones((1, 2)), 0.25)
        np.testing.assert_allclose(after(solvers.greedy, energy, 1),
                                   [[0.75, 0]])


class Following(unittest.TestCase):
    def setUp(self):
        self.energy = solvers.Energy(np.array([[3.0, 0], [1, 1], [0, 0.5]]),
                                     np.eye(2), 1)
        self.judge = prediction.Judge(self.energy)

    def test_errors_are_relative_and_leave_out_codes_of_zero(self):
        np.testing.assert_allclose(self.judge.z, [[2, 0], [0, 0], [0, 0]],
                                   atol=1e-7)
        z = np.array([[2.0, 1], [0, 1], [0, 0]])
        self.assertAlmostEqual(self.judge.errors(z)[0], 0.25)
        self.assertAlmostEqual(self.judge.error(z), 0.25)
        np.testing.assert_allclose(
            self.judge.above(z), [1.5 / 2.5, 0.5, 0], atol=1e-7)

    def test_steps_are_counted_until_it_is_as_near(self):
        def halving(_):
            away = 1.0
            while True:
                away /= 2
                yield self.judge.z + [[2 * away, 0], [0, 0], [0, 0]]
        shown, code, enough = prediction.follow(self.judge, halving, 2, 1e-3)
        self.assertEqual(enough, 5)  # 4^-5 < 1e-3
        np.testing.assert_allclose(shown[:3], [1 / 4, 1 / 16, 1 / 64])
        self.assertEqual(len(shown), len(prediction.SHOWN))
        self.assertAlmostEqual(code[0, 0], 2.5)

    def test_a_method_that_never_comes_as_near_is_left(self):
        def still(_):
            while True:
                yield 0 * self.judge.z
        shown, _, enough = prediction.follow(self.judge, still, 2, 1e-3)
        self.assertIsNone(enough)
        self.assertEqual(shown, [1] * len(prediction.SHOWN))

    def test_the_recipe_says_what_was_learned(self):
        self.assertIsNone(prediction.target({}))
        self.assertIsNone(prediction.target({"phases": [
            {"weights": {"reconstruction": 1}}]}))
        self.assertEqual(prediction.target({"phases": [
            {"weights": {"predict": 1}, "target": {"method": "ista"}},
            {"weights": {"predict": 2}, "target": {"method": "descent"}},
            {"weights": {"structure": 1}}]}), {"method": "descent"})


class Nets(unittest.TestCase):
    """Weights of ISTA: W = D'/L, S = I - D'D/L, b = lambda/L (Gregor & LeCun
    2010, equation 4)."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        rng = np.random.default_rng(23)
        self.D = unit_norm(rng.normal(size=(36, 50))).astype(np.float32)
        self.x = rng.random((60, 6, 6))

    def tearDown(self):
        self.folder.cleanup()

    def write(self, encoder):
        D = self.D.astype(float)
        L = np.linalg.eigvalsh(D.T @ D)[-1]
        net = {"weight": D.T / L, "recurrent": np.eye(50) - D.T @ D / L,
               "bias": np.full(50, LAMBDA / L)}
        if encoder["kind"] == "feedforward":
            del net["recurrent"]
        config = {"input": {"shape": [6, 6], "range": [0, 1]},
                  "preprocess": [{"op": "unit_norm"}],
                  "layers": [{"operator": "dense", "units": 50,
                              "encoder": encoder,
                              "structure": {"kind": "l1", "lambda": LAMBDA},
                              "up": "code", "decoder": True}]}
        path = Path(self.folder.name) / "model.safetensors"
        save_file({"layers.0.decoder.weight": self.D,
                   **{"layers.0.encoder." + name: value.astype(np.float32)
                      for name, value in net.items()}}, path,
                  {"format": "sparsed", "config": json.dumps(config)})
        return Model(path)

    def section(self, encoder, target):
        run = SimpleNamespace(model=self.write(encoder), x=self.x, recipe={
            "phases": [{"weights": {"predict": 1}, "target": target}]})
        with mock.patch.multiple(timing, REPEATS=2, SIZES=(100, 2000),
                                 NET_SIZES=(100, 10000)):
            return prediction.measure(run)

    def rows(self, text, name):
        """Cells of all the lines that begin with such words."""
        return [line.split(" | ")[1:] for line in re.findall(
            r"^\| %s \| .*$" % re.escape(name), text, re.M)]

    def test_a_net_that_is_ista_is_as_good_as_ista(self):
        text = self.section(
            {"kind": "recurrent", "nonlinearity": "shrink", "steps": STEPS},
            {"method": "descent", "steps": 300, "tolerance": 1e-6})
        net, timed = self.rows(text, "the net")
        ista, = self.rows(text, "ISTA")
        self.assertEqual(net[:2], ista[:2])
        self.assertEqual(net[2], "%d |" % STEPS)
        self.assertIn(ista[2], ("%d |" % STEPS, "%d |" % (STEPS + 1)))
        self.assertEqual(timed[0], net[0].split()[0])
        teacher, = self.rows(text, "`descent`, tolerance 1e-6, at most 300 "
                             "steps: what taught the net")
        self.assertLess(float(teacher[0]), 1e-6)
        quick = re.search(r"^\| `fista`, (\d+) steps \| (\S+) ", text, re.M)
        self.assertLessEqual(int(quick[1]), STEPS + 1)
        self.assertLessEqual(float(quick[2]), float(timed[0]))

    def test_codes_that_may_not_be_negative_are_judged_by_such(self):
        text = self.section({"kind": "feedforward", "nonlinearity": "relu"},
                            {"method": "fista", "nonnegative": True})
        net, _ = self.rows(text, "the net")
        ista, = self.rows(text, "ISTA")
        self.assertEqual(net[:2], ista[:2])
        self.assertIn("guesses in 1 step ", text)

    def test_other_models_have_no_such_section(self):
        model = self.write({"kind": "recurrent", "nonlinearity": "shrink",
                            "steps": STEPS})
        self.assertIsNone(prediction.measure(
            SimpleNamespace(model=model, x=self.x, recipe={"phases": [
                {"weights": {"reconstruction": 1}}]})))
        solver = model.without_net(self.folder.name, method="ista")
        self.assertIsNone(prediction.measure(
            SimpleNamespace(model=solver, x=self.x, recipe={"phases": [
                {"weights": {"predict": 1}}]})))
        self.assertEqual(set(solver.tensors), {"layers.0.decoder.weight"})


if __name__ == "__main__":
    unittest.main()
