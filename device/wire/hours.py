"""Weekly hours, as settings and rosters write them. Pure."""

from __future__ import annotations

from datetime import datetime, time, timedelta
from typing import Final

from msgspec import Struct

DAYS: Final = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")


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


class Expected(Struct, frozen=True):
    """A guard is expected at a place, `site` or `site/entrance`, in weekly hours written as in a gate's duty.hours."""

    who: str
    place: str
    days: str = "mon-sun"
    start: str = "00:00"
    end: str = "00:00"
