"""The book of all that was done about alerts: entries only follow each other, each sealed with the hash of the last.

Whoever changes, swaps or takes out an entry breaks the chain behind it. Whoever cuts its end, or writes it all anew,
breaks nothing: that shows only by its head, which is therefore said on MQTT and kept by whoever listens.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable
from typing import Any, Final, NamedTuple

from sqlite_utils import Database

from controller.database import stamp
from device.wire.messages import ROOT, Message

TOPIC: Final = f"{ROOT}/journal"  # of no entrance
NOTHING: Final = "0" * 64  # the hash before the first


class Head(Message, frozen=True, kw_only=True):
    """Retained on menshen/journal: where the controller's journal ends, so that a shorter one is found out."""

    seq: int
    hash: str


class Entry(NamedTuple):
    """One change, as its table has it."""

    seq: int
    at: str
    who: str
    what: str
    previous: str
    hash: str


def seal(seq: int, at: str, who: str, what: str, previous: str) -> str:
    """Return the hash of an entry: SHA-256 of these five as a JSON list."""
    return hashlib.sha256(json.dumps([seq, at, who, what, previous]).encode()).hexdigest()


def broken(entries: Iterable[Entry], head: Head | None = None) -> str:
    """Return the first thing that is wrong with a whole journal; empty where nothing is. `head` is one said earlier."""
    last = Entry(0, "", "", "", "", NOTHING)
    known = head is None or head.seq == 0
    for entry in entries:
        if entry.seq != last.seq + 1:
            return f"entry {last.seq + 1} is missing: after {last.seq} comes {entry.seq}"
        if entry.previous != last.hash:
            return f"entry {entry.seq} does not follow entry {last.seq}: one of them was changed or exchanged"
        if entry.hash != seal(*entry[:-1]):
            return f"entry {entry.seq} was changed"
        if head is not None and head.seq == entry.seq:
            known = True
            if head.hash != entry.hash:
                return f"entry {entry.seq} is not the one whose hash was said: the journal was written anew"
        last = entry
    if head is not None and not known:
        return f"it ends at entry {last.seq}, but had {head.seq} entries when its head was said: its end was cut off"
    return ""


class Journal:
    """The table of that name."""

    def __init__(self, db: Database) -> None:
        self._db = db

    def write(self, at: Any, who: str, **what: Any) -> None:
        """Add an entry, in the transaction of what it tells."""
        head = self.head()
        entry = (head.seq + 1, stamp(at), who, json.dumps(what, ensure_ascii=False, sort_keys=True), head.hash)
        self._db.execute("INSERT INTO journal VALUES (?, ?, ?, ?, ?, ?)", (*entry, seal(*entry)))

    def head(self) -> Head:
        """Return where it ends."""
        row = self._db.execute("SELECT seq, hash FROM journal ORDER BY seq DESC LIMIT 1").fetchone()
        return Head(seq=row[0], hash=row[1]) if row else Head(seq=0, hash=NOTHING)

    def all(self) -> Iterable[Entry]:
        """Return every entry, the oldest first."""
        rows = self._db.execute("SELECT seq, at, who, what, previous, hash FROM journal ORDER BY seq")
        return (Entry(*row) for row in rows)
