"""Comparing what was answered with what was stated."""
import numpy as np


def arrays(name, got, want, tolerance):
    """Shapes equal, every number within tolerance; the message says where."""
    got, want = np.asarray(got, np.float64), np.asarray(want, np.float64)
    assert got.shape == want.shape, "%s: shape %s, want %s" % (
        name, got.shape, want.shape)
    if not got.size:
        return
    far = ~(np.abs(got - want) <= tolerance)  # NaN is far
    if far.any():
        at = tuple(np.argwhere(far)[0])
        raise AssertionError(
            "%s: %d of %d numbers are off, first at %s: got %.9g, want %.9g" %
            (name, far.sum(), got.size, at, got[at], want[at]))


def dense(codes, size):
    """Sparse codes as an array (B,size); indices must ascend."""
    out = np.zeros((len(codes), size))
    for row, code in zip(out, codes):
        indices = code["indices"]
        assert indices == sorted(set(indices)), indices
        assert len(indices) == len(code["values"]), code
        row[indices] = code["values"]
    return out


def is_sparse(value):
    return isinstance(value, dict) and set(value) == {"indices", "values"}


# Long lists of numbers are stated with two digits, as pictures; all else with
# six. Both ends may round.
LONG, ROUGH, FINE = 100, 0.0101, 1e-4


def difference(got, want, tolerance=FINE, at="$"):
    """Where two JSON values differ, or None. Numbers may differ by tolerance
    (relative above 1), so units of a sparse code within it may be missing."""
    if is_sparse(got) and is_sparse(want):
        got, want = (dict(zip(map(str, v["indices"]), v["values"]))
                     for v in (got, want))
        pairs = [("%s[%s]" % (at, key), got.get(key, 0), want.get(key, 0))
                 for key in got.keys() | want.keys()]
    elif isinstance(want, dict) and isinstance(got, dict):
        if got.keys() != want.keys():
            return "%s: members %s, want %s" % (at, list(got), list(want))
        pairs = [("%s.%s" % (at, k), got[k], want[k]) for k in want]
    elif isinstance(want, list) and isinstance(got, list):
        if len(got) != len(want):
            return "%s: %d elements, want %d" % (at, len(got), len(want))
        if is_long(want):
            tolerance = max(tolerance, ROUGH)
        pairs = [("%s[%d]" % (at, i), g, w)
                 for i, (g, w) in enumerate(zip(got, want))]
    elif is_number(want) and is_number(got):
        if abs(got - want) <= tolerance * max(1, abs(want)):
            return None
        return "%s: %r, want %r" % (at, got, want)
    else:
        return None if got == want and type(got) is type(want) else (
            "%s: %r, want %r" % (at, got, want))
    for path, g, w in pairs:
        found = difference(g, w, tolerance, path)
        if found:
            return found
    return None


def is_number(value):
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def is_long(value):
    """A list of numbers that is stated roughly."""
    return (isinstance(value, list) and len(value) >= LONG and
            all(map(is_number, value)))
