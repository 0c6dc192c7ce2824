"""Whether units that lie side by side are alike, on a torus, on a ring, or in
one group: in what they draw (orientation) and in when they are on (energy).

Every measure is held against the same units after random permutations of their
places. On a torus: pinwheels, the points round which orientation turns once,
held also against noise of the same period, and against the cortex of ferrets,
tree shrews and galagos, where pi of them lie in a square of one period
(Kaschube et al. 2010, "Universality in the evolution of orientation columns in
the visual cortex", Science 330:1113).
"""
import numpy as np

from markdown import number, percent, table
from orientation import difference, orientations

PERMUTATIONS = 1000
NOISES = 200


# ---- who lies beside whom ----

def torus_pairs(height, width):
    """Each unit with the one to its right and the one below."""
    unit = np.arange(height * width).reshape(height, width)
    right, below = np.roll(unit, -1, axis=1), np.roll(unit, -1, axis=0)
    pairs = np.stack([np.concatenate([unit.ravel(), unit.ravel()]),
                      np.concatenate([right.ravel(), below.ravel()])], axis=1)
    return pairs[pairs[:, 0] != pairs[:, 1]]


def neighbours(model):
    """Pairs (p, 2), the torus' (height, width) or None, and in words; None
    where the structure has no neighbours."""
    structure = model.structure
    if sheet := model.sheet():
        if min(np.subtract(*sheet)) <= 0:
            return None  # nothing repeats: no torus
        size = sheet[1]
        return torus_pairs(*size), size, "neighbours on the sheet, whose " \
            "weights repeat after %d x %d units," % size
    torus = structure.get("map", structure)
    if "height" in torus and "width" in torus:
        size = torus["height"], torus["width"]
        return torus_pairs(*size), size, "neighbours on the %d x %d torus" % \
            size
    if structure.get("pattern") == "ring":
        unit = np.arange(model.units)
        return np.stack([unit, np.roll(unit, -1)], axis=1), None, \
            "neighbours on the ring"
    if "blocks" in structure or "lists" in structure:
        groups = model.groups()
        pairs = [np.stack(np.triu_indices(size, 1), axis=1)
                 for size in groups.sizes]
        pairs = np.concatenate([groups.members(g)[pairs[g]]
                                for g in range(len(groups.sizes))])
        return (pairs, None, "units of one group") if len(pairs) else None
    return None


# ---- likeness ----

def middle(model):
    """The units that stand for those with weights of their own (n): of all that
    share them, the nearest to the sheet's middle."""
    sheet = model.sheet()
    if sheet is None:
        return np.arange(model.units)
    (rows, columns), own = sheet

    def nearest(count, period):
        at = np.arange(count)
        away = np.abs(2 * at - (count - 1))
        return np.array([min(at[k::period], key=lambda i: away[i])
                         for k in range(period)])
    return (nearest(rows, own[0])[:, None] * columns
            + nearest(columns, own[1])).ravel()


def side_by_side(model, pairs):
    """The pairs that are neighbours also where the units in the middle lie: on
    a sheet its edges do not meet."""
    sheet = model.sheet()
    if sheet is None:
        return pairs
    units = middle(model)[pairs]
    apart = np.abs(units[:, 0] - units[:, 1])
    return pairs[(apart == 1) | (apart == sheet[0][1])]


def against_permuted(value, n, rng):
    """value(order) of the units as they are, and mean and deviation of it
    over random orders."""
    shuffled = [value(rng.permutation(n)) for _ in range(PERMUTATIONS)]
    return value(np.arange(n)), np.mean(shuffled), np.std(shuffled)


def orientation_difference(o, pairs, rng):
    """Mean difference in degrees between paired units, weighted by both
    selectivities; 45 for orientations that know nothing of each other."""
    def value(order):
        a, b = o[order[pairs[:, 0]]], o[order[pairs[:, 1]]]
        weight = np.abs(a) * np.abs(b)
        return (weight * difference(a, b)).sum() / max(weight.sum(), 1e-300)
    return against_permuted(value, len(o), rng)


def energy_correlation(z, pairs, rng):
    """Mean correlation over rows of z^2 between paired units; units that are
    never on count as 0."""
    energy = np.asarray(z, float) ** 2
    energy -= energy.mean(axis=0)
    norms = np.linalg.norm(energy, axis=0)
    energy /= np.where(norms > 0, norms, 1)
    table_ = energy.T @ energy

    def value(order):
        return table_[order[pairs[:, 0]], order[pairs[:, 1]]].mean()
    return against_permuted(value, z.shape[1], rng)


# ---- pinwheels ----

def windings(field):
    """Turns of the angle of a complex field (H, W) on a torus round each 2 x 2
    cell: +1 or -1 at a pinwheel. An edge counts once forth and once back, so
    the sum is 0."""
    right = np.angle(np.roll(field, -1, axis=1) * np.conj(field))
    down = np.angle(np.roll(field, -1, axis=0) * np.conj(field))
    loop = (right + np.roll(down, -1, axis=1)
            - np.roll(right, -1, axis=0) - down)
    return np.rint(loop / (2 * np.pi)).astype(int)


RING = [(-1, -1), (-1, 0), (-1, 1), (-1, 2), (0, 2), (1, 2), (2, 2), (2, 1),
        (2, 0), (2, -1), (1, -1), (0, -1)]


