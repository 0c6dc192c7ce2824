"""Training a DrSAE, batch 128: samples a second.

Both sides train the same model from the same weights on the same rows in the
same order, with the same loss, rates, momentum and bounds; losses of the first
steps are compared first. PyTorch runs in the thread settings that a user would
try, and the best of a round counts. Two starts: a trained model, and starting
values, with which most units are on, so that nothing is gained by their zeros.
"""
import json
import os
import struct

import numpy as np

from row import Missing, Row
from worker import Worker

STEPS, ROWS, T = 12, 128, 11
TENSORS = {"E": "layers.0.encoder.weight", "b": "layers.0.encoder.bias",
           "S": "layers.0.encoder.recurrent", "D": "layers.0.decoder.weight",
           "C": "classifier.weight", "c": "classifier.bias"}
CONFIG = {
    "input": {"shape": [28, 28], "range": [0, 1]},
    "preprocess": [{"op": "unit_norm"}],
    "layers": [{
        "operator": "dense", "units": 400,
        "encoder": {"kind": "recurrent", "nonlinearity": "relu", "steps": T},
        "structure": {"kind": "l1", "lambda": 0.035},
        "decoder": True, "up": "code"}],
    "classifier": {"input": "code"}}

# Threads, those of OpenBLAS, and its build for OpenMP where it is installed.
OPENMP = "/usr/lib/x86_64-linux-gnu/openblas-openmp"
SETTINGS = ((1, 1, None), (2, 1, None), (2, 2, None), (2, 2, OPENMP))


def starting_weights(images):
    """As training begins (lib/model/encoder/recurrent.c, start)."""
    random = np.random.default_rng(1)
    D = random.uniform(-1, 1, (784, 400))
    D /= np.linalg.norm(D, axis=0)
    rows = images[random.integers(0, len(images), 400)].T
    D += 0.25 * rows / np.linalg.norm(rows, axis=0)
    D /= np.linalg.norm(D, axis=0)
    step = min(1.25 / T, 1 / np.linalg.eigvalsh(D.T @ D)[-1])
    C = random.uniform(-1, 1, (10, 400))
    C /= np.linalg.norm(C, axis=1, keepdims=True)
    return {"E": step * D.T, "b": np.full(400, 1e-5),
            "S": np.eye(400) - step * D.T @ D, "D": D, "C": C,
            "c": np.zeros(10)}


def trained_weights(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    found = {}
    for name, tensor in TENSORS.items():
        at, end = header[tensor]["data_offsets"]
        found[name] = np.frombuffer(data[at:end], "<f4").reshape(
            header[tensor]["shape"])
    return found


def write(folder, weights):
    """What both sides read, each in its own form."""
    folder.mkdir()
    weights = {n: np.ascontiguousarray(w, "<f4") for n, w in weights.items()}
    (folder / "config.json").write_text(json.dumps(CONFIG))
    np.concatenate([weights[n].ravel() for n in TENSORS]).tofile(
        folder / "weights")
    np.savez(folder / "weights.npz", **weights)


def torch_sides(bench, folder, threads):
    for n, blas, library in SETTINGS:
        if n > threads or (library and not os.path.isdir(library)):
            continue
        env = {"OMP_NUM_THREADS": str(n), "OPENBLAS_NUM_THREADS": str(blas)}
        if library:
            env["LD_LIBRARY_PATH"] = library
        yield Worker([bench.python, "bench/peers/train.py", folder,
                      bench.root / "data/mnist", n], folder, env)


def compare(sides):
    """The share of units that are on after a few steps."""
    first = None
    for side in sides:
        side.ask("start 1")
        answer = [float(x) for x in side.ask("losses %d" % STEPS).split()]
        first = first or answer
        off = max(abs(a / b - 1) for a, b in zip(answer[:-1], first[:-1]))
        if not off < 1e-4:
            raise SystemExit("%s: losses differ by %g" % (
                " ".join(side.argv), off))
    return first[-1]


def rate(side, what, steps):
    """Samples a second of one round, from the same weights each time."""
    side.ask("start 1")
    return 1e6 / float(side.ask("%s %d" % (what, steps)))


def rounds(bench, folder, name, threads, goal):
    ours = Worker([bench.program("train"), folder,
                   bench.root / "data/mnist", threads], folder)
    sides = [ours, *torch_sides(bench, folder, threads)]
    try:
        on = compare(sides)
        figures = []
        for _ in range(bench.rounds):
            figures.append((
                rate(ours, "time", bench.times(STEPS)),
                max(rate(s, "time", bench.times(STEPS)) for s in sides[1:]),
                threads * rate(ours, "products", bench.times(STEPS))))
    finally:
        for side in sides:
            side.close()
    mine, torch, products = (list(f) for f in zip(*figures))
    name = "training DrSAE, batch %d, %s (%.0f %% of the units on), %s" % (
        ROWS, name, 100 * on, "two threads" if threads == 2 else "one thread")
    for id, peer, figures, goal in (
            ("torch", "PyTorch at its best", torch, goal),
            ("products", "sgemm, the products alone, once a thread", products,
             {})):
        yield Row("training-%s-%s" % (folder.name + str(threads), id), name,
                  "samples a second", mine, {peer: figures}, less=False,
                  **goal)


def measure(bench):
    if not bench.has_module("torch"):
        raise Missing("PyTorch is not installed (Debian's python3-torch)")
    images = (bench.root / "data/mnist/train-images-idx3-ubyte").read_bytes()
    images = np.frombuffer(images[16:], "u1").reshape(-1, 784) / 255
    model = bench.root / "models/mnist-drsae/1/model.safetensors"
    for name, weights in (("trained", trained_weights(model)),
                          ("at the start", starting_weights(images))):
        folder = bench.folder / name.replace(" ", "-")
        write(folder, weights)
        for threads in (2, 1):
            goal = name == "trained" and threads == 2
            yield from rounds(bench, folder, name, threads,
                         {"must": 2.5} if goal else {})
