#!/usr/bin/env python3
"""Whole cards of small models with every structure, made here and run by the
real binary: each has the sections that its config asks for, and figures that
follow from how it was made.

    SPARSED=build/sparsed build/venv/bin/python \\
        tests/interop/test_figures_models.py
"""
import colorsys
import contextlib
import io
import json
import re
import tempfile
import unittest
from pathlib import Path

import numpy as np
from PIL import Image
from safetensors.numpy import save_file
from test_figures_maps import SIDE, gabor, perfect_map

import figures
from orientation import difference

ROWS = 25
UNITS, INPUTS = 71, 144


def photographs(folder):
    """Ten pictures of soft stripes in all directions."""
    folder.mkdir()
    rng = np.random.default_rng(8)
    y, x = np.mgrid[:150, :200]
    for i in range(10):
        grey = 128 + sum(rng.uniform(5, 20) * np.sin(
            rng.uniform(-.4, .4) * x + rng.uniform(-.4, .4) * y)
            for _ in range(8))
        Image.fromarray(np.uint8(np.clip(grey, 0, 255))).save(
            folder / ("%d.png" % i))


def unit_norm(columns):
    return columns / np.linalg.norm(columns, axis=0)


def write(folder, decoder, structure, encoder=None, **tensors):
    """folder/1/model.safetensors and a card with the markers."""
    encoder = {"kind": "iterative", **(encoder or {})}
    config = {"input": {"shape": [12, 12], "range": [0, 1]},
              "preprocess": [{"op": "unit_norm"}],
              "layers": [{"operator": "dense", "units": decoder.shape[1],
                          "encoder": encoder, "structure": structure,
                          "up": "code", "decoder": True}]}
    tensors = {"layers.0.decoder.weight": decoder, **{
        "layers.0.structure." + name: value
        for name, value in tensors.items()}}
    (folder / "1").mkdir(parents=True)
    save_file({name: np.ascontiguousarray(
        value, value.dtype if value.dtype == np.int64 else np.float32)
        for name, value in tensors.items()},
        folder / "1" / "model.safetensors",
        {"format": "sparsed", "config": json.dumps(config)})
    (folder / "README.md").write_text(
        "# x\n<!-- figures -->\n<!-- /figures -->\n")


def csr(lists, weights=None):
    """The tensors that show groups in a model file."""
    lists = [np.sort(one) for one in lists]
    values = weights or [np.ones(len(one)) for one in lists]
    return {"groups.indptr": np.cumsum([0] + [len(one) for one in lists]),
            "groups.indices": np.concatenate(lists).astype(np.int64),
            "groups.weights": np.concatenate(values)}


