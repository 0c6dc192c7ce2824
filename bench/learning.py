#!/usr/bin/env python3
"""What learning costs the daemon: latency beside a fine-tune, durable posts a
second, time from a sample to a better version, memory.

    python3 bench/learning.py [--only latency,posts,time,memory] [--short]

It measures the shipped model and writes its tables into bench/LEARNING.md.
--short makes everything short and prints the tables instead.
"""
import argparse
import os
import statistics
import subprocess
import time
from pathlib import Path

import numpy as np

from asking import ROOT, Serving
from stacks import between, commit, machine, table
from support import digits

MODEL = "mnist-drsae"
BUILD = ROOT / "build/learning"
RESULTS = ROOT / "bench/LEARNING.md"
NEW = "trouser"  # class 1 of Fashion-MNIST, new to a model of digits
# Runs until it is cancelled: so slow that each epoch is a little better.
LONG = {"epochs": 1000, "promote": "never", "learning_rate": 1e-7}


def lesson(n, seed):
    """n rows: half of a class that the model does not know, half digits that
    it knows; and their labels."""
    rng = np.random.default_rng(seed)
    x, y = digits.idx("fashion-mnist", "train")
    new = rng.choice(np.flatnonzero(y == 1), n // 2, replace=False)
    old_x, old_y = digits.idx("mnist", "train")
    old = rng.choice(len(old_x), n - n // 2, replace=False)
    return (np.concatenate([x[new], old_x[old]]),
            [NEW] * len(new) + [str(label) for label in old_y[old]])


def spread(values, form="%.0f"):
    """Median (least-most)."""
    return ("%s (%s-%s)" % ((form,) * 3)) % (
        statistics.median(values), min(values), max(values))


def wrk(serving, path, connections, seconds):
    """(requests a second, p50, p99 in microseconds)"""
    done = subprocess.run(
        ["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds, "-s",
         "bench/learning.lua", serving.server.url + path],
        cwd=ROOT, capture_output=True, text=True, check=True)
    line = next(one for one in done.stdout.splitlines()
                if one.startswith("figures "))
    requests, refused, took, p50, p99 = map(float, line.split()[1:])
    if refused:
        raise SystemExit("%g of %g requests failed: %s" % (
            refused, requests, done.stdout))
    return requests / took, p50, p99


class Tuning:
    """A fine-tune that runs as long as the block does."""

    def __init__(self, serving):
        self.serving = serving

    def __enter__(self):
        self.number = self.serving.tune(**LONG)
        while not (self.serving.job(self.number).get("progress") or {}).get(
                "loss"):
            time.sleep(0.05)

    def __exit__(self, *_):
        job = self.serving.job(self.number)
        if job["state"] != "running":
            raise SystemExit("the fine-tune ended before its time: %s" % job)
        self.serving.cancel(self.number)
        while not self.serving.job(self.number)["ended"]:
            time.sleep(0.02)


# ---- sections ----

def measure_latency(short):
    """Rounds of one run without and one with, so that what else happens on
    the machine meets both."""
    rounds, seconds = (2, 1) if short else (7, 5)
    rows = []
    with Serving(MODEL, BUILD) as serving:
        serving.post(*lesson(500, 1))
        wrk(serving, serving.path + "/classify", 16, 1)
        for connections in (1, 16):
            alone, beside = [], []
            for _ in range(rounds):
                alone.append(wrk(serving, serving.path + "/classify",
                                 connections, seconds))
                with Tuning(serving):
                    beside.append(wrk(serving, serving.path + "/classify",
                                      connections, seconds))
            for name, i in (("requests a second", 0), ("p50, us", 1),
                            ("p99, us", 2)):
                a, b = [r[i] for r in alone], [r[i] for r in beside]
                rows.append([
                    "%d" % connections, name, spread(a), spread(b),
                    spread([v / u for u, v in zip(a, b)], "%.2f")])
    return table(["connections", "", "alone", "beside a fine-tune",
                  "ratio within a round"], rows)


def fsyncs(folder, seconds):
    """Appends of one sample's bytes, each made durable by itself, a second.
    """
    path, data = folder / "appended", bytes(784 * 4)
    count, began = 0, time.monotonic()
    with open(path, "wb", buffering=0) as file:
        while time.monotonic() < began + seconds:
            file.write(data)
            os.fdatasync(file.fileno())
            count += 1
    took = time.monotonic() - began
    path.unlink()
    return count / took


def measure_posts(short):
    rounds, seconds = (2, 1) if short else (5, 4)
    found = {}
    for _ in range(rounds):
        with Serving(MODEL, BUILD) as serving:
            plain = fsyncs(Path(serving.temp.name), seconds)
            found.setdefault("append and fdatasync, one after another",
                             []).append((plain, 1))
            before = 0
            for clients in (1, 16, 64):
                rate, _, _ = wrk(serving, serving.path + "/samples", clients,
                                 seconds)
                found.setdefault("posts of one sample, %d clients" % clients,
                                 []).append((rate, rate / plain))
                total = serving.call("GET", serving.path + "/samples"
                                     ).json()["total"]
                # What wrk was not told of when its time was up may be more.
                if total - before < rate * seconds * 0.98:
                    raise SystemExit("%d kept, %g were acknowledged" % (
                        total - before, rate * seconds))
                before = total
    return table(["", "a second", "beside one fdatasync each"],
                 [[name, spread([r for r, _ in rates]),
                   spread([q for _, q in rates], "%.2f")]
                  for name, rates in found.items()])


def cpu_seconds(pid):
    """Of all threads of the process."""
    fields = Path("/proc/%d/stat" % pid).read_text().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def measure_time(short):
    """From the answer to the last post until the new version answers."""
    rows = []
    for n, rounds in ((500, 1 if short else 5), (200, 1 if short else 3)):
        took, spent, recalls, olds = [], [], [], []
        for seed in range(rounds):
            with Serving(MODEL, BUILD) as serving:
                x, y = digits.idx("mnist", "t10k")
                before = np.mean(serving.classify(x) != y.astype(str))
                serving.post(*lesson(n, seed))
                began, used = time.monotonic(), cpu_seconds(serving.pid)
                job = wait(serving, serving.tune(seed=seed))
                took.append(time.monotonic() - began)
                spent.append(cpu_seconds(serving.pid) - used)
                if not job["promoted"]:
                    raise SystemExit("not promoted: %s" % job)
                olds.append(100 * (np.mean(serving.classify(x)
                                           != y.astype(str)) - before))
                x, y = digits.idx("fashion-mnist", "t10k")
                recalls.append(100 * np.mean(
                    serving.classify(x[y == 1]) == NEW))
        rows.append(["%d" % n, spread(took, "%.1f"), spread(spent, "%.1f"),
                     spread(recalls, "%.1f"), spread(olds, "%+.2f")])
    return table(["new samples", "seconds to the promoted version",
                  "seconds of processor", "recall of the new class, %",
                  "error on digits, points"], rows)


def wait(serving, number):
    while True:
        job = serving.job(number)
        if job["ended"]:
            return job
        time.sleep(0.05)


def status(pid, name):
    for line in Path("/proc/%d/status" % pid).read_text().splitlines():
        if line.startswith(name + ":"):
            return int(line.split()[1]) / 1024
    raise SystemExit("/proc/%d/status: no %s" % (pid, name))


def measure_memory(short):
    """The process's resident memory, its peak during the job less what it had
    just before."""
    rows = []
    for n in (500,) if short else (500, 5000):
        peaks = []
        for seed in range(1 if short else 3):
            with Serving(MODEL, BUILD) as serving:
                x, labels = lesson(n, seed)
                serving.classify(x[:256])
                serving.post(x, labels)
                Path("/proc/%d/clear_refs" % serving.pid).write_text("5")
                before = status(serving.pid, "VmRSS")
                wait(serving, serving.tune(epochs=5))
                peaks.append(status(serving.pid, "VmHWM") - before)
        rows.append(["%d" % n, spread(peaks)])
    return table(["samples", "MiB more than before the job"], rows)


SECTIONS = {"latency": measure_latency, "posts": measure_posts,
            "time": measure_time, "memory": measure_memory}


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n\n")[0])
    parser.add_argument("--only", default=",".join(SECTIONS),
                        help="of " + ", ".join(SECTIONS))
    parser.add_argument("--short", action="store_true")
    args = parser.parse_args()
    wanted = args.only.split(",")
    for name in set(wanted) - set(SECTIONS):
        parser.error("--only: no section %s" % name)
    for name in wanted:
        found = SECTIONS[name](args.short)
        print("%s\n%s\n" % (name, found), flush=True)
        if not args.short:
            text = between(RESULTS.read_text(), "machine", "\n".join([
                "- machine: %s" % machine(), "- commit: %s" % commit(),
                "- command: make bench-learning"]))
            RESULTS.write_text(between(text, name, found))


if __name__ == "__main__":
    main()
