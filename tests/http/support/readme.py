"""The README's commands: each ```sh block with curl in it is run as it stands,
and the fenced block right below it, if there is one, is what it must print.
"""
import json
import re
import subprocess

from . import near
from .server import ROOT

PATH = ROOT / "README.md"
_FENCE = re.compile(
    r"^```(?:sh|bash|console)\n(?P<command>.*?)^```\n"
    r"(?:\n*^```(?P<kind>json|text|)\n(?P<output>.*?)^```)?",
    re.MULTILINE | re.DOTALL)
_ADDRESS = re.compile(r"(?:127\.0\.0\.1|localhost):8080")
# Differ from run to run.
_PASSING = ("request_id",)


class Block:
    def __init__(self, match):
        self.command = match["command"]
        self.output = match["output"]
        self.is_json = match["kind"] == "json"
        self.span = match.span("output")


def blocks():
    return [Block(match) for match in _FENCE.finditer(PATH.read_text())
            if "curl" in match["command"]]


def comparable(value):
    """Without what differs from run to run."""
    if isinstance(value, dict):
        return {k: comparable(v) for k, v in value.items()
                if k not in _PASSING}
    if isinstance(value, list):
        return [comparable(v) for v in value]
    return value


def run(block, server, folder):
    """What the command prints, run beside the tree's files so that what it
    writes stays in the folder."""
    for name in ("tests", "models", "openapi.yaml"):
        link = folder / name
        if not link.exists():
            link.symlink_to(ROOT / name)
    command = _ADDRESS.sub("%s:%d" % server.address, block.command)
    done = subprocess.run(["sh", "-euc", command], cwd=folder, text=True,
                          capture_output=True, timeout=60, check=False)
    assert done.returncode == 0, "%s\n%s" % (block.command, done.stderr)
    return done.stdout


def check(block, server, folder):
    printed = run(block, server, folder)
    # curl writes an error into the file as gladly as a picture.
    for name in re.findall(r"-o (\S+\.png)", block.command):
        assert (folder / name).read_bytes()[:4] == b"\x89PNG", block.command
    if block.output is None:
        return
    if not block.is_json:
        assert printed.strip() == block.output.strip(), (
            "%s\nprints\n%s" % (block.command, printed))
        return
    found = near.difference(comparable(json.loads(printed)),
                            comparable(json.loads(block.output)))
    assert found is None, "%s\n%s" % (block.command, found)
