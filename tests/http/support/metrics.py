"""The text of /metrics, read back; and what the files that use it name."""
import json
import re

from .server import ROOT

FOLDER = ROOT / "docs" / "monitoring"
_SAMPLE = re.compile(r'(\w+)(?:\{(.*)\})? (\S+)$')
_LABEL = re.compile(r'(\w+)="((?:[^"\\]|\\.)*)"(?:,|$)')


class Scrape:
    """Samples by name and labels, of either format."""

    def __init__(self, reply):
        assert reply.status == 200, str(reply)
        self.open = reply.type == "application/openmetrics-text"
        self.text = reply.body.decode("utf-8")
        self.types, self.samples = {}, {}
        for line in self.text.splitlines():
            if line.startswith("# TYPE "):
                _, _, name, kind = line.split(" ")
                self.types[name] = kind
            elif not line.startswith("#"):
                self._add(line)

    def _add(self, line):
        match = _SAMPLE.match(line)
        assert match, "no sample: %r" % line
        name, labels, value = match.groups()
        pairs = _LABEL.findall(labels or "")
        assert ",".join('%s="%s"' % pair for pair in pairs) == (labels or "")
        key = name, frozenset(pairs)
        assert key not in self.samples, "twice: %r" % line
        self.samples[key] = float(value)

    def get(self, name, **labels):
        """The one value with these labels, and no others."""
        return self.samples[name, frozenset(labels.items())]

    def find(self, name, **labels):
        """Values of all samples that have these labels among theirs."""
        return [value for (one, pairs), value in self.samples.items()
                if one == name and set(labels.items()) <= pairs]

    def names(self):
        """What samples are called, of all families, with and without any."""
        parts = {"histogram": ("_bucket", "_sum", "_count"),
                 "counter": ("_total",) if self.open else ("",),
                 "info": ("_info",)}
        return {name + part for name, kind in self.types.items()
                for part in parts.get(kind, ("",))}


def ask(server, accept=None):
    return Scrape(server.ask("GET", "/metrics", b"",
                             [("Accept", accept)] if accept else ()))


def expressions(value):
    """All PromQL of the dashboard or of rules."""
    if isinstance(value, list):
        for member in value:
            yield from expressions(member)
    elif isinstance(value, dict):
        for key, member in value.items():
            if key in ("expr", "definition") and isinstance(member, str):
                yield member
            else:
                yield from expressions(member)


def named(expression):
    """The metrics of ours that an expression names."""
    return set(re.findall(r"\b(?:sparsed|process)_[a-z_]+\b(?!\")",
                          expression))


def dashboard():
    return json.loads((FOLDER / "dashboard.json").read_text("utf-8"))
