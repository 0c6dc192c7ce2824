"""A peer that encodes and classifies, as a worker (bench/worker.py).

    encode.py KIND MODEL THREADS INPUTS FOLDER

KIND is onnxruntime (MODEL is an ONNX file), pytorch (TorchScript, frozen) or
sgemm (the dense products of NumPy's OpenBLAS, written into arrays that stay),
for which MODEL is the safetensors file. E x is computed once, and each further
step is a product with S. Time is the thread's processor time, of several
threads the wall's.
"""
import os
import pathlib
import sys
import time

KIND, MODEL, THREADS, INPUTS, FOLDER = sys.argv[1:]
for name in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[name] = THREADS

import numpy as np

import tensors

clock = time.thread_time if THREADS == "1" else time.perf_counter


def weights():
    config, t = tensors.load(MODEL)
    layer = "layers.0."
    return config["layers"][0]["encoder"]["steps"], {
        "E": t[layer + "encoder.weight"].T,
        "minus_b": -t[layer + "encoder.bias"],
        "S": t[layer + "encoder.recurrent"].T,
        "C": t["classifier.weight"].T, "c": t["classifier.bias"]}


def with_onnxruntime():
    import onnxruntime
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = int(THREADS)
    options.inter_op_num_threads = 1
    session = onnxruntime.InferenceSession(
        MODEL, options, providers=["CPUExecutionProvider"])
    return lambda x: session.run(["code", "probabilities"], {"input": x})


def with_pytorch():
    import torch
    torch.set_num_threads(int(THREADS))
    steps, w = weights()

    class Net(torch.nn.Module):
        def __init__(self):
            super().__init__()
            for name in ("E", "minus_b", "S", "C", "c"):
                self.register_buffer(name, torch.tensor(
                    np.ascontiguousarray(w[name])))
            self.steps: int = steps

        def forward(self, x):
            x = torch.nn.functional.normalize(x.flatten(1), dim=1, eps=1e-12)
            ex = torch.addmm(self.minus_b, x, self.E)
            z = torch.relu(ex)
            for _ in range(self.steps - 1):
                z = torch.relu_(torch.addmm(ex, z, self.S))
            h = torch.nn.functional.normalize(z, dim=1, eps=1e-12)
            return z, torch.softmax(torch.addmm(self.c, h, self.C), 1)

    net = torch.jit.freeze(torch.jit.script(Net().eval()))

    def run(x):
        with torch.inference_mode():
            return net(torch.from_numpy(x))

    return run


def with_sgemm():
    steps, w = weights()
    kept = {}

    def run(x):
        B = len(x)
        if B not in kept:
            kept[B] = [np.empty((B, len(w["minus_b"])), "f4") for _ in "123"]
        ex, z, a = kept[B]
        x = x.reshape(B, -1)
        x = x / np.maximum(np.linalg.norm(x, axis=1, keepdims=True), 1e-12)
        np.matmul(x, w["E"], out=ex)
        ex += w["minus_b"]
        np.maximum(ex, 0, out=z)
        for _ in range(steps - 1):
            np.matmul(z, w["S"], out=a)
            np.add(a, ex, out=a)
            np.maximum(a, 0, out=z)
        h = z / np.maximum(np.linalg.norm(z, axis=1, keepdims=True), 1e-12)
        p = np.exp(h @ w["C"] + w["c"])
        return z, p / p.sum(axis=1, keepdims=True)

    return run


def main():
    run = {"onnxruntime": with_onnxruntime, "pytorch": with_pytorch,
           "sgemm": with_sgemm}[KIND]()
    x = np.fromfile(INPUTS, "<f4").reshape(-1, 28, 28)
    parts = {}
    for line in sys.stdin:
        if line.startswith("check"):
            for name, y in zip(("codes", "probabilities"), run(x)):
                np.asarray(y, "<f4").tofile(pathlib.Path(FOLDER) / name)
            print("done", flush=True)
            continue
        rows, times = map(int, line.split())
        if rows not in parts:
            parts[rows] = [x[i:i + rows]
                           for i in range(0, len(x) - rows + 1, rows)]
            run(parts[rows][0])
        todo = parts[rows]
        start = clock()
        for i in range(times):
            run(todo[i % len(todo)])
        print((clock() - start) * 1e6 / (rows * times), flush=True)


main()
