"""Two real gates of one site, and the controller between them: who is in at one does not come in at the other."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.broker import Broker
from controller.config import Config
from controller.store import Store
from device import config as configuration
from device.__main__ import Gate
from device.codes.trust import keyed_hash, make_site_key
from device.memory import Memory
from device.settings import convert
from device.sight import Code, Seen
from device.wire.messages import Place
from tests.bystanders import Ear, configured, rows, running, wait

NORTH, SOUTH = Place("expo", "north"), Place("expo", "south")
CARDS = (b"member 4711", b"member 4712")


class Site:
    """Two gates that run, and what they and the controller have on their disks."""

    def __init__(self, folder: Path, broker: Broker, config: Config, key: bytes) -> None:
        self.config = config
        self._folder = folder
        self._key = key
        self.gates = {place: self._gate(place, broker) for place in (NORTH, SOUTH)}
        self._threads = [threading.Thread(target=gate.run) for gate in self.gates.values()]
        for thread in self._threads:
            thread.start()

    def _gate(self, place: Place, broker: Broker) -> Gate:
        folder = self._folder / place.entrance
        folder.mkdir()
        raw = {
            "gate": {
                **place._asdict(),
                "data": str(folder),
                "site_key": str(self._folder / "site.key"),
                "clock": "battery",
            },
            "wire": {"host": broker.wire.host, "port": broker.wire.port},
            "camera": {"driver": "emulated", "source": str(folder / "scene.json"), "fps": 1},
            "pins": {"driver": "mock"},
            "reentry": {"mode": "direction"},
        }
        return Gate(convert(configuration.Config, raw, source="test"))

    def show(self, place: Place, card: bytes) -> None:
        """Hold a card before the lens of a gate."""
        now = time.monotonic()
        code = Code(data=card, text=card.decode(), symbology="QRCode")
        self.gates[place].inbox.put(Seen(code=code, frame_at=now, read_at=now))

    def knows(self, place: Place, card: bytes) -> bool:
        """Tell whether a gate has on its disk that this card went in."""
        memory = Memory(self._folder / place.entrance / "memory.db")
        known = memory.begun and bool(memory.of(keyed_hash(self._key, card)))
        memory.close()
        return known

    def scans(self) -> set[tuple[str, str, str]]:
        """Return entrance, outcome and reasons of what the controller has."""
        return set(rows(self.config, "SELECT entrance, outcome, coalesce(reasons, '') FROM scans"))

    def stop(self) -> None:
        for gate in self.gates.values():
            gate.stop()
        for thread in self._threads:
            thread.join(timeout=20)
            assert not thread.is_alive()


@pytest.fixture
def site(tmp_path: Path, broker: Broker) -> Iterator[Site]:
    key = make_site_key(tmp_path / "site.key")
    config = configured(broker, tmp_path)
    with Store(Path(config.store.path)) as store:
        for place in (NORTH, SOUTH):
            store.register(place)
        store.list_code(*(keyed_hash(key, card) for card in CARDS))
    with running(config):
        site = Site(tmp_path, broker, config, key)
        for gate in site.gates.values():
            wait(lambda gate=gate: gate.entrance._policy.desired.version > 0)  # type: ignore[misc]
        yield site
        site.stop()


def test_who_is_in_does_not_come_in_elsewhere_and_what_nobody_could_know_is_found(site: Site, broker: Broker) -> None:
    site.show(NORTH, CARDS[0])
    wait(lambda: site.knows(SOUTH, CARDS[0]))
    site.show(SOUTH, CARDS[0])
    wait(lambda: site.scans() == {("north", "grant", ""), ("south", "refer", "passback")})
    broker.kill()
    for place in (NORTH, SOUTH):
        wait(lambda place=place: not site.gates[place].link.up)  # type: ignore[misc]
        site.show(place, CARDS[1])
        wait(lambda place=place: site.knows(place, CARDS[1]))  # type: ignore[misc]
    broker.start()
    ear = Ear(broker, "menshen/+/+/alert/passback_conflict")
    alert = ear.until(lambda heard: bool(heard.payload), within_s=30)
    assert b"had been let in already" in alert.payload
    assert ("south", "grant", "") in site.scans()
    ear.stop()
