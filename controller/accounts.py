"""Who may sign in at the board, who has, and which programs may ask in their name.

A file of its own beside the database: the desk never waits for somebody who signs in. Passwords are kept as Argon2id
makes them; of sessions, tokens and invitations only a hash is kept.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import secrets
import sqlite3
import threading
from pathlib import Path
from typing import Final, NamedTuple, Self

from cryptography.exceptions import InvalidKey
from cryptography.hazmat.primitives.kdf.argon2 import Argon2id

from controller.book import Book
from controller.rights import Person, Role

FILE: Final = "accounts.db"  # beside the controller's database
NAME: Final = re.compile(r"[^\x00-\x1f\x7f-\x9f]{1,64}")
SESSION_S: Final = 12 * 3600  # a shift
INVITE_S: Final = 24 * 3600
SHORTEST: Final = 10  # characters of a password
LONGEST: Final = 200
AT_ONCE: Final = threading.Semaphore(2)  # each password takes the next line's memory while it is checked
MEMORY_KIB, PASSES, LANES = 19 * 1024, 2, 1  # OWASP's advice for Argon2id

SCHEMA: Final = """
CREATE TABLE IF NOT EXISTS people (
    name TEXT PRIMARY KEY,
    role TEXT NOT NULL,
    reach TEXT NOT NULL, -- JSON: sites and entrances; none: every one
    password TEXT, -- what Argon2id makes of it; NULL: not set yet
    invite BLOB, -- hash of a one-time token with which a password can be set
    invited_until INTEGER NOT NULL DEFAULT 0 -- seconds since 1970, UTC; so are all times here
);
CREATE TABLE IF NOT EXISTS sessions (
    mark BLOB PRIMARY KEY, -- hash of what the browser holds
    name TEXT NOT NULL,
    form TEXT NOT NULL, -- what a form of this session must carry
    until INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS tokens (
    mark BLOB PRIMARY KEY, -- hash of what the program holds
    name TEXT NOT NULL,
    label TEXT NOT NULL,
    made_at INTEGER NOT NULL
);
CREATE TABLE IF NOT EXISTS subjects ( -- who somebody is to an identity provider
    issuer TEXT NOT NULL,
    subject TEXT NOT NULL,
    name TEXT NOT NULL UNIQUE,
    granted INTEGER NOT NULL, -- 1: by a group over there, and gone with it; 0: added here by hand
    PRIMARY KEY (issuer, subject)
);
CREATE TABLE IF NOT EXISTS hints ( -- what the identity provider is shown at the end of a session that it began
    mark BLOB PRIMARY KEY,
    hint TEXT NOT NULL
);
"""


class AccountError(RuntimeError):
    """An account that cannot be had; the text says what to do."""


class Session(NamedTuple):
    """Somebody who has signed in, and what each of their forms must carry."""

    person: Person
    form: str


class Accounts(Book):
    """People, sessions and tokens."""

    def __init__(self, path: Path) -> None:
        """Open or make it. Raise AccountError."""
        try:
            path.parent.mkdir(parents=True, exist_ok=True)
            super().__init__(path, SCHEMA)
        except (OSError, sqlite3.Error) as error:
            raise AccountError(f"{path}: cannot be used for accounts: {error}; see [store] path") from error

    @classmethod
    def beside(cls, database: str) -> Self:
        """Open the accounts that belong to a controller's database."""
        return cls(Path(database).with_name(FILE))

    # People

    def people(self) -> list[tuple[Person, bool]]:
        """Return everybody, and whether they have a password yet."""
        with self._turn:
            rows = self._db.execute("SELECT name, role, reach, password IS NOT NULL FROM people ORDER BY name")
            return [(_person(row), bool(row[3])) for row in rows]

    def person(self, name: str) -> Person | None:
        """Return somebody by name."""
        with self._turn:
            row = self._db.execute("SELECT name, role, reach FROM people WHERE name = ?", (name,)).fetchone()
        return None if row is None else _person(row)

    def add(self, person: Person) -> None:
        """Add somebody, or give them another role and reach."""
        with self._writing() as db:
            db.execute(
                "INSERT INTO people (name, role, reach) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET role = excluded.role, reach = excluded.reach",
                (person.name, person.role, json.dumps(person.reach)),
            )

    def invite(self, name: str, now: float) -> str:
        """Return a one-time token with which somebody sets a password; an earlier one is void. Raise AccountError."""
        token = secrets.token_urlsafe(12)
        with self._writing() as db:
            done = db.execute(
                "UPDATE people SET invite = ?, invited_until = ? WHERE name = ?",
                (_mark(token), int(now + INVITE_S), name),
            )
        if not done.rowcount:
            raise AccountError(f"nobody is called {name!r}; `menshen user list` shows who there is")
        return token

    def accept(self, name: str, token: str, password: str, now: float) -> bool:
        """Set a password by an invitation, which is used up; whoever was signed in as them no longer is."""
        kept = _hashed(password)
        with self._writing() as db:
            done = db.execute(
                "UPDATE people SET password = ?, invite = NULL, invited_until = 0"
                " WHERE name = ? AND invite = ? AND invited_until > ?",
                (kept, name, _mark(token), int(now)),
            )
            if done.rowcount:
                db.execute("DELETE FROM sessions WHERE name = ?", (name,))
        return done.rowcount == 1

    def remove(self, name: str) -> bool:
        """Let somebody in no more, nor any program in their name. False: nobody is called that."""
        with self._writing() as db:
            for table in ("sessions", "tokens", "subjects"):
                db.execute(f"DELETE FROM {table} WHERE name = ?", (name,))  # noqa: S608 names of our own
            return db.execute("DELETE FROM people WHERE name = ?", (name,)).rowcount == 1

    def known(self, name: str, password: str) -> Person | None:
        """Return whose name and password these are. It takes as long when nobody is called that."""
        with self._turn:
            row = self._db.execute("SELECT name, role, reach, password FROM people WHERE name = ?", (name,)).fetchone()
        good = _is(password, (row and row[3]) or NOBODY)
        return _person(row) if row and row[3] and good else None

    # Who has signed in

    def begin(self, person: Person, now: float, hint: str = "") -> str:
        """Begin a session and return what the browser is to hold; `hint` comes back when it ends."""
        token = secrets.token_urlsafe(32)
        with self._writing() as db:
            db.execute("DELETE FROM sessions WHERE until <= ?", (int(now),))
            row = (_mark(token), person.name, secrets.token_urlsafe(24), int(now + SESSION_S))
            db.execute("INSERT INTO sessions VALUES (?, ?, ?, ?)", row)
            db.execute("DELETE FROM hints WHERE mark NOT IN (SELECT mark FROM sessions)")
            if hint:
                db.execute("INSERT INTO hints VALUES (?, ?)", (_mark(token), hint))
        return token

    def session(self, token: str, now: float) -> Session | None:
        """Return the session a browser holds, with its person as they are now."""
        with self._turn:
            row = self._db.execute(
                "SELECT p.name, p.role, p.reach, s.form FROM sessions s JOIN people p ON p.name = s.name"
                " WHERE s.mark = ? AND s.until > ?",
                (_mark(token), int(now)),
            ).fetchone()
        return None if row is None else Session(_person(row), row[3])

    def end(self, token: str) -> str:
        """End a session and return its hint, if it has one."""
        with self._writing() as db:
            row = db.execute("SELECT hint FROM hints WHERE mark = ?", (_mark(token),)).fetchone()
            for table in ("sessions", "hints"):
                db.execute(f"DELETE FROM {table} WHERE mark = ?", (_mark(token),))  # noqa: S608 names of our own
        return row[0] if row else ""

    # Who is somebody to an identity provider

    def subjects(self) -> dict[str, str]:
        """Return who each of those is who can sign in so, by name."""
        with self._turn:
            return dict(self._db.execute("SELECT name, subject FROM subjects"))

    def bound(self, issuer: str, subject: str) -> tuple[Person, bool] | None:
        """Return whom an identity provider means, and whether a group over there let them in."""
        with self._turn:
            row = self._db.execute(
                "SELECT p.name, p.role, p.reach, s.granted FROM subjects s JOIN people p ON p.name = s.name"
                " WHERE s.issuer = ? AND s.subject = ?",
                (issuer, subject),
            ).fetchone()
        return None if row is None else (_person(row), bool(row[3]))

    def bind(self, name: str, issuer: str, subject: str) -> None:
        """Say who somebody is over there, or that they are nobody; a change ends their sessions. Raise AccountError."""
        with self._writing() as db:
            other = db.execute(
                "SELECT name FROM subjects WHERE issuer = ? AND subject = ? AND name != ?", (issuer, subject, name)
            ).fetchone()
            if other:
                raise AccountError(f"{subject!r} is {other[0]!r} already; `menshen user remove` that one first")
            changed = db.execute("DELETE FROM subjects WHERE name = ? AND subject != ?", (name, subject)).rowcount
            if changed:
                db.execute("DELETE FROM sessions WHERE name = ?", (name,))
            if subject:
                row = (issuer, subject, name)
                db.execute("INSERT OR REPLACE INTO subjects (issuer, subject, name, granted) VALUES (?, ?, ?, 0)", row)

    def adopt(self, name: str, issuer: str, subject: str) -> Person | None:
        """Bind somebody who was added by name only, once; None: there is nobody, or they are somebody over there."""
        with self._writing() as db:
            db.execute(
                "INSERT OR IGNORE INTO subjects (issuer, subject, name, granted) SELECT ?, ?, name, 0 FROM people"
                " WHERE name = ?",
                (issuer, subject, name),
            )
        found = self.bound(issuer, subject)
        return found[0] if found and found[0].name == name else None

    def grant(self, person: Person, issuer: str, subject: str) -> bool:
        """Let somebody in by a group over there, as what it says now. False: the name is somebody else's."""
        with self._writing() as db:
            mine = db.execute(
                "SELECT 1 FROM subjects WHERE issuer = ? AND subject = ? AND name = ? AND granted = 1",
                (issuer, subject, person.name),
            ).fetchone()
            if not mine:
                if db.execute("SELECT 1 FROM people WHERE name = ?", (person.name,)).fetchone():
                    return False
                db.execute("INSERT INTO subjects VALUES (?, ?, ?, 1)", (issuer, subject, person.name))
            db.execute(
                "INSERT INTO people (name, role, reach) VALUES (?, ?, ?)"
                " ON CONFLICT (name) DO UPDATE SET role = excluded.role, reach = excluded.reach",
                (person.name, person.role, json.dumps(person.reach)),
            )
        return True

    # Programs

    def token(self, name: str, label: str, now: float) -> str:
        """Return a token with which a program asks in somebody's name, shown this once. Raise AccountError."""
        if self.person(name) is None:
            raise AccountError(f"nobody is called {name!r}; `menshen user list` shows who there is")
        token = secrets.token_urlsafe(32)
        with self._writing() as db:
            db.execute("INSERT INTO tokens VALUES (?, ?, ?, ?)", (_mark(token), name, label, int(now)))
        return token

    def bearer(self, token: str) -> Person | None:
        """Return in whose name a program asks."""
        with self._turn:
            row = self._db.execute(
                "SELECT p.name, p.role, p.reach FROM tokens t JOIN people p ON p.name = t.name WHERE t.mark = ?",
                (_mark(token),),
            ).fetchone()
        return None if row is None else _person(row)


def can_be_called(name: str) -> bool:
    """Tell whether alerts and commands could carry this name."""
    return bool(NAME.fullmatch(name)) and name.isprintable() and name == name.strip()


def _person(row: tuple[str, Role, str]) -> Person:
    return Person(name=row[0], role=row[1], reach=tuple(json.loads(row[2])))


def _mark(token: str) -> bytes:
    return hashlib.sha256(token.encode(errors="replace")).digest()


def _hashed(password: str) -> str:
    if not SHORTEST <= len(password) <= LONGEST:
        raise AccountError(f"a password has {SHORTEST} to {LONGEST} characters")
    with AT_ONCE:
        return _argon().derive_phc_encoded(password.encode(errors="replace"))


def _is(password: str, kept: str) -> bool:
    with AT_ONCE:
        try:
            Argon2id.verify_phc_encoded(password[:LONGEST].encode(errors="replace"), kept)
        except InvalidKey:
            return False
    return True


def _argon() -> Argon2id:
    return Argon2id(salt=os.urandom(16), length=32, iterations=PASSES, lanes=LANES, memory_cost=MEMORY_KIB)


NOBODY: Final = _argon().derive_phc_encoded(os.urandom(16))
