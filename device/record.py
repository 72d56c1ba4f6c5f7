"""What an entrance keeps and says: events stamped and spooled, faults said once, retained documents.

What is spooled is on disk when `keep` returns; what is retained is only said, and said again on every connection.
"""

from __future__ import annotations

import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, cast

from device.clock import Clock, Instant
from device.courier import Kept
from device.health import Faults
from device.spool import Spool, SpoolError
from device.wire.messages import KIND_OF, AnyEvent, Fault, Health, Message, MessageError, Place, encode

log = logging.getLogger(__name__)

LONGEST_DETAIL: Final = 500  # characters
FORGET_EVERY: Final = 200  # acknowledged events; forgetting costs one fsync however many there are
EVERY_S: Final = 1.0  # between forgetting when there is time for it, and between attempts at a disk that failed
FAILED: Final = "spool_failed"


class Say(Protocol):
    """What the record needs of a link."""

    def __call__(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        """Hand a message over; False when there is no connection."""


class Record:
    """The record of one entrance. `kept` is told of each event on disk."""

    def __init__(self, *, place: Place, spool: Spool, clock: Clock, say: Say, kept: Callable[[Kept], None]) -> None:
        self._place = place
        self._spool = spool
        self._clock = clock
        self._say = say
        self._kept = kept
        self._faults = Faults()
        self._acked = spool.forgotten
        self._forgot_at = self._tried_at = clock.mono()

    def begin(self) -> None:
        """Say what waits, and what had to be mended to begin at all."""
        if self._spool.problem:
            self.raised(FAILED, self._spool.problem)
        self._tell()
        if self._spool.mended:
            self.raised("spool_broken", self._spool.mended)

    def _tell(self) -> None:
        if self._spool.id:
            self._kept(Kept(self._spool.id, self._spool.last, self._spool.forgotten))

    @property
    def depth(self) -> int:
        """How many events wait for the controller."""
        return self._spool.depth

    @property
    def health(self) -> Health:
        """The faults open now."""
        return self._faults.health()

    def keep(self, event: type[AnyEvent], *, instant: Instant | None = None, **fields: Any) -> int | None:
        """Put one event on disk, stamped with an instant or with now. None: it could not be kept, which is a fault."""
        instant = instant or self._clock.read()
        stamp: dict[str, Any] = {
            "boot": self._clock.boot,
            "at": instant.wall,
            "mono": round(instant.mono, 3),
            "clock": instant.state,
        }
        try:
            seq = self._spool.put(
                KIND_OF[event],
                lambda seq: encode(cast("Message", event(spool=self._spool.id, seq=seq, **stamp, **fields))),
            )
        except (SpoolError, MessageError) as error:
            self._failed(error)
            return None
        self._tell()
        self.cleared(FAILED)
        return seq

    def raised(self, fault: str, detail: str) -> None:
        """Say a fault, unless it is said already."""
        if self._faults.raised(fault, detail, self._clock.wall()):
            self.keep(Fault, event_type="raised", fault=fault, detail=detail[:LONGEST_DETAIL])
            self.retain("health", self.health)

    def cleared(self, fault: str) -> None:
        """Say that a fault is over, if there was one."""
        if self._faults.cleared(fault):
            self.keep(Fault, event_type="cleared", fault=fault)
            self.retain("health", self.health)

    def _failed(self, error: Exception) -> None:
        """Say a fault that cannot be spooled at least in the retained health."""
        if self._faults.raised(FAILED, str(error), self._clock.wall()):
            self.retain("health", self.health)

    def retain(self, word: str, message: Message) -> bool:
        """Say how something is now; False when there is no connection."""
        return self._say(self._place.topic(word), encode(message), qos=1, retain=True)

    def answer(self, word: str, message: Message) -> bool:
        """Say something once, to whoever listens now; False when there is no connection."""
        return self._say(self._place.topic(word), encode(message), qos=1)

    def acknowledged(self, seq: int) -> None:
        """Note what the controller has; it is forgotten when there is time."""
        self._acked = max(self._acked, seq)

    def look(self, now: float, *, idle: bool) -> None:
        """Forget what may be forgotten, and see whether a disk that failed works again."""
        waiting = self._acked - self._spool.forgotten
        if waiting >= FORGET_EVERY or (waiting > 0 and idle and now - self._forgot_at >= EVERY_S):
            self._forgot_at = now
            self.forget()
        if now - self._tried_at >= EVERY_S:
            self._tried_at = now
            self._try_disk()

    def _try_disk(self) -> None:
        """Notice a full disk though nobody comes, and one that works again by keeping that it had failed."""
        failed = self._faults.detail(FAILED)
        if failed is not None:
            self.keep(Fault, event_type="raised", fault=FAILED, detail=failed[:LONGEST_DETAIL])
            return
        try:
            self._spool.check()
        except SpoolError as error:
            self._failed(error)

    def forget(self) -> None:
        """Drop what the controller has from the disk."""
        try:
            self._spool.forget(self._acked)
        except SpoolError as error:
            log.warning("%s", error)  # it will be sent again, and known as a duplicate

    def when(self, mono: float) -> datetime:
        """Return the wall time of a monotonic moment."""
        instant = self._clock.read()
        return instant.wall - timedelta(seconds=round(instant.mono - mono, 3))
