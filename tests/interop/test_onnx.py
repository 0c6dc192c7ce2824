#!/usr/bin/env python3
"""What `sparsed export` writes, judged by ONNX's own checker, and by ONNX
Runtime, which must give the model's own answers.

    make && SPARSED=build/sparsed build/venv/bin/python tests/interop/test_onnx.py

Every composition that the axes allow comes from tests/interop/onnx_models.c,
built here with build/release/libsparsed.a (or what $LIBSPARSED names); the
shipped models from the program itself.
"""
import json
import os
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

ROOT = Path(__file__).resolve().parents[2]
SPARSED = str(ROOT / os.environ.get("SPARSED", "build/sparsed"))
ARCHIVE = os.environ.get("LIBSPARSED",
                         ROOT / "build" / "release" / "libsparsed.a")
PACKAGES = ["check", "libcjson", "libpng", "libturbojpeg", "libzip", "zlib",
            "sqlite3", "openblas", "libprotobuf-c"]
OUTPUTS = ["code", "groups", "reconstruction", "probabilities"]
TOLERANCE = 1e-5
# What no fixed list of standard operators is.
UNTOLD = {"iterative": "steps"}


def session(path):
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    return onnxruntime.InferenceSession(
        str(path), options, providers=["CPUExecutionProvider"])


def answers(running, x):
    names = [output.name for output in running.get_outputs()]
    return dict(zip(names, running.run(None, {"input": x})))


class Case(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="sparsed-onnx-"))

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def same(self, got, want, what):
        """As near as float32 sums in another order are."""
        want = want.reshape(got.shape)
        limit = TOLERANCE * max(1, np.abs(want).max(initial=0))
        self.assertTrue(np.isfinite(got).all(), what)
        self.assertLessEqual(np.abs(got - want).max(initial=0), limit, what)

    def checked(self, path):
        model = onnx.load(path)
        onnx.checker.check_model(model, full_check=True)
        self.assertEqual(model.graph.input[0].type.tensor_type.shape.dim[0]
                         .dim_param, "B")
        return model


class Compositions(Case):
    @classmethod
    def setUpClass(cls):
        super().setUpClass()
        driver = cls.folder / "driver"
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", *PACKAGES],
                               check=True, capture_output=True,
                               text=True).stdout.split()
        subprocess.run(
            [os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", "-I.",
             "-o", str(driver), "tests/interop/onnx_models.c",
             "tests/support/compositions.c", str(ARCHIVE), *flags, "-lm",
             "-lpthread"], check=True, cwd=ROOT)
        done = subprocess.run([str(driver), str(cls.folder)], check=False,
                              capture_output=True, text=True)
        assert done.returncode == 0, done.stdout
        cls.count = len(list(cls.folder.glob("*.config")))

    def read(self, i, ending, kind=np.float32):
        data = (self.folder / ("%d.%s" % (i, ending))).read_bytes()
        return np.frombuffer(data, kind) if kind else data.decode()

    def check_refused(self, i, config):
        reason = self.read(i, "refused", None)
        layers = [(k, layer["encoder"]["kind"])
                  for k, layer in enumerate(config["layers"])]
        untold = [(k, kind) for k, kind in layers if kind in UNTOLD]
        self.assertTrue(untold, "%s: refused: %s" % (config, reason))
        layer, kind = untold[0]
        self.assertIn("layer %d" % layer, reason)
        self.assertIn('"%s"' % kind, reason)
        self.assertIn(UNTOLD[kind], reason)
        self.assertFalse((self.folder / ("%d.onnx" % i)).exists())

    def check_same(self, i, config):
        path = self.folder / ("%d.onnx" % i)
        model = self.checked(path)
        said = {entry.key: entry.value for entry in model.metadata_props}
        self.assertEqual(json.loads(said["config"]), config)
        self.assertEqual(json.loads(said["classes"]), ["0", "1", "2"])
        x = self.read(i, "input").reshape(-1, *config["input"]["shape"])
        running = session(path)
        got = answers(running, x)
        self.assertEqual(list(got), OUTPUTS)
        for name in OUTPUTS:
            self.same(got[name], self.read(i, name), "%d %s: %s" % (
                i, name, config))
        # A row does not depend on the others, and none is a number of rows.
        for name, value in answers(running, x[1:2]).items():
            self.same(value, got[name][1:2], name)
        for name, value in answers(running, x[:0]).items():
            self.assertEqual(value.shape, (0, *got[name].shape[1:]), name)

    def test_every_composition_is_the_same_function(self):
        told = 0
        for i in range(self.count):
            config = json.loads(self.read(i, "config", None))
            if (self.folder / ("%d.refused" % i)).exists():
                self.check_refused(i, config)
            else:
                self.check_same(i, config)
                told += 1
        self.assertGreater(told, 80)


