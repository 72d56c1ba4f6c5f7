"""What goes on around the reader: who waits there, and whether the entrance's printed code still hangs as it should.

None of it decides about anybody. It becomes the retained state, faults, and what a screen asks people to mind.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, time
from typing import Literal

from device.codes import Checked
from device.config import Config
from device.credentials import Presented
from device.crowd import Crowd
from device.poster import Poster, Sighting
from device.record import Record
from device.shown import Warn
from device.sight import Code, Counted, InView
from device.wire import card
from device.wire.messages import ClockState

log = logging.getLogger(__name__)

Check = Callable[[Code, float], tuple[Checked, ClockState]]  # a code, and when it was seen


class Surroundings:
    """Takes what the eye says beside codes that are held up, and notices whose codes those are."""

    def __init__(self, config: Config, record: Record, check: Check, now: float) -> None:
        self._record = record
        self._check = check
        crowd, poster = config.crowd, config.poster
        self._crowd = Crowd(threshold=crowd.threshold, hold_s=crowd.hold_s, now=now) if crowd.mode == "on" else None
        self._poster = Poster(
            poster.watch,
            missing_s=poster.missing_s,
            foreign_s=poster.foreign_s,
            check=time.fromisoformat(poster.check),
            grace_s=poster.grace_s,
        )

    @property
    def waiting(self) -> int | None:
        """How many wait, by estimate; None where nobody can tell."""
        return self._crowd.estimate.waiting if self._crowd and self._crowd.estimate else None

    @property
    def crowded_since(self) -> float | None:
        """Since when it is crowded, in monotonic seconds; None while it is not."""
        return self._crowd.since if self._crowd and self._crowd.crowded else None

    @property
    def too_near(self) -> bool:
        """Whether somebody stands before the line, behind another who is being served."""
        return bool(self._crowd and self._crowd.too_near)

    @property
    def warnings(self) -> tuple[Warn, ...]:
        """What people are asked to mind."""
        near: tuple[Warn, ...] = ("distance",) if self.too_near else ()
        return (*near, "queue") if self.crowded_since is not None else near

    def take(self, said: Counted | InView) -> None:
        """Take what the eye says. A picture that is wrong says nothing about what hangs in it."""
        if isinstance(said, Counted):
            if self._crowd:
                self._crowd.counted(said)
        elif not any(fault.fault.startswith("camera_") for fault in self._record.health.faults):
            # A language card may hang there, too.
            codes = [code for code in said.codes if not card.language(code.data)]
            sightings = [self._sighting(code, said.frame_at) for code in codes]
            self._poster.looked(sightings, said.frame_at, still=said.still)

    def beam(self, beam: Literal["outer", "inner"], at: float, *, broken: bool) -> None:
        """Take an edge of a beam."""
        if self._crowd and beam == "outer":
            self._crowd.beam(at, broken=broken)

    def presented(self, presented: Presented, local: datetime | None) -> bool:
        """Notice a code; True when it is the entrance's own, which is nobody's pass, and expected here."""
        checked = presented.checked
        if checked.claim is None or checked.claim.kind != "entrance" or self._poster.watch == "off":
            if self._crowd:
                self._crowd.scanned(checked.identity, presented.seen.frame_at)
            return False
        ours = _ours(checked, presented.instant.state)
        if self._poster.watch == "daily" and local is not None:
            self._poster.held(local, ours=ours)
            log.info("the code of %s entrance was held up", "this" if ours else "another")
        return ours

    def look(self, now: float, local: datetime | None) -> None:
        """Draw the conclusions."""
        if self._crowd:
            self._crowd.look(now)
        self._poster.look(local)
        self._record.stands("poster_unreadable", self._poster.unreadable)
        self._record.stands("poster_foreign", self._poster.foreign)

    def _sighting(self, code: Code, at: float) -> Sighting:
        checked, clock = self._check(code, at)
        return Sighting(_ours(checked, clock), checked.identity, code.spare)


def _ours(checked: Checked, clock: ClockState) -> bool:
    """Tell whether this is the code of this very entrance; a clock that is not set says nothing against it."""
    against = set(checked.reasons) - ({"invalid_time"} if clock == "unset" else set())
    return checked.claim is not None and checked.claim.kind == "entrance" and not against
