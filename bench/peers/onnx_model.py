"""A shipped DrSAE as an ONNX file, written by hand from its safetensors.

    onnx_model.py MODEL.safetensors FILE

Input `input` (B, 28, 28), outputs `code` and `probabilities`. E x is computed
once, the steps are unrolled, and each is one Gemm and one Relu.
"""
import sys

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

import tensors


def build(config, t):
    layer, = config["layers"]
    steps = layer["encoder"]["steps"]
    constants = {
        "E": t["layers.0.encoder.weight"].T,
        "minus_b": -t["layers.0.encoder.bias"],
        "S": t["layers.0.encoder.recurrent"].T,
        "C": t["classifier.weight"].T, "c": t["classifier.bias"],
        "least": np.float32([1e-12])}
    node = helper.make_node
    nodes = [node("Flatten", ["input"], ["x"]),
             node("ReduceL2", ["x"], ["x_norm"], axes=[1], keepdims=1),
             node("Max", ["x_norm", "least"], ["x_size"]),
             node("Div", ["x", "x_size"], ["unit"]),
             node("Gemm", ["unit", "E", "minus_b"], ["ex"]),
             node("Relu", ["ex"], ["z1"])]
    for i in range(1, steps):
        out = "code" if i == steps - 1 else "z%d" % (i + 1)
        nodes += [node("Gemm", ["z%d" % i, "S", "ex"], ["a%d" % i]),
                  node("Relu", ["a%d" % i], [out])]
    nodes += [node("ReduceL2", ["code"], ["z_norm"], axes=[1], keepdims=1),
              node("Max", ["z_norm", "least"], ["z_size"]),
              node("Div", ["code", "z_size"], ["h"]),
              node("Gemm", ["h", "C", "c"], ["scores"]),
              node("Softmax", ["scores"], ["probabilities"], axis=1)]
    value = helper.make_tensor_value_info
    graph = helper.make_graph(
        nodes, "drsae", [value("input", TensorProto.FLOAT, ["B", 28, 28])],
        [value("code", TensorProto.FLOAT, ["B", layer["units"]]),
         value("probabilities", TensorProto.FLOAT, ["B", 10])],
        [numpy_helper.from_array(np.ascontiguousarray(v, "f4"), k)
         for k, v in constants.items()])
    return helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)


model = build(*tensors.load(sys.argv[1]))
checker.check_model(model)
save(model, sys.argv[2])
