"""Convolutional stacks and group models, one row and a batch, beside ONNX
Runtime (bench/encode.c, bench/peers/models.py)."""
from rows import printed


def measure(bench):
    argv = [bench.python, printed.script(bench, "models.py"),
            bench.program("encode")]
    for row in printed.ask(bench, argv, "us a row"):
        row.id = "model-" + row.name.replace(", ", "-").replace(" ", "-")
        row.must = 1.2 if row.name.endswith("one") else 0.8
        row.reach = 2
        if "ONNX Runtime" not in row.peers:
            first, = row.peers
            row.peers = {"ONNX Runtime": row.peers[first]}
            row.given = {"ONNX Runtime": row.given[first]}
        yield row
