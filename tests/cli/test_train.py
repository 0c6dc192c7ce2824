#!/usr/bin/env python3
"""The real `sparsed train` and `sparsed eval` on a small part of MNIST.

    SPARSED=build/sparsed python3 tests/cli/test_train.py

A run that is killed again and again, and goes on with --resume, must end in
the same bytes as an undisturbed one. Standard library only.
"""
import json
import math
import os
import random
import signal
import struct
import subprocess
import tempfile
import time
import unittest
import zlib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SPARSED = str(Path(os.environ.get("SPARSED", ROOT / "build/sparsed")).resolve())
RECIPE = str(ROOT / "tests/data/recipes/mini.json")
PATCHES = str(ROOT / "tests/data/recipes/patches.json")
DATA = str(ROOT / "tests/data/mnist-mini")
KILLS = 8


def command(out, *more, recipe=RECIPE):
    return [SPARSED, "train", recipe, "--data", DATA, "--out", str(out),
            "--threads", "2", *more]


def run(arguments):
    return subprocess.run(arguments, capture_output=True, text=True,
                          timeout=300)


def start(arguments):
    return subprocess.Popen(arguments, stdout=subprocess.DEVNULL,
                            stderr=subprocess.PIPE, text=True)


def write_png(path, side, pixels):
    """A grey picture, of rows of bytes."""
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))

    rows = b"".join(b"\0" + bytes(row) for row in pixels)
    path.write_bytes(
        b"\x89PNG\r\n\x1a\n" +
        chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 0, 0, 0, 0)) +
        chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def find_tensor(data, name):
    """Where the bytes of a tensor lie in those of a safetensors file."""
    start = 8 + struct.unpack("<Q", data[:8])[0]
    begin, end = json.loads(data[8:start])[name]["data_offsets"]
    return start + begin, start + end


def read_tensor(path, name):
    """The bytes of a tensor in a safetensors file."""
    data = Path(path).read_bytes()
    begin, end = find_tensor(data, name)
    return data[begin:end]


def numbers(data, name):
    """A tensor of single precision."""
    begin, end = find_tensor(data, name)
    return [x for x, in struct.iter_unpack("<f", data[begin:end])]


def finite(data):
    """Whether all tensors of single precision are, and there are some."""
    size, = struct.unpack("<Q", data[:8])
    header = json.loads(data[8:8 + size])
    names = [name for name, tensor in header.items()
             if tensor.get("dtype") == "F32"]
    return bool(names) and all(
        math.isfinite(x) for name in names for x in numbers(data, name))


class TrainTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """One undisturbed run, which the tests compare theirs with."""
        cls.temp = tempfile.TemporaryDirectory(prefix="sparsed-train-")
        cls.folder = Path(cls.temp.name)
        begin = time.monotonic()
        cls.whole = run(command(cls.folder / "whole", "--json", "--test"))
        cls.seconds = time.monotonic() - begin
        cls.model = cls.folder / "whole/model.safetensors"
        if cls.whole.returncode != 0:
            raise AssertionError(cls.whole.stderr)

    @classmethod
    def tearDownClass(cls):
        cls.temp.cleanup()

    def same_as_whole(self, path):
        self.assertEqual(Path(path).read_bytes(), self.model.read_bytes())

    def test_kill_9_and_resume_end_in_the_same_bytes(self):
        seed = int.from_bytes(os.urandom(4), "big")
        chance = random.Random(seed)
        out = self.folder / "killed/model.safetensors"
        checkpoint = Path(str(out) + ".checkpoint")
        seen = set()
        for kill in range(KILLS):
            process = start(command(out, "--resume", "--test"))
            # From the second on, die at a moment when there is something new.
            before = checkpoint.stat().st_ino if checkpoint.exists() else 0
            while kill % 2 and process.poll() is None and (
                    not checkpoint.exists() or
                    checkpoint.stat().st_ino == before):
                time.sleep(0.001)
            time.sleep(chance.uniform(0, self.seconds / KILLS))
            process.kill()
            process.communicate()
            if process.returncode == 0:
                break
            self.assertFalse(out.exists())
            if checkpoint.exists():
                seen.add(checkpoint.read_bytes())
        self.assertGreater(len(seen), 1, "no kill met a checkpoint")
        end = run(command(out, "--resume", "--test"))
        self.assertEqual(end.returncode, 0, end.stderr)
        self.same_as_whole(out)
        # Besides the model at most a temporary file of a killed write is left.
        self.assertFalse(checkpoint.exists())

    def test_sigint_stops_and_says_how_to_go_on(self):
        out = self.folder / "stopped"
        checkpoint = out / "model.safetensors.checkpoint"
        process = start(command(out, "--test"))
        while process.poll() is None and not checkpoint.exists():
            time.sleep(0.001)
        process.send_signal(signal.SIGINT)
        _, talk = process.communicate(timeout=60)
        self.assertEqual(process.returncode, 1)
        self.assertIn("--resume", talk)
        other = run(command(out, "--resume", "--seed", "8"))
        self.assertEqual(other.returncode, 1)
        self.assertIn("seed", other.stderr)
        end = run(command(out, "--resume", "--test"))
        self.assertEqual(end.returncode, 0, end.stderr)
        self.same_as_whole(out / "model.safetensors")

    def test_a_run_without_resume_starts_over_and_says_so(self):
        out = self.folder / "over"
        out.mkdir()
        (out / "model.safetensors.checkpoint").write_bytes(b"whatever")
        end = run(command(out, "--test"))
        self.assertEqual(end.returncode, 0, end.stderr)
        self.assertIn("starting over", end.stderr)
        self.same_as_whole(out / "model.safetensors")

    def test_json_gives_an_object_for_each_epoch_and_the_result(self):
        lines = [json.loads(line) for line in self.whole.stdout.splitlines()]
        epochs, result = lines[:-1], lines[-1]
        self.assertEqual(epochs[0]["phase"], "unsupervised")
        self.assertEqual([e["epoch"] for e in epochs if e["phase_number"] == 1],
                         list(range(1, 61)))
        self.assertLess(epochs[-1]["loss"]["total"],
                        0.8 * epochs[0]["loss"]["total"])
        self.assertEqual(result["model"], str(self.model))
        best = min(e["validation"]["error"] for e in epochs
                   if e["phase"] == "joint")
        self.assertEqual(result["metrics"]["validation"]["error"], best)
        self.assertEqual(result["metrics"]["test"]["rows"], 100)
        self.assertEqual(result["lineage"]["seed"], 7)
        self.assertIsNone(result["lineage"]["parent"])

    def test_eval_finds_what_train_measured(self):
        wanted = json.loads(self.whole.stdout.splitlines()[-1])["metrics"]
        for threads in ("1", "2"):
            end = run([SPARSED, "eval", str(self.model.parent), "--data", DATA,
                       "--threads", threads, "--json"])
            self.assertEqual(end.returncode, 0, end.stderr)
            self.assertEqual(json.loads(end.stdout), wanted["test"])
        end = run([SPARSED, "eval", str(self.model), "--data", DATA, "--split",
                   "train"])
        self.assertEqual(end.returncode, 0, end.stderr)
        self.assertIn("200", end.stdout)
        self.assertIn("error", end.stdout)

    def test_patches_of_photographs_are_whitened_and_learned(self):
        folder = self.folder / "photographs"
        folder.mkdir()
        for i in range(5):
            chance = random.Random(i)
            write_png(folder / ("%d.png" % i), 80, [
                [max(0, min(255, 4 * x + 2 * y % (50 + i) +
                            chance.randrange(40))) for x in range(80)]
                for y in range(80)])
        recipe = self.folder / "short.json"
        recipe.write_text(Path(PATCHES).read_text().replace(
            '"epochs": 3', '"epochs": 1'))
        results = []
        for name, path in (("long", PATCHES), ("again", PATCHES),
                           ("short", str(recipe))):
            out = self.folder / name
            end = run([SPARSED, "train", path, "--data", str(folder), "--out",
                       str(out), "--threads", "2", "--json", "--test"])
            self.assertEqual(end.returncode, 0, end.stderr)
            results.append((out / "model.safetensors", json.loads(
                end.stdout.splitlines()[-1])["metrics"]))
        (long, wanted), (again, _), (short, _) = results
        self.assertEqual(long.read_bytes(), again.read_bytes())
        self.assertLess(wanted["validation"]["relative_error"], 0.9)
        for name in ("mean", "whiten", "unwhiten"):
            name = "preprocess." + name
            self.assertEqual(read_tensor(long, name), read_tensor(short, name))
        end = run([SPARSED, "eval", str(long), "--data", str(folder), "--json"])
        self.assertEqual(end.returncode, 0, end.stderr)
        self.assertEqual(json.loads(end.stdout), wanted["test"])
        self.assertEqual(wanted["test"]["rows"], 10000)
        end = run([SPARSED, "train", PATCHES, "--data", DATA, "--out",
                   str(self.folder / "no")])
        self.assertEqual(end.returncode, 1)
        self.assertIn("folder of photographs", end.stderr)

    def test_bad_arguments_are_usage_and_bad_files_are_failures(self):
        out = str(self.folder / "bad")
        for arguments in (["train"], ["train", RECIPE, "--out", out],
                          ["train", RECIPE, "--data", DATA],
                          command(out, "--seed", "-1"), command(out, "--fast"),
                          ["eval", str(self.model)],
                          ["eval", str(self.model), "--data", DATA, "--split",
                           "all"]):
            if arguments[0] != SPARSED:
                arguments = [SPARSED] + arguments
            end = run(arguments)
            self.assertEqual(end.returncode, 2, arguments)
            self.assertIn("usage", end.stderr)
        bad = self.folder / "bad.json"
        bad.write_text(Path(RECIPE).read_text().replace("epochs", "epoch"))
        end = run(command(out, recipe=str(bad)))
        self.assertEqual(end.returncode, 1)
        self.assertIn("phases[0].epoch", end.stderr)
        self.assertFalse(Path(out).exists())
        end = run([SPARSED, "eval", RECIPE, "--data", DATA])
        self.assertEqual(end.returncode, 1)
        self.assertIn("mini.json", end.stderr)


