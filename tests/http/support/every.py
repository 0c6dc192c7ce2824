"""Every model of a server, found by asking: its file, rows to ask with."""
import numpy as np
from safetensors import safe_open

from . import digits, models, near, pictures, structures

NPY = "application/x-npy"
ROWS = 6


class Served:
    """One model as the server describes it, and as its file has it."""

    def __init__(self, t, name):
        self.t, self.name = t, name
        self.path = "/v1/models/" + name
        self.info = t.call("GET", self.path).json()
        self.config = self.info["config"]
        self.size = self.info["input"]["size"]
        self.shape = self.info["input"]["shape"]
        self.layers = self.info["layers"]
        self.classes = self.info["classes"]
        with safe_open(models.path_of(t.server.models, name,
                                      self.info["version"]),
                       framework="numpy") as file:
            self.tensors = {key: file.get_tensor(key) for key in file.keys()}
        self.x = self._rows()

    def __str__(self):
        return self.name

    def _rows(self):
        """(ROWS,inputs) in single precision: digits where those fit, else
        random numbers of the range and, as a code may have next to nothing of
        such noise, what some units draw."""
        low, high = self.info["input"]["range"]
        if self.shape == [28, 28]:
            share = digits.mnist_test()[0][:ROWS].reshape(ROWS, -1) / 255
        else:
            share = np.random.default_rng(1).uniform(size=(ROWS, self.size))
        x = low + share * (high - low)
        top = len(self.layers) - 1
        if self.shape != [28, 28] and self.decodes(top):
            units = self.layers[top]["units"]
            codes = [{"indices": [i, i + 1], "values": [1, 1]}
                     for i in range(0, units - 1, max(1, units // ROWS))]
            drawn = self.ask("decode", codes=codes)["reconstructions"]
            x[ROWS // 2:] = drawn[:ROWS - ROWS // 2]
        return np.float32(x)

    def is_dense(self):
        """No units share weights, and each sees all of its input."""
        return all(own["operator"] == "dense"
                   for own in self.config["layers"])

    def draws(self, layer):
        """A reconstruction can be drawn from this layer's code."""
        return all(own["decoder"] for own in self.layers[:layer + 1])

    def decodes(self, layer):
        """The code is enough for that: no layer below passes pools on, of
        which only the pass knows the units."""
        return self.draws(layer) and all(
            own.get("up") != "pooled"
            for own in self.config["layers"][:layer])

    def has_orientations(self):
        """Atoms are pictures, and not too small for a direction."""
        return len(self.shape) > 1 and min(self.shape[-2:]) >= 3

    # ---- asking ----

    def ask(self, action, x=None, want=200, **options):
        """The JSON answer for rows x, all of them by default."""
        if action != "decode":
            options["inputs"] = (self.x if x is None else x).tolist()
        reply = self.t.call("POST", "%s/%s" % (self.path, action), options)
        assert reply.status == want, "%s %s: %s" % (self, action, reply)
        return reply.json()

    def ask_array(self, action, body, query=""):
        """npy in, npy out."""
        reply = self.t.call("POST", "%s/%s%s" % (self.path, action, query),
                            body=digits.npy(body),
                            headers={"Content-Type": NPY, "Accept": NPY})
        assert reply.status == 200, "%s %s: %s" % (self, action, reply)
        return digits.from_npy(reply.body)

    def get(self, rest, want=200):
        reply = self.t.call("GET", self.path + rest)
        assert reply.status == want, "%s%s: %s" % (self, rest, reply)
        return reply

    def code(self, layer, x=None):
        """Codes (B,n) of a layer, dense."""
        got = self.ask("encode", x, layer=layer, format="dense")["codes"]
        units = self.layers[layer]["units"]
        return numbers("%s: codes" % self, got,
                       (ROWS if x is None else len(x), units))

    # ---- what must hold ----

    def pools(self, layer, z):
        """sqrt(sum w z^2) of codes z, by the groups that the file shows, or by
        the rule of windows."""
        rule = self.config["layers"][layer]["structure"].get("window")
        if rule:
            shape = (list(self.layers[layer]["code_shape"]) + [1, 1])[:3]
            return np.stack([pictures.pools(rule, row.reshape(shape)).ravel()
                             for row in z.astype(float)])
        prefix = "layers.%d.structure.groups." % layer
        if prefix + "indptr" not in self.tensors:
            return np.abs(z)
        starts, units, weights = (self.tensors[prefix + part] for part in (
            "indptr", "indices", "weights"))
        parts = weights.astype(float) * z[:, units] ** 2
        return np.sqrt(np.stack([
            parts[:, begin:end].sum(axis=1)
            for begin, end in zip(starts, starts[1:])], axis=1))

    def scores(self, z):
        """What top codes z give each class besides its bias."""
        pooled = self.config["classifier"]["input"] == "pooled"
        h = self.pools(len(self.layers) - 1, z) if pooled else z
        size = np.maximum(np.linalg.norm(h, axis=1, keepdims=True), 1e-12)
        return h / size @ self.tensors["classifier.weight"].T.astype(float)

    def parents(self, layer):
        """The parent of each unit where no child may be on alone, or None."""
        own = self.config["layers"][layer]
        signed = not own["encoder"].get("nonnegative", False)
        if (own["structure"]["kind"] == "tree" and signed and
                own["encoder"]["kind"] == "iterative"):
            return np.array(structures.parents(own["structure"]))
        return None


def served(t):
    """All of them, the list held against each one's own page."""
    out = []
    for listed in t.call("GET", "/v1/models").json()["models"]:
        one = Served(t, listed["name"])
        for key, value in listed.items():
            assert one.info[key] == value, (one.name, key)
        out.append(one)
    return out


def numbers(name, got, shape):
    """An array of finite numbers of this shape."""
    got = np.asarray(got, float)
    assert got.shape == tuple(shape), "%s: shape %s, want %s" % (
        name, got.shape, tuple(shape))
    assert np.isfinite(got).all(), "%s: not finite" % name
    return got


def close(name, got, want, share=1e-4):
    """Equal but for a share of the largest number."""
    size = np.abs(want).max(initial=0)
    near.arrays(name, got, want, share * max(size, 1e-6))
