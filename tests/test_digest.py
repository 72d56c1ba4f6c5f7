"""How a site stands, in one document."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import msgspec

from controller.broker import Broker
from controller.digest import Digest, digests, is_digest, topic
from controller.store import Store
from device.wire.messages import Place, decode
from tests.bystanders import PLACE, WHEN, Ear, Gate, configured, rows, running, state
from tests.test_storm import alert

CALM = Digest(worst="none", open=0, unacknowledged=0, escalated=0, silenced=0)


def test_it_counts_what_is_open_and_names_the_worst_that_is_not_silenced() -> None:
    def one(**how: Any) -> Any:
        return msgspec.structs.replace(alert(PLACE, "fire", 1), **how)

    alerts = [
        one(severity="info"),
        one(severity="warning", state="acknowledged", acknowledged_by="guard 7"),
        one(severity="warning", state="escalated", escalated_at=WHEN),
        one(severity="critical", silenced_until=WHEN),
    ]
    assert digests(alerts, {"expo", "fair"}) == {
        "expo": Digest(worst="warning", open=4, unacknowledged=3, escalated=1, silenced=1),
        "fair": CALM,
    }
    assert is_digest(topic("expo"))
    assert not is_digest("menshen/expo/north/alerts")


def test_it_is_retained_and_changes_as_the_site_does(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    config = configured(broker, tmp_path)
    with Store(Path(config.store.path)) as store:
        store.register(PLACE)
        store.register(Place("fair", "east"))
    ear = Ear(broker, "menshen/+/alerts")

    def until(site: str, wanted: Digest) -> None:
        ear.until(lambda heard: heard.topic == topic(site) and decode(Digest, heard.payload) == wanted)

    with running(config):
        gate.online()
        until("expo", CALM)
        gate.retain("state", state(staffing="unstaffed", on_duty=()))
        until("expo", Digest(worst="warning", open=1, unacknowledged=1, escalated=0, silenced=0))
        gate.retain("state", state())
        until("expo", CALM)
    ear.stop()
    late = Ear(broker, topic("fair"))
    assert late.until(lambda heard: heard.topic == topic("fair")).retained
    late.stop()
    assert rows(config, "SELECT * FROM quarantine") == []
