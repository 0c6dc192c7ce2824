"""What `sparsed encode` costs a row, in processor time, which other work on the
machine disturbs least. Two sizes are timed: their difference leaves out what
starting costs.
"""
import resource
from pathlib import Path

import numpy as np

from model import sparsed

REPEATS = 5
SIZES = 1000, 10000  # rows
NET_SIZES = 10000, 50000  # a net is too quick for fewer


def processor_seconds(model, rows, out):
    before = resource.getrusage(resource.RUSAGE_CHILDREN)
    sparsed("encode", model.path, "--data", rows, "--out", out)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    return (after.ru_utime + after.ru_stime
            - before.ru_utime - before.ru_stime)


def ratios(net, others, x, folder):
    """Time a row of the others in those of the net, (others, REPEATS): all
    take turns, so that a slow minute is everybody's. Rows are those of x,
    again and again."""
    folder, paths = Path(folder), {}
    for n in {*SIZES, *NET_SIZES}:
        paths[n] = folder / ("%d.npy" % n)
        np.save(paths[n], np.resize(x, (n, *x.shape[1:])).astype(np.float32))

    def a_row(model, few, many):
        spent = [processor_seconds(model, paths[n], folder / "z.npy")
                 for n in (few, many)]
        return (spent[1] - spent[0]) / (many - few)
    out = []
    for _ in range(REPEATS):
        own = a_row(net, *NET_SIZES)
        out.append([a_row(model, *SIZES) / own for model in others])
    return np.array(out).T
