"""Everything under fire at once: what a gate kept is in the controller's database once, whole and in order."""

from __future__ import annotations

import asyncio
import shutil
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest

from tests.fire import chaos
from tests.fire.found import Found, find

AGAIN = """
INSERT INTO events
    SELECT spool_id, (SELECT max(seq) + 1 FROM events WHERE spool_id = 1), entrance_id, kind, event_type, at,
    received_at, boot, mono, clock, payload FROM events WHERE seq = 7 AND spool_id = 1
"""


@pytest.fixture(scope="module")
def run(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, chaos.Outcome]:
    """One short run: three gates, and faults until each has kept 300 events."""
    folder = tmp_path_factory.mktemp("chaos")
    return folder, asyncio.run(chaos.run(folder, gates=3, events=300, seed=1))


def test_nothing_is_lost_doubled_or_disordered_under_fire(run: tuple[Path, chaos.Outcome]) -> None:
    _, outcome = run
    print(outcome)
    assert outcome.faults.total() >= 5
    assert outcome.found.accepted >= 900
    assert outcome.found == Found(outcome.found.accepted, lost=0, doubled=0, disordered=0, changed=0)


@pytest.mark.parametrize(
    ("harm", "found"),
    [
        ("DELETE FROM events WHERE seq = 7 AND spool_id = 1", "lost disordered"),
        ("UPDATE events SET payload = replace(payload, 'refuse', 'grant') WHERE seq = 7", "changed"),
        ("UPDATE events SET rowid = -1 WHERE seq = 7 AND spool_id = 1", "disordered"),
        (AGAIN, "doubled"),
    ],
)
def test_what_is_wrong_with_a_database_is_found(
    run: tuple[Path, chaos.Outcome], harm: str, found: str, tmp_path: Path
) -> None:
    folder = shutil.copytree(run[0], tmp_path / "harmed")
    with closing(sqlite3.connect(folder / "controller.db")) as db, db:
        db.execute(harm)
    harmed = find(folder)
    assert {name for name, count in harmed._asdict().items() if count and name != "accepted"} == set(found.split())
    assert not harmed.whole