def coding(structure, units=4, method="fista", **more):
    """A recipe of one phase for a code that is found by iteration; `more`
    replaces members."""
    return {
        "seed": 1, "validation": 40, "batch": 20,
        "model": {
            "input": {"shape": [28, 28], "range": [0, 1]},
            "preprocess": [{"op": "unit_norm"}],
            "layers": [{
                "operator": "dense", "units": units,
                "encoder": {"kind": "iterative", "method": method},
                "structure": {"lambda": 0.01, **structure}}]},
        "phases": [phase("training", 0.1)], **more}


def phase(name, rate, **more):
    return {"name": name, "epochs": 2,
            "weights": {"reconstruction": 1, "structure": 1},
            "optimiser": {"kind": "sgd", "rate": rate, **more}}


TREE = {"kind": "tree"}
GROUPS = {"kind": "groups"}
LATERAL = {"kind": "lateral", "pattern": "all", "strength": 0.25}
BRANCHES = {**LATERAL, "pattern": "tree"}
LEARNED = {**LATERAL, "learned": True}

# What cannot be: the structure, and what the refusal must say.
IMPOSSIBLE = {
    "a cycle": ({**TREE, "parents": [1, 2, 0, -1]}, "parents[0]: leads into a"),
    "its own parent": ({**TREE, "parents": [-1, 1, 0, 0]}, "parents[1]: leads"),
    "two parents": ({**TREE, "parents": [-1, 0, [0, 1], 0]}, "parents[2]"),
    "told twice": ({**TREE, "parents": [-1, 0, 0, 0], "branching": [3]},
                   'one of "branching" and "parents"'),
    "a parent out of range": ({**TREE, "parents": [-1, 0, 4, 0]}, "parents[2]"),
    "too many units": ({**TREE, "branching": [2, 2]}, "branching: makes"),
    "an inhibiting cycle": ({**BRANCHES, "parents": [1, 0, 0, 0]}, "cycle"),
    "an index out of range": ({**GROUPS, "lists": [[0, 1], [2, 4]]},
                              "lists[1][1]: must be a unit, 0 to 3"),
    "an index below 0": ({**GROUPS, "lists": [[0, 1], [-1, 3]]}, "lists[1][0]"),
    "a unit twice": ({**GROUPS, "lists": [[0, 1], [2, 2]]}, "unit 2 is twice"),
    "an overlap": ({**GROUPS, "lists": [[0, 1, 2], [2, 3]], "partition": True},
                   "partition: unit 2 is in more than one group"),
    "a unit left out": ({**GROUPS, "lists": [[0, 1], [2]], "partition": True},
                        "partition: unit 3 is in no group"),
    "a window that overlaps": (
        {**GROUPS, "partition": True,
         "map": {"height": 2, "width": 2, "window": 2}}, "partition: unit 0"),
    "a negative weight": ({**GROUPS, "lists": [[0, 1]], "weights": [[1, -1]]},
                          "weights[0][1]"),
    "a negative strength": ({**LATERAL, "strength": -1}, "strength: want 0"),
    "a negative bound": ({**LEARNED, "bound": -1}, "bound: want 0"),
    "a negative lambda": ({**LATERAL, "lambda": -1}, "lambda: want 0"),
}


