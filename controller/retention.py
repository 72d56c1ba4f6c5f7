"""What was kept long enough, or is to be forgotten at once: no byte that names a person is left in the file.

SQLite's secure_delete zeroes a deleted row, but not the copies that rows leave behind in the unused part of a page when
pages are balanced. So in the one large table, `events`, personal text is overwritten where it stands, byte for byte,
which moves nothing; rows are deleted from its beginning only, and only where their neighbours are overwritten as well.
So nothing else may change a row of `events`: a row that grows moves its neighbours.
The small tables are emptied and written anew, which zeroes all their pages.
"""

from __future__ import annotations

import functools
import logging
import sqlite3
from array import array
from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from typing import Any, Final, TypeVar

import msgspec
from msgspec import Struct, inspect

from controller.database import stamp
from controller.store import Store
from device.wire.messages import EVENTS, PERSONAL, Message, Place, State, decode

log = logging.getLogger(__name__)

ROWS: Final = 500  # in one transaction
BEHIND: Final = 256  # overwritten rows that stay: far more than the three pages that deleting a row may balance
EVERY: Final = timedelta(hours=1)
SMALL: Final = ("quarantine", "passes", "revocations", "entrances", "passings", "alerts", "silences")

M = TypeVar("M", bound=Message)
Row = dict[str, Any]


class Chosen(Struct, frozen=True, kw_only=True):
    """What is to be forgotten: all that is asked for must be true of it."""

    before: datetime | None = None  # received by the controller before
    place: Place | None = None
    codes: tuple[str, ...] = ()  # keyed hashes
    cti: str = ""  # a pass
    subject: str = ""  # whose badge that pass is

    @property
    def somebody(self) -> bool:
        """Tell whether this is about certain codes, not about a time or a place."""
        return bool(self.codes or self.cti)


@functools.cache
def personal(kind: type[Message]) -> tuple[str, ...]:
    """Return the names of a message's fields that may name a person."""

    def marked(info: inspect.Type) -> bool:
        if isinstance(info, inspect.VarTupleType):
            return marked(info.item_type)
        return isinstance(info, inspect.Metadata) and PERSONAL in (info.extra or {})

    return tuple(f.name for f in msgspec.structs.fields(kind) if marked(inspect.type_info(f.type)))


def starred(message: M) -> M:
    """Return the message with stars for what may name a person; it has as many bytes as before."""
    stars = {name: _stars(getattr(message, name)) for name in personal(type(message))}
    return msgspec.structs.replace(message, **stars)


def _stars(value: Any) -> Any:
    return tuple(map(_stars, value)) if isinstance(value, tuple) else "*" * (len(msgspec.json.encode(value)) - 2)


def _starred_text(kind: type[Message], text: str) -> str:
    return msgspec.json.encode(starred(decode(kind, text.encode()))).decode()


