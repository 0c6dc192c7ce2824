"""The independent judge: a forward pass in NumPy, from the model file alone.

The file is read by the public safetensors package; all sums are in double
precision. Recurrent: z_1 = f(E x, b), z_{t+1} = f(E x + S z_t, b).
"""
import json

import numpy as np
from safetensors import safe_open

from . import structures

TINY = 1e-12  # what divides is never smaller

NONLINEARITIES = {
    "relu": lambda a, b: np.maximum(0, a - b),
    "tanh": lambda a, b: np.tanh(a - b),
    "identity": lambda a, b: a - b,
    "shrink": lambda a, b: np.sign(a) * np.maximum(0, np.abs(a) - b),
}


def softmax(scores):
    e = np.exp(scores - scores.max(axis=1, keepdims=True))
    return e / e.sum(axis=1, keepdims=True)


def norms(rows):
    return np.maximum(np.linalg.norm(rows, axis=1, keepdims=True), TINY)


class Layer:
    """A dense layer with l1, or windows over its units, as its structure."""

    def __init__(self, index, config, tensors):
        def get(name):
            return tensors.get("layers.%d.%s" % (index, name))

        assert config["operator"] == "dense", config
        self.windows = structures.ring(config["structure"], config["units"])
        assert (config["structure"]["kind"] == "l1" or
                self.windows is not None), config
        self.f = NONLINEARITIES[config["encoder"]["nonlinearity"]]
        self.steps = config["encoder"].get("steps", 1)
        self.pooled_up = config.get("up", "code") == "pooled"
        self.E = get("encoder.weight")
        self.b = get("encoder.bias")
        self.S = get("encoder.recurrent")
        self.gain = get("encoder.gain")
        self.D = get("decoder.weight")

    def encode(self, x, steps=None):
        """Codes (B,n) after each step."""
        drive = x @ self.E.T
        trace = [self.unit(drive)]
        if self.S is not None:
            for _ in range((steps or self.steps) - 1):
                trace.append(self.unit(drive + trace[-1] @ self.S.T))
        return trace

    def unit(self, a):
        z = self.f(a, self.b)
        return z if self.gain is None else z * self.gain

    def pool(self, z):
        if self.windows is None:
            return np.abs(z)
        return np.sqrt(z ** 2 @ self.windows.T)

    def unpool(self, wanted, z):
        """z scaled so that its pools are as wanted."""
        if self.windows is None:
            return wanted * np.sign(z)
        share = wanted / np.maximum(self.pool(z), TINY)
        return z * (share @ self.windows) / self.windows.sum(0)


class Model:
    def __init__(self, path):
        with safe_open(path, framework="numpy") as file:
            tensors = {name: file.get_tensor(name).astype(np.float64)
                       for name in file.keys()}
            meta = file.metadata()
        assert meta["format"] == "sparsed", meta
        self.config = json.loads(meta["config"])
        self.classes = json.loads(meta["classes"]) if "classes" in meta else []
        self.low, self.high = self.config["input"]["range"]
        self.shape = self.config["input"]["shape"]
        self.ops = [step["op"] for step in self.config.get("preprocess", [])]
        assert set(self.ops) <= {"unit_norm", "whiten"}, self.ops
        self.unit_norm = "unit_norm" in self.ops
        self.mean, self.whiten, self.unwhiten = (
            tensors.get("preprocess." + name)
            for name in ("mean", "whiten", "unwhiten"))
        self.layers = [Layer(i, layer, tensors)
                       for i, layer in enumerate(self.config["layers"])]
        self.C = tensors.get("classifier.weight")
        self.c = tensors.get("classifier.bias")
        self.pooled_in = self.config.get("classifier",
                                         {}).get("input") == "pooled"

    def prepare(self, x):
        """x (B,m) as the first layer sees it, and its scales (B,1)."""
        x = np.asarray(x, np.float64).reshape(len(x), -1)
        scale = np.ones((len(x), 1))
        for op in self.ops:
            if op == "whiten":
                x = (x - self.mean) @ self.whiten.T
            else:
                scale = norms(x)
                x = x / scale
        return x, scale

    def restore(self, x, scale):
        """The way back from what the first layer sees."""
        for op in reversed(self.ops):
            x = x @ self.unwhiten.T + self.mean if op == "whiten" else x * scale
        return x

    def traces(self, x, steps=None):
        """For each layer the codes after each step."""
        up, _ = self.prepare(x)
        out = []
        for layer in self.layers:
            out.append(layer.encode(up, steps))
            up = out[-1][-1]
            if layer.pooled_up:
                up = layer.pool(up)
        return out

    def encode(self, x, layer=-1, steps=None):
        return self.traces(x, steps)[layer][-1]

    def pool(self, x, layer=-1):
        return self.layers[layer].pool(self.encode(x, layer))

    def draw(self, z, layer=-1, trace=None):
        """What codes z (B,n) of a layer draw, as the first layer sees it.
        Pooled codes on the way scale the units of the layer below, whose codes
        the trace has."""
        top = layer % len(self.layers)
        for i in range(top, -1, -1):
            z = z @ self.layers[i].D.T
            if i > 0 and self.layers[i - 1].pooled_up:
                z = self.layers[i - 1].unpool(z, trace[i - 1][-1])
        return z

    def decode(self, z, layer=-1, scale=1.0):
        """The same in the input's units."""
        return self.restore(self.draw(z, layer), scale)

    def reconstruct(self, x, layer=-1):
        """x^ in the input's units (B,m), and ||x - x^|| / ||x|| (B)."""
        prepared, scale = self.prepare(x)
        trace = self.traces(x)
        drawn = self.draw(trace[layer][-1], layer, trace)
        error = np.linalg.norm(prepared - drawn, axis=1)
        size = np.linalg.norm(prepared, axis=1)
        with np.errstate(invalid="ignore", divide="ignore"):
            return self.restore(drawn, scale), error / size

    def probabilities(self, x):
        z = self.encode(x)
        z = self.layers[-1].pool(z) if self.pooled_in else z
        return softmax(z / norms(z) @ self.C.T + self.c)
