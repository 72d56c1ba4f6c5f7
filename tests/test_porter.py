"""Beside the desk: refusals become alerts, the broker follows the book, and a thread that dies ends the controller."""

from __future__ import annotations

import json
import threading
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
from click.testing import CliRunner

from controller.__main__ import Controller
from controller.attempts import sort
from controller.authority import name_for
from controller.broker import free_port
from controller.config import Config, IdentitySection, RulesSection, StoreSection
from controller.desk import DeskError
from controller.doors import Doors
from controller.facts import Run
from controller.installation import GuardedBroker, Installation
from controller.ledger import Noted
from controller.porter import Porter
from controller.store import Store
from device.wire.messages import Place
from menshen import main
from tests.bystanders import PATIENCE_S, Ear, rows, running, wait
from tests.guarded import HERE

NORTH, SOUTH = Place("expo", "north"), Place("expo", "south")
NAME = "expo.north.7k3m9"


def at(second: int) -> datetime:
    return datetime.fromtimestamp(second, tz=UTC)


def test_what_was_refused_is_put_together_by_entrance() -> None:
    found = sort(
        [
            Noted("handshake", "", "no peer certificate", 1, 9, 900),
            Noted("handshake", "192.0.2.7", "x", 1, 9, 900),
            Noted("publish", NAME, "#", 5, 8, 3),
            Noted("revoked", "expo.north.00000", "192.0.2.7:1", 2, 6, 2),
            Noted("twice", NAME, "old connection", 4, 7, 6),
            Noted("will", "expo.south.00000", "x", 3, 3, 1),
            Noted("publish", "controller", "x", 3, 3, 1),
        ]
    )
    assert found.refused == {
        NORTH: Run(since=at(2), last=at(8), count=5, reason="publish"),
        SOUTH: Run(since=at(3), last=at(3), count=1, reason="will"),
    }
    assert found.takeovers == {NORTH: Run(since=at(4), last=at(7), count=6, reason="twice")}


@pytest.fixture
def installation(tmp_path: Path) -> Iterator[Installation]:
    doors = Doors(host=HERE, gates=free_port(), own=free_port(), enrol=free_port())
    with Installation.make(tmp_path / "authority", doors) as made:
        yield made


@pytest.fixture
def config(installation: Installation, tmp_path: Path) -> Config:
    with Store(tmp_path / "controller.db") as store:
        store.register(NORTH)
    return Config(
        store=StoreSection(path=str(tmp_path / "controller.db")),
        wire=installation.wire,
        identity=IdentitySection(folder=str(installation.folder)),
        rules=RulesSection(refused_hold_s=4),
    )


@pytest.fixture
def broker(installation: Installation) -> Iterator[GuardedBroker]:
    mosquitto = GuardedBroker(installation)
    mosquitto.start()
    yield mosquitto
    mosquitto.stop()


def test_refusals_are_an_alert_until_it_is_quiet(
    broker: GuardedBroker, installation: Installation, config: Config
) -> None:
    name, now = name_for(NORTH), int(datetime.now(tz=UTC).timestamp())
    with running(config):
        ear = Ear(broker)
        installation.ledger.refused([Noted("publish", name, "menshen/expo/south/scan", now, now, 1)])
        alert = ear.alert("unauthorized_client")
        assert (alert.severity, alert.count) == ("warning", 1)
        ear.over("unauthorized_client")
        ear.stop()


@pytest.mark.usefixtures("broker")
def test_what_was_refused_before_the_start_leaves_its_alert_open(installation: Installation, config: Config) -> None:
    now = int(datetime.now(tz=UTC).timestamp())
    installation.ledger.refused([Noted("twice", name_for(NORTH), "old connection", now, now + 60, 9)])
    for _ in range(2):
        with running(config):
            wait(lambda: rows(config, "SELECT state FROM alerts WHERE kind = 'cloned_gate'") == [("open",)])
    assert rows(config, "SELECT count(*) FROM alerts WHERE kind = 'cloned_gate'") == [(1,)]


@pytest.mark.usefixtures("broker")
def test_what_was_refused_long_ago_is_forgotten(installation: Installation, config: Config) -> None:
    now, day = int(datetime.now(tz=UTC).timestamp()), 86400
    old, recent = (
        Noted("handshake", who, "x", 1, now - ago, 1) for who, ago in (("192.0.2.7", 15 * day), ("192.0.2.8", day))
    )
    installation.ledger.refused([old, recent])
    for_ever = Porter(Installation(installation.folder), lambda _: None, hold_s=4)
    for_ever._forget()
    for_ever.stop()
    assert installation.ledger.refusals() == [recent, old]
    with running(config):
        wait(lambda: installation.ledger.refusals() == [recent])


def test_a_purge_forgets_what_was_refused(installation: Installation, config: Config, tmp_path: Path) -> None:
    settings = tmp_path / "controller.toml"
    settings.write_text(f'[store]\npath = "{config.store.path}"\n[identity]\nfolder = "{installation.folder}"\n')
    names = (NAME, "expo.south.00000", "192.0.2.7")
    installation.ledger.refused([Noted("publish", name, "x", 1, 9, 1) for name in names])
    asked = ["purge", "--json", "--config", str(settings), "--older", "1d"]

    def forgotten(*more: str) -> int:
        done = CliRunner().invoke(main, [*asked, *more])
        assert done.exit_code == 0, done.output
        return next(int(each["count"]) for each in json.loads(done.stdout) if each["what"] == "refusals")

    assert forgotten("--entrance", "expo/north", "--dry-run") == 1
    assert len(installation.ledger.refusals()) == 3
    assert forgotten("--entrance", "expo/north") == 1
    assert {each.who for each in installation.ledger.refusals()} == {*names[1:]}
    assert forgotten() == 2
    assert installation.ledger.refusals() == []


def test_the_broker_follows_the_book_when_it_is_back(
    broker: GuardedBroker, installation: Installation, config: Config
) -> None:
    known = installation.folder / "broker" / "dynamic-security.json"
    name, other = name_for(NORTH), name_for(SOUTH)
    installation.ledger.enrolled(SOUTH, other, at=1, until=2)
    with running(config):
        wait(lambda: other in known.read_text(encoding="utf-8"))
        broker.kill()
        installation.ledger.enrolled(NORTH, name, at=1, until=2)
        super(GuardedBroker, broker).start()  # with the roles it last knew
        wait(lambda: name in known.read_text(encoding="utf-8"))


@pytest.mark.usefixtures("broker")
@pytest.mark.parametrize("thread", ["door", "porter"])
def test_a_thread_that_dies_ends_the_controller(config: Config, thread: str) -> None:
    controller = Controller(config)
    porter = controller.porter
    assert porter
    end = {"door": porter._door.stop, "porter": lambda: porter.inbox.put(None)}  # as an exception in it would
    late = threading.Timer(PATIENCE_S, controller.stop)
    for timer in (threading.Timer(0.5, end[thread]), late):
        timer.start()
    with pytest.raises(DeskError, match=f"the {thread} thread died"):
        controller.run()
    late.cancel()


def test_a_door_that_is_taken_is_said(config: Config) -> None:
    first = Controller(config)
    with pytest.raises(OSError, match="in use"):
        Controller(config)
    assert first.porter
    first.porter.stop()
    first.store.close()
