"""Inputs: MNIST as `make data` lays it, pictures, npy."""
import io
import struct
import subprocess
import zlib

import numpy as np

from .server import ROOT

MNIST = ROOT / "data" / "mnist"


def _idx(path):
    data = path.read_bytes()
    rank = data[3]
    shape = struct.unpack(">%dI" % rank, data[4:4 + 4 * rank])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


def idx(name, split):
    """Images (n,28,28) and labels (n) of data/NAME, bytes; split: train or
    t10k."""
    folder = ROOT / "data" / name
    if not (folder / ("%s-images-idx3-ubyte" % split)).exists():
        subprocess.run(["make", "data"], cwd=ROOT, check=True)
    return (_idx(folder / ("%s-images-idx3-ubyte" % split)),
            _idx(folder / ("%s-labels-idx1-ubyte" % split)))


def mnist_test():
    """Images (10000,28,28) and labels (10000) of the test split, bytes."""
    return idx("mnist", "t10k")


def picture(label):
    """A PNG file of a real digit."""
    return (ROOT / "tests" / "data" / ("digit-%d.png" % label)).read_bytes()


def png(pixels, width=None, height=None):
    """A PNG of bytes (H,W) or (H,W,3), claiming any width and height."""
    pixels = np.asarray(pixels, np.uint8)
    rows = b"".join(b"\0" + row.tobytes() for row in pixels)
    head = struct.pack(">IIBBBBB", width or pixels.shape[1],
                       height or pixels.shape[0], 8,
                       2 if pixels.ndim == 3 else 0, 0, 0, 0)

    def chunk(kind, data):
        return (struct.pack(">I", len(data)) + kind + data +
                struct.pack(">I", zlib.crc32(kind + data)))

    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) +
            chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b""))


def png_size(data):
    """(width, height) of a PNG file."""
    assert data[:8] == b"\x89PNG\r\n\x1a\n", data[:16]
    return struct.unpack(">II", data[16:24])


def read_png(data):
    """Bytes (H,W,C) of a PNG file of 8 bits, grey or RGB."""
    width, height = png_size(data)
    channels = {0: 1, 2: 3}[data[25]]
    assert data[24] == 8, "%d bits" % data[24]
    packed, at = b"", 8
    while at < len(data):
        length, kind = struct.unpack(">I4s", data[at:at + 8])
        packed += data[at + 8:at + 8 + length] * (kind == b"IDAT")
        at += 12 + length
    lines = np.frombuffer(zlib.decompress(packed),
                          np.uint8).reshape(height, -1)
    return _unfilter(lines, channels).reshape(height, width, channels)


def _unfilter(lines, step):
    """PNG's filters: none, sub, up, average, Paeth."""
    out = np.zeros((len(lines) + 1, lines.shape[1] - 1 + step), int)
    for y, line in enumerate(lines, 1):
        for x, value in enumerate(line[1:].tolist(), step):
            a, b, c = out[y, x - step], out[y - 1, x], out[y - 1, x - step]
            p = [abs(b - c), abs(a - c), abs(a + b - 2 * c)]
            paeth = (a, b, c)[p.index(min(p))]
            guess = (0, a, b, (a + b) // 2, paeth)[line[0]]
            out[y, x] = (value + guess) & 255
    return out[1:, step:]


def npy(array):
    out = io.BytesIO()
    np.save(out, array, allow_pickle=False)
    return out.getvalue()


def from_npy(data):
    return np.load(io.BytesIO(data), allow_pickle=False)
