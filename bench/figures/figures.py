#!/usr/bin/env python3
"""Measures what a trained model does, and writes it into its card.

    make figures MODEL=name [ARGS='--rows 2000 --only maps,trees']

or, to print: build/venv/bin/python bench/figures/figures.py MODEL --print.
MODEL is a folder, or a model file; data are the test rows of the set that its
recipe names, or of --data (a folder with IDX files or with photographs).

Each section is a module with `measure(run)`: Markdown, or None where the
model's config has nothing of the kind. What stands between the card's markers
<!-- figures --> and <!-- /figures --> is replaced; all else stays.
"""
import argparse
import functools
import json
import os
import sys
from pathlib import Path

import base
import digits
import filling
import inhibition
import invariance
import maps
import optimality
import photographs
import pictures
import trees
from model import ROOT, Model

SECTIONS = {"base": base, "optimality": optimality, "maps": maps,
            "invariance": invariance, "trees": trees,
            "inhibition": inhibition, "filling": filling}
BEGIN, END = "<!-- figures -->", "<!-- /figures -->"


class Run:
    """What sections measure on: the model, the test rows `x` (n, *shape) in
    the range of its inputs, their labels or None, and where they come from,
    for rows that are to be moved."""
    seed = 1

    def __init__(self, model, folder, rows):
        self.model = model
        if photographs.pictures_in(folder):
            self.source = photographs.Photographs(
                folder, rows, model.shape[-2:], model.low, model.high)
        else:
            self.source = digits.Digits(folder, rows, model.low, model.high)
        x = self.source.rows()
        self.x = x.reshape(len(x), *model.shape)
        self.labels = (self.source.labels if "classifier" in model.config
                       else None)

    @functools.lru_cache(maxsize=1)
    def codes(self):
        """Of all rows, (n, units)."""
        return self.model.encode(self.x, "codes")["codes"]


def data_of(path):
    """The folder of the set that the recipe beside the model names."""
    for folder in (path, *path.parents[:2]):
        recipe = folder / "recipe.json"
        if recipe.exists():
            return ROOT / "data" / json.loads(recipe.read_text())["data"]
    sys.exit("figures: %s: no recipe.json that names a data set; say --data"
             % path)


def write_block(card, text):
    """Whether the card had the markers for it."""
    if not card.exists():
        return False
    before, begin, rest = card.read_text().partition(BEGIN)
    _, end, after = rest.partition(END)
    if not begin or not end:
        return False
    new = card.with_name(card.name + ".new")
    new.write_text("%s%s\n%s\n%s%s" % (before, BEGIN, text, END, after))
    os.replace(new, card)
    return True


def has_block(card):
    return card.exists() and BEGIN in card.read_text() \
        and END in card.read_text()


def arguments(words):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=Path)
    parser.add_argument("--data", type=Path)
    parser.add_argument("--rows", type=int, default=10000)
    parser.add_argument("--only", default=",".join(SECTIONS),
                        help="of " + ",".join(SECTIONS))
    parser.add_argument("--print", action="store_true",
                        help="leave the card and its pictures as they are")
    args = parser.parse_args(words)
    args.only = args.only.split(",")
    if unknown := set(args.only) - set(SECTIONS):
        parser.error("no section " + ", ".join(sorted(unknown)))
    if args.rows < base.PARTS:
        parser.error("--rows: at least %d" % base.PARTS)
    return args


def main(words=None):
    """`words`: as on the command line, by default those."""
    args = arguments(words)
    run = Run(Model(args.model), args.data or data_of(args.model), args.rows)
    card = args.model / "README.md"
    into_card = not args.print and has_block(card)
    texts = [pictures.draw(run.model, args.model)] if into_card else []
    for name in SECTIONS:
        if name in args.only:
            print("figures: %s" % name, file=sys.stderr)
            texts.append(SECTIONS[name].measure(run))
    text = "\n\n".join(text for text in texts if text)
    if into_card:
        write_block(card, text)
        print("figures: written into %s" % card, file=sys.stderr)
        return
    if not args.print:
        print("figures: %s has no lines %s and %s; printed only"
              % (card, BEGIN, END), file=sys.stderr)
    print(text)


if __name__ == "__main__":
    main()
