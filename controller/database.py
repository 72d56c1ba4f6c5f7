"""Opens the controller's database file: made when missing, brought up to date when older, refused when newer."""

from __future__ import annotations

import json
import os
import sqlite3
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import msgspec
from sqlite_utils import Database, Migrations

from controller.schema import migrations

BUSY_S: Final = 10.0  # seconds to wait for another program that writes


class StoreError(RuntimeError):
    """A database that cannot be used; the text names the file and the fix."""


def now() -> datetime:
    """Return the time as the database keeps it: UTC, to the millisecond."""
    moment = datetime.now(tz=UTC)
    return moment.replace(microsecond=moment.microsecond // 1000 * 1000)


def stamp(moment: datetime) -> str:
    """Write a time so that text order is time order; by msgspec, which takes a tenth of what datetime does."""
    written = msgspec.json.encode(moment.astimezone(UTC)).decode()
    return f"{written[1:20]}.{moment.microsecond // 1000:03}Z"


def among(column: str, only: Collection[int] | None) -> tuple[str, dict[str, str]]:
    """Return a condition on a column, which an index can answer, and its value; None asks for any."""
    if only is None:
        return "TRUE", {}
    return f"{column} IN (SELECT value FROM json_each(:only))", {"only": json.dumps(list(only))}  # noqa: S608


def open_to_write(path: Path) -> Database:
    """Open, make or bring up to date; every commit is on disk before it returns. Raise StoreError."""

    def prepare(db: Database) -> None:
        db.enable_wal()
        db.execute("PRAGMA synchronous = FULL")
        db.execute("PRAGMA secure_delete = ON")  # what is deleted becomes zeros, also in pages that are not used again
        db.execute("PRAGMA foreign_keys = ON")
        with transaction(db):
            _refuse_foreign(db, path)
            migrations.apply(db)

    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        os.close(os.open(path, os.O_RDWR | os.O_CREAT, 0o600))  # it names people; SQLite gives its log the same mode
    except OSError as error:
        raise _unusable(path, error) from error
    return _open(path, "rwc", prepare)


def open_to_read(path: Path) -> Database:
    """Open without ever writing. Raise StoreError."""

    def prepare(db: Database) -> None:
        _refuse_foreign(db, path)
        if migrations.pending(db):
            raise StoreError(f"{path}: written by an older menshen; start `menshen controller run` to bring it forward")

    if not path.exists():
        raise StoreError(f"{path}: no database yet; start `menshen controller run`, or say --config")
    return _open(path, "ro", prepare)


def _open(path: Path, mode: str, prepare: Callable[[Database], None]) -> Database:
    try:
        target = f"{path.absolute().as_uri()}?mode={mode}"
        connection = sqlite3.connect(target, uri=True, timeout=BUSY_S, check_same_thread=False)
        try:
            db = Database(connection)
            prepare(db)
        except BaseException:
            connection.close()
            raise
    except sqlite3.Error as error:
        raise _unusable(path, error) from error
    return db


def _unusable(path: Path, error: OSError | sqlite3.Error) -> StoreError:
    why = error.strerror if isinstance(error, OSError) else error
    return StoreError(f"{path}: cannot be used as the database: {why}; {_remedy(path)}")


def _remedy(path: Path) -> str:
    if os.path.lexists(path) and not os.access(path, os.R_OK | os.W_OK, effective_ids=True):
        with suppress(KeyError, OSError):  # an owner without a name
            return f"it is {path.owner()}'s: sudo -u {path.owner()} menshen ..."
    return "see [store] path"


@contextmanager
def transaction(db: Database) -> Iterator[None]:
    """All or nothing. A plain BEGIN that reads first would fail when someone else wrote meanwhile."""
    db.execute("BEGIN IMMEDIATE")
    try:
        yield
        db.commit()
    except BaseException:
        db.rollback()
        raise


def _refuse_foreign(db: Database, path: Path) -> None:
    tables = set(db.table_names())
    if tables and Migrations.migrations_table not in tables:
        raise StoreError(f"{path}: the database of some other program; see [store] path")
    with Database(memory=True) as fresh:
        known = {migration.name for migration in migrations.pending(fresh)}
    newer = [migration.name for migration in migrations.applied(db) if migration.name not in known]
    if newer:
        raise StoreError(
            f"{path}: written by a newer menshen ({', '.join(newer)}); install that version here, "
            "or let [store] path name another file"
        )
