"""Weighted groups of units, v_g = sqrt(sum_i w_gi z_i^2), and the convex
penalty Omega(z) = lambda sum_g v_g: pools, exact proximal step of nested
groups, and how a vector is a sum of one part a group (the dual norm).

Groups are as the model file shows them: CSR. Codes are (rows, units).
"""
import functools

import numpy as np

FEW = 32  # rows


class Groups:
    def __init__(self, starts, units, weights, n):
        self.starts, self.units, self.weights = starts, units, weights
        self.n, self.roots = n, np.sqrt(weights)
        self.sizes = np.diff(starts)
        self.group = np.repeat(np.arange(len(self.sizes)), self.sizes)
        self.by_unit = np.argsort(units, kind="stable")
        self.covered, self.unit_starts = np.unique(units[self.by_unit],
                                                   return_index=True)

    @classmethod
    def singletons(cls, n):
        return cls(np.arange(n + 1), np.arange(n), np.ones(n), n)

    @classmethod
    def of_lists(cls, lists, n, weights=None):
        starts = np.cumsum([0] + [len(one) for one in lists])
        units = np.concatenate(lists).astype(int)
        return cls(starts, units, np.ones(len(units)) if weights is None
                   else np.concatenate(weights).astype(float), n)

    def members(self, g):
        return self.units[self.starts[g]:self.starts[g + 1]]

    def are_single(self):
        return bool(np.all(self.sizes <= 1))

    def are_disjoint(self):
        return len(self.covered) == len(self.units)

    def cover(self):
        return len(self.covered) == self.n

    def are_nested(self):
        """Any two disjoint, or one within the other."""
        inside = np.zeros((len(self.sizes), self.n))
        inside[self.group, self.units] = 1
        common = inside @ inside.T
        smaller = np.minimum.outer(self.sizes, self.sizes)
        return bool(np.all((common == 0) | (common == smaller)))

    def have_exact_prox(self):
        """Disjoint ones do; nested ones where a group's weights are equal
        (Jenatton et al. 2011, section 3)."""
        if self.are_disjoint():
            return True
        first = self.weights[self.starts[:-1]][self.group]
        return self.are_nested() and bool(np.allclose(self.weights, first))

    # ---- sums ----

    def over_groups(self, entries):
        """(rows, entries) -> (rows, groups)"""
        return np.add.reduceat(entries, self.starts[:-1], axis=1)

    def over_units(self, entries):
        """(rows, entries) -> (rows, units)"""
        out = np.zeros((len(entries), self.n))
        out[:, self.covered] = np.add.reduceat(entries[:, self.by_unit],
                                               self.unit_starts, axis=1)
        return out

    @functools.cached_property
    def matrix(self):
        """The weights, (units, groups)."""
        out = np.zeros((self.n, len(self.sizes)))
        out[self.units, self.group] = self.weights
        return out

    def pool(self, z):
        return np.sqrt(z ** 2 @ self.matrix)

    def directions(self, z):
        """Entries eta_gi = sqrt(w_gi) z_i / v_g, 0 where a group is off: the
        gradient of sum_g v_g is `spread` of it, and |eta_g| is 1 or 0."""
        v = self.pool(z)[:, self.group]
        return np.divide(self.roots * z[:, self.units], v,
                         out=np.zeros_like(v), where=v > 0)

    def spread(self, eta):
        """Entries (rows, entries) to units: sum_g sqrt(w_gi) eta_gi."""
        return self.over_units(self.roots * eta)

    # ---- nested groups ----

    def prox(self, u, penalty, skip=None):
        """argmin 1/2 |z - u|^2 + penalty sum_g v_g, smaller groups first;
        skip (rows, groups): those that do not count. have_exact_prox()."""
        z = np.array(u, float)
        for g in np.argsort(self.sizes, kind="stable"):
            members = self.members(g)
            weights = self.weights[self.starts[g]:self.starts[g + 1]]
            shrunk = _shrink(z[:, members], weights, penalty)
            if skip is not None:
                shrunk = np.where(skip[:, g:g + 1], z[:, members], shrunk)
            z[:, members] = shrunk
        return z

    # ---- any groups ----

    def decompose(self, c, penalty, start, steps=500):
        """Entries eta with |eta_g| <= penalty whose `spread` comes near c:
        accelerated projected gradient (Beck & Teboulle 2009) from `start`,
        begun again in rows where it runs backwards (O'Donoghue & Candes
        2015). Rows that stand still are done. Within, rows are columns: they
        are contiguous, and few enough to stay in a cache."""
        out = [self._decompose(c[at:at + FEW].T, penalty,
                               start[at:at + FEW].T, steps).T
               for at in range(0, len(c), FEW)]
        return np.concatenate(out)

    def _decompose(self, c, penalty, start, steps):
        roots = self.roots[:, None]
        load = np.bincount(self.units, self.weights, self.n).max()
        out, rows = start.copy(), np.arange(c.shape[1])
        c, eta = c.copy(), start.copy()
        ahead, t = eta, np.ones(len(rows))
        for _ in range(steps):
            if not len(rows):
                break
            left = c.copy()
            left[self.covered] -= np.add.reduceat(
                (roots * ahead)[self.by_unit], self.unit_starts, axis=0)
            new = ahead + roots / load * left[self.units]
            norms = np.sqrt(np.add.reduceat(new ** 2, self.starts[:-1],
                                            axis=0))
            new *= np.minimum(1, penalty / np.maximum(norms, 1e-300)
                              )[self.group]
            change = new - eta
            back = ((ahead - new) * change).sum(axis=0)
            t = np.where(back > 0, 1, t)
            longer = (1 + np.sqrt(1 + 4 * t * t)) / 2
            ahead = new + (t - 1) / longer * change
            eta, t = new, longer
            going = np.abs(change).max(axis=0) > 1e-8 * penalty
            if not going.all():
                out[:, rows] = eta
                rows, t = rows[going], t[going]
                c, eta, ahead = c[:, going], eta[:, going], ahead[:, going]
        out[:, rows] = eta
        return out

    def complete(self, eta, left):
        """eta with `left` (rows, units) dealt out to the groups of each unit,
        so that `spread` grows by it."""
        load = np.bincount(self.units, self.weights, self.n)
        share = self.roots / load[self.units]
        return eta + share * left[:, self.units]

    def norms(self, eta):
        return np.sqrt(self.over_groups(eta ** 2))


def _shrink(u, weights, penalty):
    """argmin 1/2 |z - u|^2 + penalty sqrt(sum_i w_i z_i^2), a row each."""
    if np.ptp(weights) == 0:
        norms = np.linalg.norm(u, axis=1, keepdims=True)
        cut = penalty * np.sqrt(weights[0])
        return u * np.maximum(0, 1 - cut / np.maximum(norms, 1e-300))
    # z_i = u_i v / (v + penalty w_i), where v is the root of
    # sum_i w_i u_i^2 / (v + penalty w_i)^2 = 1; none: z = 0.
    low = np.zeros((len(u), 1))
    high = np.sqrt((weights * u ** 2).sum(axis=1, keepdims=True))
    for _ in range(100):
        v = (low + high) / 2
        over = (weights * u ** 2 / (v + penalty * weights + 1e-300) ** 2
                ).sum(axis=1, keepdims=True) > 1
        low, high = np.where(over, v, low), np.where(over, high, v)
    v = low
    return u * v / (v + penalty * weights)
