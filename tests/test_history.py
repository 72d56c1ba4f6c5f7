"""What happened, asked a page or a day at a time: complete, in order, and never by walking through a whole table."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from controller import history, overview
from controller.history import Wanted, WantedAlerts
from controller.rights import Person
from controller.store import Store
from controller.web.api import ROOT
from tests.boarders import NORTH, Pages, Visitor, pages

EVERYBODY = Person(name="administrator 1", role="administrator")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with pages(tmp_path_factory.mktemp("history")) as running:
        yield running


@pytest.fixture(scope="module")
def chief(office: Pages) -> Visitor:
    return office.visitor("administrator 1")


def test_pages_of_events_lead_to_the_first_and_filters_find(chief: Visitor) -> None:
    seen: list[int] = []
    older = 0
    while True:
        page = chief.json(f"{ROOT}/events?before={older}")
        seen += [each["arrival"] for each in page["events"]]
        older = page["older"]
        if not older:
            break
    assert seen == sorted(set(seen), reverse=True)
    assert seen[-1] == 1
    refused = chief.json(f"{ROOT}/events?type=refuse&entrance=expo/north&kind=scan&text=invalid_time")["events"]
    assert len(refused) == 11
    assert {(each["entrance"], each["event_type"]) for each in refused} == {("north", "refuse")}
    assert chief.json(f"{ROOT}/events?text=%25")["events"] == []
    assert "Nothing matches" in chief.get("/events?entrance=expo/nowhere")[1]


def test_a_day_is_counted_by_quarters(chief: Visitor) -> None:
    whole = [chief.json(f"{ROOT}/entrances/expo/north/day?day={day}") for day in days()]
    for name, count in (("grants", 110), ("refusals", 11)):
        assert sum(sum(day[name]) for day in whole) == count
    warm = [celsius for day in whole for celsius in day["hottest"] if celsius]
    assert max(warm) == 37.1
    assert 1 in whole[-1]["staffed"]


def days() -> list[str]:
    """Return today and, where the morning began before midnight, the day before."""
    today = history.midnight(datetime.now(tz=UTC))
    return [history.next_day(today, -1), history.next_day(today, 0)]


def test_no_question_of_a_page_walks_through_a_whole_table(office: Pages) -> None:
    """Every statement the pages make, asked again for its plan: of what grows, only what an index leads to."""
    local = Person(name="somebody", role="viewer", reach=("expo", "region:zhejiang"))
    now = datetime.now(tz=UTC)
    with Store(Path(office.config.store.path)) as store:
        said: list[str] = []
        store.db.conn.set_trace_callback(said.append)
        for person in (EVERYBODY, local):
            overview.entrances(store, now, person, region="zhejiang")
            history.regions(store, person)
            for wanted in (
                Wanted(),
                Wanted(entrance="expo/north"),
                Wanted(region="zhejiang"),
                Wanted(kind="scan", type="refuse", text="x", before=90),
            ):
                history.events(store, wanted, person)
            for asked in (
                WantedAlerts(),
                WantedAlerts(entrance="expo/north", kind="tamper"),
                WantedAlerts(state="waiting", region="zhejiang"),
            ):
                history.alerts(store, asked, person)
            history.day(store, NORTH, history.midnight(now), now)
        store.journal_entries(limit=100, before=5)
        store.journal_entries(limit=100)
        store.journal_head()
        history.place_of_alert(store, 1)
        store.db.conn.set_trace_callback(None)
        assert len(set(said)) > 20
        for statement in set(said):
            plan = [step[3] for step in store.db.execute(f"EXPLAIN QUERY PLAN {statement}")]
            walked = [step for step in plan if re.match(r"SCAN (events|e|a|alerts|journal|spools)\b(?!.* USING)", step)]
            sorted_ = [step for step in plan if "TEMP B-TREE FOR ORDER BY" in step and "FROM events e" in statement]
            bounded = "ORDER BY seq DESC LIMIT" in statement  # the end of the table's own order
            assert bounded or not walked, f"{statement}\n{plan}"
            assert not sorted_, f"{statement}\n{plan}"


PAGES = (
    "/", "/board", "/entrances/expo/north", "/entrances/expo/north/day", "/alerts", "/alerts?state=",
    "/alerts?kind=tamper", "/alerts?entrance=expo/north", "/journal", "/journal?before=3", "/events",
    "/events?entrance=expo/north", "/events?type=refuse&kind=scan&text=x&before=90", "/events.csv", "/fleet",
    f"{ROOT}/entrances", f"{ROOT}/alerts", f"{ROOT}/events?kind=duty", f"{ROOT}/entrances/expo/north/day",
)  # fmt: skip
GROWS = r"SCAN (events|e|a|alerts|journal|passings|quarantine)\b(?!.* USING)"


def test_every_page_asks_by_index_alone(office: Pages, chief: Visitor) -> None:
    said: list[str] = []
    with office.server._readers.lent() as store:
        store.db.conn.set_trace_callback(said.append)  # the next to be lent is the one that came back last
    for page in PAGES:
        before = len(said)
        assert chief.get(page)[0] == 200, page
        assert len(said) > before, page
    with office.server._readers.lent() as store:
        store.db.conn.set_trace_callback(None)
        asked = {each for each in said if each.lstrip().startswith(("SELECT", "WITH"))}
        assert len(asked) > 15
        for statement in asked:
            plan = [step[3] for step in store.db.execute(f"EXPLAIN QUERY PLAN {statement}")]
            walked = [step for step in plan if re.match(GROWS, step)]
            bounded = "ORDER BY seq DESC LIMIT" in statement  # the end of the table's own order
            assert bounded or not walked, f"{statement}\n{plan}"
