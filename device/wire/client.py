"""paho's client, reading all that is there at once: beside a thread at work, paho alone reads 2,000 messages a second.

It asks the system five times for each message, and each time another thread may keep the interpreter for 5 ms; and it
looks every property up in tables by name, which takes longer than all the rest. The private parts of paho that this
relies on are named here and nowhere else; `tests/test_client.py` compares what is read with what paho reads.
"""

from __future__ import annotations

from collections.abc import Callable
from types import SimpleNamespace
from typing import Any, Final, NamedTuple

import paho.mqtt.client as mqtt
from paho.mqtt.enums import MQTTErrorCode

PIECE: Final = 65536  # bytes read at once
AT_ONCE: Final = 500  # messages, before what waits to be said has its turn
PUBLISH: Final = 0x30  # with QoS 0
SMALLEST: Final = 8  # bytes from which its length and that of its topic can be read, and more
USER_PROPERTY: Final = 0x26
SHORT: Final = {0x01: 1, 0x02: 4}  # bytes of other properties, which tell us nothing: payload format, message expiry
STRINGS: Final = (0x03, 0x08, 0x09)  # content type, response topic, correlation data
LONG: Final = 128  # a length from here on takes more than one byte


class Piecewise:
    """A socket, read in large pieces and handed on in small ones."""

    def __init__(self, sock: Any) -> None:
        self._sock = sock
        self._piece = b""
        self._at = 0

    def __getattr__(self, name: str) -> Any:
        return getattr(self._sock, name)

    def recv(self, size: int) -> bytes:
        """Return at most so many bytes; the system is asked only when nothing is left."""
        if self.left == 0:
            self._piece, self._at = self._sock.recv(PIECE), 0
        begin, self._at = self._at, min(len(self._piece), self._at + size)
        return self._piece[begin : self._at]

    @property
    def left(self) -> int:
        """How many bytes are here already."""
        return len(self._piece) - self._at

    def skip(self, unwanted: Callable[[bytes], bool]) -> None:
        """Leave out PUBLISH packets of QoS 0, as many as are here whole and by their topics unwanted."""
        piece, at = self._piece, self._at
        while at + SMALLEST <= len(piece) and piece[at] & 0xF6 == PUBLISH:
            begin, size, shift = at + 1, piece[at + 1] & 127, 7
            while piece[begin] >= LONG and begin < at + 4:
                begin += 1
                size |= (piece[begin] & 127) << shift
                shift += 7
            begin += 1
            topic = begin + 2 + (piece[begin] << 8) + piece[begin + 1]
            if begin + size > len(piece) or topic > begin + size or not unwanted(piece[begin + 2 : topic]):
                break
            at = begin + size
        self._at = at

    def pending(self) -> int:
        """Return how many bytes `select` does not know of; TLS keeps some as well."""
        return self.left + (self._sock.pending() if hasattr(self._sock, "pending") else 0)


class Published(NamedTuple):
    """What a PUBLISH of MQTT 5 carries."""

    topic: bytes
    mid: int
    pairs: list[tuple[str, str]]
    payload: bytes


def read(packet: bytes, qos: int) -> Published | None:
    """Read a PUBLISH and what its sender says beside the payload; None: paho has to say what it is.

    U+FEFF is a letter like any other: paho ends the connection over it, so that any gate could end the controller's.
    """
    try:
        at = 2 + int.from_bytes(packet[:2], "big")
        topic, mid = packet[2:at], 0
        if qos:
            mid, at = int.from_bytes(packet[at : at + 2], "big"), at + 2
        size, at = packet[at], at + 1
        if size >= LONG:
            size, at = size - LONG + LONG * packet[at], at + 1
            if size >= LONG * LONG:
                return None
        end, pairs = at + size, []
        while at < end:
            kind, at = packet[at], at + 1
            if kind == USER_PROPERTY:
                name, at = _text(packet, at)
                value, at = _text(packet, at)
                pairs.append((name, value))
            elif kind in STRINGS:
                at += 2 + int.from_bytes(packet[at : at + 2], "big")
            elif kind in SHORT:
                at += SHORT[kind]
            else:
                return None
    except (IndexError, UnicodeDecodeError):
        return None
    return Published(topic, mid, pairs, packet[at:]) if at == end <= len(packet) else None


def _text(packet: bytes, at: int) -> tuple[str, int]:
    begin = at + 2
    end = begin + (packet[at] << 8) + packet[at + 1]
    if end > len(packet) or 0 in packet[begin:end]:
        raise IndexError
    return packet[begin:end].decode(), end


class Client(mqtt.Client):
    """Reads as paho's does, and faster."""

    admit: Callable[[str], bool] = staticmethod(lambda _topic: True)  # whether a message is wanted, by its topic
    _asked = False  # and the next is

    def _create_socket(self) -> Any:
        return Piecewise(super()._create_socket())

    def loop_read(self, max_packets: int = 1) -> MQTTErrorCode:
        """Read what is there."""
        done = super().loop_read(max_packets)
        for _ in range(AT_ONCE):
            if done or not (isinstance(self._sock, Piecewise) and self._sock.left):
                break
            if not self._in_packet["command"]:
                self._sock.skip(self._unwanted)
            if self._sock.left:
                done = super().loop_read(max_packets)
        return done

    def _unwanted(self, topic: bytes) -> bool:
        """Ask whether a message is wanted; one that is comes next, and nobody is asked again."""
        self._asked = self.admit(topic.decode(errors="replace"))
        return not self._asked

    def _handle_publish(self) -> MQTTErrorCode:
        head, packet = self._in_packet["command"], bytes(self._in_packet["packet"])
        qos = head >> 1 & 3
        begin = 2 + int.from_bytes(packet[:2], "big")
        unwanted = not self._asked and qos <= 1 and self._unwanted(packet[2:begin])
        self._asked = False
        if unwanted:
            return self._done(qos, int.from_bytes(packet[begin : begin + 2], "big"))
        said = read(packet, qos) if qos <= 1 else None
        if said is None:
            return super()._handle_publish()
        message = mqtt.MQTTMessage(mid=said.mid, topic=said.topic)
        message.qos, message.retain, message.dup = qos, bool(head & 1), bool(head & 8)
        message.payload = said.payload
        message.properties = SimpleNamespace(UserProperty=said.pairs)  # type: ignore[assignment]
        self._handle_on_message(message)
        return self._done(qos, said.mid)

    def _done(self, qos: int, mid: int) -> MQTTErrorCode:
        return self._send_puback(mid) if qos else MQTTErrorCode.MQTT_ERR_SUCCESS
