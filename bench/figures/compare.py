#!/usr/bin/env python3
"""Two models in one table: how sparse they are, and what that costs in
reconstruction and classification.

    make figures-compare A=name B=name [ARGS='--rows 2000']

A and B are folders or model files. Both are measured on the same test rows:
those of A's recipe, or of --data.
"""
import argparse
import sys
from pathlib import Path

import base
from figures import Run, data_of
from markdown import table
from model import Model


def name_of(path):
    """The model folder's name, or the file's."""
    return path.stem if path.is_file() else path.resolve().name


def figures(path, folder, rows):
    run = Run(Model(path), folder, rows)
    structure = run.model.structure
    found = {"structure": "%s, lambda %g" % (structure["kind"],
                                             structure.get("lambda", 0)),
             "units": str(run.model.units)}
    for name, value in base.lines(run.model, *base.evaluate(
            run.model, run.x, run.labels)):
        found[name.partition(", mean of")[0]] = value
    return found, run.model.shape


def compare(a, b, folder, rows):
    """The table in Markdown."""
    (of_a, shape), (of_b, other) = (figures(path, folder, rows)
                                    for path in (a, b))
    if shape != other:
        sys.exit("compare: inputs %s and %s" % (shape, other))
    names = list(dict.fromkeys([*of_a, *of_b]))
    return table(["", name_of(a), name_of(b)],
                 [[name, of_a.get(name, "-"), of_b.get(name, "-")]
                  for name in names])


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("a", type=Path)
    parser.add_argument("b", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=10000)
    args = parser.parse_args()
    print(compare(args.a, args.b, args.data or data_of(args.a), args.rows))


if __name__ == "__main__":
    main()
