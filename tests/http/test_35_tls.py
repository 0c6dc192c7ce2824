"""TLS: the same server over encrypted connections; certificates that change,
clients that must show one, clients that stop in the middle."""
import json
import os
import re
import shutil
import signal
import socket
import ssl
import subprocess
import time

from support import certificates, learning, models, wire
from support.server import run

ENCODE = "/v1/models/one/encode"
ROW = [0.25, 0.5, 0.75, 1]
BODY = json.dumps({"inputs": [ROW]}).encode()
JSON = [("Content-Type", "application/json")]


def MODELS(folder):
    return models.write(folder, "one", models.compose((4,), models.dense(6)))


class Home:
    """A server with a certificate of its own authority."""

    def __init__(self, t, *args, models=None):
        self.folder = t.folder()
        self.ca = certificates.authority(self.folder, "ca")
        self.pair = certificates.signed(self.folder, "server", self.ca)
        self.context = ssl.create_default_context(cafile=self.ca.cert)
        self.server = t.start(models or t.server.models, [
            "--tls-cert", str(self.pair.cert),
            "--tls-key", str(self.pair.key), *args], context=self.context)

    def is_well(self):
        reply = self.server.ask("POST", ENCODE, BODY, JSON)
        assert reply.status == 200, str(reply)


def test_versions(t):
    """TLS 1.3 and 1.2 are spoken, older ones are not"""
    home = Home(t)
    home.server.wait_ready()
    for version in "TLSv1_2", "TLSv1_3":
        home.context.minimum_version = ssl.TLSVersion.TLSv1_2
        home.context.maximum_version = ssl.TLSVersion[version]
        with home.server.connect() as connection:
            assert connection.socket.version() == version.replace("_", ".")
            connection.send(wire.compose("GET", "/healthz"))
            assert connection.read().status == 200
    old = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
    old.check_hostname, old.verify_mode = False, ssl.CERT_NONE
    old.set_ciphers("ALL:@SECLEVEL=0")
    old.minimum_version = ssl.TLSVersion.TLSv1
    old.maximum_version = ssl.TLSVersion.TLSv1_1
    try:
        wire.Connection(home.server.address, context=old)
    except OSError:
        pass
    else:
        raise AssertionError("TLS 1.1 was spoken")
    home.is_well()


def test_sizes(t):
    """Long bodies and long replies pass whole"""
    home = Home(t)
    home.server.wait_ready()
    small = home.server.ask("POST", ENCODE, BODY, JSON).json()["codes"][0]
    long = BODY.replace(b"[[", b"[" + b" " * (60 << 20) + b"[")
    reply = home.server.ask("POST", ENCODE, long, JSON)
    assert reply.status == 200, str(reply)
    assert reply.json()["codes"] == [small], (reply.json()["codes"], small)
    many = json.dumps({"inputs": [ROW] * 1000, "format": "dense"}).encode()
    with home.server.connect() as connection:
        # the reply waits in the server for a client that does not read
        for _ in range(40):
            connection.send(wire.compose("POST", ENCODE, many, JSON))
        time.sleep(0.5)
        for _ in range(40):
            reply = connection.read()
            codes = reply.json()["codes"]
            assert len(codes) == 1000 and codes[0] == codes[-1]


def test_pipelining(t):
    """Requests sent together, and byte by byte, are answered in order"""
    home = Home(t)
    home.server.wait_ready()
    requests = b"".join(wire.compose("GET", "/healthz", headers=[
        ("X-Request-Id", "n%d" % i)]) for i in range(50))
    for pieces, pause in (1, 0), (60, 0.01):
        with home.server.connect() as connection:
            connection.send_slowly(requests, pieces, pause)
            for i in range(50):
                assert connection.read().headers["X-Request-Id"] == "n%d" % i


def processor_seconds(server):
    with open("/proc/%d/stat" % server.process.pid, encoding="ascii") as file:
        fields = file.read().rsplit(")", 1)[1].split()
    return (int(fields[11]) + int(fields[12])) / os.sysconf("SC_CLK_TCK")


def client_hello(context):
    """The first message of a handshake."""
    back, forth = ssl.MemoryBIO(), ssl.MemoryBIO()
    session = context.wrap_bio(back, forth, server_hostname="localhost")
    try:
        session.do_handshake()
    except ssl.SSLWantReadError:
        pass
    return forth.read()


