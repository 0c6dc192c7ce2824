"""Pixels that are missing, restored: asked of the daemon with a `mask`, beside
filling them with the mean of those that are known. Figures are of the missing
pixels alone."""
import json
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.request
from pathlib import Path

import numpy as np

from markdown import number, percent, table
from model import binary

ROWS = 500
BATCH = 100
SHARES = 0.5, 0.75
START_SECONDS = 60


class Daemon:
    """`sparsed serve` of one model, on a free port."""

    def __init__(self, model):
        self.folder = tempfile.TemporaryDirectory()
        models = Path(self.folder.name) / "models"
        model.copy_as_repository(models)
        self.process = subprocess.Popen(
            [binary(), "serve", "--listen", "127.0.0.1:0",
             "--models", str(models), "--data-dir", self.folder.name],
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL, text=True)
        words = self.process.stdout.readline().split()
        self.url = words[-1] if words else ""

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.process.terminate()
        self.process.wait()
        self.process.stdout.close()
        self.folder.cleanup()

    def reconstruct(self, x, known):
        """Pictures of x (n, inputs) where known is 1. ValueError in the
        daemon's words if it refuses."""
        body = json.dumps({"inputs": x.tolist(),
                           "mask": known.astype(int).tolist()}).encode()
        request = urllib.request.Request(
            self.url + "/v1/models/model/reconstruct", body,
            {"Content-Type": "application/json"})
        end = time.monotonic() + START_SECONDS
        while True:
            try:
                with urllib.request.urlopen(request) as reply:
                    told = json.load(reply)["reconstructions"]
                    return np.array(told).reshape(x.shape)
            except urllib.error.HTTPError as error:
                if error.code != 503 or time.monotonic() > end:
                    raise ValueError(json.load(error)["detail"]) from None
                time.sleep(0.05)


def restores(model):
    """Whether codes can be found with inputs missing: the lowest layer
    infers through its decoder, and no step mixes inputs."""
    steps = [step["op"] for step in model.config.get("preprocess", [])]
    return (model.config["layers"][0]["encoder"]["kind"] == "iterative"
            and "whiten" not in steps)


def scores(x, filled, known, span):
    """PSNR in dB and the squared error as a share of the missing pixels'
    own about the mean of the known ones."""
    lost = 1 - known
    middle = means(x, known)
    error = ((x - filled) ** 2 * lost).sum()
    own = ((x - middle) ** 2 * lost).sum()
    return 10 * np.log10(span ** 2 * lost.sum() / error), error / own


def means(x, known):
    """Of each row's known pixels, as a column."""
    count = np.maximum(known.sum(axis=1, keepdims=True), 1)
    return (x * known).sum(axis=1, keepdims=True) / count


def measure(run):
    model = run.model
    if not restores(model):
        return None
    x = np.asarray(run.x[:ROWS], np.float32).astype(float)
    x = x.reshape(len(x), -1)
    rng = np.random.default_rng(run.seed)
    rows = []
    with Daemon(model) as daemon:
        for share in SHARES:
            known = (rng.random(x.shape) >= share).astype(float)
            try:
                drawn = np.concatenate([
                    daemon.reconstruct(x[at:at + BATCH] * known[at:at + BATCH],
                                       known[at:at + BATCH])
                    for at in range(0, len(x), BATCH)])
            except ValueError as error:
                print("figures: no section on missing pixels: the daemon "
                      "says: %s" % error, file=sys.stderr)
                return None
            for name, filled in (("restored", drawn),
                                 ("mean of the known",
                                  means(x, known) + 0 * x)):
                psnr, left = scores(x, filled, known, model.high - model.low)
                rows.append([name, percent(share, 2), number(psnr),
                             percent(left)])
    return (
        "### Missing pixels\n\nPixels of %s test rows left out at random "
        "and restored, beside the mean of the known pixels; figures are of the "
        "missing pixels alone.\n\n%s" % (
            number(len(x)), table(["", "missing", "PSNR, dB",
                                   "squared error, of the mean's"], rows)))