class Shipped(Case):
    def export(self, name, *arguments):
        path = Path(tempfile.mkdtemp(dir=self.folder)) / "model.onnx"
        done = subprocess.run(
            [SPARSED, "export", str(ROOT / "models" / name), "--out",
             str(path), *arguments], capture_output=True, text=True,
            check=False)
        return path, done

    def inputs(self, shape):
        random = np.random.default_rng(3)
        x = random.random((6, *shape), np.float32)
        x[:, ..., :shape[-1] // 3] = 0
        return x.astype(np.float32)

    def check(self, name, encoder):
        path, done = self.export(name)
        if encoder in UNTOLD:
            self.assertEqual(done.returncode, 1)
            self.assertIn(UNTOLD[encoder], done.stderr)
            self.assertFalse(path.exists())
            return
        self.assertEqual(done.returncode, 0, done.stderr)
        model = self.checked(path)
        said = {entry.key: entry.value for entry in model.metadata_props}
        self.assertEqual((said["name"], said["version"]), (name, "1"))
        x = self.inputs([d.dim_value for d in model.graph.input[0]
                         .type.tensor_type.shape.dim[1:]])
        got = answers(session(path), x)
        np.save(self.folder / "x.npy", x)
        subprocess.run(
            [SPARSED, "encode", str(ROOT / "models" / name), "--data",
             str(self.folder / "x.npy"), "--out", str(self.folder / "y.npz")],
            check=True, capture_output=True)
        with np.load(self.folder / "y.npz") as want:
            for output in OUTPUTS[:3]:
                self.same(got[output], want[output + "s" * (output != "groups")],
                          "%s: %s" % (name, output))

    def test_shipped_models_are_the_same_functions(self):
        for recipe in sorted((ROOT / "models").glob("*/recipe.json")):
            layers = json.loads(recipe.read_text())["model"]["layers"]
            self.check(recipe.parent.name, layers[0]["encoder"]["kind"])

    def test_outputs_are_chosen_and_others_cost_nothing(self):
        path, done = self.export("mnist-drsae", "--outputs", "probabilities")
        self.assertEqual(done.returncode, 0, done.stderr)
        model = self.checked(path)
        self.assertEqual([o.name for o in model.graph.output],
                         ["probabilities"])
        names = {tensor.name for tensor in model.graph.initializer}
        self.assertIn("layers.0.encoder.recurrent", names)
        self.assertNotIn("layers.0.decoder.weight", names)
        self.assertEqual([n.op_type for n in model.graph.node].count("Gemm"),
                         12)

    def test_what_cannot_be_is_refused(self):
        for code, word, arguments in (
                (2, "none of: onnx", ("mnist-drsae", "--format", "tflite")),
                (2, "none of code", ("mnist-drsae", "--outputs", "codes")),
                (1, "no probabilities",
                 ("patches-lista", "--outputs", "probabilities")),
                (1, "no-folder",
                 ("mnist-drsae", "--out", "/no-folder/x.onnx"))):
            path, done = self.export(*arguments)
            self.assertEqual(done.returncode, code, done.stderr)
            self.assertIn(word, done.stderr)
            self.assertFalse(path.exists())


if __name__ == "__main__":
    unittest.main()
