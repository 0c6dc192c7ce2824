"""Training DrSAE, batch 128, samples a second, beside PyTorch at its best
thread setting and beside the dense products alone (bench/train.c,
bench/peers/train.py)."""
from rows import printed


def measure(bench):
    argv = [bench.python, printed.script(bench, "train.py"),
            bench.program("train"), "data/mnist", bench.weights("mnist-drsae")]
    for i, row in enumerate(printed.ask(bench, argv, "samples/s", less=False,
                                        env={})):
        row.id = "training-%d" % i
        if "two threads" in row.name:
            row.must = 2.5
        yield row
