#!/usr/bin/env python3
"""Does it learn? Digits that a model has never seen, and shifts of domain, by
posts over HTTP while a client keeps classifying.

    python3 bench/learns.py [--only digits,shifts] [--tiny]

Errors are on MNIST's and Fashion-MNIST's test images, which nothing here
trains on or chooses by. Trained models stay in build/learns; the tables go
into bench/LEARNS.md. --tiny does all of it with next to no training, and
prints.
"""
import argparse
import json
import threading
import time

import numpy as np

from asking import ROOT, SHIPPED, Serving, npz
from stacks import between, commit, machine, spread, table
from support import digits, wire
from support.server import run

BUILD = ROOT / "build/learns"
RESULTS = ROOT / "bench/LEARNS.md"
SEEDS = (1, 2, 3)
RECIPE = ROOT / "models/mnist-drsae/recipe.json"
EPOCHS = (3, 12)  # of the recipe's two phases, cut
OLD = 8  # digits that the model knows
AMOUNTS = (50, 200, 1000)  # samples of each new digit
SHIFT_ROWS = 1000  # samples of a shift
FASHION = ("t-shirt", "trouser", "pullover", "dress", "coat", "sandal",
           "shirt", "sneaker", "bag", "boot")


class Asker(threading.Thread):
    """A client that classifies one row all the time."""

    def __init__(self, serving, row):
        super().__init__()
        self.address, self.path = serving.server.address, serving.path
        self.row, self.end = row, threading.Event()
        self.seconds, self.versions, self.bad = [], set(), None

    def run(self):
        body = json.dumps({"inputs": [(self.row.ravel() / 255).round(
            4).tolist()]}).encode()
        request = wire.compose("POST", self.path + "/classify", body,
                               [("Content-Type", "application/json")])
        try:
            with wire.Connection(self.address) as connection:
                while not self.end.is_set():
                    began = time.monotonic()
                    connection.send(request)
                    reply = connection.read()
                    self.seconds.append(time.monotonic() - began)
                    if reply.status != 200:
                        raise ConnectionError(str(reply))
                    self.versions.add(reply.json()["version"])
                    time.sleep(0.002)
        except Exception as error:  # told to the run's own thread
            self.bad = error

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, *_):
        self.end.set()
        self.join()
        if self.bad:
            raise SystemExit("a request was lost: %s" % self.bad)


def error(serving, x, labels):
    """In percent."""
    return 100 * np.mean(serving.classify(x) != np.asarray(labels))


def learn(serving, x, labels, seed, tiny):
    """Posts the rows and tunes while a client keeps classifying; gives the
    job, the seconds from the last post, and the client."""
    with Asker(serving, x[0]) as asker:
        serving.post(x, labels)
        began = time.monotonic()
        number = serving.tune(seed=seed, **({"epochs": 2} if tiny else {}))
        while not serving.job(number)["ended"]:
            time.sleep(0.02)
        seconds = time.monotonic() - began
        time.sleep(0.2)
    job = serving.job(number)
    if job["state"] != "succeeded":
        raise SystemExit("seed %d: %s" % (seed, job))
    return job, seconds, asker


def yes(results):
    return "%d of %d" % (sum(r["promoted"] for r in results), len(results))


def column(results, name):
    return spread([r[name] for r in results])


def replies(results):
    """How many the client got, and what 99 of a hundred took at most."""
    seconds = np.concatenate([r["asked"] for r in results])
    return "%d, %.1f" % (len(seconds), 1000 * np.percentile(seconds, 99))


# ---- digits 8 and 9, new to a model of 0 to 7 ----

def train(seed, tiny):
    """A folder of models with the one of this seed."""
    folder = BUILD / ("tiny" if tiny else "models") / str(seed)
    out = folder / "digits" / "1" / "model.safetensors"
    if out.exists():
        return folder
    out.parent.mkdir(parents=True, exist_ok=True)
    x, y = digits.idx("mnist", "train")
    x, y = x[y < OLD], y[y < OLD]
    recipe = json.loads(RECIPE.read_text())
    for phase, epochs in zip(recipe["phases"], EPOCHS):
        phase["epochs"] = epochs
    if tiny:
        x, y = x[:3000], y[:3000]
        recipe.update(validation=500)
        for phase in recipe["phases"]:
            phase["epochs"] = 2
    (folder / "data.npz").write_bytes(npz(x=x, y=y.astype(np.int32)))
    (folder / "recipe.json").write_text(json.dumps(recipe, indent=1))
    done = run("train", folder / "recipe.json", "--data", folder / "data.npz",
               "--out", out, "--seed", seed, seconds=3600)
    if done.returncode:
        raise SystemExit(done.stderr)
    (folder / "data.npz").unlink()
    return folder


