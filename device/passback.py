"""Whether someone may come in again: which way they went last, how long ago, and how often they were let in. Pure.

What is remembered of a code is its passings, at this gate and, as far as they were told, at the others of the site.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Final, Literal, NamedTuple

from msgspec import Meta, Struct

from device.crossing import Way
from device.passage import Scanned
from device.wire.messages import Outcome

FULL: Final = "capacity"
AGAIN: Final = "passback"
USED_UP: Final = "already_redeemed"


class ReentrySection(Struct, frozen=True, forbid_unknown_fields=True):
    """Whether one code may come in again. All gates of a site should say the same; capacities the controller knows."""

    mode: Annotated[
        Literal["off", "time", "direction"],
        Meta(description="time: not again within again_s; direction: not in again without having gone out"),
    ] = "off"
    again_s: Annotated[float, Meta(ge=1, le=604800, description="seconds, for mode time")] = 3600.0
    forget_s: Annotated[
        float, Meta(ge=3600, le=31536000, description="seconds until it is forgotten who went, 14 days unless set")
    ] = 1209600.0
    outcome: Annotated[Literal["refer", "refuse"], Meta(description="what becomes of one who comes again")] = "refer"
    full: Annotated[Literal["refer", "refuse"], Meta(description="what becomes of the next when it is full")] = "refer"

    @property
    def outcomes(self) -> dict[str, Outcome]:
        """Return the outcomes of reasons that this decides."""
        return {AGAIN: self.outcome, FULL: self.full}


class Passing(NamedTuple):
    """One person was let through on a code: `id` names the scan, `at` is in seconds since 1970."""

    id: str
    code: str  # its keyed hash
    direction: Way
    at: float
    entrance: str


def way(scanned: Scanned, passings: Sequence[Passing]) -> Way:
    """Return which way someone is going: where both ways are scanned, the other than last time."""
    if scanned != "both":
        return scanned
    return "out" if passings and passings[-1].direction == "in" else "in"


def again(passings: Sequence[Passing], direction: Way, now: float | None, *, rules: ReentrySection, uses: int) -> str:
    """Return why someone may not come in; "" when they may. Whoever leaves is never held back.

    `passings` of their code, the oldest first; `now` None: the clock is unset, and no time is long enough; `uses`: how
    often the code admits, 0: any number of times.
    """
    if direction == "out" or not passings:
        return ""
    last = passings[-1]
    if uses and sum(each.direction == "in" for each in passings) >= uses:
        return USED_UP
    if rules.mode == "direction" and last.direction == "in":
        return AGAIN
    ins = [each.at for each in passings if each.direction == "in"]
    if rules.mode == "time" and ins and (now is None or abs(now - max(ins)) < rules.again_s):
        return AGAIN
    return ""


class Occupancy:
    """How many are inside the site: as last told, and who went through here since. Times are monotonic seconds."""

    def __init__(self) -> None:
        self._capacity = 0
        self._told: int | None = None
        self._here = 0

    @property
    def inside(self) -> int | None:
        """How many there are; None before anybody told."""
        return None if self._told is None else max(0, self._told + self._here)

    @property
    def limited(self) -> bool:
        """Whether the site can be full."""
        return bool(self._capacity)

    def told(self, inside: int, capacity: int) -> None:
        """Take the controller's word, which knows all gates; a capacity of 0 is none."""
        self._told, self._here, self._capacity = inside, 0, capacity

    def went(self, direction: str) -> None:
        """Count one who went through here."""
        self._here += {"in": 1, "out": -1}.get(direction, 0)

    def full(self, direction: Way, people: int) -> bool:
        """Tell whether so many more would be too many. What nobody ever told is not full."""
        return self.limited and direction == "in" and (self.inside or 0) + people > self._capacity
