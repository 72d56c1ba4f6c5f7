"""What gates kept, held against what the controller has in its database."""

from __future__ import annotations

import json
import sqlite3
from collections import Counter
from contextlib import closing
from hashlib import sha256
from pathlib import Path
from typing import Any, NamedTuple

EVENTS = (
    "SELECT n.name, s.spool, e.seq, e.payload FROM events e JOIN spools s ON s.id = e.spool_id"
    " JOIN entrances n ON n.id = e.entrance_id ORDER BY e.rowid"
)

Kept = dict[tuple[str, str, int], str]  # entrance, spool and seq -> digest of the payload


class Found(NamedTuple):
    """What a controller has of what gates kept."""

    accepted: int
    lost: int
    doubled: int
    disordered: int
    changed: int

    @property
    def whole(self) -> bool:
        """Whether every promise was kept."""
        return self.accepted > 0 and not any(self[1:])

    def __str__(self) -> str:
        return (
            f"{self.accepted} accepted: {self.lost} lost, {self.doubled} doubled, {self.disordered} out of order, "
            f"{self.changed} changed"
        )


def kept(folder: Path) -> Kept:
    """Return what the gates noted, each in its .kept file."""
    noted = {}
    for path in folder.glob("*.kept"):
        for line in path.read_text(encoding="ascii").splitlines():
            spool, seq, digest = line.split()
            noted[path.stem, spool, int(seq)] = digest
    return noted


def rows(folder: Path, sql: str) -> list[tuple[Any, ...]]:
    """Ask the controller's database as any other program would."""
    with closing(sqlite3.connect(f"file:{folder / 'controller.db'}?mode=ro", uri=True, timeout=10)) as db:
        return db.execute(sql).fetchall()


def settled(folder: Path) -> bool:
    """Tell whether the controller has come as far as every gate."""
    goal = Counter[tuple[str, str]]()
    for entrance, spool, seq in kept(folder):
        goal[entrance, spool] = max(goal[entrance, spool], seq)
    sql = "SELECT n.name, s.spool, s.committed_seq FROM spools s JOIN entrances n ON n.id = s.entrance_id"
    reached = {(entrance, spool): seq for entrance, spool, seq in rows(folder, sql)}
    return all(reached.get(key, 0) >= seq for key, seq in goal.items())


def find(folder: Path) -> Found:
    """Hold one against the other. What no gate noted is looked at as well: it may have been killed just before."""
    noted, events = kept(folder), rows(folder, EVENTS)
    stored = {(entrance, spool, seq): sha256(payload.encode()).hexdigest() for entrance, spool, seq, payload in events}
    last, disordered = Counter[tuple[str, str]](), 0
    for entrance, spool, seq, _ in events:
        disordered += seq != last[entrance, spool] + 1
        last[entrance, spool] = seq
    said = Counter(_but_seq(payload) for *_, payload in events)
    return Found(
        accepted=len(noted),
        lost=sum(key not in stored for key in noted),
        doubled=len(events) - len(stored) + sum(count - 1 for count in said.values()),
        disordered=disordered,
        changed=sum(stored.get(key, digest) != digest for key, digest in noted.items()),
    )


def _but_seq(payload: str) -> str:
    """Return what happened, without the number it was given: the same may not have been kept twice."""
    event = json.loads(payload)
    del event["seq"]
    return json.dumps(event, sort_keys=True)
