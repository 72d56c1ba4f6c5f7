"""What a stolen or foreign device may try on the broker, and what comes of it: nothing, and the log tells of it.

Every attack is made on a real mosquitto with the configuration that `menshen controller init` writes. `expo/north` is
the stolen gate, `expo/south` an honest one that is connected all the while, as is a controller that hears everything.
"""

from __future__ import annotations

import json
import secrets
import ssl
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import NamedTuple

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.serialization import Encoding
from cryptography.x509.oid import NameOID

from controller.authority import Authority
from controller.refusals import Kind
from controller.roles import CONTROL, GATE_HEARS, GATE_SAYS
from device.wire.messages import Place
from tests.attacker import PINGREQ, Attacker, connect, publish, subscribe, text
from tests.guarded import Ear, Guarded, Pair, guarded

NORTH, SOUTH = Place("expo", "north"), Place("expo", "south")
NOW = datetime.now(tz=UTC)
DELETE = json.dumps({"commands": [{"command": "deleteRole", "rolename": str(SOUTH)}]}).encode()


class Stage:
    """The stolen gate, the honest one, and the controller."""

    def __init__(self, on: Guarded) -> None:
        self.on = on
        self.name, self.north = on.admit(NORTH)
        _, south = on.admit(SOUTH)
        self.south = Ear(on.wire(south), *(SOUTH.topic(word) for word in GATE_HEARS))
        self.controller = Ear(on.installation.wire, "menshen/#", "$SYS/broker/connection/#")

    def stolen(self, *packets: bytes, first: bytes = connect()) -> str:
        """Say something with the stolen gate's key."""
        with self.on.attacker(self.north.path) as attacker:
            return attacker.ask(first, *packets)

    def bare(self, *packets: bytes) -> str:
        """Speak without TLS."""
        with Attacker(self.on.installation.doors.gates, None) as attacker:
            return attacker.ask(*packets)

    def will(self, topic: str) -> str:
        """Leave a will and vanish; the broker says nothing of it to the one who is gone."""
        return self.stolen(first=connect(will=(topic, b'{"v":1,"state":"offline"}')))

    def foreign(self, name: str) -> Path:
        """Return a certificate of that name by another authority."""
        return self.on.pair(name, by=Authority.make(self.on.folder / secrets.token_hex(4))).path

    def nothing_was_said(self) -> None:
        """Check that neither the controller nor the honest gate heard a thing, and that both still can."""
        mark = secrets.token_hex(8).encode()
        assert self.south.link.say(SOUTH.topic("state"), mark)
        assert self.controller.until(SOUTH.topic("state"), mark) == []
        assert self.controller.link.say(SOUTH.topic("ack"), mark)
        assert self.controller.until(SOUTH.topic("ack"), mark) == []  # it hears itself, too
        assert self.south.until(SOUTH.topic("ack"), mark) == []


class Attack(NamedTuple):
    """What is tried, what the attacker is told, and what the log says it was."""

    name: str
    act: Callable[[Stage], str]
    answer: str
    kind: Kind
    what: str = ""


def says(name: str, topic: str, *, what: str | None = None, payload: bytes = b"{}", retain: bool = False) -> Attack:
    said = publish(topic, payload, retain=retain)
    return Attack(name, lambda stage: stage.stolen(said), "puback 0x87", "publish", what or topic)


def hears(name: str, topic: str) -> Attack:
    return Attack(name, lambda stage: stage.stolen(subscribe(topic)), "suback 0x87", "subscribe", topic)


def breaks(name: str, said: bytes, answer: str, what: str) -> Attack:
    return Attack(name, lambda stage: stage.stolen(said), answer, "protocol", what)


def wills(name: str, topic: str) -> Attack:
    return Attack(name, lambda stage: stage.will(topic), "connack 0x00", "will", topic)


def knocks(name: str, act: Callable[[Stage], str], what: str = "certificate verify failed") -> Attack:
    return Attack(name, act, "closed", "handshake", what)


def self_signed(stage: Stage) -> Path:
    """Return a certificate that vouches for itself, in the stolen gate's name."""
    key = ec.generate_private_key(ec.SECP256R1())
    return signed(stage, key, stage.name, key, stage.name)


def signed(
    stage: Stage, key: ec.EllipticCurvePrivateKey, name: str, by: ec.EllipticCurvePrivateKey, issuer: str
) -> Path:
    certificate = (
        x509.CertificateBuilder()
        .subject_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)]))
        .issuer_name(x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, issuer)]))
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(NOW - timedelta(days=1))
        .not_valid_after(NOW + timedelta(days=1))
        .sign(by, hashes.SHA256())
    )
    path = stage.on.folder / f"{secrets.token_hex(4)}.pem"
    return Pair(path, key, certificate.public_bytes(Encoding.PEM).decode()).path


