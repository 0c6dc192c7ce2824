#!/usr/bin/env python3
"""The layers of bench/figures over pictures: pools of windows, and what codes
draw, against sums over single units and against what the program itself says.

    SPARSED=build/sparsed build/venv/bin/python \\
        tests/interop/test_figures_layers.py
"""
import json
import tempfile
import unittest
from pathlib import Path

import numpy as np
import figures_stub  # noqa: F401
from safetensors.numpy import save_file

import stack
from layers import Layer, as_picture
from model import Model
from windows import Windows

RULES = [{"size": 2, "stride": 2}, {"size": 3, "stride": 2},
         {"size": [2, 3], "stride": [1, 3], "sigma": 0.8},
         {"size": 1, "stride": 1, "maps": 3, "maps_stride": 2}]


def by_units(rule, z):
    """Pools of one code, each window's units one after another."""
    size, stride = (rule[key] if isinstance(rule[key], list)
                    else [rule[key]] * 2 for key in ("size", "stride"))
    maps, rows, columns = z.shape
    near, sigma = rule.get("maps", 1), rule.get("sigma", 0)

    def starts(side, axis):
        last = max(side - size[axis], 0)
        return [k * stride[axis] for k in range(-(-last // stride[axis]) + 1)]

    def bell(axis):
        at = np.arange(size[axis]) - (size[axis] - 1) / 2
        out = np.exp(-(at / sigma) ** 2 / 2) if sigma else 0 * at + 1
        return out / out.sum()
    return [np.sqrt(sum(
        bell(0)[i] * bell(1)[j] / near * z[(k + m) % maps, y + i, x + j] ** 2
        for m in range(near) for i in range(size[0]) for j in range(size[1])
        if y + i < rows and x + j < columns))
        for k in range(0, maps, rule.get("maps_stride", 1))
        for y in starts(rows, 0) for x in starts(columns, 1)]


class Pools(unittest.TestCase):
    def test_they_are_sums_over_each_windows_units(self):
        z = np.random.default_rng(1).normal(size=(2, 5, 7, 6))
        for rule in RULES:
            windows = Windows(rule, z.shape[1:])
            want = [by_units(rule, row) for row in z]
            np.testing.assert_allclose(windows.pool(z.reshape(2, -1)), want)
            self.assertEqual(np.prod(windows.shape), len(want[0]))

    def test_windows_at_the_border_have_fewer_units(self):
        sizes = Windows(RULES[0], (1, 3, 5)).sizes
        self.assertEqual(sizes.tolist(), [4, 4, 2, 2, 2, 1])


def conv(maps, kernel, **settings):
    return {"operator": "conv2d", "maps": maps, "kernel": kernel,
            "encoder": {"kind": "feedforward", "nonlinearity": "relu",
                        "gain": True},
            "structure": {"kind": "groups", "lambda": 0.1,
                          "window": {"size": 2, "stride": 2}}, **settings}


class Drawing(unittest.TestCase):
    def test_each_unit_adds_its_kernel_at_its_place(self):
        rng = np.random.default_rng(2)
        for settings, code in (({}, (3, 7, 8)), ({"stride": 2}, (3, 4, 4)),
                               ({"stride": 3, "padding": 2}, (3, 4, 4))):
            layer = Layer(conv(3, [3, 2], **settings), (2, 9, 9),
                          np.prod(code), 1)
            self.assertEqual(layer.code, code)
            weight = rng.normal(size=(3, 2, 3, 2))
            z = rng.normal(size=(2, *code))
            stride, pad = settings.get("stride", 1), settings.get("padding", 0)
            want = np.zeros((2, 2, 9 + 2 * pad, 9 + 2 * pad))
            for n, m, y, x in np.ndindex(z.shape):
                top, left = y * stride, x * stride
                want[n, :, top:top + 3, left:left + 2] += \
                    z[n, m, y, x] * weight[m]
            want = want[:, :, pad:pad + 9, pad:pad + 9]
            got = layer.draw(weight, z.reshape(2, -1))
            np.testing.assert_allclose(got, want.reshape(2, -1))

    def test_inputs_are_pictures(self):
        self.assertEqual([as_picture(shape) for shape in
                          ((5,), (4, 6), (3, 4, 6))],
                         [(5, 1, 1), (1, 4, 6), (3, 4, 6)])


class Stack(unittest.TestCase):
    """Two random layers as the program runs them."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        rng = np.random.default_rng(3)
        layers = [conv(4, 3, up="pooled"), conv(5, 2)]
        tensors = {}
        for i, shape in enumerate(((4, 1, 3, 3), (5, 4, 2, 2))):
            for name in ("encoder", "decoder"):
                tensors["layers.%d.%s.weight" % (i, name)] = rng.normal(
                    0, 0.4, shape)
            tensors["layers.%d.encoder.bias" % i] = np.full(shape[0], 0.02)
            tensors["layers.%d.encoder.gain" % i] = np.ones(shape[0])
        tensors["layers.1.encoder.bias"][2] = 1000  # never on
        path = Path(self.folder.name) / "model.safetensors"
        save_file({name: np.float32(value) for name, value in tensors.items()},
                  path, {"format": "sparsed", "config": json.dumps({
                      "input": {"shape": [9, 10], "range": [0, 1]},
                      "preprocess": [{"op": "unit_norm"}],
                      "layers": layers})})
        self.model = Model(path)
        self.x = rng.uniform(size=(2 * stack.BLOCK + 3, 9, 10))

    def tearDown(self):
        self.folder.cleanup()

    def test_shapes_chain(self):
        self.assertEqual([(one.shape, one.code, one.pools)
                          for one in self.model.layers],
                         [((1, 9, 10), (4, 7, 8), (4, 4, 4)),
                          ((4, 4, 4), (5, 3, 3), (5, 2, 2))])

    def test_figures_of_layers(self):
        (low, dead), (high, silent) = stack.figures(self.model, self.x)
        top = self.model.encode(self.x, "codes")["codes"]
        self.assertGreaterEqual(silent, 3 * 3)
        self.assertEqual(silent, (top == 0).all(axis=0).sum())
        told = self.model.encode(self.x, "codes,groups,reconstructions", 0)
        self.assertEqual(dead, (told["codes"] == 0).all(axis=0).sum())
        np.testing.assert_array_equal(low["units"],
                                      (told["codes"] != 0).sum(axis=1))
        np.testing.assert_array_equal(low["pools"],
                                      (told["groups"] > 0).sum(axis=1))
        x = self.x.reshape(len(self.x), -1)
        left = np.linalg.norm(x - told["reconstructions"].reshape(x.shape),
                              axis=1) / np.linalg.norm(x, axis=1)
        np.testing.assert_allclose(low["error"], left, 1e-4)
        self.assertEqual(high["error"].shape, (len(x),))
        windows = self.model.layers[0].windows
        np.testing.assert_allclose(windows.pool(told["codes"]),
                                   told["groups"], 1e-4, 1e-6)

    def test_wide_models_have_pools(self):
        self.assertEqual(self.model.pools().shape, (5, 2, 2))


if __name__ == "__main__":
    unittest.main()
