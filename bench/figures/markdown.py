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
        return "{:,}".format(int(value))
    if value is None or not np.isfinite(value):
        return "-"
    power = int(np.floor(np.log10(abs(value))))
    if not -4 < power < 6:
        return ("%.*e" % (digits - 1, value)).replace("e-0", "e-").replace(
            "e+0", "e")
    return "{:,.{}f}".format(value, max(0, digits - 1 - power))


def setting(value):
    """A number as somebody chose it."""
    return ("%g" % value).replace("e-0", "e-")


def percent(share, digits=3):
    """The same of a share, in per cent."""
    if share is None or not np.isfinite(share):
        return "-"
    return number(100.0 * share, digits) + " %"


def quartiles(values):
    """The median, with the two other quartiles."""
    low, middle, high = np.percentile(values, [25, 50, 75])
    return "%s (%s to %s)" % (number(middle), number(low), number(high))
