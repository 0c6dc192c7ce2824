"""Schemathesis against the running daemon and the contract that it serves:
every check, valid and invalid requests, and chains of them along the
contract's links. First with tokens, then as on a loopback address without.

usage: fuzz.py [EXAMPLES] [SEED]    at most so many of each operation; other
    seeds than 1 look elsewhere
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

import host
from host import BINARY

EXAMPLES = 50
LEAST = 2000  # cases in all
PHASES = "examples,coverage,fuzzing,stateful"


def fuzz(server, name, examples, seed, token=None):
    """(cases, whether nothing was found); what was, it prints."""
    env = {**os.environ, "PYTHONPATH": str(host.HERE)}
    command = [
        sys.executable, "-m", "schemathesis.cli",
        "--config-file", "fuzz.toml", "run", server.url + "/openapi.yaml",
        "--url", server.url, "--phases", PHASES, "--seed", str(seed),
        "--max-examples", str(examples), "--no-color"]
    if token:
        env["SPARSED_TOKEN"] = token
        command += ["--header", "Authorization: Bearer " + token]
    else:  # nobody asks for tokens, so nothing is refused for want of one
        command += ["--exclude-checks", "ignored_auth,missing_required_header"]
    done = subprocess.run(command, cwd=host.HERE, env=env, text=True,
                          stdout=subprocess.PIPE, stderr=subprocess.STDOUT,
                          check=False)
    found = re.search(r"^\s*(\d+) generated", done.stdout, re.MULTILINE)
    errors = re.findall(r"^\S+ error .*", server.log(), re.MULTILINE)
    good = done.returncode == 0 and not errors
    if not good:
        print(done.stdout[-30000:], *errors, sep="\n")
    cases = int(found[1]) if found else 0
    print("fuzz: %s: %d cases, seed %d, %s" % (
        name, cases, seed, "nothing found" if good else "failures above"),
        flush=True)
    return cases, good


def make_token(folder):
    """A token that may do all, and the file that names it."""
    path = folder / "tokens"
    made = subprocess.run(
        [BINARY, "token", "fuzz", "--scopes", "admin", "--tokens", str(path)],
        capture_output=True, text=True, check=True)
    return made.stdout.strip(), path


def main(examples=EXAMPLES, seed=1):
    with tempfile.TemporaryDirectory() as folder:
        token, path = make_token(pathlib.Path(folder))
        with host.serving(host.write_small, (
                "--tokens", str(path), "--anonymous", "none")) as server:
            first = fuzz(server, "with tokens", examples, seed, token)
    with host.serving(host.write_small) as server:
        second = fuzz(server, "without", max(1, examples // 5), seed)
    cases = first[0] + second[0]
    enough = cases >= LEAST
    print("fuzz: %d cases%s" % (
        cases, "" if enough else ", fewer than %d" % LEAST))
    return 0 if first[1] and second[1] and enough else 1


if __name__ == "__main__":
    sys.exit(main(*map(int, sys.argv[1:])))
