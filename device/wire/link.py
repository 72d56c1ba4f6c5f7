"""One MQTT 5 connection: say and hear. Its callbacks only put into the inbox it was given.

MQTT 5 because 3.1.1 reports success for a denied publish. Nothing here is believed to be delivered: QoS 0 for what is
resent until acknowledged end to end, QoS 1 for retained documents, which are said again on every connection.
"""

from __future__ import annotations

import logging
import socket
import ssl
import threading
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Annotated, Any

import paho.mqtt.client as mqtt
from msgspec import Meta, Struct
from paho.mqtt.enums import CallbackAPIVersion
from paho.mqtt.packettypes import PacketTypes
from paho.mqtt.properties import Properties
from paho.mqtt.reasoncodes import ReasonCode
from paho.mqtt.subscribeoptions import SubscribeOptions

from device.wire.client import Client

log = logging.getLogger(__name__)

LARGEST = 268_435_455  # MQTT: bytes of any packet at all
HEAD = 1024  # bytes of a packet beside its payload, at most: its topic and properties
FAILURE = 128  # MQTT 5: reason codes from here on are failures
AGAIN_S = 5.0  # seconds until we try again where files could not be read, or the broker did not let us hear


class Wire(Struct, frozen=True, forbid_unknown_fields=True):
    """The MQTT broker."""

    host: Annotated[str, Meta(description="name or address")] = "localhost"
    port: Annotated[int, Meta(ge=1, le=65535, description="TCP port")] = 1883
    keepalive_s: Annotated[int, Meta(ge=2, le=600, description="seconds; a dead link is found in about twice this")] = 4
    ca: Annotated[str, Meta(description="file with the authority's certificate; empty: no TLS")] = ""
    certificate: Annotated[str, Meta(description="file with our certificate")] = ""
    key: Annotated[str, Meta(description="file with our private key")] = ""


@dataclass(frozen=True, kw_only=True)
class Heard:
    """A message that arrived."""

    topic: str
    payload: bytes
    retained: bool = False
    headers: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True, kw_only=True)
class LinkChanged:
    """The connection is up and its subscriptions granted, or it is gone. Said once per change."""

    up: bool
    reason: str = ""


@dataclass(frozen=True, kw_only=True)
class LinkDied:
    """The connection's own thread ended by an exception: nothing will come any more."""

    reason: str


LinkSaid = Heard | LinkChanged | LinkDied


@dataclass(frozen=True, kw_only=True)
class Will:
    """What the broker says for us, retained, when we vanish."""

    topic: str
    payload: bytes


