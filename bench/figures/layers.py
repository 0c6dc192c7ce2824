"""What the layers of a model are as pictures: the shapes that go in and come out,
(channels, rows, columns) each, and what a code draws on the layer's input.
"""
import numpy as np

from windows import Windows, pair


def as_picture(shape):
    """(channels, rows, columns) of an input: one channel unless told, and a
    vector is a picture of single pixels."""
    if len(shape) == 1:
        return shape[0], 1, 1
    return (1, *shape) if len(shape) == 2 else tuple(shape)


def places(layer, shape):
    """(rows, columns) of where the layer's fields lie."""
    padding, stride = layer.get("padding", 0), layer.get("stride", 1)
    return tuple((side + 2 * padding - kernel) // stride + 1
                 for side, kernel in zip(shape[1:], pair(layer["kernel"])))


class Layer:
    """One layer over inputs of `shape`: its `code` and its `pools` are shapes,
    `windows` its groups where a rule tells them, or None."""

    def __init__(self, config, shape, units, pools):
        self.config, self.shape, self.units = config, shape, units
        self.code = units, 1, 1
        if config["operator"] == "conv2d":
            self.code = config["maps"], *places(config, shape)
        elif config["operator"] == "local2d":
            share = config.get("share", 1)
            self.code = 1, *(share * side for side in places(config, shape))
        rule = config["structure"].get("window")
        self.windows = Windows(rule, self.code) if rule else None
        self.pools = self.windows.shape if rule else \
            self.code if pools == units else (pools, 1, 1)

    def above(self):
        """The shape that the next layer sees."""
        return self.pools if self.config.get("up") == "pooled" else self.code

    def draw(self, weight, z):
        """Codes (n, units) through the decoder: (n, inputs); None where the
        fields of a sheet would have to be laid out."""
        if self.config["operator"] == "dense":
            return z @ weight.T
        if self.config["operator"] == "conv2d":
            return self._convolve_back(weight, z.reshape(-1, *self.code))
        return None

    def _convolve_back(self, weight, z):
        """Each unit adds its kernel, times its value, where its field is."""
        padding, stride = (self.config.get(key, default) for key, default in
                           (("padding", 0), ("stride", 1)))
        drawn = np.tensordot(z, weight, (1, 0))  # n, rows, columns, c, kh, kw
        channels, *sides = self.shape
        out = np.zeros((len(z), channels, *(side + 2 * padding
                                            for side in sides)))
        rows, columns = self.code[1:]
        for y, x in np.ndindex(weight.shape[2:]):
            out[:, :, y:y + stride * rows:stride,
                x:x + stride * columns:stride][..., :rows, :columns] += \
                drawn[..., y, x].transpose(0, 3, 1, 2)
        return out[:, :, padding:padding + sides[0],
                   padding:padding + sides[1]].reshape(len(z), -1)
