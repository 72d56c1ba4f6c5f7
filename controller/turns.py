"""Whose turn it is: every gate has its share of each batch, so that one that floods does not delay the others.

What a gate said is worked off in its order. A gate that behaves never has more events under way than wait here for it;
of one that says more they are not taken, as if the wire had lost them: it sends again what is not acknowledged.
"""

from __future__ import annotations

import logging
from collections import deque
from typing import Final

from device.wire.link import Heard
from device.wire.messages import EVENTS
from device.wire.plain import harmless

log = logging.getLogger(__name__)

BATCH: Final = 1000  # messages in one transaction: one fsync for all of them
SHARE: Final = 100  # of these one gate's, while others wait
WAITING: Final = 1024  # messages of one gate: twice what a gate with a backlog has under way


class Turns:
    """Takes what is heard, and gives it out in batches."""

    def __init__(self) -> None:
        self._waiting: dict[str, deque[Heard]] = {}  # by site and entrance, or whatever else a topic begins with
        self._flooding: set[str] = set()
        self.dropped = 0  # messages ever

    def __bool__(self) -> bool:
        return bool(self._waiting)

    def put(self, heard: Heard) -> None:
        """Let a message wait for its turn; where its gate has too many waiting, an event is dropped.

        Of anything else the newest of its topic counts, so an older one is dropped instead.
        """
        gate, word = _split(heard.topic)
        line = self._waiting.setdefault(gate, deque())
        if len(line) >= WAITING:
            self._flood(gate)
            if word in EVENTS:
                return
            older = next((each for each in line if each.topic == heard.topic), None)
            if older is None:
                older = next((each for each in line if _split(each.topic)[1] in EVENTS), line[0])
            line.remove(older)
        line.append(heard)

    def take(self) -> list[Heard]:
        """Return the next batch: everybody's share, and as much more of whoever waits as there is room for."""
        taken: list[Heard] = []
        share = SHARE if len(self._waiting) > 1 else BATCH
        for gate, line in list(self._waiting.items()):
            taken += [line.popleft() for _ in range(min(share, len(line), BATCH - len(taken)))]
            # Whoever had a turn is behind the others next time.
            del self._waiting[gate]
            if line:
                self._waiting[gate] = line
            elif gate in self._flooding:
                self._flooding.discard(gate)
                log.info("%s: no longer says more than it may", harmless(gate))
            if len(taken) == BATCH:
                break
        return taken

    def _flood(self, gate: str) -> None:
        self.dropped += 1
        if gate not in self._flooding:
            self._flooding.add(gate)
            log.warning("%s: says more than is taken from one gate; the rest has to be sent again", harmless(gate))


def _split(topic: str) -> tuple[str, str]:
    """Return who said it, and which word; a foreign topic is said by its first three parts."""
    parts = topic.split("/", 3)
    return "/".join(parts[:3]), parts[-1]
