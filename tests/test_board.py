"""The operators' pages as a browser without a window sees them: rights, forms, hostile text, the same numbers."""

from __future__ import annotations

import csv
import io
import json
import re
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import msgspec
import pytest
from click.testing import CliRunner

from controller.rights import Person
from controller.store import Store
from controller.web.api import QUESTIONS, ROOT
from device.wire.messages import Duty, OpenFault
from menshen import main
from tests.boarders import DOCK, EAST, PASSWORD, SOUTH, Pages, Visitor, pages
from tests.corpus import CORPUS

PATHS = (
    "/",
    "/?wall=1",
    "/board",
    "/alerts",
    "/alerts?state=",
    "/events",
    "/fleet",
    "/journal",
    "/entrances/expo/north",
)
EVERYBODY = Person(name="administrator 1", role="administrator")


@pytest.fixture(scope="module")
def office(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Pages]:
    with pages(tmp_path_factory.mktemp("board")) as running:
        yield running


@pytest.fixture(scope="module")
def chief(office: Pages) -> Visitor:
    return office.visitor("administrator 1")


def open_alert(office: Pages, kind: str = "unstaffed_entrance") -> int:
    with Store(Path(office.config.store.path), read_only=True) as store:
        return next(alert.id for alert in store.open_alerts().values() if alert.kind == kind)


def row(office: Pages, number: int) -> dict[str, Any]:
    with Store(Path(office.config.store.path), read_only=True) as store:
        return next(store.db.query("SELECT * FROM alerts WHERE id = ?", [number]))


def test_nobody_sees_anything_without_signing_in(office: Pages) -> None:
    stranger = Visitor(office.config.web.port)
    for path in (*PATHS, "/events.csv", "/entrances/expo/north/day"):
        assert stranger.get(path) == (303, ""), path
        assert stranger.headers["location"].startswith("/sign-in?to=%2F"), path
    assert stranger.get("/changes") == (204, "")
    for question in QUESTIONS:
        path = ROOT + question.path.replace("{number:int}", "1").format(site="expo", entrance="north")
        status, text = stranger.get(path) if question.method == "GET" else stranger.post(path)
        assert (status, "North" in text) == (401, False), path


def test_signing_in_and_out(office: Pages) -> None:
    visitor = Visitor(office.config.web.port)
    status, page = visitor.post("/sign-in", name='guard 1"><b>', password="something wrong")
    assert status == 403
    assert 'value="guard 1&#34;&gt;&lt;b&gt;"' in page, "whoever mistyped a password need not type the name again"
    assert visitor.post("/sign-in", name="guard 1", password="something wrong")[0] == 403
    assert visitor.post("/sign-in", name="guard 1", password=PASSWORD, to="//elsewhere.example")[0] == 303
    assert visitor.headers["location"] == "/"
    cookie = visitor.headers["set-cookie"]
    assert {"HttpOnly", "SameSite=lax"} <= set(cookie.split("; "))
    assert "guard 1" in visitor.get("/")[1]
    assert visitor.post("/sign-out", form="made up")[0] == 403
    before = dict(visitor.cookies)
    assert visitor.post("/sign-out", form=visitor.form())[0] == 303
    visitor.cookies = before
    assert visitor.get("/")[0] == 303


def test_a_token_lets_somebody_set_a_password(office: Pages) -> None:
    office.accounts.add(Person(name="viewer 2", role="viewer"))
    token = office.accounts.invite("viewer 2", time.time())
    visitor = Visitor(office.config.web.port)
    assert visitor.post("/welcome", name="viewer 2", token="no", password=PASSWORD)[0] == 403
    assert visitor.post("/welcome", name="viewer 2", token=token, password="short")[0] == 422
    assert visitor.post("/welcome", name="viewer 2", token=token, password=PASSWORD)[0] == 303
    assert office.visitor("viewer 2").get("/")[0] == 200


def test_who_guesses_passwords_has_to_wait(office: Pages) -> None:
    office.add(Person(name="viewer 3", role="viewer"))
    stranger = Visitor(office.config.web.port)
    answers = [stranger.post("/sign-in", name="viewer 3", password=f"wrong {number}")[0] for number in range(6)]
    assert answers == [403] * 5 + [429]
    assert stranger.post("/sign-in", name="viewer 3", password=PASSWORD)[0] == 429


