"""A tree of units: who is whose parent, and what codes do along it. Going down
a branch units should come on more rarely and for fewer inputs.
"""
import numpy as np

from markdown import number, percent, table


def parents(structure):
    """The parent of each unit, -1 for a root; None: it is no tree."""
    if "parents" in structure:
        return np.array(structure["parents"])
    if "branching" not in structure:
        return None
    out, level = [-1], [0]
    for children in structure["branching"]:
        above = np.repeat(level, children)
        level = np.arange(len(out), len(out) + len(above))
        out.extend(above)
    return np.array(out)


def depths(parent):
    depth = np.zeros(len(parent), int)
    above = parent.copy()
    while np.any(above >= 0):
        depth += above >= 0
        above = np.where(above >= 0, parent[above], -1)
    return depth


def related(parent):
    """(n, n): whether one is the other's ancestor, or both are the same."""
    up = np.eye(len(parent), dtype=bool)
    above = parent.copy()
    while np.any(above >= 0):
        has = np.nonzero(above >= 0)[0]
        up[has, above[has]] = True
        above = np.where(above >= 0, parent[above], -1)
    return up | up.T


def selectivity(z):
    """Lifetime sparseness of each unit, 0 (on alike for every row) to 1 (on
    for one): (1 - mean(|z|)^2 / mean(z^2)) / (1 - 1/rows) (Vinje & Gallant
    2000). NaN where a unit is never on."""
    square = (z ** 2).mean(axis=0)
    share = np.divide(np.abs(z).mean(axis=0) ** 2, square,
                      out=np.full(z.shape[1], np.nan), where=square > 0)
    return (1 - share) / (1 - 1 / len(z))


def orphans(z, parent):
    """Of all times a child is on: the share when its parent is off."""
    child = np.nonzero(parent >= 0)[0]
    on = z != 0
    count = on[:, child].sum()
    alone = (on[:, child] & ~on[:, parent[child]]).sum()
    return alone / count if count else np.nan


def by_depth(z, parent):
    """Lists [depth, units, mean share of rows on, median selectivity]."""
    depth, kind, share = depths(parent), selectivity(z), (z != 0).mean(axis=0)
    out = []
    for d in range(depth.max() + 1):
        here = depth == d
        alive = kind[here & np.isfinite(kind)]
        out.append([d, here.sum(), share[here].mean(),
                    np.median(alive) if len(alive) else np.nan])
    return out


def along_branches(values, parent):
    """The share of parent-child pairs in which the child has the larger
    value, over pairs where both have one."""
    child = np.nonzero(parent >= 0)[0]
    both = np.isfinite(values[child]) & np.isfinite(values[parent[child]])
    child = child[both]
    return (values[child] > values[parent[child]]).mean() if len(child) \
        else np.nan


def measure(run):
    model = run.model
    parent = parents(model.structure)
    if parent is None:
        return None
    z = run.codes().astype(float)
    rows = [[d, n, percent(share, 2), number(kind)]
            for d, n, share, kind in by_depth(z, parent)]
    text = ["### Tree", "Deeper units should be on for fewer rows and be more "
            "selective: 0 is on alike for every row, 1 on for a single one "
            "(lifetime sparseness). From parent to child selectivity grows in "
            "%s of the pairs. Of all times a child is on, its parent is off "
            "in %s." % (percent(along_branches(selectivity(z), parent)),
                        percent(orphans(z, parent), 2)),
            table(["depth", "units", "share of rows on, mean",
                   "selectivity, median"], rows)]
    if "pruned" in model.metrics:
        text.append(pruned(model.metrics["pruned"]))
    return "\n\n".join(text)


def pruned(told):
    """The figures of pruning that training left in the file."""
    return ("Pruning after training: units on in less than %s of %s training "
            "rows went; the loss changed by %s.\n\n%s" % (
                percent(told["below"], 2), number(told["rows"]),
                percent(told["loss"] / told["loss_before"] - 1, 2),
                table(["", "before", "after"], [
                    [name, number(told[name + "_before"], 5),
                     number(told[name], 5)] for name in ("units", "loss")])))
