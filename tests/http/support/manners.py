"""Requests with headers of their own, and what every refusal of ours has."""

JSON = ("Content-Type", "application/json")
BODY = b'{"inputs": [[1, 2, 3, 4]]}'
ENCODE = "/v1/models/one/encode"


def ask(t, method, target, body=b"", *headers):
    """One request with these headers, on a connection of its own."""
    return t.server.ask(method, target, body, headers)


def good(t):
    """What a plain request of BODY is answered."""
    reply = ask(t, "POST", ENCODE, BODY, JSON)
    assert reply.status == 200, str(reply)
    return reply.json()


def own_problem(reply, status):
    """A refusal of ours: a problem with the request's id."""
    assert reply.status == status, str(reply)
    assert reply.type == "application/problem+json", str(reply)
    assert reply.json()["request_id"] == reply.headers["X-Request-Id"]
    assert reply.headers["Content-Encoding"] is None, str(reply)
    return reply.json()["detail"]