def turns_round(field):
    """Of all pinwheels of a field on a torus, walking round over the 12 units
    about the cell's four: how often orientation turns by half a turn in all,
    and how often it does so without ever turning back."""
    rows, columns = np.nonzero(windings(field))
    ring = np.stack([field[(rows + y) % field.shape[0],
                           (columns + x) % field.shape[1]] for y, x in RING])
    steps = np.angle(np.roll(ring, -1, axis=0) * np.conj(ring))
    once = np.abs(np.rint(steps.sum(axis=0) / (2 * np.pi))) == 1
    steady = np.abs(np.sign(steps).sum(axis=0)) == len(RING)
    return int(once.sum()), int((once & steady).sum())


def radius(shape):
    """Of each Fourier component of an (H, W) field, in cycles a unit."""
    return np.hypot(np.fft.fftfreq(shape[0])[:, None],
                    np.fft.fftfreq(shape[1])[None, :])


def spectrum_period(field):
    """The period in units where the mean power over a ring of wave vectors is
    largest (centroid of that ring and its two neighbours), and how many times
    the mean power that is."""
    phase = np.exp(1j * np.angle(field))
    power = np.abs(np.fft.fft2(phase)) ** 2
    power[0, 0] = 0
    step = 1 / max(field.shape)
    ring = np.rint(radius(field.shape) / step).astype(int)
    count = np.bincount(ring.ravel())
    mean = np.bincount(ring.ravel(), power.ravel()) / np.maximum(count, 1)
    mean[0] = 0
    peak = int(np.argmax(mean[:int(0.5 / step) + 1]))
    near = np.arange(max(1, peak - 1), min(peak + 2, len(mean)))
    frequency = (near * mean[near]).sum() / max(mean[near].sum(), 1e-300)
    return 1 / (frequency * step), mean[peak] * (power.size - 1) / power.sum()


def noise(shape, period, rng):
    """Complex noise filtered to a band (Gaussian, deviation a quarter of the
    frequency) about the period."""
    white = rng.normal(size=shape) + 1j * rng.normal(size=shape)
    band = np.exp(-((radius(shape) * period - 1) / 0.25) ** 2 / 2)
    return np.fft.ifft2(np.fft.fft2(white) * band)


def pinwheels(o, shape, rng):
    """What is told of a map: counts, their sum, period, and counts of
    permuted units and of noise as (mean, deviation)."""
    field = o.reshape(shape)
    turn = windings(field)
    period, contrast = spectrum_period(field)

    def count(f):
        return np.abs(windings(f)).sum()
    permuted = [count(rng.permutation(o).reshape(shape))
                for _ in range(PERMUTATIONS)]
    noises = [count(noise(shape, period, rng)) for _ in range(NOISES)]
    return {"positive": int((turn > 0).sum()),
            "negative": int((turn < 0).sum()), "sum": int(turn.sum()),
            "period": period, "contrast": contrast,
            "turns": turns_round(field),
            "permuted": (np.mean(permuted), np.std(permuted)),
            "noise": (np.mean(noises), np.std(noises))}


# ---- the section ----

def line(words, found, unit=""):
    value, mean, deviation = found
    z = (value - mean) / deviation if deviation > 0 else np.nan
    return [words, number(value) + unit,
            "%s%s ± %s%s" % (number(mean, 2), unit, number(deviation, 2),
                             unit), number(z, 2)]


def measure(run):
    model = run.model
    found = neighbours(model)
    if found is None:
        return None
    pairs, shape, words = found
    rng = np.random.default_rng(run.seed)
    rows = [line("correlation of z² over rows",
                 energy_correlation(run.codes()[:, middle(model)],
                                    side_by_side(model, pairs), rng))]
    text = ["### Neighbours", ""]
    if model.has_pictures():
        o = orientations(model.atoms())
        told = orientation_difference(o, pairs, rng)
        rows.append(line("difference of preferred orientation", told, "°"))
        text.append(
            "Orientations that know nothing of each other differ by 45° on "
            "the mean; these differ by %s of that. Pairs count by how marked "
            "both orientations are (0 to 1; the mean is %s)."
            % (percent(told[0] / 45, 2), number(np.abs(o).mean(), 2)))
        if shape:
            text.append(told_pinwheels(pinwheels(o, shape, rng), shape))
    text[1] = "How alike %s are (%s pairs), against the same units after " \
        "%s random permutations of their places.\n\n%s" % (
            words, number(len(pairs)), number(PERMUTATIONS),
            table(["mean over pairs", "as trained",
                   "permuted (± deviation)", "deviations apart"], rows))
    return "\n\n".join(text)


def told_pinwheels(p, shape):
    area = shape[0] * shape[1]
    n = p["positive"] + p["negative"]

    def row(words, count, deviation=None):
        return [words, number(count) if deviation is None else
                "%s ± %s" % (number(count, 2), number(deviation, 2)),
                number(count * p["period"] ** 2 / area, 2)]
    return (
        "Pinwheels are points round which orientation turns once: %d "
        "turn one way, %d the other (sum %d; on a torus it must be 0). "
        "Orientations come again every %s units (the strongest wave of the "
        "map, %s times the mean power), so the map holds %s x %s periods."
        "\n\n%s" % (
            p["positive"], p["negative"], p["sum"], number(p["period"]),
            number(p["contrast"], 2), number(shape[1] / p["period"], 2),
            number(shape[0] / p["period"], 2),
            table(["", "pinwheels", "in a square of one period"],
                  [row("as trained", n),
                   row("units permuted", *p["permuted"]),
                   row("noise of the same period", *p["noise"]),
                   ["visual cortex (Kaschube et al. 2010)", "", "3.14"]]))
        + "\n\nWalking round a pinwheel over the 12 units about its four, "
        "orientation turns by 180° in all at %d of %d; at %d it never turns "
        "back on the way." % (p["turns"][0], n, p["turns"][1]))
