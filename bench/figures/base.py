"""What `sparsed eval` says of the test rows, with the spread over disjoint
parts of them: figures nearer together than that are alike."""
import numpy as np

from markdown import number, percent, table

PARTS = 5
BRACKETS = "brackets hold the least and most of %d disjoint parts of them" \
    % PARTS
ERROR, RELATIVE_ERROR = "error rate", "relative reconstruction error"
UNITS, GROUPS = "active units", "active groups"


def parts(n):
    """Index ranges of PARTS disjoint parts of n rows."""
    edges = np.linspace(0, n, PARTS + 1).astype(int)
    return [slice(a, b) for a, b in zip(edges, edges[1:])]


def evaluate(run):
    """The figures of all rows, and of each part."""
    groups = None if run.model.pools() is None else \
        (run.encoded()["groups"] > 0).sum(axis=1)

    def one(part):
        told = run.model.eval(run.x[part], None if run.labels is None
                              else run.labels[part])
        return {**told, "active_groups": None if groups is None
                else groups[part].mean()}
    return one(slice(None)), [one(part) for part in parts(len(run.x))]


def spread(show, value, of_parts):
    return "%s (%s to %s)" % (show(value), show(min(of_parts)),
                              show(max(of_parts)))


def lines(run):
    """Pairs of words and figures, as far as the model has such."""
    whole, of_parts = evaluate(run)
    n, dead = run.model.units, whole["dead_units"]

    def of(count):
        return ", %s of %s" % (percent(whole["active_" + count[0]] / count[1],
                                       2), number(count[1]))
    pools = run.model.pools()
    found = [(ERROR, "error", percent, ""),
             ("-log p of the right class", "loss", number, ""),
             (RELATIVE_ERROR, "relative_error", number, ""),
             (UNITS, "active_units", number, of(("units", n)))]
    if pools is not None:
        found.append((GROUPS, "active_groups", number,
                      of(("groups", len(pools.sizes)))))
    for words, name, show, after in found:
        if whole[name] is not None:
            yield words, spread(show, whole[name], [told[name] for told
                                                    in of_parts]) + after
    yield "units never on", "%s of %s" % (number(dead), number(n))


def measure(run):
    return "### On test rows\n\nMeans over %s test rows; %s. The relative " \
        "error is |x - x̂| / |x| after preprocessing.\n\n%s" % (
            number(len(run.x)), BRACKETS, table(["", ""], lines(run)))
