"""A trained model as a judge from outside sees it: its file, read by the
public safetensors package, and what the real binary answers.

The sums here are in double precision and share no code with the program.
"""
import json
import os
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import numpy as np
from safetensors import safe_open
from safetensors.numpy import save_file

import trees
from groups import Groups
from layers import Layer, as_picture
from windows import pair

ROOT = Path(__file__).resolve().parents[2]


def find(word):
    """The folder of a model by its name: shipped, or as `make train` leaves
    it. Any other word is a path."""
    if not word:
        sys.exit("figures: which model? MODEL=name, or A=name B=name")
    for folder in ("models", "build/models"):
        if "/" not in word and (ROOT / folder / word).is_dir():
            return ROOT / folder / word
    return Path(word)


def binary():
    return (ROOT / os.environ.get("SPARSED", "build/sparsed")).resolve()


def sparsed(*arguments, check=True):
    """Runs the binary; its failure is the end, in its own words."""
    if not binary().exists():
        sys.exit("figures: %s is not there; `make` builds it" % binary())
    done = subprocess.run([binary(), *map(str, arguments)], text=True,
                          capture_output=True, check=False)
    if check and done.returncode != 0:
        sys.exit("sparsed %s: %s" % (arguments[0], done.stderr.strip()))
    return done


class Model:
    """The model of a file, a version folder or a model folder."""

    def __init__(self, path):
        told = json.loads(sparsed("inspect", path, "--json").stdout)
        self.path = Path(told["path"])
        self.config, self.metrics = told["config"], told["metrics"] or {}
        with safe_open(self.path, "np") as file:
            self.metadata = file.metadata()
            self.tensors = {name: file.get_tensor(name)
                            for name in file.keys()}
        self.shape = tuple(self.config["input"]["shape"])
        self.low, self.high = self.config["input"].get("range", (0, 1))
        self.top = len(self.config["layers"]) - 1
        self.layer = self.config["layers"][self.top]
        self.layers, shape = [], as_picture(self.shape)
        for config, of in zip(self.config["layers"], told["layers"]):
            self.layers.append(Layer(config, shape, of["units"], of["pools"]))
            shape = self.layers[-1].above()
        self.units = self.layers[-1].units
        self.encoder = self.layer["encoder"]
        self.structure = self.layer["structure"]

    def own(self, name):
        """A tensor of the top layer in doubles, or None."""
        tensor = self.tensors.get("layers.%d.%s" % (self.top, name))
        return None if tensor is None else tensor.astype(float)

    def groups(self):
        """The groups that the file shows, or None."""
        starts = self.own("structure.groups.indptr")
        if starts is None:
            return None
        return Groups(starts.astype(int),
                      self.own("structure.groups.indices").astype(int),
                      self.own("structure.groups.weights"), self.units)

    def pools(self):
        """Groups of several units that may take turns, or None. Those of a
        tree are none: a sub-tree's group is on when its top unit is."""
        groups = self.layers[self.top].windows or self.groups()
        if groups is None or groups.are_single() \
                or trees.parents(self.structure) is not None:
            return None
        return groups

    def is_nonnegative(self):
        return bool(self.encoder.get("nonnegative"))

    # ---- spaces ----

    def preprocess(self, x):
        """x (n, inputs) in the space of the codes."""
        x = np.array(x, float).reshape(len(x), -1)
        for step in self.config.get("preprocess", []):
            if step["op"] == "unit_norm":
                norms = np.linalg.norm(x, axis=1, keepdims=True)
                x = x / np.maximum(norms, 1e-12)
            elif step["op"] == "whiten":
                whiten = self.tensors["preprocess.whiten"].astype(float)
                x = (x - self.tensors["preprocess.mean"]) @ whiten.T
            else:
                sys.exit("figures: no sums for preprocess %r" % step["op"])
        return x

    def seen(self, x):
        """What the top layer sees of inputs x: (n, its inputs)."""
        if self.top == 0:
            return self.preprocess(x)
        below = self.config["layers"][self.top - 1]
        what = "groups" if below.get("up") == "pooled" else "codes"
        return self.encode(x, what, self.top - 1)[what].astype(float)

    def is_dense(self):
        """Whether each layer is a plain matrix."""
        return all(layer["operator"] == "dense"
                   for layer in self.config["layers"])

    def sheet(self):
        """(rows, columns) of the units, and of those that have weights of
        their own, where the one layer is a sheet of local fields; or None."""
        if self.top > 0 or self.layer["operator"] != "local2d":
            return None

        units = self.layers[0].code[1:]
        own = tuple(map(min, units, pair(self.layer.get("period",
                                                        list(units)))))
        return units, own

    def has_pictures(self):
        """Whether atoms are pictures of one channel that can be drawn by
        plain matrices, no pools on the way, or lie in the file as they are."""
        below = self.config["layers"][:self.top]
        if self.sheet():
            weight = self.tensors.get("layers.0.decoder.weight")
            return (weight is not None and weight.shape[1] == 1
                    and min(weight.shape[2:]) >= 3)
        return (self.is_dense() and len(self.shape) >= 2
                and int(np.prod(self.shape[:-2])) == 1
                and min(self.shape[-2:]) >= 3
                and all("layers.%d.decoder.weight" % i in self.tensors
                        for i in range(self.top + 1))
                and all(layer.get("up") != "pooled" for layer in below))

    def atoms(self):
        """What one unit draws, in the input's own space: (n, H, W); of a sheet
        each unit that has weights of its own, within its field."""
        drawn = self.own("decoder.weight")
        if self.sheet():
            return drawn[:, 0]
        for i in reversed(range(self.top)):
            below = self.tensors["layers.%d.decoder.weight" % i]
            drawn = below.astype(float) @ drawn
        if "preprocess.unwhiten" in self.tensors:
            drawn = self.tensors["preprocess.unwhiten"].astype(float) @ drawn
        return drawn.T.reshape(self.units, *self.shape[-2:])

    # ---- the binary ----

    def encode(self, x, what="codes,groups", layer=None):
        """Arrays by name, (n, ...) each."""
        with tempfile.TemporaryDirectory() as folder:
            rows, out = Path(folder) / "x.npy", Path(folder) / "out.npz"
            np.save(rows, np.asarray(x, np.float32))
            sparsed("encode", self.path, "--data", rows, "--out", out,
                    "--what", what,
                    "--layer", self.top if layer is None else layer)
            with np.load(out) as arrays:
                return {name: arrays[name] for name in arrays.files}

    def eval(self, x, labels=None):
        """What `sparsed eval` says of these rows."""
        with tempfile.TemporaryDirectory() as folder:
            rows = Path(folder) / "x.npz"
            extra = {} if labels is None else {"y": labels}
            np.savez(rows, x=np.asarray(x, np.float32), **extra)
            return json.loads(sparsed("eval", self.path, "--data", rows,
                                      "--json").stdout)

    def changed(self, folder, encoder=None, tensors=None):
        """A copy in `folder` with other settings of the top encoder, or other
        tensors of the top layer."""
        encoder = {**self.encoder, **(encoder or {})}
        values = {"layers.%d.%s" % (self.top, name):
                  np.ascontiguousarray(value, np.float32)
                  for name, value in (tensors or {}).items()}
        return self._copy(folder, encoder, {**self.tensors, **values})

    def without_net(self, folder, **encoder):
        """A copy in `folder` whose top layer finds its codes through the
        decoder: an iterative encoder with these settings."""
        net = "layers.%d.encoder." % self.top
        return self._copy(folder, {"kind": "iterative", **encoder},
                          {name: value for name, value in self.tensors.items()
                           if not name.startswith(net)})

    def _copy(self, folder, encoder, tensors):
        config = json.loads(json.dumps(self.config))
        config["layers"][self.top]["encoder"] = encoder
        path = Path(folder) / "model.safetensors"
        save_file(tensors, path,
                  {**self.metadata, "config": json.dumps(config)})
        return Model(path)

    def copy_as_repository(self, folder):
        """folder/model/1/model.safetensors, as `sparsed serve` wants it."""
        (Path(folder) / "model" / "1").mkdir(parents=True)
        shutil.copy(self.path,
                    Path(folder) / "model" / "1" / "model.safetensors")
