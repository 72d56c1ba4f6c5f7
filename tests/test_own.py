"""What goes wrong with the controller itself is an alert like any other, at a place of its own."""

from __future__ import annotations

import queue
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from controller.config import AlertsSection, RulesSection
from controller.database import StoreError
from controller.desk import Desk
from controller.history import WantedAlerts, alerts
from controller.overview import entrances
from controller.rights import Person
from controller.store import Store
from device.wire.link import LinkChanged
from device.wire.messages import Alert, Place, decode
from tests.bystanders import PLACE, WHEN

NIGHT = Place("controller", "night-1a2b3c4d")
TOPIC = NIGHT.topic("alert/notifier_failed")


class World:
    """A desk whose clock and notifiers are in our hand, and what a broker would retain."""

    def __init__(self, store: Store) -> None:
        self.store, self.at, self.failing = store, WHEN, dict[Place, datetime]()
        self.retained: dict[str, bytes] = {}
        self.begin()

    def begin(self) -> None:
        self.desk = Desk(
            store=self.store, rules=RulesSection(), alerts=AlertsSection(update_s=0), inbox=queue.SimpleQueue(),
            say=self._say, clock=lambda: self.at, failing=lambda: self.failing,
        )  # fmt: skip
        self.desk._link(LinkChanged(up=True))

    def _say(self, topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        if retain and qos:
            self.retained[topic] = payload
        return True

    def after(self, seconds: float) -> None:
        self.at += timedelta(seconds=seconds)
        self.desk._work([], tick=True)

    def alert(self) -> Alert:
        return decode(Alert, self.retained[TOPIC])


def test_a_notifier_that_fails_is_an_alert_with_a_life(tmp_path: Path) -> None:
    with Store(tmp_path / "controller.db") as store:
        store.register(PLACE)
        world = World(store)
        world.failing[NIGHT] = WHEN
        world.after(29)
        assert TOPIC not in world.retained, "it may mend itself"
        world.after(1)
        raised = world.alert()
        assert (raised.kind, raised.severity, raised.since, raised.state) == (
            "notifier_failed", "critical", WHEN, "raised",
        )  # fmt: skip
        assert raised.what.en == "the notifier night-1a2b3c4d does not get through"
        world.after(120)
        assert world.alert().state == "escalated"
        store.acknowledge(raised.id, "guard 7", "the token has ended")
        world.begin()
        world.after(1)
        assert (world.alert().id, world.alert().acknowledged_by) == (raised.id, "guard 7"), "also after a restart"
        world.failing.clear()
        world.after(1)
        assert world.retained[TOPIC] == b""
        changes = [entry["what"]["change"] for entry in reversed(store.journal_entries())]
        assert [each for each in changes if each != "silenced"][-4:] == [
            "raised", "escalated", "acknowledged", "resolved",
        ]  # fmt: skip


def test_it_is_on_the_board_while_it_is_open_and_no_entrance_otherwise(tmp_path: Path) -> None:
    everybody = Person(name="guard 7", role="viewer", reach=())
    with Store(tmp_path / "controller.db") as store:
        world = World(store)
        world.failing[NIGHT] = WHEN
        world.after(30)
        (shown,) = entrances(store, world.at, everybody)
        assert (shown.place, shown.rank, [each.kind for each in shown.alerts]) == (
            NIGHT, "critical", ["notifier_failed"],
        )  # fmt: skip
        assert len(alerts(store, WantedAlerts(), everybody).rows) == 1
        assert entrances(store, world.at, Person(name="guard 8", role="viewer", reach=("expo",))) == []
        assert not store.entrances()
        assert not store.registered()
        world.failing.clear()
        world.after(1)
        assert entrances(store, world.at, everybody) == []
        assert len(alerts(store, WantedAlerts(), everybody).rows) == 1


def test_no_entrance_takes_the_controllers_own_site(tmp_path: Path) -> None:
    with Store(tmp_path / "controller.db") as store, pytest.raises(StoreError, match="another name"):
        store.register(Place("controller", "north"))
