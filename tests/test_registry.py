"""Registering entrances from the command line."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from controller.store import Store
from device.wire.messages import Applied, Health, OpenFault
from menshen import main
from tests.bystanders import PLACE, WHEN, state


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "controller.toml"
    path.write_text(f'[store]\npath = "{tmp_path / "controller.db"}"\n')
    return path


def run(config: Path, *words: str) -> Result:
    return CliRunner().invoke(main, ["entrance", *words, "--config", str(config)])


def test_an_entrance_is_added_listed_and_removed(config: Path) -> None:
    assert run(config, "add", "expo/north", "--zh", "北门", "--en", "North gate").exit_code == 0
    assert run(config, "add", "expo/south").exit_code == 0
    listed = run(config, "list", "--lang", "zh").output
    assert "expo/north" in listed
    assert "北门" in listed
    assert "North gate" in run(config, "list", "--lang", "en").output
    assert run(config, "remove", "expo/south").exit_code == 0
    rows = json.loads(run(config, "list", "--json").output)
    assert [(row["site"], row["entrance"], row["title_zh"], row["online"]) for row in rows] == [
        ("expo", "north", "北门", None)
    ]


def test_the_list_says_how_each_entrance_is(config: Path, tmp_path: Path) -> None:
    run(config, "add", "expo/north")
    with Store(tmp_path / "controller.db") as store:
        entrance = store.entrance(PLACE)
        store.document(entrance, "state", state(staffing="unstaffed"))
        store.document(entrance, "health", Health(faults=(OpenFault("camera_black", WHEN, ""),) * 3))
        store.document(entrance, "policy", Applied(version=7, at=WHEN, problem="\x1b[2Jno room"))
        assert "unknown" in run(config, "list", "--lang", "en").output
        store.online(entrance, online=True, reason="", at=WHEN)
    listed = run(config, "list", "--lang", "en").output
    for word in ("online", "unstaffed", " 3 ", "7 \\x1b[2Jno room"):
        assert word in listed
    assert "\x1b" not in listed


@pytest.mark.parametrize("where", ["expo", "Expo/north", "expo/north/1", "expo/no rth", "expo/+"])
def test_an_id_that_cannot_be_a_topic_is_refused(config: Path, where: str) -> None:
    refused = run(config, "add", where)
    assert refused.exit_code == 2
    assert "such as expo/north-gate" in refused.output


def test_removing_what_is_not_there_fails(config: Path) -> None:
    run(config, "add", "expo/north")
    refused = run(config, "remove", "expo/nort")
    assert refused.exit_code == 1
    assert "expo/nort is not registered; `menshen entrance list` shows what is" in refused.output


def test_listing_without_a_database_says_what_to_do(config: Path) -> None:
    refused = run(config, "list")
    assert refused.exit_code == 1
    assert "no database yet; start `menshen controller run`" in refused.output