class Link:
    """Keeps one connection up. `put` is called from its thread and must not block.

    `as_published` also marks what is retained from now on, not only what was retained before we listened. What `admit`
    does not let in, by its topic, is as if it had been lost.
    """

    def __init__(
        self,
        wire: Wire,
        *,
        name: str,
        hear: tuple[str, ...],
        put: Callable[[LinkSaid], None],
        will: Will | None = None,
        as_published: bool = False,
        admit: Callable[[str], bool] | None = None,
    ) -> None:
        self._wire = wire
        self._hear = hear
        self._as_published = as_published
        self._put = put
        self._up = False
        self._stopping = False
        self._reason = ""  # why there is no connection, as last logged
        self._refused: set[str] = set()  # topics on which too much was to be said
        self._largest = LARGEST  # bytes of a packet this broker takes; it ends the connection of who sends more
        client = Client(CallbackAPIVersion.VERSION2, client_id=name, protocol=mqtt.MQTTv5)
        client.admit = admit or client.admit
        self._tls: ssl.SSLContext | None = None
        self._denied = False
        self._over = threading.Event()
        if will:
            client.will_set(will.topic, will.payload, qos=1, retain=True)
        client.reconnect_delay_set(min_delay=1, max_delay=8)
        client.on_pre_connect = self._on_pre_connect
        client.on_connect = self._on_connect
        client.on_subscribe = self._on_subscribe
        client.on_disconnect = self._on_disconnect
        client.on_connect_fail = self._on_connect_fail
        client.on_message = self._on_message
        # Without it paho writes from whichever thread publishes while ours reads, which no TLS connection survives.
        client.on_socket_register_write = lambda *_: None
        client.on_socket_open = self._on_socket_open
        self._client = client
        self.thread = threading.Thread(target=self._run, name=f"link {name}", daemon=True)

    def start(self) -> None:
        """Begin connecting, and go on for as long as it takes."""
        self._client.loop(timeout=0)  # makes the pair of sockets by which `say` wakes the thread
        self.thread.start()

    def stop(self) -> None:
        """Say goodbye without the will being said, and end the thread."""
        self._stopping = True
        self._over.set()
        self._client.disconnect()
        if self.thread.is_alive():
            self.thread.join(timeout=5)
        if not self.thread.is_alive():
            self._client.reinitialise()  # closes the pair of sockets

    def reconnect(self) -> None:
        """Connect anew, since the certificate was renewed; without the will being said."""
        self._client.disconnect()

    @property
    def up(self) -> bool:
        """Whether messages said now have a way out."""
        return self._up

    @property
    def reason(self) -> str:
        """Why there is no connection, as last logged."""
        return self._reason

    def say(
        self,
        topic: str,
        payload: bytes,
        *,
        qos: int = 0,
        retain: bool = False,
        headers: Mapping[str, str] | None = None,
        expires_s: int | None = None,
    ) -> bool:
        """Hand a message to the connection; never waits. False: there is no connection.

        After `expires_s` the broker no longer hands it on.
        """
        properties = None
        if headers or expires_s is not None:
            properties = Properties(PacketTypes.PUBLISH)  # type: ignore[no-untyped-call]
            properties.UserProperty = list((headers or {}).items())
            if expires_s is not None:
                properties.MessageExpiryInterval = expires_s
        if not self._up or self._too_large(topic, payload):
            return False
        info = self._client.publish(topic, payload, qos=qos, retain=retain, properties=properties)
        return info.rc == mqtt.MQTT_ERR_SUCCESS

    def _too_large(self, topic: str, payload: bytes) -> bool:
        """Refuse what the broker would not carry, or the connection ends, and again as often as it is said."""
        over = len(payload) + HEAD > self._largest
        if over and topic not in self._refused:
            log.error("%s: %d bytes are not said: this broker carries %d", topic, len(payload), self._largest)
        (self._refused.add if over else self._refused.discard)(topic)
        return over

    def _run(self) -> None:
        try:
            while not self._stopping:
                if not self._identify() or self._connect():
                    self._over.wait(AGAIN_S)
        except Exception as error:
            log.exception("the link's thread died")
            self._put(LinkDied(reason=str(error)))

    def _connect(self) -> bool:
        """Be connected until `stop` or `reconnect`, or until the broker does not let us hear: True."""
        self._denied = False
        self._client.connect_async(self._wire.host, self._wire.port, keepalive=self._wire.keepalive_s, clean_start=True)
        if not self._stopping:  # connecting takes back a disconnect(), which is then said again
            self._client.loop_forever(retry_first_connection=True)
        return self._denied

    def _identify(self) -> bool:
        """Load the files of TLS, anew before each connection; False: there is none without them."""
        wire = self._wire
        try:
            if wire.ca and self._tls is None:
                tls = ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
                tls.load_verify_locations(wire.ca)
                self._present(tls)
                self._client.tls_set_context(tls)
                self._tls = tls
            elif self._tls is not None:
                self._present(self._tls)
        except OSError as error:  # so is ssl.SSLError
            self._down(f"{wire.ca}, {wire.certificate}: {error}; see [wire]")
            return False
        return True

    def _present(self, tls: ssl.SSLContext) -> None:
        if self._wire.certificate:
            tls.load_cert_chain(self._wire.certificate, self._wire.key or None)

    def _on_pre_connect(self, _c: mqtt.Client, _d: Any) -> None:
        self._identify()

    def _on_socket_open(self, _c: mqtt.Client, _d: Any, sock: Any) -> None:
        # A word is said at once. Otherwise TCP holds small ones back until the last is acknowledged, 40 ms with TLS.
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)

    def _on_connect_fail(self, client: mqtt.Client, _data: Any) -> None:
        if self._stopping:
            client.disconnect()
        self._down(f"nobody answers at {self._wire.host}:{self._wire.port}")

    def _on_connect(self, client: mqtt.Client, _data: Any, _flags: Any, code: ReasonCode, said: Any) -> None:
        self._largest = getattr(said, "MaximumPacketSize", LARGEST)
        if self._stopping:
            client.disconnect()
        elif code.is_failure:
            self._down(f"the broker refused us: {code}")
        elif self._hear:
            how = SubscribeOptions(qos=1, retainAsPublished=self._as_published)
            client.subscribe([(topic, how) for topic in self._hear])
        else:
            self._rise()

    def _on_subscribe(self, _c: mqtt.Client, _d: Any, _mid: int, codes: list[ReasonCode], _props: Any) -> None:
        denied = [topic for topic, code in zip(self._hear, codes, strict=False) if code.value >= FAILURE]
        if denied:
            self._down(f"the broker does not let us hear {', '.join(denied)}")
            self._denied = True
            self._client.disconnect()
        else:
            self._rise()

    def _on_disconnect(self, _c: mqtt.Client, _d: Any, _flags: Any, code: ReasonCode, _props: Any) -> None:
        if not self._denied:
            self._down(str(code))

    def _on_message(self, _c: mqtt.Client, _d: Any, message: mqtt.MQTTMessage) -> None:
        pairs = getattr(message.properties, "UserProperty", None) or ()
        self._put(
            Heard(topic=message.topic, payload=bytes(message.payload), retained=message.retain, headers=dict(pairs)),
        )

    def _rise(self) -> None:
        if not self._up:
            self._up = True
            log.info("link up: %s:%s", self._wire.host, self._wire.port)
            self._put(LinkChanged(up=True))

    def _down(self, reason: str) -> None:
        was_up, self._up = self._up, False
        if self._stopping:
            return
        if was_up:
            self._put(LinkChanged(up=False, reason=reason))
        if was_up or reason != self._reason:
            log.warning("no link: %s", reason)
        self._reason = reason
