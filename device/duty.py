"""Who guards this entrance, and whether they are here. Pure."""

from __future__ import annotations

from msgspec import Struct


class Interval(Struct, frozen=True, forbid_unknown_fields=True, rename={"start": "from", "end": "to"}):
    """Weekly duty hours, such as mon-fri from 08:00 to 12:00. An end before its start reaches past midnight."""

    days: str
    start: str
    end: str
