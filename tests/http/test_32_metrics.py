"""What the daemon tells of itself: figures that are exact after requests that
are known, the files that use them, and the log."""
import json
import re
import shutil
import subprocess
import time

import yaml

from support import metrics, models, wire

OPEN = "application/openmetrics-text;version=1.0.0,text/plain;q=0.5"
ROW = [0.1, 0.9, 0.3, 0.7]
INFER = "/v1/models/tiny/"
TINY = {"model": "tiny", "version": "1"}
LABELS = {"model", "version", "route", "method", "code", "reason", "stage",
          "group", "state", "le", "blas"}


def MODELS(folder):
    models.write(folder, "tiny", models.compose((4,), models.dense(6)))
    models.write(folder, "plain", models.compose(
        (4,), models.dense(6, decoder=False), classifier=None))
    return folder


def post(server, target, rows, status=200, headers=()):
    body = json.dumps({"inputs": rows}).encode()
    reply = server.ask("POST", target, body,
                       [("Content-Type", "application/json"), *headers])
    assert reply.status == status, str(reply)
    return reply, len(body)


def settled(server, good, seconds=30):
    """Figures once they are good: a request counts when its reply has left,
    which its client may see first."""
    end = time.monotonic() + seconds
    while True:
        seen = metrics.ask(server)
        if good(seen) or time.monotonic() > end:
            return seen
        time.sleep(0.02)


def alone(seen):
    """No request was under way but the scrape."""
    return seen.get("sparsed_http_requests_in_flight") == 1


def others(seen):
    """Requests that were no scrapes."""
    name = "sparsed_http_requests_total"
    return sum(seen.find(name)) - sum(seen.find(name, route="/metrics"))


def test_exact(t):
    """After known requests the figures are exact"""
    server = t.start(t.server.models, ("--watch-every", "2"))
    server.wait_ready()
    before = settled(server, alone)
    started = others(before)
    sent = received = 0
    confidence = active = 0.0
    for rows in ([ROW], [ROW, ROW[::-1]], [ROW] * 3):
        reply, length = post(server, INFER + "infer", rows)
        sent, received = sent + length, received + len(reply.body)
        confidence += sum(p["probability"]
                          for p in reply.json()["predictions"])
        active += sum(len(code["indices"]) / 6
                      for code in reply.json()["codes"])
    reply, length = post(server, INFER + "classify", [[1]], 422)
    sent, received = sent + length, received + len(reply.body)
    reply = server.ask("GET", "/nothing/here?token=secret")
    received += len(reply.body)
    server.ask("HEAD", "/v1/models")
    after = settled(server, lambda seen: others(seen) == started + 6 and
                    alone(seen))

    def grew(name, **labels):
        return after.get(name, **labels) - sum(before.find(name, **labels))

    route = "/v1/models/{model}/infer"
    requests = "sparsed_http_requests_total"
    assert grew(requests, method="POST", route=route, code="200") == 3
    assert grew(requests, method="POST", code="422",
                route="/v1/models/{model}/classify") == 1
    assert grew(requests, method="", route="", code="404") == 1
    assert grew(requests, method="GET", route="/v1/models", code="200") == 1
    assert grew("sparsed_http_request_duration_seconds_count", method="POST",
                route=route) == 3
    assert grew("sparsed_http_request_bytes_total") == sent
    # Scrapes have sent bytes too.
    assert grew("sparsed_http_response_bytes_total") >= received + len(
        before.text.encode())
    assert after.get("sparsed_http_requests_in_flight") == 1
    assert after.get("sparsed_connections") >= 1
    assert grew("sparsed_inference_requests_total", **TINY) == 4
    assert grew("sparsed_inference_failures_total", **TINY) == 1
    assert grew("sparsed_inference_rows_total", **TINY) == 6
    assert grew("sparsed_inference_batch_rows_sum", **TINY) == 6
    assert grew("sparsed_inference_batch_rows_bucket", le="2.0", **TINY) == 2
    for name in "duration", "queue", "compute":
        assert grew("sparsed_inference_%s_seconds_count" % name, route=route,
                    **TINY) == 3
    assert grew("sparsed_inference_stage_seconds_total", stage="compute",
                **TINY) > 0
    assert grew("sparsed_active_units_ratio_count", **TINY) == 6
    assert abs(grew("sparsed_active_units_ratio_sum", **TINY) - active) < 1e-5
    assert grew("sparsed_confidence_ratio_count", **TINY) == 6
    assert abs(grew("sparsed_confidence_ratio_sum", **TINY) -
               confidence) < 1e-5
    # Each row's error was asked for by `infer`; two requests were watched.
    assert grew("sparsed_reconstruction_error_ratio_count", **TINY) == 6
    assert grew("sparsed_watched_rows_total", **TINY) == 2
    assert grew("sparsed_groups_on_ratio_count", **TINY) == 2
    assert after.get("sparsed_groups", **TINY) == 6
    assert len(after.find("sparsed_group_rows_total", **TINY)) == 6
    assert after.get("sparsed_model_in_service", **TINY) == 1
    assert after.get("sparsed_inference_requests_total", model="plain",
                     version="1") == 0
    assert not after.find("sparsed_active_units_ratio_count", model="plain")


