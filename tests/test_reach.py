"""Whoever is limited to a region sees and does nothing outside it, on whichever page and by whichever program."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from urllib.parse import quote

import msgspec
import pytest
from starlette.routing import Route

from controller import overview
from controller.rights import Act, Person, Scope, can_be_reach
from controller.store import Store
from controller.web.api import QUESTIONS, ROOT
from controller.web.app import app
from controller.web.patience import Patience
from controller.web.readers import Readers
from controller.web.visit import House
from device.wire.messages import Place
from tests.boarders import HANGZHOU, NINGBO, NORTH, PASSWORD, XIHU, Pages, Visitor, pages, settle
from tests.test_board import open_alert, program, row


@pytest.mark.parametrize(
    ("text", "can"),
    [
        ("expo", True), ("expo/north", True), ("region:zhejiang", True), (f"region:{XIHU}", True),
        ("EXPO", False), ("expo/north/1", False), ("region:", False), ("region:Zhejiang", False), ("zone:xx", False),
    ],
)  # fmt: skip
def test_a_reach_names_a_region_a_site_or_an_entrance(text: str, *, can: bool) -> None:
    assert can_be_reach(text) == can


LIES = {"expo": XIHU, "hall": NINGBO}
LOCAL = Person(name="operator 3", role="operator", reach=(f"region:{HANGZHOU}",))
MIXED = Person(name="operator 4", role="operator", reach=(f"region:{XIHU}", "hall/dock", "fair"))


@pytest.mark.parametrize(
    ("scope", "has", "touches"),
    [
        (Scope(), False, True),
        (Scope(region=HANGZHOU), True, True),
        (Scope(region=XIHU), True, True),
        (Scope(region="zhejiang"), False, True),
        (Scope(region=NINGBO), False, False),
        (Scope(site="expo"), True, True),
        (Scope(site="expo", entrance="north"), True, True),
        (Scope(site="hall"), False, False),
        (Scope(site="hall", entrance="dock"), False, False),
        (Scope(site="nowhere"), False, False),
    ],
)
def test_all_of_it_is_somebodys_or_some_of_it(scope: Scope, *, has: bool, touches: bool) -> None:
    assert (LOCAL.has(scope, LIES), LOCAL.touches(scope, LIES)) == (has, touches)
    everybody = msgspec.structs.replace(LOCAL, reach=())
    assert everybody.has(scope, LIES)
    assert everybody.touches(scope, LIES)


def test_a_reach_of_regions_sites_and_entrances_is_all_of_them_together() -> None:
    asked = {"expo/north": XIHU, "hall/dock": NINGBO, "hall/door": NINGBO, "fair/west": "", "shop/west": ""}
    reached = {each for each, region in asked.items() if MIXED.reaches(Place.parse(each), region)}
    assert reached == {"expo/north", "hall/dock", "fair/west"}
    assert MIXED.touches(Scope(region="zhejiang"), LIES)
    assert MIXED.touches(Scope(site="hall"), LIES)
    assert not MIXED.has(Scope(site="hall"), LIES)
    assert not MIXED.has(Scope(region=NINGBO), LIES)


def test_a_site_called_as_a_region_is_not_that_region() -> None:
    site = Person(name="viewer 4", role="viewer", reach=("zhejiang",))
    assert not site.reaches(NORTH, XIHU)
    assert not site.has(Scope(region="zhejiang"), LIES)


@pytest.mark.parametrize("act", ["journal", "see"])
def test_the_journal_is_of_everything_and_for_nobody_with_limits(act: Act) -> None:
    chief = Person(name="chief 2", role="administrator", reach=("region:zhejiang",))
    assert chief.may(act) == (act != "journal")
    assert msgspec.structs.replace(chief, reach=()).may(act)


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with pages(tmp_path_factory.mktemp("regions")) as running:
        with Store(Path(running.config.store.path)) as store:
            settle(store)
        running.add(LOCAL)
        running.add(Person(name="chief 3", role="administrator", reach=(f"region:{HANGZHOU}",)))
        yield running


@pytest.fixture
def settled(office: Pages) -> Iterator[Store]:
    """Return the store, to move sites in, and put them back."""
    with Store(Path(office.config.store.path)) as store:
        yield store
        store.assign("expo", XIHU, "chief 1")
        store.assign("hall", NINGBO, "chief 1")


def test_somebody_of_one_region_sees_nothing_outside(office: Pages) -> None:
    local, chief = office.visitor(LOCAL.name), office.visitor("administrator 1")
    number = open_alert(office, "gate_offline")
    everywhere = f"region={NINGBO}"
    for path in (
        "/", "/?wall=1", "/board", f"/?{everywhere}", f"/board?{everywhere}", "/?region=zhejiang", "/alerts?state=",
        f"/alerts?{everywhere}", "/events", f"/events?{everywhere}", "/events.csv", f"/events.csv?{everywhere}",
        "/fleet",
        *(f"{ROOT}/{each}" for each in ("entrances", f"entrances?{everywhere}", "regions", "events", "alerts",
          "silences", f"events?{everywhere}", f"alerts?{everywhere}", "alerts?entrance=hall/dock")),
    ):  # fmt: skip
        status, text = local.get(path)
        assert (status, "dock" in text, "Ningbo" in text, "宁波" in text) == (200, False, False, False), path
    for path in ("/alerts?entrance=hall/dock", "/events?entrance=hall/dock"):  # which is said again in the form
        text = local.get(path)[1]
        assert not re.findall(r"<li class=\"card|<tr class|Loading|Ningbo", text), path
    assert "Loading dock" in chief.get(f"/?{everywhere}")[1]
    assert "Ningbo" in chief.get(f"/alerts?{everywhere}")[1]
    for path in ("/entrances/hall/dock", "/entrances/hall/dock/day", f"{ROOT}/entrances/hall/dock/day"):
        assert (local.get(path)[0], chief.get(path)[0]) == (404, 200), path
    assert "North gate" in local.get("/")[1]
    assert row(office, number)["acknowledged_at"] is None


def test_somebody_of_one_region_does_nothing_outside(office: Pages) -> None:
    local = office.visitor(LOCAL.name)
    token = office.accounts.token(LOCAL.name, "", time.time())
    outside, inside = open_alert(office, "gate_offline"), open_alert(office)
    with Store(Path(office.config.store.path)) as store:
        theirs = store.silence("operator 1", "elsewhere", datetime.now(tz=UTC) + timedelta(hours=1), region=NINGBO)
        wider = store.silence("operator 1", "all of it", datetime.now(tz=UTC) + timedelta(hours=1), region="zhejiang")
    for verb in ("acknowledge", "resolve"):
        assert local.post(f"/alerts/{outside}/{verb}", form=local.form())[0] == 404
        assert program(office, token, f"/alerts/{outside}/{verb}", {})[0] == 404
    for where in (
        {}, {"region": "zhejiang"}, {"region": NINGBO}, {"region": "no"}, {"entrance": "hall"},
        {"entrance": "hall/dock"}, {"region": HANGZHOU, "entrance": "hall"},
    ):  # fmt: skip
        fields = {"reason": "x", "hours": "1", "kind": "tamper", **where}
        assert local.post("/silences", form=local.form(), **fields)[0] == 403, where
        assert program(office, token, "/silences", fields | {"hours": 1})[0] == 403, where
    for number in (theirs, wider):
        assert local.post(f"/silences/{number}/end", form=local.form())[0] == 404
        assert program(office, token, f"/silences/{number}/end", {})[0] == 404
    assert [each["id"] for each in local.json(f"{ROOT}/silences")] == [wider]
    assert row(office, outside)["acknowledged_at"] is None
    status, done = program(office, token, "/silences", {"reason": "a parade", "hours": 1, "region": XIHU})
    assert status == 200
    assert local.post(f"/alerts/{inside}/acknowledge", form=local.form())[0] == 303
    assert program(office, token, f"/silences/{done['id']}/end", {})[0] == 200
    everybody = office.accounts.token("operator 1", "", time.time())
    for number in (theirs, wider):
        assert program(office, everybody, f"/silences/{number}/end", {})[0] == 200


def test_every_question_of_the_api_was_asked_from_outside() -> None:
    """A new question needs a look at what it tells of other regions."""
    assert {each.path for each in QUESTIONS} == {
        "/entrances", "/regions", "/entrances/{site}/{entrance}/day", "/events", "/alerts",
        "/alerts/{number:int}/acknowledge", "/alerts/{number:int}/resolve", "/silences", "/silences/{number:int}/end",
    }  # fmt: skip


def test_every_page_was_asked_from_outside(office: Pages) -> None:
    """A new page needs a look at what it tells of other regions."""
    pages_ = app(House(office.config, Readers(""), office.accounts, Patience())).routes
    paths = {each.path for each in pages_ if isinstance(each, Route)}
    assert {each for each in paths if not each.startswith((ROOT, "/sign-", "/look", "/welcome"))} == {
        "/", "/board", "/changes", "/entrances/{site}/{entrance}", "/entrances/{site}/{entrance}/day", "/alerts",
        "/alerts/{number:int}/acknowledge", "/alerts/{number:int}/resolve", "/silences", "/silences/{number:int}/end",
        "/journal", "/events", "/events.csv", "/fleet",
    }  # fmt: skip


def test_the_terminal_lists_of_a_region_only_what_is_in_it(office: Pages) -> None:
    with Store(Path(office.config.store.path), read_only=True) as store:
        for region, sites in ((HANGZHOU, {"expo"}), (NINGBO, {"hall"}), ("no", set())):
            alerts = store.alerts(place=None, kind=None, only_open=False, limit=50, region=region)
            assert {each["site"] for each in alerts} == sites
        for region, sites in ((HANGZHOU, {"expo"}), (NINGBO, set())):
            events = store.events(place=None, kind=None, event_type=None, since=None, limit=50, region=region)
            assert {each["site"] for each in events} == sites


def test_whoever_sets_a_password_stands_in_the_journal(office: Pages) -> None:
    office.accounts.add(Person(name="viewer 5", role="viewer"))
    token = office.accounts.invite("viewer 5", time.time())
    visitor = Visitor(office.config.web.port)
    assert visitor.post("/welcome", name="viewer 5", token="no", password=PASSWORD)[0] == 403
    assert visitor.post("/welcome", name="viewer 5", token=token, password=PASSWORD)[0] == 303
    with Store(Path(office.config.store.path), read_only=True) as store:
        rows = [each for each in store.journal_entries() if each["who"] == "viewer 5"]
    assert [each["what"] for each in rows] == [{"change": "password_set", "user": "viewer 5"}]


def test_an_administrator_of_one_region_does_not_read_the_journal(office: Pages) -> None:
    limited = office.visitor("chief 3")
    assert limited.get("/journal")[0] == 403
    assert 'href="/journal"' not in limited.get("/")[1]
    text = office.visitor("administrator 1").get("/journal")[1]
    assert "site assigned" in text
    assert f"no region → {NINGBO}" in text


def test_a_site_that_is_moved_is_at_once_others_to_see(office: Pages, settled: Store) -> None:
    local = office.visitor(LOCAL.name)
    settled.assign("hall", XIHU, "chief 1")
    assert "Loading dock" in local.get("/")[1]
    assert local.get("/entrances/hall/dock")[0] == 200
    settled.assign("expo", NINGBO, "chief 1")
    assert "North gate" not in local.get("/")[1]
    assert local.get("/entrances/expo/north")[0] == 404
    assert local.json(f"{ROOT}/events")["events"] == []
    settled.assign("hall", "", "chief 1")
    assert "There is no entrance here that you may see" in local.get("/")[1]


def test_the_board_is_grouped_and_chosen_by_region_and_stays_worst_first(office: Pages) -> None:
    chief: Visitor = office.visitor("administrator 1")
    whole = chief.json(f"{ROOT}/regions")
    assert [(each["region"], each["rank"], each["entrances"]) for each in whole] == [
        ("zhejiang", "critical", 5),
        (NINGBO, "critical", 1),
        (HANGZHOU, "warning", 4),
        (XIHU, "warning", 4),
    ]
    inside = chief.json(f"{ROOT}/entrances?region=zhejiang/hangzhou")
    assert {each["region"] for each in inside} == {XIHU}
    assert [each["rank"] for each in inside] == sorted([each["rank"] for each in inside], key=overview.RANKS.index)
    for word in ("alerts", "events"):
        for region, sites in ((HANGZHOU, {"expo"}), (NINGBO, {"hall"} if word == "alerts" else set()), ("no", set())):
            found = chief.json(f"{ROOT}/{word}?region={region}")[word]
            assert {each["site"] for each in found} == sites, (word, region)
    assert "hall/dock · Zhejiang › Ningbo" in chief.get("/")[1]
    text = chief.get("/?region=zhejiang")[1]
    assert text.index(">Ningbo</a>") < text.index(">Hangzhou</a>")
    assert 'hx-get="/board?region=zhejiang"' in text
    assert "Loading dock" not in chief.get("/board?region=zhejiang/hangzhou")[1]
    assert chief.get("/?region=<script>")[0] == 400
    assert chief.get("/board?region=" + "aa/" * 3000)[0] == 400
    number = open_alert(office, "gate_offline")
    form = re.search(rf'action="(/alerts/{number}/acknowledge)" hx-post="([^"]+)"', chief.get(f"/?region={NINGBO}")[1])
    assert form
    assert form[2] == f"{form[1]}?region={quote(NINGBO, safe='')}"
