"""Patches of the photographs that no training saw: every fifth by name.

Photographs are grey and reduced by 2 (area average). A patch is kept as the
window of the full photograph round it, so that it can be moved before it is
reduced: interpolation then blurs what the reduction loses anyway.
"""
import sys

import numpy as np
from PIL import Image

from moving import moved

EVERY = 5
REDUCED_BY = 2
ROOM = 8  # pixels round a patch that moving may bring in
FLAT = 0.02  # patches of less deviation, of the range, are drawn again
TRIES = 20


def pictures_in(folder):
    """Loose pictures in the order of their names; none where it is no
    folder of photographs."""
    return sorted(path for path in folder.glob("[!.]*")
                  if path.suffix.lower() in (".jpg", ".jpeg", ".png"))


def held_out(folder):
    """The test photographs of a folder."""
    return pictures_in(folder)[EVERY - 1::EVERY]


class Photographs:
    labels = None

    def __init__(self, folder, rows, shape, low, high, seed=1):
        self.shape, self.low, self.high = shape, low, high
        greys = [np.asarray(Image.open(path).convert("L"))
                 for path in held_out(folder)]
        side = [REDUCED_BY * (extent + 2 * ROOM) for extent in shape]
        if not greys or any(np.less(grey.shape, side).any()
                            for grey in greys):
            sys.exit("figures: %s: every %dth photograph by name is for "
                     "testing; there must be one, and each of at least "
                     "%d x %d pixels" % (folder, EVERY, *side))
        areas = np.array([grey.size for grey in greys], float)
        rng = np.random.default_rng(seed)
        which = rng.choice(len(greys), rows, p=areas / areas.sum())
        self.windows = np.empty((rows, *side), np.uint8)
        for row, grey in enumerate(greys[i] for i in which):
            self.windows[row] = self._cut(grey, side, rng)

    def _cut(self, grey, side, rng):
        for _ in range(TRIES):
            y, x = (REDUCED_BY * rng.integers(0, (have - need)
                                              // REDUCED_BY + 1)
                    for have, need in zip(grey.shape, side))
            window = grey[y:y + side[0], x:x + side[1]]
            if self._halved_middle(window).std() >= FLAT * 255:
                break
        return window

    def _halved_middle(self, window):
        inside = slice(REDUCED_BY * ROOM, -REDUCED_BY * ROOM)
        height, width = self.shape
        return window[inside, inside].reshape(
            height, REDUCED_BY, width, REDUCED_BY).mean(axis=(1, 3))

    def _finish(self, windows, **how):
        return self.low + (self.high - self.low) / 255 * moved(
            windows, self.shape, grain=REDUCED_BY, **how)

    def rows(self):
        return self._finish(self.windows)

    def moved(self, n, **how):
        """The first n rows, moved; without `how` as they are."""
        return self._finish(self.windows[:n], **how)
