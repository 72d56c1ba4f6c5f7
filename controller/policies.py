"""What the gates are to trust, and the passes that were issued: the part of the store that `menshen pass` writes."""

from __future__ import annotations

import json
import time
from contextlib import AbstractContextManager
from datetime import datetime
from typing import Any

import msgspec
from msgspec import Struct
from sqlite_utils import Database

from controller.database import now, stamp, transaction
from device.codes.trust import Trust
from device.wire.hours import Expected
from device.wire.messages import Admission, Desired, PassKind, Scheme, TrustedKey, TrustList


class Pass(Struct, frozen=True, kw_only=True):
    """A pass that was issued here."""

    cti: str  # its id, hex
    kind: PassKind
    subject: str
    places: tuple[str, ...]
    not_before: int | None  # seconds since 1970, UTC
    not_after: int | None
    rotating: bool = False
    uses: int = 0  # how often it admits; 0: always
    people: int = 1
    issued_at: datetime
    revoked_at: datetime | None = None


class Policies:
    """Tables policies, issuer_keys, revocations, listed_codes, trust_lists, admissions, roster and passes."""

    db: Database

    def transaction(self) -> AbstractContextManager[None]:
        """Return a block that is written whole or not at all."""
        return transaction(self.db)

    def version(self) -> int:
        """Return the version of what the gates are to hold; 0: nothing was ever desired."""
        return int(self.db.execute("SELECT version FROM policies").fetchone()[0])

    def desired(self) -> Desired:
        """Return what the gates are to hold."""
        changed_at = self.db.execute("SELECT changed_at FROM policies").fetchone()[0]
        return Desired(
            version=self.version(),
            issued_at=changed_at and datetime.fromisoformat(changed_at),
            keys=tuple(TrustedKey(*row) for row in self.db.execute("SELECT key, public FROM issuer_keys ORDER BY key")),
            revoked=tuple(cti for (cti,) in self.db.execute("SELECT cti FROM revocations ORDER BY cti")),
            listed=tuple(code for (code,) in self.db.execute("SELECT hash FROM listed_codes ORDER BY hash")),
            lists=tuple(self.trust_lists()),
            admit=tuple(self.admissions().values()),
            roster=tuple(self.roster().values()),
        )

    def trust_lists(self) -> list[TrustList]:
        """Return what is believed of the codes of others."""
        rows = self.db.execute("SELECT list FROM trust_lists ORDER BY scheme, name")
        return [msgspec.json.decode(text, type=TrustList) for (text,) in rows]

    def admissions(self) -> dict[int, Admission]:
        """Return by their numbers which codes of others admit, the first that counts first."""
        rows = self.db.execute("SELECT id, admission FROM admissions ORDER BY id")
        return {number: msgspec.json.decode(text, type=Admission) for number, text in rows}

    def trust_list(self, each: TrustList) -> None:
        """Let the gates believe a list, instead of an older one of its name. Raise TrustError naming a wrong entry."""
        self._desire(
            "INSERT INTO trust_lists VALUES (:scheme, :name, :list, :at)"
            " ON CONFLICT DO UPDATE SET list = excluded.list, added_at = excluded.added_at",
            scheme=each.scheme,
            name=each.name,
            list=msgspec.json.encode(each).decode(),
        )

    def distrust_list(self, scheme: Scheme, name: str) -> bool:
        """Let the gates no longer believe a list; False where there is none of this name."""
        return bool(
            self._desire("DELETE FROM trust_lists WHERE (scheme, name) = (:scheme, :name)", scheme=scheme, name=name)
        )

    def admit(self, admission: Admission) -> bool:
        """Let genuine codes admit, behind all that do so already; False where they do. Raise TrustError."""
        written = msgspec.json.encode(admission).decode()
        return bool(self._desire("INSERT OR IGNORE INTO admissions VALUES (NULL, :admission, :at)", admission=written))

    def withdraw(self, number: int) -> bool:
        """Let them no longer admit; False where nothing has this number."""
        return bool(self._desire("DELETE FROM admissions WHERE id = :number", number=number))

    def roster(self) -> dict[int, Expected]:
        """Return by their numbers which guards are expected where and when."""
        rows = self.db.execute("SELECT id, expected FROM roster ORDER BY id")
        return {number: msgspec.json.decode(text, type=Expected) for number, text in rows}

    def expect(self, expected: Expected) -> bool:
        """Let the gates expect a guard; False where they do."""
        written = msgspec.json.encode(expected).decode()
        return bool(self._desire("INSERT OR IGNORE INTO roster VALUES (NULL, :expected, :at)", expected=written))

    def expect_no_longer(self, number: int) -> bool:
        """Let the gates expect a guard no longer; False where nothing has this number."""
        return bool(self._desire("DELETE FROM roster WHERE id = :number", number=number))

    def trust_key(self, key: TrustedKey) -> None:
        """Let the gates believe an issuer. Raise TrustError for what no gate would take."""
        self._desire("INSERT OR IGNORE INTO issuer_keys VALUES (:key, :public, :at)", key=key.key, public=key.public)

    def revoke(self, cti: str, reason: str = "") -> None:
        """Let the gates turn a pass away, issued here or not. Raise TrustError where it is no pass id."""
        self._desire(
            "INSERT OR IGNORE INTO revocations VALUES (:cti, :at, :reason)",
            "UPDATE passes SET revoked_at = :at WHERE cti = :cti AND revoked_at IS NULL",
            cti=cti,
            reason=reason,
        )

    def revocation(self, cti: str) -> tuple[datetime, str] | None:
        """Return when and why a pass was revoked; None where it was not."""
        row = self.db.execute("SELECT revoked_at, reason FROM revocations WHERE cti = ?", (cti,)).fetchone()
        return row and (datetime.fromisoformat(row[0]), str(row[1]))

    def list_code(self, *codes: str) -> int:
        """Let the gates admit plain codes, given by their keyed hashes; return how many are new to the list.

        Raise TrustError where one is no keyed hash.
        """
        return self._desire(
            "INSERT OR IGNORE INTO listed_codes SELECT value, :at FROM json_each(:codes)", codes=json.dumps(codes)
        )

    def unlist_code(self, *codes: str) -> int:
        """Let the gates no longer admit plain codes; return how many were on the list."""
        return self._desire(
            "DELETE FROM listed_codes WHERE hash IN (SELECT value FROM json_each(:codes))", codes=json.dumps(codes)
        )

    def _desire(self, *statements: str, **values: str | int) -> int:
        """Change what is desired, and its version where rows changed; return how many.

        A gate takes a policy whole, so one bad entry would block all: none is let in.
        A version is at least the second it was made in: a new database never starts below what gates hold already.
        """
        with self.transaction():
            changed = [self.db.execute(each, {**values, "at": stamp(now())}).rowcount for each in statements]
            if any(changed):
                self.db.execute(
                    "UPDATE policies SET version = max(version + 1, ?), changed_at = ?",
                    (int(time.time()), stamp(now())),
                )
                Trust.from_policy(self.desired(), site_key=b"")
        return sum(changed)

    def record_pass(self, issued: Pass) -> None:
        """Keep what was issued, once."""
        columns = msgspec.structs.asdict(issued) | {
            "places": json.dumps(issued.places),
            "issued_at": stamp(issued.issued_at),
            "revoked_at": issued.revoked_at and stamp(issued.revoked_at),
        }
        self.db.table("passes").insert(columns, pk="cti", ignore=True)

    def pass_(self, cti: str) -> Pass | None:
        """Return a pass issued here; None where there is none with this id."""
        row = next(self.db.query("SELECT * FROM passes WHERE cti = ?", [cti]), None)
        return _pass(row) if row else None

    def passes(self) -> list[Pass]:
        """Return the passes issued here, the newest first."""
        return [_pass(row) for row in self.db.query("SELECT * FROM passes ORDER BY issued_at DESC, rowid DESC")]


def _pass(row: dict[str, Any]) -> Pass:
    return msgspec.convert({**row, "places": json.loads(row["places"])}, Pass, strict=False)
