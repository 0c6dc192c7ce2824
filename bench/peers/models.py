"""Whole models beside ONNX Runtime: codes, groups and classes.

    models.py ENCODE [MODEL ...]    (bench/encode.c, built; default: all below)

Both sides get the same weights and the same real digits, and their results are
compared first. Then they take turns, a round each, with one thread; printed
are medians (least-most) of the rounds in microseconds of processor time a row
and the median of the ratios round by round.

The peer's graph is written the way that ONNX Runtime runs fastest: gains
inside the weights, windows as average pools of squares, blocks as norms.
"""

import json
import os
import statistics
import struct
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

ROUNDS, ROWS = 11, 128
MODELS = ["mnist-conv-stack", "fashion-conv-stack", "mnist-conv-drsae",
          "digits-groups", "mnist-drsae-groups"]


class Ours:
    """bench/encode.c, which does one round when asked."""

    def __init__(self, program, model, inputs, folder):
        self.folder = folder
        self.process = subprocess.Popen(
            [program, model, inputs, folder], stdin=subprocess.PIPE,
            stdout=subprocess.PIPE, text=True)

    def ask(self, line):
        self.process.stdin.write(line + "\n")
        self.process.stdin.flush()
        return self.process.stdout.readline().strip()

    def results(self):
        assert self.ask("check") == "done"
        return {name: numpy.fromfile(os.path.join(self.folder, name), "<f4")
                for name in ("codes", "pools", "probabilities")}

    def close(self):
        self.process.stdin.close()
        if self.process.wait():
            sys.exit("models.py: our side has failed")


def load(model):
    """The config and the float tensors of a model's file."""
    with open(f"models/{model}/1/model.safetensors", "rb") as f:
        head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        body = f.read()
    tensors = {
        name: numpy.frombuffer(body[slice(*t["data_offsets"])], "<f4")
        .reshape(t["shape"]) for name, t in head.items()
        if name != "__metadata__" and t["dtype"] == "F32"}
    return json.loads(head["__metadata__"]["config"]), tensors


