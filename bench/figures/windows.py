"""Groups that a rule tells: windows over the rows and columns of a code and over
its neighbouring maps. The model file lists no such groups, and a list would be
long; but weights are products of one for each axis, so pools are three small
matrices.
"""
import numpy as np


def pair(value):
    return value if isinstance(value, list) else [value, value]


def along(units, size, stride, sigma):
    """Weights of units on one axis, (units, windows): equal or Gaussian, of a
    whole window 1 together; the last windows are clipped at the end."""
    place = np.arange(size) - (size - 1) / 2
    bell = np.exp(-(place / sigma) ** 2 / 2) if sigma else np.ones(size)
    starts = range(0, max(units - size, 0) + stride, stride)
    out = np.zeros((units, len(starts)))
    for window, start in enumerate(starts):
        end = min(start + size, units)
        out[start:end, window] = (bell / bell.sum())[:end - start]
    return out


def around(maps, size, stride):
    """The same of neighbouring maps, which stand on a ring."""
    apart = np.arange(maps)[:, None] - np.arange(0, maps, stride)[None]
    return np.where(apart % maps < size, 1 / size, 0)


class Windows:
    """Of a code of this shape (maps, rows, columns): `shape` of the pools, and
    as Groups has them `sizes`, and pools of codes (rows, units)."""

    def __init__(self, rule, code):
        size, stride = pair(rule.get("size", 1)), pair(rule.get("stride", 1))
        self.code = code
        self.axes = [around(code[0], rule.get("maps", 1),
                            rule.get("maps_stride", 1)),
                     *(along(*axis, rule.get("sigma", 0))
                       for axis in zip(code[1:], size, stride))]
        self.shape = tuple(axis.shape[1] for axis in self.axes)
        self.sizes = self._over([axis > 0 for axis in self.axes],
                                np.ones((1, *code)))[0].astype(int)

    @staticmethod
    def _over(axes, entries):
        for axis in axes:  # each takes the next axis, and puts its own last
            entries = np.tensordot(entries, axis.astype(float), (1, 0))
        return entries.reshape(len(entries), -1)

    def pool(self, z):
        return np.sqrt(self._over(
            self.axes, np.asarray(z, float).reshape(-1, *self.code) ** 2))

    def are_single(self):
        return bool(np.all(self.sizes <= 1))
