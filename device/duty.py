"""Who guards this entrance, and whether they are here. Pure.

On duty is who checked in, by badge or by button, less than a shift ago; where a presence sensor is wired it must
also have seen someone within the grace time. Outside duty hours nobody is missed. A restart begins with nobody.
"""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from device.wire.messages import Staffing

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
BUTTON: Final = "button"  # how a guard who checked in by the button is called


class Interval(Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """Weekly hours, such as mon-fri from 08:00 to 12:00. An end at or before its start reaches past midnight."""

    days: str = "mon-sun"
    start: str = "00:00"
    end: str = "00:00"

    def __post_init__(self) -> None:
        """Refuse days or times that cannot be read, where they are written."""
        self.weekdays()
        self.times()

    def weekdays(self) -> frozenset[int]:
        """Return the weekdays, Monday being 0."""
        found: set[int] = set()
        for part in self.days.replace(" ", "").lower().split(","):
            first, _, last = part.partition("-")
            if first not in DAYS or (last and last not in DAYS):
                raise ValueError(f"days {self.days!r}: write mon-fri or sat,sun with {', '.join(DAYS)}")
            start, end = DAYS.index(first), DAYS.index(last or first)
            found.update(day % 7 for day in range(start, end + 1 if end >= start else end + 8))
        return frozenset(found)

    def times(self) -> tuple[time, time]:
        """Return the first moment on duty and the first moment off."""
        try:
            return time.fromisoformat(self.start), time.fromisoformat(self.end)
        except ValueError as error:
            raise ValueError(f"from {self.start!r} to {self.end!r}: write times as 08:30") from error

    def covers(self, moment: datetime) -> bool:
        """Tell whether a local moment lies within these hours."""
        start, end = self.times()
        days, today = self.weekdays(), moment.weekday()
        if start < end:
            return today in days and start <= moment.time() < end
        yesterday = (moment - timedelta(days=1)).weekday()
        return (today in days and moment.time() >= start) or (yesterday in days and moment.time() < end)


class Change(NamedTuple):
    """Something about the guard changed. `since` is monotonic seconds."""

    event_type: Literal["check_in", "check_out", "unstaffed", "staffed"]
    who: str
    by: Literal["badge", "button", "rule"]
    since: float


class Duty:
    """The guards of one entrance. `now` is monotonic seconds; `local` the wall clock there, None while it is unset."""

    def __init__(self, hours: tuple[Interval, ...], *, grace_s: float, shift_s: float, now: float) -> None:
        self._hours = hours
        self._grace_s = grace_s
        self._shift_s = shift_s
        self._checked_in: dict[str, float] = {}
        self._absent_since: float | None = None
        self._missed_since: float | None = None
        self._staffing: Staffing = "off_hours"
        self._since = now

    @property
    def staffing(self) -> Staffing:
        """How it was when last looked at."""
        return self._staffing

    @property
    def since(self) -> float:
        """Since when, in monotonic seconds."""
        return self._since

    @property
    def on_duty(self) -> tuple[str, ...]:
        """Who is checked in, the longest first."""
        return tuple(sorted(self._checked_in, key=lambda who: self._checked_in[who]))

    def badge(self, who: str, now: float) -> Change:
        """Check a guard in or, when on duty already, out."""
        return self._toggle(who, "badge", now)

    def button(self, now: float) -> Change:
        """Check the guard who has no badge in or out."""
        return self._toggle(BUTTON, "button", now)

    def presence(self, now: float, *, present: bool) -> None:
        """Note what a presence sensor at the guard's place says."""
        self._absent_since = None if present else now

    def look(self, now: float, local: datetime | None) -> list[Change]:
        """Bring the state up to date; return what has to be said."""
        changes = self._end_shifts(now)
        before = self._staffing
        after = self._judge(now, local)
        if after != before:
            self._staffing = after
            self._since = self._missed_since if after == "unstaffed" and self._missed_since is not None else now
        if after == "unstaffed" != before:
            changes.append(Change("unstaffed", "", "rule", self._since))
        elif before == "unstaffed" != after:
            changes.append(Change("staffed", "", "rule", now))
        return changes

    def _toggle(self, who: str, by: Literal["badge", "button"], now: float) -> Change:
        if who in self._checked_in:
            del self._checked_in[who]
            return Change("check_out", who, by, now)
        self._checked_in[who] = now
        return Change("check_in", who, by, now)

    def _end_shifts(self, now: float) -> list[Change]:
        over = [who for who, since in self._checked_in.items() if now - since >= self._shift_s]
        for who in over:
            del self._checked_in[who]
        return [Change("check_out", who, "rule", now) for who in over]

    def _judge(self, now: float, local: datetime | None) -> Staffing:
        here = self._absent_since is None or now - self._absent_since < self._grace_s
        if self._checked_in and here:
            self._missed_since = None
            return "staffed"
        # An unset clock cannot tell the hours; where hours are asked for, a guard is missed.
        wanted = any(local is None or interval.covers(local) for interval in self._hours)
        if not wanted:
            self._missed_since = None
            return "off_hours"
        if self._missed_since is None:
            self._missed_since = now if here else self._absent_since
        missed_since = self._missed_since if self._missed_since is not None else now
        return "unstaffed" if now - missed_since >= self._grace_s else "grace"
