from __future__ import annotations

import ssl
import stat
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from controller import digest
from controller.broker import Broker, BrokerError
from controller.journal import TOPIC as JOURNAL
from controller.mosquitto import plugin
from controller.roles import Roles, RolesError
from device.wire.messages import Place, Status, encode
from tests.attacker import connect, publish, subscribe
from tests.guarded import Ear, Guarded, guarded

NORTH, SOUTH = Place("expo", "north"), Place("expo", "south")
REVOKED = encode(Status(state="offline", reason="revoked"))
KEPT = b"\x11\xff\xff\xff\xff"  # a session that never expires


@pytest.fixture
def on(tmp_path: Path) -> Iterator[Guarded]:
    with guarded(tmp_path) as running:
        yield running


@pytest.fixture
def ear(on: Guarded) -> Iterator[Ear]:
    listener = Ear(on.installation.wire, "menshen/#")
    yield listener
    listener.link.stop()


def test_a_revoked_gate_is_cut_off_at_once_and_its_will_is_said_for_it(on: Guarded, ear: Ear) -> None:
    _, north = on.admit(NORTH)
    with on.attacker(north.path) as gate:
        assert gate.ask(connect(will=(NORTH.topic("status"), b"lost"))) == "connack 0x00"
        assert on.registrar.revoke(NORTH)
        assert str(gate.hear()) == "disconnect 0x98"  # administrative action
        assert gate.ask(publish(NORTH.topic("scan"))) == "closed"
    assert ear.until(NORTH.topic("status"), REVOKED) == []


@pytest.mark.parametrize(
    "then",
    [
        lambda _: None,
        lambda on: (on.broker.stop(), on.broker.start()),
        lambda on: (on.broker.kill(), on.broker.start()),
    ],
    ids=["reconnecting", "after the broker was stopped", "after the broker was killed"],
)
def test_a_revoked_gate_comes_back_to_nothing(then: Callable[[Guarded], object], on: Guarded) -> None:
    _, north = on.admit(NORTH)
    _, south = on.admit(SOUTH)
    assert on.registrar.revoke(NORTH)
    then(on)
    listener = Ear(on.installation.wire, "menshen/#")
    for first in (connect(), connect(will=(NORTH.topic("status"), b"back"))):
        with on.attacker(north.path) as gate:
            assert gate.ask(first, publish(NORTH.topic("scan"), b"back", retain=True)) == "puback 0x87"
            assert gate.ask(subscribe(NORTH.topic("ack"))) == "suback 0x87"
    with on.attacker(south.path) as gate:
        assert gate.ask(connect(), publish(SOUTH.topic("scan"), b"here")) == "puback 0x00"
    assert {topic for topic, _ in listener.until(SOUTH.topic("scan"), b"here")} <= {NORTH.topic("status")}
    listener.link.stop()


@pytest.mark.parametrize(
    "topic",
    [digest.topic("expo"), JOURNAL, NORTH.topic("alert/fire"), "menshen/controller/night-1/alert/notifier_failed"],
)
def test_what_the_controller_says_is_let_through_and_no_gate_says_it(on: Guarded, ear: Ear, topic: str) -> None:
    _, north = on.admit(NORTH)
    with on.attacker(north.path) as gate:
        assert gate.ask(connect(), publish(topic, b"forged")) == "puback 0x87"
    assert ear.link.say(topic, b"said", qos=1)
    assert ear.until(topic, b"said") == []


def test_a_session_that_was_kept_is_worth_nothing_after_revoking(on: Guarded, ear: Ear) -> None:
    _, north = on.admit(NORTH)
    with on.attacker(north.path) as gate:
        assert gate.ask(connect(properties=KEPT), subscribe(NORTH.topic("cmd/open"))) == "suback 0x01"
    assert ear.link.say(NORTH.topic("cmd/open"), b"first", qos=1)
    ear.until(NORTH.topic("cmd/open"), b"first")
    assert on.registrar.revoke(NORTH)
    assert ear.link.say(NORTH.topic("cmd/open"), b"second", qos=1)
    ear.until(NORTH.topic("cmd/open"), b"second")
    with on.attacker(north.path) as gate:
        assert gate.ask(connect(properties=KEPT, resume=True)) == "connack 0x00"
        assert gate.ask(publish(NORTH.topic("scan"))) == "puback 0x87"  # and no command came before this answer


def test_a_gate_hears_of_its_neighbours_from_the_controller_and_from_nobody_else(on: Guarded, ear: Ear) -> None:
    _, north = on.admit(NORTH)
    with on.attacker(north.path) as gate:
        assert gate.ask(connect()) == "connack 0x00"
        for word in ("seen", "occupancy"):
            assert gate.ask(subscribe(NORTH.topic(word))) == "suback 0x01"
            assert gate.ask(subscribe(SOUTH.topic(word))) == "suback 0x87"
            for place in (NORTH, SOUTH):
                assert gate.ask(publish(place.topic(word))) == "puback 0x87"
        for word in ("seen", "occupancy"):
            assert ear.link.say(NORTH.topic(word), b"said")
            assert str(gate.hear()) == "publish"


