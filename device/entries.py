"""Re-entry at this gate: what is known of a code before it is let in, what is kept of it, and how full the site is."""

from __future__ import annotations

import logging
from collections.abc import Callable
from typing import Final, NamedTuple
from uuid import uuid4

from device.clock import Clock, Instant
from device.codes import Claim
from device.config import Config
from device.crossing import Way
from device.memory import Memory, RecallError
from device.passage import Went
from device.passback import FULL, Occupancy, Passing, again, way
from device.record import Record
from device.wire.link import Heard
from device.wire.messages import Elsewhere, Inside, MessageError, Place, decode

log = logging.getLogger(__name__)

FORGET_EVERY_S: Final = 3600.0
CHECK_EVERY_S: Final = 1.0  # of a disk that failed
STALE_S: Final = 60.0  # without a connection for longer, others have come and gone
PENDING: Final = 1000  # grants whose passage is still open, and more


class Asked(NamedTuple):
    """What speaks against letting somebody in, and what would be kept of it; None: nothing need be kept."""

    reasons: tuple[str, ...] = ()
    passing: Passing | None = None


class Entries:
    """Asked before a grant and told after it. `keep` is on disk when it returns."""

    def __init__(self, config: Config, record: Record, memory: Memory, clock: Clock) -> None:
        self._rules = config.reentry
        self._scanned = config.turnstile.scanned
        self._here = config.gate.entrance
        place = Place(config.gate.site, config.gate.entrance)
        self._record = record
        self._memory = memory
        self._clock = clock
        self._site = Occupancy()
        self._pending: dict[int, Passing] = {}  # by the seq of their grant
        self._words = {place.topic("seen"): self._seen, place.topic("occupancy"): self._occupied}
        self._forgot_at = clock.mono() - FORGET_EVERY_S
        self._checked_at = clock.mono()
        self._failed = False
        self._down_since: float | None = clock.mono()

    @property
    def inside(self) -> int | None:
        """How many are inside the site, as far as is known."""
        return self._site.inside

    def ask(self, code: str, claim: Claim | None, instant: Instant) -> Asked:
        """Ask about one code, by its keyed hash, that is good in itself."""
        uses, people = (claim.uses, claim.people) if claim else (0, 1)
        if self._rules.mode == "off" and not uses:
            full = self._site.full("out" if self._scanned == "out" else "in", people)
            return Asked((FULL,) if full else ())
        passings = list[Passing]()
        if not self._try(lambda: passings.extend(self._memory.of(code))):
            return Asked(("not_kept",))
        direction = way(self._scanned, passings)
        now = None if instant.state == "unset" else instant.now
        reason = again(passings, direction, now, rules=self._rules, uses=uses)
        full = self._site.full(direction, people)
        reasons = (*((reason,) if reason else ()), *((FULL,) if full else ()))
        return Asked(reasons, self._passing(code, direction, instant))

    def by_hand(self, code: str, instant: Instant) -> Passing | None:
        """Return what to keep of a code that a guard lets in."""
        if not code or self._rules.mode == "off":
            return None
        return self._passing(code, "out" if self._scanned == "out" else "in", instant)

    def keep(self, passing: Passing | None) -> bool:
        """Keep it, before anything moves; False where that is not possible, and nobody may be let in on it."""
        return passing is None or self._try(lambda: self._memory.keep(passing))

    def granted(self, seq: int | None, passing: Passing | None, *, sensed: bool) -> None:
        """Note under which seq it was granted: where nobody can be seen going through, that is all there will be."""
        if passing and seq is not None and sensed:
            self._pending[seq] = passing
            if len(self._pending) > PENDING:
                del self._pending[next(iter(self._pending))]

    def give_back(self, passing: Passing | None) -> None:
        """Forget what was kept: it was not granted after all."""
        if passing:
            self._try(lambda: self._memory.void(passing.id))

    def went(self, went: Went) -> None:
        """Take what became of a grant: one that nobody used may be used again."""
        if went.event_type != "not_passed":
            self._site.went(went.direction)
        if went.scan is None:
            return
        if went.event_type == "not_passed":
            self.give_back(self._pending.pop(went.scan, None))
        else:
            self._pending.pop(went.scan, None)

    def renumber(self) -> None:
        """Events are counted anew: what is open stays kept, as if it had been used."""
        self._pending.clear()

    def hear(self, heard: Heard) -> bool:
        """Take what the controller says of the site's other gates; False when it says something else.

        What cannot be read is not believed: this gate then knows less.
        """
        take = self._words.get(heard.topic)
        if take and heard.payload:
            try:
                take(heard.payload)
            except MessageError as error:
                log.warning("%s: %s", heard.topic, error)
        return take is not None

    def _seen(self, payload: bytes) -> None:
        told = decode(Elsewhere, payload)
        passing = Passing(told.id, told.code, told.direction, told.at.timestamp(), told.entrance)
        if told.entrance != self._here:
            self._try(lambda: self._memory.keep(passing, void=told.void))

    def _occupied(self, payload: bytes) -> None:
        told = decode(Inside, payload)
        self._site.told(told.inside, told.capacity)

    def connected(self, *, up: bool) -> None:
        """Note whether the controller can be heard."""
        self._down_since = None if up else (self._down_since or self._clock.mono())

    def look(self, now: float) -> None:
        """Forget whom nobody asks about any more, and say when the site's count is old."""
        stale = self._site.limited and self._down_since is not None and now - self._down_since >= STALE_S
        detail = "no connection: of people at other gates only what was known before counts" if stale else ""
        self._record.stands("occupancy_stale", detail)
        if self._failed and now - self._checked_at >= CHECK_EVERY_S:
            self._checked_at = now
            self._try(self._memory.check)
        self._record.stands("memory_broken", self._memory.mended)
        if now - self._forgot_at >= FORGET_EVERY_S:
            self._forgot_at = now
            instant = self._clock.read()
            if instant.state != "unset" and self._memory.begun:
                self._try(lambda: self._memory.forget(instant.now - self._rules.forget_s))

    def _try(self, act: Callable[[], None]) -> bool:
        """Do something with the memory; a failure is a fault until something succeeds."""
        try:
            act()
        except RecallError as error:
            self._failed = True
            self._record.raised("memory_failed", str(error))
            return False
        self._failed = False
        self._record.cleared("memory_failed")
        return True

    def _passing(self, code: str, direction: Way, instant: Instant) -> Passing:
        return Passing(uuid4().hex, code, direction, instant.now, self._here)
