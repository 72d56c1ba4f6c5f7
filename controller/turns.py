"""Whose turn it is: every gate has its share of each batch, so that one that floods does not delay the others.

What a gate said is worked off in its order. A gate that behaves never has more under way than may wait here for it; of
one that says more it is not taken, as if the wire had lost it: a gate sends again what is not acknowledged.
"""

from __future__ import annotations

import logging
import time
from collections import Counter, deque
from collections.abc import Iterator
from dataclasses import dataclass, field
from typing import Final

from device.wire.link import Heard
from device.wire.plain import harmless

log = logging.getLogger(__name__)

BATCH: Final = 1000  # messages in one transaction: one fsync for all of them
BATCH_S: Final = 0.03  # seconds until no more is taken into it: whoever comes next waits for as long
SHARE: Final = 20  # messages of one gate at a time, while others wait
WAITING: Final = 1024  # messages of one gate: twice what a gate with a backlog has under way
PAUSE_S: Final = 1.0  # for which nothing is taken of a gate that said more; one that behaves waits as long by itself
KEPT: Final = ("status", "state", "health", "info", "policy/applied")  # of what a gate retains the newest counts


@dataclass
class Line:
    """What waits of one gate: in the order in which it came, and the newest documents of what no longer fitted."""

    first: deque[Heard] = field(default_factory=deque)
    last: dict[str, Heard] = field(default_factory=dict)

    def __bool__(self) -> bool:
        return bool(self.first or self.last)

    def put(self, heard: Heard, word: str) -> None:
        """Take a message. Of documents there is no end; of those that no longer fit the newest is kept."""
        if word in KEPT and (self.last or len(self.first) >= WAITING):
            self.last.pop(heard.topic, None)
            self.last[heard.topic] = heard
        else:
            self.first.append(heard)

    def take(self) -> Heard:
        """Give out the next."""
        return self.first.popleft() if self.first else self.last.pop(next(iter(self.last)))


class Turns:
    """Admits what is heard, takes it, and gives it out in batches."""

    def __init__(self, batch_s: float = BATCH_S) -> None:
        self._batch_s = batch_s
        self._lines: dict[str, Line] = {}  # by site and entrance, or whatever else a topic begins with
        self._flooding: set[str] = set()
        self._until: dict[str, float] = {}  # monotonic seconds, until which nothing of a gate is taken
        # Messages of each gate, ever. The first two are written by the thread that reads, the others by the desk's.
        self._came: Counter[str] = Counter()
        self._refused: Counter[str] = Counter()
        self._went: Counter[str] = Counter()
        self._told: Counter[str] = Counter()  # of the refused ones

    def __bool__(self) -> bool:
        return bool(self._lines)

    def admit(self, topic: str) -> bool:
        """Tell by its topic whether a message may come; asked where it is read, before anything else costs time."""
        gate, word = _split(topic)
        if word in KEPT:
            return True
        now = time.monotonic()
        if now < self._until.get(gate, 0.0) or self._came[gate] - self._went[gate] >= WAITING:
            if now >= self._until.get(gate, 0.0):
                self._until[gate] = now + PAUSE_S
            self._refused[gate] += 1
            return False
        self._came[gate] += 1
        return True

    def put(self, heard: Heard) -> None:
        """Let a message wait for its turn."""
        gate, word = _split(heard.topic)
        self._lines.setdefault(gate, Line()).put(heard, word)

    def take(self) -> Iterator[Heard]:
        """Give out the next batch: everybody's share in turn, as long as there is room and time."""
        left, until = BATCH, time.monotonic() + self._batch_s
        while self._lines and left and time.monotonic() < until:
            gate, line = next(iter(self._lines.items()))
            for _ in range(min(SHARE, left, len(line.first) + len(line.last))):
                heard, left = line.take(), left - 1
                self._went[gate] += _split(heard.topic)[1] not in KEPT
                yield heard
            # Whoever had a turn is behind the others next time.
            del self._lines[gate]
            if line:
                self._lines[gate] = line

    def refused(self) -> dict[str, int]:
        """Return how many messages of which gates were not admitted since this was last asked."""
        ever = dict(self._refused)  # copied at once: the other thread goes on
        new = {gate: times - self._told[gate] for gate, times in ever.items() if times > self._told[gate]}
        self._told.update(new)
        for gate in new.keys() - self._flooding:
            log.warning("%s: says more than is taken from one gate; the rest has to be sent again", harmless(gate))
        for gate in self._flooding - new.keys():
            log.info("%s: no longer says more than it may", harmless(gate))
        self._flooding = set(new)
        return new


def _split(topic: str) -> tuple[str, str]:
    """Return who said it, and which word; a foreign topic is said by its first three parts."""
    parts = topic.split("/", 3)
    return "/".join(parts[:3]), parts[-1]
