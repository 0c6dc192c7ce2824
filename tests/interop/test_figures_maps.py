#!/usr/bin/env python3
"""The measures of bench/figures that look at pictures, against cases whose
answer is known: drawn maps with pinwheels at known places, pictures moved by
whole pixels, photographs made here.

    build/venv/bin/python tests/interop/test_figures_maps.py
"""
import tempfile
import unittest
from pathlib import Path
from types import SimpleNamespace

import numpy as np
from figures_stub import stub
from PIL import Image

import invariance
import maps
from groups import Groups
from moving import moved
from orientation import difference, orientations
from photographs import Photographs, held_out

SIDE = 20
PERIOD = 10


def gabor(theta, phase, side=12, frequency=0.18, width=2.0):
    """Stripes along `theta` within a round patch of light."""
    y, x = np.mgrid[:side, :side] - (side - 1) / 2
    across = -x * np.sin(theta) + y * np.cos(theta)
    return np.exp(-(x ** 2 + y ** 2) / (2 * width ** 2)) * np.cos(
        2 * np.pi * frequency * across + phase)


def perfect_map():
    """A field whose pinwheels are known: each of the two cosines is 0 at 2.5,
    7.5, ... so a pinwheel lies in the middle of each fifth cell."""
    wave = np.cos(2 * np.pi * np.arange(SIDE) / PERIOD)
    return wave[None, :] + 1j * wave[:, None]


class Orientation(unittest.TestCase):
    def test_gabors_are_read_at_any_angle_phase_and_frequency(self):
        rng = np.random.default_rng(1)
        theta = rng.uniform(0, np.pi, 300)
        atoms = [gabor(t, rng.uniform(0, 6.3),
                       frequency=rng.uniform(0.1, 0.3),
                       width=rng.uniform(1.5, 2.5)) for t in theta]
        o = orientations(atoms)
        off = difference(o, np.exp(2j * theta))
        self.assertLess(off.max(), 3)
        self.assertLess(off.mean(), 0.5)
        self.assertGreater(np.abs(o).min(), 0.35)

    def test_a_blob_has_no_orientation(self):
        y, x = np.mgrid[:12, :12] - 5.5
        blob = np.exp(-(x ** 2 + y ** 2) / 4)
        self.assertLess(np.abs(orientations([blob, 0 * blob])).max(), 0.05)

    def test_differences_wrap_after_half_a_turn(self):
        angle = np.exp(2j * np.radians([1, 179, 45, 0]))
        other = np.exp(2j * np.radians([179, 1, 135, 30]))
        np.testing.assert_allclose(difference(angle, other), [2, 2, 90, 30])


