"""Two light beams across the way: edges -> whole crossings and their direction; who blocks them. Pure.

Whoever goes through breaks one beam after the other, and leaves them in the same order. One who steps back leaves the
first beam last, and is nobody. Every edge is judged a moment late, so that a swinging arm or a worn sensor, which lets
a beam through for less than that, is still one body.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Beam = Literal["outer", "inner"]
Way = Literal["in", "out"]

JOIN_S: Final = 0.15  # a gap shorter than this is within one body; two people leave a longer one
STRIDE_S: Final = 0.5  # between both beams, breaking neither: only where they are further apart than a body is deep
BLOCKED_S: Final = 120.0  # nobody stands in the way for as long as that
OTHER: Final[dict[Beam, Beam]] = {"outer": "inner", "inner": "outer"}
TOWARDS: Final[dict[Beam, Way]] = {"inner": "in", "outer": "out"}


class Crossed(NamedTuple):
    """One person went through, and was clear of both beams at that monotonic time."""

    direction: Way
    at: float


class _Edge(NamedTuple):
    at: float
    beam: Beam
    broken: bool


class _Break(NamedTuple):
    began: float
    ended: float


class Crossing:
    """Both beams of one way. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._raw: dict[Beam, float | None] = {"outer": None, "inner": None}  # since when each is broken
        self._waiting: list[_Edge] = []
        self._open: dict[Beam, float | None] = {"outer": None, "inner": None}  # the same, as far as it was judged
        self._over: dict[Beam, list[_Break]] = {"outer": [], "inner": []}  # breaks that may be half a crossing

    def standing(self, now: float) -> bool:
        """Tell whether somebody, and not a part that failed, is in the way now or was a moment ago."""
        return bool(self._waiting) or any(seconds < BLOCKED_S for seconds in self.broken_for(now).values())

    def broken_for(self, now: float) -> dict[Beam, float]:
        """Return for how long each beam that is broken now has been."""
        return {beam: now - since for beam, since in self._raw.items() if since is not None}

    def edge(self, beam: Beam, at: float, *, broken: bool) -> None:
        """Take one edge; said twice, it is one."""
        if (self._raw[beam] is not None) == broken:
            return
        last = next((each for each in reversed(self._waiting) if each.beam == beam), None)
        if broken and last is not None and at - last.at < JOIN_S:
            self._waiting.remove(last)  # the beam was let through, but not for long enough
            self._raw[beam] = self._began(beam)
        else:
            self._raw[beam] = at if broken else None
            self._waiting = sorted([*self._waiting, _Edge(at, beam, broken)])

    def look(self, now: float) -> list[Crossed]:
        """Judge what is old enough; return the crossings that are complete."""
        crossed = []
        while self._waiting and now - self._waiting[0].at >= JOIN_S:
            edge = self._waiting.pop(0)
            began = self._open[edge.beam]
            self._open[edge.beam] = edge.at if edge.broken else None
            if not edge.broken and began is not None and self._ended(edge.beam, _Break(began, edge.at)):
                crossed.append(Crossed(TOWARDS[edge.beam], edge.at))
        return crossed

    def _began(self, beam: Beam) -> float | None:
        waiting = [each.at for each in self._waiting if each.beam == beam and each.broken]
        return waiting[-1] if waiting else self._open[beam]

    def _ended(self, beam: Beam, this: _Break) -> bool:
        """Tell whether a break completes a crossing, which is over at the beam it went towards."""
        other = OTHER[beam]
        if this.ended - this.began >= BLOCKED_S:
            return False
        firsts = [
            each
            for each in self._over[other]
            if each.began < this.began and each.ended < this.ended and this.began - each.ended <= STRIDE_S
        ]
        if firsts:
            # A break that overlaps this one is the same body; one before a gap might be somebody who only looked in.
            first = min(firsts, key=lambda each: (each.ended < this.began, each.began))
            self._over[other] = [each for each in self._over[other] if each.began > first.began]
            return True
        since = self._open[other]
        if since is None or since > this.began:  # otherwise it was within the other: a step forth, and back again
            kept = [each for each in self._over[beam] if this.ended - each.ended <= BLOCKED_S]
            self._over[beam] = [*kept, this]
        return False
