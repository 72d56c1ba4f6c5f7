"""A connection to a broker that costs next to nothing, so that a bench does not measure itself: packets of MQTT 5.

No thread, no callback: `say` takes packets encoded before the clock ran, `hear` returns what has come. QoS 0 in both
directions, but for what is retained.
"""

from __future__ import annotations

import contextlib
import select
import socket
import struct
from collections.abc import Iterable, Mapping
from typing import Final

from device.wire.link import Wire

CONNECT: Final = 0x10
PUBLISH: Final = 0x30
SUBSCRIBE: Final = 0x82
DISCONNECT: Final = b"\xe0\x00"
USER_PROPERTY: Final = b"\x26"
CLEAN, WILL, WILL_QOS_1, WILL_RETAINED = 0x02, 0x04, 0x08, 0x20
RETAINED: Final = 0x01
AT_ONCE: Final = 1 << 20  # bytes read in one go
CONTINUED: Final = 0x80  # in a length: another byte follows


def _text(text: str | bytes) -> bytes:
    raw = text.encode() if isinstance(text, str) else text
    return struct.pack("!H", len(raw)) + raw


def _length(count: int) -> bytes:
    out = bytearray()
    while True:
        count, byte = count // CONTINUED, count % CONTINUED
        out.append(byte | (CONTINUED if count else 0))
        if not count:
            return bytes(out)


def _read_length(raw: bytes | bytearray, at: int) -> tuple[int, int] | None:
    """Return a length and where what it measures begins; None while not all of it has come."""
    value = 0
    for place, byte in enumerate(raw[at : at + 4]):
        value |= (byte & 0x7F) << 7 * place
        if not byte & CONTINUED:
            return value, at + place + 1
    return None


def _packet(kind: int, body: bytes) -> bytes:
    return bytes([kind]) + _length(len(body)) + body


def message(topic: str, payload: bytes, headers: Mapping[str, str] | None = None, *, retain: bool = False) -> bytes:
    """Return a packet that publishes."""
    properties = b"".join(USER_PROPERTY + _text(key) + _text(value) for key, value in (headers or {}).items())
    body = _text(topic) + _length(len(properties)) + properties + payload
    return _packet(PUBLISH | (RETAINED if retain else 0), body)


class Cable:
    """One connection; `will` is the topic and payload that the broker says, retained, when it is cut."""

    def __init__(self, wire: Wire, name: str, hear: Iterable[str] = (), will: tuple[str, bytes] | None = None) -> None:
        self.socket = socket.create_connection((wire.host, wire.port))
        self.socket.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        flags = CLEAN | (WILL | WILL_QOS_1 | WILL_RETAINED if will else 0)
        body = _text("MQTT") + bytes([5, flags]) + b"\0\0" + b"\0" + _text(name)  # it never has to prove it lives
        if will:
            body += b"\0" + _text(will[0]) + _text(will[1])
        topics = [_text(topic) + b"\0" for topic in hear]
        asked = [_packet(SUBSCRIBE, b"\0\1\0" + each) for each in topics]
        self.socket.sendall(_packet(CONNECT, body) + b"".join(asked))
        self.socket.setblocking(False)
        self._in = bytearray()
        self._out = bytearray()

    def close(self, *, cut: bool = False) -> None:
        """End it; `cut`: without a word, so that the broker says the will."""
        if not cut:
            with contextlib.suppress(OSError):
                self.socket.send(DISCONNECT)
        self.socket.close()

    def say(self, packets: bytes) -> None:
        """Hand over packets; what the connection does not take now goes later."""
        self._out += packets
        self.flush()

    def flush(self) -> bool:
        """Send what waits; False: some of it still does."""
        with contextlib.suppress(BlockingIOError):
            while self._out:
                del self._out[: self.socket.send(self._out)]
        return not self._out

    def wait(self, seconds: float) -> None:
        """Return when something came, when there is room for what waits, or after a time."""
        select.select([self.socket], [self.socket] if self._out else [], [], max(0.0, seconds))

    def hear(self) -> list[tuple[str, bytes]]:
        """Return topic and payload of what has come; never wait. Raise ConnectionError where it was ended."""
        try:
            raw = self.socket.recv(AT_ONCE)
        except BlockingIOError:
            return []
        if not raw:
            raise ConnectionError("the broker ended the connection")
        self._in += raw
        found, at = [], 0
        while at < len(self._in):
            measured = _read_length(self._in, at + 1)
            if measured is None or measured[1] + measured[0] > len(self._in):
                break
            length, begins = measured
            if self._in[at] & 0xF0 == PUBLISH:
                found.append(_heard(self._in[at], bytes(self._in[begins : begins + length])))
            at = begins + length
        del self._in[:at]
        return found


def _heard(kind: int, body: bytes) -> tuple[str, bytes]:
    ends = 2 + int.from_bytes(body[:2], "big")
    begins = ends + (2 if kind & 0x06 else 0)
    properties = _read_length(body, begins)
    if properties is None:
        raise ConnectionError("a packet that is no MQTT")
    return body[2:ends].decode(), body[properties[1] + properties[0] :]
