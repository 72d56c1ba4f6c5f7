"""No more than so many frames a second."""

from __future__ import annotations

import time

from hardware.parts import CameraError


class Pace:
    """Spaces frames evenly. At 0 frames a second nothing is held back."""

    def __init__(self, fps: float) -> None:
        self._period = 1 / fps if fps else 0.0
        self._due = 0.0

    def wait(self, timeout: float) -> float:
        """Wait for the next frame's time and return it in monotonic seconds; raise CameraError if that takes longer."""
        early = self._due - time.monotonic()
        if early > 0:
            time.sleep(min(early, timeout))
        if early > timeout:
            raise CameraError(f"no frame within {timeout:g} s: one comes every {self._period:g} s; ask for more fps")
        now = time.monotonic()
        self._due = now + self._period
        return now
