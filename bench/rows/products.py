"""The encoder and training beside the dense products of the BLAS library, and
beside the bytes that must be read (bench/bench.c)."""
from rows import printed


def measure(bench):
    argv = [bench.program("bench"), bench.weights("mnist-drsae"), "data/mnist"]
    for i, row in enumerate(printed.ask(bench, argv, "us a row")):
        row.id = "products-%d" % i
        yield row
