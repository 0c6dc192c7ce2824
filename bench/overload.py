"""Five times what can be served, for a minute: what happens to those who are
answered, to those who are refused, and to the server; into OVERLOAD.md.

A round finds the highest rate of which all but one in a hundred are answered,
asks at a tenth of it, at five times of it, and at the tenth again. Requests
come at random times from a generator that waits for nobody (overload.c), and
each latency counts from when its request was meant to be sent.

usage: overload.py GENERATOR [--rounds N] [--seconds N] [--apart] [--only NAME]
    --apart: server and generator on a processor of their own each
"""
import argparse
import json
import os
import pathlib
import statistics
import subprocess
import sys
import tempfile
import threading

from asking import ROOT, SHIPPED, Server
from support import digits, wire

JSON = [("Content-Type", "application/json")]
SEARCH_SECONDS = 4
REST_SECONDS = 15
SHARE_AT_REST = 0.1
TIMES = 5
MOST_REFUSED = 0.01
CONNECTIONS = 256

# Name, and kinds: model, rows, and how many of them for one of the first kind.
LOADS = (
    ("64 rows, mnist-conv-drsae", (("mnist-conv-drsae", 64, 1),)),
    ("64 rows, mnist-drsae", (("mnist-drsae", 64, 1),)),
    ("256 rows, mnist-conv-drsae, and single rows",
     (("mnist-conv-drsae", 256, 1), ("mnist-drsae", 1, 10))),
)


def write_request(folder, model, rows):
    x = digits.mnist_test()[0][:rows].reshape(rows, -1) / 255
    body = json.dumps({"inputs": [[float("%.4g" % v) for v in row]
                                  for row in x]}, separators=(",", ":"))
    path = folder / ("%s-%d" % (model, rows))
    path.write_bytes(wire.compose("POST", "/v1/models/%s/classify" % model,
                                  body.encode(), JSON))
    return path


class Memory:
    """The most that a process had resident while this was open, in MiB."""

    def __init__(self, pid):
        self.path = "/proc/%d/status" % pid
        self.most, self.stop = 0, threading.Event()
        self.thread = threading.Thread(target=self._watch)

    def now(self):
        with open(self.path, encoding="ascii") as file:
            return next(int(line.split()[1]) for line in file
                        if line.startswith("VmRSS")) / 1024

    def _watch(self):
        while not self.stop.wait(0.1):
            self.most = max(self.most, self.now())

    def __enter__(self):
        self.thread.start()
        return self

    def __exit__(self, *_):
        self.stop.set()
        self.thread.join()


class Bench:
    def __init__(self, options, folder):
        self.generator, self.apart = options.generator, options.apart
        self.seconds = options.seconds
        self.folder = folder
        self.seed = 0

    def start(self):
        whole = os.sched_getaffinity(0)
        if self.apart:
            os.sched_setaffinity(0, {min(whole)})
        server = Server(pathlib.Path(tempfile.mkdtemp(dir=self.folder)),
                        SHIPPED, ["--log-level", "warn"])
        os.sched_setaffinity(0, whole)
        server.wait_ready()
        return server

    def ask(self, server, kinds, rate, seconds, skip=0):
        """What came of each kind at so many of the first kind a second."""
        self.seed += 1
        whole = os.sched_getaffinity(0)
        prefix = ["taskset", "-c", str(max(whole))] if self.apart else []
        given = [str(word) for path, share in kinds
                 for word in (rate * share, path)]
        done = subprocess.run(
            [*prefix, self.generator, str(server.address[1]), str(skip),
             str(seconds), str(self.seed), str(CONNECTIONS), *given],
            check=True, capture_output=True, text=True)
        out = [json.loads(line) for line in done.stdout.splitlines()]
        for one in out:
            assert one["other"] == 0 and one["failed"] == 0, one
        return out

    def find_rate(self, server, kinds):
        """The highest of which all but MOST_REFUSED are answered."""
        low, high = 1.0, 2.0
        while self.serves(server, kinds, high):
            low, high = high, 2 * high
        while high / low > 1.1:
            middle = (low * high) ** 0.5
            if self.serves(server, kinds, middle):
                low = middle
            else:
                high = middle
        return low

    def serves(self, server, kinds, rate):
        return all(one["answered"]["n"] >= (1 - MOST_REFUSED) * one["meant"]
                   for one in self.ask(server, kinds, rate, SEARCH_SECONDS,
                                       0.5))

    def round(self, kinds):
        server = self.start()
        try:
            rate = self.find_rate(server, kinds)
            memory = Memory(server.process.pid)
            rest = self.ask(server, kinds, SHARE_AT_REST * rate, REST_SECONDS)
            calm = memory.now()
            with memory:
                over = self.ask(server, kinds, TIMES * rate, self.seconds)
            after = self.ask(server, kinds, SHARE_AT_REST * rate, REST_SECONDS,
                             1)
            return {"rate": rate, "rest": rest, "over": over, "after": after,
                    "calm": calm, "most": memory.most, "end": memory.now(),
                    "load": os.getloadavg()[0]}
        finally:
            server.stop()