class Eraser:
    """Works on one store, in small transactions."""

    def __init__(self, store: Store) -> None:
        self._store = store
        self._db = store.db

    def find(self, chosen: Chosen) -> array[int]:
        """Return the rowids of the events that are meant, oldest first."""
        sql, values = _events_of(chosen)
        return array("q", (row[0] for row in self._db.execute(f"SELECT rowid FROM events WHERE {sql}", values)))  # noqa: S608 our own words

    def overwrite(self, rows: list[int]) -> int:
        """Overwrite what is personal in events; return in how many there was anything left to overwrite."""
        listed = msgspec.json.encode(rows).decode()
        with self._store.transaction():
            found = self._db.execute(
                "SELECT rowid, kind, payload FROM events WHERE rowid IN (SELECT value FROM json_each(?))", (listed,)
            ).fetchall()
            fresh = [(_starred_text(EVENTS[kind], payload), rowid, payload) for rowid, kind, payload in found]
            changed = [(text, rowid) for text, rowid, payload in fresh if text != payload]
            self._db.conn.executemany("UPDATE events SET payload = ? WHERE rowid = ?", changed)
        return len(changed)

    def drop(self, before: datetime) -> int:
        """Delete up to ROWS of the first events, as far as they and BEHIND more after them are old; return how many."""
        with self._store.transaction():
            first = self._db.execute(
                "SELECT rowid, received_at < ? FROM events ORDER BY rowid LIMIT ?", (stamp(before), ROWS + BEHIND)
            ).fetchall()
            old = next((number for number, (_, is_old) in enumerate(first) if not is_old), len(first))
            if old <= BEHIND:
                return 0
            self._db.execute("DELETE FROM events WHERE rowid <= ?", (first[old - BEHIND - 1][0],))
        return old - BEHIND

    def small(self, chosen: Chosen, *, dry: bool = False) -> dict[str, int]:
        """Forget what is meant in the small tables; return in how many rows of each."""
        here = self._store.place_id(chosen.place) if chosen.place else None
        count = {table: self._renew(table, _changes(table, chosen, here), dry=dry) for table in SMALL}
        listed = len(set(self._store.desired().listed) & set(chosen.codes))
        if listed and not dry:
            self._store.unlist_code(*chosen.codes)
            self._renew("listed_codes", lambda row: row, always=True)
        return count | {"listed_codes": listed}

    def _renew(
        self, table: str, change: Callable[[Row], Row | None], *, dry: bool = False, always: bool = False
    ) -> int:
        """Empty a table and write anew what `change` makes of its rows; None leaves one out."""
        self._db.execute("PRAGMA foreign_keys = OFF")  # every row that others name comes back
        try:
            with self._store.transaction():
                names = [row[1] for row in self._db.execute(f"PRAGMA table_info({table})")]
                before = list(self._db.query(f"SELECT {', '.join(names)} FROM {table} ORDER BY rowid"))  # noqa: S608
                after = [change(row) for row in before]
                changed = sum(old != new for old, new in zip(before, after, strict=True))
                if (changed or always) and not dry:
                    self._db.execute(f"DELETE FROM {table}")  # noqa: S608 without a WHERE it zeroes whole pages
                    places = ", ".join(f":{name}" for name in names)
                    rows = [row for row in after if row]
                    self._db.conn.executemany(f"INSERT INTO {table} ({', '.join(names)}) VALUES ({places})", rows)  # noqa: S608
        finally:
            self._db.execute("PRAGMA foreign_keys = ON")
        return changed

    def empty_log(self, *, wait_s: float) -> bool:
        """Write everything into the database file and cut its log to nothing; False while another program reads it."""
        before = self._db.execute("PRAGMA busy_timeout").fetchone()[0]
        self._db.execute(f"PRAGMA busy_timeout = {int(wait_s * 1000)}")
        try:
            return not self._db.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
        except sqlite3.OperationalError:
            return False
        finally:
            self._db.execute(f"PRAGMA busy_timeout = {before}")


def _events_of(chosen: Chosen) -> tuple[str, dict[str, str]]:
    place, values = chosen.place, {}
    wanted = []
    if chosen.before:
        wanted.append("received_at < :before")
        values["before"] = stamp(chosen.before)
    if place:
        wanted.append("entrance_id = (SELECT id FROM entrances WHERE site = :site AND name = :entrance)")
        values |= {"site": place.site, "entrance": place.entrance}
    if chosen.somebody:
        wanted.append(
            "(json_extract(payload, '$.code') IN (SELECT value FROM json_each(:codes)) OR (:subject <> '' AND"
            " (:subject IN (json_extract(payload, '$.who'), json_extract(payload, '$.after'))"
            " OR :subject IN (SELECT value FROM json_each(payload, '$.on_duty'))"
            " OR :subject IN (SELECT value FROM json_each(payload, '$.by')))))"
        )
        values |= {"codes": msgspec.json.encode(chosen.codes).decode(), "subject": chosen.subject}
    return " AND ".join(wanted), values


