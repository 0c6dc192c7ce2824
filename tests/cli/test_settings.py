#!/usr/bin/env python3
"""What the tables of commands and settings become: help, manual, completion.

    SPARSED=build/sparsed build/venv/bin/python tests/cli/test_settings.py

Standard library and PyYAML; bash and groff read what is made for them, and zsh
and fish where they are.
"""
import json
import os
import re
import shutil
import subprocess
import tempfile
import unittest
from pathlib import Path

import settings_table
import yaml

ROOT = Path(__file__).resolve().parent.parent.parent
SPARSED = str(Path(os.environ.get("SPARSED", ROOT / "build/sparsed")).resolve())

DONE, FAILED, USAGE = 0, 1, 2

# $1: the script; the rest: a command line, of which the last word is being
# written. One offer a line.
DRIVER = r"""
source "$1"; shift
COMP_WORDS=("$@"); COMP_CWORD=$(( $# - 1 ))
complete -p sparsed > /dev/null || exit 1
_sparsed && printf '%s\n' "${COMPREPLY[@]}"
"""


def run(*arguments, env=None, text=None, program=SPARSED):
    return subprocess.run([program, *map(str, arguments)], text=True,
                          cwd=ROOT, capture_output=True, timeout=60,
                          input=text, env={**os.environ, **(env or {})})


def done(*arguments, **options):
    end = run(*arguments, **options)
    assert (end.returncode, end.stderr) == (DONE, ""), end
    return end.stdout


def commands():
    return re.findall(r"^  (\w+) {2,}\S", done("--help").split("\n\n")[1],
                      re.MULTILINE)


def settings(command):
    """The names in a command's help."""
    return re.findall(r"^  --([a-z-]+)", done(command, "--help"),
                      re.MULTILINE)


class HelpTest(unittest.TestCase):
    def test_every_command_has_help_that_fits_a_terminal(self):
        self.assertGreater(len(commands()), 10)
        for command in commands():
            text = done(command, "--help")
            self.assertTrue(text.startswith("usage: sparsed " + command))
            for line in text.split("\n\n", 1)[1].splitlines():
                self.assertLess(len(line), 80, line)

    def test_every_setting_that_is_printed_is_in_help(self):
        printed = json.loads(done("serve", "--print-config"))
        self.assertEqual(list(printed),
                         [name for name in settings("serve")
                          if name not in ("config", "print-config")])

    def test_a_wrong_name_is_told_the_nearest(self):
        for words, said in ((("srve",), "did you mean 'serve'?"),
                            (("serve", "--lsten", "x"),
                             "did you mean '--listen'?"),
                            (("train", "--sed=1"), "did you mean '--seed'?")):
            end = run(*words)
            self.assertEqual((end.returncode, end.stdout), (USAGE, ""))
            self.assertIn(said, end.stderr)
        self.assertNotIn("did you mean", run("elephants").stderr)

    def test_wrong_arguments_are_usage_errors(self):
        for words in (("manual", "x"), ("completion",), ("completion", "csh"),
                      ("completion", "bash", "zsh"), ("serve", "x")):
            end = run(*words)
            self.assertEqual((end.returncode, end.stdout), (USAGE, ""), words)
            self.assertIn("usage: sparsed " + words[0], end.stderr)