def test_watching(t):
    """Errors of reconstruction show although nobody asks for any"""
    server = t.start(t.server.models, ("--watch-every", "4"))
    server.wait_ready()
    for _ in range(9):
        post(server, INFER + "classify", [ROW])
    seen = metrics.ask(server)
    assert seen.get("sparsed_watched_rows_total", **TINY) == 3
    assert seen.get("sparsed_reconstruction_error_ratio_count", **TINY) == 3
    reply, _ = post(server, INFER + "reconstruct", [ROW])
    assert abs(seen.get("sparsed_reconstruction_error_ratio_sum", **TINY) -
               3 * reply.json()["relative_error"][0]) < 1e-4
    off = t.start(t.server.models, ("--watch-every", "0"))
    off.wait_ready()
    post(off, INFER + "classify", [ROW])
    assert metrics.ask(off).get("sparsed_watched_rows_total", **TINY) == 0


def test_formats(t):
    """Both formats say the same, and promtool agrees with them"""
    plain = metrics.ask(t.server)
    opened = metrics.ask(t.server, OPEN)
    assert not plain.open and opened.open
    assert opened.text.endswith("\n# EOF\n")
    assert plain.names() == opened.names()
    assert {name for name, _ in plain.samples} == {
        name for name, _ in opened.samples}
    for _, pairs in plain.samples:
        assert {name for name, _ in pairs} <= LABELS, pairs
    assert not [name for (name, labels), value in plain.samples.items()
                if value != value], "not numbers"
    if shutil.which("promtool"):
        done = subprocess.run(["promtool", "check", "metrics"],
                              input=plain.text, text=True, timeout=60,
                              capture_output=True, check=False)
        assert done.returncode == 0 and not done.stderr, done.stderr


def test_refusals(t):
    """What the server turns away is counted by its reason"""
    def refused():
        return metrics.ask(t.server).get("sparsed_refused_total",
                                         reason="malformed")

    before = refused()
    with t.server.connect() as connection:
        connection.send(b"GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n")
        assert connection.read("GET").status == 400
    settled(t.server, lambda seen: refused() > before)
    assert refused() == before + 1


def test_bounded(t):
    """Paths and ids that clients invent make no new figures"""
    for i in range(20):
        t.server.ask("GET", "/invented/%d" % i)
        t.server.ask("GET", "/v1/models/none-%d" % i)
    before = metrics.ask(t.server)
    for i in range(20, 60):
        t.server.ask("GET", "/invented/%d" % i, b"",
                     [("X-Request-Id", "id-%d" % i)])
        t.server.ask("GET", "/v1/models/none-%d" % i)
        t.server.ask("BREW", "/")
    after = metrics.ask(t.server)
    new = {labels for name, labels in after.samples.keys() -
           before.samples.keys() if name == "sparsed_http_requests_total"}
    assert len(new) <= 1, new  # the method, at no route
    assert "invented" not in after.text and "none-" not in after.text


def test_timing(t):
    """Replies of inference say where their time went; others do not"""
    reply, _ = post(t.server, INFER + "classify", [ROW])
    stages = re.findall(r"(\w+);dur=(\d+\.\d{3})",
                        reply.headers["Server-Timing"])
    assert [name for name, _ in stages] == ["parse", "compute", "print"]
    reply, _ = post(t.server, INFER + "classify", [ROW] * 200)
    assert reply.headers["Server-Timing"].startswith("queue;dur=")
    reply, _ = post(t.server, INFER + "classify", [[1]], 422)
    assert reply.headers["Server-Timing"] is None
    assert t.server.ask("GET", "/v1/models").headers["Server-Timing"] is None


