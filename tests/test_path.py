"""Read me second: one picture to one alert, through every room, over a real mosquitto, as told in docs/path.md."""

from __future__ import annotations

import queue
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, NamedTuple

import msgspec
import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller import config as controllers
from controller.__main__ import Controller
from controller.broker import Broker
from controller.store import Store
from device import config as gates
from device.__main__ import Gate
from device.codes import ms1
from device.codes.trust import make_site_key, trusted
from device.settings import convert
from device.wire.link import Heard, Link, LinkSaid
from device.wire.messages import PassKind, Place
from hardware.stage import Stage

NORTH = Place("expo", "north")
DAY = 86400
DEADLINE_S = 30.0
RELAY, RED, GREEN = 17, 22, 23


class World(NamedTuple):
    """A gate, a controller, and somebody who listens to what they say."""

    folder: Path
    gate: Gate
    stage: Stage
    key: Ed25519PrivateKey
    heard: queue.SimpleQueue[LinkSaid]
    policy: int

    def issue(self, *, until: int, kind: PassKind = "visitor", place: str = "expo") -> str:
        return ms1.issue(
            self.key, kind=kind, subject="visitor 1", places=(place,), not_before=until - DAY, not_after=until
        )

    def until(self, word: str, **fields: Any) -> dict[str, Any]:
        """Return the first message below the entrance that has these fields; an empty payload is {}."""
        deadline = time.monotonic() + DEADLINE_S
        while (left := deadline - time.monotonic()) > 0:
            try:
                said = self.heard.get(timeout=left)
            except queue.Empty:
                break
            if isinstance(said, Heard) and said.topic == NORTH.topic(word):
                payload = msgspec.json.decode(said.payload or b"{}", type=dict[str, Any])
                if fields.items() <= payload.items() and bool(fields) == bool(payload):
                    return payload
        pytest.fail(f"nobody said {word} with {fields} within {DEADLINE_S:g} s")

    def lit(self, number: int) -> bool:
        """Tell whether a lamp's pin is high."""
        return bool(self.gate.factory.pin(number).state)

    @staticmethod
    def wait(condition: Callable[[], bool]) -> None:
        """Wait until something holds."""
        deadline = time.monotonic() + DEADLINE_S
        while not condition():
            assert time.monotonic() < deadline, "it did not happen in time"
            time.sleep(0.01)

    def released(self) -> bool:
        """Tell whether the relay, which another process holds, has ever moved."""
        return bool(self.gate.factory.levels.read(RELAY).edges)


@pytest.fixture
def world(tmp_path: Path, broker: Broker) -> Iterator[World]:
    yield from at_work(tmp_path, broker)


def at_work(tmp_path: Path, broker: Broker, **sections: dict[str, Any]) -> Iterator[World]:
    """Run a gate, with these sections added to its settings, and its controller."""
    key = Ed25519PrivateKey.generate()
    make_site_key(tmp_path / "site.key")
    scene = tmp_path / "scene.json"
    wire = {"host": broker.wire.host, "port": broker.wire.port}
    raw = {
        "gate": {
            **NORTH._asdict(),
            "data": str(tmp_path / "gate"),
            "site_key": str(tmp_path / "site.key"),
            "clock": "battery",
        },
        "wire": wire,
        "camera": {"driver": "emulated", "source": str(scene), "fps": 15},
        "decoder": {"gone_s": 0.3},
        "pins": {"driver": "mock", "beam_outer": 25, "beam_inner": 16, "fire": 12},
        **sections,
    }
    gate = Gate(convert(gates.Config, raw, source="test"))
    settings = {"store": {"path": str(tmp_path / "controller.db")}, "wire": wire, "rules": {"abnormal_hold_s": 2}}
    controller = Controller(convert(controllers.Config, settings, source="test"))
    with Store(tmp_path / "controller.db") as registry:
        registry.register(NORTH, "北门", "North gate")
        registry.trust_key(trusted(key.public_key()))
        policy = registry.version()
    heard: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
    listener = Link(broker.wire, name="listener", hear=("menshen/#",), put=heard.put)
    listener.start()
    threads = [threading.Thread(target=part.run) for part in (controller, gate)]
    for thread in threads:
        thread.start()
    yield World(tmp_path, gate, Stage.around(gate.factory, gate.config.pins, scene), key, heard, policy)
    gate.stop()
    controller.stop()
    for thread in threads:
        thread.join(timeout=20)
        assert not thread.is_alive()
    listener.stop()


def test_a_picture_becomes_a_lamp_a_stored_event_and_an_alert(world: World) -> None:
    world.until("policy/applied", version=world.policy, problem="")
    expired = world.issue(until=int(time.time()) - DAY)
    world.stage.do(f"show {expired}")
    scan = world.until("scan", event_type="refuse", reasons=["invalid_time"])
    assert world.lit(RED)
    assert not world.released()
    ack = world.until("ack", spool=scan["spool"])
    assert ack["seq"] >= scan["seq"]
    alert = world.until("alert/abnormal_code", kind="abnormal_code", severity="warning")
    assert alert["what"]["zh"]
    assert alert["what"]["en"]

    with Store(world.folder / "controller.db", read_only=True) as store:
        rows = list(store.db.query("SELECT * FROM scans"))
        assert [(row["outcome"], row["seq"]) for row in rows] == [("refuse", scan["seq"])]
        assert store.open_alerts()
    for path in world.folder.rglob("*.db*"):
        assert expired.encode() not in path.read_bytes(), "a code's text must not leave the lens"

    world.until("alert/abnormal_code")  # empty: resolved, some seconds after the last abnormal code


def test_a_good_picture_opens_and_the_passage_is_known(world: World) -> None:
    world.until("policy/applied", version=world.policy, problem="")
    world.stage.do(f"show {world.issue(until=int(time.time()) + DAY)}")
    scan = world.until("scan", event_type="grant", reasons=[])
    world.wait(world.released)
    assert world.lit(GREEN)
    world.stage.do("hide")
    world.stage.do("walk in")
    passage = world.until("passage", event_type="passed", direction="in")
    assert passage["scan"] == scan["seq"]


def test_a_lost_connection_changes_nothing_at_the_gate(world: World, broker: Broker) -> None:
    world.until("policy/applied", version=world.policy, problem="")
    broker.kill()
    world.stage.do(f"show {world.issue(until=int(time.time()) + DAY)}")
    world.wait(world.released)
    broker.start()
    # Asked of the database: whoever listens may be back on the broker after it was said.
    deadline = time.monotonic() + DEADLINE_S
    with Store(world.folder / "controller.db", read_only=True) as store:
        while not (outcomes := [row["outcome"] for row in store.db.query("SELECT outcome FROM scans")]):
            assert time.monotonic() < deadline, "the event did not arrive"
            time.sleep(0.05)
    assert outcomes == ["grant"]


def test_a_fire_opens_and_operators_are_told(world: World) -> None:
    world.until("policy/applied", version=world.policy, problem="")
    world.stage.do("fire yes")
    alert = world.until("alert/fire", kind="fire", severity="critical")
    assert alert["what"]["zh"]
    assert world.gate.factory.levels.read(RELAY).high
    world.stage.do("fire no")
    world.until("alert/fire")  # empty: resolved
    assert not world.gate.factory.levels.read(RELAY).high
