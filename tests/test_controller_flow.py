"""Who was let in twice, how many are inside, and what the gates of a site learn of each other."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from controller.broker import Broker
from controller.config import Capacity, Config, PeopleSection, RulesSection
from controller.database import now
from controller.intake import Intake
from controller.quarantine import Quarantine
from controller.retention import Chosen, Eraser
from controller.rules import findings
from controller.store import Store
from device.wire.link import Heard
from device.wire.messages import Elsewhere, Event, Inside, Passage, Place, Scan, decode, encode
from tests.bystanders import PLACE, WHEN, Ear, Gate, configured, running, scan

NORTH, SOUTH, OTHER = PLACE, Place("expo", "south"), Place("museum", "north")
RULES = RulesSection()


def grant(seq: int, at: datetime, direction: str = "in", **other: Any) -> Scan:
    return scan(seq, direction=direction, at=at, mono=(at - WHEN).total_seconds() + 1000, **other)


def passage(seq: int, event_type: str, at: datetime, **other: Any) -> Passage:
    fields: dict[str, Any] = {"spool": "a1b2c3", "boot": "b0", "mono": 2.5, "clock": "synced", "direction": "in"}
    return Passage(seq=seq, event_type=event_type, at=at, **(fields | other))  # type: ignore[arg-type]


class Books:
    """A store, and what is told of each batch."""

    def __init__(self, path: Path) -> None:
        self.store = Store(path / "controller.db")

    def batch(self, *events: tuple[Place, Event], at: datetime = WHEN) -> list[tuple[Place, Elsewhere]]:
        with self.store.transaction():
            intake = Intake(self.store, Quarantine(self.store), rules=RULES, at=at)
            for place, event in events:
                kind = "scan" if isinstance(event, Scan) else "passage"
                intake.hear(Heard(topic=place.topic(kind), payload=encode(event)))
            intake.keep()
        return intake.elsewhere

    def found(self, at: datetime = WHEN) -> set[tuple[str, str]]:
        """Which alerts would be open, and at which entrance."""
        return {
            (kind, facts.place.entrance)
            for facts in self.store.facts(at).values()
            for kind in findings(facts, RULES)
            if kind != "unknown_entrance"
        }


@pytest.fixture
def books(tmp_path: Path) -> Iterator[Books]:
    books = Books(tmp_path)
    yield books
    books.store.close()


def later(seconds: float) -> datetime:
    return WHEN + timedelta(seconds=seconds)


def test_a_passing_is_told_to_others_once_and_taken_back_when_nobody_went(books: Books) -> None:
    told = books.batch((NORTH, grant(1, WHEN, code="aa")), (NORTH, grant(1, WHEN, code="aa")))
    assert told == [(NORTH, Elsewhere(id="a1b2c3-1", code="aa", direction="in", at=WHEN, entrance="north"))]
    ((where, back),) = books.batch((NORTH, passage(2, "not_passed", later(8), scan=1, direction="unknown")))
    assert (where, back.id, back.void) == (NORTH, "a1b2c3-1", True)


def test_what_is_not_watched_is_told_to_nobody(books: Books) -> None:
    assert books.batch((NORTH, scan(1)), (NORTH, scan(2, "passback", direction="in"))) == []


def test_a_party_of_whom_some_went_has_used_its_code(books: Books) -> None:
    books.batch((NORTH, grant(1, WHEN, people=3)))
    assert books.batch((NORTH, passage(2, "not_passed", later(8), scan=1, people=2))) == []
    assert books.batch((NORTH, passage(3, "not_passed", later(9), scan=1, people=3))) != []


CASES: list[tuple[str, list[tuple[Place, Event]], set[str]]] = [
    ("in twice", [(NORTH, grant(1, WHEN)), (SOUTH, grant(1, later(60), spool="b"))], {"south"}),
    ("told too late", [(NORTH, grant(1, later(60))), (SOUTH, grant(1, WHEN, spool="b"))], {"south"}),
    ("another code", [(NORTH, grant(1, WHEN)), (SOUTH, grant(1, later(60), spool="b", code="bb"))], set()),
    ("another site", [(NORTH, grant(1, WHEN)), (OTHER, grant(1, later(60), spool="b"))], set()),
    ("by a guard", [(NORTH, grant(1, WHEN)), (SOUTH, grant(1, later(60), spool="b", why="referred"))], set()),
    ("too long ago", [(NORTH, grant(1, WHEN)), (SOUTH, grant(1, later(90000), spool="b"))], set()),
    (
        "out between",
        [(NORTH, grant(1, WHEN)), (NORTH, grant(2, later(30), "out")), (SOUTH, grant(1, later(60), spool="b"))],
        set(),
    ),
    (
        "nobody went, told in the same batch",
        [
            (SOUTH, grant(1, later(60), spool="b")),
            (NORTH, grant(1, WHEN)),
            (NORTH, passage(2, "not_passed", later(8), scan=1, direction="unknown")),
        ],
        set(),
    ),
    ("twice of two", [(NORTH, grant(1, WHEN, uses=2)), (SOUTH, grant(1, later(9), spool="b", uses=2))], set()),
    (
        "thrice of two",
        [
            (NORTH, grant(1, later(1), uses=2)),
            (NORTH, grant(2, later(2), uses=2)),
            (SOUTH, grant(1, later(9), spool="b", uses=2)),
        ],
        {"north", "south"},
    ),
]


@pytest.mark.parametrize(("events", "where"), [case[1:] for case in CASES], ids=[case[0] for case in CASES])
def test_a_code_let_in_twice_is_a_conflict(books: Books, events: list[tuple[Place, Event]], where: set[str]) -> None:
    at = later(100_000)
    for event in events[:1]:
        books.batch(event, at=at)
    books.batch(*events[1:], at=at)
    assert {entrance for kind, entrance in books.found(at) if kind == "passback_conflict"} == where
    assert books.found(at + timedelta(seconds=601)) == set()


@settings(max_examples=40, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.permutations(range(6)), st.integers(1, 6))
def test_in_whatever_order_gates_come_back_a_conflict_is_found(
    tmp_path_factory: pytest.TempPathFactory, order: list[int], size: int
) -> None:
    """North: in, out, in. South, offline meanwhile: in, out, in. The code was inside twice at once."""
    books = Books(tmp_path_factory.mktemp("books"))
    ways = [(NORTH, "in", 0), (NORTH, "out", 10), (NORTH, "in", 20), (SOUTH, "in", 21), (SOUTH, "out", 30)]
    ways.append((SOUTH, "in", 40))
    events = [(place, grant(1, later(at), way, spool=f"s{number}")) for number, (place, way, at) in enumerate(ways)]
    mixed = [events[number] for number in order]
    for begin in range(0, 6, size):
        books.batch(*mixed[begin : begin + size], at=later(100))
    assert "passback_conflict" in {kind for kind, _ in books.found(later(100))}
    books.store.close()


def test_who_went_unscanned_is_an_alert_that_ends_by_itself(books: Books) -> None:
    books.batch((NORTH, passage(1, "passed", WHEN)), (NORTH, passage(2, "forced", WHEN)))
    books.batch((NORTH, passage(3, "tailgated", later(20))), at=later(20))
    assert books.found(later(20)) == {("unscanned_passage", "north")}
    (facts,) = books.store.facts(later(20)).values()
    found = findings(facts, RULES)["unscanned_passage"]
    assert (found.count, found.since) == (2, WHEN)
    assert "behind another" in found.what.en
    assert "尾随" in found.what.zh
    assert books.found(later(621)) == set()


def test_people_are_counted_over_all_gates_and_a_new_day_begins_with_nobody(books: Books) -> None:
    day = PeopleSection().day(WHEN)
    books.batch(
        (NORTH, passage(1, "passed", WHEN)), (NORTH, passage(2, "forced", WHEN)),
        (NORTH, passage(3, "tailgated", WHEN)),
        (NORTH, passage(4, "not_passed", WHEN, direction="unknown")),
        (SOUTH, passage(1, "passed", WHEN, direction="out", spool="b")),
        (OTHER, passage(1, "passed", WHEN, direction="out", spool="c")),
    )  # fmt: skip
    assert books.store.inside(day) == {"expo": 2, "museum": 0}
    tomorrow = WHEN + timedelta(days=1)
    assert books.store.inside(PeopleSection().day(tomorrow)) == {"expo": 0, "museum": 0}
    books.batch((NORTH, passage(5, "passed", tomorrow)), at=tomorrow)
    books.batch((NORTH, passage(6, "passed", WHEN)), at=tomorrow)
    assert books.store.inside(PeopleSection().day(tomorrow))["expo"] == 1, "what comes late counts no more"


def test_when_a_day_begins() -> None:
    section = PeopleSection(day_begins="04:00")
    local = datetime(2026, 11, 24, 3, 59, tzinfo=UTC).astimezone().replace(hour=3, minute=59)
    assert section.day(local) == str(local.date() - timedelta(days=1))
    assert section.day(local + timedelta(minutes=1)) == str(local.date())


def test_forgotten_codes_leave_the_passings(books: Books) -> None:
    books.batch((NORTH, grant(1, WHEN, code="aa")), (SOUTH, grant(1, WHEN, code="bb", spool="b")))
    left = "SELECT code FROM passings"
    assert Eraser(books.store).small(Chosen(codes=("aa",)))["passings"] == 1
    assert books.store.db.execute(left).fetchall() == [("bb",)]
    assert Eraser(books.store).small(Chosen(before=later(1), place=NORTH))["passings"] == 0
    assert Eraser(books.store).small(Chosen(before=later(1)))["passings"] == 1
    assert books.store.db.execute(left).fetchall() == []


def test_gates_of_a_site_learn_of_each_other_over_a_broker(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config = configured(broker, tmp_path)
    people = PeopleSection(capacity=(Capacity(site="expo", people=1),))
    config = Config(**(msgspec.structs.asdict(config) | {"people": people}))
    with Store(Path(config.store.path)) as store:
        for place in (NORTH, SOUTH, OTHER):
            store.register(place)
    ear = Ear(broker, "menshen/+/+/seen", "menshen/+/+/occupancy", "menshen/+/+/alert/+")
    with running(config):
        gate.online()
        gate.event(grant(1, now(), code="aa"))
        seen = ear.until(lambda heard: heard.topic.endswith("/seen"))
        assert (seen.topic, seen.retained) == (SOUTH.topic("seen"), False)
        assert decode(Elsewhere, seen.payload).code == "aa"
        for seq in (2, 3):
            gate.event(passage(seq, "passed", now(), scan=1), kind="passage")
        for place in (NORTH, SOUTH):
            ear.until(lambda heard, place=place: _inside(heard, place) == (2, 1))  # type: ignore[misc]
        assert "2 people are inside" in ear.alert("over_capacity", SOUTH).what.en
        gate.event(passage(4, "passed", now(), direction="out"), kind="passage")
        ear.over("over_capacity", SOUTH)
    assert not [heard for heard in ear.all if heard.topic == OTHER.topic("seen")]
    ear.stop()


def _inside(heard: Heard, place: Place) -> tuple[int, int] | None:
    if heard.topic != place.topic("occupancy"):
        return None
    told = decode(Inside, heard.payload)
    return told.inside, told.capacity


@pytest.mark.parametrize(
    ("kind", "field"),
    [
        ("scan", '"people":18446744073709551616'),
        ("scan", '"uses":99999999999999999999'),
        ("scan", '"people":0'),
        ("passage", '"scan":18446744073709551616'),
        ("passage", '"scan":-1'),
        ("passage", '"people":-99999999999999999999'),
        ("scan", '"code":"\\ud800"'),
    ],
)
def test_what_no_gate_can_mean_is_quarantined_and_stops_nobody(books: Books, kind: str, field: str) -> None:
    event: Event = grant(1, WHEN) if kind == "scan" else passage(1, "not_passed", WHEN, scan=1)
    payload = encode(event)[:-1] + b"," + field.encode() + b"}"
    with books.store.transaction():
        intake = Intake(books.store, Quarantine(books.store), rules=RULES, at=WHEN)
        intake.hear(Heard(topic=NORTH.topic(kind), payload=payload, headers={"spool": "a1b2c3", "seq": "1"}))
        intake.hear(Heard(topic=NORTH.topic("scan"), payload=encode(grant(2, WHEN))))
        intake.keep()
    assert books.store.db.execute("SELECT count(*) FROM quarantine").fetchone() == (1,)
    assert books.store.db.execute("SELECT seq FROM passings").fetchall() == [(2,)]
