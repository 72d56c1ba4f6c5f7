"""The life of one passage: granted, then passed or annulled; and those who went with nothing granted. Pure."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal, NamedTuple

Direction = Literal["in", "out", "unknown"]
Scanned = Literal["in", "out", "both"]  # which way a code is asked for; the other way is free, but not through an exit

TAILGATE_S: Final = 3.0  # one who follows within this time went on the release of the one before


class Went(NamedTuple):
    """What became of a grant, or of someone without one. `scan` is the seq of the grant, `left` who may still go on it.

    `people` of a grant that is annulled is how many did not go.
    """

    event_type: Literal["passed", "not_passed", "forced", "tailgated"]
    direction: Direction
    scan: int | None
    people: int = 1
    left: int = 0


@dataclass
class _Grant:
    scan: int | None
    at: float  # of the grant, or of the last of a party who went on it
    left: int


class Passages:
    """Matches those who go through with what was granted. Times are monotonic seconds."""

    def __init__(self, *, release_s: float, sensed: bool, scanned: Scanned = "in") -> None:
        self._release_s = release_s
        self._sensed = sensed  # without beams or a "passed" input nobody can say who went
        self._scanned = scanned
        self._granted: deque[_Grant] = deque()
        self._passed_at: dict[Direction, float] = {}

    def granted(self, scan: int | None, now: float, people: int = 1) -> None:
        """Note a release, for one person or for a party on one code."""
        if self._sensed:
            self._granted.append(_Grant(scan, now, people))

    def renumber(self) -> None:
        """Events are counted anew from here: what was granted has no seq among those to come."""
        for grant in self._granted:
            grant.scan = None

    def went(self, direction: Direction, at: float) -> Went:
        """Someone went through, and was through at that time."""
        if self._scanned == "in" and direction == "out":
            return Went("passed", direction, None)
        meant = self._scanned in (direction, "both") or direction == "unknown"
        if meant and self._granted and self._granted[0].at <= at:
            grant = self._granted[0]
            grant.left, grant.at = grant.left - 1, at
            if not grant.left:
                self._granted.popleft()
            self._passed_at[direction] = at
            return Went("passed", direction, grant.scan, left=grant.left)
        followed = at - self._passed_at.get(direction, -TAILGATE_S - 1) <= TAILGATE_S
        return Went("tailgated" if followed else "forced", direction, None)

    def look(self, now: float) -> list[Went]:
        """Annul what nobody used in time, when nobody is in the way any more who might."""
        annulled = []
        while self._granted and now - self._granted[0].at >= self._release_s:
            grant = self._granted.popleft()
            annulled.append(Went("not_passed", "unknown", grant.scan, people=grant.left))
        return annulled
