from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import msgspec
import pytest
from click.testing import CliRunner

from controller import health, line
from controller.broker import free_port
from controller.config import Config, IdentitySection, RulesSection, StoreSection
from controller.doctor import CHECKS
from controller.ledger import Reader
from controller.roles import Roles
from controller.store import Store
from device.wire.checkup import Finding
from device.wire.messages import Place
from menshen import main
from tests.bystanders import PLACE, running, state
from tests.guarded import Guarded


class Whole(Guarded):
    """An installation with a door that has a port, and a configuration on disk."""

    def __init__(self, folder: Path) -> None:
        super().__init__(folder)
        doors = msgspec.structs.replace(self.installation.doors, enrol=free_port())
        (self.installation.folder / "doors.json").write_bytes(msgspec.json.encode(doors))
        self.config = Config(
            store=StoreSection(path=str(folder / "controller.db")),
            wire=self.installation.wire,
            identity=IdentitySection(folder=str(self.installation.folder)),
            rules=RulesSection(),
        )
        self.toml = folder / "controller.toml"
        self.toml.write_text(
            f'[store]\npath = "{folder}/controller.db"\n[identity]\nfolder = "{self.installation.folder}"\n',
            encoding="utf-8",
        )

    def examined(self, lang: str = "en") -> tuple[int, dict[str, dict[str, Any]]]:
        asked = ["controller", "doctor", "--json", "--lang", lang, "--config", str(self.toml)]
        result = CliRunner().invoke(main, asked)
        return result.exit_code, {row["check"]: row for row in json.loads(result.output)}


@pytest.fixture
def whole(tmp_path: Path) -> Iterator[Whole]:
    made = Whole(tmp_path)
    yield made
    made.stop()


def test_a_controller_at_work_is_well(whole: Whole) -> None:
    whole.admit(PLACE)
    with running(whole.config):
        code, found = whole.examined()
    assert {row["check"] for row in found.values() if row["state"] in ("warn", "fail")} <= {"disk", "fsync", "clock"}
    assert found.keys() == CHECKS.keys()
    assert code == (1 if any(row["state"] == "fail" for row in found.values()) else 0)
    for check in ("database", "broker", "round_trip", "roles", "door", "ledger", "certificates"):
        assert found[check]["state"] == "ok", found[check]
        assert found[check]["fix"] == ""


def test_what_is_missing_is_named_with_its_fix_in_both_languages(whole: Whole) -> None:
    whole.broker.stop()
    code, found = whole.examined()
    assert code == 1
    assert {name for name, row in found.items() if row["state"] == "fail"} >= {"database", "broker", "door"}
    assert "menshen-broker" in found["broker"]["fix"]
    assert "menshen controller run" in found["database"]["fix"]
    assert "防火墙" in whole.examined("zh")[1]["door"]["fix"]
    whole.broker.start()


def test_a_broker_that_knows_others_than_the_book_is_noticed(whole: Whole) -> None:
    with Roles(whole.installation.wire) as roles:
        roles.add(Place("expo", "west"), "expo.west.7k3m9")
    found = line.roles(whole.installation)
    assert found.state == "fail"
    assert "expo.west.7k3m9" in found.detail.en


def test_a_message_that_does_not_come_back_is_a_failure(whole: Whole) -> None:
    *_, found = line.broker(msgspec.structs.replace(whole.installation.wire, certificate="/nowhere"), answer_s=0.3)
    assert (found.name, found.state) == ("round_trip", "fail")


def test_another_program_at_the_door_is_not_taken_for_it(whole: Whole) -> None:
    found = line.door(whole.installation.doors.own)
    assert found.state == "fail"


def test_certificates_that_end_are_named(whole: Whole) -> None:
    whole.installation.ledger.enrolled(PLACE, "expo.north.7k3m9", at=0, until=1)
    whole.installation.ledger.admitted(Reader("ha", "7k3m9", until=1))
    found = health.ledger(whole.installation, datetime.now(tz=UTC))
    assert found.state == "warn"
    assert "expo.north.7k3m9" in found.detail.en
    assert "reader.ha-7k3m9" in found.detail.en
    assert health.certificates(whole.installation, datetime.now(tz=UTC)).state == "ok"
    assert health.certificates(whole.installation, datetime.now(tz=UTC) + timedelta(days=3645)).state == "warn"
    assert health.certificates(whole.installation, datetime.now(tz=UTC) + timedelta(days=3660)).state == "fail"


def damaged(folder: Path) -> Finding:
    """Return what is found of a database whose pages were overwritten in the middle."""
    path = folder / "controller.db"
    with Store(path) as store:
        with store.transaction():
            for number in range(2000):
                store.entrance(Place("expo", f"door-{number}"))
        store.db.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    with path.open("r+b") as file:
        size = path.stat().st_size
        file.seek(size // 2 // 4096 * 4096)
        file.write(b"\xff" * 8192)
    with Store(path, read_only=True) as store:
        return health.database(store, path)


def test_a_damaged_database_is_a_failure(tmp_path: Path) -> None:
    found = damaged(tmp_path)
    assert found.state == "fail"
    assert ".recover" in found.fix.en


def test_a_gate_that_holds_much_back_is_named(tmp_path: Path) -> None:
    with Store(tmp_path / "controller.db") as store:
        store.register(PLACE)
        store.document(store.entrance(PLACE), "state", state(spool_depth=999))
        assert health.backlog(store).state == "ok"
        store.document(store.entrance(PLACE), "state", state(spool_depth=5000))
        found = health.backlog(store)
    assert found.state == "warn"
    assert "expo/north 5000" in found.detail.en


def test_a_configuration_that_cannot_be_read_is_all_that_is_said(tmp_path: Path) -> None:
    (tmp_path / "controller.toml").write_text("[stor]\n", encoding="ascii")
    result = CliRunner().invoke(
        main, ["controller", "doctor", "--lang", "en", "--config", f"{tmp_path}/controller.toml"]
    )
    assert result.exit_code == 1
    assert "did you mean store" in result.output
    assert "configuration" in result.output
