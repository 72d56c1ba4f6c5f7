"""Takes what is spooled to the controller, in order, until the controller says it has it.

Go-back-N (RFC 3366, section 2.2.1): a bounded window goes out; when no acknowledgement moves it within the patience,
or the controller repeats itself because it misses something, everything from the last acknowledged event goes again.
The broker in between may lose, double or reorder. After a long time offline there are several spools, each with a
window of its own: what happens now goes first, then the oldest of what is sealed.
"""

from __future__ import annotations

import logging
import queue
import sqlite3
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Protocol

from device.spool import Reader, Spooled
from device.wire.link import Heard, LinkChanged, LinkSaid
from device.wire.messages import OLDEST, SEQ, SPOOL, Ack, MessageError, Place, decode

log = logging.getLogger(__name__)

WINDOW: Final = 256  # events under way; far below the 1,000 messages mosquitto queues for one client
WIDER: Final = 4  # events that the window grows by with each acknowledgement, after a loss had halved it
PATIENCE_S: Final = (1.0, 8.0)  # before going back: at first, and at most
REPEAT_S: Final = 0.1  # a repeated acknowledgement goes back once in this time: one loss repeats it many times


@dataclass(frozen=True)
class Kept:
    """The entrance has spooled events after `forgotten` and up to `seq`; its file had kept `begins` before them.

    A spool that was not heard of before takes what happens from now on.
    """

    spool: str
    seq: int
    forgotten: int = 0
    begins: int = 0


@dataclass(frozen=True)
class Acked:
    """The controller has this spool up to `seq`."""

    spool: str
    seq: int


class Window:
    """Which seq goes next. Pure: times are monotonic seconds.

    What is lost was too much for somebody on the way, so the window is halved, as TCP's is: a hundred gates that come
    back together would otherwise say everything over and over, and nothing would arrive.
    """

    def __init__(self, acked: int) -> None:
        self.acked = acked
        self._sent = acked
        self._width = WINDOW
        self._patience_s = PATIENCE_S[0]
        self._moved_at = 0.0
        self._back_at = -REPEAT_S

    def room(self, last: int) -> tuple[int, int]:
        """Return the seq to go on after, and how many may follow it now."""
        return self._sent, max(0, min(last, self.acked + self._width) - self._sent)

    def sent(self, seq: int, now: float) -> None:
        """Note what went out."""
        if self._sent == self.acked:
            self._moved_at = now
        self._sent = seq

    def ack(self, seq: int, now: float) -> bool:
        """Take an acknowledgement; False when it says nothing new."""
        if seq == self.acked and now - self._back_at >= REPEAT_S:
            self._back_at = now
            self.back()
        if seq <= self.acked:
            return False
        self.acked = seq
        self._sent = max(self._sent, seq)
        self._width = min(WINDOW, self._width + WIDER)
        self._patience_s, self._moved_at = PATIENCE_S[0], now
        return True

    def look(self, now: float) -> bool:
        """Go back when nothing moved for too long; True when it did."""
        if self._sent == self.acked or now - self._moved_at < self._patience_s:
            return False
        self.back()
        self._patience_s = min(2 * self._patience_s, PATIENCE_S[1])
        return True

    def back(self) -> None:
        """Begin again after the last acknowledged event."""
        if self._sent > self.acked:
            self._width = max(1, self._width // 2)
        self._sent = self.acked


@dataclass
class Lane:
    """One spool on its way."""

    spool: str
    begins: int
    last: int
    window: Window

    @property
    def over(self) -> bool:
        """Whether the controller has all of it."""
        return self.window.acked == self.last


class Say(Protocol):
    """What the courier needs of a link."""

    def __call__(self, topic: str, payload: bytes, *, headers: dict[str, str] | None = None) -> bool:
        """Hand a message over; False when there is no connection."""


class Courier:
    """One thread. Everyone else only puts into its inbox."""

    def __init__(self, *, path: Path, place: Place, say: Say, tell: Callable[[Acked], None]) -> None:
        self.inbox: queue.SimpleQueue[Kept | LinkSaid | None] = queue.SimpleQueue()
        self.thread = threading.Thread(target=self._run, name="courier", daemon=True)
        self._path = path
        self._place = place
        self._say = say
        self._tell = tell
        self._up = False
        self._lanes: dict[str, Lane] = {}  # by the spool's name; what happens now is in the last one
        self._reader: Reader | None = None
        self._problem = ""

    def stop(self) -> None:
        """End the thread; what is spooled stays spooled."""
        self.inbox.put(None)
        if self.thread.is_alive():
            self.thread.join(timeout=5)
        if self._reader is not None:
            self._reader.close()

    def _run(self) -> None:
        while self._take():
            self._deliver()

    def _take(self) -> bool:
        """Take all that waits in the inbox; False when told to stop."""
        try:
            said = self.inbox.get(timeout=PATIENCE_S[0] / 4)
            while True:
                if said is None:
                    return False
                self._hear(said)
                said = self.inbox.get_nowait()
        except queue.Empty:
            return True

    def _hear(self, said: Kept | LinkSaid) -> None:
        match said:
            case Kept(spool, seq, forgotten, begins):
                lane = self._lanes.setdefault(spool, Lane(spool, begins, seq, Window(acked=forgotten)))
                lane.last = max(lane.last, seq)
            case LinkChanged(up=up):
                self._up = up
                for lane in self._lanes.values():
                    lane.window.back()
            case Heard(topic=topic, payload=payload) if topic == self._place.topic("ack"):
                self._acknowledged(payload)
            case _:
                pass

    def _acknowledged(self, payload: bytes) -> None:
        try:
            ack = decode(Ack, payload)
        except MessageError as error:
            log.warning("an acknowledgement was not understood: %s", error)
            return
        lane = self._lanes.get(ack.spool)
        if lane is None:
            return
        if ack.seq > lane.last:
            log.error("the controller acknowledges %d, but only %d were ever kept here", ack.seq, lane.last)
            return
        if lane.window.ack(ack.seq, time.monotonic()):
            self._tell(Acked(ack.spool, ack.seq))

    def _deliver(self) -> None:
        if not self._up:
            return
        lanes = list(self._lanes.values())
        for lane in [*lanes[-1:], *[each for each in lanes[:-1] if not each.over][:1]]:
            self._bring(lane, time.monotonic())

    def _bring(self, lane: Lane, now: float) -> None:
        if lane.window.look(now):
            log.debug("no acknowledgement after %d; going back", lane.window.acked)
        after, room = lane.window.room(lane.last)
        for event in self._read(lane.begins + after, room) if room else ():
            seq = event.seq - lane.begins
            if not self._out(lane, seq, event):
                break
            lane.window.sent(seq, now)

    def _read(self, after: int, room: int) -> list[Spooled]:
        """Return what goes next; nothing while the disk cannot be read, which is said once and tried again."""
        try:
            self._reader = self._reader or Reader(self._path)
            events = self._reader.after(after, room)
        except sqlite3.Error as error:
            if str(error) != self._problem:
                log.warning("%s cannot be read, and is tried again: %s", self._path, error)
            self._problem = str(error)
            if self._reader is not None:
                self._reader.close()
            self._reader = None
            return []
        self._problem = ""
        return events

    def _out(self, lane: Lane, seq: int, event: Spooled) -> bool:
        headers = {SPOOL: lane.spool, SEQ: str(seq), OLDEST: str(lane.window.acked + 1)}
        return self._say(self._place.topic(event.kind), event.payload, headers=headers)
