"""Reads the table of RESULTS.md and says which of the promised rows it lacks.

    check_results.py [FILE]
"""
import pathlib
import re
import sys

ROWS = {
    "one encode": r"encode and classify one digit",
    "batches of 32": r"32 digits a batch", "of 128": r"128 digits a batch",
    "of 512": r"512 digits a batch",
    "JSON over HTTP beside peers": r"one JSON digit, `classify`",
    "JSON of 17 places": r"one JSON digit of 17 places",
    "32 rows a request": r"32 JSON digits a request",
    "JSON and the ceiling": r"one JSON digit, of the ceiling",
    "npy and the ceiling": r"one npy digit, of the ceiling",
    "OIP binary and the ceiling": r"one OIP binary digit, of the ceiling",
    "one connection": r"p50 with one connection",
    "convolutional stacks, one": r".*-conv-.*, one",
    "convolutional stacks, batch": r".*-conv-.*, \d+ rows",
    "groups, one": r".*-groups, one", "groups, batch": r".*-groups, \d+ rows",
    "FISTA": r".*(FISTA|fista).*", "coordinate descent": r".*descent.*",
    "trees": r".*[tT]ree.*", "groups' proximal steps": r".*[gG]roup.*",
    "training": r"training DrSAE.*",
    "cold start": r"cold start.*", "memory": r"memory after load.*",
}


def load(path):
    """The rows' first cells."""
    lines = path.read_text().splitlines()
    return [line.strip("| ").split("|")[0].strip() for line in lines
            if line.startswith("| ") and not line.startswith("|  |")]


def main():
    path = pathlib.Path(sys.argv[1] if len(sys.argv) > 1 else
                        pathlib.Path(__file__).parent / "RESULTS.md")
    names = load(path)
    missing = [what for what, pattern in ROWS.items()
               if not any(re.match(pattern, name) for name in names)]
    if missing:
        sys.exit("%s: no rows of: %s" % (path.name, "; ".join(missing)))


main()
