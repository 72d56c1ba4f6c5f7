"""What would help someone whose code is not read: come closer, step back, tilt it, more light, hold still. Pure."""

from __future__ import annotations

import math
from typing import Final

import cv2
import numpy as np

from device.attention import Box, busiest, like_a_code
from device.sight import Code, Guidance, Hint
from hardware.parts import Frame, Grey

PATIENCE_S: Final = 1.0  # seconds that something like a code is held up before anything is said
LOOK_S: Final = 0.25  # seconds between looks at it; what two in a row agree on is said

DIM: Final = 70  # grey levels, of what is light in a code
WHITE: Final = 252  # grey levels, where a sensor can say no more
BLOB: Final = 6  # of the side, one in so many: what is white over that much is no module, but a lamp
SPOT: Final = 0.02  # of the area, white in blobs of that size
FINE: Final = 12.0  # pixels from one change of dark and light to the next, which are some six fine modules
FAR: Final = 100  # pixels a side; hardly any code is read that is smaller
TALL: Final = 0.9  # of the picture's height
SOFT: Final = 2.5  # pixels, the sigma of what makes the sharpest edges wide
MOVING: Final = 0.2  # of its side, from one look to the next


class Guide:
    """Watches frames and what was read in them, and says what would help when that changes."""

    def __init__(self) -> None:
        self._since = math.inf  # something like a code has been there, unread
        self._looked_at = -math.inf
        self._before: Box | None = None
        self._thought: Hint | None = None
        self._said: Hint | None = None

    def see(self, frame: Frame, codes: list[Code]) -> Guidance | None:
        """Return what to tell the person now, when it is not what they were told last."""
        if codes:
            self._since, self._thought = math.inf, None
            return self._say(None)
        if frame.at - self._looked_at < LOOK_S:
            return None
        self._looked_at = frame.at
        thought, before = self._think(frame), self._thought
        self._thought = thought
        return self._say(thought) if thought == before else None

    def _say(self, thought: Hint | None) -> Guidance | None:
        if thought == self._said:
            return None
        self._said = thought
        return Guidance(hint=thought)

    def _think(self, frame: Frame) -> Hint | None:
        box, before = busiest(frame.grey, margin=0)[0], self._before
        self._before = box
        part = box.of(frame.grey)
        if not like_a_code(part):
            self._since = math.inf
            return None
        self._since = min(self._since, frame.at)
        if frame.at - self._since < PATIENCE_S:
            return None
        return hint(part, tall=part.shape[0] / frame.grey.shape[0], moved=box.moved(before) if before else 0.0)


def hint(part: Grey, *, tall: float, moved: float) -> Hint | None:
    """Return what keeps this code from being read; None when nothing is wrong with the picture of it.

    `tall` is its share of the picture's height, `moved` how far it went since the last look, in shares of its side.
    """
    smooth = np.asarray(cv2.blur(part, (3, 3)), dtype=np.uint8)  # without the sensor's noise
    dark, light = (float(level) for level in np.percentile(smooth, (5, 95)))
    steps = np.asarray(cv2.absdiff(smooth[:, 1:], smooth[:, :-1]))
    way = (light - dark) / max(0.1, float(steps.mean()))  # pixels from one change of dark and light to the next
    edge = (light - dark) / max(1.0, float(np.percentile(steps, 99))) / math.sqrt(2 * math.pi)  # sigma of what blurs
    if tall >= TALL:
        return "too_close"
    if light < DIM:
        return "dark"
    if glaring(smooth) >= SPOT:
        return "glare"
    if way < FINE or max(part.shape) < FAR:
        return "too_far"
    if moved >= MOVING:
        return "hold_still"
    return "blur" if edge >= SOFT else None


def glaring(part: Grey) -> float:
    """Return the share that is white beyond what a module or a quiet zone could be."""
    white = np.asarray(part >= WHITE, dtype=np.uint8)
    side = max(3, part.shape[0] // BLOB, part.shape[1] // BLOB)
    return float(cv2.morphologyEx(white, cv2.MORPH_OPEN, np.ones((side, side), np.uint8)).mean())