def test_silent_clients(t):
    """Clients that stop in a handshake hold nobody up, cost nothing, and are
    cut"""
    home = Home(t, "--timeout", "3")
    home.server.wait_ready()
    hello = client_hello(home.context)
    silent = []
    for start in b"", hello[:1], hello[:50], hello:
        for _ in range(10):
            silent.append(socket.create_connection(home.server.address))
            silent[-1].sendall(start)
    time.sleep(0.2)
    before = processor_seconds(home.server)
    time.sleep(1)
    used = processor_seconds(home.server) - before
    assert used < 0.5, "%.2f s of a second" % used
    home.is_well()
    for one in silent:
        one.settimeout(wire.SECONDS)
        try:
            while one.recv(4096):
                pass
        except ConnectionError:
            pass
        one.close()
    home.is_well()


def test_no_tls(t):
    """Plain HTTP, and noise, are cut; the server goes on"""
    home = Home(t)
    home.server.wait_ready()
    for data in (wire.compose("GET", "/healthz"), b"\x16\x03\x01\xff\xff" * 999,
                 b"\0" * 100000, os.urandom(5000)):
        with wire.Connection(home.server.address) as connection:
            try:
                connection.send(data)
                connection.end()
            except OSError:
                pass
            assert b"HTTP" not in connection.read_rest()
    home.is_well()


def test_refused_uploads(t):
    """Who still sends is told why not: too long, too late"""
    home = Home(t, "--max-body", "1MiB", "--request-timeout", "1")
    home.server.wait_ready()
    with home.server.connect() as connection:
        connection.send(wire.compose("POST", ENCODE, b"", [
            *JSON, ("Content-Length", str(50 << 20))]) + b" " * (1 << 20))
        assert connection.read().status == 413
    with home.server.connect() as connection:
        connection.send(wire.compose("POST", ENCODE, b"", [
            *JSON, ("Content-Length", "100")]) + b"{")
        reply = connection.read()
        assert reply.status == 408, str(reply)
        assert "--request-timeout" in reply.json()["detail"]
        assert connection.read_rest() == b""
    home.is_well()


def test_stopping(t):
    """A request under way is answered at SIGTERM, idle connections end"""
    home = Home(t)
    home.server.wait_ready()
    with home.server.connect() as idle, home.server.connect() as busy:
        data = wire.compose("POST", ENCODE, BODY, JSON)
        busy.send(data[:-5])
        time.sleep(0.2)
        home.server.begin_stop()
        time.sleep(0.5)
        busy.send(data[-5:])
        assert busy.read().status == 200
        assert idle.read_rest() == b""
    assert home.server.wait_stopped() == 0


def test_streams(t):
    """Events come as they happen, and end at SIGTERM"""
    home = Home(t, "--fine-tune-threads", "1",
                models=learning.train(t.folder()))
    home.server.wait_ready()
    one = learning.Client(t, home.server)
    one.teach(learning.OLD, 100)
    job = one.tune(**learning.LONG)["id"]
    with home.server.connect() as connection:
        connection.send(wire.compose("GET", "/v1/fine-tunes/%d/events" % job))
        head = connection.read_head()
        assert head.status == 200, head.status
        seen = {line for line in (head.readline() for _ in range(40))
                if line.startswith(b"event:")}
        assert b"event: state\n" in seen and len(seen) > 1, seen
        home.server.begin_stop()
        assert head.read().endswith(b": the server stops\n\n")
    assert home.server.wait_stopped() == 0


# ---- certificates ----

def serial(connection):
    return connection.socket.getpeercert()["serialNumber"]


def until(what):
    end = time.monotonic() + wire.SECONDS
    while not what():
        assert time.monotonic() < end, "never"
        time.sleep(0.05)


def test_reloading(t):
    """SIGHUP takes a new certificate; old connections go on; a bad one is
    told and not taken"""
    home = Home(t)
    home.server.wait_ready()
    old = home.server.connect()
    before = serial(old)
    fresh = certificates.signed(home.folder, "fresh", home.ca)
    shutil.copy(fresh.cert, home.pair.cert)
    home.server.process.send_signal(signal.SIGHUP)  # its key is missing yet
    until(lambda: "part=tls" in home.server.log())
    with home.server.connect() as connection:
        assert serial(connection) == before
    shutil.copy(fresh.key, home.pair.key)
    home.server.process.send_signal(signal.SIGHUP)

    def taken():
        with home.server.connect() as connection:
            return serial(connection) != before
    until(taken)
    for _ in range(2):
        old.send(wire.compose("GET", "/healthz"))
        assert old.read().status == 200
    old.close()
    home.is_well()


