"""The layers of a stack one by one: what goes in and comes out, how much of its
own input each draws again, and how sparse it is. What is drawn is summed here,
in double precision.
"""
import numpy as np

from base import BRACKETS, RELATIVE_ERROR, parts, spread
from markdown import number, percent, table

ROWS = 2000
BLOCK = 250  # codes of a layer over pictures are large


def told(model, i, below, z, v, dead):
    """Figures of a block of rows, (rows,) each; below: what the layer sees. The
    units that are on are taken out of `dead`."""
    out = {"units": (z != 0).sum(axis=1), "pools": (v > 0).sum(axis=1)}
    dead &= ~(z != 0).any(axis=0)
    weight = model.tensors.get("layers.%d.decoder.weight" % i)
    drawn = None if weight is None else model.layers[i].draw(
        weight.astype(float), z.astype(float))
    if drawn is not None:
        left = np.linalg.norm(below - drawn, axis=1)
        out["error"] = left / np.maximum(np.linalg.norm(below, axis=1), 1e-12)
    return out


def figures(model, x):
    """Of each layer the figures of all rows by name, and how many units are
    never on."""
    dead = [np.ones(layer.units, bool) for layer in model.layers]
    found = [[] for _ in model.layers]
    for at in range(0, len(x), BLOCK):
        block = x[at:at + BLOCK]
        below = model.preprocess(block)
        for i, layer in enumerate(model.layers):
            got = model.encode(block, "codes,groups", i)
            found[i].append(told(model, i, below, got["codes"],
                                 got["groups"], dead[i]))
            below = got["groups" if layer.config.get("up") == "pooled"
                        else "codes"].astype(float)
    return [({name: np.concatenate([one[name] for one in blocks])
              for name in blocks[0]}, int(off.sum()))
            for blocks, off in zip(found, dead)]


def shape(extents):
    return " x ".join(map(str, extents))


def lines(model, found, ranges):
    """Words and a cell for each layer."""
    def each(show):
        return [show(layer, *one) for layer, one in zip(model.layers, found)]

    def mean(name, of=None):
        def show(layer, rows, _):
            if name not in rows:
                return "-"
            value = rows[name].mean()
            text = spread(number, value,
                          [rows[name][part].mean() for part in ranges])
            return text if of is None else "%s, %s" % (text, percent(
                value / np.prod(of(layer)), 2))
        return each(show)
    yield "operator", *each(lambda layer, *_: layer.config["operator"])
    yield "what it sees", *each(lambda layer, *_: shape(layer.shape))
    yield "its code", *each(lambda layer, *_: shape(layer.code))
    yield "its pools", *each(lambda layer, *_: shape(layer.pools))
    yield RELATIVE_ERROR, *mean("error")
    yield "active units", *mean("units", lambda layer: layer.code)
    yield "active pools", *mean("pools", lambda layer: layer.pools)
    yield "units never on", *each(lambda layer, _, dead: "%s of %s" % (
        number(dead), number(layer.units)))


def measure(run):
    model = run.model
    if model.top == 0:
        return None
    x = run.x[:ROWS]
    found = figures(model, x)
    return "### Layer by layer\n\nMeans over %s test rows; %s. Each layer's " \
        "error is that of its own input, drawn again from its code by its own " \
        "decoder: |v - D z| / |v|.\n\n%s" % (
            number(len(x)), BRACKETS,
            table(["", *("layer %d" % i for i in range(model.top + 1))],
                  lines(model, found, parts(len(x)))))
