"""How much codes and their pools change when a picture moves a little.

A pool may change less only because it sums several units; so beside the pools
stand pools of the same sizes and weights over units that were permuted.
"""
import numpy as np

from markdown import number, quartiles, table

ROWS = 500
PERMUTATIONS = 10

MOVES = [
    ("shift by 1 pixel", [{"right": 1}, {"right": -1}, {"down": 1},
                          {"down": -1}]),
    ("shift by 2 pixels", [{"right": 2}, {"right": -2}, {"down": 2},
                           {"down": -2}]),
    *[("turn by %d°" % angle, [{"degrees": angle}, {"degrees": -angle}])
      for angle in (5, 10, 15)]]


def changes(still, moved):
    """|f(x) - f(x')| / |f(x)| and 1 - cosine of each row, of rows where
    f(x) is not 0."""
    norms = np.linalg.norm(still, axis=1)
    some = norms > 0
    still, moved, norms = still[some], moved[some], norms[some]
    relative = np.linalg.norm(still - moved, axis=1) / norms
    other = np.maximum(np.linalg.norm(moved, axis=1), 1e-300)
    return relative, 1 - (still * moved).sum(axis=1) / (norms * other)


def compare(model, source, n, rng):
    """For each of MOVES: its name, then changes of codes, of pools, and of
    pools over permuted units."""
    groups = model.groups()
    orders = [rng.permutation(model.units) for _ in range(PERMUTATIONS)]
    still = model.encode(source.moved(n))
    out = []
    for name, hows in MOVES:
        moved = model.encode(np.concatenate([source.moved(n, **how)
                                             for how in hows]))
        before = {what: np.tile(still[what].astype(float), (len(hows), 1))
                  for what in still}
        after = {what: moved[what].astype(float) for what in moved}
        shuffled = [changes(groups.pool(before["codes"][:, order]),
                            groups.pool(after["codes"][:, order]))
                    for order in orders]
        out.append((name, changes(before["codes"], after["codes"]),
                    changes(before["groups"], after["groups"]),
                    tuple(np.concatenate(one) for one in zip(*shuffled))))
    return out


def measure(run):
    model = run.model
    groups = model.groups()
    if groups is None or groups.are_single():
        return None
    n = min(ROWS, len(run.x))
    rng = np.random.default_rng(run.seed)
    relative, angles = [], []
    for name, *all_ in compare(model, run.source, n, rng):
        code, pools, shuffled = (one[0] for one in all_)
        relative.append([name, quartiles(code), quartiles(pools),
                         quartiles(shuffled),
                         number(np.median(pools) / np.median(code), 2)])
        angles.append([name, *(number(np.median(one[1])) for one in all_)])
    return (
        "### Invariance\n\n%d test pictures, moved; f is the code, or its "
        "pools, or pools of the same sizes over permuted units (mean of %d "
        "permutations). Median (quartiles) of abs(f(x) - f(x')) / "
        "abs(f(x)):\n\n%s\n\nMedian of 1 - cosine of f(x) and f(x'):\n\n%s" % (
            n, PERMUTATIONS,
            table(["", "code", "pools", "pools, permuted", "pools / code"],
                  relative),
            table(["", "code", "pools", "pools, permuted"], angles)))
