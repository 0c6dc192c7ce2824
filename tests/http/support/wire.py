"""HTTP by hand: one socket, bytes as they are, replies as they come.

The standard client would refuse to send most of what the tests send, so
requests are bytes; only replies are read by http.client.
"""
import http.client
import json
import select
import socket
import time

SECONDS = 60  # longer than any answer may take on a busy machine


class Reply:
    """One reply, read to its end."""

    def __init__(self, response):
        self.status = response.status
        self.headers = response.headers
        self.body = response.read()
        self.closes = response.will_close

    @property
    def type(self):
        return self.headers.get_content_type()

    def json(self):
        return json.loads(self.body.decode("utf-8"), parse_constant=_refuse)

    def __str__(self):
        return "%d %s %r" % (self.status, self.type, self.body[:300])


def _refuse(word):
    raise ValueError("%s is no JSON" % word)


class _Stream:
    """Keeps http.client from closing, or reading ahead, what other replies on
    the same connection still need."""

    def __init__(self, file):
        self.file = file

    def makefile(self, *_):
        return self

    def close(self):
        pass

    def flush(self):
        pass

    def __getattr__(self, name):
        return getattr(self.file, name)


class Connection:
    """One connection; under TLS with a context (ssl.SSLContext)."""

    def __init__(self, address, seconds=SECONDS, context=None):
        self.socket = socket.create_connection(address, timeout=seconds)
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        if context:
            self.socket = context.wrap_socket(self.socket,
                                              server_hostname="localhost")
        self.stream = _Stream(self.socket.makefile("rb"))

    def __enter__(self):
        return self

    def __exit__(self, *_):
        self.close()

    def close(self):
        self.stream.file.close()
        self.socket.close()

    def send(self, data):
        self.socket.sendall(data)

    def send_slowly(self, data, pieces, pause):
        size = max(1, len(data) // pieces)
        for at in range(0, len(data), size):
            self.send(data[at:at + size])
            time.sleep(pause)

    def end(self):
        """No more from this side; the other may still answer."""
        self.socket.shutdown(socket.SHUT_WR)

    def reset(self):
        """Goes without a goodbye."""
        self.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER,
                               b"\1\0\0\0\0\0\0\0")
        self.close()

    def read_head(self, method="GET"):
        """The next reply without its body, which is then read from it."""
        response = http.client.HTTPResponse(self.stream, method=method)
        response.begin()
        return response

    def read(self, method="GET"):
        """The next final reply; 1xx are passed over."""
        return Reply(self.read_head(method))

    def read_or_closed(self, method="GET"):
        """The next reply, or None if the server closed instead."""
        try:
            return self.read(method)
        except (http.client.BadStatusLine, ConnectionError):
            return None

    def read_rest(self):
        """All bytes until the server closes."""
        try:
            return self.stream.file.read()
        except ConnectionError:
            return b""

    def has_bytes(self):
        """Whether something (or the end) has come that is not read yet."""
        return bool(select.select([self.socket], [], [], 0)[0])

    def is_closed(self):
        """Waits until the server closes; false if it says anything more."""
        try:
            return self.stream.file.read(1) == b""
        except ConnectionError:
            return True


def compose(method, target, body=b"", headers=()):
    """A request as bytes. Headers: pairs; Host and Content-Length come by
    themselves unless the pairs have them or Transfer-Encoding."""
    pairs = list(headers)
    given = {name.lower() for name, _ in pairs}
    if "host" not in given:
        pairs.insert(0, ("Host", "localhost"))
    if (body or method in ("POST", "PUT")) and not given & {
            "content-length", "transfer-encoding"}:
        pairs.append(("Content-Length", str(len(body))))
    lines = ["%s %s HTTP/1.1" % (method, target)]
    lines += ["%s: %s" % pair for pair in pairs]
    return "\r\n".join(lines).encode("latin-1") + b"\r\n\r\n" + body


def chunked(body, size):
    """The body as chunks of a size, with the end."""
    out = []
    for at in range(0, len(body), size):
        piece = body[at:at + size]
        out.append(b"%x\r\n%s\r\n" % (len(piece), piece))
    return b"".join(out) + b"0\r\n\r\n"


def ask(address, method, target, body=b"", headers=(), context=None):
    """One request on a connection of its own."""
    with Connection(address, context=context) as connection:
        connection.send(compose(method, target, body,
                                [*headers, ("Connection", "close")]))
        return connection.read(method)
