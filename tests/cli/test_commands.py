#!/usr/bin/env python3
"""The real binary's other commands: encode, inspect, remember, render, health,
and what `serve` can be told, on a model trained here on a small part of MNIST.

    SPARSED=build/sparsed build/venv/bin/python tests/cli/test_commands.py

Standard library, NumPy and the public package of safetensors.
"""
import json
import os
import signal
import struct
import subprocess
import tempfile
import unittest
import urllib.request
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

ROOT = Path(__file__).resolve().parent.parent.parent
SPARSED = str(Path(os.environ.get("SPARSED", ROOT / "build/sparsed")).resolve())
MINI = ROOT / "tests/data/mnist-mini"
UNITS, SIDE, ROWS = 100, 28, 100

DONE, FAILED, USAGE = 0, 1, 2


def run(*arguments, env=None, cwd=ROOT):
    return subprocess.run([SPARSED, *map(str, arguments)], text=True, cwd=cwd,
                          capture_output=True, timeout=300,
                          env={**os.environ, **(env or {})})


def read_idx(path):
    data = path.read_bytes()
    shape = struct.unpack(">%dI" % data[3], data[4:4 + 4 * data[3]])
    return np.frombuffer(data, np.uint8,
                         offset=4 + 4 * data[3]).reshape(shape)


def png_size(path):
    data = path.read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:16]
    return struct.unpack(">II", data[16:24])


class Served:
    """`sparsed serve`, its address, its end."""

    def __init__(self, *arguments, env=None):
        self.process = subprocess.Popen(
            [SPARSED, "serve", *map(str, arguments)], cwd=ROOT,
            stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
            env={**os.environ, **(env or {})})
        line = self.process.stdout.readline().split()
        if line[:2] != ["listening", "on"]:
            self.process.kill()
            raise AssertionError(self.process.communicate()[1])
        self.url = line[2]

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.send_signal(signal.SIGTERM)
        self.talk = self.process.communicate(timeout=60)[1]

    def ask(self, path, value=None):
        body = None if value is None else json.dumps(value).encode()
        request = urllib.request.Request(
            self.url + path, body, {"Content-Type": "application/json"})
        with urllib.request.urlopen(request, timeout=60) as reply:
            return json.load(reply)


class CommandsTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        """models/mini/1 and, seeded otherwise, models/mini/2."""
        cls.temp = tempfile.TemporaryDirectory(prefix="sparsed-commands-")
        cls.folder = Path(cls.temp.name)
        cls.models = cls.folder / "models"
        recipe = json.loads((ROOT / "tests/data/recipes/mini.json")
                            .read_text())
        for phase in recipe["phases"]:
            phase["epochs"] = 3
        path = cls.folder / "recipe.json"
        path.write_text(json.dumps(recipe))
        for version in "1", "2":
            end = run("train", path, "--data", MINI, "--seed", version,
                      "--out", cls.models / "mini" / version)
            if end.returncode != DONE:
                raise AssertionError(end.stderr)
        cls.file = cls.models / "mini" / "2" / "model.safetensors"

    @classmethod
    def tearDownClass(cls):
        cls.temp.cleanup()

    def done(self, *arguments, **options):
        end = run(*arguments, **options)
        self.assertEqual(end.returncode, DONE, end.stderr)
        return end.stdout

    def failed(self, words, *arguments, **options):
        end = run(*arguments, **options)
        self.assertEqual(end.returncode, FAILED, (arguments, end.stderr))
        self.assertIn(words, end.stderr)
        self.assertEqual(end.stdout, "")

    def refused(self, words, *arguments, **options):
        end = run(*arguments, **options)
        self.assertEqual(end.returncode, USAGE, (arguments, end.stderr))
        self.assertIn(words, end.stderr)
        self.assertIn("usage: sparsed", end.stderr)
        self.assertEqual(end.stdout, "")

    def serve(self, *arguments, **options):
        return Served("--listen", "127.0.0.1:0", "--models", self.models,
                      "--data-dir", self.folder / "state", *arguments,
                      **options)

    # ---- encode ----

    def test_encode_writes_the_codes_that_http_answers(self):
        npy, npz = self.folder / "codes.npy", self.folder / "all.npz"
        self.done("encode", self.file, "--data", MINI, "--out", npy)
        self.done("encode", self.file, "--data", MINI, "--out", npz)
        codes = np.load(npy)
        self.assertEqual((codes.shape, codes.dtype), ((ROWS, UNITS), "<f4"))
        pictures = read_idx(MINI / "t10k-images-idx3-ubyte")
        with self.serve() as server:
            answer = server.ask(
                "/v1/models/mini/infer?format=dense",
                {"inputs": (pictures / 255).tolist()})
        self.assertEqual(answer["version"], 2)
        self.assertGreater(np.count_nonzero(codes), ROWS)
        np.testing.assert_allclose(codes, answer["codes"], atol=1e-5)
        with np.load(npz) as z:
            self.assertEqual(set(z.files), {"codes", "groups", "labels",
                                            "reconstructions"})
            np.testing.assert_array_equal(z["codes"], codes)
            np.testing.assert_allclose(z["groups"], answer["groups"],
                                       atol=1e-5)
            np.testing.assert_allclose(
                z["reconstructions"],
                np.reshape(answer["reconstructions"], (ROWS, -1)), atol=1e-5)
            np.testing.assert_array_equal(
                z["labels"], read_idx(MINI / "t10k-labels-idx1-ubyte"))

    def test_encode_writes_what_is_asked_for(self):
        path = self.folder / "some.npy"
        self.done("encode", self.file, "--data", MINI, "--split", "train",
                  "--what", "reconstructions", "--layer", 0, "--out", path)
        self.assertEqual(np.load(path).shape, (200, SIDE * SIDE))
        path = self.folder / "some.npz"
        self.done("encode", self.file, "--data", MINI, "--what",
                  "groups,codes", "--out", path)
        with np.load(path) as z:
            self.assertEqual(set(z.files), {"groups", "codes", "labels"})

    def test_encode_refuses_and_leaves_no_file(self):
        out = self.folder / "none.npy"
        given = ["encode", self.file, "--data", MINI, "--out", out]
        self.refused("MODEL is missing", "encode")
        self.refused("--data is missing", *given[:2], "--out", out)
        self.refused("--out is missing", *given[:4])
        self.refused(".npy or .npz", *given[:4], "--out", "codes.txt")
        self.refused("--fast", *given, "--fast")
        self.refused("one array, 2", *given, "--what", "codes,groups")
        self.refused("'atoms'", *given, "--what", "atoms")
        self.refused("--split", *given, "--split", "all")
        self.failed("layers 0 to 0", *given, "--layer", 1)
        self.failed("nowhere", "encode", self.file, "--data", "nowhere",
                    "--out", out)
        self.failed("mini.json", "encode",
                    ROOT / "tests/data/recipes/mini.json", "--data", MINI,
                    "--out", out)
        self.assertEqual([p for p in self.folder.iterdir()
                          if p.name.startswith("none")], [])

    # ---- MODEL ----

    def test_a_model_is_a_file_or_its_folder_or_the_folder_of_versions(self):
        told = [json.loads(self.done("inspect", path, "--json")) for path in (
            self.file, self.file.parent, self.file.parent.parent)]
        self.assertEqual([Path(one.pop("path")) for one in told],
                         [self.file] * 3)
        self.assertEqual(told[0], told[1])
        self.assertEqual(told[0], told[2])
        first = json.loads(self.done("inspect", self.models / "mini" / "1",
                                     "--json"))
        self.assertEqual(first["lineage"]["seed"], 1)
        self.assertEqual(told[2]["lineage"]["seed"], 2)
        for command, more in (("encode", ["--data", MINI, "--out", "x.npy"]),
                              ("render", ["--out", "x.png"]), ("inspect", [])):
            self.failed("no-such", command, self.folder / "no-such", *more)
            self.failed("model.safetensors", command, self.folder / "models",
                        *more)

    # ---- inspect ----

    def test_inspect_says_every_shape(self):
        told = json.loads(self.done("inspect", self.file, "--json"))
        shapes = {p["name"]: p["shape"] for p in told["parameters"]}
        self.assertEqual(shapes, {
            "layers.0.encoder.weight": [UNITS, SIDE * SIDE],
            "layers.0.encoder.recurrent": [UNITS, UNITS],
            "layers.0.encoder.bias": [UNITS],
            "layers.0.decoder.weight": [SIDE * SIDE, UNITS],
            "classifier.weight": [10, UNITS],
            "classifier.bias": [10],
        })
        self.assertEqual(told["numbers"], sum(
            int(np.prod(shape)) for shape in shapes.values()))
        self.assertEqual(told["config"]["input"]["shape"], [SIDE, SIDE])
        self.assertEqual(told["classes"], [str(i) for i in range(10)])
        self.assertEqual(told["layers"][0]["units"], UNITS)
        text = self.done("inspect", self.file)
        self.assertIn("(%d, %d)" % (UNITS, SIDE * SIDE), text)
        self.assertIn(str(self.file), text)

    def test_inspect_refuses(self):
        self.refused("MODEL is missing", "inspect")
        self.refused("--yaml", "inspect", self.file, "--yaml")
        self.refused("too many", "inspect", self.file, "more")
        bad = self.folder / "bad.safetensors"
        bad.write_bytes(self.file.read_bytes()[:1000])
        self.failed("bad.safetensors", "inspect", bad)

    def test_inspect_says_what_is_kept_for_later_training(self):
        told = json.loads(self.done("inspect", self.file, "--json"))
        # One in five of 200 rows, of which 40 are for validation.
        self.assertEqual(told["rehearsal"], {"rows": 200, "held_out": 40})
        self.assertEqual(told["training"]["batch"], 20)
        self.assertEqual(told["training"]["phase"]["name"], "joint")
        text = self.done("inspect", self.file)
        self.assertIn("200 rows, 40 of them held out", text)
        self.assertIn("phase.optimiser.rate", text)

    # ---- remember ----

    def test_remember_adds_what_train_keeps(self):
        """To a file that has lost it: the same bytes as train wrote."""
        old, out = self.folder / "old.safetensors", self.folder / "new"
        with safe_open(self.file, "np") as file:
            meta = file.metadata()
            tensors = {name: file.get_tensor(name) for name in file.keys()}
        del meta["training"]
        save_file({name: tensor for name, tensor in tensors.items()
                   if not name.startswith("rehearsal.")}, old, meta)
        told = json.loads(self.done("inspect", old, "--json"))
        self.assertEqual(told["rehearsal"]["rows"], 0)
        self.assertIsNone(told["training"])
        recipe = self.folder / "recipe.json"
        said = self.done("remember", old, recipe, "--data", MINI, "--out", out)
        self.assertIn("200 rows, 40 of them held out", said)
        self.assertEqual(out.read_bytes(), self.file.read_bytes())
        self.done("remember", old, recipe, "--data", MINI, "--out", out,
                  "--rows", 50)
        few = load_file(out)
        self.assertEqual(few["rehearsal.inputs"].shape, (50, SIDE, SIDE))
        self.assertEqual(few["rehearsal.held_out"].sum(), 10)
        for name in few:
            if not name.startswith("rehearsal."):
                self.assertEqual(few[name].tobytes(), tensors[name].tobytes())
        self.done("remember", out, recipe, "--data", MINI, "--out", out)
        self.assertEqual(out.read_bytes(), self.file.read_bytes())

    def test_kept_rows_are_those_of_the_data(self):
        kept = load_file(self.file)
        images = read_idx(MINI / "train-images-idx3-ubyte")
        labels = read_idx(MINI / "train-labels-idx1-ubyte")
        self.assertEqual(
            {(x.tobytes(), y) for x, y in zip(kept["rehearsal.inputs"],
                                              kept["rehearsal.labels"])},
            {(x.tobytes(), y) for x, y in zip(images, labels)})
        self.assertEqual(kept["rehearsal.labels"].dtype, np.int32)
        self.assertEqual(kept["rehearsal.held_out"].dtype, np.uint8)

    def test_remember_refuses(self):
        recipe, out = self.folder / "recipe.json", self.folder / "no"
        data, to = ["--data", MINI], ["--out", out]
        other = self.folder / "other.json"
        other.write_text(recipe.read_text() + "\n")
        self.refused("MODEL is missing", "remember")
        self.refused("RECIPE is missing", "remember", self.file)
        self.refused("--data is missing", "remember", self.file, recipe, *to)
        self.refused("--out is missing", "remember", self.file, recipe, *data)
        self.refused("--rows", "remember", self.file, recipe, *data, *to,
                     "--rows", "1048577")
        self.failed("another recipe", "remember", self.file, other, *data, *to)
        x = np.zeros((200, SIDE, SIDE), np.uint8)
        np.savez(self.folder / "zeros.npz", x=x, y=np.arange(200) % 10)
        self.failed("other data", "remember", self.file, recipe, "--data",
                    self.folder / "zeros.npz", *to)
        self.failed("recipe.json", "remember", recipe, recipe, *data, *to)
        self.assertFalse(out.exists())

    # ---- render ----

    def test_render_draws_every_atom(self):
        path = self.folder / "atoms.png"
        for zoom in 1, 2:
            said = self.done("render", self.file, "--out", path, "--zoom",
                             zoom)
            # 10 by 10 atoms with a line around each.
            side = 10 * (SIDE * zoom + 1) + 1
            self.assertEqual(png_size(path), (side, side))
            self.assertIn("%d x %d" % (side, side), said)

    def test_render_draws_orientations(self):
        path = self.folder / "orientation.png"
        self.done("render", self.file, "--out", path, "--zoom", 1, "--view",
                  "orientation")
        wide, high = png_size(path)
        self.assertEqual(wide, 10 * (SIDE + 1) + 1)
        self.assertGreater(high, wide)

    def test_render_refuses(self):
        path = self.folder / "none.png"
        self.refused("--out is missing", "render", self.file)
        self.refused("--zoom", "render", self.file, "--out", path, "--zoom",
                     0)
        self.refused("--colour", "render", self.file, "--out", path,
                     "--colour")
        self.refused("atoms, orientation", "render", self.file, "--out", path,
                     "--view", "colours")
        self.failed("layers 0 to 0", "render", self.file, "--out", path,
                    "--layer", 3)
        self.failed("no-folder", "render", self.file, "--out",
                    self.folder / "no-folder" / "a.png")
        self.assertFalse(path.exists())

    # ---- health ----

    def test_health_asks_a_server(self):
        with self.serve() as server:
            address = server.url.removeprefix("http://")
            for one in server.url, address, server.url + "/":
                self.assertEqual(self.done("health", one), "ok\n")
        self.failed(address, "health", address)
        self.refused("ADDR:PORT", "health", "nowhere")
        self.refused("too many", "health", address, address)

    # ---- serve ----

    def config(self, **settings):
        path = self.folder / "config.json"
        path.write_text(json.dumps({key.replace("_", "-"): value
                                    for key, value in settings.items()}))
        return path

    def printed(self, *arguments, **options):
        return json.loads(self.done("serve", "--print-config", *arguments,
                                    **options))

    def test_flags_win_over_environment_over_file_over_default(self):
        path = self.config(queue_seconds=11, workers=3, max_body="2MiB",
                           deadline=1.5, allow_missing_models=True,
                           log="json")
        env = {"SPARSED_QUEUE_SECONDS": "12", "SPARSED_WORKERS": "4"}
        plain = self.printed()
        self.assertEqual((plain["queue-seconds"], plain["log"]),
                         (0.1, "text"))
        got = self.printed("--config", path, "--queue-seconds", "13", env=env)
        self.assertEqual((got["queue-seconds"], got["workers"]), (13, 4))
        self.assertEqual((got["max-body"], got["deadline"]), (2 << 20, 1.5))
        self.assertIs(got["allow-missing-models"], True)
        self.assertEqual(got["log"], "json")
        changed = {key for key in plain if plain[key] != got[key]}
        self.assertEqual(changed, {"queue-seconds", "workers", "max-body",
                                   "deadline", "allow-missing-models", "log"})
        self.assertEqual(
            self.printed(env={**env, "SPARSED_CONFIG": str(path)}
                         )["queue-seconds"], 12)

    def test_what_is_printed_is_a_file_of_settings(self):
        path = self.folder / "printed.json"
        given = ("--queue-seconds", "7", "--timeout", "2.5", "--models", "/a \"b\"",
                 "--max-held", "3MiB", "--log-level", "debug")
        path.write_text(self.done("serve", "--print-config", *given))
        self.assertEqual(self.printed("--config", path), self.printed(*given))

    def test_serve_is_told_by_file_and_environment(self):
        path = self.config(listen="127.0.0.1:0", log="json",
                           data_dir=str(self.folder / "state"))
        with Served("--config", path,
                    env={"SPARSED_MODELS": str(self.models)}) as server:
            names = [m["name"] for m in server.ask("/v1/models")["models"]]
        self.assertEqual(names, ["mini"])
        self.assertEqual(server.process.returncode, DONE)
        for line in server.talk.splitlines():
            json.loads(line)

    def test_bad_settings_are_refused_by_name(self):
        self.refused("--quick", "serve", "--quick")
        self.refused("--workers", "serve", "--workers", "-1")
        self.refused("--max-body needs a value", "serve", "--max-body")
        self.refused("SPARSED_WORKERS", "serve",
                     env={"SPARSED_WORKERS": "many"})
        for settings, words in (({"quick": 1}, "'quick'"),
                                ({"workers": "many"}, "workers"),
                                ({"workers": []}, "workers: wrong type"),
                                ({"config": "x"}, "'config'"),
                                ({"listen": 8080}, "listen: wrong type")):
            self.refused(words, "serve", "--config", self.config(**settings))
        path = self.folder / "none.json"
        self.failed("none.json", "serve", "--config", path)

    # ---- all ----

    def test_usage_and_help(self):
        end = run()
        self.assertEqual((end.returncode, end.stdout), (USAGE, ""))
        end = run("fly")
        self.assertEqual(end.returncode, USAGE)
        self.assertIn("'fly'", end.stderr)
        self.assertRegex(self.done("--version"), r"^sparsed \d+\.\d+\.\d+\n$")
        text = self.done("--help")
        for command in ("serve", "train", "eval", "encode", "inspect",
                        "render", "export", "remember", "health"):
            self.assertIn("\n  %s " % command, text)
            self.assertIn("usage: sparsed %s" % command,
                          self.done(command, "--help"))


if __name__ == "__main__":
    unittest.main()