@pytest.mark.parametrize("path", [*PATHS, "/sign-in", "/welcome", "/no-such-page"])
def test_every_page_is_framed_by_nobody_and_runs_nothing_of_its_own(chief: Visitor, path: str) -> None:
    _, text = chief.get(path)
    policy = chief.headers["content-security-policy"]
    assert "default-src 'none'" in policy
    assert "unsafe" not in policy
    assert chief.headers["x-content-type-options"] == "nosniff"
    assert chief.headers["cache-control"] == "no-store"
    assert not re.findall(r"<script(?! src=\"/static/)|<style|\sstyle=|\son\w+=|https?://", text)


def test_the_worst_entrance_comes_first_and_says_what_to_do(chief: Visitor) -> None:
    found = chief.json(f"{ROOT}/entrances")
    assert [each["rank"] for each in found] == ["critical", "warning", "warning", "fine", "fine"]
    dock, east, south, north = found[:4]  # of two alike, the trouble that is older comes first
    assert (dock["online"], dock["staffing"], dock["alerts"][0]["kind"]) == (False, "unknown", "gate_offline")
    assert (south["staffing"], east["thermometer"], north["on_duty"]) == ("unstaffed", "broken", ["guard 7"])
    text = chief.get("/")[1]
    assert text.index("Loading dock") < text.index("East gate") < text.index("South gate") < text.index("North gate")
    assert "send a guard, who checks in with badge or button" in text
    chief.cookies["language"] = "zh"
    assert "请派人到岗并签到" in chief.get("/")[1]
    chief.cookies["language"] = "en"


def test_the_board_the_api_and_the_terminal_show_the_same(office: Pages, chief: Visitor, tmp_path: Path) -> None:
    config = tmp_path / "controller.toml"
    config.write_text(f'[store]\npath = "{office.config.store.path}"\n', encoding="utf-8")

    def said(*words: str) -> list[dict[str, Any]]:
        result = CliRunner().invoke(main, [*words, "--json", "--config", str(config)], catch_exceptions=False)
        rows: list[dict[str, Any]] = json.loads(result.stdout)
        return rows

    events = chief.json(f"{ROOT}/events")["events"]
    printed = said("events", "--limit", "50")
    assert [{name: each[name] for name in printed[0]} for each in events] == printed
    alerts = chief.json(f"{ROOT}/alerts")["alerts"]
    printed = said("alerts", "list", "--limit", "50")
    assert {each["id"]: {name: each[name] for name in printed[0]} for each in alerts} == {
        each["id"]: each for each in printed
    }
    entrances = {each["entrance"]: each for each in chief.json(f"{ROOT}/entrances")}
    for each in said("entrance", "list"):
        shown = entrances[each["entrance"]]
        assert (shown["online"], len(shown["faults"])) == (bool(each["online"]), each["open_faults"] or 0)
        assert shown["staffing"] == (each["staffing"] if each["online"] else "unknown")
    assert len(re.findall(r'<li class="card rank-', chief.get("/alerts?state=")[1])) == len(alerts)


def test_roles_may_no_more_than_they_should(office: Pages) -> None:
    number = open_alert(office, "gate_offline")
    viewer, guard = office.visitor("viewer 1"), office.visitor("guard 1")
    form = viewer.form()
    assert viewer.post(f"/alerts/{number}/acknowledge", form=form)[0] == 403
    assert 'class="acknowledge"' not in viewer.get("/")[1]
    assert viewer.get("/events.csv")[0] == 403
    assert guard.post(f"/alerts/{number}/resolve", form=guard.form())[0] == 403
    assert guard.post("/silences", form=guard.form(), reason="x", hours="1", entrance="hall/dock")[0] == 403
    assert guard.get("/journal")[0] == 403
    assert row(office, number)["acknowledged_at"] is None
    token = office.accounts.token("viewer 1", "", time.time())
    asked = {"Authorization": f"Bearer {token}"}
    assert Visitor(office.config.web.port).get(f"{ROOT}/entrances", **asked)[0] == 200
    assert program(office, token, f"/alerts/{number}/acknowledge", {}) == (403, {"error": "not_yours"})


