#!/usr/bin/env python3
"""The real `sparsed train` on a stack, layer by layer in one command.

    SPARSED=build/sparsed python3 tests/cli/test_stack.py
"""
import json
import tempfile
import time
import unittest
from pathlib import Path

from test_train import DATA, SPARSED, command, phase, run, start


def stack():
    """Two layers trained in turn, then a classifier on what labels there are,
    then all of it."""
    layer = {"operator": "dense",
             "encoder": {"kind": "feedforward", "gain": True}}
    own = {"reconstruction": 1, "structure": 1}
    return {
        "seed": 3, "validation": 40, "batch": 20, "labelled": 100,
        "drop_decoders": [1],
        "model": {
            "input": {"shape": [28, 28], "range": [0, 1]},
            "preprocess": [{"op": "unit_norm"}],
            "layers": [
                {**layer, "units": 80, "up": "pooled", "structure": {
                    "kind": "groups", "lambda": 0.005, "blocks": 2}},
                {**layer, "units": 30, "structure": {
                    "kind": "l1", "lambda": 0.001}}],
            "classifier": {"input": "code"}},
        "phases": [
            {**phase("lower", 0.1), "epochs": 5, "weights": own,
             "layers": [0], "train": ["layers.0"]},
            {**phase("upper", 0.1), "epochs": 5, "weights": own,
             "layers": [1], "train": ["layers.1"]},
            {"name": "classes", "epochs": 5, "layers": [], "rows": "labelled",
             "weights": {"classification": 1}, "train": ["classifier"],
             "optimiser": {"rate": 0.1}},
            {"name": "joint", "epochs": 5, "rows": "labelled",
             "weights": {"reconstruction": 0.1, "classification": 1},
             "optimiser": {"rate": 0.005}}]}


class StackTest(unittest.TestCase):
    """A stack trained layer by layer, in one command."""

    @classmethod
    def setUpClass(cls):
        cls.temp = tempfile.TemporaryDirectory(prefix="sparsed-stack-")
        cls.folder = Path(cls.temp.name)
        cls.recipe = str(cls.folder / "recipe.json")
        Path(cls.recipe).write_text(json.dumps(stack()))
        cls.model = cls.folder / "whole/model.safetensors"
        cls.whole = run(command(cls.model, "--json", recipe=cls.recipe))
        if cls.whole.returncode != 0:
            raise AssertionError(cls.whole.stderr)

    @classmethod
    def tearDownClass(cls):
        cls.temp.cleanup()

    def test_each_phase_tells_of_its_own_layer(self):
        lines = [json.loads(line) for line in self.whole.stdout.splitlines()]
        ends = {e["phase"]: e for e in lines[:-1]}
        self.assertEqual(list(ends), ["lower", "upper", "classes", "joint"])
        self.assertIsNone(ends["lower"]["validation"]["error"])
        self.assertIsNone(ends["lower"]["loss"]["classification"])
        self.assertLess(ends["lower"]["validation"]["relative_error"], 0.8)
        self.assertEqual(ends["lower"]["phases"], 4)
        # What the classifier reads stays as the upper phase left it.
        for figure in ("relative_error", "active_units"):
            self.assertEqual(ends["classes"]["validation"][figure],
                             min((e["validation"] for e in lines[:-1]
                                  if e["phase"] == "upper" and e["best"]),
                                 key=lambda v: v["relative_error"])[figure])
        self.assertLess(ends["joint"]["validation"]["error"], 0.5)

    def test_decoders_that_are_dropped_are_not_in_the_file(self):
        names = {"layers.0.decoder.weight": True,
                 "layers.1.decoder.weight": False,
                 "layers.1.encoder.weight": True}
        data = self.model.read_bytes()
        for name, there in names.items():
            self.assertEqual(b'"%s"' % name.encode() in data, there, name)
        end = run([SPARSED, "eval", str(self.model), "--data", DATA, "--json"])
        self.assertEqual(end.returncode, 0, end.stderr)
        self.assertIsNone(json.loads(end.stdout)["relative_error"])

    def test_killed_in_every_phase_it_ends_in_the_same_bytes(self):
        out = self.folder / "killed/model.safetensors"
        checkpoint = Path(str(out) + ".checkpoint")
        kills, seen = 0, set()
        while not out.exists():
            process = start(command(out, "--resume", recipe=self.recipe))
            before = checkpoint.stat().st_ino if checkpoint.exists() else 0
            while process.poll() is None and (
                    not checkpoint.exists() or
                    checkpoint.stat().st_ino == before):
                time.sleep(0.001)
            process.kill()
            process.communicate()
            kills += process.returncode != 0
            if checkpoint.exists():
                header = checkpoint.read_bytes()[8:4096]
                seen.add(header.split(b'"phase":"')[1][:16])
            self.assertLess(kills, 60)
        self.assertGreater(len(seen), 1, "no kill met a checkpoint")
        self.assertEqual(out.read_bytes(), self.model.read_bytes())

    def test_a_stack_that_cannot_be_is_refused(self):
        for change, words in (
                (lambda r: r.update(phases=r["phases"][0:3:2]),
                 "phases: none trains layers[1] (40 -> 30)"),
                (lambda r: r["phases"][1].update(layers=[2]),
                 "phases[1].layers: each element must be the index of a layer, "
                 "0 to 1"),
                (lambda r: r["phases"][1].update(train=["layers.2"]),
                 'phases[1].train[0]: no parameter\'s name begins with '
                 '"layers.2"'),
                (lambda r: r["model"]["layers"][1].update(units=0),
                 "model: layers[1].units"),
                (lambda r: r.update(labelled=161),
                 "the recipe wants 161 labelled rows"),
                (lambda r: r.update(drop_decoders=[2]),
                 "drop_decoders: each element")):
            recipe = stack()
            change(recipe)
            path = self.folder / "bad.json"
            path.write_text(json.dumps(recipe))
            with self.subTest(words):
                end = run(command(self.folder / "bad", recipe=str(path)))
                self.assertEqual(end.returncode, 1, end.stderr)
                self.assertIn(words, end.stderr)
                self.assertFalse(
                    (self.folder / "bad/model.safetensors").exists())


if __name__ == "__main__":
    unittest.main()