def test_files(t):
    """Dashboard and alerts name metrics that there are, and only those"""
    there = metrics.ask(t.server).names()
    board = metrics.dashboard()
    rules = yaml.safe_load((metrics.FOLDER / "alerts.yaml").read_text())
    used = set()
    for value in board, rules:
        for expression in metrics.expressions(value):
            assert metrics.named(expression) <= there, expression
            used |= metrics.named(expression)
    drift = {"sparsed_active_units_ratio", "sparsed_confidence_ratio",
             "sparsed_reconstruction_error_ratio"}
    assert all(any(name.startswith(one) for name in used) for one in drift)


def test_dashboard(t):
    """The dashboard can be imported: one data source asked for, panels apart"""
    board = metrics.dashboard()
    source = {"type": "prometheus", "uid": "${DS_PROMETHEUS}"}
    assert [one["name"] for one in board["__inputs"]] == ["DS_PROMETHEUS"]
    assert board["id"] is None and board["schemaVersion"] >= 36
    ids = [panel["id"] for panel in board["panels"]]
    assert len(set(ids)) == len(ids)
    places = set()
    for panel in board["panels"]:
        at = panel["gridPos"]
        cells = {(x, y) for x in range(at["x"], at["x"] + at["w"])
                 for y in range(at["y"], at["y"] + at["h"])}
        assert at["x"] + at["w"] <= 24 and not cells & places, panel["title"]
        places |= cells
        if panel["type"] != "row":
            assert panel["datasource"] == source and panel["targets"]
            assert all(one["datasource"] == source and one["expr"]
                       for one in panel["targets"])
    for variable in board["templating"]["list"]:
        assert variable["datasource"] == source


def test_log(t):
    """Each line of a JSON log parses; requests tell all but what is private"""
    server = t.start(t.server.models, ("--log", "json", "--log-level",
                                       "debug"))
    server.wait_ready()
    trace = "4bf92f3577b34da6a3ce929d0e0e4736"
    post(server, INFER + "classify?top=2", [ROW, ROW], headers=[
        ("X-Request-Id", 'my "id" \\ {1}'),
        ("traceparent", "00-%s-00f067aa0ba902b7-01" % trace),
        ("Authorization", "Bearer very-secret")])
    server.ask("GET", "/%22%0a%ff\xc3?secret=1".encode(
        "latin-1").decode("latin-1").replace("\xc3", "%c3"))
    with server.connect() as connection:
        connection.send(b"GARBAGE\r\n\r\n")
        connection.read_rest()
    server.stop()
    lines = [json.loads(line) for line in server.log().splitlines()]
    assert all({"time", "level", "component", "event"} <= set(line)
               for line in lines)
    line = next(line for line in lines if line.get("model") == "tiny" and
                line["event"] == "request")
    assert line["id"] == 'my "id" \\ {1}' and line["trace"] == trace
    assert line["route"] == "/v1/models/{model}/classify"
    assert (line["version"], line["rows"], line["status"]) == (1, 2, 200)
    assert line["queue_us"] == 0 and 0 <= line["compute_us"] <= line["us"]
    assert "secret" not in server.log() and "top=2" not in server.log()
    assert "0.9" not in server.log()


def test_sampling(t):
    """A share of good requests is logged, by their ids; errors always"""
    server = t.start(t.server.models, ("--log-requests", "0.25"))
    server.wait_ready()
    for i in range(200):
        server.ask("GET", "/healthz", b"", [("X-Request-Id", "good-%d" % i)])
    for i in range(20):
        server.ask("GET", "/bad", b"", [("X-Request-Id", "bad-%d" % i)])
    server.stop()
    good = re.findall(r'id="(good-\d+)"', server.log())
    assert 30 < len(good) < 75, len(good)
    assert len(re.findall(r'id="bad-\d+"', server.log())) == 20
    again = t.start(t.server.models, ("--log-requests", "0.25"))
    again.wait_ready()
    for i in range(200):
        again.ask("GET", "/healthz", b"", [("X-Request-Id", "good-%d" % i)])
    again.stop()
    assert re.findall(r'id="(good-\d+)"', again.log()) == good


def test_floods(t):
    """Thousands of refusals make hundreds of lines, and a count"""
    server = t.start(t.server.models)
    server.wait_ready()
    asked = 3000
    with server.connect() as connection:
        for _ in range(asked // 50):
            connection.send(wire.compose("GET", "/bad") * 50)
            for _ in range(50):
                assert connection.read("GET").status == 404
    time.sleep(1.1)
    server.ask("GET", "/healthz")
    server.stop()
    lines = len(re.findall(r'path="/bad" status=404', server.log()))
    missing = sum(map(int, re.findall(r"not-logged refusals=(\d+)",
                                      server.log())))
    assert lines + missing == asked, (lines, missing)
    assert lines < asked