def program(office: Pages, token: str, path: str, said: dict[str, Any]) -> tuple[int, Any]:
    connection = HTTPConnection("127.0.0.1", office.config.web.port, timeout=20)
    connection.request("POST", ROOT + path, json.dumps(said), {"Authorization": f"Bearer {token}"})
    answer = connection.getresponse()
    text = answer.read()
    connection.close()
    return answer.status, json.loads(text)


def test_somebody_of_one_site_sees_and_does_nothing_elsewhere(office: Pages) -> None:
    office.add(Person(name="operator 2", role="operator", reach=("expo",)))
    visitor = office.visitor("operator 2")
    for path in ("/", "/alerts?state=", "/events", "/fleet", f"{ROOT}/entrances", f"{ROOT}/alerts", f"{ROOT}/events"):
        status, text = visitor.get(path)
        assert (status, "dock" in text, "north" in text or "north" in path) == (
            200,
            False,
            "alerts" not in path or "north" in text,
        )
    number = open_alert(office, "gate_offline")
    assert visitor.get("/entrances/hall/dock")[0] == 404
    assert visitor.get("/entrances/hall/dock/day")[0] == 404
    assert visitor.get("/events?entrance=hall/dock")[1].count("<tr class") == 0
    assert visitor.post(f"/alerts/{number}/acknowledge", form=visitor.form())[0] == 404
    for where in ("", "hall", "hall/dock"):
        assert visitor.post("/silences", form=visitor.form(), reason="x", hours="1", entrance=where)[0] == 403
    assert row(office, number)["acknowledged_at"] is None


def test_a_form_that_no_page_of_ours_made_changes_nothing(office: Pages) -> None:
    guard, other = office.visitor("guard 1"), office.visitor("operator 1")
    number = open_alert(office, "gate_offline")
    for form in ("", "made up", other.form()):
        assert guard.post(f"/alerts/{number}/acknowledge", form=form)[0] == 403
    connection = HTTPConnection("127.0.0.1", office.config.web.port, timeout=20)
    headers = {"Cookie": f"menshen={guard.cookies['menshen']}", "Origin": "https://elsewhere.example"}
    connection.request("POST", f"/alerts/{number}/acknowledge", f"form={guard.form()}", headers)
    assert connection.getresponse().status == 403
    connection.close()
    assert guard.post(f"{ROOT}/alerts/{number}/acknowledge")[0] == 401  # a cookie alone changes nothing
    assert guard.post(f"/alerts/{number}/acknowledge", form="x" * 20_000)[0] == 413
    assert row(office, number)["acknowledged_at"] is None


def test_every_change_names_who(office: Pages, chief: Visitor) -> None:
    number = open_alert(office)
    guard, operator = office.visitor("guard 1"), office.visitor("operator 1")
    assert guard.post(f"/alerts/{number}/acknowledge", form=guard.form(), note="on my way")[0] == 303
    assert (row(office, number)["acknowledged_by"], row(office, number)["note"]) == ("guard 1", "on my way")
    assert "taken on by <b>guard 1</b>" in chief.get("/")[1]
    silence = {"reason": "a parade", "hours": "4", "entrance": "expo/south"}
    assert operator.post("/silences", form=operator.form(), **silence)[0] == 303
    token = office.accounts.token("operator 1", "", time.time())
    status, done = program(office, token, "/silences", {"reason": "again", "hours": 1, "kind": "tamper"})
    assert (status, [each["by"] for each in chief.json(f"{ROOT}/silences")]) == (200, ["operator 1"] * 2)
    assert program(office, token, f"/silences/{done['id']}/end", {})[0] == 200
    assert program(office, token, f"/silences/{done['id']}/end", {})[0] == 404
    assert program(office, token, f"/alerts/{number}/resolve", {"note": "a guard is there"})[0] == 200
    assert program(office, token, f"/alerts/{number}/resolve", {})[0] == 409
    assert program(office, token, "/silences", {"hours": 1})[0] == 400
    assert operator.post(f"/alerts/{number}/resolve", form=operator.form())[0] == 409
    text = re.sub(r"<[^>]*>", " ", chief.get("/journal")[1])
    for who, change in (("guard 1", "acknowledged"), ("operator 1", "silenced"), ("operator 1", "resolved")):
        assert re.search(rf"{who}\s+{change}", text), change


