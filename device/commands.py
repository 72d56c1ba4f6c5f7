"""Which commands are obeyed: said now, to this entrance, in time and never twice. Pure.

A late "open" must not open a door, and how long it was under way nobody can see: a broker may hold a message back, keep
it, or say it twice, and a gate may have been restarted in between. So whatever may be late or a repetition is refused.
"""

from __future__ import annotations

import re
from collections.abc import Collection
from datetime import UTC, datetime
from typing import Final, NamedTuple

from device.wire.messages import COMMAND_S, ID_PATTERN, VERBS, ClockState, Command, MessageError, Place, decode

SKEW_S: Final = 2.0  # what two machines that ask a time server may differ by, and more
# A gate does not know what it obeyed before it was restarted; after this time all of that is late.
WARY_S: Final = COMMAND_S + 2 * SKEW_S
PACE_S: Final = 1.0  # between two that are obeyed: pulses of the relay that meet would count two and release one
REMEMBERED: Final = 1000  # commands, so that a flood of them cannot fill the memory
LONGEST_VERB: Final = 32  # characters
QUIET_S: Final = 60.0  # between events about refusals for the same reason
# A clock that nobody checks any more cannot tell ten seconds; where nothing opens that does little harm.
BELIEVED: Final[dict[str, tuple[ClockState, ...]]] = {"open": ("synced",), "identify": ("synced", "holdover")}


class Asked(NamedTuple):
    """A command as far as it could be read. Without a `reason` to refuse it is obeyed, `until` that monotonic time."""

    verb: str  # "" when it is no verb of any gate
    command: Command | None
    reason: str = ""
    until: float = 0.0


class Commands:
    """Judges the commands to one entrance, and remembers them. `now` is monotonic seconds."""

    def __init__(self, place: Place, allow: Collection[str], *, now: float) -> None:
        self._place = place
        self._allow = allow
        self._began = now
        self._obeyed_at = now - PACE_S
        self._answered: dict[str, datetime | None] = {}  # by id, the oldest first; when it expires if it was obeyed
        self._floor = datetime.min.replace(tzinfo=UTC)  # one that expires by then may be obeyed and forgotten

    def judge(
        self, verb: str, payload: bytes, *, here: bool, retained: bool, now: float, wall: datetime, clock: ClockState
    ) -> Asked:
        """Tell what is to become of a command. `here`: its topic is this entrance's."""
        verb = verb if len(verb) <= LONGEST_VERB and re.fullmatch(ID_PATTERN, verb) else ""
        try:
            command = decode(Command, payload)
        except MessageError:
            return Asked(verb, None, "retained" if retained else "not_a_command")
        if not here or command.to != str(self._place):
            return Asked(verb, command, "foreign")
        if command.id in self._answered:
            return Asked(verb, command, "repeated")
        left = (command.expires_at - wall).total_seconds()
        reason = "retained" if retained else self._unfit(verb) or self._untimely(verb, command, left, now, clock)
        self._remember(command, obeyed=not reason)
        if not reason:
            self._obeyed_at = now
        return Asked(verb, command, reason, now + left)

    def _unfit(self, verb: str) -> str:
        if verb not in VERBS:
            return "unknown_verb"
        return "" if verb in self._allow else "not_allowed"

    def _untimely(self, verb: str, command: Command, left: float, now: float, clock: ClockState) -> str:
        if clock not in BELIEVED[verb]:
            return "clock_unsure"
        if left <= 0:
            return "late"
        if left > COMMAND_S + SKEW_S:
            return "far_ahead"
        if now - self._began < WARY_S or command.expires_at <= self._floor:
            return "perhaps_repeated"
        return "busy" if now - self._obeyed_at < PACE_S else ""

    def _remember(self, command: Command, *, obeyed: bool) -> None:
        """Note an id. However many follow, and however the clock is set, one that was obeyed is not obeyed again."""
        self._answered[command.id] = command.expires_at if obeyed else None
        if len(self._answered) > REMEMBERED:
            expired = self._answered.pop(next(iter(self._answered)))
            self._floor = max(self._floor, expired or self._floor)


class Refusals:
    """Which refusals become an event: the first for a reason, then how many came. A flood fills nothing."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[float, int]] = {}  # reason: when it was last kept, how many came since

    def note(self, reason: str, now: float) -> bool:
        """Take one refusal; True when it is to be kept."""
        if reason in self._kept:
            at, count = self._kept[reason]
            self._kept[reason] = (at, count + 1)
            return False
        self._kept[reason] = (now, 0)
        return True

    def look(self, now: float) -> list[tuple[str, int]]:
        """Return the reasons that are due, each with how many refusals came since it was last kept."""
        due = [(reason, count) for reason, (at, count) in self._kept.items() if now - at >= QUIET_S]
        for reason, count in due:
            if count:
                self._kept[reason] = (now, 0)
            else:
                del self._kept[reason]
        return [(reason, count) for reason, count in due if count]
