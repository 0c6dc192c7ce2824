"""Writes what the server answers into the examples of openapi.yaml, and below
the curl commands of README.md. Run it after the shipped model has changed; the
tests then hold both to it.

usage: refresh_examples.py [--check]    --check: write nothing, show changes
"""
import difflib
import json
import pathlib
import sys
import tempfile
import textwrap

import yaml

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

from support import contract, near, readme, server  # noqa: E402
from test_11_contract import FOLDERS  # noqa: E402

WIDTH = 80


def rounded(value):
    """As it is stated: six digits, two in long lists."""
    if near.is_long(value):
        return [round(v, 2) + 0 for v in value]
    if isinstance(value, dict):
        return {k: rounded(v) for k, v in value.items()}
    if isinstance(value, list):
        return [rounded(v) for v in value]
    return float("%.6g" % value) if isinstance(value, float) else value


def flow(value):
    """On one line, as JSON that YAML reads alike: 1e-05 would be a text."""
    if isinstance(value, dict):
        return "{%s}" % ", ".join("%s: %s" % (flow(k), flow(v))
                                  for k, v in value.items())
    if isinstance(value, list):
        return "[%s]" % ", ".join(map(flow, value))
    text = json.dumps(value, ensure_ascii=False)
    if not isinstance(value, float):
        return text
    if value == int(value) and abs(value) < 1e15:
        return str(int(value))
    mantissa, e, exponent = text.partition("e")
    return mantissa + (".0" if e and "." not in mantissa else "") + e + exponent


def print_json(value, indent, used):
    """Flow style, broken where a line would be too long. `used` columns of
    the first line are taken already, the others are indented."""
    short = flow(value)
    if used + len(short) < WIDTH - 1 or not isinstance(value, (dict, list)):
        return short
    pad = " " * (indent + 2)
    if isinstance(value, list) and not any(
            isinstance(v, (dict, list)) for v in value):
        items = ", ".join(flow(v).replace(" ", "\0") for v in value)
        return "[\n" + textwrap.fill(
            items, WIDTH - 1, initial_indent=pad, subsequent_indent=pad,
            break_on_hyphens=False, break_long_words=False
        ).replace("\0", " ") + "]"
    if isinstance(value, list):
        items = [print_json(v, indent + 2, indent + 2) for v in value]
        return "[\n%s]" % ",\n".join(pad + item for item in items)
    items = []
    for key, member in value.items():
        head = pad + flow(key) + ": "
        items.append(head + print_json(member, indent + 2, len(head)))
    return "{\n%s}" % ",\n".join(items)


def node_at(root, where):
    """(key node, value node) of a place in the document's text."""
    key = None
    for name in where:
        key, root = next((k, v) for k, v in root.value if k.value == str(name))
    return key, root


def answers(folder):
    """The example's place and what the server answers to it."""
    servers = {}
    try:
        for example in contract.examples():
            if example.models not in servers:
                base = folder / str(example.models)
                base.mkdir()
                make = FOLDERS[example.models]
                (base / "models").mkdir()
                servers[example.models] = server.Server(
                    base, make(base / "models"))
                if example.models is None:
                    servers[None].wait_ready()
            yield example, example.ask(servers[example.models])
    finally:
        for one in servers.values():
            one.stop()


def new_contract(folder):
    text = contract.PATH.read_text()
    root = yaml.compose(text)
    places = {}
    for example, got in answers(folder):
        if near.difference(got, example.want) is None:
            continue
        key, node = node_at(root, example.where)
        places[node.start_mark.index] = (node.end_mark.index, print_json(
            rounded(got), key.start_mark.column, node.start_mark.column))
    for begin in sorted(places, reverse=True):
        end, new = places[begin]
        text = text[:begin] + new + text[end:].lstrip(" ")
    return text


def new_readme(folder):
    text = readme.PATH.read_text()
    base = folder / "readme"
    base.mkdir()
    own = server.Server(base)
    try:
        own.wait_ready()
        blocks = readme.blocks()
        printed = [readme.run(block, own, base) for block in blocks]
    finally:
        own.stop()
    for block, out in reversed(list(zip(blocks, printed))):
        if block.output is None:
            continue
        if block.is_json:
            got = json.loads(out)
            if near.difference(got, json.loads(block.output)) is None:
                continue
            out = print_json(rounded(got), 0, 0)
        begin, end = block.span
        text = text[:begin] + out.rstrip("\n") + "\n" + text[end:]
    return text


def main(check):
    changed = False
    with tempfile.TemporaryDirectory() as name:
        files = [(contract.PATH, new_contract(pathlib.Path(name)))]
        if readme.PATH.exists():
            files.append((readme.PATH, new_readme(pathlib.Path(name))))
    for path, text in files:
        old = path.read_text()
        changed = changed or text != old
        sys.stdout.writelines(difflib.unified_diff(
            old.splitlines(True), text.splitlines(True), path.name, path.name,
            n=0))
        if not check:
            path.write_text(text)
    return 1 if check and changed else 0


if __name__ == "__main__":
    sys.exit(main("--check" in sys.argv[1:]))