def test_what_can_be_asked_is_described_and_answered_so(chief: Visitor) -> None:
    described = chief.json(f"{ROOT}/openapi.json")
    assert described["openapi"] == "3.1.0"
    assert len(QUESTIONS) == sum(len(each) for each in described["paths"].values())
    references = set(re.findall(r'"#/components/schemas/(\w+)"', json.dumps(described)))
    assert references == set(described["components"]["schemas"])
    for question in QUESTIONS:
        path = ROOT + question.path.replace(":int", "")
        operation = described["paths"][path][question.method.lower()]
        assert {each["name"] for each in operation["parameters"] if each["in"] == "path"} == set(
            re.findall(r"{(\w+)}", path)
        )
        if question.method == "GET":
            status, text = chief.get(path.format(site="expo", entrance="north"))
            assert status == 200
            msgspec.json.decode(text, type=question.answer)
    for path in ("/events?before=x", "/alerts?before=-1", f"/events?text={'x' * 201}"):
        assert chief.get(ROOT + path)[0] == 400, path


@pytest.mark.parametrize("name", [name for name in CORPUS if name not in ("lone surrogate", "escaped byte")])
def test_hostile_text_is_only_text(office: Pages, chief: Visitor, name: str) -> None:
    text = CORPUS[name]
    now, past = datetime.now(tz=UTC), office.past
    past.online(
        EAST,
        at=now,
        on_duty=(text[:900],),
        faults=(OpenFault("thermometer_lost", now, text[:900]), OpenFault(text[:900], now, "x")),
    )
    duty = Duty(at=now, event_type="check_in", who=text[:900], by="badge", on_duty=(), since=now, **past.seq(EAST))
    past.say(now, (EAST, "duty", duty))
    for path in ("/", "/fleet", "/events?entrance=expo/east", "/entrances/expo/east"):
        status, page = chief.get(path)
        assert status == 200
        assert not re.findall(
            r"<script(?! src=\"/static/)|<img(?! src=\"/static/)|[\x00-\x08\x0b-\x1f\x7f-\x9f\u202a-\u202e]",
            page,
        )
    searched = Visitor(office.config.web.port)
    searched.cookies = chief.cookies
    status, page = searched.get("/events?" + urlencode({"text": text, "entrance": text}, errors="replace"))
    assert status in (200, 400)
    assert "<script>alert" not in page
    rows = list(csv.reader(io.StringIO(chief.get("/events.csv?entrance=expo/east")[1].lstrip("\ufeff"))))
    assert all(len(each) == 5 for each in rows)
    assert not [cell for each in rows for cell in each if cell.lstrip().startswith(tuple("=+-@＝＋－＠"))]


def test_what_was_committed_is_told_at_once(office: Pages, chief: Visitor) -> None:
    connection = HTTPConnection("127.0.0.1", office.config.web.port, timeout=20)
    connection.request("GET", "/changes", headers={"Cookie": f"menshen={chief.cookies['menshen']}"})
    stream = connection.getresponse()
    assert stream.headers["content-type"].startswith("text/event-stream")
    while stream.readline() != b"event: changed\n":
        pass
    began = time.monotonic()
    now = datetime.now(tz=UTC)
    office.past.online(SOUTH, at=now)
    while stream.readline() != b"event: changed\n":
        pass
    assert time.monotonic() - began < 5
    connection.close()


def test_a_dock_that_is_gone_says_since_when(chief: Visitor) -> None:
    _, text = chief.get(f"/entrances/{DOCK}")
    assert "offline" in text
    assert chief.get("/entrances/hall/nowhere")[0] == 404
    assert chief.get("/entrances/HALL/x")[0] == 404