class RefusalTest(unittest.TestCase):
    """Recipes that cannot be, and trainings that go wrong."""

    def setUp(self):
        temp = tempfile.TemporaryDirectory(prefix="sparsed-refusal-")
        self.addCleanup(temp.cleanup)
        self.folder = Path(temp.name)
        self.out = self.folder / "out/model.safetensors"
        self.checkpoint = Path(str(self.out) + ".checkpoint")

    def train(self, recipe, *more):
        path = self.folder / "recipe.json"
        path.write_text(recipe if isinstance(recipe, str)
                        else json.dumps(recipe))
        return run(command(self.out, "--json", *more, recipe=str(path)))

    def test_an_impossible_structure_is_refused_before_training(self):
        for name, (structure, words) in IMPOSSIBLE.items():
            method = "descent" if "pattern" in structure else "fista"
            with self.subTest(name):
                end = self.train(coding(structure, method=method))
                self.assertEqual(end.returncode, 1, end.stderr)
                self.assertIn("layers[0].structure", end.stderr)
                self.assertIn(words, end.stderr)
                self.assertEqual(end.stdout, "")
                self.assertFalse(self.out.parent.exists())
        twice = json.dumps(coding({**TREE, "parents": [-1, 0, 0, 0]})).replace(
            '"parents"', '"parents": [-1, 0, 1, 1], "parents"')
        end = self.train(twice)
        self.assertEqual(end.returncode, 1, end.stderr)
        self.assertIn("duplicate", end.stderr)

    def test_an_adversarial_term_needs_a_gradient_on_the_input(self):
        recipe = coding({**GROUPS, "blocks": 2})
        recipe["model"]["classifier"] = {"input": "code"}
        recipe["phases"][0]["weights"] = {
            "classification": 1, "adversarial": 1, "adversarial_radius": 1}
        end = self.train(recipe)
        self.assertEqual(end.returncode, 1)
        self.assertIn("phases[0].weights.adversarial: must be 0", end.stderr)
        self.assertFalse(self.out.parent.exists())

    def test_a_file_with_negative_inhibition_is_refused(self):
        end = self.train(coding(LEARNED, method="descent"))
        self.assertEqual(end.returncode, 0, end.stderr)
        good = self.out.read_bytes()
        at, _ = find_tensor(good, "layers.0.structure.inhibition")
        one = struct.pack("<f", -0.5)  # in the row of unit 0, for unit 1
        told = good.replace(b'strength\\":0.25', b'strength\\":-0.5', 1)
        self.assertNotEqual(told, good)
        for bad, words in ((good[:at + 4] + one + good[at + 8:],
                            "structure.inhibition: negative at 0, 1"),
                           (told, "structure.strength: want 0")):
            self.out.write_bytes(bad)
            for action in (["inspect", str(self.out)],
                           ["eval", str(self.out), "--data", DATA]):
                end = run([SPARSED, *action])
                self.assertEqual(end.returncode, 1, end.stderr)
                self.assertIn(words, end.stderr)

    def assert_stops(self, recipe):
        """The second phase diverges, and leaves the first one's end."""
        recipe["model"]["input"]["range"] = [0, 1e6]
        recipe["model"]["preprocess"] = []
        recipe["rates"] = {"weight": 1e6}
        recipe["phases"] = [phase("calm", 1e-12),
                            phase("wild", 1e3, project_every=1000)]
        end = self.train(recipe)
        self.assertEqual(end.returncode, 1, end.stderr)
        for word in ("phase 2 (wild), epoch 1", "not finite",
                     "rate 1e+03, which may be too high",
                     "last finished epoch is in %s" % self.checkpoint):
            self.assertIn(word, end.stderr)
        self.assertNotIn("--resume", end.stderr)
        self.assertEqual(len(end.stdout.splitlines()), 2)
        kept = self.checkpoint.read_bytes()
        self.assertTrue(finite(kept))
        # Going on from there ends where it ended.
        end = self.train(recipe, "--resume")
        self.assertEqual(end.returncode, 1, end.stderr)
        self.assertIn("phase 2 (wild), epoch 1", end.stderr)
        self.assertEqual(self.checkpoint.read_bytes(), kept)
        self.assertFalse(self.out.exists())

    def test_a_diverging_step_stops_and_keeps_the_checkpoint(self):
        self.assert_stops(coding({**GROUPS, "blocks": 4}, 16))

    def test_so_it_does_where_inhibition_is_learned(self):
        self.assert_stops(coding(LEARNED, 16, "descent"))

    def test_bounds_hold_at_any_rate(self):
        recipe = coding(LEARNED, 16, "descent",
                        rates={"weight": 1e6, "inhibition": 1e6})
        recipe["phases"] = [phase("wild", 1e3, momentum=0.9)]
        end = self.train(recipe)
        self.assertEqual(end.returncode, 0, end.stderr)
        data = self.out.read_bytes()
        self.assertTrue(finite(data))
        S = numbers(data, "layers.0.structure.inhibition")
        self.assertGreaterEqual(min(S), 0)
        self.assertLessEqual(max(S), 5 * LEARNED["strength"])
        self.assertNotEqual(set(S), {0, LEARNED["strength"]})
        self.assertEqual(S, [S[16 * j + i] for i in range(16)
                             for j in range(16)])
        D = numbers(data, "layers.0.decoder.weight")
        for unit in range(16):
            self.assertLess(sum(x * x for x in D[unit::16]), 1.001)


if __name__ == "__main__":
    unittest.main()
