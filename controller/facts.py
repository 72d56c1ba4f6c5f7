"""What is known of an entrance, and what a rule may find in it."""

from __future__ import annotations

from datetime import datetime
from typing import Literal

from msgspec import Struct

from device.wire.messages import OpenFault, Place, Staffing, Text


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
    unscanned: Run | None = None  # who went through with nothing granted; the reason is the event's type
    conflict: Run | None = None  # codes let in here that were in already; the reason is through which entrance
    inside: int = 0  # of the whole site
    capacity: int = 0  # 0: no limit
    over_since: datetime | None = None  # more are inside than may be
    faults: tuple[OpenFault, ...] = ()  # as the gate said last
    crowded_since: datetime | None = None  # None: it is not crowded, or nobody looks
    waiting: int | None = None  # people, by the gate's estimate


class Finding(Struct, frozen=True, kw_only=True):
    """What a rule found, as an alert says it."""

    severity: Literal["info", "warning", "critical"]
    since: datetime
    count: int = 1
    what: Text
    next_step: Text
