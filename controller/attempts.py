"""What the broker refused lately to gates in force or revoked, by entrance."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from controller.authority import AuthorityError, place_of
from controller.facts import Run
from controller.ledger import Noted
from controller.rules import REFUSED
from device.wire.messages import Place


@dataclass(frozen=True)
class Attempts:
    """Told to the desk whenever it changes."""

    refused: dict[Place, Run] = field(default_factory=dict)
    takeovers: dict[Place, Run] = field(default_factory=dict)


def sort(noted: Iterable[Noted]) -> Attempts:
    """Put what was refused together by entrance. What strangers tried belongs to none, and is left out."""
    found = Attempts()
    for each in sorted(noted, key=lambda each: each.last_at):
        try:
            place = place_of(each.who)
        except AuthorityError:
            continue
        if each.kind in REFUSED:
            _add(found.refused, place, each)
        elif each.kind == "twice":
            _add(found.takeovers, place, each)
    return found


def _add(runs: dict[Place, Run], place: Place, noted: Noted) -> None:
    first, last = (datetime.fromtimestamp(at, tz=UTC) for at in (noted.first_at, noted.last_at))
    before = runs.get(place, Run(since=first, last=last, count=0, reason=""))
    count = before.count + noted.times
    runs[place] = Run(since=min(before.since, first), last=last, count=count, reason=noted.kind)
