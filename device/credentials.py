"""From what the lens saw to a credential that was checked, by pieces, schemes and, if need be, an upstream."""

from __future__ import annotations

import logging
from collections.abc import Iterator
from dataclasses import dataclass, replace

from device import codes
from device.clock import Clock, Instant
from device.codes import Checked
from device.config import RulesSection
from device.inquiry import Answered, Inquiry
from device.pieces import Pieces, Progress
from device.policy import Policy
from device.record import Record
from device.sight import Code, Seen
from device.wire.messages import ClockState, Place

log = logging.getLogger(__name__)


@dataclass(frozen=True, kw_only=True)
class Presented:
    """Somebody presented a credential: what was seen, what came of checking it, and when, by one look at the clock."""

    seen: Seen
    checked: Checked
    instant: Instant


class Credentials:
    """Checks what is presented. What is asked about upstream comes out later, everything else at once."""

    def __init__(
        self,
        *,
        place: Place,
        rules: RulesSection,
        policy: Policy,
        record: Record,
        clock: Clock,
        inquiry: Inquiry | None = None,
    ) -> None:
        self._place = place
        self._rules = rules
        self._policy = policy
        self._record = record
        self._clock = clock
        self._inquiry = inquiry
        self._pieces = Pieces(rules.pieces_s)

    def patience(self, most: float) -> float:
        """Return how long to wait for something else, at most `most` seconds: a question may run out of time before."""
        return self._inquiry.patience(most, self._clock.mono()) if self._inquiry else most

    def take(self, said: Seen | Answered) -> Presented | None:
        """Check a code; None: it is a piece of one, somebody else is asked about it, or it is settled already."""
        if isinstance(said, Seen):
            return self._check(said)
        return self._settled(said) if self._inquiry and self._inquiry.settled(said) else None

    def look(self, now: float) -> Iterator[Presented]:
        """Give up on the pieces of somebody who left, and yield what nobody answered in time."""
        self._pieces.look(now)
        for late in self._inquiry.overdue(now) if self._inquiry else ():
            yield self._settled(late)

    def look_at(self, code: Code, at: float) -> tuple[Checked, ClockState]:
        """Check a code that nobody presents, by the clock of which the state is returned as well."""
        instant = self._clock.read()
        return self._verified(code, at, instant), instant.state

    def _verified(self, code: Code, at: float, instant: Instant) -> Checked:
        return codes.verify(
            code,
            self._policy.trust,
            self._place,
            int(instant.then(at)),  # the moment it was shown, however long the frame waited
            screen_s=self._rules.screen_s,
            skew_s=self._rules.skew_s,
        )

    def progress(self, now: float) -> Progress | None:
        """Return how far somebody has come with a code in several pieces."""
        return self._pieces.progress(now)

    def _check(self, seen: Seen) -> Presented | None:
        instant = self._clock.read()
        code = self._pieces.add(seen.code, instant.mono)
        if isinstance(code, Progress):
            log.info("a code in several pieces: %d of %d", code.have, code.of)
            return None
        seen = replace(seen, code=code)
        checked = self._verified(code, seen.frame_at, instant)
        if self._inquiry and checked.scheme == codes.UNKNOWN and self._inquiry.owns(code.data):
            self._inquiry.ask(seen, instant.mono)
            return None
        return Presented(seen=seen, checked=checked, instant=instant)

    def _settled(self, answered: Answered) -> Presented:
        self._record.stands("upstream_lost", answered.problem)
        return Presented(seen=answered.seen, checked=answered.checked, instant=self._clock.read())