class SourcesTest(unittest.TestCase):
    """Every row comes from every source."""

    def printed(self, *arguments, **options):
        return json.loads(done("serve", "--print-config", *arguments,
                               **options))

    def other(self, value):
        """Some value of the same kind, as a text; None: there is none that
        every such setting takes."""
        if isinstance(value, bool):
            return "false" if value else "true"
        if isinstance(value, (int, float)):
            return None
        return "warn" if value == "info" else "json" if value == "text" \
            else "/some/where"

    def number(self, name, value):
        """Another number that the setting takes, found by asking."""
        for text in ("1", "0.5", "3", "2000", "2097152"):
            if float(text) != value and run(
                    "serve", "--print-config", "--" + name,
                    text).returncode == DONE:
                return text
        raise AssertionError(name)

    def test_flag_variable_and_file_say_the_same(self):
        plain = self.printed()
        with tempfile.TemporaryDirectory() as folder:
            path = Path(folder) / "settings.json"
            for name, value in plain.items():
                text = self.other(value) or self.number(name, value)
                by_flag = self.printed("--%s=%s" % (name, text))
                self.assertNotEqual(by_flag[name], value, name)
                self.assertEqual(
                    {key for key in plain if plain[key] != by_flag[key]},
                    {name})
                variable = "SPARSED_" + name.upper().replace("-", "_")
                self.assertEqual(self.printed(env={variable: text}), by_flag)
                path.write_text(json.dumps({name: by_flag[name]}))
                self.assertEqual(self.printed("--config", path), by_flag)
                path.write_text(json.dumps({name: value}))
                self.assertEqual(self.printed("--config", path,
                                              env={variable: text}), by_flag)
            path.write_text(json.dumps(plain))
            self.assertEqual(self.printed("--config", path), plain)


class ManualTest(unittest.TestCase):
    def render(self):
        end = run("-ww", "-man", "-Tascii", "-P-cbou", text=done("manual"),
                  program="groff")
        self.assertEqual((end.returncode, end.stderr), (0, ""))
        return end.stdout

    def test_it_is_read_without_a_warning_and_tells_all(self):
        text = self.render()
        for heading in ("NAME", "SYNOPSIS", "COMMANDS", "SIGNALS",
                        "EXIT STATUS", "ENVIRONMENT"):
            self.assertIn("\n%s\n" % heading, text)
        for command in commands():
            part = re.split(r"\n   %s\n" % command, text)[1]
            part = re.split(r"\n(?:   )?\w[\w ]*\n", part)[0]
            self.assertIn("sparsed " + command, part)
            for name in settings(command):
                self.assertRegex(part, r"\n {7,}--%s\b" % name)

    def test_names_can_be_copied(self):
        """A hyphen is a hyphen, not a dash."""
        end = run("-man", "-Tutf8", "-P-cbou", text=done("manual"),
                  program="groff")
        self.assertIn("--max-body BYTES", end.stdout)

    def test_it_is_the_same_each_time(self):
        self.assertEqual(done("manual"), done("manual"))

    def test_man_takes_it(self):
        if shutil.which("man") is None:
            self.skipTest("no man here")
        with tempfile.TemporaryDirectory() as folder:
            page = Path(folder) / "sparsed.1"
            page.write_text(done("manual"))
            end = run("--warnings", "-l", page, program="man",
                      env={"MANPAGER": "cat", "LC_ALL": "C.UTF-8"})
        self.assertEqual((end.returncode, end.stderr), (0, ""))
        self.assertIn("SPARSED(1)", end.stdout)


