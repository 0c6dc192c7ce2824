"""Pictures for a card, small ones: atoms.png, of a stack atoms-0.png and so on,
and orientation.png where units lie on a map."""
import sys

import maps
from model import sparsed

MOST_BYTES = 300_000
ZOOMS = 16, 8, 4, 3, 2, 1
WIDE, USUAL = 500, 4  # pixels; a larger zoom is for what is smaller than that


def is_small(path, zoom):
    head = path.read_bytes()
    width = int.from_bytes(head[16:20], "big")
    return len(head) <= MOST_BYTES and (zoom <= USUAL or width <= WIDE)


def render(model, path, *view):
    """Whether it was drawn: at the largest zoom that stays small."""
    for zoom in ZOOMS:
        done = sparsed("render", model.path, "--out", path, "--zoom", zoom,
                       *view, check=False)
        if done.returncode != 0:
            print("figures: no %s: %s" % (path.name, done.stderr.strip()),
                  file=sys.stderr)
            return False
        if is_small(path, zoom):
            break
    return True


def draw(model, folder):
    """Writes them into the folder; the lines that show them."""
    out = []
    for i in range(model.top + 1):
        name = "atoms-%d.png" % i if model.top else "atoms.png"
        if render(model, folder / name, "--layer", i):
            out.append("![What each unit%s draws](%s)" % (
                " of layer %d" % i if model.top else "", name))
    found = maps.neighbours(model)
    if found and found[1] and model.has_pictures() and render(
            model, folder / "orientation.png", "--view", "orientation"):
        out.append("![Preferred orientation of each unit](orientation.png)")
    return "\n\n".join(out)
