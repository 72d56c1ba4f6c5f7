"""What is known of an entrance, and what a rule may find in it."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Final, Literal

from msgspec import Struct

from controller.config import RulesSection
from device.wire.messages import OpenFault, Place, Staffing, Text

OURS: Final = "controller"  # the site of what is the controller's own
LONGEST_REASON: Final = 40  # characters of a reason that no word is known for
LONGEST_DETAIL: Final = 200  # characters of what a gate says of a fault
RATE_WINDOW: Final = timedelta(hours=1)  # in which passages are counted


class Run(Struct, frozen=True, kw_only=True):
    """Abnormal codes, refusals, or messages in quarantine, with no long pause between them."""

    since: datetime
    last: datetime
    count: int
    reason: str  # of the last


class Facts(Struct, frozen=True, kw_only=True):
    """What is known of one entrance now."""

    place: Place
    now: datetime
    registered_at: datetime | None = None
    heard_at: datetime | None = None
    online: bool | None = None  # None: never said
    online_since: datetime | None = None  # since when it is online, or offline
    offline_reason: str = ""
    staffing: Staffing | None = None
    staffing_since: datetime | None = None
    clock_unsure_since: datetime | None = None  # None: its gate knows the time, or never said
    abnormal: Run | None = None
    stale: OpenFault | None = None  # the gate's own fault stale_trust
    refused: Run | None = None  # what the broker refused; the reason is a kind
    takeovers: Run | None = None  # a second connection with the same key took the place of the first
    quarantined: Run | None = None
    flood: Run | None = None  # messages that were more than an entrance has
    unscanned: Run | None = None  # who went through with nothing granted; the reason is the event's type
    conflict: Run | None = None  # codes let in here that were in already; the reason is through which entrance
    inside: int = 0  # of the whole site
    capacity: int = 0  # 0: no limit
    over_since: datetime | None = None  # more are inside than may be
    faults: tuple[OpenFault, ...] = ()  # as the gate said last
    crowded_since: datetime | None = None  # None: it is not crowded, or nobody looks
    waiting: int | None = None  # people, by the gate's estimate
    repeated: Run | None = None  # wrong tries in a row, as many as are too many
    hot: Run | None = None  # temperatures that were too high
    unused: Run | None = None  # grants on which nobody went through
    spoke_at: datetime | None = None  # when its last event came in
    passages: int = 0  # within the last RATE_WINDOW, with a grant or without
    without_scan: int = 0  # of these, without
    without_scan_since: datetime | None = None  # about when the first of these was
    behind_since: datetime | None = None  # since when it should hold a policy that it does not hold
    failing_since: datetime | None = None  # of a notifier: since when it does not get through
    behind_why: str = ""  # as the gate says


class Finding(Struct, frozen=True, kw_only=True):
    """What a rule found, as an alert says it."""

    severity: Literal["info", "warning", "critical"]
    since: datetime
    count: int = 1
    what: Text
    next_step: Text


def lost_since(facts: Facts, rules: RulesSection) -> datetime | None:
    """Return since when the gate has been offline, once that is longer than the grace time."""
    if facts.online or (facts.registered_at is None and facts.heard_at is None):
        return None
    since = facts.registered_at if facts.online is None else facts.online_since
    if since is None or facts.now - since < timedelta(seconds=rules.offline_grace_s):
        return None
    return since


def held(run: Run | None, facts: Facts, hold_s: float) -> bool:
    """Tell whether the last of a run was not long ago."""
    return run is not None and facts.now - run.last < timedelta(seconds=hold_s)


def open_fault(facts: Facts, name: str) -> OpenFault | None:
    """Return a fault that the gate says is open; None where it is not."""
    return next((fault for fault in facts.faults if fault.fault == name), None)


def fault_since(facts: Facts, name: str) -> datetime | None:
    """Return since when a fault is open; None where it is not."""
    fault = open_fault(facts, name)
    return fault.since if fault else None
