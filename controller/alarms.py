"""The alerts that are open and were, who took them on, and what is silenced: the part of the store people act on.

Whatever changes an alert's life is written into the journal in the same transaction. That an open alert counts one more
is no change of its life, and stands in the events.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Iterable
from datetime import datetime, timedelta
from typing import Any, Final

from controller.alerts import Changes, Dismissed, Key, Silence, worse
from controller.database import among, now, stamp
from controller.gazetteer import Gazetteer
from controller.journal import Entry, Head, Journal
from device.wire.messages import Alert, Place, Text

LONGEST_NAME: Final = 64  # characters of who did it
LONGEST_NOTE: Final = 500
LONGEST_SILENCE: Final = timedelta(days=90)


class AlertError(ValueError):
    """An alert or silence with which this cannot be done; the text names the fix."""


class Alarms(Gazetteer):
    """Tables alerts, silences and journal."""

    # What people do. A running desk notices it at its next tick.

    def acknowledge(self, alert_id: int, by: str, note: str = "", *, at: datetime | None = None) -> None:
        """Take an open alert on: it is somebody's now, and is not escalated. Raise AlertError."""
        _check(by, note)
        with self.transaction():
            alert, at = self._open(alert_id), at or now()
            self.db.execute(
                "UPDATE alerts SET acknowledged_at = ?, acknowledged_by = ?, note = ?, updated = ? WHERE id = ?",
                (stamp(at), by, note, stamp(at), alert_id),
            )
            self._tell(at, by, "acknowledged", alert, noted=bool(note))

    def resolve(self, alert_id: int, by: str, note: str = "", *, at: datetime | None = None) -> None:
        """End an open alert by hand. It is raised again when there is more of it, or when it is true for long."""
        _check(by, note)
        with self.transaction():
            alert, at = self._open(alert_id), at or now()
            self.db.execute(
                "UPDATE alerts SET state = 'resolved', resolution = 'by_hand', resolved_at = :at, updated = :at,"
                " resolved_by = :by, note = iif(:note = '', note, :note), dismissed = 1 WHERE id = :id",
                {"at": stamp(at), "by": by, "note": note, "id": alert_id},
            )
            self._tell(at, by, "resolved", alert, how="by_hand", noted=bool(note))

    def silence(
        self,
        by: str,
        reason: str,
        until: datetime,
        *,
        kind: str = "",
        site: str = "",
        entrance: str = "",
        region: str = "",
        at: datetime | None = None,
    ) -> int:
        """Let nobody be called about these alerts until then, and return the silence's id.

        Raise AlertError, or RegionError for a region that is none.

        They are raised and shown all the same, with until when they are silenced.
        """
        _check(by, reason)
        at = at or now()
        if not reason.strip():
            raise AlertError("a silence needs a reason: somebody will ask")
        if not (kind or site or region):
            raise AlertError("say what to silence: a kind, a region, a site or an entrance")
        if region and site:
            raise AlertError("a region, or a site or entrance, not both: a site lies in one region at most")
        self.known_regions([region] if region else [])
        if entrance and not site:
            raise AlertError("an entrance is named with its site, as SITE/ENTRANCE")
        if not at < until <= at + LONGEST_SILENCE:
            raise AlertError(f"a silence ends within {LONGEST_SILENCE.days} days, and not in the past")
        with self.transaction():
            row = self.db.execute(
                "INSERT INTO silences (kind, site, entrance, until, reason, by, at, region)"
                " VALUES (?, ?, ?, ?, ?, ?, ?, ?)",
                (kind, site, entrance, stamp(until), reason, by, stamp(at), region),
            )
            number = int(row.lastrowid or 0)
            self._silenced(at, by, "silenced", number)
        return number

    def end_silence(self, silence_id: int, by: str, *, at: datetime | None = None) -> None:
        """End a silence before its time. Raise AlertError where it is over, or never was."""
        _check(by, "")
        with self.transaction():
            at = at or now()
            ended = self.db.execute(
                "UPDATE silences SET until = :at WHERE id = :id AND until > :at", {"at": stamp(at), "id": silence_id}
            )
            if not ended.rowcount:
                raise AlertError(f"no silence {silence_id} is in force: see `menshen alerts silence list`")
            self._silenced(at, by, "silence_ended", silence_id)

    def silences(self, at: datetime | None = None) -> list[dict[str, Any]]:
        """Return every silence, the newest first, or those in force at a time."""
        return list(
            self.db.query(
                "SELECT id, kind, site, entrance, until, reason, by, at, region FROM silences"
                " WHERE :at IS NULL OR until > :at ORDER BY id DESC",
                {"at": at and stamp(at)},
            )
        )

    def journal_entries(self, *, limit: int = 100, before: int | None = None) -> list[dict[str, Any]]:
        """Return entries of the journal, the newest first, `what` as a dict; `before` is a seq to go on from."""
        rows = self.db.query(
            "SELECT * FROM journal WHERE :before IS NULL OR seq < :before ORDER BY seq DESC LIMIT :limit",
            {"before": before, "limit": limit},
        )
        return [{**row, "what": json.loads(row["what"])} for row in rows]

    def journal(self) -> Iterable[Entry]:
        """Return the whole journal as it stands, the oldest entry first."""
        return Journal(self.db).all()

    def journal_head(self) -> Head:
        """Return where the journal ends."""
        return Journal(self.db).head()

    # What the desk does, in a transaction of its own

    def open_alerts(self, only: Collection[int] | None = None, *, at: datetime | None = None) -> dict[Key, Alert]:
        """Return the alerts that are open, everywhere or at some entrances, as they stand now or at a time."""
        silences = self._silences(at or now())
        lies = self.lies() if any(each.region for each in silences) else {}
        here, given = among("a.entrance_id", only)
        rows = self.db.query(
            "SELECT a.*, n.site, n.name FROM alerts a JOIN entrances n ON n.id = a.entrance_id"  # noqa: S608 our own words
            f" WHERE a.state = 'open' AND {here} ORDER BY a.since",
            given,
        )
        return {(row["entrance_id"], row["kind"]): _alert(row, silences, lies.get(row["site"], "")) for row in rows}

    def raised_at(self) -> dict[int, datetime]:
        """Return since when each open alert that nobody has taken on and that was not escalated waits, by its id."""
        rows = self.db.execute(
            "SELECT id, raised_at FROM alerts WHERE state = 'open' AND acknowledged_at IS NULL AND escalated_at IS NULL"
        )
        return {number: datetime.fromisoformat(at) for number, at in rows}

    def dismissed(self, only: Collection[int] | None = None) -> dict[Key, Dismissed]:
        """Return what was resolved by hand and has not been found to be over."""
        here, given = among("entrance_id", only)
        rows = self.db.execute(
            "SELECT entrance_id, kind, resolved_at, since, severity, count FROM alerts"  # noqa: S608 our own words
            f" WHERE dismissed AND {here} ORDER BY id",
            given,
        )
        return {
            (entrance, kind): Dismissed(datetime.fromisoformat(at), datetime.fromisoformat(since), severity, count)
            for entrance, kind, at, since, severity, count in rows
        }

    def alerts(
        self, *, place: Place | None, kind: str | None, only_open: bool, limit: int, region: str = ""
    ) -> list[dict[str, Any]]:
        """Return alerts open and past, the newest first; None asks for any."""
        return list(
            self.db.query(
                "SELECT a.id, n.site, n.name AS entrance, a.kind, a.state, a.severity, a.since, a.updated,"
                " a.resolved_at, a.resolution, a.count, a.what_zh, a.what_en, a.next_zh, a.next_en, a.raised_at,"
                " a.acknowledged_at, a.acknowledged_by, a.escalated_at, a.resolved_by, a.note"
                " FROM alerts a JOIN entrances n ON n.id = a.entrance_id WHERE (:site IS NULL OR n.site = :site)"
                " AND (:entrance IS NULL OR n.name = :entrance) AND (:kind IS NULL OR a.kind = :kind)"
                " AND (NOT :open OR a.state = 'open')"
                " AND (:sites IS NULL OR n.site IN (SELECT value FROM json_each(:sites)))"
                " ORDER BY a.since DESC, a.id DESC LIMIT :limit",
                {
                    "site": place and place.site, "entrance": place and place.entrance,
                    "kind": kind, "open": only_open, "limit": limit,
                    "sites": json.dumps(self.sites_within(region)) if region else None,
                },
            )
        )  # fmt: skip

    def save(self, changes: Changes, at: datetime) -> None:
        """Write down what was raised, changed and resolved."""
        for (entrance, kind), found in (changes.raised | changes.changed).items():
            before = self.db.execute(
                "SELECT severity FROM alerts WHERE entrance_id = ? AND kind = ? AND state = 'open'", (entrance, kind)
            ).fetchone()
            # What somebody took on was less than this: it is everybody's again.
            anew = before is not None and worse(before[0], found.severity)
            columns = {
                "severity": found.severity, "since": stamp(found.since), "updated": stamp(at), "count": found.count,
                "what_zh": found.what.zh, "what_en": found.what.en,
                "next_zh": found.next_step.zh, "next_en": found.next_step.en,
            }  # fmt: skip
            self.db.execute(
                "INSERT INTO alerts (entrance_id, kind, state, severity, since, updated, count,"
                " what_zh, what_en, next_zh, next_en, raised_at) VALUES (:entrance, :kind, 'open', :severity, :since,"
                " :updated, :count, :what_zh, :what_en, :next_zh, :next_en, :updated)"
                " ON CONFLICT (entrance_id, kind) WHERE state = 'open' DO UPDATE SET severity = excluded.severity,"
                " since = excluded.since, updated = excluded.updated, count = excluded.count,"
                " what_zh = excluded.what_zh, what_en = excluded.what_en,"
                " next_zh = excluded.next_zh, next_en = excluded.next_en,"
                " raised_at = iif(:anew, excluded.raised_at, raised_at),"
                " acknowledged_at = iif(:anew, NULL, acknowledged_at),"
                " acknowledged_by = iif(:anew, '', acknowledged_by), escalated_at = iif(:anew, NULL, escalated_at)",
                {"entrance": entrance, "kind": kind, "anew": anew, **columns},
            )
            if before is None or before[0] != found.severity:
                change = "raised" if before is None else "worse" if anew else "milder"
                self._tell(at, "", change, self._row(entrance, kind))
        for (entrance, kind), resolution in changes.resolved.items():
            alert = self._row(entrance, kind)
            self.db.execute(
                "UPDATE alerts SET state = 'resolved', resolved_at = :at, updated = :at, resolution = :resolution"
                " WHERE id = :id",
                {"at": stamp(at), "resolution": resolution, "id": alert["id"]},
            )
            self._tell(at, "", "resolved", alert, how=resolution)

    def escalate(self, alert_ids: Iterable[int], at: datetime) -> None:
        """Write down that nobody took these on in time."""
        for number in alert_ids:
            self.db.execute("UPDATE alerts SET escalated_at = :at, updated = :at WHERE id = :id",
                            {"at": stamp(at), "id": number})  # fmt: skip
            self._tell(at, "", "escalated", self._open(number))

    def forget_dismissals(self, keys: Iterable[Key]) -> None:
        """Let what was resolved by hand be raised again when it is found again."""
        for entrance, kind in keys:
            self.db.execute(
                "UPDATE alerts SET dismissed = 0 WHERE entrance_id = ? AND kind = ? AND dismissed", (entrance, kind)
            )

    def _row(self, entrance: int, kind: str) -> dict[str, Any]:
        (number,) = self.db.execute(
            "SELECT id FROM alerts WHERE entrance_id = ? AND kind = ? AND state = 'open'", (entrance, kind)
        ).fetchone()
        return self._open(number)

    def _open(self, alert_id: int) -> dict[str, Any]:
        found = next(
            self.db.query("SELECT a.*, n.site, n.name FROM alerts a JOIN entrances n ON n.id = a.entrance_id"
                          " WHERE a.id = ?", [alert_id]),
            None,
        )  # fmt: skip
        if found is None:
            raise AlertError(f"there is no alert {alert_id}: see `menshen alerts list`")
        if found["state"] != "open":
            raise AlertError(f"alert {alert_id} is resolved already, since {found['resolved_at']}")
        return found

    def _tell(self, at: datetime, who: str, change: str, alert: dict[str, Any], **more: Any) -> None:
        Journal(self.db).write(
            at, who, change=change, alert=alert["id"], kind=alert["kind"], entrance=f"{alert['site']}/{alert['name']}",
            severity=alert["severity"], since=alert["since"], count=alert["count"], **more,
        )  # fmt: skip

    def _silenced(self, at: datetime, who: str, change: str, number: int) -> None:
        row = next(self.db.query("SELECT id, kind, site, entrance, until, region FROM silences WHERE id = ?", [number]))
        where = {"region": row["region"]} if row["region"] else {}
        Journal(self.db).write(
            at, who, change=change, silence=row["id"], kind=row["kind"], site=row["site"], entrance=row["entrance"],
            until=row["until"], **where,
        )  # fmt: skip

    def _silences(self, at: datetime) -> list[Silence]:
        return [
            Silence(
                row["id"], row["kind"], row["site"], row["entrance"], datetime.fromisoformat(row["until"]),
                row["region"],
            )
            for row in self.silences(at)
        ]  # fmt: skip


