"""PyTorch training a DrSAE: the same questions as bench/train.c.

    train.py FOLDER DATA THREADS    weights.npz; a folder of MNIST's IDX files
"""
import os
import sys
import time

import numpy
import torch
from torch.nn import functional

ROWS, T = 128, 11
RATE, MOMENTUM, EVERY = 0.02, 0.9, 5
LAMBDA, CLASSES = 0.035, 0.06
NAMES = ("E", "b", "S", "D", "C", "c")


class Torch:
    def __init__(self, folder, data):
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
        self.sgd = torch.optim.SGD(
            [{"params": [p], "lr": RATE * r} for p, r in zip(self.p, rates)],
            lr=RATE, momentum=MOMENTUM)
        self.steps = self.next = 0

    def step(self):
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


torch.set_num_threads(int(sys.argv[3]))
peer = Torch(sys.argv[1], sys.argv[2])
for line in sys.stdin:
    what, steps = line.split()
    print(peer.answer(what, int(steps)), flush=True)
