"""Single convolutions, encoding and training, beside ONNX Runtime and PyTorch
(bench/conv.c, bench/peers/conv.py)."""
from rows import printed


def measure(bench):
    argv = [bench.python, printed.script(bench, "conv.py"),
            bench.program("conv")]
    for i, row in enumerate(printed.ask(bench, argv, "us a row")):
        row.id = "convolution-%d" % i
        yield row