class Maps(unittest.TestCase):
    def setUp(self):
        self.rng = np.random.default_rng(2)
        self.pairs = maps.torus_pairs(SIDE, SIDE)

    def test_a_torus_has_two_pairs_a_unit(self):
        pairs = maps.torus_pairs(3, 4)
        self.assertEqual(len(pairs), 24)
        self.assertEqual(len({frozenset(map(int, p)) for p in pairs}), 24)
        beside = {int(sum(p)) - 5 for p in pairs if 5 in p}
        self.assertEqual(beside, {1, 4, 6, 9})

    def test_pinwheels_of_a_perfect_map_are_found_where_they_are(self):
        turn = maps.windings(perfect_map())
        y, x = np.nonzero(turn)
        self.assertEqual(sorted(set(zip(y.tolist(), x.tolist()))),
                         [(a, b) for a in (2, 7, 12, 17)
                          for b in (2, 7, 12, 17)])
        self.assertEqual((turn == 1).sum(), 8)
        self.assertEqual((turn == -1).sum(), 8)

    def test_they_are_found_from_drawn_atoms_too(self):
        field = perfect_map()
        atoms = [gabor(t / 2, self.rng.uniform(0, 6.3))
                 for t in np.angle(field).ravel()]
        o = orientations(atoms)
        told = maps.pinwheels(o, field.shape, self.rng)
        self.assertEqual((told["positive"], told["negative"]), (8, 8))
        self.assertAlmostEqual(told["period"], PERIOD, delta=0.7)
        self.assertGreater(told["contrast"], 5)
        self.assertLess(16, told["permuted"][0] - 5 * told["permuted"][1])
        value, mean, deviation = maps.orientation_difference(o, self.pairs,
                                                             self.rng)
        self.assertAlmostEqual(mean, 45, delta=2)
        self.assertLess(value, 25)
        self.assertLess((value - mean) / deviation, -10)

    def test_nothing_is_found_in_random_atoms(self):
        o = orientations([gabor(self.rng.uniform(0, 3.2),
                                self.rng.uniform(0, 6.3))
                          for _ in range(SIDE * SIDE)])
        told = maps.pinwheels(o, (SIDE, SIDE), self.rng)
        mean, deviation = told["permuted"]
        self.assertLess(abs(told["positive"] + told["negative"] - mean),
                        4 * deviation)
        self.assertLess(told["contrast"], 4)
        value, mean, deviation = maps.orientation_difference(o, self.pairs,
                                                             self.rng)
        self.assertLess(abs(value - mean), 4 * deviation)

    def test_windings_on_a_torus_sum_to_0(self):
        for shape in (20, 20), (5, 9), (2, 2):
            field = self.rng.normal(size=shape) + 1j * self.rng.normal(
                size=shape)
            turn = maps.windings(field)
            self.assertEqual(turn.sum(), 0)
            self.assertLessEqual(np.abs(turn).max(), 1)

    def test_noise_has_its_period_and_about_pi_pinwheels_a_period(self):
        """pi per squared period for a thin band (Wolf & Geisel 1998), times
        the mean of (k / k0)^2 for a wider one."""
        counts, periods = [], []
        for _ in range(20):
            field = maps.noise((64, 64), 8, self.rng)
            counts.append(np.abs(maps.windings(field)).sum())
            periods.append(maps.spectrum_period(field)[0])
        density = np.mean(counts) * 8 ** 2 / 64 ** 2
        self.assertAlmostEqual(density, np.pi * 1.1, delta=0.4)
        self.assertAlmostEqual(np.mean(periods), 8, delta=0.8)

    def test_units_that_fire_with_their_neighbours_are_seen(self):
        white = self.rng.normal(size=(500, SIDE * SIDE))
        grid = white.reshape(-1, SIDE, SIDE)
        smooth = sum(np.roll(grid, (a, b), (1, 2)) for a in range(3)
                     for b in range(3)).reshape(white.shape)
        for z, expect in (smooth, True), (white, False):
            value, mean, deviation = maps.energy_correlation(z, self.pairs,
                                                             self.rng)
            self.assertAlmostEqual(mean, 0, delta=0.05)
            self.assertEqual(abs(value - mean) > 5 * deviation, expect)
        # Neighbours share 6 of 9 terms: squares correlate by (6/9)^2.
        self.assertAlmostEqual(maps.energy_correlation(
            smooth, self.pairs, self.rng)[0], 4 / 9, delta=0.05)

    def test_neighbours_are_taken_from_the_settings(self):
        disjoint = Groups.of_lists([[0, 1, 2], [3, 4]], 5)
        for structure, pairs in (
                ({"map": {"height": 4, "width": 5}}, 40),
                ({"pattern": "grid", "height": 3, "width": 3}, 18),
                ({"pattern": "ring"}, 5),
                ({"lists": [[0, 1, 2], [3, 4]]}, 4)):
            found = maps.neighbours(stub(structure, groups=disjoint, units=5))
            self.assertEqual(len(found[0]), pairs, structure)
        self.assertIsNone(maps.neighbours(stub({"kind": "l1"})))

    def test_a_sheet_is_a_torus_where_its_weights_repeat(self):
        model = stub({"kind": "l1"}, sheet=((9, 10), (4, 5)), units=90)
        pairs, shape, _ = maps.neighbours(model)
        self.assertEqual(shape, (4, 5))
        self.assertEqual(len(pairs), 40)
        units = maps.middle(model)
        self.assertEqual(sorted({int(u) // 10 % 4 * 5 + int(u) % 5
                                 for u in units}), list(range(20)))
        self.assertEqual((units.min(), units.max()), (22, 56))
        near = units[maps.side_by_side(model, pairs)]
        self.assertEqual(len(near), 4 * 4 + 3 * 5)
        self.assertEqual(set(np.abs(near[:, 0] - near[:, 1])), {1, 10})
        model = stub({"kind": "l1"}, sheet=((9, 10), (9, 10)), units=90)
        self.assertIsNone(maps.neighbours(model))

    def test_orientation_turns_steadily_round_true_pinwheels_alone(self):
        self.assertEqual(maps.turns_round(perfect_map()), (16, 16))
        rough = self.rng.permutation(perfect_map().ravel())
        rough = rough.reshape(SIDE, SIDE)
        once, steady = maps.turns_round(rough)
        self.assertLess(steady, 0.2 * np.abs(maps.windings(rough)).sum())
        self.assertLessEqual(steady, once)


class Moving(unittest.TestCase):
    def setUp(self):
        self.picture = np.random.default_rng(3).random((1, 9, 9))

    def test_whole_shifts_are_exact(self):
        right = moved(self.picture, (5, 5), right=1)
        down = moved(self.picture, (5, 5), down=2)
        np.testing.assert_allclose(right, self.picture[:, 2:7, 1:6])
        np.testing.assert_allclose(down, self.picture[:, 0:5, 2:7])

    def test_a_quarter_turn_is_exact(self):
        turned = moved(self.picture, (5, 5), degrees=90)
        want = np.rot90(self.picture[:, 2:7, 2:7], -1, axes=(1, 2))
        np.testing.assert_allclose(turned, want, atol=1e-12)

    def test_what_was_outside_comes_in(self):
        out = moved(self.picture, (9, 9), right=3, outside=7)
        np.testing.assert_allclose(out[:, :, :3], 7)
        np.testing.assert_allclose(out[:, :, 3:], self.picture[:, :, :6])

    def test_grains_are_averaged(self):
        out = moved(self.picture[:, :8, :8], (2, 2), grain=2)
        want = self.picture[:, 2:6, 2:6].reshape(1, 2, 2, 2, 2)
        np.testing.assert_allclose(out, want.mean(axis=(2, 4)))

    def test_a_turned_grating_has_the_turned_orientation(self):
        window = gabor(0.3, 1, side=24, frequency=0.15, width=4)[None]
        o = orientations([window[0], moved(window, (24, 24), degrees=15)[0]])
        np.testing.assert_allclose(
            np.angle(o[1] / o[0]) / 2, np.radians(15), atol=0.02)