class Sections(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = tempfile.TemporaryDirectory()
        cls.path = Path(cls.folder.name)
        photographs(cls.path / "photographs")
        rng = np.random.default_rng(9)
        cls.atoms = unit_norm(rng.normal(size=(INPUTS, UNITS)))

    @classmethod
    def tearDownClass(cls):
        cls.folder.cleanup()

    def card(self, *args, **tensors):
        """The block that is written for such a model."""
        folder = self.path / self.id().rpartition(".")[2]
        write(folder, *args, **tensors)
        with contextlib.redirect_stderr(io.StringIO()):
            figures.main([str(folder), "--rows", str(ROWS),
                          "--data", str(self.path / "photographs")])
        return (folder / "README.md").read_text()

    def titles(self, text):
        return re.findall("^### (.*)$", text, re.M)

    def row(self, text, name):
        """The cells of the table's line that begins with such words."""
        line = re.search(r"^\| %s.*$" % re.escape(name), text, re.M)
        self.assertIsNotNone(line, "%s: %s" % (name, text))
        return [cell.strip() for cell in line[0].split("|")[2:-1]]

    def assert_optimal(self, text, limit):
        cells = self.row(text, "more patient: tolerance 1e-6")
        self.assertLess(float(cells[1]), limit)

    def test_single_units(self):
        """Slow waves: what they draw goes on where pixels are missing."""
        wave = np.cos(np.pi * np.outer(np.arange(8), np.arange(12) + .5) / 12)
        waves = unit_norm(np.einsum("ax,by->xyab", wave, wave).reshape(
            INPUTS, 64))
        text = self.card(waves, {"kind": "l1", "lambda": 0.002})
        self.assertEqual(self.titles(text), [
            "On test rows", "Optimality", "Missing pixels"])
        self.assert_optimal(text, 1e-5)
        left = self.row(text, "restored | 50 %")[2]
        self.assertLess(float(left.rstrip(" %")), 50)

    def test_a_map(self):
        """The drawn map of test_figures_maps, through the whole card."""
        rng = np.random.default_rng(10)
        drawn = [gabor(t / 2, rng.uniform(0, 6.3)).ravel()
                 for t in np.angle(perfect_map()).ravel()]
        unit = np.arange(SIDE * SIDE).reshape(SIDE, SIDE)
        windows = [np.roll(unit, (-y, -x), (0, 1))[:4, :4].ravel()
                   for y in range(0, SIDE, 2) for x in range(0, SIDE, 2)]
        text = self.card(
            unit_norm(np.array(drawn).T),
            {"kind": "groups", "lambda": 0.1, "map": {
                "height": SIDE, "width": SIDE, "window": 4, "stride": 2}},
            **csr(windows, [np.full(16, 1 / 16)] * len(windows)))
        self.assertEqual(self.titles(text), [
            "On test rows", "Optimality", "Neighbours", "Invariance",
            "Missing pixels"])
        self.assertIn("8 turn one way, 8 the other (sum 0;", text)
        self.assertIn("orientation.png", text)
        self.assertLess(float(self.row(text, "difference of")[2]), -10)
        self.assert_optimal(text, 1e-3)
        self.assert_colours(np.angle(perfect_map()).ravel() / 2)

    def assert_colours(self, theta):
        """The program's own reading: hue of each tile of orientation.png,
        with the y axis upwards; beside the corners, where pinwheels are
        marked."""
        image = Image.open(self.path / "test_a_map" / "orientation.png"
                           ).convert("RGB")
        step = image.width // SIDE
        for unit in range(SIDE * SIDE):
            y, x = divmod(unit, SIDE)
            red, green, blue = image.getpixel(
                (x * step + step // 2, y * step + 3))
            hue = colorsys.rgb_to_hsv(red / 255, green / 255, blue / 255)[0]
            off = difference(np.exp(2j * np.pi * hue),
                             np.exp(-2j * theta[unit]))
            self.assertLess(off, 6, unit)

    def test_disjoint_groups(self):
        lists = np.arange(70).reshape(14, 5)
        text = self.card(self.atoms[:, :70],
                         {"kind": "groups", "lambda": 0.1, "blocks": 5},
                         **csr(lists))
        self.assertIn("units of one group are (140 pairs)", text)
        self.assertRegex(self.row(text, "active groups")[0], "of 14$")
        self.assertIn("Invariance", self.titles(text))
        self.assert_optimal(text, 1e-5)

    def test_a_tree(self):
        parent = np.array([-1] + [0] * 10 + list(np.repeat(range(1, 11), 2))
                          + list(np.repeat(range(11, 31), 2)))
        below = [[i] for i in range(UNITS)]
        for i in reversed(range(1, UNITS)):
            below[parent[i]] += below[i]
        text = self.card(self.atoms, {"kind": "tree", "lambda": 0.02,
                                      "branching": [10, 2, 2]}, **csr(below))
        self.assertEqual(self.titles(text), [
            "On test rows", "Optimality", "Tree", "Missing pixels"])
        self.assertIn("its parent is off in 0 %", text)
        self.assertEqual(self.row(text, "3 |")[0], "40")
        self.assert_optimal(text, 1e-5)

    def inhibition(self, structure, S):
        return self.card(self.atoms, {"kind": "lateral", "lambda": 0.02,
                                      "strength": 0.2, **structure},
                         {"method": "descent"}, inhibition=S)

    def test_a_ring(self):
        unit = np.arange(UNITS)
        far = np.abs(unit[:, None] - unit)
        far = np.minimum(far, UNITS - far)
        text = self.inhibition({"pattern": "ring", "near": 1, "far": 3},
                               0.2 * ((far > 1) & (far <= 3)))
        self.assertEqual(self.titles(text), [
            "On test rows", "Optimality", "Neighbours", "Inhibition",
            "Missing pixels"])
        self.assertEqual(self.row(text, "S > 0")[0], str(2 * UNITS))
        self.assert_optimal(text, 1e-5)

    def test_learned_inhibition(self):
        """It was moved to the first half of the units."""
        S = np.zeros((UNITS, UNITS))
        S[:35, :35] = 0.8
        np.fill_diagonal(S, 0)
        text = self.inhibition({"pattern": "all", "learned": True,
                                "bound": 1}, S)
        self.assertIn("lies 17", text)
        found = self.row(text, "the learned S")
        start = self.row(text, "its start")
        self.assertLess(float(found[3]), float(start[3]))


if __name__ == "__main__":
    unittest.main()
