"""Who guards this entrance, and whether they are here. Pure.

On duty is who checked in, by badge or by button, less than a shift ago; where a presence sensor is wired it must
also have seen someone within the grace time, and where prompts are asked for the last one must have been answered.
Outside duty hours nobody is missed. A restart begins with nobody.
"""

from __future__ import annotations

import random
from collections.abc import Collection
from datetime import datetime
from typing import Final, Literal, NamedTuple

from device.wire.hours import Interval
from device.wire.messages import Staffing

BUTTON: Final = "button"  # how a guard who checked in by the button is called


class Change(NamedTuple):
    """Something about the guard changed. `since` is monotonic seconds, `after` who was on duty before a handover."""

    event_type: Literal["check_in", "check_out", "handover", "missed", "unstaffed", "staffed"]
    who: str
    by: Literal["badge", "button", "rule"]
    since: float
    after: str = ""
    off_roster: bool = False


class Prompts(NamedTuple):
    """How often a guard is asked to press the button, at random times, and how long that may take. In seconds."""

    every_s: float = 0.0  # on average; 0: never
    answer_s: float = 60.0


UNASKED: Final = Prompts()


class Duty:
    """The guards of one entrance. `now` is monotonic seconds; `local` the wall clock there, None while it is unset."""

    def __init__(
        self,
        hours: tuple[Interval, ...],
        *,
        grace_s: float,
        shift_s: float,
        now: float,
        handover_s: float = 300.0,
        prompts: Prompts = UNASKED,
        rng: random.Random | None = None,
    ) -> None:
        self._hours = hours
        self._grace_s = grace_s
        self._shift_s = shift_s
        self._handover_s = handover_s
        self._prompts = prompts
        self._rng = rng or random.Random()
        self._checked_in: dict[str, float] = {}
        self._checked_out: tuple[str, float] | None = None  # the last one
        self._absent_since: float | None = None
        self._ask_at: float | None = None
        self._asked_at: float | None = None
        self._unanswered_since: float | None = None
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

    @property
    def asked(self) -> bool:
        """Whether a prompt waits for its answer."""
        return self._asked_at is not None

    def badge(self, who: str, now: float, *, expected: Collection[str] | None = None) -> list[Change]:
        """Check a guard in or, when on duty already, out. `expected` are those on the roster now, None without one."""
        return self._toggle(who, "badge", now, off_roster=expected is not None and who not in expected)

    def button(self, now: float) -> list[Change]:
        """Take a press: the answer to a prompt, or the guard who has no badge checks in or out."""
        if self.asked or self._unanswered_since is not None:
            self.sign(now)
            return []
        return self._toggle(BUTTON, "button", now)

    def sign(self, now: float) -> None:
        """Take a sign of life, such as a decision by hand: it answers a prompt."""
        self._asked_at = self._unanswered_since = None
        self._plan(now)

    def presence(self, now: float, *, present: bool) -> None:
        """Note what a presence sensor at the guard's place says."""
        self._absent_since = None if present else now

    def look(self, now: float, local: datetime | None) -> list[Change]:
        """Bring the state up to date; return what has to be said."""
        changes = [*self._end_shifts(now), *self._prompt(now, local)]
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

    def _toggle(
        self, who: str, by: Literal["badge", "button"], now: float, *, off_roster: bool = False
    ) -> list[Change]:
        self.sign(now)
        if who in self._checked_in:
            came = self._checked_in.pop(who)
            self._checked_out = (who, now)
            since = max(came, now - self._handover_s)
            relief = [other for other, at in self._checked_in.items() if at >= since]  # who came later, and just now
            handed = [Change("handover", relief[-1], by, now, after=who)] if relief else []
            return [Change("check_out", who, by, now, off_roster=off_roster), *handed]
        before = self._relieved(who, now)
        self._checked_in[who] = now
        handed = [Change("handover", who, by, now, after=before)] if before else []
        return [Change("check_in", who, by, now, off_roster=off_roster), *handed]

    def _relieved(self, who: str, now: float) -> str:
        """Return who left an empty post so short a time ago that another's check-in takes it over; "" for nobody."""
        (before, at), self._checked_out = self._checked_out or ("", now), None
        return before if not self._checked_in and who != before and now - at <= self._handover_s else ""

    def _prompt(self, now: float, local: datetime | None) -> list[Change]:
        """Ask at random times, so that nobody knows when to be there; note who did not answer."""
        if not (self._checked_in and self._wanted(local)):
            self._asked_at = self._unanswered_since = self._ask_at = None
            return []
        if self._ask_at is None and not self.asked:
            self._plan(now)
        if self._ask_at is not None and now >= self._ask_at and not self.asked:
            self._asked_at, self._ask_at = now, None
        if self._asked_at is not None and now - self._asked_at >= self._prompts.answer_s:
            if self._unanswered_since is None:
                self._unanswered_since = self._asked_at
            missed = Change("missed", ", ".join(self.on_duty), "rule", self._asked_at)
            self._asked_at = None
            self._plan(now)
            return [missed]
        return []

    def _plan(self, now: float) -> None:
        """Choose when to ask next: between half and one and a half times the average."""
        every = self._prompts.every_s
        self._ask_at = now + every * self._rng.uniform(0.5, 1.5) if every else None

    def _end_shifts(self, now: float) -> list[Change]:
        over = [who for who, since in self._checked_in.items() if now - since >= self._shift_s]
        for who in over:
            del self._checked_in[who]
        return [Change("check_out", who, "rule", now) for who in over]

    def _wanted(self, local: datetime | None) -> bool:
        # An unset clock cannot tell the hours; where hours are asked for, a guard is missed.
        return any(local is None or interval.covers(local) for interval in self._hours)

    def _judge(self, now: float, local: datetime | None) -> Staffing:
        unseen = self._absent_since if self._absent_since is not None else now
        silent = self._unanswered_since if self._unanswered_since is not None else now
        away_since = min(unseen, silent)
        here = now - away_since < self._grace_s
        if self._checked_in and here:
            self._missed_since = None
            return "staffed"
        if not self._wanted(local):
            self._missed_since = None
            return "off_hours"
        if self._missed_since is None:
            self._missed_since = now if here else away_since
        return "unstaffed" if now - self._missed_since >= self._grace_s else "grace"
