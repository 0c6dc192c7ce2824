"""How much codes and their pools change when a picture moves a little.

A change is told against the size of the code, and against how far apart two
different pictures are. Only the second tells invariance from pools that hardly
tell pictures apart; there pools of the same sizes over permuted units stand
beside the trained ones.
"""
import numpy as np

import trees
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


def changes(still, moved, n):
    """Rows (moves * n): each move of n pictures, f(x) and f(x'). The lengths
    of f(x) - f(x') relative to f(x) and to the median distance between two
    different pictures, and 1 - cosine; of rows where f(x) is not 0."""
    apart = np.median(np.linalg.norm(
        still[:n] - np.roll(still[:n], 1, axis=0), axis=1))
    norms = np.linalg.norm(still, axis=1)
    some = norms > 0
    still, moved, norms = still[some], moved[some], norms[some]
    length = np.linalg.norm(still - moved, axis=1)
    other = np.maximum(np.linalg.norm(moved, axis=1), 1e-300)
    return {"size": length / norms,
            "apart": length / max(apart, 1e-300),
            "angle": 1 - (still * moved).sum(axis=1) / (norms * other)}


def compare(model, source, n, rng):
    """For each of MOVES: its name, then changes of codes, of pools, and of
    pools over permuted units, the last as a list."""
    groups = model.groups()
    orders = [rng.permutation(model.units) for _ in range(PERMUTATIONS)]
    still = model.encode(source.moved(n))
    for name, hows in MOVES:
        moved = model.encode(np.concatenate([source.moved(n, **how)
                                             for how in hows]))
        before = {what: np.tile(still[what].astype(float), (len(hows), 1))
                  for what in still}
        after = {what: moved[what].astype(float) for what in moved}
        yield (name, changes(before["codes"], after["codes"], n),
               changes(before["groups"], after["groups"], n),
               [changes(groups.pool(before["codes"][:, order]),
                        groups.pool(after["codes"][:, order]), n)
                for order in orders])


def measure(run):
    model = run.model
    groups = model.groups()
    # A sub-tree's pool holds parents with their children: it stands for
    # what the root of it does, not for units that may take turns.
    if groups is None or groups.are_single() \
            or trees.parents(model.structure) is not None:
        return None
    n = min(ROWS, len(run.x))
    rng = np.random.default_rng(run.seed)
    of_size, of_others = [], []
    for name, code, pools, shuffled in compare(model, run.source, n, rng):
        of_size.append([name, quartiles(code["size"]),
                        quartiles(pools["size"]),
                        number(np.median(pools["size"])
                               / np.median(code["size"]), 2),
                        number(np.median(code["angle"])),
                        number(np.median(pools["angle"]))])
        of_others.append([name, quartiles(code["apart"]),
                          quartiles(pools["apart"]),
                          number(np.mean([np.median(one["apart"])
                                          for one in shuffled]))])
    return (
        "### Invariance\n\n%d test pictures, moved; f is the code or its "
        "pools. The change abs(f(x) - f(x')) / abs(f(x)), median (quartiles), "
        "and 1 - cosine, median:\n\n%s\n\nThe change as a share of the "
        "median distance between two different pictures; permuted: pools of "
        "the same sizes over permuted units, mean of %d:\n\n%s" % (
            n, table(["", "code", "pools", "pools / code",
                      "1 - cosine, code", "pools"], of_size), PERMUTATIONS,
            table(["", "code", "pools", "pools, permuted"], of_others)))