def is_name(by: str) -> bool:
    """Tell whether the journal can show this as who did something."""
    return bool(by.strip()) and by.isprintable() and len(by) <= LONGEST_NAME


def _check(by: str, text: str) -> None:
    if not is_name(by):
        raise AlertError(f"say who it is, in 1 to {LONGEST_NAME} characters that print, such as 'guard 7'")
    if not text.isprintable() or len(text) > LONGEST_NOTE:
        raise AlertError(f"write it in at most {LONGEST_NOTE} characters that print, on one line")


def _alert(row: dict[str, Any], silences: Iterable[Silence], region: str) -> Alert:
    ends = [each.until for each in silences if each.covers(row["kind"], row["site"], row["name"], region)]
    return Alert(
        id=row["id"],
        kind=row["kind"],
        site=row["site"],
        entrance=row["name"],
        severity=row["severity"],
        since=datetime.fromisoformat(row["since"]),
        updated=datetime.fromisoformat(row["updated"]),
        count=row["count"],
        what=Text(row["what_zh"], row["what_en"]),
        next_step=Text(row["next_zh"], row["next_en"]),
        state="acknowledged" if row["acknowledged_at"] else "escalated" if row["escalated_at"] else "raised",
        acknowledged_by=row["acknowledged_by"],
        note=row["note"],
        escalated_at=row["escalated_at"] and datetime.fromisoformat(row["escalated_at"]),
        silenced_until=max(ends, default=None),
    )
