#!/usr/bin/env python3
"""The table of settings in docs/operations.md, from `sparsed serve --help`.

    SPARSED=build/sparsed python3 tests/cli/settings_table.py

writes it anew; tests/cli/test_settings.py compares it.
"""
import os
import re
import subprocess
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent.parent
SPARSED = str(Path(os.environ.get("SPARSED", ROOT / "build/sparsed")).resolve())
PAGE = ROOT / "docs/operations.md"
COLUMN = 28  # of the text beside a flag, after the indent
PLACE = re.compile(r"(?<=<!-- settings -->\n).*?(?=<!-- end -->)", re.DOTALL)


def cut(row):
    """The flag with its value, and the text beside it."""
    first, _, rest = row.partition("\n")
    if len(first) > COLUMN and first[COLUMN - 1] == " ":
        first, rest = first[:COLUMN], first[COLUMN:] + "\n" + rest
    return first.strip(), " ".join(rest.split())


def sections():
    """[(name, [(flag with its value, text)])] as help has them."""
    text = subprocess.run([SPARSED, "serve", "--help"], text=True, check=True,
                          capture_output=True).stdout
    found = []
    for part in text.split("\n\n"):
        name, _, rest = part.partition(":\n")
        if rest.startswith("  --"):
            rows = re.split(r"^  (?=--)", rest, flags=re.MULTILINE)[1:]
            found.append((name, [cut(row) for row in rows]))
    return found


def table():
    lines = []
    for name, rows in sections():
        lines += ["", "**%s**" % name, "", "| setting | what |", "|---|---|"]
        for flag, text in rows:
            lines.append("| `%s` | %s |" % (flag.replace("|", "\\|"),
                                            text.replace("|", "\\|")))
    return "\n".join(lines[1:]) + "\n"


def written():
    return PLACE.search(PAGE.read_text()).group()


if __name__ == "__main__":
    PAGE.write_text(PLACE.sub(lambda _: table(), PAGE.read_text()))
