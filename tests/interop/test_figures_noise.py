#!/usr/bin/env python3
"""The section on noisy codes: the divergence where it is known, and a model
file's heads against what the real binary answers.

    SPARSED=build/sparsed build/venv/bin/python \\
        tests/interop/test_figures_noise.py
"""
import tempfile
import unittest
from pathlib import Path

import numpy as np
from figures_stub import ROOT
from support import models

import compare
import figures
import noise
from model import Model


class Divergence(unittest.TestCase):
    def test_known_values(self):
        """A standard normal is free; a mean costs half its square; a variance
        of e^2 costs (e^2 - 3)/2."""
        mean = np.array([[0, 3, 0.0]])
        log_variance = np.array([[0, 0, 2.0]])
        np.testing.assert_allclose(noise.divergence(mean, log_variance),
                                   [[0, 4.5, (np.e ** 2 - 3) / 2]])

    def test_a_unit_carries_where_its_mean_moves(self):
        mean = np.array([[5, 1, 0.0], [5, -1, 0.1]])
        self.assertEqual(noise.carrying(mean), 1)


class Noisy(unittest.TestCase):
    """The real binary on small random models."""

    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        path = Path(self.folder.name)
        self.data = ROOT / "tests" / "data" / "mnist-mini"
        second = models.dense(7, "feedforward", "shrink", gain=True, structure={
            "kind": "gaussian", "lambda": 0.1})
        for name, layers in (("noisy", (models.dense(12), second)),
                             ("plain", (models.dense(7),))):
            models.write(path, name, models.compose([28, 28], *layers),
                         classes="0123456789")
        self.noisy, self.plain = path / "noisy", path / "plain"

    def tearDown(self):
        self.folder.cleanup()

    def run_of(self, path):
        return figures.Run(Model(path), self.data, 100)

    def test_means_are_the_codes_of_the_program(self):
        run = self.run_of(self.noisy)
        mean, log_variance = noise.heads(run.model, run.x)
        self.assertEqual(log_variance.shape, mean.shape)
        np.testing.assert_allclose(run.codes(), mean, rtol=1e-4, atol=1e-5)

    def test_a_code_without_noise_has_no_section(self):
        self.assertIsNone(noise.measure(self.run_of(self.plain)))
        self.assertIn("| KL, nats | ", noise.measure(self.run_of(self.noisy)))

    def test_models_of_both_kinds_in_one_table(self):
        text = compare.compare((self.noisy, self.plain, self.plain),
                               self.data, 100)
        head, _, *rows = text.splitlines()[2:]
        self.assertEqual(head, "|  | active units | units that carry "
                         "information | KL, nats | relative reconstruction "
                         "error | error rate |")
        self.assertEqual(len(rows), 3)
        self.assertRegex(rows[0], r"noisy \(gaussian, λ 0.1\).* of 7 \|")
        self.assertIn("| - | - |", rows[1])


if __name__ == "__main__":
    unittest.main()