def _changes(table: str, chosen: Chosen, here: int | None) -> Callable[[Row], Row | None]:
    """Return what becomes of each row of a small table. `here` is the id of the chosen entrance."""
    before, place = chosen.before and stamp(chosen.before), chosen.place

    def quarantine(row: Row) -> Row | None:
        if chosen.somebody:
            names = [*chosen.codes, chosen.cti, chosen.subject]
            return None if any(name and name.encode().hex() in row["head"] for name in names) else row
        old = before is None or row["received_at"] < before
        return None if old and (place is None or row["topic"].startswith(place.topic(""))) else row

    def passes(row: Row) -> Row | None:
        if place or chosen.somebody:
            return None if row["cti"] == chosen.cti else row
        over = chosen.before and row["not_after"] is not None and row["not_after"] < chosen.before.timestamp()
        return None if over else row

    def revocations(row: Row) -> Row | None:
        """Keep the number, which must go on turning the pass away; only why is forgotten."""
        old = not (place or chosen.somebody) and before is not None and row["revoked_at"] < before
        return {**row, "reason": ""} if old or row["cti"] == chosen.cti else row

    def entrances(row: Row) -> Row | None:
        here = place is None or (row["site"], row["name"]) == place
        gone = before is None or (row["online"] == 0 and row["online_since"] < before)
        if not row["state"] or not here or (not chosen.somebody and not gone):
            return row
        state = decode(State, row["state"].encode())
        if chosen.somebody and chosen.subject not in state.on_duty:
            return row
        return {**row, "state": msgspec.json.encode(starred(state)).decode()}

    rules: dict[str, Callable[[Row], Row | None]] = {
        "quarantine": quarantine,
        "passes": passes,
        "revocations": revocations,
        "entrances": entrances,
        "passings": functools.partial(_passing, chosen),
        **_words(chosen, here),
    }
    return rules[table]


def _passing(chosen: Chosen, row: Row) -> Row | None:
    if chosen.somebody:
        return None if row["code"] in chosen.codes else row
    here = chosen.place is None or (row["site"], row["entrance"]) == chosen.place
    return None if here and (chosen.before is None or row["at"] < stamp(chosen.before)) else row


def _words(chosen: Chosen, here: int | None) -> dict[str, Callable[[Row], Row | None]]:
    """Return what becomes of what operators wrote, which is about no code."""
    before, place = chosen.before and stamp(chosen.before), chosen.place

    def alerts(row: Row) -> Row | None:
        """Forget what somebody noted, of an alert that is over; the journal never had it."""
        old = before is None or (row["resolved_at"] is not None and row["resolved_at"] < before)
        meant = not chosen.somebody and (place is None or row["entrance_id"] == here)
        return {**row, "note": ""} if old and meant else row

    def silences(row: Row) -> Row | None:
        old = before is None or row["until"] < before
        meant = not chosen.somebody and (place is None or (row["site"], row["entrance"]) == place)
        return {**row, "reason": ""} if old and meant else row

    return {"alerts": alerts, "silences": silences}


class Retention:
    """The clock of the desk: every hour it forgets what is too old, ROWS events at a time."""

    def __init__(self, store: Store, days: int) -> None:
        self._eraser = Eraser(store)
        self._db = store.db
        self._days = days
        self._next: datetime | None = None
        self._round: Iterator[None] | None = None

    def look(self, at: datetime) -> None:
        """Do one small piece of work when there is some; told the time."""
        if not self._days:
            return
        if self._round is None:
            # A clock that was set back must not put the next round off for years.
            if self._next and self._next - EVERY <= at < self._next:
                return
            self._next = at + EVERY
            self._round = self._forget(at - timedelta(days=self._days))
        if next(self._round, self) is self:
            self._round = None

    def _forget(self, before: datetime) -> Iterator[None]:
        overwritten = dropped = 0
        after: tuple[str, int] = ("", 0)
        while rows := self._old(before, after):
            after = rows[-1]
            overwritten += self._eraser.overwrite([rowid for _, rowid in rows])
            yield
        while count := self._eraser.drop(before):
            dropped += count
            yield
        small = self._eraser.small(Chosen(before=before))
        if overwritten or dropped or any(small.values()):
            log.info("kept long enough: %d events overwritten, %d deleted, other rows %s", overwritten, dropped, small)
            while not self._eraser.empty_log(wait_s=0.0):
                yield

    def _old(self, before: datetime, after: tuple[str, int]) -> list[tuple[str, int]]:
        return self._db.execute(
            "SELECT received_at, rowid FROM events WHERE received_at < ? AND (received_at, rowid) > (?, ?)"
            " ORDER BY received_at, rowid LIMIT ?",
            (stamp(before), *after, ROWS),
        ).fetchall()
