#!/usr/bin/env python3
"""Cuts the test fixtures in this folder out of MNIST.

    make data && python3 tests/data/make_fixtures.py

From data/mnist: the first test image of each class as digit-<label>.png (28 x
28, grey, white ink on black as in the IDX files), the first 7 also as
digit-7.jpg, and mnist-mini/, IDX files with the first 20 training and the
first 10 test images of each class, in the order of the originals. Only the
standard library, and libturbojpeg, which the program itself needs.
"""
import ctypes
import ctypes.util
import struct
import zlib
from pathlib import Path

HERE = Path(__file__).resolve().parent
MNIST = HERE.parent.parent / "data" / "mnist"
SIDE = 28
TJPF_GRAY, TJSAMP_GRAY = 6, 3


def read_split(prefix):
    """[(label, pixels)] of one split."""
    images = (MNIST / (prefix + "-images-idx3-ubyte")).read_bytes()
    labels = (MNIST / (prefix + "-labels-idx1-ubyte")).read_bytes()
    magic, n, height, width = struct.unpack(">IIII", images[:16])
    assert (magic, height, width) == (0x803, SIDE, SIDE)
    assert struct.unpack(">II", labels[:8]) == (0x801, n)
    size = SIDE * SIDE
    return [(labels[8 + i], images[16 + i * size:16 + (i + 1) * size])
            for i in range(n)]


def first_of_each(split, count):
    """The first `count` images of each class, in their order."""
    left = [count] * 10
    chosen = []
    for label, pixels in split:
        if left[label] > 0:
            left[label] -= 1
            chosen.append((label, pixels))
    return chosen


def write_split(folder, prefix, split):
    n = len(split)
    (folder / (prefix + "-images-idx3-ubyte")).write_bytes(
        struct.pack(">IIII", 0x803, n, SIDE, SIDE) +
        b"".join(pixels for _, pixels in split))
    (folder / (prefix + "-labels-idx1-ubyte")).write_bytes(
        struct.pack(">II", 0x801, n) + bytes(label for label, _ in split))


def png(pixels):
    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))

    rows = b"".join(b"\0" + pixels[i:i + SIDE]
                    for i in range(0, SIDE * SIDE, SIDE))
    return (b"\x89PNG\r\n\x1a\n" +
            chunk(b"IHDR", struct.pack(">IIBBBBB", SIDE, SIDE, 8, 0, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(rows, 9)) + chunk(b"IEND", b""))


def jpeg(pixels, quality=95):
    name = ctypes.util.find_library("turbojpeg") or "libturbojpeg.so.0"
    turbo = ctypes.CDLL(name)
    turbo.tjInitCompress.restype = ctypes.c_void_p
    handle = ctypes.c_void_p(turbo.tjInitCompress())
    data, size = ctypes.c_void_p(), ctypes.c_ulong()
    failed = turbo.tjCompress2(handle, pixels, SIDE, 0, SIDE, TJPF_GRAY,
                               ctypes.byref(data), ctypes.byref(size),
                               TJSAMP_GRAY, quality, 0)
    assert failed == 0
    result = ctypes.string_at(data, size.value)
    turbo.tjFree(data)
    turbo.tjDestroy(handle)
    return result


def main():
    train, test = read_split("train"), read_split("t10k")
    for label, pixels in first_of_each(test, 1):
        (HERE / ("digit-%d.png" % label)).write_bytes(png(pixels))
        if label == 7:
            (HERE / "digit-7.jpg").write_bytes(jpeg(pixels))
    folder = HERE / "mnist-mini"
    folder.mkdir(exist_ok=True)
    write_split(folder, "train", first_of_each(train, 20))
    write_split(folder, "t10k", first_of_each(test, 10))


if __name__ == "__main__":
    main()
