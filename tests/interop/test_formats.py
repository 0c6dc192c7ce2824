#!/usr/bin/env python3
"""File formats against their own packages: what `safetensors` and NumPy write
is read by the program, and the other way round.

    make && build/venv/bin/python tests/interop/test_formats.py

Builds tests/interop/formats.c with build/release/libsparsed.a (or the archive
that $LIBSPARSED names) into a temporary folder.
"""
import os
import shutil
import struct
import subprocess
import tempfile
import unittest
from pathlib import Path

import numpy as np
from safetensors import SafetensorError, safe_open
from safetensors.numpy import load_file, save_file

ROOT = Path(__file__).resolve().parents[2]
ARCHIVE = Path(os.environ.get("LIBSPARSED",
                              ROOT / "build" / "release" / "libsparsed.a"))
PACKAGES = ["libcjson", "libpng", "libturbojpeg", "libzip", "zlib"]
ST_NAMES = {"bool": "BOOL", "uint8": "U8", "int8": "I8", "uint16": "U16",
            "int16": "I16", "float16": "F16", "uint32": "U32", "int32": "I32",
            "float32": "F32", "uint64": "U64", "int64": "I64",
            "float64": "F64"}
TYPES = list(ST_NAMES)
VALUES = np.array([[0, 0.1, -2], [3.5, 1e-30, -65504]], np.float32)


