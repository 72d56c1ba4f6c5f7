"""A door by its contact: how long it stands open and, where nothing else counts people, on whose grant. Pure.

A contact sees a door and no persons, and not which way they go. So one opening is the passage of everybody who was
granted and not gone; and what opens within the time of a release is on it, however often it does.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import Final

from device.passage import Direction, Scanned, Went

LATE_S: Final = 0.1  # seconds until an opening is told: a contact is believed when it has settled
WAYS: Final[dict[Scanned, Direction]] = {"in": "in", "out": "out", "both": "unknown"}


@dataclass
class _Grant:
    scan: int | None
    at: float
    people: int


class Doorway:
    """One door. Times are monotonic seconds.

    `counts`: nothing else does, so that its openings are the passages. `free_exit`: people leave by it without a code,
    so that an opening without a grant says nothing.
    """

    def __init__(self, *, release_s: float, counts: bool, scanned: Scanned = "in", free_exit: bool = False) -> None:
        self._release_s = release_s
        self._counts = counts
        self._way = WAYS[scanned]
        self._free_exit = free_exit
        self._known = False  # how it stands was told
        self._open_since: float | None = None
        self._released_at = -math.inf
        self._granted: list[_Grant] = []

    def granted(self, scan: int | None, now: float, people: int = 1) -> None:
        """Note a release, for one person or for a party on one code."""
        self._released_at = now
        if self._counts:
            self._granted.append(_Grant(scan, now, people))

    def renumber(self) -> None:
        """Events are counted anew from here: what was granted has no seq among those to come."""
        for grant in self._granted:
            grant.scan = None

    def changed(self, at: float, *, opened: bool, free: bool) -> list[Went]:
        """Take what the contact says, first of all how it stood; said twice, it is once.

        `free`: the way is open to everyone, and who uses it is not counted.
        """
        seen, self._known = self._known, True
        if opened == (self._open_since is not None):
            return []
        self._open_since = at if opened else None
        if not (opened and seen and self._counts):
            return []
        excused = free or self._free_exit or 0 <= at - self._released_at < self._release_s
        return self._used(at) or ([] if excused else [Went("forced", "unknown", None)])

    def look(self, now: float) -> list[Went]:
        """Let them through who were granted while it stands open; annul what nobody used in time."""
        used = self._used(now) if self._open_since is not None else []
        late = [grant for grant in self._granted if now - grant.at >= self._release_s + LATE_S]
        self._granted = [grant for grant in self._granted if grant not in late]
        return used + [Went("not_passed", "unknown", grant.scan, people=grant.people) for grant in late]

    def open_for(self, now: float) -> float:
        """Return for how long it has stood open with nobody let in meanwhile; 0 when it is shut."""
        return 0.0 if self._open_since is None else max(0.0, now - max(self._open_since, self._released_at))

    def _used(self, at: float) -> list[Went]:
        """Let everybody through who was granted shortly before; each of a party is a passage."""
        used = [grant for grant in self._granted if 0 <= at - grant.at < self._release_s]
        self._granted = [grant for grant in self._granted if grant not in used]
        return [Went("passed", self._way, grant.scan) for grant in used for _ in range(grant.people)]