def test_a_gate_that_was_replaced_gets_nothing_of_what_its_successor_may(on: Guarded) -> None:
    _, stolen = on.admit(NORTH)
    with on.attacker(stolen.path) as before:
        assert before.ask(connect()) == "connack 0x00"
        _, fresh = on.admit(NORTH)
        assert str(before.hear()) == "disconnect 0x98"
    with on.attacker(fresh.path) as gate, on.attacker(stolen.path) as thief:
        assert gate.ask(connect(), publish(NORTH.topic("scan"))) == "puback 0x10"
        assert thief.ask(connect(), publish(NORTH.topic("scan"))) == "puback 0x87"
        assert gate.ask(publish(NORTH.topic("scan"))) == "puback 0x10"  # nor can the thief push it off the broker


def test_one_key_in_two_places_is_noticed_by_the_first_and_in_the_log(on: Guarded) -> None:
    name, north = on.admit(NORTH)
    with on.attacker(north.path) as first, on.attacker(north.path) as second:
        assert first.ask(connect("one")) == "connack 0x00"
        assert second.ask(connect("another")) == "connack 0x00"  # the name counts, not the client id
        with pytest.raises((EOFError, ConnectionError, ssl.SSLError)):
            print(first.hear())
        assert second.ask(publish(NORTH.topic("scan"))) == "puback 0x10"
    assert on.told("twice").who == name


def test_the_broker_follows_the_book(on: Guarded) -> None:
    kept, _ = on.admit(NORTH)
    on.admit(SOUTH)
    new = "expo.west.7k3m9"
    with Roles(on.installation.wire) as roles:
        assert roles.agree([kept, new]) == [SOUTH, Place("expo", "west")]
        assert roles.agree([kept, new]) == []
        assert roles.agree([]) == [NORTH, Place("expo", "west")]
        assert not roles.revoke(NORTH)  # there is nobody left


def test_roles_are_on_disk_before_the_broker_answers(on: Guarded) -> None:
    name, _ = on.admit(NORTH)
    known = on.installation.folder / "broker/dynamic-security.json"
    assert name in known.read_text()
    assert on.registrar.revoke(NORTH)
    assert name not in known.read_text()


def test_written_anew_the_broker_still_knows_its_gates(on: Guarded) -> None:
    _, north = on.admit(NORTH)
    on.broker.stop()
    on.installation.make(on.installation.folder, on.installation.doors).ledger.close()
    on.broker.start()
    with on.attacker(north.path) as gate:
        assert gate.ask(connect(), publish(NORTH.topic("scan"))) == "puback 0x10"


def test_several_programs_of_the_controllers_may_be_connected(on: Guarded, ear: Ear) -> None:
    with Roles(on.installation.wire), Roles(on.installation.wire) as second:
        assert second.agree([]) == []
    assert ear.link.up


def test_secrets_are_their_owners_alone(on: Guarded) -> None:
    on.admit(NORTH)
    modes = {path.name: stat.S_IMODE(path.stat().st_mode) for path in on.installation.folder.rglob("*")}
    assert {name for name, mode in modes.items() if mode & 0o077} <= {"mosquitto.log", "dynamic-security.json"}


def test_a_broker_that_is_not_there_is_named(on: Guarded) -> None:
    wire = on.installation.wire
    on.broker.stop()
    with pytest.raises(RolesError, match=f"nobody answers at 127.0.0.1:{wire.port}"), Roles(wire):
        pass


def test_a_broker_that_lost_its_roles_lets_nobody_do_anything_until_its_next_start(on: Guarded) -> None:
    _, north = on.admit(NORTH)
    on.broker.stop()
    (on.installation.folder / "broker/dynamic-security.json").write_text("", encoding="ascii")  # the power went
    Broker.start(on.broker)  # as anybody may who does not prepare it
    with pytest.raises(RolesError, match="does not answer us"), Roles(on.installation.wire, wait_s=0.3):
        pass
    with on.attacker(north.path) as gate:
        assert gate.ask(connect(), publish(NORTH.topic("scan"))) == "puback 0x87"
    on.broker.stop()
    on.broker.start()
    with on.attacker(north.path) as gate:
        assert gate.ask(connect(), publish(NORTH.topic("scan"))) == "puback 0x10"


def test_a_plugin_that_is_missing_or_for_another_machine_is_named(tmp_path: Path) -> None:
    other = bytearray(plugin().read_bytes()[:20])
    other[18:20] = b"\xf7\x00"  # another processor
    (tmp_path / "mosquitto_dynamic_security.so").write_bytes(other)
    with pytest.raises(BrokerError, match="apt-get install mosquitto"):
        plugin((str(tmp_path),))