class Formats(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.folder = Path(tempfile.mkdtemp(prefix="sparsed-interop-"))
        cls.driver = cls.folder / "formats"
        flags = subprocess.run(["pkg-config", "--cflags", "--libs", *PACKAGES],
                               check=True, capture_output=True,
                               text=True).stdout.split()
        subprocess.run(
            [os.environ.get("CC", "cc"), "-std=c11", "-D_GNU_SOURCE", "-I.",
             "-o", str(cls.driver), "tests/interop/formats.c", str(ARCHIVE),
             *flags, "-lm", "-lpthread"], check=True, cwd=ROOT)

    @classmethod
    def tearDownClass(cls):
        shutil.rmtree(cls.folder)

    def path(self, name):
        return str(self.folder / name)

    def run_driver(self, *args):
        return subprocess.run([str(self.driver), *args], capture_output=True,
                              text=True, check=False)

    def driver_lines(self, *args):
        result = self.run_driver(*args)
        self.assertEqual(result.returncode, 0, result.stderr)
        return [line.split("\t") for line in result.stdout.splitlines()]

    def random_array(self, random, dtype):
        shape = random.integers(0, 4, random.integers(0, 5))
        data = random.integers(0, 256, 8 * int(np.prod(shape)), np.uint8)
        array = np.frombuffer(data.tobytes(), np.dtype(dtype).newbyteorder("<")
                              if dtype != "bool" else np.uint8)
        array = array[:int(np.prod(shape))].reshape(shape)
        return array % 2 == 1 if dtype == "bool" else array.astype(dtype)

    # ---- safetensors ----

    def assert_read(self, path, tensors):
        lines = self.driver_lines("read", path)
        self.assertEqual([line[0] for line in lines[:-1]], sorted(tensors))
        for name, kind, shape, data in lines[:-1]:
            want = tensors[name]
            self.assertEqual(kind, ST_NAMES[str(want.dtype)])
            self.assertEqual(shape, ",".join(map(str, want.shape)))
            self.assertEqual(bytes.fromhex(data), want.tobytes())
        return lines[-1][1]

    def test_safetensors_of_the_package_are_read(self):
        random = np.random.default_rng(1)
        for i in range(30):
            names = ["t%d.%s" % (k, "x" * random.integers(0, 9))
                     for k in range(random.integers(0, 12))]
            tensors = {name: self.random_array(random, random.choice(TYPES))
                       for name in names}
            path = self.path("a.safetensors")
            save_file(tensors, path,
                      metadata={"format": "np %d" % i, "other": "{\"a\": 1}"})
            self.assertEqual(self.assert_read(path, tensors), "np %d" % i)

    def test_safetensors_out_of_line_are_read(self):
        path = Path(self.path("odd.safetensors"))
        values = np.arange(3, dtype=np.float64)
        for pad in range(8):
            header = (b'{"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},'
                      b'"b":{"dtype":"F64","shape":[3],"data_offsets":[1,25]}}'
                      + b" " * pad)
            path.write_bytes(struct.pack("<Q", len(header)) + header + b"\7" +
                             values.tobytes())
            self.assert_read(str(path), {"a": np.array([7], np.uint8),
                                         "b": values})

    def test_safetensors_are_read_by_the_package(self):
        path = self.path("b.safetensors")
        self.driver_lines("write", path)
        tensors = {}
        with safe_open(path, "np") as f:
            self.assertEqual(f.metadata(), {"format": "sparsed",
                                            "config": "{\"a\": \"é\\n\"}"})
            names = set(f.keys())
            for name in names - {"BF16"}:
                tensors[name] = f.get_tensor(name)
        self.assertEqual(names, {*ST_NAMES.values(), "BF16", "scalar",
                                 "empty", "\"quoted\" \\ é\n"})
        raw = bytes([0, 1, 1, 0, 1, 0, 0, 1, 2, 3]) + bytes(54)
        for dtype, name in ST_NAMES.items():
            want = np.frombuffer(raw, dtype, 8).reshape(2, 4)
            self.assertEqual(tensors[name].dtype, np.dtype(dtype))
            self.assertEqual(tensors[name].tobytes(), want.tobytes())
        np.testing.assert_array_equal(tensors["scalar"], VALUES[0, 1])
        self.assertEqual(tensors["empty"].shape, (0, 4))
        np.testing.assert_array_equal(tensors["\"quoted\" \\ é\n"], VALUES)
        with open(path, "rb") as f:
            self.assertEqual(struct.unpack("<Q", f.read(8))[0] % 8, 0)

    def test_damaged_safetensors_are_refused_by_both(self):
        path = self.path("c.safetensors")
        save_file({"a": VALUES, "b": np.arange(5)}, path,
                  metadata={"format": "np"})
        good = Path(path).read_bytes()
        random = np.random.default_rng(2)
        accepted = 0
        for i in range(300):
            bad = bytearray(good)
            if i < 100:
                del bad[random.integers(0, len(bad)):]
            else:
                at = random.integers(0, len(good) - VALUES.nbytes - 40)
                bad[at] = random.integers(0, 256)
            Path(path).write_bytes(bad)
            try:
                load_file(path)
                reads = True
            except (SafetensorError, ValueError, KeyError):
                reads = False
            ours = self.run_driver("read", path)
            self.assertIn(ours.returncode, (0, 1), bytes(bad))
            if ours.returncode == 0:
                self.assertTrue(reads, bytes(bad))
                accepted += 1
        self.assertGreater(accepted, 0)

    # ---- NumPy ----

    def assert_rows(self, path, x, y=None):
        lines = self.driver_lines("rows", path)
        self.assertEqual(lines[0], [str(len(x)),
                                    ",".join(map(str, x.shape[1:]))])
        labels = [int(line[0]) for line in lines[1:]]
        rows = [np.frombuffer(bytes.fromhex(line[1]), np.float32)
                for line in lines[1:]]
        self.assertEqual(labels, [-1] * len(x) if y is None else list(y))
        want = x.astype(np.float32).reshape(len(x), -1)
        if x.dtype == np.uint8:  # mapped from 0..255 to 0..255
            np.testing.assert_allclose(np.array(rows), want, rtol=2e-7)
        else:
            np.testing.assert_array_equal(np.array(rows), want)

    def test_npy_of_every_type_and_order_are_read(self):
        random = np.random.default_rng(3)
        for dtype in TYPES:
            for order in "C", "F":
                for endian in "<", ">":
                    x = random.integers(0, 100, (4, 2, 3)) - (
                        0 if dtype.startswith(("u", "b")) else 50)
                    x = x.astype(np.dtype(dtype).newbyteorder(endian))
                    path = self.path("a.npy")
                    np.save(path, np.asarray(x, order=order))
                    self.assert_rows(path, x)

    def test_npy_of_later_versions_are_read(self):
        for version in (1, 0), (2, 0), (3, 0):
            with open(self.path("v.npy"), "wb") as f:
                np.lib.format.write_array(f, VALUES, version)
            self.assert_rows(self.path("v.npy"), VALUES)

    def test_npz_stored_and_compressed_are_read(self):
        random = np.random.default_rng(4)
        for save in np.savez, np.savez_compressed:
            for dtype in np.uint8, np.float32, np.float64:
                x = random.integers(0, 256, (50, 4, 5)).astype(dtype)
                y = random.integers(-1, 10, 50)
                save(self.path("a.npz"), x=x, y=y)
                self.assert_rows(self.path("a.npz"), x, y)
                save(self.path("b.npz"), x=np.asfortranarray(x))
                self.assert_rows(self.path("b.npz"), x)
                save(self.path("c.npz"), x_test=x[:2], x_train=x, y_train=y)
                self.assert_rows(self.path("c.npz"), x, y)

    def test_a_compressed_bomb_is_refused(self):
        np.savez_compressed(self.path("d.npz"),
                            x=np.zeros((1 << 12, 1 << 12), np.uint8),
                            y=np.zeros(3, np.int64))
        result = self.run_driver("rows", self.path("d.npz"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("4096 rows but 3 labels", result.stderr)

    def test_pickles_are_refused(self):
        np.save(self.path("p.npy"), np.array([[{}]], object))
        result = self.run_driver("rows", self.path("p.npy"))
        self.assertEqual(result.returncode, 1)
        self.assertIn("pickled", result.stderr)

    def test_csv_of_numpy_are_read(self):
        y = np.array([3, 1], np.int64)
        np.savetxt(self.path("a.csv"), np.column_stack([VALUES, y]),
                   delimiter=",", header="a,b,c,label", comments="",
                   fmt=["%.9g"] * 3 + ["%d"])
        self.assert_rows(self.path("a.csv"), VALUES, y)
        np.savetxt(self.path("b.csv"), VALUES, delimiter=",")
        self.assert_rows(self.path("b.csv"), VALUES)

    def test_npy_and_npz_are_read_by_numpy(self):
        self.driver_lines("write-npy", self.path("w.npy"))
        got = np.load(self.path("w.npy"))
        self.assertEqual(got.dtype, np.dtype("<f4"))
        np.testing.assert_array_equal(got, VALUES)
        self.driver_lines("write-npz", self.path("w.npz"))
        with np.load(self.path("w.npz")) as z:
            self.assertEqual(set(z.files), {"x", "y", "none"})
            np.testing.assert_array_equal(z["x"], VALUES)
            np.testing.assert_array_equal(z["y"], [7, -1, 1 << 40])
            self.assertEqual(z["y"].dtype, np.dtype("<i8"))
            self.assertEqual(z["none"].shape, (0,))


if __name__ == "__main__":
    unittest.main()
