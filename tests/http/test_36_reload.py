"""SIGHUP: the settings are read again while clients are served."""
import json
import os
import re
import signal
import socket
import threading
import time

from support import learning, models, wire
from support.learning import Client

JSON = [("Content-Type", "application/json")]
SIZE = 32


def MODELS(folder):
    return models.write(folder, "one", models.compose((SIZE,),
                                                      models.dense(40)))


class Told:
    """A server with a file of settings, told to read it again."""

    def __init__(self, t, settings, folder=None, args=(), env=None):
        self.path = t.folder() / "settings.json"
        self.write(settings)
        self.server = t.start(folder or t.server.models,
                              ["--config", str(self.path), *args], env)
        self.server.wait_ready()
        self.ended = self.count()

    def write(self, settings):
        """At once, as an operator should."""
        text = settings if isinstance(settings, str) else json.dumps(settings)
        new = self.path.with_suffix(".new")
        new.write_text(text)
        os.replace(new, self.path)

    def count(self):
        """Reloads that have ended, well or not."""
        return len(re.findall(r'[ "](?:not-)?reloaded[ "\n]',
                              self.server.log()))

    def signal(self):
        self.server.process.send_signal(signal.SIGHUP)

    def reload(self, settings=None):
        """What the log says of it."""
        if settings is not None:
            self.write(settings)
        before, start = self.count(), len(self.server.log())
        self.signal()
        end = time.monotonic() + 30
        while self.count() == before:
            assert time.monotonic() < end, self.server.log()[start:]
            time.sleep(0.01)
        return self.server.log()[start:]

    def encode(self, rows=1):
        body = json.dumps({"inputs": [[0.5] * SIZE] * rows}).encode()
        return self.server.ask("POST", "/v1/models/one/encode", body,
                               JSON).status


def test_what_can_change_does(t):
    """A live setting changes both ways, and the log says from what to what"""
    told = Told(t, {"max-body": "1MiB"})
    assert told.encode(rows=100) == 200
    log = told.reload({"max-body": 1024})
    assert "name=max-body from=1048576 to=1024" in log, log
    assert told.encode(rows=100) == 413 and told.encode() == 200
    log = told.reload({})
    assert "name=max-body from=1024 to=67108864" in log, log
    assert told.encode(rows=100) == 200


def test_log(t):
    """Level and form of the log change too"""
    told = Told(t, {})
    told.reload({"log": "json", "log-level": "debug"})
    start = len(told.server.log())
    assert told.encode() == 200
    end = time.monotonic() + 10
    while len(told.server.log()) == start and time.monotonic() < end:
        time.sleep(0.01)
    line = json.loads(told.server.log()[start:].splitlines()[0])
    assert line["level"] in ("info", "debug"), line


def test_restart(t):
    """What cannot change is kept, and the log says that it needs a restart"""
    told = Told(t, {"threads": 2})
    log = told.reload({"threads": 3, "listen": "127.0.0.1:1",
                       "models": "/nowhere", "deadline": 7})
    assert re.search(r'warn server setting-kept name=threads '
                     r'why="needs a restart"', log), log
    # Flags stand over the file: they have not changed.
    assert "name=listen" not in log and "name=models" not in log, log
    assert "name=deadline from=30 to=7" in log, log
    assert told.encode() == 200
    # It is said each time, for it is so each time.
    assert "name=threads" in told.reload(), log


def test_bad_file(t):
    """A file with an error changes nothing, and the log names the member"""
    told = Told(t, {"max-body": "1MiB"})
    for text, words in (
            ('{"deadline": 5, "max-body": "2XiB"}', "max-body: '2XiB'"),
            ('{"deadline": 5, "max-bdy": 1}', "did you mean 'max-body'?"),
            ('{"deadline": 5', "settings.json"),
            ('[]', "settings.json"), ('', "settings.json")):
        log = told.reload(text)
        assert "error server not-reloaded part=settings" in log, log
        assert words in log and "name=deadline" not in log, log
        assert told.encode(rows=100) == 200
    told.path.unlink()
    assert "not-reloaded" in told.reload()
    assert "name=deadline from=30 to=5" in told.reload({"deadline": 5})


def test_bad_part(t):
    """A part that cannot take its settings keeps them; the others change"""
    told = Told(t, {"cors-origins": "https://a.example"})

    def origin():
        reply = told.server.ask("GET", "/readyz", headers=[
            ("Origin", "https://a.example")])
        return reply.headers["Access-Control-Allow-Origin"]
    assert origin() == "https://a.example"
    log = told.reload({"cors-origins": "nowhere", "deadline": 5})
    assert "error server not-reloaded part=api" in log, log
    assert "name=deadline from=30 to=5" in log, log
    assert origin() == "https://a.example"
    assert "server reloaded" in told.reload({})
    assert origin() is None


