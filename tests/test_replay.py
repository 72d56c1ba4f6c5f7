"""Other rules on what was: the same rules find what the desk found, others what they would have found."""

from __future__ import annotations

import json
import queue
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from controller.config import RulesSection
from controller.desk import Desk
from controller.replay import REPLAYED, kept, replay
from controller.store import Store
from controller.telling import ALERTS
from device.wire.link import Heard, LinkChanged
from device.wire.messages import Event, Fault, Passage, Place, Status, encode
from menshen import main
from tests.bystanders import PLACE, WHEN, scan

SOUTH = Place("expo", "south")
RULES = RulesSection(scan_rate_passages=3)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    """Let a desk live through half a day, its clock in our hand."""
    path, clock, seq = tmp_path / "controller.db", [WHEN], [0]
    with Store(path) as store:
        store.register(PLACE)
        store.db.execute("UPDATE entrances SET registered_at = '2026-11-24T01:15:02.120Z'")
        desk = Desk(
            store=store, rules=RULES, inbox=queue.SimpleQueue(), say=lambda *_args, **_how: True,
            clock=lambda: clock[0],
        )  # fmt: skip
        desk._link(LinkChanged(up=True))
        desk._work([Heard(topic=PLACE.topic("status"), payload=encode(Status(state="online")))], tick=True)

        def happens(kind: str, place: Place = PLACE, **how: Any) -> None:
            seq[0] += 1
            clock[0] += timedelta(seconds=20)
            common: dict[str, Any] = {
                "spool": place.entrance,
                "boot": "b0",
                "at": clock[0],
                "mono": 1.0,
                "clock": "synced",
            }
            common["seq"] = seq[0] if place == PLACE else 1
            made: Event
            match kind:
                case "scan":
                    made = scan(common.pop("seq"), *how.pop("reasons", ()), **{**common, **how})
                case "passage":
                    made = Passage(**common, **how)
                case _:
                    made = Fault(**common, **how)
            desk._work([Heard(topic=place.topic(kind), payload=encode(made))], tick=True)

        def later(minutes: int) -> None:
            for _ in range(minutes):
                clock[0] += timedelta(minutes=1)
                desk._work([], tick=True)

        for number in range(4):
            happens("scan", reasons=("revoked",), code=f"c{number}")
        later(20)
        happens("scan", reasons=("temperature_high",))
        happens("fault", event_type="raised", fault="camera_lost")
        happens("passage", event_type="forced")
        happens("passage", event_type="passed")
        happens("passage", event_type="passed")
        later(5)
        happens("fault", event_type="cleared", fault="camera_lost")
        for _ in range(3):
            happens("passage", event_type="not_passed")
        happens("scan", place=SOUTH, reasons=("invalid",))
        later(120)
    return path


def tried(path: Path, rules: RulesSection, begun: datetime = WHEN) -> list[tuple[str, str, int]]:
    with Store(path, read_only=True) as store:
        history = list(kept(store, begun))
    assert history
    would = replay(history, rules, begun, WHEN + timedelta(hours=6))
    assert all(each.until for each in would)
    return sorted((str(each.place), each.kind, each.last.count) for each in would)


def test_the_same_rules_find_what_the_desk_found(path: Path) -> None:
    with Store(path, read_only=True) as store:
        rows = store.alerts(place=None, kind=None, only_open=False, limit=99)
    found = sorted((f"{row['site']}/{row['entrance']}", row["kind"], row["count"]) for row in rows)
    again = tried(path, RULES)
    assert ("expo/north", "gate_fault", 1) in again, "the desk has it from what the gate retains, which was not said"
    again.remove(("expo/north", "gate_fault", 1))
    assert again == [each for each in found if each[1] in REPLAYED]
    assert {kind for _, kind, _ in found} >= {
        "abnormal_code",
        "temperature_high",
        "low_scan_rate",
        "granted_not_passed",
    }


def test_other_rules_find_what_they_would_have_found(path: Path) -> None:
    found = tried(path, RulesSection(repeated_tries=3, unused_grants=4, scan_rate_low=0.5))
    assert ("expo/north", "repeated_abnormal", 4) in found
    assert not [each for each in found if each[1] in ("granted_not_passed", "low_scan_rate")]


def test_what_came_before_is_not_known(path: Path) -> None:
    found = tried(path, RULES, WHEN + timedelta(minutes=10))
    assert ("expo/north", "abnormal_code", 4) not in found
    assert found


def test_the_command_says_what_it_cannot_tell(path: Path) -> None:
    config = path.with_name("changed.toml")
    config.write_text(f'[store]\npath = "{path}"\n[rules]\nrepeated_tries = 4\n')
    words = ["rules", "try", "--since", "2026-11-24T01:00+00:00", "--config", str(config)]
    done = CliRunner().invoke(main, [*words, "--lang", "en"])
    assert done.exit_code == 0, done.output
    assert "4 wrong tries in a row" in done.output
    assert "gate_offline" in done.output.splitlines()[-1]
    rows = json.loads(CliRunner().invoke(main, [*words, "--json"]).output)
    assert {row["kind"] for row in rows} <= set(REPLAYED) <= set(ALERTS)
