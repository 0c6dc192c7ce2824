"""A net that learned to guess the code z* with the least energy
E(z) = 1/2 |x - D z|^2 + lambda * penalty(z): how near it comes, how many steps
of an iterative method come as near, and what either costs in time.

The recipe beside the model says whether it learned that: a phase that weighs
`predict`. z* and the methods are those of solvers.py.
"""
import bisect
import sys
import tempfile
from pathlib import Path

import numpy as np

import base
import solvers
import timing
from markdown import number, percent, setting, table

ROWS = 1000
SHOWN = 1, 2, 3, 5, 7, 10, 15, 20, 30, 50
MOST_STEPS = 500
MORE_STEPS = 50


def target(recipe):
    """How the codes to guess were found in training, or None."""
    found = [phase.get("target", {}) for phase in recipe.get("phases", [])
             if phase.get("weights", {}).get("predict", 0) > 0]
    return found[-1] if found else None


def methods(energy):
    """Names for readers and generators; coordinates can be asked one by one
    where no group joins them."""
    out = {"ISTA": solvers.ista, "FISTA": solvers.fista}
    if energy.groups is None:
        out["descent, sweeps"] = solvers.sweeps
        out["descent, single units"] = solvers.greedy
    return out


def energy_of(model, x, nonnegative):
    """None where z* has no exact proximal step to be found by."""
    groups = model.groups()
    if (model.own("structure.inhibition") is not None
            or groups is not None and not groups.have_exact_prox()):
        return None
    return solvers.Energy(model.seen(x), model.own("decoder.weight"),
                          model.structure["lambda"], groups, nonnegative)


class Judge:
    """How far codes are from z*."""

    def __init__(self, energy):
        self.energy = energy
        self.z, self.unrest = solvers.minimum(energy)
        self.least = np.maximum(energy.value(self.z), 1e-300)
        self.size = (self.z ** 2).sum(axis=1)

    def errors(self, z):
        """|z - z*|^2 / |z*|^2 of each row; NaN where z* is 0."""
        return np.divide(((z - self.z) ** 2).sum(axis=1), self.size,
                         out=np.full(len(z), np.nan), where=self.size > 0)

    def error(self, z):
        return np.nanmean(self.errors(z))

    def above(self, z):
        """By what share of the least energy the code's is above it."""
        return self.energy.value(z) / self.least - 1


def spread(show, values):
    """The mean, with the least and most of disjoint parts."""
    of_parts = [np.nanmean(values[part]) for part in base.parts(len(values))]
    return "%s (%s to %s)" % (show(np.nanmean(values)), show(min(of_parts)),
                              show(max(of_parts)))


def follow(judge, method, steps, aim):
    """Of a method: mean errors after SHOWN steps, the code after `steps`, and
    after how many its mean error is no more than `aim` (None: not within
    MOST_STEPS)."""
    shown, code, enough = [], None, None
    last = max(*SHOWN, steps)
    for step, z in enumerate(method(judge.energy), 1):
        error = judge.error(z)
        if step in SHOWN:
            shown.append(error)
        if step == steps:
            code = z
        if enough is None and error <= aim:
            enough = step
        if step >= last and (enough or step >= MOST_STEPS):
            return shown, code, enough


# ---- the program's own iterative encoders ----

def as_near(model, x, judge, aim, folder, method, least, nonnegative):
    """An iterative encoder of the program that stops as soon as its codes are
    no farther off than `aim`; None: not even after MORE_STEPS than the
    `least` that are asked for. (Its descent does not visit all units in each
    sweep, so it may need more.)"""
    def stopped(steps):
        return model.without_net(folder, method=method, steps=steps,
                                 tolerance=1e-6, nonnegative=nonnegative)

    def near(steps):
        z = stopped(steps).encode(x, "codes")["codes"]
        return judge.error(z) <= aim
    asked = range(least, least + MORE_STEPS)
    found = bisect.bisect_left(asked, True, key=near)
    return stopped(asked[found]) if found < len(asked) else None