def test_client_certificates(t):
    """With --tls-client-ca only clients of that authority are let in"""
    folder = t.folder()
    clients = certificates.authority(folder, "clients")
    good = certificates.signed(folder, "good", clients, "clientAuth")
    wrong_use = certificates.signed(folder, "use", clients, "serverAuth")
    late = certificates.signed(folder, "late", clients, "clientAuth",
                               days=-1)
    stranger = certificates.signed(
        folder, "stranger", certificates.authority(folder, "others"),
        "clientAuth")
    home = Home(t, "--tls-client-ca", str(clients.cert))
    home.context.load_cert_chain(good.cert, good.key)
    home.server.wait_ready()
    home.is_well()
    for pair in None, wrong_use, late, stranger:
        for version in ssl.TLSVersion.TLSv1_2, ssl.TLSVersion.TLSv1_3:
            context = ssl.create_default_context(cafile=home.ca.cert)
            context.maximum_version = version
            if pair:
                context.load_cert_chain(pair.cert, pair.key)
            try:
                reply = wire.ask(home.server.address, "GET", "/healthz",
                                 context=context)
            except (OSError, wire.http.client.HTTPException):
                continue
            raise AssertionError("%s was let in: %s" % (
                pair and pair.name, reply))
    assert "client-refused" in home.server.log()
    home.is_well()
    for pair, code in (good, 0), (stranger, 1):
        done = run("health", home.server.url, "--tls-cert", pair.cert,
                   "--tls-key", pair.key)
        assert done.returncode == code, done.stderr


def test_bad_files(t):
    """What is no certificate with its key is refused at the start"""
    folder = t.folder()
    ca = certificates.authority(folder, "ca")
    one = certificates.signed(folder, "one", ca)
    two = certificates.signed(folder, "two", ca)
    empty = folder / "empty"
    empty.write_text("")
    for args, words in (
            (["--tls-cert", one.cert], "belong together"),
            (["--tls-key", one.key], "belong together"),
            (["--tls-client-ca", ca.cert], "needs --tls-cert"),
            (["--tls-cert", one.cert, "--tls-key", two.key], "its key"),
            (["--tls-cert", one.key, "--tls-key", one.key], "certificate"),
            (["--tls-cert", empty, "--tls-key", one.key], "certificate"),
            (["--tls-cert", one.cert, "--tls-key", one.key,
              "--tls-client-ca", empty], "no certificate"),
            (["--tls-cert", folder / "none", "--tls-key", one.key],
             "none")):
        done = run("serve", "--listen", "127.0.0.1:0", *args, seconds=60)
        assert done.returncode in (1, 2), args
        assert words in done.stderr, done.stderr
        assert done.stdout == "", done.stdout


def test_health(t):
    """`sparsed health` asks over TLS, and says when there is none"""
    home = Home(t)
    home.server.wait_ready()
    done = run("health", home.server.url)
    assert (done.returncode, done.stdout) == (0, "ok\n"), done.stderr
    address = "%s:%d" % home.server.address
    assert run("health", address).returncode == 1
    plain = t.start(t.server.models)
    plain.wait_ready()
    done = run("health", plain.url.replace("http:", "https:"))
    assert done.returncode == 1 and "no TLS" in done.stderr, done.stderr


def test_curl(t):
    """curl speaks with it, verifies it, and keeps its connection"""
    home = Home(t)
    home.server.wait_ready()
    url = "https://localhost:%d/healthz" % home.server.address[1]
    done = subprocess.run(
        ["curl", "-sSv", "--cacert", home.ca.cert, url, url],
        capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.count('"ok"') == 2
    assert re.search("[Rr]e-using existing connection", done.stderr), (
        done.stderr)
    done = subprocess.run(["curl", "-sS", url], capture_output=True, text=True,
                          check=False)
    assert done.returncode == 60, done.stderr
