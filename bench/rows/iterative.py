"""Iterative encoders to the same duality gap, one thread, beside SPAMS and
scikit-learn (bench/iterative.c, bench/peers/iterative.py)."""
from rows import printed


def measure(bench):
    argv = [bench.python, printed.script(bench, "iterative.py"),
            bench.program("iterative")]
    for i, row in enumerate(printed.ask(bench, argv, "us a row")):
        row.id = "iterative-%d" % i
        row.must = 2
        yield row
