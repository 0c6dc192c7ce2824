"""The real binary: start it on a free port, stop it, read what it said."""
import os
import pathlib
import re
import select
import signal
import subprocess
import time

from . import wire

ROOT = pathlib.Path(__file__).resolve().parents[3]
BINARY = str((ROOT / os.environ.get("SPARSED", "build/sparsed")).resolve())
SHIPPED = (ROOT / os.environ.get("MODELS", "models")).resolve()
# A build whose times say nothing: a sanitizer's.
SANITIZED = pathlib.Path(BINARY).parent.name in ("asan", "tsan", "ubsan")
START_SECONDS = 60
STOP_SECONDS = 150


class Server:
    """`sparsed serve` on 127.0.0.1, port 0, with folders of its own. With a
    context (ssl.SSLContext) it is asked over TLS, which args make it speak."""

    def __init__(self, folder, models=SHIPPED, args=(), env=None,
                 context=None):
        self.folder = folder
        self.context = context
        self.scheme = "https" if context else "http"
        self.models = models
        self.log_path = folder / "stderr.log"
        self.log_file = open(self.log_path, "wb")
        self.process = subprocess.Popen(
            [BINARY, "serve", "--listen", "127.0.0.1:0",
             "--models", str(models), "--data-dir", str(folder / "data"),
             *args],
            stdout=subprocess.PIPE, stderr=self.log_file, cwd=ROOT,
            env={**os.environ, **(env or {})})
        try:
            self.address = self._read_address()
        except BaseException:
            self.process.kill()
            self.process.wait()
            raise

    def _read_address(self):
        """From the first line: listening on SCHEME://ADDR:PORT"""
        out = self.process.stdout
        readable, _, _ = select.select([out], [], [], START_SECONDS)
        line = out.readline().decode() if readable else ""
        if not re.match(r"listening on %s://(127\.0\.0\.1|0\.0\.0\.0):\d+$" %
                        self.scheme, line):
            raise AssertionError("first line of stdout is %r; log: %s" %
                                 (line, self.log()))
        return "127.0.0.1", int(line.rsplit(":", 1)[1])

    @property
    def url(self):
        return "%s://%s:%d" % (self.scheme, *self.address)

    def log(self):
        return self.log_path.read_text(errors="replace")

    def connect(self, seconds=wire.SECONDS):
        return wire.Connection(self.address, seconds, self.context)

    def ask(self, method, target, body=b"", headers=()):
        return wire.ask(self.address, method, target, body, headers,
                        self.context)

    def wait_ready(self, status=200):
        """Waits until readyz answers with this status; gives the reply."""
        end = time.monotonic() + START_SECONDS
        while True:
            reply = self.ask("GET", "/readyz")
            if reply.status == status:
                return reply
            assert time.monotonic() < end, "readyz stays %s" % reply
            time.sleep(0.02)

    def is_running(self):
        return self.process.poll() is None

    def begin_stop(self):
        self.process.send_signal(signal.SIGTERM)

    def wait_stopped(self):
        try:
            return self.process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
            raise AssertionError("still runs %d s after SIGTERM; log: %s" %
                                 (STOP_SECONDS, self.log()[-2000:])) from None

    def kill(self):
        """Ends it at once, with no chance to do anything more."""
        self.process.kill()
        self.process.wait()
        self.forget()
        self.check_log()

    def check_log(self):
        log = self.log()
        for mark in ("Sanitizer", "runtime error:"):
            assert mark not in log, log[-4000:]

    def forget(self):
        """Nobody asks how it ended."""
        self.process.stdout.close()
        self.log_file.close()

    def stop(self):
        """Ends it with SIGTERM, which must go well; a second call is free."""
        if self.process.stdout.closed:
            return
        try:
            if self.is_running():
                self.begin_stop()
            code = self.wait_stopped()
        finally:
            self.forget()
        self.check_log()
        assert code == 0, "exit code %d; log: %s" % (code, self.log()[-2000:])


def run(*args, seconds=300):
    """A command of the binary, to its end."""
    return subprocess.run([BINARY, *map(str, args)], cwd=ROOT, text=True,
                          capture_output=True, timeout=seconds, check=False)
