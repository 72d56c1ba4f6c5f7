"""What is read from a broker is what paho reads, whatever pieces it comes in."""

from __future__ import annotations

import queue
import socket
from typing import Any

import paho.mqtt.client as mqtt
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.exception import MalformedPacket

from controller.broker import Broker
from device.wire.client import Client, Piecewise, read
from device.wire.link import Heard, Link, LinkSaid
from device.wire.messages import MAX_PAYLOAD
from tests.attacker import packet, text
from tests.bystanders import PATIENCE_S, wait

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0\ufeff"), max_size=300)
pairs = st.tuples(words, words).map(lambda pair: b"\x26" + text(pair[0]) + text(pair[1]))
others = st.sampled_from([b"\x02\0\0\0\x09", b"\x01\1", b"\x03" + text("json"), b"\x7f"])


def properties(said: list[bytes]) -> bytes:
    """Return them behind their length, as MQTT has it."""
    return packet(0, b"".join(said))[1:]


def heard(client: mqtt.Client, head: int, body: bytes) -> Any:
    """Let a client read a packet; return what it makes of it, an error by its name."""
    found: list[Any] = []

    def note(_client: object, _data: object, message: mqtt.MQTTMessage) -> None:
        said = getattr(message.properties, "UserProperty", None) or []
        found.append((message.topic, message.qos, message.retain, message.dup, message.mid, message.payload, said))

    client.on_message = note
    client._in_packet |= {"command": head, "packet": bytearray(body), "remaining_length": len(body), "pos": 0}
    try:
        client._handle_publish()
    except Exception as error:  # noqa: BLE001 what paho raises is compared
        return type(error)
    return found


def both(head: int, body: bytes) -> tuple[Any, Any]:
    """Let our client and paho's read the same."""
    kinds = (Client, mqtt.Client)
    ours, paho = (heard(kind(CallbackAPIVersion.VERSION2, protocol=mqtt.MQTTv5), head, body) for kind in kinds)
    return ours, paho


@given(
    st.sampled_from([0x30, 0x31, 0x32, 0x33, 0x3A]),
    st.text("abcdefgh/+中", min_size=1, max_size=200),
    st.tuples(st.lists(pairs, max_size=5), st.lists(others, max_size=2, unique=True)).map(lambda two: two[0] + two[1]),
    st.binary(max_size=300),
)
def test_what_is_published_is_read_as_paho_reads_it(head: int, topic: str, said: list[bytes], payload: bytes) -> None:
    mid = b"\0\7" if head & 6 else b""
    body = text(topic) + mid + properties(said) + payload
    ours, paho = both(head, body)
    assert ours == paho
    assert (read(body, head >> 1 & 3) is None) == (b"\x7f" in said), "what is as it should be is read fast"


WHOLE = text("ab/scan") + properties([b"\x26" + text("seq") + text("1")]) + b"{}"


@given(st.integers(0, len(WHOLE) - 1), st.one_of(st.integers(0, 40), st.integers(0, 255)), st.integers(0, len(WHOLE)))
def test_what_is_broken_is_left_to_paho(at: int, byte: int, length: int) -> None:
    for body in (WHOLE[:at] + bytes([byte]) + WHOLE[at + 1 :], WHOLE[:length]):
        ours, paho = both(0x30, body)
        assert ours == paho


def test_no_letter_of_a_gate_ends_the_connection() -> None:
    said = [b"\x26" + text("spool") + text("\ufeff"), b"\x03" + text("json")]
    odd = text("menshen/expo/north/scan") + properties(said) + b"{}"
    ours, paho = both(0x30, odd)
    assert ours[0][-1] == [("spool", "\ufeff")]
    assert paho is MalformedPacket


@given(st.lists(st.binary(min_size=1, max_size=2000), max_size=20), st.lists(st.integers(1, 900), min_size=1))
def test_a_socket_read_in_pieces_says_the_same(said: list[bytes], sizes: list[int]) -> None:
    near, far = socket.socketpair()
    with near, far:
        piecewise, got = Piecewise(near), b""
        for each in said:
            far.sendall(each)
        far.shutdown(socket.SHUT_WR)
        while some := piecewise.recv(sizes[len(got) % len(sizes)]):
            got += some
        assert got == b"".join(said)
        assert piecewise.pending() == 0


def test_thousands_of_messages_large_and_small_come_whole_and_in_order(broker: Broker) -> None:
    inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
    ear = Link(broker.wire, name="ear", hear=("menshen/#",), put=inbox.put)
    mouth = Link(broker.wire, name="mouth", hear=(), put=lambda _said: None)
    for link in (ear, mouth):
        link.start()
    wait(lambda: ear.up and mouth.up)
    inbox.get(timeout=PATIENCE_S)
    said = [(b"%d " % number) * (1 + number * 7919 % (MAX_PAYLOAD // 8)) for number in range(3000)]
    for number in range(0, len(said), 100):  # mosquitto keeps a thousand for whoever reads slowly, and drops the rest
        for each in said[number : number + 100]:
            assert mouth.say("menshen/expo/north/scan", each, headers={"seq": str(len(each))})
        for each in said[number : number + 100]:
            got = inbox.get(timeout=PATIENCE_S)
            assert isinstance(got, Heard)
            assert (got.payload, got.headers) == (each, {"seq": str(len(each))})
    for link in (ear, mouth):
        link.stop()


def test_what_is_not_admitted_does_not_come_and_each_is_asked_about_once(broker: Broker) -> None:
    inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
    asked: list[str] = []

    def admit(topic: str) -> bool:
        asked.append(topic)
        return "loud" not in topic

    ear = Link(broker.wire, name="ear", hear=("menshen/#",), put=inbox.put, admit=admit)
    mouth = Link(broker.wire, name="mouth", hear=(), put=lambda _said: None)
    for link in (ear, mouth):
        link.start()
    wait(lambda: ear.up and mouth.up)
    inbox.get(timeout=PATIENCE_S)
    said = [
        (("loud", "loud", "loud-2", "north", "south")[number * 7 % 5], b"%d " % number * (number * 7919 % 700))
        for number in range(3000)
    ]
    for number in range(0, len(said), 200):
        for name, payload in said[number : number + 200]:
            assert mouth.say(f"menshen/expo/{name}/scan", payload, qos=number // 200 % 2, headers={"seq": "1"})
        for name, payload in said[number : number + 200]:
            if "loud" not in name:
                got = inbox.get(timeout=PATIENCE_S)
                assert isinstance(got, Heard)
                assert (got.topic, got.payload) == (f"menshen/expo/{name}/scan", payload)
    wait(lambda: len(asked) == len(said))
    assert asked == [f"menshen/expo/{name}/scan" for name, _ in said]
    for link in (ear, mouth):
        link.stop()
    assert inbox.empty()
