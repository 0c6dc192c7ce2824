#!/usr/bin/env python3
"""The measures of bench/figures on codes against cases whose answer is known,
codes written by hand and energies with a minimum in closed form; and cards
written with the real binary.

    SPARSED=build/sparsed build/venv/bin/python tests/interop/test_figures.py
"""
import os
import re
import subprocess
import sys
import tempfile
import unittest
from pathlib import Path

import numpy as np
from figures_stub import ROOT, stub

import base
import figures
import filling
import inhibition
import markdown
import optimality
import trees
from groups import Groups
from model import find
from support import models


class Trees(unittest.TestCase):
    def test_branching_is_numbered_by_breadth(self):
        parent = trees.parents({"branching": [2, 2]})
        self.assertEqual(parent.tolist(), [-1, 0, 0, 1, 1, 2, 2])
        self.assertEqual(len(trees.parents({"branching": [10, 2, 2]})), 71)
        self.assertIsNone(trees.parents({"kind": "l1"}))

    def test_any_order_of_parents_is_read(self):
        parent = trees.parents({"parents": [1, 2, -1, 2, -1]})
        self.assertEqual(trees.depths(parent).tolist(), [2, 1, 0, 1, 0])
        np.testing.assert_array_equal(
            trees.related(parent),
            np.array([[1, 1, 1, 0, 0], [1, 1, 1, 0, 0], [1, 1, 1, 1, 0],
                      [0, 0, 1, 1, 0], [0, 0, 0, 0, 1]], bool))

    def test_selectivity_is_0_for_one_that_is_always_on_1_for_once_on(self):
        z = np.zeros((100, 3))
        z[:, 0], z[7, 1] = -2, 5
        np.testing.assert_allclose(trees.selectivity(z), [0, 1, np.nan])

    def test_a_code_by_hand_gets_its_figures(self):
        parent = trees.parents({"branching": [2]})
        z = np.array([[1, 1, 0], [1, 0, 0], [2, 0, -3], [0, 0, 4.0]])
        lines = trees.by_depth(z, parent)
        self.assertEqual([line[:3] for line in lines],
                         [[0, 1, 0.75], [1, 2, 0.375]])
        self.assertGreater(lines[1][3], lines[0][3])
        self.assertAlmostEqual(trees.orphans(z, parent), 1 / 3)
        self.assertEqual(trees.orphans(z[:3], parent), 0)
        self.assertEqual(trees.along_branches(trees.selectivity(z), parent),
                         1)

    def test_figures_of_pruning_are_told(self):
        text = trees.pruned({"below": 0.0005, "rows": 1000,
                             "units_before": 151, "units": 120,
                             "loss_before": 0.5, "loss": 0.505})
        self.assertIn("less than 0.050 % of 1,000 training rows", text)
        self.assertIn("changed by 1.0 %", text)
        self.assertIn("| units | 151 | 120 |", text)


class Inhibition(unittest.TestCase):
    def test_patterns(self):
        ring = inhibition.pattern({"pattern": "ring", "near": 1, "far": 3}, 9)
        self.assertEqual(np.nonzero(ring[0])[0].tolist(), [2, 3, 6, 7])
        grid = inhibition.pattern({"pattern": "grid", "height": 5, "width": 5,
                                   "near": 1, "far": 1.5}, 25)
        self.assertEqual(np.nonzero(grid[0])[0].tolist(), [6, 9, 21, 24])
        tree = inhibition.pattern({"pattern": "tree", "branching": [2, 2]}, 7)
        self.assertEqual(np.nonzero(tree[3])[0].tolist(), [2, 4, 5, 6])
        self.assertFalse(tree[0].any())
        self.assertEqual(inhibition.pattern({"pattern": "all"}, 4).sum(), 12)

    def test_pairs_that_shun_each_other_are_told_from_those_that_do_not(self):
        rng = np.random.default_rng(5)
        on = rng.random((20000, 4)) < 0.3
        on[:, 1] &= ~on[:, 0]
        S = np.zeros((4, 4))
        S[0, 1] = S[1, 0] = 2
        both, alone = inhibition.together(on * 1.0)
        high, low, *_ = inhibition.joined(S, False)
        self.assertEqual((high.sum(), low.sum()), (1, 5))
        self.assertEqual(inhibition.ratio(both, alone, high), 0)
        self.assertAlmostEqual(inhibition.ratio(both, alone, low), 1,
                               delta=0.05)

    def test_co_activation_does_not_hang_on_the_size_of_a_code(self):
        S = np.array([[0, 1], [1, 0.0]])
        z = np.array([[1, -1], [2, 0]])
        self.assertAlmostEqual(inhibition.coactivation(z, S), 0.5)
        self.assertAlmostEqual(inhibition.coactivation(9 * z, S), 0.5)


