"""Rows of programs that take turns by themselves and print a table:

    | name; peer: NAME | ours | theirs | ... | ratio |

Figures are "median (least-most)"; the ratio belongs to the first peer, and how
another compares is told by the medians. A column's name is its peer's, unless
the row names one. Of each row only three figures a side are known.
"""
import os
import re
import subprocess

from row import Missing, Row
from worker import ONE_THREAD

FIGURES = re.compile(r"([\d.]+) \(([\d.]+)-([\d.]+)\)(?:: (.+))?")


def cells(line):
    return [c.strip() for c in line.strip().strip("|").split("|")]


def rows_of(text, unit, less):
    """Every row of the text's tables, ids and goals still to come."""
    head = []
    for line in text.splitlines():
        if not line.startswith("|"):
            head = []
        elif not head:
            head = cells(line)
        elif not line.startswith("|--"):
            name, *rest = cells(line)
            found = [FIGURES.fullmatch(c) for c in rest]
            if len(found) < 3 or None in found:
                continue
            figures = [[float(x) for x in f.groups()[:3]] for f in found]
            name, _, named = name.partition("; peer: ")
            first = named or found[1].group(4) or head[2]
            peers = {first: figures[1]}
            peers.update(zip(head[3:-1], figures[2:-1]))
            yield Row("", name, unit, figures[0], peers, less=less,
                      given={first: figures[-1]})


def ask(bench, argv, unit, less=True, env=ONE_THREAD, seconds=240):
    """Runs the program; its rows."""
    try:
        done = subprocess.run(
            [str(a) for a in argv], cwd=bench.root, capture_output=True,
            text=True, timeout=seconds, env={**os.environ, **env})
    except (OSError, subprocess.TimeoutExpired) as e:
        raise Missing(str(e))
    rows = list(rows_of(done.stdout, unit, less))
    if done.returncode:  # what it has measured before stands
        last = (done.stderr.strip().splitlines() or ["failed"])[-1]
        if not rows:
            raise Missing(last)
        bench.say(last)
    for line in done.stdout.splitlines():
        if line.strip() and line[0] not in "|#":
            bench.note(line.strip())
    return rows


def script(bench, name):
    path = bench.root / "bench/peers" / name
    if not path.exists():
        raise Missing("no bench/peers/" + name)
    return path
