"""What a section of a card is written with: tables and numbers."""
import numpy as np


def table(head, rows):
    """A Markdown table; the first column is words, the others numbers."""
    lines = [head, ["---"] + ["---:"] * (len(head) - 1), *rows]
    return "\n".join("| %s |" % " | ".join(map(str, line)) for line in lines)


def number(value, digits=3):
    """That many significant digits, without the noise of more; counts as they
    are; a dash where there is none."""
    if isinstance(value, (int, np.integer)) or value == 0:
        return "%d" % value
    if value is None or not np.isfinite(value):
        return "-"
    if not 1e-3 <= abs(value) < 1e6:
        return "%.*e" % (digits - 1, value)
    places = digits - 1 - int(np.floor(np.log10(abs(value))))
    return "%.*f" % (max(0, places), value)


def percent(share, places=1):
    if share is None or not np.isfinite(share):
        return "-"
    return "%.*f %%" % (places, 100 * share)


def quartiles(values):
    """The median, with the two other quartiles."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return "%s (%s to %s)" % (number(middle), number(low), number(high))
