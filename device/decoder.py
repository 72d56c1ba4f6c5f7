"""Frames, one after another -> the codes in them that can be believed, within a budget of time for each frame."""

from __future__ import annotations

import math
import time
from typing import Final

import cv2
import numpy as np

from device.looks import FIRST, OTHERS, Look, by_bytes
from device.sight import Code
from hardware.parts import Frame, Grey

AWAKE_S: Final = 1.0  # seconds of looking at every frame after the last movement
DOZE: Final = 15  # while nothing moves, one frame in so many is looked at all the same
CONFIRM_S: Final = 0.5  # a weak reading is believed when it comes twice within these seconds

STEP: Final = 8  # pixels; movement is looked for in every 8th pixel of every 8th row
MOVED_BY: Final = 10  # grey levels, of the mean of 7 x 7 such pixels: six times the noise of a sensor at sigma 8
MOVED_PLACES: Final = 8


class Decoder:
    """Reads frame after frame. `budget_ms` is the time to spend on a frame in which nothing is found at first.

    A look is begun only when it is likely to end within the budget, except one a frame, so that each has its turn on
    any machine. `looked` counts the looks taken.
    """

    def __init__(self, budget_ms: float) -> None:
        self.looked = 0
        self._budget_s = budget_ms / 1000
        self._motion = Motion()
        self._awake_until = -math.inf
        self._dozed = 0
        self._turn = 0
        self._lucky: Look | None = None  # what found a code last is asked early
        self._cost: dict[str, float] = {}
        self._in_view: dict[bytes, Code] = {}
        self._doubted: dict[bytes, float] = {}

    def read(self, frame: Frame) -> list[Code]:
        """Return every believable code in the frame. While nothing moves, what was in view is taken to be there."""
        awake = self._wake(frame)
        if awake or self._dozed >= DOZE:
            self._dozed = 0
            found = self._search(frame.grey, self._budget_s if awake else 0)
            believed = self._believe(found, frame.at)
            if not self._in_view.keys() <= believed.keys():
                self._awake_until = frame.at + AWAKE_S  # what is gone has moved
            self._in_view = believed
        return list(self._in_view.values())

    def still(self, at: float) -> bool:
        """Tell whether nothing has moved of late, by the frame of this time."""
        return at >= self._awake_until

    def _wake(self, frame: Frame) -> bool:
        self._dozed += 1
        if self._motion.seen(frame.grey):
            if frame.at >= self._awake_until:
                self._turn = 0  # something new: first the looks that pay most
            self._awake_until = frame.at + AWAKE_S
        return frame.at < self._awake_until

    def _search(self, grey: Grey, budget_s: float) -> dict[bytes, Code]:
        """Look until something new is found. What was in view already, a poster perhaps, ends it after one more."""
        ends = time.perf_counter() + budget_s
        found = self._take(FIRST, grey)
        expected = self._in_view.keys() | self._doubted.keys()
        if self._lucky and not expected <= found.keys():
            more = self._take(self._lucky, grey)
            self._lucky = self._lucky if more else None
            found = more | found
        for taken in range(len(OTHERS)):
            look = OTHERS[self._turn]
            late = time.perf_counter() + self._cost.get(look.name, 0.0) > ends
            news = not found.keys() <= self._in_view.keys()
            if news or (taken and (found or late)):
                break
            self._turn = (self._turn + 1) % len(OTHERS)
            more = self._take(look, grey)
            if not more.keys() <= found.keys():
                self._lucky = look
            found = more | found
        return found

    def _take(self, look: Look, grey: Grey) -> dict[bytes, Code]:
        begun = time.perf_counter()
        found = by_bytes(look.read(grey))
        took = time.perf_counter() - begun
        known = self._cost.get(look.name, took)
        self._cost[look.name] = known + (took - known) / 5  # the mean of the last few
        self.looked += 1
        return found

    def _believe(self, found: dict[bytes, Code], at: float) -> dict[bytes, Code]:
        self._doubted = {data: then for data, then in self._doubted.items() if at - then <= CONFIRM_S}
        believed = {
            data: code
            for data, code in found.items()
            if not code.weak or data in self._in_view or data in self._doubted
        }
        self._doubted |= {data: at for data, code in found.items() if code.weak}
        return believed


class Motion:
    """Whether anything moved since it last did: a coarse look that costs a fraction of a decoder's."""

    def __init__(self) -> None:
        self._before: Grey | None = None

    def seen(self, grey: Grey) -> bool:
        """Compare with the picture at the last movement, so that a slow one adds up. The first picture moves."""
        now = np.asarray(cv2.blur(np.ascontiguousarray(grey[::STEP, ::STEP]), (7, 7)), dtype=np.uint8)
        before = self._before
        if before is not None and before.shape == now.shape:
            changed = np.count_nonzero(cv2.absdiff(now, before) > MOVED_BY)
            if changed < MOVED_PLACES:
                return False
        self._before = now
        return True


class View:
    """What is before the lens: a code is news once, and again after frames without it that span `gone_s` seconds."""

    def __init__(self, gone_s: float) -> None:
        self._gone_s = gone_s
        self._seen: dict[bytes, float] = {}
        self._at = -math.inf  # of the frame before

    def news(self, codes: list[Code], at: float) -> list[Code]:
        """Return those of the codes in the frame of this time that were not in view."""
        self._seen = {data: last for data, last in self._seen.items() if self._at - last <= self._gone_s}
        news = [code for code in codes if code.data not in self._seen]
        self._seen |= {code.data: at for code in codes}
        self._at = at
        return news
