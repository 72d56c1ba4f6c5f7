"""Histories of a desk that is killed again and again, beside one that is not: both end with the same.

The long form: see docs/reliability.md.
"""

from __future__ import annotations

import os
import shutil
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, Phase, example, given, settings
from hypothesis import strategies as st

from controller.alarms import AlertError
from controller.journal import TOPIC as JOURNAL
from controller.journal import broken
from controller.rules import RULES
from controller.store import Store
from device.wire.messages import encode
from tests.mortal import ACTS, PLACES, Act, World, timeless

HISTORIES: Final = int(os.environ.get("MENSHEN_HISTORIES", "150"))


@pytest.fixture(scope="module")
def fresh(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("histories") / "fresh.db"
    with Store(path) as store:
        for place in PLACES[:2]:
            store.register(place)
        store.db.execute("UPDATE entrances SET registered_at = ?", ["2026-11-24T01:15:02.120Z"])
        store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    return path


@pytest.fixture(scope="module")
def lived() -> Iterator[Counter[str]]:
    """Count what was lived through, and say it at the end."""
    counted: Counter[str] = Counter()
    yield counted
    kinds = sorted(name for name in counted if name in RULES)
    told = ", ".join(
        f"{counted[name]} {name}" for name in ("histories", "acts", "kills", "events", "alerts", "changes")
    )
    print(f"\n{told} in the journal; {len(kinds)} of {len(RULES)} kinds: {', '.join(kinds)}")


@contextmanager
def two_worlds(fresh: Path) -> Iterator[tuple[World, World]]:
    """Begin twice with the same."""
    worlds = []
    for name in ("whole", "killed"):
        path = fresh.with_name(f"{name}.db")
        for each in fresh.parent.glob(f"{name}.db*"):
            each.unlink()
        shutil.copy(fresh, path)
        worlds.append(World(path))
    try:
        yield worlds[0], worlds[1]
    finally:
        for world in worlds:
            world.close()


def live(world: World, act: Act, *, mortal: bool) -> None:
    try:
        world.live(act, mortal=mortal)
    except AlertError:
        raise AssertionError("what is open can be acted on") from None
    if world.desk:
        assert timeless(world.shown()) == timeless(world.open().values()), "what is retained is what is open"


def learned_the_same(whole: World, killed: World) -> None:
    learned = killed.meanings()
    for topic, meanings in whole.meanings().items():
        later = iter(learned[topic])
        assert all(each in later for each in meanings), "what is learned is learned in the same order"
    for meanings in learned.values():
        ids = [each.id for each in meanings if each]
        assert ids == sorted(ids), "what was taken back does not return"


@settings(
    max_examples=HISTORIES,
    phases=(Phase.explicit, Phase.reuse, Phase.generate),  # making a failure smaller takes minutes, and it is short
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.function_scoped_fixture],
)
@given(st.lists(ACTS, min_size=1, max_size=14))
@example(  # the machine's start was known when what it said of long ago came in
    [
        Act(0, 5, "good", 1), Act(0, 5, "late", 4), Act(0, 5, "late", 4, kill="after"), Act(0, 130, "nothing", 0),
        Act(1, 130, "wrong", 0),
    ]
)  # fmt: skip
@example(  # what was long over is recent again
    [Act(0, 5, "wrong", 1), Act(1, 90_000, "wrong", 0, kill="after"), Act(1, -90_000, "wrong", 1)]
)
@example([Act(0, 5, "walk", 0), Act(0, 5, "walk", 0), Act(0, 40, "nothing", 0, kill="after")])  # too many are inside
def test_a_desk_that_is_killed_anywhere_has_the_same_open_alerts(
    fresh: Path, lived: Counter[str], history: list[Act]
) -> None:
    with two_worlds(fresh) as (whole, killed):
        for act in history:
            live(whole, act, mortal=False)
            live(killed, act, mortal=True)
            assert not killed.desk or killed.open() == whole.open()
        for world in (whole, killed):
            world.rest()
        assert killed.open() == whole.open()
        learned_the_same(whole, killed)
        rows = killed.rows()
        assert rows == whole.rows(), "nothing in the database is lost, doubled or later"
        assert not broken(killed.store.journal())
        assert killed.retained.get(JOURNAL) == encode(killed.store.journal_head())
        lived.update(histories=1, acts=len(history), kills=killed.kills, events=len(rows["events"]))
        lived.update(alerts=len(rows["alerts"]), changes=len(rows["journal"]))
        lived.update(killed.kinds())
