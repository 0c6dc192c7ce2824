"""A line chart as SVG text: both axes logarithmic, a mark at each point."""
import math

WIDTH, HEIGHT = 640, 360
LEFT, RIGHT, TOP, BOTTOM = 70, 150, 40, 50
COLOURS = ("#1f5fa8", "#c4501b", "#3b8a3e", "#7a4fa0")


def shorten(x):
    for size, letter in ((1e6, "M"), (1e3, "k")):
        if x >= size:
            return "%g%s" % (x / size, letter)
    return "%g" % x


def ticks(least, most):
    """1, 2, 5 of each decade; only powers of ten when those are many."""
    decades = range(math.floor(math.log10(least)),
                    math.ceil(math.log10(most)) + 1)
    steps = (1, 2, 5) if len(decades) < 4 else (1,)
    return [s * 10.0 ** d for d in decades for s in steps
            if least <= s * 10.0 ** d <= most]


class Axis:
    """Numbers to places."""

    def __init__(self, values, start, end):
        least, most = min(values), max(values)
        if least == most:
            least, most = least / 2, most * 2
        self.least, self.most = least / 1.05, most * 1.05
        self.start, self.end = start, end

    def at(self, x):
        part = math.log(x / self.least) / math.log(self.most / self.least)
        return self.start + part * (self.end - self.start)


def text(x, y, words, anchor="middle", more=""):
    return ('<text x="%.0f" y="%.0f" text-anchor="%s"%s>%s</text>'
            % (x, y, anchor, more, words))


def grid(x, y, x_ticks):
    out = []
    for v in ticks(y.least, y.most):
        out.append('<path d="M%d %.1fH%d" stroke="#ddd"/>' % (
            LEFT, y.at(v), WIDTH - RIGHT))
        out.append(text(LEFT - 8, y.at(v) + 4, shorten(v), "end"))
    last = -math.inf
    for v in x_ticks:
        if x.at(v) - last > 24:  # else its number would lie over another's
            last = x.at(v)
            out.append(text(last, HEIGHT - BOTTOM + 18, shorten(v)))
    return out


def chart(title, x_name, y_name, series):
    """`series`: {name: [(x, y), ...]}, all above zero; the SVG's text."""
    points = [p for line in series.values() for p in line]
    x = Axis([p[0] for p in points], LEFT, WIDTH - RIGHT)
    y = Axis([p[1] for p in points], HEIGHT - BOTTOM, TOP)
    out = ['<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 %d %d" '
           'font-family="sans-serif" font-size="12">' % (WIDTH, HEIGHT),
           '<rect width="100%" height="100%" fill="white"/>',
           text(LEFT, 22, title, "start", ' font-size="14"'),
           text((LEFT + WIDTH - RIGHT) / 2, HEIGHT - 10, x_name),
           text(16, HEIGHT / 2, y_name, "middle",
                ' transform="rotate(-90 16 %d)"' % (HEIGHT / 2))]
    out += grid(x, y, sorted({p[0] for p in points}))
    for colour, (name, line) in zip(COLOURS, series.items()):
        places = [(x.at(a), y.at(b)) for a, b in line]
        out.append('<polyline fill="none" stroke="%s" stroke-width="2" '
                   'points="%s"/>' % (colour, " ".join(
                       "%.1f,%.1f" % p for p in places)))
        out += ['<circle cx="%.1f" cy="%.1f" r="3" fill="%s"/>' % (*p, colour)
                for p in places]
        out.append(text(places[-1][0] + 8, places[-1][1] + 4, name, "start",
                        ' fill="%s"' % colour))
    return "\n".join(out + ["</svg>"]) + "\n"
