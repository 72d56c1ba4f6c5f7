"""Alerts and their journal on the command line."""

from __future__ import annotations

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner, Result

from controller.alerts import Changes
from controller.facts import Finding
from controller.store import Store
from device.wire.messages import Text
from menshen import main
from tests.bystanders import PLACE, WHEN


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "controller.toml"
    path.write_text(f'[store]\npath = "{tmp_path / "controller.db"}"\n')
    with Store(tmp_path / "controller.db") as store:
        store.register(PLACE)
        finding = Finding(severity="critical", since=WHEN, what=Text("箱开", "it is open"), next_step=Text("去", "go"))
        with store.transaction():
            store.save(Changes({(1, "tamper"): finding}, {}, {}), WHEN)
    return path


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, [*words, "--config", str(config)])


def read(config: Path, *words: str) -> list[dict[str, Any]]:
    done = run(config, *words, "--json")
    assert done.exit_code == 0, done.output
    rows: list[dict[str, Any]] = json.loads(done.output)
    return rows


def test_an_alert_is_taken_on_and_resolved_by_name(config: Path) -> None:
    assert run(config, "alerts", "ack", "1", "--by", "guard 7", "--note", "on my way").exit_code == 0
    (row,) = read(config, "alerts", "--open")
    assert (row["acknowledged_by"], row["note"], row["id"]) == ("guard 7", "on my way", 1)
    assert "guard 7" in run(config, "alerts", "--lang", "zh").output
    assert run(config, "alerts", "resolve", "1", "--by", "guard 8").exit_code == 0
    assert read(config, "alerts", "--open") == []
    (row,) = read(config, "alerts", "list")
    assert row["resolution"] == "by_hand"
    shown = run(config, "journal", "list", "--lang", "en").output
    for word in ("menshen", "raised", "guard 7", "acknowledged", "resolved", "by hand", "1: expo/north tamper"):
        assert word in shown
    again = run(config, "alerts", "ack", "1", "--by", "guard 7")
    assert again.exit_code == 1
    assert "resolved already" in again.output
    assert run(config, "alerts", "ack", "1").exit_code == 2, "nobody does it without a name"


def test_a_silence_is_listed_until_it_ends(config: Path) -> None:
    words = ("alerts", "silence", "add", "--by", "guard 7", "--reason", "painting", "--for")
    assert run(config, *words, "2h", "--entrance", "expo/north", "--kind", "tamper").output.startswith("1 ")
    assert run(config, *words, "2h").exit_code == 1
    assert run(config, *words, "soon", "--site", "expo").exit_code == 2
    (row,) = read(config, "alerts", "silence", "list")
    assert (row["site"], row["entrance"], row["kind"], row["reason"]) == ("expo", "north", "tamper", "painting")
    assert "expo/north tamper" in run(config, "alerts", "silence", "list", "--lang", "en").output
    assert run(config, "alerts", "silence", "end", "1", "--by", "guard 8").exit_code == 0
    assert read(config, "alerts", "silence", "list") == []
    assert len(read(config, "alerts", "silence", "list", "--all")) == 1


def test_tampering_with_the_file_is_found(config: Path) -> None:
    for number in range(3):
        run(config, "alerts", "ack", "1", "--by", f"guard {number}")
    whole = run(config, "journal", "verify", "--lang", "en")
    assert whole.exit_code == 0
    head = whole.output.split()[-1]
    assert head.startswith("4:")

    def tamper(sql: str) -> None:
        with closing(sqlite3.connect(config.parent / "controller.db")) as db, db:
            db.executescript(
                f"DROP TRIGGER IF EXISTS journal_is_not_changed; DROP TRIGGER IF EXISTS journal_is_not_cut; {sql}"
            )

    tamper("DELETE FROM journal WHERE seq = 4")
    assert run(config, "journal", "verify").exit_code == 0, "only who kept a head can tell"
    cut = run(config, "journal", "verify", "--head", head)
    assert cut.exit_code == 1
    assert "its end was cut off" in cut.output
    tamper("UPDATE journal SET who = 'guard 9' WHERE seq = 2")
    changed = run(config, "journal", "verify")
    assert changed.exit_code == 1
    assert "entry 2 was changed" in changed.output
