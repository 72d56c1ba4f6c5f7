"""Every change of entrances, regions and users is in the journal, with who made it, and nothing that is secret."""

from __future__ import annotations

import json
import re
from pathlib import Path

import pytest

from controller.broker import free_port
from tests.bystanders import told


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "controller.toml"
    path.write_text(f'[store]\npath = "{tmp_path / "controller.db"}"\n', encoding="utf-8")
    return path


def test_every_change_of_entrances_regions_and_users_is_in_the_journal_with_who_did_it(
    config: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("SUDO_USER", "chief-1")
    done = [
        ("entrance", "add", "expo/north"),
        ("entrance", "add", "expo/north", "--zh", "北门"),
        ("region", "add", "zhejiang"),
        ("region", "add", "zhejiang", "--zh", "浙江"),
        ("region", "assign", "expo", "zhejiang"),
        ("region", "assign", "expo", "--none"),
        ("region", "remove", "zhejiang"),
        ("user", "add", "guard 7", "--role", "guard", "--for", "expo", "--by", "chief 2"),
        ("user", "add", "guard 7", "--role", "operator"),
        ("user", "password", "guard 7"),
        ("user", "token", "guard 7", "--label", "in the lobby"),
        ("user", "remove", "guard 7"),
        ("entrance", "remove", "expo/north"),
    ]
    secrets = []
    for words in done:
        said = told(config, *words)
        if words[:2] == ("user", "token"):
            secrets.append(said.strip())
        elif "one-time token" in said:
            secrets.append(said.partition("good for a day: ")[2].split()[0])
    rows = json.loads(told(config, "journal", "list", "--json"))[::-1]
    assert [each["what"]["change"] for each in rows] == [
        "entrance_added", "entrance_renamed", "region_added", "region_renamed", "site_assigned", "site_assigned",
        "region_removed", "user_added", "user_changed", "user_invited", "token_made", "user_removed",
        "entrance_removed",
    ]  # fmt: skip
    assert {each["who"] for each in rows} == {"chief-1", "chief 2"}
    assert rows[7]["who"] == "chief 2"
    assert rows[7]["what"] == {"change": "user_added", "user": "guard 7", "role": "guard", "reach": ["expo"]}
    assert (rows[4]["what"]["before"], rows[4]["what"]["region"]) == ("", "zhejiang")
    text = json.dumps(rows)
    assert len(secrets) == 3
    assert not [secret for secret in [*secrets, "in the lobby"] if secret in text]
    assert "whole" in told(config, "journal", "verify", "--lang", "en")
    english, chinese = (told(config, "journal", "list", "--lang", tongue) for tongue in ("en", "zh"))
    for word in ("program's token made", "operator: every entrance", "no region → zhejiang", "chief-1"):
        assert word in english
    for word in ("生成程序令牌", "值班员: 全部入口", "无区域 → zhejiang"):
        assert word in chinese


def test_what_fails_is_not_in_the_journal(config: Path) -> None:
    told(config, "region", "add", "zhejiang")
    for words in (
        ("user", "remove", "nobody"),
        ("user", "token", "nobody"),
        ("user", "password", "nobody"),
        ("user", "add", "guard 7", "--for", "region:no"),
        ("entrance", "remove", "expo/north"),
        ("region", "remove", "no"),
        ("region", "assign", "expo", "zhejiang"),
    ):
        told(config, *words, code=1)
    told(config, "region", "add", "other", "--by", "\x1b[2J", code=2)
    assert len(json.loads(told(config, "journal", "list", "--json"))) == 1


def test_a_claim_and_a_revoked_identity_are_in_the_journal_without_the_code(config: Path, tmp_path: Path) -> None:
    ports = [word for name in ("--gates", "--own", "--enrol") for word in (name, str(free_port()))]
    printed = told(config, "controller", "init", "--host", "127.0.0.1", *ports)
    with config.open("a", encoding="utf-8") as file:
        file.write(printed[printed.index("[identity]") :])
    told(config, "entrance", "add", "expo/north", "--by", "chief 2")
    claimed = told(config, "entrance", "claim", "expo/north", "--by", "chief 2")
    (code,) = re.findall(r"expo/north: (\S+)", claimed)
    told(
        config, "entrance", "revoke", "expo/north", "--by", "chief 2", code=1
    )  # no broker: it will know when it starts
    rows = json.loads(told(config, "journal", "list", "--json"))[::-1]
    assert [(each["what"]["change"], each["what"]["entrance"], each["who"]) for each in rows] == [
        (change, "expo/north", "chief 2") for change in ("entrance_added", "claim_made", "gate_revoked")
    ]
    assert code.encode() not in (tmp_path / "controller.db").read_bytes()
