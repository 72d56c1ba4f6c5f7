"""Commands from afar, carried out: judged, kept on disk, done, answered; in that order, by the thread that decides."""

from __future__ import annotations

import logging
from collections.abc import Callable, Collection, Mapping
from typing import Any, Final

from device.clock import Clock
from device.commands import Asked, Commands, Refusals
from device.record import Record
from device.wire.link import Heard
from device.wire.messages import COMMAND, REPLY, Commanded, MessageError, Place, Reply, Verb, parse_topic
from device.wire.plain import harmless
from hardware.parts import PartError

log = logging.getLogger(__name__)

Acts = Mapping[str, Callable[[int], None]]  # what each verb moves; it is told the seq under which that is kept
NOBODY: Final[dict[str, Any]] = {"by": "", "command": ""}


class Remote:
    """What operators may do at this entrance."""

    def __init__(self, *, place: Place, allow: Collection[Verb], record: Record, clock: Clock, acts: Acts) -> None:
        self._place = place
        self._record = record
        self._clock = clock
        self._acts = acts
        self._commands = Commands(place, allow, now=clock.mono())
        self._refusals = Refusals()

    def hear(self, heard: Heard) -> None:
        """Obey or refuse a command, and say so; anything else that is heard is let be."""
        try:
            place, word = parse_topic(heard.topic)
        except MessageError:
            return
        if not (word.startswith(COMMAND) and heard.payload):  # without a payload, somebody took a retained one back
            return
        instant = self._clock.read()
        asked = self._commands.judge(
            word.removeprefix(COMMAND),
            heard.payload,
            here=place == self._place,
            retained=heard.retained,
            now=instant.mono,
            wall=instant.wall,
            clock=instant.state,
        )
        reason = asked.reason or self._obey(asked)
        if asked.reason and self._refusals.note(reason, self._clock.mono()):
            self._refused(asked, reason)
        if asked.verb:
            said = asked.command.id if asked.command else ""
            reply = Reply(id=said, outcome="refused" if reason else "done", reason=reason)
            self._record.answer(f"{REPLY}{asked.verb}", reply)

    def look(self, now: float) -> None:
        """Keep how many were refused since that was last kept."""
        for reason, count in self._refusals.look(now):
            log.warning("%d more commands refused: %s", count, reason)
            self._record.keep(Commanded, event_type="refused", reason=reason, count=count)

    def _obey(self, asked: Asked) -> str:
        """Keep it, then do it; return why it was not done. Keeping takes time, and a slow disk may take too much."""
        seq = self._record.keep(Commanded, event_type="obeyed", verb=asked.verb, **_who(asked))
        if seq is None:
            return "not_kept"
        if self._clock.mono() >= asked.until:
            self._refused(asked, "late")
            return "late"
        try:
            self._acts[asked.verb](seq)
        except PartError as error:
            log.error("%s: %s", asked.verb, error)  # noqa: TRY400 it says which part and what to try
            self._refused(asked, "not_moved")
            return "not_moved"
        log.info("obeyed: %s, %s", asked.verb, _who(asked))
        return ""

    def _refused(self, asked: Asked, reason: str) -> None:
        log.warning("command refused: %s: %s, %s", reason, asked.verb, _who(asked))
        self._record.keep(Commanded, event_type="refused", verb=asked.verb, reason=reason, **_who(asked))


def _who(asked: Asked) -> dict[str, Any]:
    return {"by": harmless(asked.command.by), "command": asked.command.id} if asked.command else NOBODY
