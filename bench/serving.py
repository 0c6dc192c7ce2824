"""Servers to measure: started, pinned, loaded by wrk, watched from outside.

With three processors or more, servers get the first two and wrk the others. With
two, both share both (a server of two threads has no other place), and so the
processor time of a request, which the generator does not disturb, is measured
too. A single connection is measured with the server on the first processor and
wrk on the second.
"""
import dataclasses
import http.client
import os
import pathlib
import select
import shutil
import signal
import socket
import subprocess
import time

from row import Missing

CPUS = sorted(os.sched_getaffinity(0))
APART = len(CPUS) > 2
SERVER_CPUS = CPUS[:2] if APART else CPUS
LOAD_CPUS = CPUS[2:] if APART else CPUS
LAYOUT = ("servers on processors %s, wrk on %s" % (SERVER_CPUS, LOAD_CPUS)
          if APART else "two processors, which servers and wrk share")
TICK = os.sysconf("SC_CLK_TCK")
LUA = pathlib.Path(__file__).resolve().parent / "lua/post.lua"


@dataclasses.dataclass
class Request:
    """What wrk sends again and again."""
    path: str
    body: bytes = None
    headers: dict = dataclasses.field(default_factory=dict)

    @property
    def method(self):
        return "GET" if self.body is None else "POST"


def free_port():
    with socket.socket() as s:
        s.bind(("127.0.0.1", 0))
        return s.getsockname()[1]


class Served:
    """A server and all its processes. `{port}` in argv and env becomes a free
    one; without it the server says "listening on URL"."""

    def __init__(self, name, argv, folder, env=None, cwd=None):
        self.name, self.folder = name, folder
        folder.mkdir(parents=True, exist_ok=True)
        self.port = free_port()
        fill = lambda text: str(text).replace("{port}", str(self.port))
        argv = [fill(a) for a in argv]
        if not shutil.which(argv[0]):
            raise Missing("%s is not there" % argv[0])
        asks = any("{port}" in str(a) for a in (env or {}).values()) or \
            any(str(self.port) in a for a in argv)
        env = {k: fill(v) for k, v in (env or {}).items()}
        self.log = open(folder / (name.split()[0] + ".log"), "wb")
        self.started = time.perf_counter()
        self.process = subprocess.Popen(
            argv, cwd=cwd, env={**os.environ, **env}, start_new_session=True,
            stdout=self.log if asks else subprocess.PIPE, stderr=self.log)
        if APART:
            self.pin(SERVER_CPUS)
        if not asks:
            self.port = self.read_port()

    def read_port(self):
        out = self.process.stdout
        readable, _, _ = select.select([out], [], [], 60)
        line = out.readline().decode() if readable else ""
        if not line.startswith("listening on "):
            self.stop()
            raise Missing("%s does not listen: %s" % (self.name, self.log.name))
        return int(line.rsplit(":", 1)[1])

    def ask(self, request, timeout=10):
        c = http.client.HTTPConnection("127.0.0.1", self.port, timeout=timeout)
        try:
            c.request(request.method, request.path, request.body,
                      request.headers)
            reply = c.getresponse()
            return reply.status, reply.read()
        finally:
            c.close()

    def wait(self, request, seconds=60):
        """Until it answers; seconds since its start."""
        until = time.perf_counter() + seconds
        while time.perf_counter() < until and self.process.poll() is None:
            try:
                if self.ask(request)[0] == 200:
                    return time.perf_counter() - self.started
            except (OSError, http.client.HTTPException):
                pass
            time.sleep(0.001)
        self.stop()
        raise Missing("%s does not answer: %s" % (self.name, self.log.name))

    def pids(self):
        """Those of its session, which it has to itself."""
        found = []
        for entry in os.listdir("/proc"):
            if entry.isdigit():
                try:
                    if os.getsid(int(entry)) == self.process.pid:
                        found.append(int(entry))
                except OSError:
                    pass
        return found

    def cpu_seconds(self):
        total = 0
        for pid in self.pids():
            try:
                stat = pathlib.Path("/proc/%d/stat" % pid).read_text()
            except OSError:
                continue
            fields = stat.rsplit(")", 1)[1].split()
            total += int(fields[11]) + int(fields[12])
        return total / TICK

    def memory_bytes(self):
        """Its own pages, and its share of those that it shares (PSS)."""
        total = 0
        for pid in self.pids():
            try:
                text = pathlib.Path("/proc/%d/smaps_rollup" % pid).read_text()
            except OSError:
                continue
            total += sum(int(line.split()[1]) for line in text.splitlines()
                         if line.startswith("Pss:"))
        return total * 1024

    def pin(self, cpus):
        for pid in self.pids():
            for task in os.listdir("/proc/%d/task" % pid):
                try:
                    os.sched_setaffinity(int(task), cpus)
                except OSError:
                    pass

    def stop(self):
        for sign in (signal.SIGTERM, signal.SIGKILL):
            for pid in self.pids():
                try:
                    os.kill(pid, sign)
                except OSError:
                    pass
            until = time.monotonic() + 10
            while time.monotonic() < until:
                self.process.poll()
                if not self.pids():
                    break
                time.sleep(0.02)
        self.process.wait()
        self.log.close()


@dataclasses.dataclass
class Load:
    rate: float     # requests a second
    cpu_us: float   # of the server's processes, a request
    p50_us: float
    p99_us: float


def load(served, request, connections, seconds, cpus=None):
    """Refusals and broken connections end the run."""
    argv = ["wrk", "-t1", "-c%d" % connections, "-d%ds" % seconds,
            "--timeout", "10s", "-s", LUA,
            "http://127.0.0.1:%d%s" % (served.port, request.path), "--",
            request.method]
    if request.body is not None:
        path = served.folder / "body"
        path.write_bytes(request.body)
        argv += [path, *(x for pair in request.headers.items() for x in pair)]
    argv = ["taskset", "-c", ",".join(map(str, cpus or LOAD_CPUS))] + argv
    before = served.cpu_seconds()
    out = subprocess.run([str(a) for a in argv], capture_output=True,
                         text=True, check=True).stdout
    used = served.cpu_seconds() - before
    figures = [line.split()[1:] for line in out.splitlines()
               if line.startswith("figures ")]
    n, took, bad, p50, p99 = map(float, figures[0])
    if bad or not n:
        raise SystemExit("%s: %d of %d requests failed" % (
            served.name, bad, n))
    return Load(n / took, used / n * 1e6, p50, p99)
