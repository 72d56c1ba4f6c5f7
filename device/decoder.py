"""Frames, one after another -> the codes in them that can be believed, within a budget of time for each frame."""

from __future__ import annotations

import math
import time
from typing import Final

import cv2
import numpy as np

from device.attention import busiest, like_a_code
from device.looks import FIRST, OTHERS, QUICK, WIDE, Look, by_bytes
from device.sight import Code
from hardware.parts import Frame, Grey

AWAKE_S: Final = 1.0  # seconds of looking at every frame after the last movement
DOZE: Final = 15  # while nothing moves, one frame in so many is looked at all the same
HELD: Final = 3  # while codes are in view, one frame in so many
WHOLE: Final = 4  # one search in so many looks at all of a picture: the busiest need not be the code
CONFIRM_S: Final = 0.5  # a weak reading is believed when it comes twice within these seconds

STEP: Final = 8  # pixels; movement is looked for in every 8th pixel of every 8th row
MOVED_BY: Final = 10  # grey levels, of the mean of 7 x 7 such pixels: six times the noise of a sensor at sigma 8
MOVED_PLACES: Final = 8


class Decoder:
    """Reads frame after frame. `budget_ms` is the processor's time for more than the quick looks, each frame.

    It is spent on what is like a code and is not read. A look is begun only when it is likely to end within the budget,
    except one, so that each has its turn on any machine. `looked` counts the looks taken.
    """

    def __init__(self, budget_ms: float) -> None:
        self.looked = 0
        self._budget_s = budget_ms / 1000
        self._motion = Motion()
        self._awake_until = -math.inf
        self._read_at = -math.inf
        self._skipped = 0
        self._searched = 0
        self._turn = 0
        self._lucky: Look | None = None  # what found a code last is asked early
        self._wide: Look | None = None  # what found a code in all of a picture, as long as it does
        self._cost: dict[str, float] = {}
        self._in_view: dict[bytes, Code] = {}
        self._doubted: dict[bytes, float] = {}

    def read(self, frame: Frame) -> list[Code]:
        """Return every believable code in the frame. What was in view is taken to be there until it is looked for."""
        awake = self._wake(frame)
        self._skipped += 1
        if self._skipped >= self._every(awake=awake):
            self._skipped = 0
            fresh = awake and frame.at - self._read_at > AWAKE_S  # what was read a moment ago is on its way out
            found = self._search(frame.grey, self._budget_s if fresh else 0)
            believed = self._believe(found, frame.at)
            self._read_at = frame.at if believed else self._read_at
            if not self._in_view.keys() <= believed.keys():
                self._awake_until = frame.at + AWAKE_S  # what is gone has moved
            self._in_view = believed
        return list(self._in_view.values())

    def still(self, at: float) -> bool:
        """Tell whether nothing has moved of late, by the frame of this time."""
        return at >= self._awake_until

    def _wake(self, frame: Frame) -> bool:
        if self._motion.seen(frame.grey):
            if frame.at >= self._awake_until:
                self._searched = self._turn = 0  # something new: first the looks that pay most
            self._awake_until = frame.at + AWAKE_S
        return frame.at < self._awake_until

    def _every(self, *, awake: bool) -> int:
        if not awake:
            return DOZE
        return HELD if self._in_view else 1

    def _search(self, grey: Grey, budget_s: float) -> dict[bytes, Code]:
        """Look at the busiest places that are like a code, and at times at all of the picture."""
        parts = [part for part in (box.of(grey) for box in busiest(grey)) if like_a_code(part)]
        glanced = [self._glance(part) for part in parts]
        unread = [part for part, found in zip(parts, glanced, strict=True) if not found]
        wide = {} if any(glanced) else self._look_wide(grey)
        dug = [] if wide else [self._dig(part, budget_s) for part in unread]
        self._searched += 1
        return by_bytes(code for found in (*glanced, wide, *dug) for code in found.values())

    def _look_wide(self, grey: Grey) -> dict[bytes, Code]:
        """Look at all of the picture, if it is time or the last such look found something."""
        if self._wide is None and self._searched % WHOLE:
            return {}
        look = self._wide or WIDE[self._searched // WHOLE % len(WIDE)]
        found = self._take(look, grey)
        self._wide = look if found else None
        return found

    def _glance(self, part: Grey) -> dict[bytes, Code]:
        """Take the quick looks until one finds something."""
        for look in dict.fromkeys((FIRST, self._lucky, *QUICK)):
            if look and (found := self._take(look, part)):
                return found
        return {}

    def _dig(self, part: Grey, budget_s: float) -> dict[bytes, Code]:
        """Take the other looks by turns: the next of them in any case, more of them while there is time."""
        ends = time.thread_time() + budget_s
        for _ in OTHERS:
            look = OTHERS[self._turn]
            self._turn = (self._turn + 1) % len(OTHERS)
            found = self._take(look, part)
            if found or time.thread_time() + self._cost.get(OTHERS[self._turn].name, 0.0) > ends:
                return found
        return {}

    def _take(self, look: Look, part: Grey) -> dict[bytes, Code]:
        begun = time.thread_time()
        found = by_bytes(look.read(part))
        took = time.thread_time() - begun
        known = self._cost.get(look.name, took)
        self._cost[look.name] = known + (took - known) / 5  # the mean of the last few
        self._lucky = look if found and look is not FIRST else self._lucky
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
