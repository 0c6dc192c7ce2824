"""What `sparsed eval` says of the test rows, with the spread over disjoint
parts of them: figures nearer together than that are alike."""
import numpy as np

from markdown import number, percent, table

PARTS = 5


def parts(n):
    """Index ranges of PARTS disjoint parts of n rows."""
    edges = np.linspace(0, n, PARTS + 1).astype(int)
    return [slice(a, b) for a, b in zip(edges, edges[1:])]


def evaluate(model, x, labels):
    """The figures of all rows, and of each part."""
    def one(part):
        return model.eval(x[part], None if labels is None else labels[part])
    return one(slice(None)), [one(part) for part in parts(len(x))]


def spread(show, name, whole, of_parts):
    """A figure with the least and most of the parts, or None."""
    values = [told[name] for told in of_parts]
    if whole.get(name) is None or None in values:
        return None
    return "%s (%s to %s)" % (show(whole[name]), show(min(values)),
                              show(max(values)))


def lines(model, whole, of_parts):
    """Rows of the table, as far as the model has such figures."""
    def active(value):
        return "%s, %s" % (number(value), percent(value / model.units))
    found = [
        ["error", spread(lambda v: percent(v, 2), "error", whole, of_parts)],
        ["-log p of the right class", spread(number, "loss", whole,
                                             of_parts)],
        ["relative reconstruction error", spread(number, "relative_error",
                                                 whole, of_parts)],
        ["active units, mean of %d" % model.units,
         spread(active, "active_units", whole, of_parts)],
        ["dead units", "%d (%s)" % (whole["dead_units"], percent(
            whole["dead_units"] / model.units))]]
    return [line for line in found if line[1] is not None]


def measure(run):
    whole, of_parts = evaluate(run.model, run.x, run.labels)
    return "### On test rows\n\n%d rows; in brackets the least and most of " \
        "%d disjoint parts of them.\n\n%s" % (
            len(run.x), PARTS, table(["figure", "value"],
                                     lines(run.model, whole, of_parts)))
