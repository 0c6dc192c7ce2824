"""Runs the conformance scripts one after the other and tells what came of
each in a table.

usage: run.py [SCRIPT...]    lint, triton, ...; without one all of them
"""
import subprocess
import sys
import time

import host

# From the quick to the slow.
SCRIPTS = ("lint", "generated", "kserve_client", "triton", "prometheus",
           "fuzz")


def run(name):
    """(name, passed, seconds, last line)"""
    print("== %s" % name, flush=True)
    began = time.monotonic()
    process = subprocess.Popen(
        [sys.executable, str(host.HERE / (name + ".py"))], text=True,
        stdout=subprocess.PIPE, stderr=subprocess.STDOUT, cwd=host.ROOT)
    last = "it said nothing"
    for line in process.stdout:
        print(line, end="", flush=True)
        last = line.strip() or last
    return name, process.wait() == 0, time.monotonic() - began, last


def main(names):
    results = [run(name) for name in names or SCRIPTS]
    print()
    for name, passed, seconds, last in results:
        print("%-6s %-14s %6.1f s  %s" % (
            "ok" if passed else "FAILED", name, seconds, last))
    return 0 if all(passed for _, passed, _, _ in results) else 1


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
