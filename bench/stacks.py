#!/usr/bin/env python3
"""What layer-wise pretraining gives a stack: few labels, and all of them with
one part left out.

    python3 bench/stacks.py [--only small,parts,fashion-parts] [--table]

Every run is a recipe, written from the shipped one into build/stacks/, and one
process of `sparsed train --test`; a run whose result is there is not done
again, so an interrupted bench goes on where it was. --table writes the tables
of what is there into bench/STACKS.md and trains nothing.
"""
import argparse
import copy
import json
import math
import os
import statistics
import struct
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
BUILD = ROOT / "build/stacks"
BINARY = os.environ.get("SPARSED", ROOT / "build/sparsed")
PROCESSES = 2

AMOUNTS = (100, 300, 1000, 3000)
SEEDS = (1, 2, 3, 4, 5)

# What both arms do on the labelled rows, chosen on other rows (STACKS.md).
BATCH = 32
STEPS, RATE, RADIUS = 700, 0.003, 0.2
ARMS = ("pretrained", "labels alone")

# Sections on what the parts add, by the shipped model that they start from.
PARTS_OF = {"parts": "mnist-conv-stack",
            "fashion-parts": "fashion-conv-stack"}
PARTS_SEEDS = (1, 2)

DATA = {name: ROOT / "data" / name for name in ("mnist", "fashion-mnist")}

OWN_TERMS = {"reconstruction": 1, "structure": 1}


# ---- recipes ----

def shipped(model):
    return json.loads((ROOT / "models" / model / "recipe.json").read_text())


def phase_named(recipe, name):
    return copy.deepcopy(next(p for p in recipe["phases"]
                              if p["name"] == name))


def pretraining(recipe):
    """One epoch over all images for each layer, from the lowest up."""
    phases = [phase_named(recipe, "layer %d" % i)
              for i in range(len(recipe["model"]["layers"]))]
    for phase in phases:
        phase["epochs"] = 1
    return phases


def few_labels(labels, arm):
    """The shipped network on so many labels. Nothing is held out: the last
    epoch is what counts."""
    recipe = shipped("mnist-conv-stack")
    epochs = round(STEPS / math.ceil(labels / BATCH))
    joint = {"name": "joint", "rows": "labelled", "epochs": epochs,
             "weights": {**OWN_TERMS, "classification": 1, "adversarial": 1,
                         "adversarial_radius": RADIUS},
             "optimiser": {"kind": "adam", "rate": RATE},
             "schedule": {"kind": "cosine", "warmup": epochs / 10}}
    recipe.update(
        validation=0, labelled=labels, batch=BATCH,
        phases=(pretraining(recipe) if arm == "pretrained" else []) + [joint])
    return recipe


def without_prices(recipe):
    for phase in recipe["phases"]:
        phase["weights"].pop("structure", None)


def without_pretraining(recipe):
    recipe["phases"] = [p for p in recipe["phases"]
                        if not p["name"].startswith("layer ")]


def first_layer_only(recipe):
    del recipe["model"]["layers"][1:]
    recipe["phases"] = [p for p in recipe["phases"] if p["name"] != "layer 1"]


# What is left out, and how.
PARTS = {"nothing": lambda recipe: None,
         "pretraining": without_pretraining,
         "the groups' price": without_prices,
         "the second layer": first_layer_only}


def all_labels(model, left_out):
    """The shipped recipe without its adversarial term and with fewer epochs,
    to be cheap; the epoch with the best validation error is kept."""
    recipe = shipped(model)
    joint = phase_named(recipe, "joint")
    joint.update(epochs=4, weights={**OWN_TERMS, "classification": 1})
    recipe["phases"] = [*pretraining(recipe),
                        phase_named(recipe, "classifier"), joint]
    PARTS[left_out](recipe)
    return recipe


# ---- running ----

def write_recipe(path, recipe):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(json.dumps(recipe, indent=1))


