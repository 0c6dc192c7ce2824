"""The methods that a net which guesses codes competes with, stopped anywhere:
for the energy E(z) = 1/2 |x - D z|^2 + lambda * penalty(z), in double
precision, from z = 0. Each is an endless generator of the codes after 1, 2, 3
... steps, (rows, units).
"""
import numpy as np


class Energy:
    """Of rows x (n, inputs), with groups None: single units."""

    def __init__(self, x, D, penalty, groups=None, nonnegative=False):
        self.penalty, self.groups = penalty, groups
        self.nonnegative = nonnegative
        self.constant = (x ** 2).sum(axis=1) / 2
        self.c, self.G = x @ D, D.T @ D
        self.L = np.linalg.eigvalsh(self.G)[-1]

    def value(self, z):
        pools = np.abs(z) if self.groups is None else self.groups.pool(z)
        return (self.constant + (z * (z @ self.G / 2 - self.c)).sum(axis=1)
                + self.penalty * pools.sum(axis=1))

    def prox(self, u, scale):
        """argmin 1/2 |z - u|^2 + scale * lambda * penalty(z)"""
        if self.nonnegative:
            u = np.maximum(0, u)
        if self.groups is not None:
            return self.groups.prox(u, scale * self.penalty)
        return np.sign(u) * np.maximum(0, np.abs(u) - scale * self.penalty)

    def forward_backward(self, y):
        return self.prox(y + (self.c - y @ self.G) / self.L, 1 / self.L)

    def unrest(self, z):
        """How far a proximal step still moves z, times L, relative to the
        largest abs(D'x) of the row."""
        moved = np.abs(self.forward_backward(z) - z).max(axis=1)
        return self.L * moved / np.maximum(np.abs(self.c).max(axis=1), 1e-300)


def ista(energy):
    """Daubechies, Defrise & De Mol 2004."""
    z = np.zeros_like(energy.c)
    while True:
        z = energy.forward_backward(z)
        yield z


def fista(energy):
    """Beck & Teboulle 2009; a row that runs uphill forgets its momentum
    (O'Donoghue & Candes 2015)."""
    z = ahead = np.zeros_like(energy.c)
    t = np.ones((len(z), 1))
    while True:
        new = energy.forward_backward(ahead)
        uphill = ((ahead - new) * (new - z)).sum(axis=1, keepdims=True) > 0
        t = np.where(uphill, 1, t)
        longer = (1 + np.sqrt(1 + 4 * t * t)) / 2
        ahead = new + (t - 1) / longer * (new - z)
        z, t = new, longer
        yield z


def sweeps(energy):
    """Coordinate descent; a step visits all units in their order. Single
    units alone."""
    curvature = np.maximum(np.diag(energy.G), 1e-300)
    c, z = np.ascontiguousarray(energy.c.T), np.zeros(energy.c.T.shape)
    while True:
        for i, own in enumerate(curvature):
            a = c[i] - energy.G[i] @ z + own * z[i]
            z[i] = energy.prox(a, 1) / own
        yield z.T.copy()


def greedy(energy):
    """Coordinate descent; a step changes the one unit that would change most
    (Li & Osher 2009), and the code is what all units would change to, which is
    nearer (CoD of Gregor & LeCun 2010, algorithm 2). Single units alone."""
    curvature = np.maximum(np.diag(energy.G), 1e-300)
    row = np.arange(len(energy.c))
    left, z = energy.c.copy(), np.zeros_like(energy.c)

    def wanted():
        return energy.prox(left + curvature * z, 1) / curvature
    while True:
        change = wanted() - z
        unit = np.abs(change).argmax(axis=1)
        by = change[row, unit]
        z[row, unit] += by
        left -= by[:, None] * energy.G[unit]
        yield wanted()


def minimum(energy, tolerance=1e-8, steps=20000):
    """z* by FISTA, once no row is more restless than the tolerance, and how
    restless the worst then is."""
    for step, z in enumerate(fista(energy), 1):
        if step % 10 and step < steps:
            continue
        worst = energy.unrest(z).max()
        if worst <= tolerance or step == steps:
            return z, worst
