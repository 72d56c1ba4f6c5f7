"""What nobody can read, from either side: put aside and alerted; nobody is disconnected, nothing waits behind it."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from controller.broker import Broker
from controller.config import RulesSection
from device.spool import Spool
from device.wire.messages import MAX_PAYLOAD, Alert, Fault, Place, decode, encode
from tests.bystanders import WHEN, Ear, configured, rows, running, wait
from tests.fire.gate import CARD, configure
from tests.test_disk import Standing

PLACE = Place("expo", "north")
CARRIED = 1_048_576  # bytes, as the hardened broker is set
EVENTS = "SELECT seq, kind FROM events ORDER BY seq"
# As it is in the gate's file: a kind that would be a wildcard, bytes, too large, no bytes.
DAMAGED = [("#", b"{}"), (b"\x00", b"{}"), ("scan", b"x" * 2 * CARRIED), ("scan", 4.5), ("duty", "text")]
FOREIGN = [b"", b"not json", b"\xff" * 99, b"[" * MAX_PAYLOAD, b'{"v":2}', b"x" * (CARRIED - 2000), b'{"spool":1}']
TO_THE_CONTROLLER = ("scan", "fault", "state", "health", "status", "policy/applied", "nonsense")
TO_THE_GATE = ("ack", "policy/desired")


@pytest.fixture
def strict(tmp_path: Path) -> Iterator[Broker]:
    """A broker that ends the connection of whoever says too much."""
    broker = Broker(tmp_path)
    with (tmp_path / "mosquitto.conf").open("a") as config:
        config.write(f"max_packet_size {CARRIED}\n")
    broker.start()
    yield broker
    broker.stop()


def damage(path: Path) -> None:
    """Leave a spool behind whose disk has rotted here and there."""
    spool = Spool(path)
    for seq, (kind, payload) in enumerate(DAMAGED, start=1):
        spool._opened().execute("INSERT INTO event VALUES (?, ?, ?)", (seq, kind, payload))
    spool.close()
    spool = Spool(path)
    spool.put("fault", lambda seq: encode(fault(spool.id, seq)))
    spool.close()


def fault(spool: str, seq: int) -> Fault:
    return Fault(
        spool=spool, seq=seq, boot="b0", at=WHEN, mono=1.5, clock="synced", event_type="raised", fault="camera_lost"
    )


def connections(folder: Path) -> tuple[int, int]:
    """Return how often the gate and the controller connected, by the broker's log."""
    log = (folder / "mosquitto.log").read_text()
    return len(re.findall(r"New client connected .* as expo\.north ", log)), len(
        re.findall(r"New client connected .* as controller ", log)
    )


def test_what_nobody_can_read_disconnects_nobody_and_holds_nothing_up(strict: Broker, tmp_path: Path) -> None:
    path = configure(tmp_path, PLACE.entrance, strict.wire)
    damage(tmp_path / PLACE.entrance / "spool.db")
    config = msgspec.structs.replace(configured(strict, tmp_path), rules=RulesSection(quarantine_hold_s=2))
    people = Ear(strict, PLACE.topic("alert/+"))
    gate = Standing(path, strict)
    try:
        with running(config):
            gate.answers()
            for word in TO_THE_CONTROLLER + TO_THE_GATE:
                for payload in FOREIGN:
                    assert people.link.say(PLACE.topic(word), payload)
            assert gate.shown()[0] == "relay"
            good = len(DAMAGED) + 1
            wait(lambda: "scan" in [kind for _, kind in rows(config, EVENTS)])
            assert (good, "fault") in rows(config, EVENTS)
            last = people.until(lambda heard: heard.topic.endswith("/quarantine"))
            assert decode(Alert, last.payload).severity == "warning"
            people.over("quarantine")
            assert gate.shown()[0] == "relay"
    finally:
        gate.stop()
        people.stop()
    assert connections(tmp_path) == (1, 1)
    assert rows(config, "SELECT lost FROM spools") == [(len(DAMAGED),)]
    assert rows(config, "SELECT count FROM runs WHERE name = 'quarantined'") >= [(len(DAMAGED) + len(FOREIGN) * 6,)]
    assert CARD not in str(rows(config, "SELECT payload FROM events"))
