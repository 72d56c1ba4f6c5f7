"""Which alerts go to whom, when, and in which words."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from controller import routes
from controller.config import Route
from controller.routes import Key
from device.wire.messages import Alert, Place, Text
from tests.bystanders import PLACE

SHANGHAI = ZoneInfo("Asia/Shanghai")
AT = datetime(2026, 11, 24, 1, 15, tzinfo=UTC)  # 09:15 in Shanghai


def alert(kind: str = "fire", severity: Any = "critical", place: Place = PLACE) -> Alert:
    what, then = Text("着火", "it burns"), Text("疏散", "leave")
    return Alert(
        kind=kind, site=place.site, entrance=place.entrance, severity=severity, since=AT, updated=AT, count=1,
        what=what, next_step=then,
    )  # fmt: skip


def route(**fields: Any) -> Route:
    return msgspec.convert({"name": "duty-room", "urls": "", **fields}, Route)


@pytest.mark.parametrize(
    ("fields", "wanted"),
    [
        ({}, True),
        ({"kinds": ["fire"]}, True),
        ({"kinds": ["tamper"]}, False),
        ({"severity": "critical"}, True),
        ({"places": ["expo"]}, True),
        ({"places": ["expo/north"]}, True),
        ({"places": ["expo/south", "fair"]}, False),
        ({"from": "09:00", "to": "17:00"}, True),
        ({"from": "01:00", "to": "02:00"}, False),  # which would be so in UTC
        ({"from": "22:00", "to": "09:15"}, False),
        ({"from": "22:00", "to": "09:16"}, True),
    ],
)
def test_a_route_is_for_kinds_places_severity_and_hours(fields: dict[str, Any], *, wanted: bool) -> None:
    assert routes.wants(route(**fields), alert(), AT, SHANGHAI) == wanted


def test_a_warning_is_nothing_for_a_route_that_takes_what_is_critical() -> None:
    assert not routes.wants(route(severity="critical"), alert(severity="warning"), AT, SHANGHAI)


def test_what_was_told_is_not_told_again_unless_it_became_graver() -> None:
    key = Key("expo/north", "fire")
    assert not routes.news(route(), {key: "critical"}, [alert()], AT, SHANGHAI)
    assert [each.key for each in routes.news(route(), {key: "warning"}, [alert()], AT, SHANGHAI)] == [key]


def test_what_is_over_is_told_to_who_was_told_of_it_at_any_hour() -> None:
    (over,) = routes.news(route(**{"from": "01:00", "to": "02:00"}), {Key("expo/north", "fire"): "critical"}, [], AT,
                          SHANGHAI)  # fmt: skip
    assert over.alert is None
    assert routes.message(route(), over, {}, SHANGHAI)[0] == "[已恢复] expo/north: 消防联动"


def test_an_alert_that_ends_because_its_gate_is_gone_is_not_called_over() -> None:
    (offline, over) = routes.news(
        route(), {Key("expo/north", "unstaffed_entrance"): "warning"}, [alert("gate_offline")], AT, SHANGHAI
    )
    assert offline.alert
    assert over.unknown
    assert "offline" in routes.message(route(language="en"), over, {}, SHANGHAI)[0]


def test_a_message_is_in_the_routes_language_and_time_and_names_the_entrance() -> None:
    (news,) = routes.news(route(language="en"), {}, [alert()], AT, SHANGHAI)
    title, text = routes.message(route(language="en"), news, {"expo/north": Text("北门", "North gate")}, SHANGHAI)
    assert title == "[critical] North gate expo/north: fire"
    assert text == "it burns; leave\nsince 2026-11-24 09:15:00"
