"""The life of one passage: granted, then passed or annulled; and those who went with nothing granted. Pure.

Two beams tell the direction: a crossing is complete when the far beam clears after the near one did. Someone who
steps back clears the near beam last and is nobody. A turnstile's own "passed" input, where wired, is believed instead.
"""

from __future__ import annotations

from collections import deque
from typing import Final, Literal, NamedTuple

Beam = Literal["outer", "inner"]
Direction = Literal["in", "out", "unknown"]

STRIDE_S: Final = 1.5  # a walker who is between both beams, breaking neither, needs less than this
TAILGATE_S: Final = 3.0  # one who follows within this time went on the release of the one before


class Went(NamedTuple):
    """What became of a grant, or of someone without one. `scan` is the seq of the grant, where it has one."""

    event_type: Literal["passed", "not_passed", "forced", "tailgated"]
    direction: Direction
    scan: int | None


class Crossing:
    """Turns beam edges into whole crossings."""

    def __init__(self) -> None:
        self._broken: dict[Beam, bool] = {"outer": False, "inner": False}
        self._first: Beam | None = None
        self._left: float | None = None  # when the first beam cleared

    def edge(self, beam: Beam, at: float, *, broken: bool) -> Direction | None:
        """Take one edge; return a direction when it completes a crossing."""
        if self._broken[beam] == broken:
            return None
        if broken:
            self._begin(beam, at)
            self._broken[beam] = True
            return None
        self._broken[beam] = False
        return self._end(beam, at)

    def _begin(self, beam: Beam, at: float) -> None:
        stale = self._left is not None and at - self._left > STRIDE_S
        if not any(self._broken.values()) and (self._first is None or stale):
            self._first, self._left = beam, None

    def _end(self, beam: Beam, at: float) -> Direction | None:
        if beam == self._first:
            self._left = at
            return None
        if self._left is None:
            return None
        direction: Direction = "in" if self._first == "outer" else "out"
        self._left = None
        if not any(self._broken.values()):
            self._first = None
        return direction


class Passages:
    """Matches those who go through with what was granted. Times are monotonic seconds."""

    def __init__(self, *, release_s: float, sensed: bool) -> None:
        self._release_s = release_s
        self._sensed = sensed  # without beams or a "passed" input nobody can say who went
        self._granted: deque[tuple[int | None, float]] = deque()
        self._passed_at: float | None = None

    def granted(self, scan: int | None, now: float) -> None:
        """Note a release."""
        if self._sensed:
            self._granted.append((scan, now))

    def renumber(self) -> None:
        """Events are counted anew from here: what was granted has no seq among those to come."""
        self._granted = deque((None, at) for _, at in self._granted)

    def went(self, direction: Direction, now: float) -> Went:
        """Someone went through."""
        if direction == "out":
            return Went("passed", "out", None)
        if self._granted:
            scan, _ = self._granted.popleft()
            self._passed_at = now
            return Went("passed", direction, scan)
        followed = self._passed_at is not None and now - self._passed_at <= TAILGATE_S
        return Went("tailgated" if followed else "forced", direction, None)

    def look(self, now: float) -> list[Went]:
        """Annul what nobody used in time."""
        annulled = []
        while self._granted and now - self._granted[0][1] >= self._release_s:
            annulled.append(Went("not_passed", "unknown", self._granted.popleft()[0]))
        return annulled
