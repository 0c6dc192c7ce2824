"""One row of the table: our figures of all rounds beside those of each peer.

A ratio is made round by round, from two figures taken one right after the
other, so a machine whose speed drifts favours nobody; printed are medians
(least-most). What a ratio means is the row's `sense`:

    times   how many times better than the peer we are; the goal is a least
    share   the part of a ceiling that we reach; the goal is a least
    over    how many times a bound we need; the goal is a most
    total   the goal is a most for our figure itself; the ratio is as in times
"""
import dataclasses
import statistics

SENSES = ("times", "share", "over", "total")


class Missing(Exception):
    """What a row needs is not on this machine; the text says what."""


@dataclasses.dataclass
class Row:
    id: str                 # of the goal in goals.py
    name: str
    unit: str
    ours: list              # a figure a round
    peers: dict             # name: figures of the same rounds
    sense: str = "times"
    less: bool = True       # less is better, as with times
    must: float = None
    reach: float = None
    given: dict = dataclasses.field(default_factory=dict)
    #                         ratios made elsewhere, by peer

    def ratios(self, peer):
        if peer in self.given:
            return self.given[peer]
        pairs = list(zip(self.ours, self.peers[peer]))
        if self.sense in ("times", "total") and self.less:
            return [theirs / ours for ours, theirs in pairs]
        return [ours / theirs for ours, theirs in pairs]

    def strongest_first(self):
        """Peers by how near they come to us: the first one counts. Of two
        bounds or ceilings it is the one that is harder to meet."""
        return sorted(self.peers, reverse=self.sense == "over",
                      key=lambda p: statistics.median(self.ratios(p)))

    def figure(self):
        """What the goal is about."""
        if self.sense == "total":
            return statistics.median(self.ours)
        return statistics.median(self.ratios(self.strongest_first()[0]))

    def meets(self, goal):
        if self.sense in ("over", "total"):
            return self.figure() <= goal
        return self.figure() >= goal

    def verdict(self):
        if self.must is None:
            return ""
        if self.reach is not None and self.meets(self.reach):
            return "met"
        if self.meets(self.must):
            return "met" if self.reach is None else "must met"
        return "**not met**"

    def as_json(self):
        return {**dataclasses.asdict(self),
                "ratios": {p: self.ratios(p) for p in self.peers},
                "verdict": self.verdict()}


def number(x):
    """Three digits, and all of those before the point."""
    if abs(x) >= 100:
        return "%.0f" % x
    return "%.1f" % x if abs(x) >= 10 else "%.2f" % x


def spread(values, form=number):
    middle = form(statistics.median(values))
    if len(values) == 1:
        return middle
    return "%s (%s-%s)" % (middle, form(min(values)), form(max(values)))


def percent(x):
    return "%.0f %%" % (100 * x)


def goal_text(row):
    if row.must is None:
        return ""
    form = percent if row.sense == "share" else number
    least = "at most" if row.sense in ("over", "total") else "at least"
    text = "%s %s" % (least, form(row.must))
    if row.reach is not None and row.reach != row.must:
        text += ", to reach %s" % form(row.reach)
    return text


HEAD = ("| row | sparsed | beside | its figure | ratio | goal | |\n"
        "|---|---|---|---|---|---|---|\n")


def lines(row):
    """The row's lines of the table, one a peer; the first has the goal."""
    head = [row.name, "%s %s" % (spread(row.ours), row.unit)]
    goal = [goal_text(row), row.verdict()]
    out = []
    for peer in row.strongest_first():
        form = percent if row.sense == "share" else number
        out.append(head + [peer, spread(row.peers[peer]),
                           spread(row.ratios(peer), form)] + goal)
        head, goal = ["", ""], ["", ""]
    out = out or [head + ["", "", ""] + goal]
    return "".join("| %s |\n" % " | ".join(line) for line in out)
