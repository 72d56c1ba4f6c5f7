"""What the database holds, as tables, JSON and CSV."""

from __future__ import annotations

import csv
import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from controller.alerts import Changes
from controller.config import RulesSection
from controller.facts import Finding
from controller.intake import Intake
from controller.quarantine import Quarantine
from controller.store import Store
from device.wire.link import Heard
from device.wire.messages import Duty, Event, Fault, Passage, Place, Text, encode
from menshen import main
from tests.bystanders import PLACE, WHEN, scan

COMMON: dict[str, Any] = {"spool": "a1b2c3", "boot": "b0", "at": WHEN, "mono": 2.5, "clock": "synced"}
SOUTH = Place("expo", "south")
NASTY = "=HYPERLINK(1)\x1b]0;x\x07\u202e[red]"
EVENTS: list[tuple[Place, str, Event]] = [
    (PLACE, "scan", scan(1, "invalid_time", "temperature_high", kind="visitor", celsius=38.12)),
    (PLACE, "passage", Passage(seq=2, event_type="forced", direction="in", **COMMON)),
    (PLACE, "duty", Duty(seq=3, event_type="check_in", who=NASTY, by="badge", since=WHEN, **COMMON)),
    (SOUTH, "scan", scan(1, clock="unset", boot="b1")),
    (SOUTH, "fault", Fault(seq=2, event_type="raised", fault="camera_black", detail="covered?", **COMMON)),
]
HOURS_AGO = timedelta(hours=5)


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "controller.toml"
    path.write_text(f'[store]\npath = "{tmp_path / "controller.db"}"\n')
    at = datetime.now(tz=UTC)
    with Store(tmp_path / "controller.db") as store, store.transaction():
        for place, kind, event in EVENTS:
            received = at if place == SOUTH else at - HOURS_AGO
            intake = Intake(store, Quarantine(store), rules=RulesSection(), at=received)
            intake.hear(Heard(topic=place.topic(kind), payload=encode(event)))
            intake.keep()
        finding = Finding(
            severity="warning", since=WHEN, what=Text("无人值守了", "nobody there"), next_step=Text("去", "go")
        )
        north, south = (1, "unstaffed_entrance"), (2, "unstaffed_entrance")
        store.save(Changes({north: finding, south: finding}, {}, {}), WHEN)
        store.save(Changes({}, {}, {south: "unknown"}), WHEN)
    return path


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--config", str(config)])


def read(config: Path, *words: str) -> list[dict[str, Any]]:
    done = run(config, *words, "--json")
    assert done.exit_code == 0, done.output
    rows: list[dict[str, Any]] = json.loads(done.output)
    return rows


def test_events_read_in_both_languages(config: Path) -> None:
    chinese = run(config, "events", "--lang", "zh").output
    for word in ("拒绝", "不在有效期内", "未扫码闯入", "签到", "画面全黑", "时钟不可靠", "38.1 °C"):
        assert word in chinese
    english = run(config, "events", "--lang", "en").output
    for word in ("refuse", "outside its time", "went through unscanned", "checked in", "the picture is black"):
        assert word in english
    assert "\x1b" not in english
    assert "\u202e" not in english
    assert "[red]" in english


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ((), ["raised", "grant", "check_in", "forced", "refuse"]),
        (("--limit", "2"), ["raised", "grant"]),
        (("--entrance", "expo/south"), ["raised", "grant"]),
        (("--kind", "scan"), ["grant", "refuse"]),
        (("--type", "refuse"), ["refuse"]),
        (("--since", "1h"), ["raised", "grant"]),
        (("--since", "301m"), ["raised", "grant", "check_in", "forced", "refuse"]),
        (("--since", "2026-01-01"), ["raised", "grant", "check_in", "forced", "refuse"]),
        (("--since", "2126-01-01T00:00+08:00"), []),
        (("--entrance", "expo/west"), []),
    ],
)
def test_events_can_be_asked_for(config: Path, words: tuple[str, ...], expected: list[str]) -> None:
    assert [row["payload"]["event_type"] for row in read(config, "events", *words)] == expected


def test_nothing_is_said_and_an_outcome_that_does_not_exist_is_refused(config: Path) -> None:
    assert "nothing" in run(config, "events", "--entrance", "expo/west", "--lang", "en").output
    assert "没有记录" in run(config, "alerts", "--kind", "gate_offline", "--lang", "zh").output
    refused = run(config, "events", "--type", "refused_by_mistake")
    assert refused.exit_code == 2
    assert "'refuse'" in refused.output


def test_a_spreadsheet_runs_no_cell(config: Path) -> None:
    rows = list(csv.reader(io.StringIO(run(config, "events", "--csv", "--lang", "en").output)))
    assert rows[0] == ["at", "entrance", "kind", "what", "details"]
    assert len(rows) == 6
    cells = [cell for row in rows for cell in row]
    assert "'=HYPERLINK(1)\\x1b]0;x\\x07\\u202e[red]" in cells
    assert not [cell for cell in cells if cell.startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_alerts_are_listed_open_and_past(config: Path) -> None:
    rows = read(config, "alerts")
    assert [(row["entrance"], row["state"], row["resolution"]) for row in rows] == [
        ("south", "resolved", "unknown"),
        ("north", "open", None),
    ]
    assert [row["entrance"] for row in read(config, "alerts", "--open")] == ["north"]
    assert [row["entrance"] for row in read(config, "alerts", "--entrance", "expo/south")] == ["south"]
    assert not read(config, "alerts", "--kind", "gate_offline")
    shown = run(config, "alerts", "--lang", "zh").output
    for word in ("无人值守了", "未解除", "不详"):
        assert word in shown
    assert "nobody there" in run(config, "alerts", "--csv", "--lang", "en").output


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--json", "--csv"), "--json or --csv, not both"),
        (("--since", "yesterday"), "or how long ago: 90s, 30m, 1h, 2d"),
        (("--entrance", "north"), "SITE/ENTRANCE"),
        (("--kind", "scans"), "'scan', 'passage', 'duty', 'fault'"),
    ],
)
def test_what_cannot_be_asked_is_said(config: Path, words: tuple[str, ...], said: str) -> None:
    refused = run(config, "events", *words)
    assert refused.exit_code == 2
    assert said in refused.output
