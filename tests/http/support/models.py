"""Small random models, written by the public safetensors package."""
import json

import numpy as np
from safetensors.numpy import save_file

from . import structures

SINGLE = {"kind": "l1", "lambda": 0.01}


def dense(units, kind="recurrent", nonlinearity="relu", steps=5, up="code",
          decoder=True, gain=False, structure=None):
    encoder = {"kind": kind, "nonlinearity": nonlinearity, "gain": gain}
    if kind == "recurrent":
        encoder["steps"] = steps
    return {"operator": "dense", "encoder": encoder,
            "structure": structure or SINGLE,
            "units": units, "up": up, "decoder": decoder}


def coding(units, structure=None, up="code", **solver):
    """A layer without a net: its code is what minimises the energy."""
    return {"operator": "dense",
            "encoder": {"kind": "iterative", "tolerance": 1e-6,
                        "steps": 1000, **solver},
            "structure": structure or SINGLE,
            "units": units, "up": up, "decoder": True}


def compose(shape, *layers, preprocess=("unit_norm",), classifier="code",
            low=0, high=1):
    config = {"input": {"shape": list(shape), "range": [low, high]},
              "preprocess": [{"op": op} for op in preprocess],
              "layers": list(layers)}
    if classifier:
        config["classifier"] = {"input": classifier}
    return config


def tensors(config, classes, rng, recurrent):
    """Random values by their names, in shapes that the config asks for."""
    out = {}
    m = int(np.prod(config["input"]["shape"]))
    if {"op": "whiten"} in config["preprocess"]:
        turn, _ = np.linalg.qr(rng.normal(0, 1, (m, m)))
        spread = rng.uniform(0.5, 2, m)
        out["preprocess.mean"] = rng.normal(0.3, 0.1, m)
        out["preprocess.whiten"] = turn.T * spread @ turn
        out["preprocess.unwhiten"] = turn.T / spread @ turn
    for i, layer in enumerate(config["layers"]):
        n = layer["units"]
        heads = 2 if layer["structure"]["kind"] == "gaussian" else 1
        own = {}
        if layer["encoder"]["kind"] != "iterative":
            own = {"encoder.weight": rng.normal(
                0, 1, (heads * n, m)) / np.sqrt(m) * 2,
                   "encoder.bias": rng.uniform(0, 0.2, heads * n)}
        if layer["encoder"]["kind"] == "recurrent":
            own["encoder.recurrent"] = rng.normal(
                0, recurrent, (n, n)) / np.sqrt(n)
        if layer["encoder"].get("gain"):
            own["encoder.gain"] = rng.uniform(0.5, 1.5, heads * n)
        if layer["decoder"]:
            own["decoder.weight"] = rng.normal(0, 1, (m, n)) / np.sqrt(n)
        own.update(("structure." + k, v) for k, v in
                   structures.tensors(layer["structure"], n).items())
        out.update(("layers.%d.%s" % (i, k), v) for k, v in own.items())
        pools = len(own.get("structure.groups.indptr", range(n + 1))) - 1
        rule = structures.ring(layer["structure"], n)
        if rule is not None:
            pools = len(rule)
        sizes = {"code": n, "pooled": pools}
        m = sizes[layer["up"]]
    if "classifier" in config:
        out["classifier.weight"] = rng.normal(
            0, 2, (len(classes), sizes[config["classifier"]["input"]]))
        out["classifier.bias"] = rng.normal(0, 0.5, len(classes))
    return {name: np.ascontiguousarray(
        value, np.int64 if value.dtype.kind == "i" else np.float32)
            for name, value in out.items()}


def path_of(folder, name, version):
    return folder / name / str(version) / "model.safetensors"


def write(folder, name, config, version=1, classes="abc", seed=1,
          recurrent=0.5):
    """folder/name/version/model.safetensors; gives the folder back. A code
    stays small as long as `recurrent`, the size of S, is below 1."""
    path = path_of(folder, name, version)
    path.parent.mkdir(parents=True)
    meta = {"format": "sparsed", "config": json.dumps(config),
            "classes": json.dumps(list(classes)),
            "metrics": json.dumps({"error": 0.5}),
            "lineage": json.dumps({"seed": seed})}
    if "classifier" not in config:
        del meta["classes"]
    rng = np.random.default_rng(seed)
    save_file(tensors(config, classes, rng, recurrent), path, meta)
    return folder
