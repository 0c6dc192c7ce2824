"""Lateral inhibition: units joined by a large S are hardly ever on together; a
learned S is told beside the pattern that it started from.
"""
import tempfile

import numpy as np

from markdown import number, percent, table
from trees import parents, related

ROWS = 2000


def pattern(structure, n):
    """(n, n): whether S joins i and j, as the settings have it."""
    kind = structure["pattern"]
    if kind == "tree":
        return ~related(parents(structure))
    if kind == "all":
        return ~np.eye(n, dtype=bool)
    unit = np.arange(n)
    apart = np.abs(unit[:, None] - unit)
    if kind == "ring":
        far = np.minimum(apart, n - apart)
    else:
        height, width = structure["height"], structure["width"]
        y, x = np.divmod(unit, width)
        dy, dx = np.abs(y[:, None] - y), np.abs(x[:, None] - x)
        far = np.hypot(np.minimum(dy, height - dy),
                       np.minimum(dx, width - dx))
    return (far > structure["near"]) & (far <= structure["far"])


def upper(square):
    """Its entries above the diagonal, one a pair."""
    return square[np.triu_indices(len(square), 1)]


def together(z):
    """Of each pair: share of rows on which both are on, and what it would be
    if they knew nothing of each other."""
    on = (z != 0).astype(float)
    share = on.mean(axis=0)
    return upper(on.T @ on / len(z)), upper(np.outer(share, share))


def ratio(both, alone, which):
    """Found over expected, over these pairs together."""
    expected = alone[which].sum()
    return both[which].sum() / expected if expected > 0 else np.nan


def joined(S, learned):
    """Pairs that S joins, those that it leaves alone, and both in words. A
    learned S has few zeros: there they are its top and bottom decile."""
    entries = upper(S)
    if not learned:
        return entries > 0, entries == 0, "S > 0", "S = 0"
    low, high = np.quantile(entries, [0.1, 0.9])
    return entries >= high, entries <= low, "S in its top decile", \
        "S in its bottom decile"


def measure(run):
    model = run.model
    S = model.own("structure.inhibition")
    if S is None:
        return None
    learned = bool(model.structure.get("learned"))
    both, alone = together(run.codes())
    high, low, *words = joined(S, learned)
    rows = [[name, number(which.sum()), percent(both[which].mean(), 2),
             percent(alone[which].mean(), 2),
             number(ratio(both, alone, which), 2)]
            for name, which in zip(words, (high, low)) if which.any()]
    text = "### Inhibition\n\nUnits that S joins hold each other down. The " \
        "share of rows that turn both units of a pair on, beside what it " \
        "would be if they were independent:\n\n" + table(
            ["pairs with", "pairs", "rows with both on", "if independent",
             "ratio"], rows)
    if learned:
        text += "\n\n" + learning(model, run.x[:ROWS], S)
    return text


def coactivation(z, S):
    """Mean over rows of |z|' S |z| / |z|_2^2, which the size of a code does
    not change."""
    size = np.abs(np.asarray(z, float))
    square = np.maximum((size ** 2).sum(axis=1), 1e-300)
    return (((size @ S) * size).sum(axis=1) / square).mean()


def learning(model, x, S):
    """The learned S beside its start: by itself, and in the codes found with
    the one or the other while all else is the same."""
    start = model.structure["strength"] * pattern(model.structure, len(S))
    with tempfile.TemporaryDirectory() as folder:
        before = model.changed(
            folder, tensors={"structure.inhibition": start})
        z_start = before.encode(x, "codes")["codes"]
    z = model.encode(x, "codes")["codes"]
    high, rows = joined(S, True)[0], []
    for name, code in (("its start", z_start), ("the learned S", z)):
        both, _ = together(code)
        rows.append([name, number((code != 0).sum(axis=1).mean()),
                     percent(both.mean(), 2), percent(both[high].mean(), 2),
                     number(coactivation(code, S)),
                     number(coactivation(code, start))])
    alike = np.corrcoef(upper(S), upper(start))[0, 1] \
        if np.ptp(upper(start)) and np.ptp(upper(S)) else None
    return (
        "S has learned: it lies %s of its start's norm away from it%s. Codes "
        "of %s test rows with the starting S and with the learned one, all "
        "else the same (the two last columns are the mean of "
        "|z|' S |z| / |z|², with the learned S and with its start):\n\n%s" % (
            percent(np.linalg.norm(S - start) / np.linalg.norm(start), 2),
            "" if alike is None else
            " (correlation of entries %s)" % number(alike, 2),
            number(len(x)),
            table(["codes found with", "active units", "pairs both on",
                   "of the tenth that S joins most", "with the learned S",
                   "with its start"], rows)))
