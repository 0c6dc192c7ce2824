#!/usr/bin/env python3
"""`sparsed samples` of the real binary: in, counted, out and in again, alone
and beside a daemon.

    SPARSED=build/sparsed build/venv/bin/python tests/cli/test_samples.py

Standard library and NumPy.
"""
import json
import os
import subprocess
import tempfile
import unittest
import urllib.request
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parent.parent.parent
SPARSED = str(Path(os.environ.get("SPARSED", ROOT / "build/sparsed")).resolve())
MODEL = "mnist-drsae"
MINI = ROOT / "tests/data/mnist-mini"
SIZE = 784

DONE, FAILED, USAGE = 0, 1, 2


def run(*arguments, env=None):
    return subprocess.run([SPARSED, "samples", *map(str, arguments)], text=True,
                          cwd=ROOT, capture_output=True, timeout=120,
                          env={**os.environ, **(env or {})})


class Samples(unittest.TestCase):
    def setUp(self):
        self.folder = tempfile.TemporaryDirectory()
        self.path = Path(self.folder.name)
        self.env = {"SPARSED_DATA_DIR": str(self.path / "data")}

    def tearDown(self):
        self.folder.cleanup()

    def done(self, *arguments, env=None):
        ran = run(*arguments, env=env or self.env)
        self.assertEqual(ran.returncode, DONE, ran.stderr)
        return ran.stdout

    def count(self, model=MODEL, env=None):
        return json.loads(self.done("count", model, "--json", env=env))

    def mixed(self):
        """Rows and labels in a .npz; some have none."""
        rng = np.random.default_rng(5)
        x = rng.random((30, SIZE), dtype=np.float32)
        y = np.array(["7", "", "\u00e9t\u00e9", "new one", "7"] * 6)
        path = self.path / "mixed.npz"
        np.savez(path, x=x, y=y)
        return path, x, y

    def test_idx_gets_the_models_names(self):
        self.done("import", MODEL, "--data", MINI)
        counts = self.count()
        self.assertEqual(counts["stored"], sum(counts["labels"].values()))
        self.assertEqual(sorted(counts["labels"]), list("0123456789"))

    def test_npz_goes_out_and_in_as_it_came(self):
        path, x, y = self.mixed()
        self.assertIn("30 samples", self.done("import", MODEL, "--data", path))
        counts = self.count()
        self.assertEqual(counts["labels"],
                         {"7": 12, "new one": 6, "\u00e9t\u00e9": 6})
        self.assertEqual(counts["unlabelled"], 6)
        for turn in range(2):
            out = self.path / f"out-{turn}.npz"
            self.done("export", MODEL, "--out", out)
            with np.load(out) as arrays:
                self.assertEqual(arrays["x"].dtype, np.float32)
                np.testing.assert_array_equal(arrays["x"], x)
                self.assertEqual(list(arrays["y"]), list(y))
            self.env = {"SPARSED_DATA_DIR": str(self.path / f"again-{turn}")}
            self.done("import", MODEL, "--data", out)
            self.assertEqual(self.count(), counts)

    def test_folders_of_pictures(self):
        self.done("import", MODEL, "--data", MINI)
        self.done("import", MODEL, "--data", MINI, "--unlabelled")
        out = self.path / "pictures"
        ran = run("export", MODEL, "--out", out, env=self.env)
        self.assertEqual(ran.returncode, DONE, ran.stderr)
        self.assertIn("without a label", ran.stderr)
        again = {"SPARSED_DATA_DIR": str(self.path / "again")}
        self.done("import", MODEL, "--data", out, env=again)
        self.assertEqual(self.count(env=again)["labels"],
                         self.count()["labels"])

    def test_bound_and_labels(self):
        path, _, _ = self.mixed()
        self.done("import", MODEL, "--data", path, "--max-samples", 20)
        counts = self.count()
        self.assertEqual((counts["stored"], counts["evicted"]), (20, 10))
        ran = run("import", MODEL, "--data", path, "--max-labels", 2,
                  "--data-dir", self.path / "other")
        self.assertEqual(ran.returncode, FAILED)
        self.assertIn("--max-labels", ran.stderr)
        self.assertIn("0 samples imported", ran.stdout)

    def test_what_is_wrong_is_said(self):
        self.done("import", MODEL, "--data", MINI)
        text = self.path / "text"
        text.write_text("no database" * 1000)
        cases = [
            (USAGE, [], "count, import or export"),
            (USAGE, ["count"], "MODEL"),
            (USAGE, ["count", "a/b"], "no model's name"),
            (USAGE, ["import", MODEL], "--data is missing"),
            (USAGE, ["export", MODEL], "--out is missing"),
            (FAILED, ["import", "none", "--data", MINI], "none"),
            (FAILED, ["import", MODEL, "--data", self.path / "x"], "x"),
            (FAILED, ["export", "none", "--out", self.path / "x.npz"],
             "no samples"),
            (FAILED, ["count", MODEL, "--store", f"sqlite:{text}"],
             "not a database"),
            (FAILED, ["count", MODEL, "--store", "oracle:x"], "sqlite:PATH"),
            (FAILED, ["count", MODEL, "--data-dir", self.path / "none"],
             "No such file"),
        ]
        for code, arguments, word in cases:
            with self.subTest(arguments=arguments):
                ran = run(*arguments, env=self.env)
                self.assertEqual(ran.returncode, code, ran.stderr)
                self.assertIn(word, ran.stderr)

    def test_all_models(self):
        self.assertEqual(
            run("count", "--all", env=self.env).returncode, FAILED)
        self.done("import", MODEL, "--data", MINI)
        counts = json.loads(self.done("count", "--all", "--json"))
        self.assertEqual([m["model"] for m in counts["models"]], [MODEL])
        self.assertIn(MODEL, self.done("count", "--all"))

    def test_beside_a_daemon(self):
        daemon = subprocess.Popen(
            [SPARSED, "serve", "--listen", "127.0.0.1:0"], cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True,
            env={**os.environ, **self.env})
        try:
            url = daemon.stdout.readline().split()[2]
            self.done("import", MODEL, "--data", MINI)
            with urllib.request.urlopen(
                    f"{url}/v1/models/{MODEL}/samples") as reply:
                seen = json.load(reply)
            counts = self.count()
            self.assertGreater(counts["stored"], 0)
            self.assertEqual(seen["labels"], counts["labels"])
        finally:
            daemon.terminate()
            daemon.wait(30)
            daemon.stdout.close()


if __name__ == "__main__":
    unittest.main()
