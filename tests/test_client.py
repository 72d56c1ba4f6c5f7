"""What is read from a broker is what paho reads, whatever pieces it comes in."""

from __future__ import annotations

import queue
import socket
from typing import Any

import paho.mqtt.client as mqtt
from hypothesis import given
from hypothesis import strategies as st
from paho.mqtt.enums import CallbackAPIVersion

from controller.broker import Broker
from device.wire.client import Client, Piecewise
from device.wire.link import Heard, Link, LinkSaid
from device.wire.messages import MAX_PAYLOAD
from tests.attacker import packet, text
from tests.bystanders import PATIENCE_S, wait

words = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=300)
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
    st.lists(pairs | others, max_size=6),
    st.binary(max_size=300),
)
def test_what_is_published_is_read_as_paho_reads_it(head: int, topic: str, said: list[bytes], payload: bytes) -> None:
    mid = b"\0\7" if head & 6 else b""
    ours, paho = both(head, text(topic) + mid + properties(said) + payload)
    assert ours == paho


@given(st.binary(max_size=40), st.data())
def test_what_is_broken_is_left_to_paho(noise: bytes, data: st.DataObject) -> None:
    whole = bytearray(text("menshen/expo/north/scan") + properties([b"\x26" + text("seq") + text("1")]) + b"{}")
    at = data.draw(st.integers(0, len(whole)))
    whole[at : at + len(noise)] = noise
    ours, paho = both(0x30, bytes(whole[: data.draw(st.integers(0, len(whole)))]))
    assert ours == paho


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
    for each in (ear, mouth):
        each.start()
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