def signed_by_a_gate(stage: Stage) -> Path:
    """Return a certificate for the controller's name that the stolen gate signed, with the gate's own behind it."""
    path = signed(stage, ec.generate_private_key(ec.SECP256R1()), "controller", stage.north.key, stage.name)
    path.write_bytes(path.read_bytes() + stage.north.path.read_bytes().partition(b"-----END PRIVATE KEY-----\n")[2])
    return path


def same_subject(stage: Stage) -> Path:
    """Return a certificate by another authority that bears the same name as ours."""
    ours = x509.load_pem_x509_certificate(stage.on.authority.pem.encode()).subject
    issuer = str(ours.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    keys = ec.generate_private_key(ec.SECP256R1()), ec.generate_private_key(ec.SECP256R1())
    return signed(stage, keys[0], "controller", keys[1], issuer)


ATTACKS = [
    says("publish as another gate", "menshen/expo/south/scan"),
    says("publish as a gate of another site", "menshen/other/north/scan"),
    says("retain another gate's status", "menshen/expo/south/status", retain=True),
    says("erase what another gate retains", "menshen/expo/south/state", payload=b"", retain=True),
    says("forge an alert", "menshen/expo/north/alert/gate_offline", retain=True),
    says("take an alert back", "menshen/expo/north/alert/abnormal_code", payload=b"", retain=True),
    says("acknowledge its own events", "menshen/expo/north/ack"),
    says("acknowledge another gate's events", "menshen/expo/south/ack"),
    says("command itself", "menshen/expo/north/cmd/open"),
    says("command another gate", "menshen/expo/south/cmd/open"),
    says("forge its own policy", "menshen/expo/north/policy/desired", retain=True),
    says("forge another gate's policy", "menshen/expo/south/policy/desired", retain=True),
    says("claim what another gate applied", "menshen/expo/south/policy/applied", retain=True),
    says("answer for another gate", "menshen/expo/south/reply/open"),
    says("a word that is not a gate's", "menshen/expo/north/anything"),
    says("a word below its own", "menshen/expo/north/scan/x"),
    says("climb out of its branch", "menshen/expo/north/../south/scan"),
    says("a topic with an empty level", "menshen//expo/south/scan"),
    says("a topic that names its certificate", "menshen/expo.north.7k3m9/scan"),
    says("a topic of somebody else's", "homeassistant/sensor/north/config", retain=True),
    says("a quote in a topic", "menshen/expo/south/x', ... (2 bytes))"),
    says("a topic longer than a log line", "menshen/expo/south/" + "x" * 3000, what="menshen/expo/south/xxx"),
    says("write to $SYS", "$SYS/broker/version"),
    says("pass for a bridge in $SYS", "$SYS/broker/connection/north/state", retain=True),
    says("change the roles", CONTROL, payload=DELETE),
    says("forge an answer about the roles", f"{CONTROL}/response"),
    says("publish to a shared subscription", "$share/g/menshen/expo/south/scan"),
    Attack(
        "publish without asking for an answer",
        lambda stage: stage.stolen(publish("menshen/expo/south/scan", qos=0) + PINGREQ),
        "pingresp", "publish", "menshen/expo/south/scan",
    ),
    Attack(
        "publish as MQTT 3.1.1, which is told of no refusal",
        lambda stage: stage.stolen(publish("menshen/expo/south/scan", version=4), first=connect(version=4)),
        "puback 0x00", "publish", "menshen/expo/south/scan",
    ),
    Attack(
        "publish as a bridge",
        lambda stage: stage.stolen(publish("menshen/expo/south/scan", version=4), first=connect(version=0x84)),
        "puback 0x00", "publish", "menshen/expo/south/scan",
    ),
    Attack(
        "call itself the controller",
        lambda stage: stage.stolen(publish(CONTROL, DELETE), first=connect("controller", user="controller")),
        "puback 0x87", "publish", CONTROL,
    ),
    hears("hear everything", "#"),
    hears("hear all gates", "menshen/#"),
    hears("hear one level of all", "+/+/+/+"),
    hears("hear another gate's events", "menshen/expo/south/scan"),
    hears("hear another gate's acks", "menshen/expo/south/ack"),
    hears("hear all acks", "menshen/+/+/ack"),
    hears("hear acks of its name elsewhere", "menshen/+/north/ack"),
    hears("hear another gate's commands", "menshen/expo/south/cmd/open"),
    hears("hear another gate's policy", "menshen/expo/south/policy/desired"),
    hears("hear its whole branch", "menshen/expo/north/#"),
    hears("share another gate's events", "$share/g/menshen/expo/south/scan"),
    hears("share everything", "$share/g/#"),
    hears("share its own acks", "$share/g/menshen/expo/north/ack"),
    hears("hear $SYS", "$SYS/#"),
    hears("hear the log", "$SYS/broker/log/#"),
    hears("hear about the roles", f"{CONTROL}/response"),
    hears("hear $CONTROL", "$CONTROL/#"),
    wills("a will on another gate's status", "menshen/expo/south/status"),
    wills("a will on an ack of another gate", "menshen/expo/south/ack"),
    wills("a will on the roles", CONTROL),
    breaks("a wildcard in a topic", publish("menshen/expo/+/status"), "disconnect 0x82", "protocol error"),
    breaks("publish to everybody", publish("#"), "disconnect 0x82", "protocol error"),
    breaks("a topic alias", publish("menshen/expo/south/scan", alias=1), "disconnect 0x94", ""),
    breaks("QoS 2", publish("menshen/expo/north/scan", qos=2), "disconnect 0x9b", "Requested QoS"),
    breaks("2 MiB", publish("menshen/expo/north/scan", bytes(2 << 20))[:512], "disconnect 0x95", "oversize packet"),
    breaks("a line break in a topic", publish("menshen/expo/north/scan\n1: x"), "disconnect 0x81", "malformed packet"),
    breaks("a NUL in a topic", publish("menshen/expo/north/scan\0"), "disconnect 0x81", "malformed packet"),
    breaks("a topic that is not UTF-8", publish(b"menshen/expo/\xff"), "disconnect 0x81", "malformed packet"),
    breaks("a second CONNECT", connect(), "closed", "protocol error"),
    Attack(
        "publish before CONNECT",
        lambda stage: stage.stolen(first=publish("menshen/expo/north/scan")),
        "closed", "protocol", "protocol error",
    ),
    Attack(
        "an extended way to authenticate",
        lambda stage: stage.stolen(first=connect(properties=b"\x15" + text("PLAIN"))),
        "connack 0x8c", "protocol", "",
    ),
    knocks("no certificate", lambda stage: stage.on.knock(None), "did not return a certificate"),
    knocks("another authority's", lambda stage: stage.on.knock(stage.foreign(stage.name))),
    knocks("another authority's controller", lambda stage: stage.on.knock(same_subject(stage)), "error"),
    knocks("signed by itself", lambda stage: stage.on.knock(self_signed(stage))),
    knocks("signed by the stolen gate", lambda stage: stage.on.knock(signed_by_a_gate(stage))),
    knocks("the broker's own", lambda stage: stage.on.knock(stage.on.installation.folder / "broker/broker.pem")),
    knocks("expired", lambda stage: stage.on.knock(stage.on.pair(stage.name, now=NOW - timedelta(days=91)).path)),
    knocks("not yet good", lambda stage: stage.on.knock(stage.on.pair(stage.name, now=NOW + timedelta(days=2)).path)),
    knocks("TLS 1.2", lambda stage: stage.on.knock(stage.north.path, newest=ssl.TLSVersion.TLSv1_2), "protocol"),
    knocks("no TLS", lambda stage: stage.bare(connect()), "wrong version"),
    knocks("HTTP", lambda stage: stage.bare(b"GET / HTTP/1.1\r\n\r\n"), "http request"),
]  # fmt: skip


@pytest.fixture(scope="module")
def stage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    with guarded(tmp_path_factory.mktemp("attacks")) as on:
        set_ = Stage(on)
        yield set_
        set_.south.link.stop()
        set_.controller.link.stop()


@pytest.mark.parametrize("attack", ATTACKS, ids=lambda attack: attack.name)
def test_refused_and_told(attack: Attack, stage: Stage) -> None:
    assert attack.act(stage) == attack.answer
    refusal = stage.on.told(attack.kind, attack.what)
    if attack.kind in ("publish", "subscribe", "will"):
        assert refusal.who == stage.name
    stage.nothing_was_said()


@pytest.mark.parametrize("word", GATE_SAYS)
def test_a_gate_says_its_own_words(word: str, stage: Stage) -> None:
    topic = NORTH.topic(word.replace("+", "open"))
    mark = secrets.token_hex(8).encode()
    assert stage.stolen(publish(topic, mark)) == "puback 0x00"
    assert stage.controller.until(topic, mark) == []


@pytest.mark.parametrize("word", GATE_HEARS)
def test_a_gate_hears_what_is_said_to_it(word: str, stage: Stage) -> None:
    topic = SOUTH.topic(word.replace("+", "open"))
    mark = secrets.token_hex(8).encode()
    assert stage.controller.link.say(topic, mark)
    assert stage.south.until(topic, mark) == []
    stage.controller.until(topic, mark)
