#!/usr/bin/env python3
"""Measures what a trained model does, and writes it into its card.

    make figures MODEL=name [ARGS='--rows 2000 --only maps,trees']

or, to print: build/venv/bin/python bench/figures/figures.py MODEL --print.
MODEL is the name of a shipped model, a folder, or a model file; data are the
test rows of the set that its recipe names, or of --data (a folder with IDX
files or with photographs).

Each section is a module with `measure(run)`: Markdown, or None where the
model's config or its recipe has nothing of the kind. What stands between the
card's marks <!-- figures --> and <!-- /figures --> is replaced; all else
stays.
"""
import argparse
import functools
import json
import sys
from pathlib import Path

import base
import digits
import filling
import inhibition
import invariance
import maps
import noise
import optimality
import photographs
import pictures
import prediction
import stack
import trees
from card import Block
from model import ROOT, Model, find

SECTIONS = {"base": base, "stack": stack, "noise": noise,
            "optimality": optimality, "prediction": prediction, "maps": maps,
            "invariance": invariance, "trees": trees,
            "inhibition": inhibition, "filling": filling}


class Run:
    """What sections measure on: the model, its recipe ({}: unknown), the test
    rows `x` (n, *shape) in the range of its inputs, their labels or None, and
    where they come from, for rows that are to be moved."""
    seed = 1

    def __init__(self, model, folder, rows, recipe=None):
        self.model, self.recipe = model, recipe or {}
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
    def encoded(self):
        """Of all rows: "codes" (n, units) and "groups" (n, pools)."""
        return self.model.encode(self.x)

    def codes(self):
        return self.encoded()["codes"]


def recipe_of(path):
    """The recipe beside the model, or {}."""
    for folder in (path, *path.parents[:2]):
        if (recipe := folder / "recipe.json").exists():
            return json.loads(recipe.read_text())
    return {}


def data_of(path):
    """The folder of the set that the recipe beside the model names."""
    recipe = recipe_of(path)
    if "data" not in recipe:
        sys.exit("figures: %s: no recipe.json that names a data set; say --data"
                 % path)
    return ROOT / "data" / recipe["data"]


def arguments(words):
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("model", type=find)
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
    run = Run(Model(args.model), args.data or data_of(args.model), args.rows,
              recipe_of(args.model))
    block = Block(args.model, "figures")
    into_card = not args.print and block.exists()
    texts = [pictures.draw(run.model, args.model)] if into_card else []
    for name in SECTIONS:
        if name in args.only:
            print("figures: %s" % name, file=sys.stderr)
            texts.append(SECTIONS[name].measure(run))
    text = "\n\n".join(text for text in texts if text)
    if into_card:
        block.write(text)
        print("figures: written into %s" % block.path, file=sys.stderr)
        return
    if not args.print:
        print("figures: %s has no lines %s and %s; printed only"
              % (block.path, block.begin, block.end), file=sys.stderr)
    print(text)


if __name__ == "__main__":
    main()