def learn_digits(seed, amount, tiny):
    x, y = digits.idx("mnist", "train")
    rng = np.random.default_rng([seed, amount])
    chosen = np.concatenate([
        rng.choice(np.flatnonzero(y == label), amount, replace=False)
        for label in (8, 9)])
    rng.shuffle(chosen)
    test_x, test_y = digits.idx("mnist", "t10k")
    old = test_y < OLD
    with Serving("digits", BUILD, train(seed, tiny)) as serving:
        before = serving.classify(test_x) != test_y.astype(str)
        job, seconds, asker = learn(serving, x[chosen],
                                    y[chosen].astype(str), seed, tiny)
        after = serving.classify(test_x) != test_y.astype(str)
    return {"before": 100 * before.mean(), "after": 100 * after.mean(),
            "old before": 100 * before[old].mean(),
            "old after": 100 * after[old].mean(),
            "forgot": 100 * (after[old].mean() - before[old].mean()),
            "new": 100 * after[~old].mean(),
            "promoted": job["promoted"], "seconds": seconds,
            "asked": asker.seconds}


def digits_table(tiny):
    rows = []
    for amount in AMOUNTS[:2] if tiny else AMOUNTS:
        results = []
        for seed in SEEDS[:1] if tiny else SEEDS:
            results.append(learn_digits(seed, amount, tiny))
            print("digits, %d of each, seed %d: %s" % (amount, seed, {
                k: v for k, v in results[-1].items() if k != "asked"}),
                flush=True)
        rows.append(["%d" % amount, *(column(results, name) for name in (
            "before", "after", "new", "old before", "old after", "forgot",
            "seconds")), yes(results), replies(results)])
    return table(["samples of each", "all ten before", "all ten after",
                  "8 and 9 after", "0 to 7 before", "0 to 7 after",
                  "forgotten, points", "seconds", "promoted",
                  "client's replies, and their p99 in ms"], rows)


# ---- shifts of domain, on the shipped model ----

def inverted(split):
    x, y = digits.idx("mnist", split)
    return 255 - x, y.astype(str)


def rotated(split):
    x, y = digits.idx("mnist", split)
    return np.ascontiguousarray(np.rot90(x, axes=(1, 2))), y.astype(str)


def fashion(split):
    x, y = digits.idx("fashion-mnist", split)
    return x, np.array(FASHION)[y]


SHIFTS = {"inverted digits": inverted,
          "digits turned by a quarter": rotated,
          "Fashion-MNIST, ten new labels": fashion}


def learn_shift(make, seed, tiny):
    x, labels = make("train")
    chosen = np.random.default_rng(seed).choice(len(x), SHIFT_ROWS,
                                                replace=False)
    test, old = make("t10k"), digits.idx("mnist", "t10k")
    old = old[0], old[1].astype(str)
    with Serving("mnist-drsae", BUILD, SHIPPED) as serving:
        result = {"before": error(serving, *test),
                  "old before": error(serving, *old)}
        job, seconds, asker = learn(serving, x[chosen], labels[chosen], seed,
                                    tiny)
        result |= {"after": error(serving, *test),
                   "old after": error(serving, *old)}
    return result | {"forgot": result["old after"] - result["old before"],
                     "promoted": job["promoted"], "seconds": seconds,
                     "asked": asker.seconds}


def shifts_table(tiny):
    rows = []
    for name, make in SHIFTS.items():
        results = []
        for seed in SEEDS[:1] if tiny else SEEDS:
            results.append(learn_shift(make, seed, tiny))
            print("%s, seed %d: %s" % (name, seed, {
                k: v for k, v in results[-1].items() if k != "asked"}),
                flush=True)
        rows.append([name, *(column(results, key) for key in (
            "before", "after", "old before", "old after", "forgot",
            "seconds")), yes(results), replies(results)])
    return table(["shift", "before", "after", "plain digits before",
                  "plain digits after", "forgotten, points", "seconds",
                  "promoted", "client's replies, and their p99 in ms"], rows)


SECTIONS = {"digits": digits_table, "shifts": shifts_table}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", default=",".join(SECTIONS),
                        help="of " + ", ".join(SECTIONS))
    parser.add_argument("--tiny", action="store_true")
    args = parser.parse_args()
    wanted = args.only.split(",")
    for name in set(wanted) - set(SECTIONS):
        parser.error("--only: no section %s" % name)
    BUILD.mkdir(parents=True, exist_ok=True)
    for name in wanted:
        began = time.monotonic()
        found = SECTIONS[name](args.tiny)
        print("%s: %.0f s\n%s\n" % (name, time.monotonic() - began, found),
              flush=True)
        if not args.tiny:
            text = between(RESULTS.read_text(), "machine", "\n".join([
                "- machine: %s" % machine(), "- commit: %s" % commit(),
                "- command: make learns"]))
            RESULTS.write_text(between(text, name, found))


if __name__ == "__main__":
    main()
