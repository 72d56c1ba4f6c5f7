"""Where in a picture a code is likely: where light and dark change most often, in every direction. Pure."""

from __future__ import annotations

import math
from typing import Final, NamedTuple

import cv2
import numpy as np

from hardware.parts import Grey

STEP: Final = 4  # pixels: every 4th of every 4th row, unsmoothed, since what smoothing takes away is what is looked for
REACH: Final = 11  # of those, the side of the square within which changes are averaged
QUIET: Final = 10  # percent of a picture that are taken for its background, a code's quiet zone if need be
KEPT: Final = 0.35  # of the way from there to the busiest: what is as busy as that belongs to the same code
MARGIN: Final = 0.18  # of the longer side, for the quiet zone
SMALLEST: Final = 96  # pixels
MOST: Final = 0.6  # of a picture: a part that is larger saves too little
SMALL: Final = 400 * 400  # pixels of a picture of which parts would save too little
PLACES: Final = 2  # a phone, and a poster that may be busier

CELLS: Final = 48  # a side, to which what may be a code is shrunk: whether it is one does not depend on its size
BUSY: Final = 0.12  # the share of those cells that differ from the next, across and down together
FLAT: Final = 11  # grey levels between dark and light, below which there is nothing but noise
NOISE: Final = 7  # grey levels from one cell to the next that a sensor in the dark makes up


class Box(NamedTuple):
    """A part of a picture, in pixels."""

    left: int
    top: int
    right: int
    bottom: int

    def of(self, grey: Grey) -> Grey:
        """Return that part of a picture, in memory of its own."""
        return np.ascontiguousarray(grey[self.top : self.bottom, self.left : self.right])

    @property
    def area(self) -> int:
        """How many pixels it has."""
        return (self.right - self.left) * (self.bottom - self.top)

    def holds(self, other: Box) -> bool:
        """Tell whether the middle of another lies within."""
        across, down = (other.left + other.right) / 2, (other.top + other.bottom) / 2
        return self.left <= across < self.right and self.top <= down < self.bottom

    def moved(self, since: Box) -> float:
        """Return how far its middle is from another's, in shares of its longer side."""
        across = self.left + self.right - since.left - since.right
        down = self.top + self.bottom - since.top - since.bottom
        return math.hypot(across, down) / 2 / max(self.right - self.left, self.bottom - self.top)


def whole(grey: Grey) -> Box:
    """Return all of a picture."""
    return Box(0, 0, grey.shape[1], grey.shape[0])


def busiest(grey: Grey, margin: float = MARGIN) -> list[Box]:
    """Return the busiest parts of a picture, the busiest first, with the quiet zone that a code has around it.

    All of it is returned where the busiest part is most of it.
    """
    if grey.size < SMALL or min(grey.shape) <= STEP * REACH:
        return [whole(grey)]
    thin = np.ascontiguousarray(grey[::STEP, ::STEP])
    across = cv2.absdiff(thin[:-1, 1:], thin[:-1, :-1])
    down = cv2.absdiff(thin[1:, :-1], thin[:-1, :-1])
    busy = cv2.boxFilter(cv2.add(cv2.max(across, down) // 2, cv2.min(across, down)), cv2.CV_32F, (REACH, REACH))
    quiet = float(np.percentile(busy[::STEP, ::STEP], QUIET))  # a wall, and in the dark the sensor's noise
    found: list[Box] = []
    while len(found) < PLACES:
        _, most, _, (x, y) = cv2.minMaxLoc(busy)
        alike = np.asarray(busy >= quiet + KEPT * (most - quiet), dtype=np.uint8)
        _, _, _, (left, top, width, height) = cv2.floodFill(alike, None, (x, y), 2)
        box = _padded((left, top, width, height), margin, grey.shape)
        busy[box.top // STEP : box.bottom // STEP + 1, box.left // STEP : box.right // STEP + 1] = 0
        found.append(box if box.area <= MOST * grey.size else whole(grey))
    return [found[0], *(box for box in found[1:] if not box.holds(found[0]))]


def like_a_code(part: Grey) -> bool:
    """Tell whether light and dark change as often as in a code, whatever its size."""
    step = max(1, min(part.shape) // (4 * CELLS))  # what is left out changes little, and averaging it costs much
    small = cv2.resize(np.ascontiguousarray(part[::step, ::step]), (CELLS, CELLS), interpolation=cv2.INTER_AREA)
    contrast = 2 * float(cv2.meanStdDev(small)[1][0, 0])
    if contrast < FLAT:
        return False
    across, down = cv2.absdiff(small[:, 1:], small[:, :-1]), cv2.absdiff(small[1:], small[:-1])
    change = max(NOISE, contrast / 4)
    changes = sum(np.count_nonzero(each > change) for each in (across, down))
    return bool(changes >= BUSY * small.size)


def _padded(found: tuple[int, ...], margin: float, shape: tuple[int, ...]) -> Box:
    left, top, width, height = found
    rows, columns = shape
    # The mean reaches half its square further than what it is the mean of.
    side = max(STEP * (max(width, height) - REACH // 2) * (1 + 2 * margin), SMALLEST)
    middle_x, middle_y = STEP * (left + width / 2), STEP * (top + height / 2)
    wide, tall = max(side, STEP * width), max(side, STEP * height)
    return Box(
        max(0, round(middle_x - wide / 2)),
        max(0, round(middle_y - tall / 2)),
        min(columns, round(middle_x + wide / 2)),
        min(rows, round(middle_y + tall / 2)),
    )
