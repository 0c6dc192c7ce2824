"""How near a served code is to the minimum of its energy
E(z) = 1/2 |x - D z|^2 + structure(z), in double precision.

- Groups with an exact proximal step (single units, disjoint groups, trees):
  the distance of the gradient D'(x - D z) from the subdifferential of the
  penalty, its largest coordinate, relative to max |D'x| of the row.
- Overlapping groups: the duality gap, relative to E(z). Any z and any u with
  dual norm of D'u at most 1 bound the minimum from both sides.
- Lateral inhibition, which is not convex: how far one coordinate alone could
  still move, times its curvature, relative to max |D'x|.
"""
import tempfile

import numpy as np

from groups import Groups
from markdown import number, setting, table

ROWS = 1000
BLOCK = 250
GAP_ROWS, GAP_STEPS = 500, 200  # its bound is looked for, which takes time
LONG_STEPS, LONG_TOLERANCE = 1000, 1e-6


def measure(run):
    model = run.model
    if (not model.is_dense() or model.layers[model.top].windows
            or model.encoder["kind"] != "iterative"
            or model.own("decoder.weight") is None):
        return None
    words, judge = choose(model)
    x = run.x[:GAP_ROWS if judge is gap else ROWS]
    served = errors(model, judge, x)
    with tempfile.TemporaryDirectory() as folder:
        longer = model.changed(folder, {"steps": LONG_STEPS,
                                        "tolerance": LONG_TOLERANCE})
        patient = errors(longer, judge, x)
    return "### Optimality\n\n%s 0 is exact; %s test rows, in double " \
        "precision.\n\n%s" % (
            words, number(len(x)), table(["", "median", "largest"], [
                line("as served: ", model.encoder, served),
                line("more patient: ", longer.encoder, patient)]))


def line(words, encoder, found):
    asked = "tolerance %s, at most %d steps" % (
        setting(encoder.get("tolerance", 1e-4)), encoder.get("steps", 200))
    return [words + asked, number(np.median(found), 2), number(found.max(), 2)]


def choose(model):
    """What is measured, in words and as a function of (model, x, D, z)."""
    if model.own("structure.inhibition") is not None:
        return ("The energy is not convex, so a code is sought where no unit "
                "alone could lower it. Told is how far one unit still would "
                "go, times |d_i|² / max |D'x|.", coordinate_error)
    groups = model.groups() or Groups.singletons(model.units)
    if groups.have_exact_prox():
        return ("Where the energy is least, the penalty balances the gradient "
                "of ½ |x - D z|² in every unit. Told is the most that is left "
                "in one unit, over max |D'x|.", subgradient_error)
    return ("At most how far a code's energy is above the least, as a share "
            "of it (the duality gap).", gap)


def errors(model, judge, x):
    """One number a row."""
    z = model.encode(x, "codes")["codes"].astype(float)
    seen, D = model.seen(x), model.own("decoder.weight")
    return np.concatenate([
        judge(model, seen[at:at + BLOCK], D, z[at:at + BLOCK])
        for at in range(0, len(x), BLOCK)])


def scale(x, D):
    return np.maximum(np.abs(x @ D).max(axis=1), 1e-300)


def subgradient_error(model, x, D, z):
    """What is left of the gradient c of the smooth part when the penalty of
    the groups that are on is subtracted, and those that are off have taken
    what they can: c less its projection on their dual balls, which is their
    proximal step of c. Where z is 0 and may not be negative, a c below 0 is
    right."""
    groups = model.groups() or Groups.singletons(model.units)
    penalty = model.structure["lambda"]
    c = (x - z @ D.T) @ D - penalty * groups.spread(groups.directions(z))
    if model.is_nonnegative():
        c = np.where(z > 0, c, np.maximum(0, c))
    left = groups.prox(c, penalty, skip=groups.pool(z) > 0)
    return np.abs(left).max(axis=1) / scale(x, D)


def gap(model, x, D, z):
    """E(z) less the dual value of u = s r, r = x - D z, at the best s for
    which u is allowed: s D'r must be a sum of parts, one a group, of norm at
    most lambda (no more than such a sum where z may not be negative)."""
    groups = model.groups()
    if not groups.cover():
        return np.full(len(x), np.nan)
    penalty = model.structure["lambda"]
    r = x - z @ D.T
    c = r @ D
    if model.is_nonnegative():
        c = np.maximum(c, -z)
    # The parts of the proximal step of z + c, which at a minimum leaves z, are
    # found more exactly than those of c, which at a minimum just reach it.
    eta = groups.decompose(z + c, penalty, penalty * groups.directions(z),
                           GAP_STEPS)
    left = c - groups.spread(eta)
    if model.is_nonnegative():
        left = np.maximum(0, left)
    over = groups.norms(groups.complete(eta, left)).max(axis=1) / penalty
    energy = ((r ** 2).sum(axis=1) / 2
              + penalty * groups.pool(z).sum(axis=1))
    length = np.maximum((r ** 2).sum(axis=1), 1e-300)
    s = np.clip((r * x).sum(axis=1) / length, 0, 1 / np.maximum(over, 1e-300))
    below = ((x ** 2).sum(axis=1)
             - ((x - s[:, None] * r) ** 2).sum(axis=1)) / 2
    return (energy - below) / np.maximum(energy, 1e-300)


def coordinate_error(model, x, D, z):
    """The best z_i while the others stay, against z_i."""
    S, penalty = model.own("structure.inhibition"), model.structure["lambda"]
    curvature = np.maximum((D ** 2).sum(axis=0), 1e-300)
    a = (x - z @ D.T) @ D + curvature * z
    if model.is_nonnegative():
        a = np.maximum(0, a)
    cut = penalty + np.abs(z) @ S
    best = np.sign(a) * np.maximum(0, np.abs(a) - cut)
    return np.abs(best - curvature * z).max(axis=1) / scale(x, D)
