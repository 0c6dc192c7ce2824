"""Runs the HTTP tests: test_NN_*.py beside this file, simple to complex.

A test is a function test_*(t) whose docstring is the sentence it shows; `t` is
a Host. One server runs per file, started when a test first wants it, on the
folder of models that the file's MODELS(folder) makes, or the shipped ones.

usage: run.py [NN|NN-MM...] [WORD...]
    only files of these numbers, only tests whose line has one of the words
"""
import importlib
import pathlib
import re
import signal
import sys
import tempfile
import time
import traceback

HERE = pathlib.Path(__file__).resolve().parent
sys.path.insert(0, str(HERE))

from support import contract  # noqa: E402
from support.server import SHIPPED, Server  # noqa: E402

SECONDS = 300  # a test that takes longer hangs


class Host:
    """What a test gets: servers, folders, and calls checked by the contract."""

    def __init__(self, module):
        self.module = module
        self.temp = tempfile.TemporaryDirectory(prefix="sparsed-http-")
        self.shared = None
        self.own = []

    def folder(self):
        return pathlib.Path(tempfile.mkdtemp(dir=self.temp.name))

    @property
    def server(self):
        """The file's server, ready."""
        if self.shared and not self.shared.is_running():
            self.shared = None  # its end was told where it happened
        if not self.shared:
            make = getattr(self.module, "MODELS", None)
            models = make(self.folder()) if make else SHIPPED
            self.shared = Server(self.folder(), models,
                                        getattr(self.module, "ARGS", ()))
            self.shared.wait_ready()
        return self.shared

    def start(self, models=SHIPPED, args=(), env=None, folder=None,
              context=None):
        """A server for this test alone, not waited for; with the folder of one
        that has ended, it goes on with that one's data."""
        self.own.append(Server(folder or self.folder(), models, args, env,
                               context))
        return self.own[-1]

    def call(self, method, target, json=None, body=b"", headers=(),
             server=None):
        """A request whose reply must be as the contract says."""
        return contract.call(server or self.server, method, target, json,
                             body, headers)

    def tell_logs(self):
        """What the servers said last, for a test that failed."""
        for one in [*self.own, *filter(None, [self.shared])]:
            sys.stdout.writelines("  log: %s\n" % line
                                  for line in one.log().splitlines()[-12:])

    def end_test(self):
        own, self.own = self.own, []
        for one in own:
            one.stop()
        if self.shared:
            assert self.shared.is_running(), (
                "the server is gone; log: " + self.shared.log()[-4000:])

    def end_file(self):
        try:
            if self.shared:
                self.shared.stop()
        finally:
            self.temp.cleanup()


def hang(*_):
    raise TimeoutError("no end after %d s" % SECONDS)


def attempt(line, function):
    """Runs one test; prints its line; true if it passed."""
    began = time.monotonic()
    signal.alarm(SECONDS)
    try:
        function()
    except Exception:
        print("FAIL  %s" % line, flush=True)
        traceback.print_exc(file=sys.stdout)
        return False
    finally:
        signal.alarm(0)
    print("ok    %s (%.2f s)" % (line, time.monotonic() - began), flush=True)
    return True


def run_test(host, function):
    if hasattr(host.module, "MODELS"):
        assert host.server  # starts it, and makes its folder
    try:
        function(host)
    except BaseException:
        host.tell_logs()
        raise
    finally:
        host.end_test()


def run_file(path, words):
    """Results, one boolean a test."""
    module = importlib.import_module(path.stem)
    _, number, name = path.stem.split("_", 2)
    tests = [(number + " " + name.replace("_", " ") + ": "
              + function.__doc__.split("\n")[0].rstrip("."), function)
             for key, function in vars(module).items()
             if key.startswith("test_")]
    if words:
        tests = [test for test in tests if any(w in test[0] for w in words)]
    if not tests:
        return []
    host = Host(module)
    results = [attempt(line, lambda f=function: run_test(host, f))
               for line, function in tests]
    used = host.shared is not None
    stopped = attempt("%s %s: the server stops cleanly" % (number, name),
                      host.end_file) if used else host.end_file() or True
    return results + [stopped] * used


def split_words(given):
    """Numbers of files, empty for all, and the words."""
    numbers, words = set(), []
    for word in given:
        found = re.fullmatch(r"(\d\d)(?:-(\d\d))?", word)
        if found:
            first, last = found[1], found[2] or found[1]
            numbers |= set(range(int(first), int(last) + 1))
        else:
            words.append(word)
    return numbers, words


def main(given):
    signal.signal(signal.SIGALRM, hang)
    numbers, words = split_words(given)
    results = []
    for path in sorted(HERE.glob("test_[0-9][0-9]_*.py")):
        if not numbers or int(path.name[5:7]) in numbers:
            results += run_file(path, words)
    failed = results.count(False)
    print("%d passed, %d failed" % (len(results) - failed, failed))
    return 1 if failed or not results else 0


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
