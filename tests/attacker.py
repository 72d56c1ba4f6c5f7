"""Speaks MQTT byte by byte, so that it can also say what a well-behaved client cannot."""

from __future__ import annotations

import socket
import ssl
from typing import Final, NamedTuple, Self

PATIENCE_S: Final = 20.0
PINGREQ: Final = b"\xc0\x00"
NAMES: Final = {0x20: "connack", 0x30: "publish", 0x40: "puback", 0x90: "suback", 0xD0: "pingresp", 0xE0: "disconnect"}


class Answer(NamedTuple):
    """One packet from the broker: its type, and everything after its length."""

    kind: int
    body: bytes

    def __str__(self) -> str:
        """Return type and reason code, such as `puback 0x87`."""
        name = NAMES[self.kind & 0xF0]
        where = {"connack": self.body[1:2], "puback": self.body[2:3], "suback": self.body[-1:]}
        code = where.get(name, self.body[:1])
        return name if name in ("publish", "pingresp") else f"{name} {code[0] if code else 0:#04x}"


def text(value: str | bytes) -> bytes:
    """Return text or bytes as MQTT has them: behind their length."""
    data = value.encode() if isinstance(value, str) else value
    return len(data).to_bytes(2, "big") + data


def packet(head: int, body: bytes) -> bytes:
    """Return a packet: its first byte, the length of the rest in 7 bits a byte, the rest."""
    length, left = bytearray(), len(body)
    while left > 127:
        length.append(left % 128 | 128)
        left //= 128
    return bytes([head, *length, left]) + body


def connect(
    name: str = "gate",
    *,
    user: str = "",
    will: tuple[str, bytes] | None = None,
    version: int = 5,
    resume: bool = False,
    properties: bytes = b"",
) -> bytes:
    """Return CONNECT. A will is QoS 1 and retained, `version` 4 is MQTT 3.1.1, `resume` asks for the last session."""
    five = version & 0x7F == 5
    flags = (0 if resume else 0x02) | (0x2C if will else 0) | (0x80 if user else 0)
    said = text("MQTT") + bytes([version, flags, 0, 60]) + (bytes([len(properties)]) + properties if five else b"")
    said += text(name)
    if will:
        said += (b"\0" if five else b"") + text(will[0]) + text(will[1])
    return packet(0x10, said + (text(user) if user else b""))


def publish(
    topic: str | bytes, payload: bytes = b"{}", *, retain: bool = False, qos: int = 1, alias: int = 0, version: int = 5
) -> bytes:
    """Return PUBLISH, with packet id 1 where the QoS asks for one."""
    said = text(topic) + (b"\0\1" if qos else b"")
    if version == 5:
        said += b"\3\x23" + alias.to_bytes(2, "big") if alias else b"\0"
    return packet(0x30 | qos << 1 | retain, said + payload)


def subscribe(topic: str) -> bytes:
    """Return SUBSCRIBE to one topic at QoS 1, with packet id 2."""
    return packet(0x82, b"\0\2\0" + text(topic) + b"\1")


class Attacker:
    """One TCP connection to the broker, with TLS or without."""

    def __init__(self, port: int, context: ssl.SSLContext | None) -> None:
        self._socket = socket.create_connection(("127.0.0.1", port), timeout=PATIENCE_S)
        if context:
            self._socket = context.wrap_socket(self._socket, server_hostname="127.0.0.1")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._socket.close()

    def version(self) -> str | None:
        """Return which TLS was agreed on; None without any."""
        return self._socket.version() if isinstance(self._socket, ssl.SSLSocket) else None

    def ask(self, *packets: bytes) -> str:
        """Send packets, each after the answer to the one before; return the last answer, or `closed`."""
        said = ""
        try:
            for each in packets:
                self._socket.sendall(each)
                said = str(self.hear())
        except (ssl.SSLError, ConnectionError, EOFError):
            return "closed"
        return said

    def hear(self) -> Answer:
        """Read one packet; raise EOFError at the end."""
        kind, length, shift = self._read(1)[0], 0, 0
        while True:
            byte = self._read(1)[0]
            length |= (byte & 127) << shift
            shift += 7
            if byte < 128:
                return Answer(kind, self._read(length))

    def _read(self, count: int) -> bytes:
        data = b""
        while len(data) < count:
            more = self._socket.recv(count - len(data))
            if not more:
                raise EOFError
            data += more
        return data
