"""How many people stand before the lens, from their outlines. Only a guess: docs/crowding.md says how good it is.

OpenCV's MOG2 tells what does not belong to the place; each connected part of that is an outline, and where an outline
has a summit there is a head.
"""

from __future__ import annotations

import math
import time
from collections.abc import Iterator
from typing import Final, NamedTuple

import cv2
import numpy as np
from numpy.typing import NDArray

from device.sight import Counted
from hardware.parts import Frame, Grey

PERIOD_S: Final = 1.0  # seconds from one look to the next
STARVED_S: Final = 3.0  # seconds after which one is taken although the decoder left no time for it

WIDE: Final = 320  # pixels to which a picture is shrunk
STILL_S: Final = 300.0  # seconds after which what does not move belongs to the place
RATE: Final = -math.log(0.9) / STILL_S  # MOG2 takes for the place what makes up nine tenths (its backgroundRatio)
SETTLE: Final = 5  # pictures of which the first idea of the place is made; who stands still in them is part of it
ALL: Final = 0.75  # share of a picture that differs when the light changed or the camera moved, and not people

LIGHTS: Final = 60  # steps from a quarter to four times as bright

GAP: Final = (9, 3)  # rows and columns between two parts of one person: a coat may look like the door behind it
SMALLEST: Final = 0.002  # share of a picture: a smaller outline is nobody
SUMMIT: Final = 0.012  # share of the picture's height by which a head stands out over what is beside it
OF_ITSELF: Final = 0.03  # the same, as a share of the outline's height
STRIDE: Final = 0.15  # as a share of a person's height, how far feet are from below the head
AT_THE_READER: Final = 0.99  # share of the height: who reaches the lower edge is being served


class Person(NamedTuple):
    """One head: the lowest row of what is below it, as a share of the picture's height, and in which outline it is."""

    feet: float
    outline: int


class Waiting:
    """Looks about once a second, when the decoder has left time for it.

    `line` is the row on which the feet are of somebody at the line on the ground, as a share of the height; 0: no line.
    """

    def __init__(self, line: float) -> None:
        self._line = line
        self._place = Place()
        self._looked_at = -math.inf
        self._cost_s = 0.0

    def look(self, frame: Frame, spare_s: float) -> Counted | None:
        """Count when it is due and there are so many seconds to spare; None otherwise, or when nobody can tell."""
        waited = frame.at - self._looked_at
        if waited < PERIOD_S or (spare_s < self._cost_s and waited < STARVED_S):
            return None
        self._looked_at = frame.at
        begun = time.perf_counter()
        people = self._place.people(frame.grey)
        self._cost_s = max(0.9 * self._cost_s, time.perf_counter() - begun)
        return None if people is None else counted(people, self._line, frame.at)


class Place:
    """What stands still, learned by looking once a second, and who does not belong to it."""

    def __init__(self) -> None:
        self._model = cv2.createBackgroundSubtractorMOG2(detectShadows=False)
        self._seen = 0

    def people(self, grey: Grey) -> list[Person] | None:
        """Return who is there; None while the place is learned, at first and after all of it has changed."""
        rows, columns = grey.shape
        size = (WIDE, max(1, round(WIDE * rows / columns)))
        small = np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)
        if self._seen:
            small = as_bright_as(np.asarray(self._model.getBackgroundImage(), dtype=np.uint8), small)
        self._seen += 1
        mask = self._model.apply(small, learningRate=1 / self._seen if self._seen <= SETTLE else RATE)
        if np.count_nonzero(mask) > ALL * mask.size:
            self._model.apply(small, learningRate=1)
            self._seen = 1
        if self._seen < SETTLE:
            return None
        mask = cv2.morphologyEx(mask, cv2.MORPH_OPEN, np.ones((3, 3), np.uint8))
        mask = cv2.morphologyEx(mask, cv2.MORPH_CLOSE, np.ones(GAP, np.uint8))
        return list(_people(np.asarray(mask, dtype=np.uint8)))


def as_bright_as(before: Grey, now: Grey) -> Grey:
    """Return the picture of now with the light of before: most of the place still is as bright, or changed alike."""
    ratios = np.log2((before[::4, ::4] + 1.0) / (now[::4, ::4] + 1.0))
    counts, edges = np.histogram(ratios, bins=LIGHTS, range=(-2, 2))
    likely = int(np.argmax(counts[:-1] + counts[1:]))  # the light may lie across two of them
    alike = ratios[(ratios >= edges[likely]) & (ratios <= edges[likely + 2])]
    return np.asarray(
        cv2.convertScaleAbs(now, alpha=float(2 ** np.median(alike))) if alike.size else now, dtype=np.uint8
    )


def counted(people: list[Person], line: float, at: float) -> Counted:
    """Say who waits: all but the one who is being served, if somebody is; and how many beside that one are too near.

    Whose feet are hidden by whoever is being served is taken to stand beyond the line: better one warning too few.
    """
    served = {person.outline for person in people if person.feet >= AT_THE_READER}
    near = sum(line < person.feet < AT_THE_READER for person in people)
    near = max(0, near + len(served) - 1) if line else 0
    return Counted(waiting=len(people) - bool(served), near=near, frame_at=at)


def _people(mask: Grey) -> Iterator[Person]:
    count, labels, boxes, _ = cv2.connectedComponentsWithStats(mask)
    for label in range(1, count):
        left, top, width, height, area = (int(number) for number in boxes[label])
        if area < SMALLEST * mask.size:
            continue
        outline = labels[top : top + height, left : left + width] == label
        there = outline.any(axis=0)
        heights = np.where(there, height - outline.argmax(axis=0), 0)
        feet = np.where(there, top + height - outline[::-1].argmax(axis=0), 0)
        for column in summits(heights, max(2.0, SUMMIT * mask.shape[0], OF_ITSELF * height)):
            stride = max(1, round(STRIDE * heights[column]))
            below = feet[max(0, column - stride) : column + stride + 1]
            yield Person(float(below.max()) / mask.shape[0], label)


def summits(heights: NDArray[np.int_], rise: float) -> list[int]:
    """Return the columns of the summits, each of which stands out by `rise` on both sides."""
    found: list[int] = []
    low = summit = peak = 0
    climbing = True
    for column, height in enumerate([*heights.tolist(), 0]):
        if climbing and height > peak:
            summit, peak = column, height
        elif climbing and peak - height >= rise:
            found.append(summit)
            climbing, low = False, height
        elif not climbing:
            low = min(low, height)
            if height - low >= rise:
                climbing, summit, peak = True, column, height
    return found or [int(heights.argmax())]
