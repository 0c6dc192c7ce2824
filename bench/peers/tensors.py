"""A model's file as it is: its config, and its float tensors by name."""
import json
import struct

import numpy as np


def load(path):
    with open(path, "rb") as f:
        head = json.loads(f.read(struct.unpack("<Q", f.read(8))[0]))
        body = f.read()
    config = json.loads(head.pop("__metadata__")["config"])
    return config, {
        name: np.frombuffer(body[slice(*t["data_offsets"])], "<f4").reshape(
            t["shape"]) for name, t in head.items() if t["dtype"] == "F32"}