class Graph:
    """ONNX nodes, one value after another."""

    def __init__(self):
        self.nodes, self.constants, self.count = [], [], 0

    def constant(self, array, kind="f4"):
        self.count += 1
        name = f"c{self.count}"
        self.constants.append(
            numpy_helper.from_array(numpy.ascontiguousarray(array, kind), name))
        return name

    def apply(self, op, *inputs, name=None, **settings):
        self.count += 1
        name = name or f"v{self.count}"
        self.nodes.append(helper.make_node(op, list(inputs), [name], **settings))
        return name

    def unit(self, x, axes):
        return self.apply("Div", x, self.apply(
            "Max", self.apply("ReduceL2", x, axes=axes, keepdims=1),
            self.constant([1e-12])))

    def session(self, shape, outputs):
        graph = helper.make_graph(
            self.nodes, "model",
            [helper.make_tensor_value_info("x", TensorProto.FLOAT,
                                           ["B"] + shape)],
            [helper.make_tensor_value_info(name, TensorProto.FLOAT, None)
             for name in outputs], self.constants)
        model = helper.make_model(
            graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
        options = onnxruntime.SessionOptions()
        options.intra_op_num_threads = options.inter_op_num_threads = 1
        return onnxruntime.InferenceSession(
            model.SerializeToString(), options,
            providers=["CPUExecutionProvider"])


def code(g, x, layer, t, under):
    """The code of x, with the encoder's tensors from `under` on."""
    e = t[under + "encoder.weight"]
    b, gain = t[under + "encoder.bias"], t.get(under + "encoder.gain")
    folds = gain is not None and (gain > 0).all()
    if folds:
        e = e * gain.reshape((-1,) + (1,) * (e.ndim - 1))
        b = b * gain
    assert layer["encoder"]["nonlinearity"] == "relu"
    if layer["operator"] == "conv2d":
        settings = {"strides": [layer.get("stride", 1)] * 2,
                    "pads": [layer.get("padding", 0)] * 4}
        ex = g.apply("Conv", x, g.constant(e), g.constant(-b), **settings)
    else:
        ex = g.apply("Gemm", x, g.constant(e.T), g.constant(-b))
    z = g.apply("Relu", ex)
    if layer["encoder"]["kind"] == "recurrent":
        s = t[under + "encoder.recurrent"]
        w = g.constant(s if s.ndim == 4 else s.T)
        for _ in range(layer["encoder"]["steps"] - 1):
            if s.ndim == 4:
                sz = g.apply("Conv", z, w, pads=[s.shape[2] // 2] * 4)
                z = g.apply("Relu", g.apply("Add", sz, ex))
            else:
                z = g.apply("Relu", g.apply("Gemm", z, w, ex))
    if gain is not None and not folds:
        g_ = gain.reshape((-1,) + (1,) * (e.ndim - 2)) if e.ndim == 4 else gain
        z = g.apply("Mul", z, g.constant(g_))
    return z


def pools(g, z, layer, units):
    structure = layer["structure"]
    if "window" in structure:
        size, stride = structure["window"]["size"], structure["window"]["stride"]
        assert "weights" not in structure["window"]
        return g.apply("Sqrt", g.apply(
            "AveragePool", g.apply("Mul", z, z), kernel_shape=[size] * 2,
            strides=[stride] * 2))
    if "blocks" in structure:
        k = structure["blocks"]
        blocks = g.apply("Reshape", z, g.constant([-1, units // k, k], "i8"))
        return g.apply("ReduceL2", blocks, axes=[2], keepdims=0)
    return g.apply("Abs", z)


def session(config, t):
    """The model in ONNX Runtime, and the names of its outputs."""
    g, shape = Graph(), config["input"]["shape"]
    assert config["preprocess"] == [{"op": "unit_norm"}]
    x = g.unit("x", [1, 2])
    if config["layers"][0]["operator"] == "conv2d":
        x = g.apply("Unsqueeze", x, g.constant([1], "i8"))
    else:
        x = g.apply("Flatten", x)
    for i, layer in enumerate(config["layers"]):
        z = code(g, x, layer, t, f"layers.{i}.")
        v = pools(g, z, layer, layer.get("units"))
        x = v if layer.get("up") == "pooled" else z
    h = g.apply("Flatten", v if config["classifier"]["input"] == "pooled" else z)
    g.apply("Softmax", g.apply(
        "Gemm", g.unit(h, [1]), g.constant(t["classifier.weight"].T),
        g.constant(t["classifier.bias"])), name="probabilities", axis=1)
    return g.session(shape, [z, v, "probabilities"])


def compare(name, ours, theirs):
    theirs = numpy.asarray(theirs).ravel()
    off = numpy.abs(ours - theirs).max() / numpy.abs(theirs).max()
    if not off < 1e-4:
        sys.exit(f"models.py: {name} differ by {off:g}")


def middle(values, form):
    return (f"{statistics.median(values):{form}} "
            f"({min(values):{form}}-{max(values):{form}})")


def row(name, ours, run, x, rows, times):
    """One line of the table: `times` calls of `rows` rows a round."""
    parts = [{"x": x[i:i + rows]} for i in range(0, len(x), rows)]
    a, c = [], []
    for _ in range(ROUNDS + 1):
        a.append(float(ours.ask(f"{rows} {times}")))
        start = time.thread_time()
        for i in range(times):
            run(None, parts[i % len(parts)])
        c.append((time.thread_time() - start) / (times * rows) * 1e6)
    a, c = a[1:], c[1:]  # the first round warms up
    print(f"| {name} | {middle(a, '.1f')} | {middle(c, '.1f')} "
          f"| {middle([y / x for x, y in zip(a, c)], '.2f')} |", flush=True)


def images(model, n):
    """Real digits, or pieces of clothing, in 0..1."""
    kind = "fashion-mnist" if model.startswith("fashion") else "mnist"
    with open(f"data/{kind}/t10k-images-idx3-ubyte", "rb") as f:
        f.seek(16)
        raw = numpy.frombuffer(f.read(n * 784), "u1")
    return (raw.reshape(n, 28, 28) / 255).astype("<f4")


def measure(program, model):
    config, tensors = load(model)
    x = images(model, ROWS)
    with tempfile.TemporaryDirectory() as folder:
        inputs = os.path.join(folder, "inputs")
        x.tofile(inputs)
        ours = Ours(program, f"models/{model}", inputs, folder)
        run = session(config, tensors).run
        results = ours.results()
        for name, theirs in zip(("codes", "pools", "probabilities"),
                                run(None, {"x": x})):
            compare(f"{model}: {name}", results[name], theirs)
        row(f"{model}, one", ours, run, x, 1, ROWS)
        row(f"{model}, {ROWS} rows", ours, run, x, ROWS, 2)
        ours.close()


def main():
    print(f"Codes, groups and classes of whole models, microseconds a row, one "
          f"thread each, median (least-most) of {ROUNDS} rounds; peer: ONNX "
          f"Runtime {onnxruntime.__version__}.\n")
    print("| model | sparsed | peer | peer / sparsed |\n|---|---|---|---|")
    for model in sys.argv[2:] or MODELS:
        measure(sys.argv[1], model)


main()
