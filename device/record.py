"""What an entrance keeps and says: events stamped and spooled, faults said once, retained documents.

What is spooled is on disk when `keep` returns; what is retained is only said, and said again on every connection.
"""

from __future__ import annotations

import contextlib
import logging
from collections.abc import Callable
from datetime import datetime, timedelta
from typing import Any, Final, Protocol, cast

from device.clock import Clock, Instant
from device.courier import Kept
from device.health import Faults
from device.spool import Spool, SpoolError
from device.wire.messages import KIND_OF, AnyEvent, Fault, Health, Message, MessageError, Place, encode
from device.wire.plain import harmless

log = logging.getLogger(__name__)

LONGEST_DETAIL: Final = 500  # characters
FORGET_EVERY: Final = 200  # acknowledged events; forgetting costs one fsync however many there are
EMPTY_S: Final = 60.0  # between emptyings of the spool's log, which wear the card
EVERY_S: Final = 1.0  # between forgetting when there is time for it, and between attempts at a disk that failed
BACKLOG: Final = 1000  # events that may wait for the controller before what happens now is let past them
FAILED: Final = "spool_failed"
UNRECORDED: Final = "{} let in unrecorded"


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
        self._backlog = BACKLOG
        self._acked: dict[str, int] = {}  # how far the controller has each spool
        self._all_told = False
        self._unrecorded = 0  # people let in while nothing could be kept
        self._forgot_at = self._tried_at = self._emptied_at = clock.mono()
        self._full = True  # the spool's log may hold what is forgotten, also from an earlier life

    def begin(self) -> None:
        """Say what waits, and what had to be mended to begin at all."""
        if self._spool.problem:
            self.raised(FAILED, self._spool.problem)
        self._tell()
        if self._spool.mended:
            self.raised("spool_broken", self._spool.mended)

    def _tell(self) -> None:
        """Say what was kept, the first time also what waits from before."""
        if self._spool.id:
            for reel in self._spool.reels[-1:] if self._all_told else self._spool.reels:
                self._kept(Kept(reel.id, reel.last, reel.forgotten, reel.begins))
            self._all_told = True

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
        detail = harmless(detail, LONGEST_DETAIL)
        if self._faults.raised(fault, detail, self._clock.wall()):
            self.keep(Fault, event_type="raised", fault=fault, detail=detail)
            self.retain("health", self.health)

    def stands(self, fault: str, problem: str) -> None:
        """Say how it stands with a fault: open because of this problem, or over where there is none."""
        if problem:
            self.raised(fault, problem)
        else:
            self.cleared(fault)

    def cleared(self, fault: str) -> None:
        """Say that a fault is over, if there was one; and of a disk that failed, how many went in meanwhile."""
        if self._faults.cleared(fault):
            detail = UNRECORDED.format(self._unrecorded) if fault == FAILED and self._unrecorded else ""
            kept = self.keep(Fault, event_type="cleared", fault=fault, detail=detail)
            if detail and kept is not None:
                self._unrecorded = 0
            self.retain("health", self.health)

    def unrecorded(self) -> None:
        """Count one who was let in though nothing could be kept of it."""
        self._unrecorded += 1
        log.warning("one more was let in unrecorded, %d since the disk failed", self._unrecorded)

    def _failed(self, error: Exception) -> None:
        """Say a fault that cannot be spooled at least in the retained health."""
        if self._faults.raised(FAILED, harmless(str(error), LONGEST_DETAIL), self._clock.wall()):
            self.retain("health", self.health)

    def retain(self, word: str, message: Message) -> bool:
        """Say how something is now; False when there is no connection."""
        return self._say(self._place.topic(word), encode(message), qos=1, retain=True)

    def answer(self, word: str, message: Message) -> bool:
        """Say something once, to whoever listens now; False when there is no connection."""
        return self._say(self._place.topic(word), encode(message), qos=1)

    def acknowledged(self, spool: str, seq: int) -> None:
        """Note what the controller has; it is forgotten when there is time."""
        self._acked[spool] = max(self._acked.get(spool, 0), seq)

    def make_way(self, *, answered: bool) -> bool:
        """Let what happens now go before what waits, when that is much; True when a new spool was begun for it.

        A connection that nobody has `answered` on does so once only, or every one of a bad line would.
        """
        spool = self._spool
        waiting = spool.last - max(spool.forgotten, self._acked.get(spool.id, 0))
        if waiting <= self._backlog or (len(spool.reels) > 1 and not answered):
            return False
        try:
            spool.seal()
        except SpoolError as error:
            log.warning("%s", error)  # the next acknowledgement tries again
            return False
        log.info("%d events wait; what happens from now on goes before them", waiting)
        self._tell()
        return True

    def look(self, now: float, *, idle: bool) -> None:
        """Forget what may be forgotten, and see whether a disk that failed works again."""
        waiting = sum(
            self._acked.get(reel.id, 0) - reel.forgotten for reel in self._spool.reels if reel.id in self._acked
        )
        if waiting >= FORGET_EVERY or (waiting > 0 and idle and now - self._forgot_at >= EVERY_S):
            self._forgot_at = now
            self.forget()
            self._full = True
        elif self._full and idle and not waiting and now - self._emptied_at >= EMPTY_S:
            self._emptied_at = now
            self._empty_log()
        if now - self._tried_at >= EVERY_S:
            self._tried_at = now
            self._try_disk()

    def _try_disk(self) -> None:
        """Notice a full disk though nobody comes, and one that works again by keeping that it had failed."""
        failed = self._faults.detail(FAILED)
        if failed is not None:
            self.keep(Fault, event_type="raised", fault=FAILED, detail=failed)
            return
        try:
            self._spool.check()
        except SpoolError as error:
            self._failed(error)

    def forget(self) -> None:
        """Drop what the controller has from the disk."""
        try:
            for reel in self._spool.reels:
                self._spool.forget(self._acked.get(reel.id, 0), reel.id)
        except SpoolError as error:
            log.warning("%s", error)  # it will be sent again, and known as a duplicate

    def _empty_log(self) -> None:
        with contextlib.suppress(SpoolError):
            self._full = not self._spool.empty_log()

    def when(self, mono: float) -> datetime:
        """Return the wall time of a monotonic moment."""
        instant = self._clock.read()
        return instant.wall - timedelta(seconds=round(instant.mono - mono, 3))
