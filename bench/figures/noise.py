"""What a noisy code tells of its input: its divergence from N(0,1) in nats,
and how many of its units take part.

A unit carries information where its mean moves with the input: variance over
rows above 0.01 (Burda, Grosse & Salakhutdinov 2016, section 4). The model
file says means and log-variances, one after the other in the encoder's rows;
the sums are made here, in double precision.
"""
import numpy as np

import base
from markdown import number, percent, table

CARRIES = 0.01
INFORMED, NATS = "units that carry information", "KL, nats"

NONLINEARITIES = {
    "identity": lambda a, b: a - b,
    "shrink": lambda a, b: np.sign(a) * np.maximum(0, np.abs(a) - b),
}


def heads(model, x):
    """Means and log-variances (n, units) of inputs x; None: no noise."""
    weight = model.own("encoder.weight")
    if weight is None or not model.is_dense() \
            or len(weight) != 2 * model.units:
        return None
    f = NONLINEARITIES[model.encoder["nonlinearity"]]
    given = f(model.seen(x) @ weight.T, model.own("encoder.bias"))
    if (gain := model.own("encoder.gain")) is not None:
        given = given * gain
    return given[:, :model.units], given[:, model.units:]


def divergence(mean, log_variance):
    """KL from N(0,1) in nats of each unit: (n, units)."""
    return (np.exp(log_variance) + mean ** 2 - 1 - log_variance) / 2


def carrying(mean):
    """How many units' means move."""
    return int((mean.var(axis=0) > CARRIES).sum())


def lines(run):
    """Pairs of words and figures; none where the code has no noise."""
    if (found := heads(run.model, run.x)) is None:
        return
    mean, log_variance = found
    nats = divergence(mean, log_variance).sum(axis=1)
    ranges = base.parts(len(run.x))
    count = carrying(mean)
    yield INFORMED, base.spread(
        number, count, [carrying(mean[part]) for part in ranges]) \
        + ", %s of %s" % (percent(count / run.model.units, 2),
                          number(run.model.units))
    yield NATS, base.spread(number, nats.mean(),
                            [nats[part].mean() for part in ranges])


def measure(run):
    if not (found := list(lines(run))):
        return None
    return "### Information\n\nWhat the noisy code tells of its input: how " \
        "far it is from N(0,1), and the units whose mean has a variance over " \
        "%g over rows (Burda et al. 2016). Every unit counts as active " \
        "above: none is ever exactly 0.\n\n%s" % (CARRIES,
                                                 table(["", ""], found))