def test_while_clients_ask(t):
    """No request is lost while settings change all the time"""
    told = Told(t, {})
    stop, failed, done = threading.Event(), [], []
    request = wire.compose("POST", "/v1/models/one/encode", json.dumps(
        {"inputs": [[0.5] * SIZE] * 64}).encode(), JSON)

    def ask(keeps):
        n = 0
        try:
            while not stop.is_set():
                with told.server.connect() as connection:
                    for _ in range(50 if keeps else 1):
                        connection.send(request)
                        reply = connection.read()
                        assert reply.status == 200, str(reply)
                        n += 1
        except Exception as error:  # told to the test's own thread
            failed.append(error)
        done.append(n)

    askers = [threading.Thread(target=ask, args=(i % 2 == 0,))
              for i in range(4)]
    for one in askers:
        one.start()
    for i in range(40):
        told.reload({"max-body": "%dMiB" % (1 + i % 3),
                     "max-held": "%dMiB" % (64 + i), "timeout": 5 + i % 7,
                     "request-timeout": 20 + i, "deadline": 10 + i,
                     "max-connections": 64 + i % 5, "max-samples": 100 + i,
                     "fine-tune-every": i, "watch-every": i % 4,
                     "log-requests": (i % 5) / 4})
    stop.set()
    for one in askers:
        one.join(60)
    assert not failed, failed
    assert len(done) == 4 and min(done) > 0, done


def test_storm(t):
    """Of many signals at once none is lost: the last settings hold"""
    told = Told(t, {})
    for i in range(300):
        told.write({"max-body": 2048 + i})
        told.signal()
    end = time.monotonic() + 30
    while "to=2347" not in told.server.log():
        assert time.monotonic() < end, told.server.log()[-2000:]
        time.sleep(0.02)
    assert told.encode() == 200


def test_then_stop(t):
    """SIGHUP and SIGTERM together end the server as SIGTERM alone"""
    told = Told(t, {})
    for _ in range(20):
        told.signal()
    told.server.begin_stop()
    for _ in range(20):
        told.signal()
    assert told.server.wait_stopped() == 0


def test_learning(t):
    """Settings of learning change: a fine-tune starts when it may"""
    told = Told(t, {"max-labels": 4}, learning.train(t.folder()))
    one = Client(t, told.server)
    x, labels = learning.mixed("abcd", 10)
    one.keep(x, labels)
    one.keep(x[:1], ["e"], want=422)
    assert one.call("GET", "/v1/fine-tunes").json()["fine_tunes"] == []
    told.reload({"max-labels": 5, "fine-tune-after": 1, "keep-versions": 1})
    one.keep(x[:1], ["e"])
    end = time.monotonic() + 60
    while not one.call("GET", "/v1/fine-tunes").json()["fine_tunes"]:
        assert time.monotonic() < end
        time.sleep(0.1)


class Listener:
    """What systemd would be told."""

    def __init__(self, name):
        self.socket = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
        self.socket.bind(name)
        self.socket.settimeout(30)

    def next(self):
        return self.socket.recv(4096).decode()


def check_notify(t, listener, name):
    told = Told(t, {}, env={"NOTIFY_SOCKET": name})
    assert listener.next() == "READY=1"
    before = time.clock_gettime(time.CLOCK_MONOTONIC) * 1e6
    told.signal()
    state, when = listener.next().split("\n")
    assert state == "RELOADING=1"
    key, stamp = when.split("=")
    assert key == "MONOTONIC_USEC" and int(stamp) >= before - 1, when
    assert listener.next() == "READY=1"
    told.write("{")
    told.signal()
    assert listener.next().startswith("RELOADING=1\n")
    assert listener.next() == "READY=1"
    told.server.begin_stop()
    assert listener.next() == "STOPPING=1"
    assert told.server.wait_stopped() == 0


def test_notify(t):
    """systemd is told: ready, reloading, ready, stopping"""
    name = str(t.folder() / "notify")
    check_notify(t, Listener(name), name)


def test_notify_abstract(t):
    """The socket may have an abstract name"""
    name = "sparsed-test-%d" % os.getpid()
    check_notify(t, Listener("\0" + name), "@" + name)


def test_notify_nobody(t):
    """A socket that is not there, or no socket, is no trouble"""
    for name in ("/nowhere/at/all", "relative", "", "@", "/" + 200 * "x"):
        told = Told(t, {}, env={"NOTIFY_SOCKET": name})
        told.reload()
        assert told.encode() == 200
