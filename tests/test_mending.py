"""Times that a gate stamped before it knew the time: mended once it does, by the monotonic clock between."""

from __future__ import annotations

import json
import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Final

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlite_utils import Database

from controller.config import RulesSection
from controller.database import now, stamp
from controller.intake import Intake
from controller.quarantine import Quarantine
from controller.schema import migrations
from controller.store import Store
from device.wire.link import Heard
from device.wire.messages import KIND_OF, AnyEvent, Duty, Place, Scan, encode
from menshen import main
from tests.bystanders import PLACE, WHEN, scan, state

TRUE: Final = WHEN.timestamp()
SPELL_S: Final = 4 * 3600.0  # in which a crystal that is wrong by 20 ppm is wrong by 0.3 s
CRYSTAL: Final = 2e-5


@pytest.fixture
def store(tmp_path: Path) -> Iterator[Store]:
    with Store(tmp_path / "controller.db") as opened:
        yield opened


def moment(seconds: float) -> datetime:
    return datetime.fromtimestamp(round(seconds, 3), tz=UTC)


def hear(store: Store, *events: AnyEvent, place: Place = PLACE) -> None:
    """Take a batch in."""
    with store.transaction():
        intake = Intake(store, Quarantine(store), rules=RulesSection(), at=now())
        for event in events:
            intake.hear(Heard(topic=place.topic(KIND_OF[type(event)]), payload=encode(event)))
        intake.keep()


def shown(store: Store) -> list[tuple[int, str, str]]:
    return [tuple(row) for row in store.db.execute("SELECT seq, at, clock FROM timeline ORDER BY arrival")]


def test_what_came_before_is_mended_and_what_came_is_kept(store: Store) -> None:
    hear(store, scan(1, at=moment(5), mono=5.0, clock="unset"))
    assert shown(store) == [(1, "1970-01-01T00:00:05.000Z", "unset")]
    mended = [(1, stamp(WHEN - timedelta(seconds=55)), "mended"), (2, stamp(WHEN), "synced")]
    for _ in range(2):
        hear(store, scan(2, mono=60.0))
        assert shown(store) == mended
    row = store.db.execute("SELECT at, clock, json_extract(payload, '$.at') FROM events WHERE seq = 1").fetchone()
    assert row == ("1970-01-01T00:00:05.000Z", "unset", "1970-01-01T00:00:05Z")


def test_only_the_same_gate_and_start_tells_the_time(store: Store) -> None:
    unset: dict[str, Any] = {"at": moment(5), "mono": 5.0, "clock": "unset"}
    hear(store, scan(1, **unset), scan(2, boot="b1"), scan(3, boot="b2", **unset), scan(4, clock="holdover"))
    hear(store, scan(1), place=Place("expo", "south"))
    assert [clock for _, _, clock in shown(store)] == ["unset", "synced", "unset", "holdover", "synced"]


def test_a_clock_that_is_unsure_later_is_mended_as_well(store: Store) -> None:
    hear(store, scan(1, mono=10.0), scan(2, at=WHEN + timedelta(days=40), mono=70.5, clock="unset"))
    assert shown(store)[1] == (2, stamp(WHEN + timedelta(seconds=60.5)), "mended")


def test_since_when_a_guard_was_missed_is_mended_too(store: Store) -> None:
    duty: dict[str, Any] = {"spool": "a1b2c3", "boot": "b0", "event_type": "unstaffed"}
    hear(
        store,
        Duty(seq=1, at=moment(200), since=moment(80), mono=200.0, clock="unset", **duty),
        Duty(seq=2, at=WHEN, since=WHEN - timedelta(seconds=9), mono=300.0, clock="synced", **duty),
    )
    rows = store.db.execute("SELECT at, since FROM duties ORDER BY seq").fetchall()
    assert rows[0] == (stamp(WHEN - timedelta(seconds=100)), stamp(WHEN - timedelta(seconds=220)))
    assert [datetime.fromisoformat(time) for time in rows[1]] == [WHEN, WHEN - timedelta(seconds=9)]


@pytest.mark.parametrize("mono", [-1.0, 1e10, 1e300])
def test_nobody_makes_a_time_that_no_calendar_has(store: Store, mono: float) -> None:
    hear(store, scan(1, at=moment(5), mono=5.0, clock="unset"), scan(2, mono=mono), scan(2))
    assert shown(store) == [(1, stamp(WHEN + timedelta(seconds=3.5)), "mended"), (2, stamp(WHEN), "synced")]
    assert store.db.execute("SELECT count(*) FROM quarantine").fetchone() == (1,)


