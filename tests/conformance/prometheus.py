"""A real Prometheus scrapes the daemon: every scrape succeeds, its queries give
what was asked of the daemon, and it takes the dashboard's and the alerts'
expressions. promtool judges the text, the rules and their test.

On the loopback alone, in a folder of its own, ended by its process id.
"""
import contextlib
import json
import pathlib
import re
import socket
import subprocess
import sys
import tempfile
import time
import urllib.error
import urllib.parse
import urllib.request

import host
from support import metrics

SECONDS = 60  # for Prometheus to start, and to scrape
ASKED = 5
BODY = json.dumps({"inputs": [[0.1, 0.9, 0.3, 0.7]] * 3}).encode()
TINY = '{model="tiny", version="1"}'
CONFIG = """\
global: {scrape_interval: 1s, evaluation_interval: 1s}
rule_files: [%s]
scrape_configs:
  - job_name: sparsed
    static_configs: [{targets: ['%s']}]
"""


def promtool(*args, text=None):
    done = subprocess.run(["promtool", *map(str, args)], input=text, text=True,
                          capture_output=True, timeout=SECONDS, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    return done.stderr


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as one:
        return one.getsockname()[1]


class Prometheus:
    def __init__(self, folder, target):
        config = folder / "prometheus.yaml"
        config.write_text(CONFIG % (metrics.FOLDER / "alerts.yaml", target))
        address = "127.0.0.1:%d" % free_port()
        self.url = "http://%s/api/v1/" % address
        self.log = open(folder / "prometheus.log", "wb")
        self.process = subprocess.Popen(
            ["prometheus", "--config.file", str(config),
             "--storage.tsdb.path", str(folder / "data"),
             "--web.listen-address", address, "--log.level", "warn"],
            stdout=self.log, stderr=self.log, cwd=folder)

    def ask(self, what, **query):
        """The data of an answer; None while it does not answer."""
        url = self.url + what + "?" + urllib.parse.urlencode(query)
        try:
            with urllib.request.urlopen(url, timeout=10) as reply:
                return json.load(reply)["data"]
        except urllib.error.HTTPError as error:
            raise AssertionError("%s: %s" % (query, error.read())) from None
        except OSError:
            assert self.process.poll() is None, "prometheus has ended"
            return None

    def value(self, expression):
        data = self.ask("query", query=expression)
        return float(data["result"][0]["value"][1]) if (
            data and data["result"]) else None

    def wait(self, expression, want):
        end = time.monotonic() + SECONDS
        while (value := self.value(expression)) != want:
            assert time.monotonic() < end, "%s is %s, want %s" % (
                expression, value, want)
            time.sleep(0.2)

    def stop(self):
        self.process.terminate()
        try:
            self.process.wait(30)
        except subprocess.TimeoutExpired:
            self.process.kill()
            self.process.wait()
        self.log.close()


@contextlib.contextmanager
def watching(target):
    with tempfile.TemporaryDirectory(prefix="sparsed-prometheus-") as name:
        one = Prometheus(pathlib.Path(name), target)
        try:
            yield one
        finally:
            one.stop()


def check_rules():
    """promtool takes the rules, their test and the configuration."""
    promtool("check", "rules", metrics.FOLDER / "alerts.yaml")
    promtool("check", "config", metrics.FOLDER / "prometheus.yaml")
    promtool("test", "rules", host.HERE / "alerts_test.yaml")


def check_text():
    """promtool finds nothing to say about the text."""
    said = promtool("check", "metrics", text=metrics.ask(server).text)
    assert not said, said


def check_scrapes():
    """Prometheus's figures are those of what was asked."""
    for _ in range(ASKED):
        reply = server.ask("POST", "/v1/models/tiny/infer", BODY,
                           [("Content-Type", "application/json")])
        assert reply.status == 200, str(reply)
    prometheus.wait("sparsed_inference_requests_total" + TINY, ASKED)
    assert prometheus.value("sparsed_inference_rows_total" + TINY) == 3 * ASKED
    assert prometheus.value("up") == 1
    for name in "active_units", "confidence", "reconstruction_error":
        count = "sparsed_%s_ratio_count%s" % (name, TINY)
        assert prometheus.value(count) == 3 * ASKED, name
        median = prometheus.value(
            "histogram_quantile(0.5, sparsed_%s_ratio_bucket%s)" % (name, TINY))
        assert 0 <= median <= 4, "%s: %s" % (name, median)
    assert prometheus.value("scrape_duration_seconds") < 5
    for target in prometheus.ask("targets")["activeTargets"]:
        assert not target["lastError"], target["lastError"]


def check_formats():
    """It reads both formats, and knows the types of all families."""
    types = prometheus.ask("targets/metadata", match_target='{job="sparsed"}')
    seen = {one["metric"]: one["type"] for one in types}
    told = metrics.ask(server, "application/openmetrics-text")
    assert told.open
    for name, kind in told.types.items():
        assert seen.get(name) == kind, (name, kind, seen.get(name))


def check_expressions():
    """It takes every expression of the dashboard, and the rules."""
    for expression in metrics.expressions(metrics.dashboard()):
        if expression.startswith("label_values("):
            expression = re.match(r"label_values\((\w+)", expression)[1]
        for name, value in (("$__rate_interval", "5m"), ("$instance", ".*"),
                            ("$model", ".*"), ("$job", ".*")):
            expression = expression.replace(name, value)
        assert prometheus.ask("query", query=expression) is not None
    groups = prometheus.ask("rules")["groups"]
    rules = [rule for group in groups for rule in group["rules"]]
    assert len(rules) > 10
    end = time.monotonic() + SECONDS
    while any(rule["health"] != "ok" for rule in rules):
        assert time.monotonic() < end, [
            rule for rule in rules if rule["health"] != "ok"]
        time.sleep(0.5)
        groups = prometheus.ask("rules")["groups"]
        rules = [rule for group in groups for rule in group["rules"]]
    firing = [rule["name"] for rule in rules if rule.get("state") == "firing"]
    assert not firing, firing


with host.serving(host.write_small, ("--watch-every", "1")) as server, \
        watching("%s:%d" % server.address) as prometheus:
    CHECKS = [check_rules, check_text, check_scrapes, check_formats,
              check_expressions]
    try:
        host.run("prometheus", CHECKS)
    except SystemExit as end:
        code = end.code
sys.exit(code)