# ---- the table ----

def spread(values, form="%.1f"):
    low, high = form % min(values), form % max(values)
    text = form % statistics.median(values)
    return text if low == high else "%s (%s to %s)" % (text, low, high)


def rows_of(kinds, rounds):
    """(what, value) of the table of one load."""
    yield "sustainable, a second", spread([r["rate"] for r in rounds], "%.0f")
    for i, (model, rows, _) in enumerate(kinds):
        name = "%d row%s, %s: " % (rows, "s" * (rows > 1), model)
        at = {key: [r[key][i] for r in rounds]
              for key in ("rest", "over", "after")}

        def p(key, share, kind="answered"):
            return [one[kind].get(share, 0) for one in at[key]]

        yield name + "answered at rest, p50 / p99 ms", "%s / %s" % (
            spread(p("rest", "p50")), spread(p("rest", "p99")))
        yield name + "answered at 5 times, p50 / p99 ms", "%s / %s" % (
            spread(p("over", "p50")), spread(p("over", "p99")))
        yield name + "p99 at 5 times / p99 at rest", spread(
            [a / b for a, b in zip(p("over", "p99"), p("rest", "p99"))],
            "%.2f")
        yield name + "answered of what was asked at 5 times, %", spread(
            [100 * one["answered"]["n"] / one["meant"] for one in at["over"]])
        if any(one["refused"]["n"] for one in at["over"]):
            yield name + "refused, p50 / p99 ms", "%s / %s" % (
                spread(p("over", "p50", "refused"), "%.2f"),
                spread(p("over", "p99", "refused")))
        yield name + "answered afterwards, p50 / p99 ms", "%s / %s" % (
            spread(p("after", "p50")), spread(p("after", "p99")))
    yield "resident memory at rest / most at 5 times / afterwards, MiB", \
        " / ".join(spread([r[key] for r in rounds], "%.0f")
                   for key in ("calm", "most", "end"))


def machine():
    with open("/proc/cpuinfo", encoding="utf-8") as file:
        name = next(line.split(":")[1].strip() for line in file
                    if line.startswith("model name"))
    return "%d x %s" % (os.cpu_count(), name)


def write(path, options, results):
    commit = subprocess.run(["git", "describe", "--always", "--dirty"],
                            cwd=ROOT, capture_output=True, text=True,
                            check=False).stdout.strip()
    loads = [r["load"] for _, _, rounds in results for r in rounds]
    lines = [
        "# Overload", "",
        "- machine: " + machine(),
        "- commit: " + commit,
        "- command: make bench-overload ARGS='%s'" % " ".join(sys.argv[2:]),
        "- rounds: %d; medians, with the least and most in brackets" %
        options.rounds,
        "- server and generator: " + (
            "a processor each" if options.apart else "on the same processors"),
        "- load average at the ends of the rounds: %s" % spread(loads), "",
        "Sustainable is the highest rate of which all but one request in a "
        "hundred are answered; at rest is a tenth of it. Five times of it was "
        "asked for %g seconds." % options.seconds,
    ]
    for name, kinds, rounds in results:
        lines += ["", "## " + name, "", "| | |", "|---|---:|"]
        lines += ["| %s | %s |" % row for row in rows_of(kinds, rounds)]
    path.write_text("\n".join(lines) + "\n")
    print(path.read_text())


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("generator")
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--apart", action="store_true")
    parser.add_argument("--only", default="")
    parser.add_argument("--out", default=str(ROOT / "bench/OVERLOAD.md"))
    options = parser.parse_args()
    with tempfile.TemporaryDirectory() as name:
        folder = pathlib.Path(name)
        bench = Bench(options, folder)
        results = []
        for title, kinds in LOADS:
            if options.only not in title:
                continue
            files = [(write_request(folder, model, rows), share)
                     for model, rows, share in kinds]
            results.append((title, kinds, [bench.round(files)
                                           for _ in range(options.rounds)]))
    write(pathlib.Path(options.out), options, results)


if __name__ == "__main__":
    main()
