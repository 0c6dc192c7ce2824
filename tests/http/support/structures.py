"""What a structure's settings mean: its groups and its inhibition, made anew by
plain loops, as tensors of a model file."""
import numpy as np


def parents(settings):
    """The parent of each unit, -1 for a root."""
    if "parents" in settings:
        return settings["parents"]
    out, level = [-1], [0]
    for children in settings["branching"]:
        above, level = level, []
        for parent in above:
            level += range(len(out), len(out) + children)
            out += [parent] * children
    return out


def ancestors(up, unit):
    """The unit itself and all that stand above it."""
    out = []
    while unit >= 0:
        out.append(unit)
        unit = up[unit]
    return out


def _windows(height, width, window, stride, sigma=None):
    """Units and weights of each window on a torus."""
    place = np.arange(window) - (window - 1) / 2
    bell = np.exp(-(place / sigma) ** 2 / 2) if sigma else np.ones(window)
    for top in range(0, height, stride):
        for left in range(0, width, stride):
            yield {(top + y) % height * width + (left + x) % width:
                   bell[y] * bell[x] / bell.sum() ** 2
                   for y in range(window) for x in range(window)}


def _groups(settings, n):
    """Each group as {unit: weight}; None: there are none but the units."""
    if settings["kind"] == "tree":
        up, price = parents(settings), settings.get("weights", [1] * n)
        out = [{} for _ in range(n)]
        for unit in range(n):
            for group in ancestors(up, unit):
                out[group][unit] = price[group] ** 2
        return out
    if settings["kind"] != "groups" or "window" in settings:
        return None
    if "map" in settings:
        return list(_windows(**settings["map"]))
    size = settings.get("blocks")
    lists = settings.get("lists") or np.arange(n).reshape(-1, size)
    weights = settings.get("weights") or [[1] * len(one) for one in lists]
    return [dict(zip(*pair)) for pair in zip(lists, weights)]


def ring(settings, n):
    """Weights (pools,n) of windows over maps that are single units; None: there
    is no such rule."""
    if "window" not in settings:
        return None
    maps, stride = (settings["window"].get(key, 1)
                    for key in ("maps", "maps_stride"))
    out = np.zeros((-(-n // stride), n))
    for k, row in enumerate(out):
        row[np.arange(k * stride, k * stride + maps) % n] = 1 / maps
    return out


def _apart(settings, n):
    """How far apart any two units are, (n,n)."""
    def around(index, size):
        step = np.abs(index[:, None] - index)
        return np.minimum(step, size - step)

    unit = np.arange(n)
    if settings["pattern"] == "ring":
        return around(unit, n)
    width = settings["width"]
    return np.hypot(around(unit % width, width),
                    around(unit // width, settings["height"]))


def _inhibition(settings, n):
    """S as it starts."""
    if settings["pattern"] == "tree":
        up = parents(settings)
        joined = np.ones((n, n), bool)
        for unit in range(n):
            for above in ancestors(up, unit):
                joined[unit, above] = joined[above, unit] = False
    elif settings["pattern"] == "all":
        joined = ~np.eye(n, dtype=bool)
    else:
        apart = _apart(settings, n)
        joined = (apart > settings["near"]) & (apart <= settings["far"])
    return settings["strength"] * joined


def tensors(settings, n):
    """By their names below layers.N.structure."""
    if settings["kind"] == "lateral":
        return {"inhibition": _inhibition(settings, n)}
    groups = _groups(settings, n)
    if groups is None:
        return {}
    groups = [sorted(one.items()) for one in groups]
    units, weights = zip(*sum(groups, []))
    return {"groups.indptr": np.cumsum([0] + [len(one) for one in groups]),
            "groups.indices": np.array(units, np.int64),
            "groups.weights": np.array(weights, float)}