class Optimality(unittest.TestCase):
    """Where D is the identity, the code is the proximal step of x."""
    LISTS = {
        "single": ([[0], [1], [2], [3], [4], [5]], None),
        "disjoint": ([[0, 2, 4], [1, 3], [5]], None),
        "disjoint, weighted": ([[0, 2, 4], [1, 3], [5]],
                               [[1, 2, 0.5], [1, 3], [2]]),
        "nested": ([[0, 1, 2, 3, 4, 5], [1, 3, 4], [3], [4], [5], [2]],
                   [[1.5] * 6, [1] * 3, [1], [2], [1], [1]]),
        "overlapping": ([[0, 1, 2], [2, 3, 4], [4, 5, 0]],
                        [[1, 2, 1], [1, 1, 1], [0.5, 1, 2]])}

    def setUp(self):
        self.rng = np.random.default_rng(6)
        self.x = self.rng.normal(0, 1.5, (40, 6))
        self.D = np.eye(6)

    def case(self, name, nonnegative=False):
        lists, weights = self.LISTS[name]
        groups = Groups.of_lists(lists, 6, weights)
        return groups, stub({"lambda": 0.6}, groups=groups, units=6,
                            nonnegative=nonnegative)

    def energy(self, groups, x, z):
        return (((x - z) ** 2).sum(axis=1) / 2
                + 0.6 * groups.pool(z).sum(axis=1))

    def prox(self, groups, u):
        """By the dual: what no sum of parts within their balls can take."""
        eta = groups.decompose(u, 0.6, np.zeros((len(u), len(groups.units))),
                               2000)
        return u - groups.spread(eta)

    def test_kinds_are_told_apart(self):
        for name, exact in (("single", True), ("disjoint", True),
                            ("disjoint, weighted", True), ("nested", True),
                            ("overlapping", False)):
            self.assertEqual(self.case(name)[0].have_exact_prox(), exact,
                             name)

    def test_the_exact_step_is_the_dual_one(self):
        for name in list(self.LISTS)[:4]:
            groups, _ = self.case(name)
            z = groups.prox(self.x, 0.6)
            np.testing.assert_allclose(z, self.prox(groups, self.x),
                                       atol=1e-6, err_msg=name)
            for _ in range(50):
                near = z + self.rng.normal(0, 0.01, z.shape)
                self.assertTrue(np.all(
                    self.energy(groups, self.x, near)
                    >= self.energy(groups, self.x, z) - 1e-12), name)

    def test_a_minimum_has_no_distance_and_another_code_has(self):
        for name in list(self.LISTS)[:4]:
            for nonnegative in False, True:
                groups, model = self.case(name, nonnegative)
                u = np.maximum(0, self.x) if nonnegative else self.x
                z = groups.prox(u, 0.6)
                self.assertTrue((z == 0).any() and (z != 0).any())
                found = optimality.subgradient_error(model, self.x, self.D, z)
                self.assertLess(found.max(), 1e-9, name)
                off = np.where(z > 0, z + 0.01, z)
                changed = (off != z).any(axis=1)
                found = optimality.subgradient_error(model, self.x, self.D,
                                                     off)
                self.assertGreater(found[changed].min(), 1e-3, name)
                zero = optimality.subgradient_error(model, self.x, self.D,
                                                    0 * z)
                alive = (z != 0).any(axis=1)
                self.assertGreater(zero[alive].min(), 1e-6, name)
                if not alive.all():
                    self.assertEqual(zero[~alive].max(), 0, name)

    def test_the_gap_closes_at_a_minimum_and_bounds_the_rest(self):
        for name in self.LISTS:
            for nonnegative in False, True:
                groups, model = self.case(name, nonnegative)
                u = np.maximum(0, self.x) if nonnegative else self.x
                z = self.prox(groups, u)
                gap = optimality.gap(model, self.x, self.D, z)
                self.assertLess(gap.max(), 1e-5, name)
                self.assertGreater(gap.min(), -1e-9, name)
                off = z + np.abs(self.rng.normal(0, 0.1, z.shape))
                least = self.energy(groups, self.x, z)
                high = self.energy(groups, self.x, off)
                gap = optimality.gap(model, self.x, self.D, off)
                self.assertTrue(np.all(gap * high >= high - least - 1e-6),
                                name)

    def test_units_in_no_group_have_no_gap(self):
        groups = Groups.of_lists([[0, 1], [1, 2]], 6)
        gap = optimality.gap(stub({"lambda": 1}, groups=groups), self.x,
                             self.D, self.x)
        self.assertTrue(np.isnan(gap).all())

    def test_a_resting_place_of_lateral_inhibition(self):
        """Two equal atoms that inhibit each other: one takes all."""
        S = np.array([[0, 5], [5, 0.0]])
        model = stub({"lambda": 0.0},
                     tensors={"structure.inhibition": S})
        D, x = np.ones((1, 2)), np.ones((1, 1))
        for z, error in (([1, 0], 0), ([0, 1], 0), ([0, 0], 1),
                         ([0.5, 0.5], 0.5)):
            found = optimality.coordinate_error(model, x, D,
                                                np.array([z], float))
            self.assertAlmostEqual(found[0], error)


