"""Training DrSAE beside PyTorch: samples a second, batch 128.

    train.py TRAIN DATA MODEL.safetensors    (bench/train.c, built; MNIST's
                                              folder of IDX files)

Both sides train the same model from the same weights on the same rows in the
same order with the same loss, rates, momentum and bounds. Losses of the first
steps are compared first. Then they take turns, a round each; printed are
medians (least-most) of the rounds and the median of the ratios round by round.
PyTorch runs in several thread settings, and the best of them counts. Two
starts: as training begins, when about half of the units are on, and a trained
model. Run it with a Python that has PyTorch, NumPy is enough beside it.
"""

import json
import os
import statistics
import struct
import subprocess
import sys
import tempfile
import time

import numpy

ROUNDS, STEPS, ROWS, T = 7, 12, 128, 11
RATE, MOMENTUM, EVERY = 0.02, 0.9, 5
LAMBDA, CLASSES = 0.035, 0.06
NAMES = [f"layers.0.{name}" for name in (
    "encoder.weight", "encoder.bias", "encoder.recurrent", "decoder.weight")]
NAMES += ["classifier.weight", "classifier.bias"]
CONFIG = {
    "input": {"shape": [28, 28], "range": [0, 1]},
    "preprocess": [{"op": "unit_norm"}],
    "layers": [{
        "operator": "dense", "units": 400,
        "encoder": {"kind": "recurrent", "nonlinearity": "relu", "steps": T},
        "structure": {"kind": "l1", "lambda": LAMBDA},
        "decoder": True, "up": "code"}],
    "classifier": {"input": "code"}}


# ---- PyTorch's side: the same questions as bench/train.c ----

class Torch:
    def __init__(self, folder, data, threads):
        import torch
        torch.set_num_threads(threads)
        self.torch = torch
        arrays = numpy.load(os.path.join(folder, "weights.npz"))
        self.first = [torch.from_numpy(arrays[name]) for name in NAMES]
        with open(os.path.join(data, "train-images-idx3-ubyte"), "rb") as f:
            pixels = numpy.frombuffer(f.read()[16:], "u1").reshape(-1, 784)
        with open(os.path.join(data, "train-labels-idx1-ubyte"), "rb") as f:
            labels = numpy.frombuffer(f.read()[8:], "u1")
        self.x = torch.from_numpy(pixels.astype("f4") / 255)
        self.y = torch.from_numpy(labels.astype("i8"))
        self.start()

    def start(self):
        self.p = [w.clone().requires_grad_() for w in self.first]
        rates = [1 / T, 1 / T, 1 / (T - 1), 1, 0.2, 0.2]
        self.sgd = self.torch.optim.SGD(
            [{"params": [p], "lr": RATE * r} for p, r in zip(self.p, rates)],
            lr=RATE, momentum=MOMENTUM)
        self.steps = self.next = 0

    def step(self):
        torch, functional = self.torch, self.torch.nn.functional
        E, b, S, D, C, c = self.p
        x = self.x[self.next:self.next + ROWS]
        y = self.y[self.next:self.next + ROWS]
        self.next += ROWS
        x = functional.normalize(x, dim=1)
        ex = torch.addmm(-b, x, E.t())
        z = torch.relu(ex)
        for _ in range(T - 1):
            z = torch.relu(torch.addmm(ex, z, S.t()))
        loss = (z @ D.t() - x).square().sum() / 2 + LAMBDA * z.abs().sum()
        scores = torch.addmm(c, functional.normalize(z, dim=1), C.t())
        loss = (loss + CLASSES * functional.cross_entropy(
            scores, y, reduction="sum")) / ROWS
        self.sgd.zero_grad(set_to_none=True)
        loss.backward()
        self.sgd.step()
        self.steps += 1
        if self.steps % EVERY == 0:
            with torch.no_grad():
                E.renorm_(2, 0, 1.25 / T)
                D.renorm_(2, 1, 1)
                C.renorm_(2, 0, 5)
        return loss, z

    def answer(self, what, steps):
        if what == "start":
            self.start()
            return "ok"
        if what == "losses":
            all_of_it = [self.step() for _ in range(steps)]
            on = (all_of_it[-1][1] != 0).float().mean().item()
            return " ".join([f"{loss.item():.9g}" for loss, _ in all_of_it]
                            + [f"{on:.4f}"])
        begun = time.perf_counter()
        for _ in range(steps):
            self.step()
        return str((time.perf_counter() - begun) / (steps * ROWS) * 1e6)


def serve(folder, data, threads):
    peer = Torch(folder, data, int(threads))
    for line in sys.stdin:
        what, steps = line.split()
        print(peer.answer(what, int(steps)), flush=True)


# ---- both sides ----

class Side:
    """A process that does a round when asked."""

    def __init__(self, name, command, environment=None):
        self.name = name
        self.process = subprocess.Popen(
            command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
            env={**os.environ, **(environment or {})})

    def ask(self, what, steps=1):
        self.process.stdin.write(f"{what} {steps}\n")
        self.process.stdin.flush()
        answer = self.process.stdout.readline().strip()
        if not answer:
            sys.exit(f"train.py: {self.name} has failed")
        return answer

    def close(self):
        self.process.stdin.close()
        self.process.wait()


