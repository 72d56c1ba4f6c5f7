"""Which guards are expected at an entrance now, as a policy says. Pure."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime, timedelta
from typing import Final

from device.wire.hours import Expected, Interval
from device.wire.messages import Place

EARLY: Final = timedelta(minutes=30)  # before their hours begin, and after they end, guards come and go


class Roster:
    """Who is expected where and when; raise ValueError for hours that cannot be read."""

    def __init__(self, entries: Iterable[Expected] = ()) -> None:
        self._entries = [(each, Interval(each.days, each.start, each.end)) for each in entries]

    def here(self, place: Place, local: datetime | None) -> frozenset[str] | None:
        """Return the guards expected at a place now; None where nobody ever is, or nobody knows the time."""
        entries = [(each, hours) for each, hours in self._entries if each.place in (place.site, str(place))]
        if not entries or local is None:
            return None
        moments = (local - EARLY, local, local + EARLY)
        return frozenset(each.who for each, hours in entries if any(hours.covers(moment) for moment in moments))