def training(recipe, data, out, seed, *more):
    return [str(BINARY), "train", str(recipe), "--data", str(data),
            "--out", str(out), "--seed", str(seed), "--threads", "1",
            "--json", *more]


def checkpoint_of(model):
    return Path("%s.checkpoint" % model)


def recipe_hash(path):
    """FNV-1a of the file, as checkpoints name the recipe that they are of."""
    value = 0xcbf29ce484222325
    for byte in path.read_bytes():
        value = (value ^ byte) * 0x100000001b3 % 2 ** 64
    return b"%016x" % value


def pretrain(seed, data):
    """A checkpoint after the layers' own phases. Labels play no part in them,
    so it is the same for every number of labels, to the bit."""
    kept = BUILD / ("pretrained/%d.checkpoint" % seed)
    if kept.exists():
        return
    recipe = few_labels(AMOUNTS[0], "pretrained")
    # An epoch that is not over before the process is stopped.
    recipe["phases"][2]["rows"] = "all"
    path, model = kept.with_suffix(".json"), kept.with_suffix(".safetensors")
    write_recipe(path, recipe)
    run = subprocess.Popen(training(path, data, model, seed, "--resume"),
                           stdout=subprocess.PIPE, stderr=subprocess.DEVNULL)
    for line in run.stdout:
        if json.loads(line)["phase"] == "layer 1":
            break
    run.terminate()
    run.wait()
    checkpoint_of(model).rename(kept)


def go_on_from(checkpoint, recipe, model):
    """The checkpoint becomes one of this recipe, which begins like its own."""
    data = checkpoint.read_bytes()
    length = struct.unpack("<Q", data[:8])[0]
    old = json.loads(data[8:8 + length])["__metadata__"]["recipe"].encode()
    header = data[8:8 + length].replace(old, recipe_hash(recipe), 1)
    checkpoint_of(model).write_bytes(data[:8] + header + data[8 + length:])


class Run:
    """One training and its figures."""

    def __init__(self, name, seed, recipe, data, begun=None):
        self.folder = BUILD / name / str(seed)
        self.seed, self.recipe, self.data = seed, recipe, data
        self.begun = begun  # a checkpoint to start at

    def result(self):
        path = self.folder / "result.json"
        return json.loads(path.read_text())["metrics"] \
            if path.exists() else None

    def run(self):
        if self.result():
            return
        recipe, model = self.folder / "recipe.json", \
            self.folder / "model.safetensors"
        write_recipe(recipe, self.recipe)
        if self.begun and not checkpoint_of(model).exists():
            go_on_from(self.begun, recipe, model)
        done = subprocess.run(
            training(recipe, self.data, model, self.seed, "--resume",
                     "--test"),
            capture_output=True, text=True, check=False)
        if done.returncode:
            sys.exit("%s: %s" % (self.folder, done.stderr.strip()))
        new = self.folder / "result.new"
        new.write_text(done.stdout.splitlines()[-1])
        new.rename(self.folder / "result.json")
        print("%s: test error %.2f %%" % (
            self.folder.relative_to(BUILD),
            100 * self.result()["test"]["error"]), flush=True)


def small_runs():
    for seed in SEEDS:
        begun = BUILD / ("pretrained/%d.checkpoint" % seed)
        for labels in AMOUNTS:
            for arm in ARMS:
                yield (labels, arm), Run(
                    "small/%d %s" % (labels, arm), seed,
                    few_labels(labels, arm), DATA["mnist"],
                    begun if arm == "pretrained" else None)


def parts_runs(model):
    for seed in PARTS_SEEDS:
        for part in PARTS:
            yield part, Run("%s/without %s" % (model, part), seed,
                            all_labels(model, part),
                            DATA[shipped(model)["data"]])


def run_all(jobs):
    with ThreadPoolExecutor(PROCESSES) as pool:
        for _ in pool.map(lambda job: job(), jobs):
            pass


# ---- tables ----

