"""Whether the entrance's own printed code still hangs there as it should: read, worn, gone, or pasted over. Pure.

It knows no place in the picture: what matters is which codes are there and for how long: a phone leaves, a sticker
stays.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable
from datetime import datetime, time, timedelta
from statistics import median
from typing import Final, Literal, NamedTuple

Watch = Literal["off", "in_view", "daily"]

PAUSE_S: Final = 10.0  # seconds: of a longer gap between two looks only so many count, since nobody looked
WORN: Final = 0.35  # of its error correction left: a few scratches more, and it is not read any more
LOOKS: Final = 30  # its wear is the median of so many
GONE_S: Final = 30.0  # seconds out of view after which another code is forgotten
OTHERS: Final = 16  # of them are remembered
EARLY: Final = timedelta(minutes=30)  # before the time of the daily check, within which it counts


class Sighting(NamedTuple):
    """A code in view: this entrance's own, or any other; and the share of its error correction it did not need."""

    ours: bool
    identity: bytes
    spare: float = 1.0


class Other:
    """A code that is not ours: for how long it has been in view, and since when it is out of it."""

    def __init__(self) -> None:
        self.stayed_s = 0.0
        self.gone_s = 0.0

    def pass_by(self, seconds: float, *, there: bool) -> None:
        """Let time pass with it, or without it."""
        self.stayed_s += seconds if there else 0.0
        self.gone_s = 0.0 if there else self.gone_s + seconds


class Poster:
    """Told what is in view, or held up; says what is wrong with the poster, and nothing where nothing is.

    `missing_s` is how long it may not be read while nothing moves before the lens, `foreign_s` how long another code
    may stay there, `check` the time of day for which a guard holds it up, and `grace_s` how much later that may be.
    """

    def __init__(self, watch: Watch, *, missing_s: float, foreign_s: float, check: time, grace_s: float) -> None:
        self.watch = watch
        self._missing_limit_s = missing_s
        self._foreign_limit_s = foreign_s
        self._check = check
        self._grace = timedelta(seconds=grace_s)
        self._looked_at: float | None = None
        self._missing_s = 0.0
        self._read = False
        self._spare: deque[float] = deque(maxlen=LOOKS)
        self._others: dict[bytes, Other] = {}
        self._held: dict[bool, datetime] = {}  # when ours, and when another's, was held up last
        self._due: datetime | None = None  # the last check that should have been done since the start
        self._local: datetime | None = None

    def looked(self, sightings: Iterable[Sighting], at: float, *, still: bool) -> None:
        """Take all that is in view. While something moves, a person may stand before it: that says nothing."""
        passed = 0.0 if self._looked_at is None else max(0.0, min(at - self._looked_at, PAUSE_S))
        self._looked_at = at
        there = list(sightings)
        ours = [each.spare for each in there if each.ours]
        if ours:
            self._read, self._missing_s = True, 0.0
            self._spare.append(max(ours))
        elif still:
            self._missing_s += passed
        others = {each.identity for each in there if not each.ours}
        for identity in others - self._others.keys():
            if len(self._others) < OTHERS:
                self._others[identity] = Other()
        for identity, other in self._others.items():
            other.pass_by(passed, there=identity in others)
        self._others = {identity: other for identity, other in self._others.items() if other.gone_s < GONE_S}

    def held(self, local: datetime, *, ours: bool) -> None:
        """Take the code of an entrance that somebody holds up; another's matters only at the time of the check."""
        due = self._due_on(local)
        if ours or due - EARLY <= local <= due + self._grace:
            self._held[ours] = local

    def look(self, local: datetime | None) -> None:
        """Notice what time it is here; None where nobody knows."""
        if local is None:
            return
        due = self._due_on(local)
        if self._local is not None and self._local < due + self._grace <= local:
            self._due = due
        self._local = local

    def _due_on(self, day: datetime) -> datetime:
        return datetime.combine(day.date(), self._check, tzinfo=day.tzinfo)

    @property
    def unreadable(self) -> str:
        """What is wrong with our own code."""
        if self.watch == "daily":
            done = self._held.get(True)
            missed = self._due is not None and (done is None or done < self._due - EARLY)
            return f"nobody held it up for the check of {self._check:%H:%M}" if missed else ""
        if self._missing_s >= self._missing_limit_s:
            what = "not read any more: faded, covered or gone" if self._read else "not read since the start"
            return f"{what}, for {self._missing_limit_s:g} s without movement before it"
        if len(self._spare) == LOOKS and (left := median(self._spare)) < WORN:
            return f"worn: {left:.0%} of its error correction is left"
        return ""

    @property
    def foreign(self) -> str:
        """Which other code is where only ours belongs."""
        if self.watch == "daily":
            ours, other = self._held.get(True), self._held.get(False)
            wrong = other is not None and (ours is None or ours < other)
            return "the code held up for the check is not this entrance's" if wrong else ""
        stays = any(other.stayed_s >= self._foreign_limit_s for other in self._others.values())
        return f"a code that is not this entrance's has stayed in view for {self._foreign_limit_s:g} s" if stays else ""
