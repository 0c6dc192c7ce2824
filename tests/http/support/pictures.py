"""Layers over pictures in NumPy, by plain sums in double precision: maps by
convolution, sheets of local fields, pools of windows. Pictures are (channels,
rows, columns)."""
import numpy as np


def pair(value):
    return value if isinstance(value, list) else [value, value]


def fields(layer, x):
    """What the layer's fields see of x: (rows, columns, channels, kh, kw)."""
    (kh, kw), stride = pair(layer["kernel"]), layer.get("stride", 1)
    pad = layer.get("padding", 0)
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    seen = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), (1, 2))
    return seen[:, ::stride, ::stride].transpose(1, 2, 0, 3, 4)


def products(layer, weight, x):
    """E x, for a map by each kernel or a sheet of repeated fields."""
    seen = fields(layer, x)
    if layer["operator"] == "conv2d":
        return np.einsum("yxcij,mcij->myx", seen, weight)
    share = layer.get("share", 1)
    seen = seen.repeat(share, 0).repeat(share, 1)
    rows, columns = seen.shape[:2]
    period = np.minimum(pair(layer.get("period", [rows, columns])),
                        (rows, columns))
    own = weight.reshape(*period, *weight.shape[1:])
    weights = own[np.arange(rows)[:, None] % period[0],
                  np.arange(columns)[None] % period[1]]
    return np.einsum("yxcij,yxcij->yx", seen, weights)[None]


def cell(layer, values, shape):
    """One value for each unit that has its own, over a code of this shape."""
    if layer["operator"] == "conv2d":
        return np.broadcast_to(values[:, None, None], shape)
    period = np.minimum(pair(layer.get("period", list(shape[1:]))), shape[1:])
    own = values.reshape(period)
    return own[np.arange(shape[1])[:, None] % period[0],
               np.arange(shape[2])[None] % period[1]][None]


def axis(units, size, stride, sigma):
    """Weights of units in windows (windows, units); the last is cut off."""
    at = np.arange(size) - (size - 1) / 2
    weights = np.exp(-at ** 2 / (2 * sigma ** 2)) if sigma else np.ones(size)
    weights /= weights.sum()
    out = np.zeros((-(-max(units - size, 0) // stride) + 1, units))
    for k, row in enumerate(out):
        part = row[k * stride:k * stride + size]
        part[:] = weights[:len(part)]
    return out


def pools(window, z):
    """v of a code z (maps, rows, columns) by the rule of a structure."""
    sizes, strides = pair(window["size"]), pair(window.get("stride", 1))
    rows, columns = (axis(units, size, stride, window.get("sigma", 0))
                     for units, size, stride in zip(z.shape[1:], sizes,
                                                    strides))
    near, step = window.get("maps", 1), window.get("maps_stride", 1)
    maps = np.zeros((-(-len(z) // step), len(z)))
    for k, row in enumerate(maps):
        row[np.arange(k * step, k * step + near) % len(z)] = 1 / near
    return np.sqrt(np.einsum("km,yi,xj,mij->kyx", maps, rows, columns, z ** 2))


def forward(config, tensors, x):
    """Of one raw input: [(code, pools)] of each layer, feedforward ones with
    pools of windows."""
    out = []
    x = np.asarray(x, float)
    x = x.reshape((1,) * (3 - x.ndim) + x.shape)
    if {"op": "unit_norm"} in config.get("preprocess", []):
        x = x / max(np.linalg.norm(x), 1e-12)
    for i, layer in enumerate(config["layers"]):
        own = {name: tensors["layers.%d.encoder.%s" % (i, name)].astype(float)
               for name in ("weight", "bias", "gain")}
        a = products(layer, own["weight"], x)
        bias = cell(layer, own["bias"], a.shape)
        size = np.maximum(np.abs(a) - bias, 0) * np.sign(a)
        f = {"relu": np.maximum(a - bias, 0), "shrink": size}
        z = f[layer["encoder"]["nonlinearity"]] * cell(layer, own["gain"],
                                                       a.shape)
        v = pools(layer["structure"]["window"], z)
        out.append((z, v))
        x = v if layer.get("up") == "pooled" else z
    return out
