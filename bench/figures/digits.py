"""Test pictures with labels from a folder of IDX files, as `make data` lays
MNIST: t10k-images-idx3-ubyte, t10k-labels-idx1-ubyte.

The files may be sorted in some way (in MNIST's the easier writers come first),
so rows are dealt in a random order that is always the same: any part of them
then stands for the whole.
"""
import struct
import sys

import numpy as np

from moving import moved


def read_idx(path):
    data = path.read_bytes()
    rank = data[3]
    shape = struct.unpack(">%dI" % rank, data[4:4 + 4 * rank])
    return np.frombuffer(data, np.uint8, offset=4 + 4 * rank).reshape(shape)


class Digits:
    def __init__(self, folder, rows, low, high, seed=1):
        if not (folder / "t10k-images-idx3-ubyte").exists():
            sys.exit("figures: %s: neither photographs nor IDX files; "
                     "`make data` fetches them" % folder)
        images = read_idx(folder / "t10k-images-idx3-ubyte")
        order = np.random.default_rng(seed).permutation(len(images))[:rows]
        self.images = low + images[order] / 255 * (high - low)
        self.labels = read_idx(folder / "t10k-labels-idx1-ubyte")[order]
        self.outside = low

    def rows(self):
        return self.images

    def moved(self, n, **how):
        """The first n rows, moved; without `how` as they are."""
        return moved(self.images[:n], self.images.shape[1:],
                     outside=self.outside, **how)
