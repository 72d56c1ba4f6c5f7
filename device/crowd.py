"""How many people wait, by picture, codes and beam; whether that is a crowd, and whether one stands too near. Pure.

It is an estimate and decides about nobody: people elsewhere are told, and the screen asks to keep the distance.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal, NamedTuple

from device.sight import Counted

By = Literal["picture", "codes", "beam"]

FRESH_S: Final = 10.0  # seconds a count of the picture is worth something
HIGH: Final = 0.75  # of them, from the lowest to the highest: whoever is being served hides others for a while
NEAR_LOOKS: Final = 3  # of the last so many looks, most must have found somebody too near
PACE_S: Final = 6.0  # seconds: whoever shows a code so soon after the one before had been waiting
RUN_S: Final = 30.0  # seconds back for which codes are counted
STANDS_S: Final = 2.0  # seconds in the outer beam: somebody stands there and does not go through


class Estimate(NamedTuple):
    """How many wait, and what says so."""

    waiting: int
    by: By


class Crowd:
    """Told what was counted, what was read and which beam is broken; asked what that amounts to.

    A crowd is `threshold` people or more for `hold_s` seconds, and is over after as long with a third fewer.
    """

    def __init__(self, *, threshold: int, hold_s: float, now: float) -> None:
        self._threshold = threshold
        self._calm = threshold - max(1, threshold // 3)
        self._hold_s = hold_s
        self._counts: deque[Counted] = deque(maxlen=32)
        self._codes: deque[tuple[float, bytes]] = deque(maxlen=64)
        self._broken_at: float | None = None
        self._otherwise_since: float | None = None  # since when it looks unlike what `crowded` says
        self.estimate: Estimate | None = None  # None: nobody can tell
        self.crowded = False
        self.since = now
        self.too_near = False

    def counted(self, counted: Counted) -> None:
        """Take what the picture says."""
        self._counts.append(counted)

    def scanned(self, identity: bytes, at: float) -> None:
        """Take a code that was read; the same one again is the same person."""
        self._codes = deque((then for then in self._codes if then[1] != identity), maxlen=self._codes.maxlen)
        self._codes.append((at, identity))

    def beam(self, at: float, *, broken: bool) -> None:
        """Take a change of the outer beam."""
        self._broken_at = at if broken else None

    def look(self, now: float) -> None:
        """Draw the conclusions."""
        fresh = [count for count in self._counts if now - count.frame_at <= FRESH_S]
        near = [count.near > 0 for count in fresh[-NEAR_LOOKS:]]
        self.too_near = 2 * sum(near) > NEAR_LOOKS
        self.estimate = self._estimate(fresh, now)
        if self.estimate:
            self._judge(self.estimate.waiting, now)

    def _estimate(self, fresh: list[Counted], now: float) -> Estimate | None:
        found: list[Estimate] = []
        if fresh:
            found.append(Estimate(sorted(count.waiting for count in fresh)[int(HIGH * (len(fresh) - 1))], "picture"))
        if (behind := self._behind(now)) > 0:
            found.append(Estimate(behind, "codes"))
        if self._broken_at is not None and now - self._broken_at >= STANDS_S:
            found.append(Estimate(1, "beam"))
        return max(found, key=lambda each: each.waiting, default=None)

    def _behind(self, now: float) -> int:
        """Return how many must have waited behind the first of the codes that followed one another without a pause."""
        run, last = 0, now
        for at, _ in reversed(self._codes):
            if last - at > PACE_S or now - at > RUN_S:
                break
            run, last = run + 1, at
        return run - 1

    def _judge(self, waiting: int, now: float) -> None:
        otherwise = waiting <= self._calm if self.crowded else waiting >= self._threshold
        if not otherwise:
            self._otherwise_since = None
        elif self._otherwise_since is None:
            self._otherwise_since = now
        if self._otherwise_since is not None and now - self._otherwise_since >= self._hold_s:
            self.crowded, self.since = not self.crowded, self._otherwise_since
            self._otherwise_since = None