class CompletionTest(unittest.TestCase):
    @classmethod
    def setUpClass(cls):
        cls.room = tempfile.TemporaryDirectory()
        cls.folder = Path(cls.room.name)
        for shell in ("bash", "zsh", "fish"):
            (cls.folder / shell).write_text(done("completion", shell))
        (cls.folder / "a folder").mkdir()
        (cls.folder / "a file.npz").write_text("")

    @classmethod
    def tearDownClass(cls):
        cls.room.cleanup()

    def offers(self, *words):
        end = subprocess.run(
            ["bash", "--norc", "-c", DRIVER, "bash", str(self.folder / "bash"),
             "sparsed", *words], capture_output=True, text=True, timeout=60,
            cwd=self.folder)
        self.assertEqual((end.returncode, end.stderr), (0, ""), words)
        return sorted(filter(None, end.stdout.splitlines()))

    def test_commands(self):
        self.assertEqual(self.offers(""),
                         sorted([*commands(), "--help", "--version"]))
        self.assertEqual(self.offers("ser"), ["serve"])
        self.assertEqual(self.offers("elephants"), [])

    def test_every_setting_of_every_command(self):
        for command in commands():
            self.assertEqual(self.offers(command, "--"),
                             sorted("--" + name for name in
                                    {*settings(command), "help"}))
        self.assertEqual(self.offers("serve", "--models", "x", "--log"),
                         ["--log", "--log-level", "--log-requests"])

    def test_choices(self):
        levels = ["debug", "error", "info", "warn"]
        self.assertEqual(self.offers("serve", "--log-level", ""), levels)
        # As bash cuts --log-level= and --log-level=d.
        self.assertEqual(self.offers("serve", "--log-level", "="), levels)
        self.assertEqual(self.offers("serve", "--log-level", "=", "d"),
                         ["debug"])
        self.assertEqual(self.offers("eval", "m", "--split", "t"),
                         ["test", "train"])

    def test_files_and_folders(self):
        self.assertEqual(self.offers("serve", "--models", "a"), ["a folder"])
        self.assertEqual(self.offers("encode", "m", "--data", "a"),
                         ["a file.npz", "a folder"])
        self.assertEqual(self.offers("inspect", "a f"),
                         ["a file.npz", "a folder"])

    def test_no_offer_where_there_is_none(self):
        self.assertEqual(self.offers("serve", "--listen", ""), [])
        self.assertEqual(self.offers("serve", "--threads", ""), [])

    def test_words(self):
        self.assertEqual(self.offers("samples", ""),
                         ["count", "export", "import"])
        self.assertEqual(self.offers("completion", ""),
                         ["bash", "fish", "zsh"])

    def test_a_flag_takes_no_value(self):
        self.assertIn("a folder", self.offers("eval", "--json", ""))

    def test_other_shells_read_theirs(self):
        for shell in ("zsh", "fish"):
            if shutil.which(shell):
                end = run("-n", self.folder / shell, program=shell)
                self.assertEqual((end.returncode, end.stderr), (0, ""))
            text = (self.folder / shell).read_text()
            for command in commands():
                for name in settings(command):
                    self.assertIn(name, text)


class DocsTest(unittest.TestCase):
    def test_operations_has_every_setting(self):
        self.assertEqual(settings_table.written(), settings_table.table(),
                         "run tests/cli/settings_table.py")
        for name in settings("serve"):
            self.assertIn("| `--%s" % name, settings_table.written())

    def test_the_manifest_gives_settings_that_there_are(self):
        runtime, service = yaml.safe_load_all(
            (ROOT / "docs/kserve.yaml").read_text())
        box, = runtime["spec"]["containers"]
        self.assertEqual(box["name"], "kserve-container")
        variables = {one["name"]: one["value"] for one in box["env"]}
        printed = json.loads(done(*box["args"], "--print-config",
                                  env=variables))
        self.assertEqual(printed["models"], "/mnt/models")
        mounts = {one["mountPath"]: one["name"]
                  for one in box["volumeMounts"]}
        volumes = [one["name"] for one in runtime["spec"]["volumes"]]
        self.assertIn(mounts[printed["data-dir"]], volumes)
        port = int(printed["listen"].rsplit(":", 1)[1])
        self.assertEqual([one["containerPort"] for one in box["ports"]],
                         [port])
        for probe in ("startup", "readiness", "liveness"):
            self.assertEqual(box[probe + "Probe"]["httpGet"]["port"], port)
        self.assertLess(printed["drain"] + printed["stop-timeout"], 30)
        self.assertEqual(service["spec"]["predictor"]["model"]["runtime"],
                         runtime["metadata"]["name"])


class InstallTest(unittest.TestCase):
    def test_make_install_puts_them_where_they_belong(self):
        with tempfile.TemporaryDirectory() as folder:
            end = subprocess.run(
                ["make", "--no-print-directory", "-s", "install",
                 "DESTDIR=" + folder], cwd=ROOT,
                capture_output=True, text=True, timeout=600)
            self.assertEqual(end.returncode, 0, end.stderr)
            share = Path(folder) / "usr/local/share"
            for path, text in (
                    ("man/man1/sparsed.1", ".TH SPARSED 1"),
                    ("bash-completion/completions/sparsed", "_sparsed()"),
                    ("zsh/site-functions/_sparsed", "#compdef sparsed"),
                    ("fish/vendor_completions.d/sparsed.fish", "-c sparsed")):
                self.assertIn(text, (share / path).read_text())


if __name__ == "__main__":
    unittest.main()