def rivals(model, x, judge, aim, wanted, enough, folder):
    """Iterative encoders by what to call them: as near as the net, and what
    taught the net."""
    out = {}
    for name, method in (("FISTA", "fista"), ("descent, sweeps", "descent")):
        at = Path(folder) / method
        at.mkdir()
        other = enough.get(name) and as_near(
            model, x, judge, aim, at, method, enough[name],
            bool(wanted.get("nonnegative")))
        if other:
            out["`%s`, %d steps" % (method, other.encoder["steps"])] = other
    teacher = {"method": "fista", "steps": 200, "tolerance": 1e-4, **wanted}
    out["`%s`, tolerance %s, at most %d steps: what taught the net" % (
        teacher["method"], setting(teacher["tolerance"]),
        teacher["steps"])] = \
        model.without_net(folder, **teacher)
    return out


def timed(model, x, judge, aim, others, folder):
    """The table of time."""
    ratios = timing.ratios(model, others.values(), x, folder)
    rows = [["the net", number(aim), "1"]]
    for (name, other), of_net in zip(others.items(), ratios):
        error = judge.error(other.encode(x, "codes")["codes"])
        rows.append([name, number(error), "%s (%s to %s)" % tuple(
            number(v, 2) for v in (np.median(of_net), of_net.min(),
                                   of_net.max()))])
    return table(["codes by", "code error", "time per row / the net's"], rows)


# ---- the section ----

def measure(run):
    model, wanted = run.model, target(run.recipe)
    if (wanted is None or not model.is_dense()
            or model.encoder["kind"] == "iterative"
            or model.own("decoder.weight") is None):
        return None
    x, nonnegative = run.x[:ROWS], bool(wanted.get("nonnegative"))
    energy = energy_of(model, x, nonnegative)
    if energy is None:
        print("figures: no section on guessed codes: this structure's have no "
              "exact proximal step", file=sys.stderr)
        return None
    judge, steps = Judge(energy), model.encoder.get("steps", 1)
    served = model.encode(x, "codes")["codes"].astype(float)
    aim = judge.error(served)
    rows = [["the net", spread(number, judge.errors(served)),
             spread(percent, judge.above(served)), steps]]
    curves, enough = [], {}
    for name, method in methods(energy).items():
        curve, z, enough[name] = follow(judge, method, steps, aim)
        curves.append(curve)
        rows.append([name, spread(number, judge.errors(z)),
                     spread(percent, judge.above(z)),
                     enough[name] or "over %d" % MOST_STEPS])
    with tempfile.TemporaryDirectory() as folder:
        others = rivals(model, x, judge, aim, wanted, enough, folder)
        time = timed(model, x, judge, aim, others, folder)
    return "\n\n".join([
        "### Guessed codes", introduction(judge, steps, len(x)),
        table(["after %s" % count(steps), "code error",
               "energy above the least", "steps to be as near as the net"],
              rows),
        "The mean code error, by steps:",
        table(["steps", *methods(energy)],
              [[n, *(number(error, 2) for error in line)]
               for n, line in zip(SHOWN, zip(*curves))]),
        "Processor time of `sparsed encode`: the program's own `iterative` "
        "encoder with the same dictionary, in times of the net's (median, "
        "least and most of %d runs):" % timing.REPEATS, time])


def count(steps):
    return "1 step" if steps == 1 else "%d steps" % steps


def introduction(judge, steps, n):
    single = judge.energy.groups is None
    return (
        "The net guesses in %s the code z* that has the least energy E(z) = "
        "½ |x - D z|² + λ %s, which other methods approach in many. The code "
        "error is |z - z*|² / |z*|², z* being found in double precision (to "
        "%s); means over %s test rows, and %s. ISTA and FISTA move all units "
        "in a step%s" % (
            count(steps), "|z|₁" if single else "(sum of groups' norms)",
            number(judge.unrest, 1), number(n), base.BRACKETS,
            ", a sweep of coordinate descent goes through all units one by "
            "one, and a step of single units changes one alone, which costs "
            "far less." if single else "."))
