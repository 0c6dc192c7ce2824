#!/usr/bin/env python3
"""Models in one table: how sparse they are, or what they tell, and what that
costs in reconstruction and classification.

    make figures-compare A=name B='name ...' [ARGS='--rows 2000']

A and B are names of models, folders, or model files. All are measured on the
same test rows: those of A's recipe, or of --data. Where A's card has the marks
<!-- compare --> and <!-- /compare -->, the table is written between them.
"""
import argparse
import sys
from pathlib import Path

import base
import noise
from card import Block
from figures import Run, data_of
from markdown import number, setting, table
from model import Model, find


COMPARED = (base.UNITS, noise.INFORMED, noise.NATS, base.GROUPS,
            base.RELATIVE_ERROR, base.ERROR)


def name_of(path):
    """The model folder's name, or the file's."""
    return path.stem if path.is_file() else path.resolve().name


def compare(paths, folder, rows):
    """The table in Markdown: a line a model, a column a figure."""
    runs = [Run(Model(path), folder, rows) for path in paths]
    shapes = [run.model.shape for run in runs]
    for shape in shapes:
        if shape != shapes[0]:
            sys.exit("compare: inputs %s and %s" % (shapes[0], shape))
    found = [dict([*base.lines(run), *noise.lines(run)]) for run in runs]
    names = [name for name in COMPARED
             if any(name in one for one in found)]
    lines = [["%s (%s, λ %s)" % (name_of(path), run.model.structure["kind"],
                                 setting(run.model.structure["lambda"])),
              *(one.get(name, "-") for name in names)]
             for path, run, one in zip(paths, runs, found)]
    return "Means over %s test rows; %s.\n\n%s" % (
        number(len(runs[0].x)), base.BRACKETS, table(["", *names], lines))


def main():
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("a", type=find)
    parser.add_argument("b", type=find, nargs="+")
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=10000)
    parser.add_argument("--print", action="store_true",
                        help="leave the card as it is")
    args = parser.parse_args()
    text = compare((args.a, *args.b), args.data or data_of(args.a), args.rows)
    block = Block(args.a, "compare")
    if not args.print and block.exists():
        block.write(text)
        print("compare: written into %s" % block.path, file=sys.stderr)
    else:
        print(text)


if __name__ == "__main__":
    main()
