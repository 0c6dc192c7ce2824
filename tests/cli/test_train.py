#!/usr/bin/env python3
"""The real `sparsed train` and `sparsed eval` on a small part of MNIST.

    SPARSED=build/sparsed python3 tests/cli/test_train.py

A run that is killed again and again, and goes on with --resume, must end in
the same bytes as an undisturbed one. Standard library only.
"""
import json
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


def read_tensor(path, name):
    """The bytes of a tensor in a safetensors file."""
    data = Path(path).read_bytes()
    start = 8 + struct.unpack("<Q", data[:8])[0]
    begin, end = json.loads(data[8:start])[name]["data_offsets"]
    return data[start + begin:start + end]


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


if __name__ == "__main__":
    unittest.main()
