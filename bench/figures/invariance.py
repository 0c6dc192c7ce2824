"""How much codes and their pools change when a picture moves a little.

A change is told against the size of the code, and against how far apart two
different pictures are. Only the second tells invariance from pools that hardly
tell pictures apart; there pools of the same sizes over permuted units stand
beside the trained ones.
"""
import numpy as np

from markdown import number, quartiles, table

ROWS = 500
PERMUTATIONS = 10
MANY = 1000  # units, where fewer permutations say as much
FEWER = 3

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


def permutations(units):
    return FEWER if units > MANY else PERMUTATIONS


def compare(model, source, n, rng):
    """For each of MOVES: its name, then changes of codes, of pools, and of
    pools over permuted units, the last as a list."""
    groups = model.pools()
    orders = [rng.permutation(model.units)
              for _ in range(permutations(model.units))]
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
    if model.pools() is None:
        return None
    n = min(ROWS, len(run.x))
    rng = np.random.default_rng(run.seed)
    of_size, of_others = [], []
    for name, code, pools, shuffled in compare(model, run.source, n, rng):
        of_size.append([name, quartiles(code["size"]),
                        quartiles(pools["size"]),
                        number(np.median(pools["size"])
                               / np.median(code["size"]), 2),
                        number(np.median(code["angle"]), 2),
                        number(np.median(pools["angle"]), 2)])
        of_others.append([name, quartiles(code["apart"]),
                          quartiles(pools["apart"]),
                          number(np.mean([np.median(one["apart"])
                                          for one in shuffled]))])
    return (
        "### Invariance\n\nHow much the code and its pools change when a "
        "picture x moves a little to x' (%d test pictures, each to both "
        "sides): |f(x) - f(x')| / |f(x)|, f being the code or the pools; "
        "median (quartiles), and medians of 1 - cosine.\n\n%s\n\nThe same "
        "changes as a share of the median distance between two different "
        "pictures, so that pools which hardly tell pictures apart gain "
        "nothing; beside pools of the same sizes over units drawn at random "
        "(mean of %d draws):\n\n%s" % (
            n, table(["", "code", "pools", "pools / code",
                      "1 - cosine, code", "1 - cosine, pools"], of_size),
            permutations(model.units),
            table(["", "code", "pools", "pools of random units"],
                  of_others)))