class Filling(unittest.TestCase):
    def test_scores_are_of_the_missing_pixels_alone(self):
        x = np.array([[0.2, 0.4, 0.6, 0.8]])
        known = np.array([[1, 0, 1, 0.0]])
        psnr, left = filling.scores(x, x + [[9, 0.1, 9, -0.1]], known, 1)
        self.assertAlmostEqual(psnr, 20)
        self.assertAlmostEqual(left, 0.02 / 0.16)
        mean = filling.means(x, known) + 0 * x
        self.assertAlmostEqual(filling.scores(x, mean, known, 1)[1], 1)


class Cards(unittest.TestCase):
    """The real binary on a small random model."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        models.write(self.path, "m", models.compose([28, 28],
                                                    models.dense(40)),
                     classes="0123456789")
        self.model, self.card = self.path / "m", self.path / "m/README.md"
        self.data = ROOT / "tests" / "data" / "mnist-mini"

    def tearDown(self):
        self.folder.cleanup()

    def write_card(self, name):
        self.card.write_text("# m\n\n<!-- %s -->\nold\n<!-- /%s -->\n\nend\n"
                             % (name, name))

    def run_script(self, name, *args):
        return subprocess.run(
            [sys.executable, ROOT / "bench" / "figures" / name, *args,
             "--data", self.data, "--rows", "100"], text=True, check=True,
            capture_output=True,
            env={"SPARSED": "build/sparsed", **os.environ})

    def test_the_block_is_written_and_all_else_stays(self):
        self.write_card("figures")
        done = self.run_script("figures.py", self.model)
        text = self.card.read_text()
        self.assertEqual(done.stdout, "")
        self.assertTrue(text.startswith("# m\n\n<!-- figures -->\n!"))
        self.assertTrue(text.endswith("\n<!-- /figures -->\n\nend\n"))
        self.assertIn("| relative reconstruction error | ", text)
        self.assertNotIn("\nold\n", text)
        self.assertNotIn("### Tree", text)
        self.assertLess((self.model / "atoms.png").stat().st_size, 300_000)

    def test_a_card_without_markers_stays_and_figures_are_printed(self):
        self.card.write_text("# m\n")
        done = self.run_script("figures.py", self.model)
        self.assertEqual(self.card.read_text(), "# m\n")
        self.assertIn("has no lines", done.stderr)
        self.assertIn("| units never on | ", done.stdout)
        self.assertFalse((self.model / "atoms.png").exists())

    def test_the_spread_is_that_of_five_parts(self):
        run = figures.Run(figures.Model(self.model), self.data, 100)
        whole, of_parts = base.evaluate(run)
        self.assertEqual([told["rows"] for told in of_parts], [20] * 5)
        for name in "error", "active_units", "relative_error":
            self.assertAlmostEqual(
                whole[name], np.mean([told[name] for told in of_parts]), 5)
        codes = run.codes()
        self.assertAlmostEqual(whole["active_units"],
                               (codes != 0).sum(axis=1).mean(), 4)

    def test_preprocessing_and_atoms_are_those_of_the_program(self):
        run = figures.Run(figures.Model(self.model), self.data, 20)
        told = run.model.encode(run.x, "codes,reconstructions")
        x = run.model.seen(run.x)
        drawn = told["codes"] @ run.model.atoms().reshape(40, -1)
        norms = np.linalg.norm(run.x.reshape(20, -1), axis=1, keepdims=True)
        np.testing.assert_allclose(x * norms, run.x.reshape(20, -1))
        np.testing.assert_allclose(drawn * norms, told["reconstructions"],
                                   rtol=1e-4, atol=1e-4)

    def test_two_models_in_one_table(self):
        """It goes into the card of the first, or is printed."""
        models.write(self.path, "other", models.compose(
            [28, 28], models.dense(30)), classes="0123456789")
        pair = self.model, self.path / "other"
        printed = self.run_script("compare.py", *pair).stdout
        self.write_card("compare")
        self.assertEqual(self.run_script("compare.py", *pair).stdout, "")
        text = self.card.read_text()
        self.assertIn(printed, text)
        self.assertNotIn("\nold\n", text)
        self.assertIn("|  | active units | relative reconstruction error | "
                      "error rate |", text)
        figure = r"[0-9.]+( %)? \([0-9.]+( %)? to [0-9.]+( %)?\)"
        for name, units in ("m", 40), ("other", 30):
            self.assertRegex(text, r"(?m)^\| {0} \(l1, λ 0.01\) \| {1}, "
                             r"[0-9.]+ % of {2} \| {1} \| {1} \|$".format(
                                 name, figure, units))

    def test_the_recipe_beside_a_model_is_found(self):
        file = self.model / "1" / "model.safetensors"
        self.assertEqual(figures.recipe_of(file), {})
        (self.model / "recipe.json").write_text('{"data": "mnist"}')
        for path in self.model, self.model / "1", file:
            self.assertEqual(figures.recipe_of(path), {"data": "mnist"})
            self.assertEqual(figures.data_of(path), ROOT / "data" / "mnist")

    def test_models_are_found_by_name(self):
        self.assertEqual(find("mnist-drsae"), ROOT / "models/mnist-drsae")
        self.assertEqual(find(str(self.model)), self.model)
        self.assertEqual(find("no-such-model"), Path("no-such-model"))


class Numbers(unittest.TestCase):
    def test_digits_that_count(self):
        for value, text in (
                (0, "0"), (0.31549, "0.315"), (39.61, "39.6"),
                (400.0, "400"), (151, "151"), (1234.5, "1,234"),
                (10000, "10,000"), (3e-7, "3.00e-7"), (-7.25, "-7.25"),
                (np.nan, "-"), (None, "-")):
            self.assertEqual(markdown.number(value), text)
        self.assertEqual(markdown.percent(0.0103), "1.03 %")
        self.assertEqual(markdown.percent(0.0), "0 %")
        self.assertEqual(markdown.setting(1e-6), "1e-6")


if __name__ == "__main__":
    unittest.main()
