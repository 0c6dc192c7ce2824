"""Convolutions beside ONNX Runtime and, where it is installed, PyTorch.

    conv.py CONV    (bench/conv.c, built)

Both sides get the same weights and inputs, and their results are compared
first. Then they take turns, a round each, with one thread; printed are medians
(least-most) of the rounds in microseconds a row and the median of the ratios
round by round.
"""

import json
import os
import statistics
import subprocess
import sys
import tempfile
import time

for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = "1"

import numpy
import onnx
import onnxruntime
from onnx import TensorProto, helper, numpy_helper

try:
    import torch

    torch.set_num_threads(1)
except ImportError:
    torch = None

ROUNDS, ROWS = int(os.environ.get("BENCH_ROUNDS", 15)), 128

# channels, height, width; maps, kernel, padding
LAYERS = [(1, 28, 28, 32, 5, 0), (32, 12, 12, 64, 5, 0), (32, 14, 14, 64, 5, 2)]


class Ours:
    """bench/conv.c, which does one round when asked."""

    def __init__(self, program, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            [program, folder], stdin=subprocess.PIPE, stdout=subprocess.PIPE,
            text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def results(self):
        assert self.ask("check") == "done"
        return [numpy.fromfile(os.path.join(self.folder, name), "<f4")
                for name in ("code", "d_inputs", "d_weights")]

    def close(self):
        self.process.stdin.close()
        if self.process.wait():
            sys.exit("conv.py: our side has failed")


def make(layer, folder):
    """Writes the folder that bench/conv.c reads; weights, bias, inputs."""
    channels, height, width, maps, kernel, padding = layer
    config = {
        "input": {"shape": [channels, height, width]},
        "layers": [{
            "operator": "conv2d", "maps": maps, "kernel": kernel,
            "padding": padding, "decoder": False,
            "encoder": {"kind": "feedforward", "nonlinearity": "relu"},
            "structure": {"kind": "l1", "lambda": 0.1}}]}
    random = numpy.random.default_rng(1)
    w = random.normal(size=(maps, channels, kernel, kernel)).astype("<f4") / 5
    b = random.normal(size=maps).astype("<f4") / 5
    x = random.random(size=(ROWS, channels, height, width), dtype="<f4")
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(config, f)
    numpy.concatenate([w.ravel(), b]).tofile(os.path.join(folder, "weights"))
    x.tofile(os.path.join(folder, "inputs"))
    return w, b, x


def session(layer, w, b):
    """relu(W x - b) in ONNX Runtime."""
    channels, height, width, _, _, padding = layer
    graph = helper.make_graph(
        [helper.make_node("Conv", ["x", "w", "b"], ["a"], pads=[padding] * 4),
         helper.make_node("Relu", ["a"], ["z"])], "layer",
        [helper.make_tensor_value_info(
            "x", TensorProto.FLOAT, ["B", channels, height, width])],
        [helper.make_tensor_value_info("z", TensorProto.FLOAT, ["B", None, None, None])],
        [numpy_helper.from_array(w, "w"), numpy_helper.from_array(-b, "b")])
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    return onnxruntime.InferenceSession(
        model.SerializeToString(), options,
        providers=["CPUExecutionProvider"])


def torch_training(layer, w, x):
    """W x, and both gradients for W x itself as the slope."""
    weight = torch.from_numpy(w).requires_grad_()
    inputs = torch.from_numpy(x).requires_grad_()

    def train():
        weight.grad = inputs.grad = None
        y = torch.nn.functional.conv2d(inputs, weight, padding=layer[5])
        y.backward(y.detach())
        return inputs.grad.numpy(), weight.grad.numpy()

    return train


def compare(name, ours, theirs):
    theirs = numpy.asarray(theirs).ravel()
    off = numpy.abs(ours - theirs).max() / numpy.abs(theirs).max()
    if not off < 1e-4:
        sys.exit(f"conv.py: {name} differ by {off:g}")


def middle(values, form):
    return (f"{statistics.median(values):{form}} "
            f"({min(values):{form}}-{max(values):{form}})")


def row(name, ours, work, times, rows, peer):
    """One line of the table: `times` pieces of work of `rows` rows a round."""
    a, c = [], []
    for _ in range(ROUNDS + 1):
        a.append(float(ours.ask(f"{work} {times}")))
        start = time.perf_counter()
        for i in range(times):
            peer(i)
        c.append((time.perf_counter() - start) / (times * rows) * 1e6)
    a, c = a[1:], c[1:]  # the first round warms up
    ratios = [y / x for x, y in zip(a, c)]
    print(f"| {name} | {middle(a, '.1f')} | {middle(c, '.1f')} "
          f"| {middle(ratios, '.2f')} |", flush=True)


def measure(program, layer):
    channels, height, width, maps, kernel, padding = layer
    name = f"{channels}x{height}x{width} to {maps} maps {kernel}x{kernel}"
    name += f", padding {padding}" if padding else ""
    with tempfile.TemporaryDirectory() as folder:
        w, b, x = make(layer, folder)
        ours = Ours(program, folder)
        code, d_inputs, d_weights = ours.results()
        run = session(layer, w, b).run
        compare("codes", code, run(None, {"x": x})[0])
        singles = [{"x": x[i:i + 1]} for i in range(ROWS)]
        row(f"{name}, encode one; peer: ONNX Runtime", ours, "one", 256, 1,
            lambda i: run(None, singles[i % ROWS]))
        row(f"{name}, encode {ROWS}; peer: ONNX Runtime", ours, "batch", 2,
            ROWS, lambda i: run(None, {"x": x}))
        if torch:
            train = torch_training(layer, w, x)
            slopes = train()
            compare("gradients on inputs", d_inputs, slopes[0])
            compare("gradients on weights", d_weights, slopes[1])
            row(f"{name}, train {ROWS}; peer: PyTorch", ours, "train", 1, ROWS,
                lambda i: train())
        ours.close()


def main():
    versions = f"ONNX Runtime {onnxruntime.__version__}"
    versions += f", PyTorch {torch.__version__}" if torch else ""
    print(f"Convolutions, microseconds a row, one thread each, median "
          f"(least-most) of {ROUNDS} rounds; {versions}. Training is W x, "
          f"and both gradients.\n")
    print("| row | sparsed | peer | peer / sparsed |\n|---|---|---|---|")
    for layer in LAYERS:
        measure(sys.argv[1], layer)


main()