class Invariance(unittest.TestCase):
    def test_energy_of_a_quadrature_pair_changes_less_than_its_code(self):
        filters = np.stack([gabor(t, phase, frequency=0.15).ravel()
                            for t in np.arange(4) * np.pi / 4
                            for phase in (0, np.pi / 2)])
        groups = Groups.of_lists(np.arange(8).reshape(4, 2), 8)
        rng = np.random.default_rng(4)
        windows = np.stack([gabor(t, phase, side=20, frequency=0.15, width=9)
                            for t, phase in rng.uniform(0, 6.3, (60, 2))])

        def encode(x, *_):
            z = x.reshape(len(x), -1) @ filters.T
            return {"codes": z, "groups": groups.pool(z)}
        model = SimpleNamespace(encode=encode, units=8, pools=lambda: groups)
        source = SimpleNamespace(
            moved=lambda n, **how: moved(windows[:n], (12, 12), **how))
        found = list(invariance.compare(model, source, 60, rng))
        self.assertEqual(len(found), len(invariance.MOVES))
        for name, code, pools, shuffled in found[:2]:
            self.assertEqual(len(code["size"]), 240, name)
            for how in "size", "apart", "angle":
                self.assertLess(np.median(pools[how]),
                                0.5 * np.median(code[how]), (name, how))
            self.assertLess(np.median(pools["apart"]), 0.5 * np.mean(
                [np.median(one["apart"]) for one in shuffled]))

    def test_changes_are_told_in_three_ways(self):
        f = np.array([[3.0, 4], [0, 0], [1, 0]])
        found = invariance.changes(f, f + [[0, 5], [1, 1], [0, 0]], 3)
        np.testing.assert_allclose(found["size"], [1, 0])
        np.testing.assert_allclose(found["apart"], [5 / np.hypot(2, 4), 0])
        np.testing.assert_allclose(found["angle"],
                                   [1 - 45 / (5 * np.hypot(3, 9)), 0],
                                   atol=1e-12)


class Pictures(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        rng = np.random.default_rng(7)
        y, x = np.mgrid[:120, :160]
        for i in range(10):
            grey = 100 + 60 * np.sin(x / (3 + i))
            grey += rng.integers(0, 30, x.shape)
            Image.fromarray(np.uint8(grey)).save(self.path / ("%d.png" % i))

    def tearDown(self):
        self.folder.cleanup()

    def test_every_fifth_by_name_is_held_out(self):
        self.assertEqual([path.name for path in held_out(self.path)],
                         ["4.png", "9.png"])

    def test_patches_are_the_same_each_time_and_averages_of_4_pixels(self):
        source = Photographs(self.path, 20, (12, 12), 0, 1)
        x = source.rows()
        self.assertEqual(x.shape, (20, 12, 12))
        np.testing.assert_array_equal(
            x, Photographs(self.path, 20, (12, 12), 0, 1).rows())
        middle = source.windows[:, 16:40, 16:40] / 255
        np.testing.assert_allclose(
            x, middle.reshape(20, 12, 2, 12, 2).mean(axis=(2, 4)), atol=1e-9)
        np.testing.assert_allclose(source.moved(5), x[:5])

    def test_a_shifted_patch_is_the_patch_beside_it(self):
        source = Photographs(self.path, 5, (12, 12), 0, 1)
        x, right = source.rows(), source.moved(5, right=1)
        np.testing.assert_allclose(right[:, :, 1:], x[:, :, :-1], atol=1e-9)

    def test_patches_lie_in_the_range_of_the_inputs(self):
        x = Photographs(self.path, 20, (12, 12), -1, 1).rows()
        self.assertLess(x.min(), 0)
        self.assertGreaterEqual(x.min(), -1)

    def test_flat_patches_are_drawn_again(self):
        grey = np.zeros((200, 400), np.uint8)
        grey[:, 280:] = np.arange(120) * 2
        for name in "49":
            Image.fromarray(grey).save(self.path / (name + ".png"))
        x = Photographs(self.path, 30, (12, 12), 0, 1).rows()
        self.assertGreater((x.std(axis=(1, 2)) >= 0.02).sum(), 27)


if __name__ == "__main__":
    unittest.main()
