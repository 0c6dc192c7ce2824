"""Layers over pictures in NumPy, by plain sums in double precision: maps by
convolution, sheets of local fields, pools of windows. Pictures are (channels,
rows, columns)."""
import numpy as np

TINY = 1e-12  # what divides is never smaller


def pair(value):
    return value if isinstance(value, list) else [value, value]


def fields(layer, x):
    """What the layer's fields see of x: (rows, columns, channels, kh, kw)."""
    (kh, kw), stride = pair(layer["kernel"]), layer.get("stride", 1)
    pad = layer.get("padding", 0)
    x = np.pad(x, ((0, 0), (pad, pad), (pad, pad)))
    seen = np.lib.stride_tricks.sliding_window_view(x, (kh, kw), (1, 2))
    return seen[:, ::stride, ::stride].transpose(1, 2, 0, 3, 4)


def picture(x):
    """x with a channel."""
    x = np.asarray(x, float)
    return x.reshape((1,) * (3 - x.ndim) + x.shape)


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


def axes(window, shape):
    """Weights (windows, units) of maps, rows and columns."""
    sizes, strides = pair(window["size"]), pair(window.get("stride", 1))
    rows, columns = (axis(units, size, stride, window.get("sigma", 0))
                     for units, size, stride in zip(shape[1:], sizes, strides))
    near, step = window.get("maps", 1), window.get("maps_stride", 1)
    maps = np.zeros((-(-shape[0] // step), shape[0]))
    for k, row in enumerate(maps):
        row[np.arange(k * step, k * step + near) % shape[0]] = 1 / near
    return maps, rows, columns


def pools(window, z):
    """v of a code z (maps, rows, columns) by the rule of a structure."""
    return np.sqrt(np.einsum("km,yi,xj,mij->kyx", *axes(window, z.shape),
                             z ** 2, optimize=True))


def unpool(window, wanted, z):
    """z scaled so that its pools are as wanted: by the mean of wanted / v over
    each unit's windows, by their weights."""
    weights = axes(window, z.shape)
    share, whole = (np.einsum("km,yi,xj,kyx->mij", *weights, ratio,
                              optimize=True)
                    for ratio in (wanted / np.maximum(pools(window, z), TINY),
                                  np.ones(wanted.shape)))
    return z * share / whole


def forward(config, tensors, x):
    """Of one raw input: [(code, pools)] of each layer, feedforward ones with
    pools of windows."""
    out = []
    x = picture(x)
    if {"op": "unit_norm"} in config.get("preprocess", []):
        x = x / max(np.linalg.norm(x), TINY)
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


def drawn(layer, weight, z, shape):
    """What a code of maps draws on an input of this shape: each unit adds its
    kernel where its field is."""
    stride, pad = layer.get("stride", 1), layer.get("padding", 0)
    channels, height, width = shape
    out = np.zeros((channels, height + 2 * pad, width + 2 * pad))
    kh, kw = weight.shape[2:]
    for m, y, x in np.argwhere(z):
        top, left = y * stride, x * stride
        out[:, top:top + kh, left:left + kw] += z[m, y, x] * weight[m]
    return out[:, pad:pad + height, pad:pad + width]


def reconstruct(config, tensors, x, layers):
    """Of one raw input what the topmost of the `layers`, as forward gave them,
    draws; and how far it is from x, in parts of |x|."""
    x = picture(x)
    z = layers[-1][0]
    for i in reversed(range(len(layers))):
        own = config["layers"][i]
        below, up = None, x
        if i > 0:
            below = config["layers"][i - 1]
            up = layers[i - 1][below.get("up") == "pooled"]
        z = drawn(own, tensors["layers.%d.decoder.weight" % i].astype(float),
                  z, up.shape)
        if i > 0 and below.get("up") == "pooled":
            z = unpool(below["structure"]["window"], z, layers[i - 1][0])
    size = np.linalg.norm(x)
    if {"op": "unit_norm"} in config.get("preprocess", []):
        z = z * size
    return z, np.linalg.norm(x - z) / size


def probabilities(config, tensors, layers):
    """Of each class, from the top layer."""
    h = layers[-1][config["classifier"]["input"] == "pooled"].ravel()
    weight, bias = (tensors["classifier." + name].astype(float)
                    for name in ("weight", "bias"))
    scores = weight @ (h / max(np.linalg.norm(h), TINY)) + bias
    e = np.exp(scores - scores.max())
    return e / e.sum()