def test_an_older_database_is_mended_when_it_is_brought_forward(tmp_path: Path) -> None:
    with Store(tmp_path / "new.db") as new:
        hear(new, scan(1, at=moment(5), mono=5.0, clock="unset"), scan(2, mono=60.0), scan(3, mono=61.5))
        wanted, rows = shown(new), new.db.execute("SELECT * FROM events").fetchall()
    path = tmp_path / "old.db"
    with closing(sqlite3.connect(path)) as connection, Database(connection) as old, connection:
        migrations.apply(old, stop_before="mend")
        old.execute("INSERT INTO entrances (site, name) VALUES ('expo', 'north')")
        old.execute("INSERT INTO spools (entrance_id, spool, begun_at) VALUES (1, 'a1b2c3', '')")
        old.conn.executemany("INSERT INTO events VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?)", rows)
    with Store(path) as brought:
        assert shown(brought) == wanted


@pytest.fixture(scope="module")
def lasting(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Store]:
    with Store(tmp_path_factory.mktemp("mended") / "controller.db") as store:
        yield store


SPELLS = st.lists(
    st.tuples(st.floats(0.01, SPELL_S / 12), st.sampled_from(["unset", "unset", "holdover", "synced"])), max_size=12
)


@settings(max_examples=40, suppress_health_check=[HealthCheck.too_slow], deadline=None)
@given(st.lists(SPELLS, min_size=1, max_size=4), st.floats(-CRYSTAL, CRYSTAL), st.integers(1, 9))
def test_a_mended_time_is_right_to_a_second(
    lasting: Store, boots: list[list[tuple[float, str]]], fast: float, batch: int
) -> None:
    """A clock that NTP has checked is right to 0.1 s; whatever else it says is nonsense."""
    lasting.db.execute("DELETE FROM events")
    lasting.db.execute("DELETE FROM boots")
    lasting.db.execute("UPDATE spools SET committed_seq = 0")
    events: list[Scan] = []
    truths: list[tuple[float, bool]] = []
    true = TRUE
    for boot, spells in enumerate(boots):
        mono = 4.0
        for seconds, clock in spells:
            true, mono = true + seconds, mono + seconds * (1 + fast)
            stamped = moment(1e6 + mono) if clock == "unset" else moment(true + 0.1)
            events.append(scan(len(events) + 1, boot=f"b{boot}", at=stamped, mono=round(mono, 3), clock=clock))
            truths.append((true, any(clock == "synced" for _, clock in spells)))
    for first in range(0, len(events), batch):
        hear(lasting, *events[first : first + batch])
    rows = shown(lasting)
    assert [seq for seq, _, _ in rows] == list(range(1, len(events) + 1)), "order comes from seq"
    for (_, at, clock), event, (true, told) in zip(rows, events, truths, strict=True):
        assert clock == ("mended" if told and event.clock == "unset" else event.clock)
        assert clock == "unset" or abs(datetime.fromisoformat(at).timestamp() - true) <= 1


def test_events_say_that_a_time_was_mended(tmp_path: Path, store: Store) -> None:
    hear(store, scan(1, at=moment(5), mono=5.0, clock="unset"), scan(2, boot="b1", at=moment(7), clock="unset"))
    hear(store, scan(3, mono=60.0))
    config = tmp_path / "controller.toml"
    config.write_text(f'[store]\npath = "{tmp_path / "controller.db"}"\n')

    def said(*words: str) -> str:
        done = CliRunner().invoke(main, ["events", *words, "--config", str(config)])
        assert done.exit_code == 0, done.output
        return done.output

    english = said("--lang", "en")
    assert english.count("time mended") == english.count("clock unsure") == 1
    assert "时间已校正" in said("--lang", "zh")
    rows = json.loads(said("--json"))
    assert [row["clock"] for row in rows] == ["synced", "unset", "mended"]
    assert rows[2]["at"] == stamp(WHEN - timedelta(seconds=55))
    assert rows[2]["payload"]["at"] == "1970-01-01T00:00:05Z"


def test_since_when_a_clock_is_unsure_is_the_controllers_to_say(store: Store) -> None:
    def say(clock: str, at: datetime) -> datetime | None:
        with store.transaction():
            intake = Intake(store, Quarantine(store), rules=RulesSection(), at=at)
            intake.hear(Heard(topic=PLACE.topic("state"), payload=encode(state(clock=clock, at=moment(3)))))
            intake.keep()
        (facts,) = store.facts(at).values()
        return facts.clock_unsure_since

    assert say("synced", WHEN) is None
    assert say("unset", WHEN + timedelta(seconds=10)) == WHEN + timedelta(seconds=10)
    assert say("unset", WHEN + timedelta(seconds=20)) == WHEN + timedelta(seconds=10)
    assert say("holdover", WHEN + timedelta(seconds=30)) is None