def spread(values):
    """Mean, standard deviation (of the sample), smallest and largest."""
    if len(values) < 2:
        return "%.2f" % values[0]
    return "%.2f ± %.2f (%.2f to %.2f)" % (
        statistics.mean(values), statistics.stdev(values), min(values),
        max(values))


def table(head, rows):
    if not rows:
        return "No run yet."
    lines = ["| %s |" % " | ".join(head), "|%s" % ("---|" * len(head))]
    return "\n".join(lines + ["| %s |" % " | ".join(r) for r in rows])


def results(runs):
    """The metrics of the runs that are there, by what they have in common."""
    found = {}
    for key, run in runs:
        if run.result():
            found.setdefault(key, {})[run.seed] = run.result()
    return found


def error(result, split="test"):
    return 100 * result[split]["error"]


def small_table():
    found, rows = results(small_runs()), []
    for labels in AMOUNTS:
        arms = [found.get((labels, arm), {}) for arm in ARMS]
        both = sorted(arms[0].keys() & arms[1].keys())
        if not both:
            continue
        errors = [[error(arm[seed]) for seed in both] for arm in arms]
        gains = [b - a for a, b in zip(*errors)]
        rows.append(["%d" % labels, *map(spread, errors), spread(gains),
                     "%d of %d" % (sum(g > 0 for g in gains), len(both))])
    return table(["labels", *ARMS, "gain", "seeds where it pays"], rows)


def parts_table(model):
    rows = []
    for part, by_seed in results(parts_runs(model)).items():
        runs = list(by_seed.values())
        test = [r["test"] for r in runs]
        rows.append([
            part, spread([error(r, "validation") for r in runs]),
            spread([error(r) for r in runs]),
            spread([100 * t["relative_error"] for t in test]),
            "%.0f" % statistics.mean(t["active_units"] for t in test),
            "%.1f" % statistics.mean(100 * t["active_share"] for t in test),
            "%d" % len(runs)])
    return table(["left out", "validation error, %", "test error, %",
                  "reconstruction off by, %", "active units of the top code",
                  "share of it, %", "seeds"], rows)


def machine():
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    name = next((line.split(":")[1].strip() for line in lines
                 if line.startswith("model name")), "unknown processor")
    return "%d x %s" % (os.cpu_count(), name)


def commit():
    run = subprocess.run(["git", "describe", "--always", "--dirty"], cwd=ROOT,
                         capture_output=True, text=True, check=False)
    return run.stdout.strip() or "none"


def between(text, name, new):
    """What stands between a name's two marks is replaced."""
    begin, end = "<!-- %s -->" % name, "<!-- /%s -->" % name
    before, rest = text.split(begin)
    return before + begin + "\n" + new + "\n" + end + rest.split(end)[1]


def write_tables():
    path = ROOT / "bench/STACKS.md"
    text = between(path.read_text(), "machine", "\n".join([
        "- machine: %s, one thread a run" % machine(),
        "- commit: %s" % commit(),
        "- command: make bench-stacks"]))
    text = between(text, "small", small_table())
    for name, model in PARTS_OF.items():
        text = between(text, name, parts_table(model))
    path.write_text(text)


SECTIONS = ("small", *PARTS_OF)


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", default=",".join(SECTIONS),
                        help="of " + ", ".join(SECTIONS))
    parser.add_argument("--table", action="store_true",
                        help="train nothing, write what is there")
    args = parser.parse_args()
    wanted = args.only.split(",")
    for name in set(wanted) - set(SECTIONS):
        parser.error("--only: no section %s" % name)
    if not args.table:
        if "small" in wanted:
            run_all([lambda seed=seed: pretrain(seed, DATA["mnist"])
                     for seed in SEEDS])
            run_all([run.run for _, run in small_runs()])
        for name in SECTIONS[1:]:
            if name in wanted:
                run_all([run.run for _, run in parts_runs(PARTS_OF[name])])
    write_tables()


if __name__ == "__main__":
    main()