def torch_sides(folder, data):
    """PyTorch in the settings that a user would try."""
    found = "/usr/lib/x86_64-linux-gnu/openblas-openmp"
    sides = []
    for threads, blas, library in (
            (1, 1, None), (2, 1, None), (2, 2, None), (2, 2, found)):
        if library and not os.path.isdir(library):
            continue
        environment = {"OMP_NUM_THREADS": str(threads),
                       "OPENBLAS_NUM_THREADS": str(blas)}
        if library:
            environment["LD_LIBRARY_PATH"] = library
        name = f"{threads} threads, OpenBLAS {blas}"
        name += ", its OpenMP build" if library else ""
        sides.append(Side(name, [sys.executable, __file__, "--serve", folder,
                                 data, str(threads)], environment))
    return sides


def starting_weights(random, images):
    """As training begins (lib/model/encoder/recurrent.c, start)."""
    D = random.uniform(-1, 1, (784, 400))
    D /= numpy.linalg.norm(D, axis=0)
    rows = images[random.integers(0, len(images), 400)].T
    D += 0.25 * rows / numpy.linalg.norm(rows, axis=0)
    D /= numpy.linalg.norm(D, axis=0)
    step = 1.25 / T
    L = numpy.linalg.eigvalsh(D.T @ D)[-1]
    step = step if step * L < 2 else 1 / L
    C = random.uniform(-1, 1, (10, 400))
    C /= numpy.linalg.norm(C, axis=1, keepdims=True)
    return [step * D.T, numpy.full(400, 1e-5),
            numpy.eye(400) - step * D.T @ D, D, C, numpy.zeros(10)]


def trained_weights(path):
    with open(path, "rb") as f:
        header = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        data = f.read()
    found = []
    for name in NAMES:
        at, end = header[name]["data_offsets"]
        found.append(numpy.frombuffer(data[at:end], "<f4")
                     .reshape(header[name]["shape"]))
    return found


def write(folder, weights):
    weights = [numpy.ascontiguousarray(w, "<f4") for w in weights]
    with open(os.path.join(folder, "config.json"), "w") as f:
        json.dump(CONFIG, f)
    numpy.concatenate([w.ravel() for w in weights]).tofile(
        os.path.join(folder, "weights"))
    numpy.savez(os.path.join(folder, "weights.npz"), **dict(zip(NAMES, weights)))


def compare(sides):
    """Losses of the first steps; returns the share of units on."""
    first = None
    for side in sides:
        side.ask("start")
        answer = [float(x) for x in side.ask("losses", 12).split()]
        first = first or answer
        off = max(abs(a / b - 1) for a, b in zip(answer[:-1], first[:-1]))
        if not off < 1e-4 or abs(answer[-1] - first[-1]) > 1e-3:
            sys.exit(f"train.py: losses differ by {off:g}: {side.name}, "
                     f"{answer} beside {first}")
    return first[-1]


def middle(values, form=".0f"):
    return (f"{statistics.median(values):{form}} "
            f"({min(values):{form}}-{max(values):{form}})")


def rates(sides, what="time"):
    """Samples a second of each side, one round."""
    found = []
    for side in sides:
        side.ask("start")
        found.append(1e6 / float(side.ask(what, STEPS)))
    return found


def row(name, ours, peers, own):
    """One line: `peers` are those whose best counts; `own` gives the products."""
    rounds = [rates([ours] + peers) + rates([own], "products")
              for _ in range(ROUNDS + 1)][1:]  # the first warms up
    columns = list(zip(*rounds))
    best = max(columns[1:-1], key=statistics.median)
    ratios = [a / b for a, b in zip(columns[0], best)]
    which = peers[columns[1:-1].index(best)].name
    print(f"| {name} | {middle(columns[0])} | {middle(best)}: {which} "
          f"| {middle(columns[-1])} | {middle(ratios, '.2f')} |", flush=True)


def measure(program, data, name, weights):
    with tempfile.TemporaryDirectory() as folder:
        write(folder, weights)
        ours = [Side(f"sparsed, {n} threads", [program, folder, data, str(n)])
                for n in (1, 2)]
        peers = torch_sides(folder, data)
        on = compare(ours + peers)
        name = f"training DrSAE, batch {ROWS}, {name} ({on:.0%} on)"
        row(name + ", one thread", ours[0], peers[:1], ours[0])
        row(name + ", two threads", ours[1], peers, ours[0])
        for side in ours + peers:
            side.close()


def main():
    program, data, model = sys.argv[1:]
    with open(os.path.join(data, "train-images-idx3-ubyte"), "rb") as f:
        images = numpy.frombuffer(f.read()[16:], "u1").reshape(-1, 784)
    print(f"Training, samples a second, median (least-most) of {ROUNDS} rounds "
          f"of {STEPS} steps. Dense: the products alone that a step would take "
          f"if nothing were sparse, one thread.\n")
    print("| row | sparsed | PyTorch at its best | dense | sparsed / PyTorch |\n"
          "|---|---|---|---|---|")
    random = numpy.random.default_rng(1)
    measure(program, data, "at the start",
            starting_weights(random, images / 255.0))
    measure(program, data, "trained", trained_weights(model))


if sys.argv[1] == "--serve":
    serve(*sys.argv[2:])
else:
    main()
