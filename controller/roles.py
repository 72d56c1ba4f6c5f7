"""What each client may do on the broker, and the control connection that tells mosquitto so.

Everything is refused unless a role allows it. One role an entrance, one client a gate. mosquitto writes every change to
its own file before it answers, though not in one step: so each start begins with a file written anew, from the book.
"""

from __future__ import annotations

import json
import queue
import secrets
import socket
import time
from collections.abc import Collection, Iterable
from typing import Any, Final, Self

from controller import digest
from controller.authority import CONTROLLER, place_of
from controller.journal import TOPIC as JOURNAL
from controller.ledger import READERS, Reader
from device.wire.link import Heard, Link, LinkChanged, LinkSaid, Wire
from device.wire.messages import COMMAND, ROOT, Place, Status, encode

CONTROL: Final = "$CONTROL/dynamic-security/v1"
ANSWERS: Final = f"{CONTROL}/response"
WAIT_S: Final = 10.0  # seconds for the broker to answer

GATE_SAYS: Final = (
    "status", "info", "state", "health", "scan", "passage", "duty", "fault", "command", "policy/applied", "reply/+",
)  # fmt: skip
GATE_HEARS: Final = ("ack", "policy/desired", "cmd/+", "seen", "occupancy")
CONTROLLER_SAYS: Final = (
    "ack",
    "alert/+",
    "cmd/+",
    "policy/desired",
    "seen",
    "occupancy",
    "status",
)  # status: of a gate it cut off

DEVICES: Final = ("+/device/+/config", "+/device/+/alerts")  # Home Assistant's, below whatever prefix it is set to

Command = dict[str, Any]  # as mosquitto's plugin has it; so is an access rule


class RolesError(RuntimeError):
    """The broker did not do what it was told; the text says what to look at."""


def _allow(kind: str, topics: Iterable[str]) -> list[Command]:
    return [{"acltype": kind, "topic": topic, "allow": True} for topic in topics]


def gate_rules(place: Place) -> list[Command]:
    """Return what the gate of one entrance may do: say its own words, and hear what is said to it."""
    hears = [place.topic(word) for word in GATE_HEARS]
    return [
        *_allow("publishClientSend", [place.topic(word) for word in GATE_SAYS]),
        *_allow("publishClientReceive", hears),
        *_allow("subscribePattern", hears),
    ]


def controller_rules() -> list[Command]:
    """Return what the controller may do: hear all gates, answer them, and change these rules."""
    hears = [f"{ROOT}/#", "$SYS/#", ANSWERS, *DEVICES]
    says = [CONTROL, JOURNAL, digest.topic("+"), *(f"{ROOT}/+/+/{word}" for word in CONTROLLER_SAYS), *DEVICES]
    return [
        *_allow("publishClientSend", says),
        *_allow("publishClientReceive", hears),
        *_allow("subscribePattern", hears),
    ]


def reader_rules(reader: Reader) -> list[Command]:
    """Return what another program may do: hear all but what gates are to hold, and say the commands it was given.

    A policy may hold secrets by which some issuers sign. Home Assistant says its own birth and will.
    """
    hears = [f"{ROOT}/#", f"{reader.prefix}/#"]
    says = [f"{reader.prefix}/status", *(f"{ROOT}/+/+/{COMMAND}{verb}" for verb in reader.commands)]
    secret = {"acltype": "publishClientReceive", "topic": f"{ROOT}/+/+/policy/#", "allow": False, "priority": 1}
    return [
        secret,
        *_allow("publishClientSend", says),
        *_allow("publishClientReceive", hears),
        *_allow("subscribePattern", hears),
    ]


def document(names: Collection[str], readers: Iterable[Reader] = ()) -> bytes:
    """Return the file that mosquitto's plugin begins with: the controller, these gates and readers, nobody else."""
    kinds = ("publishClientSend", "publishClientReceive", "subscribe", "unsubscribe")
    places = {name: place_of(name) for name in names}
    clients = {CONTROLLER: CONTROLLER} | {name: str(place) for name, place in places.items()}
    rules = {CONTROLLER: controller_rules()} | {str(place): gate_rules(place) for place in places.values()}
    for reader in readers:
        clients[reader.client] = reader.client
        rules[reader.client] = reader_rules(reader)
    file = {
        "defaultACLAccess": dict.fromkeys(kinds, False),
        "clients": [{"username": name, "roles": [{"rolename": role}]} for name, role in clients.items()],
        "groups": [],
        "roles": [{"rolename": role, "acls": acls} for role, acls in rules.items()],
    }
    return json.dumps(file, indent=1).encode()


class Roles:
    """A connection with the controller's certificate, open for as long as there is something to tell the broker."""

    def __init__(self, wire: Wire, *, wait_s: float = WAIT_S) -> None:
        self._wire = wire
        self._wait_s = wait_s
        self._inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
        self._where = f"{wire.host}:{wire.port}"
        self._link = Link(wire, name=f"roles-{secrets.token_hex(4)}", hear=(ANSWERS,), put=self._inbox.put)

    def __enter__(self) -> Self:
        """Connect; raise RolesError, at once where nobody listens, since a link would go on trying."""
        try:
            socket.create_connection((self._wire.host, self._wire.port), timeout=self._wait_s).close()
        except OSError as error:
            raise RolesError(f"nobody answers at {self._where}: {error}; is the broker running?") from error
        self._link.start()
        try:
            while self._hear(time.monotonic() + self._wait_s) != LinkChanged(up=True):
                pass
        except RolesError:
            self._link.stop()
            raise
        return self

    def __exit__(self, *_: object) -> None:
        self._link.stop()

    def add(self, place: Place, name: str) -> None:
        """Let this gate, and no other, speak for an entrance. One that did so before is cut off at once."""
        self._tell(
            *_removal(place, *self._known()),
            {"command": "createRole", "rolename": str(place), "acls": gate_rules(place)},
            {"command": "createClient", "username": name, "roles": [{"rolename": str(place)}]},
        )

    def revoke(self, place: Place) -> bool:
        """Cut off every gate of an entrance, at once and for good. False: there was none."""
        removal = _removal(place, *self._known())
        if removal:
            self._tell(*removal)
            # The broker keeps to itself the will of a client that it throws out.
            gone = encode(Status(state="offline", reason="revoked"))
            self._link.say(place.topic("status"), gone, qos=1, retain=True)
        return bool(removal)

    def agree(self, wanted: Collection[str], readers: Iterable[Reader] = ()) -> list[Place]:
        """Make the broker know these gates and readers and no others; return the entrances where it was mistaken."""
        self._admit({reader.client: reader for reader in readers})
        gates, _ = self._known()
        mistaken = {place_of(name) for name in gates.symmetric_difference(wanted)}
        for place in mistaken:
            self.revoke(place)
        for name in wanted:
            if place_of(name) in mistaken:
                self.add(place_of(name), name)
        return sorted(mistaken)

    def known(self) -> set[str]:
        """Return the names of all clients that the broker knows, beside our own."""
        clients, _ = self._everybody()
        return clients - {CONTROLLER}

    def _admit(self, readers: dict[str, Reader]) -> None:
        """Make the broker know these readers, by the names of their clients, and no others."""
        clients, roles = self._everybody()
        ours = {name for name in clients | roles if name.startswith(READERS)}
        commands: list[Command] = []
        for name in ours - readers.keys():
            commands += [{"command": "deleteClient", "username": name}] if name in clients else []
            commands += [{"command": "deleteRole", "rolename": name}] if name in roles else []
        for name in readers.keys() - ours:
            commands += [
                {"command": "createRole", "rolename": name, "acls": reader_rules(readers[name])},
                {"command": "createClient", "username": name, "roles": [{"rolename": name}]},
            ]
        if commands:
            self._tell(*commands)

    def _known(self) -> tuple[set[str], set[str]]:
        """Return the names of the gates and of the roles that the broker knows."""
        clients, roles = self._everybody()
        return {name for name in clients if name != CONTROLLER and not name.startswith(READERS)}, roles

    def _everybody(self) -> tuple[set[str], set[str]]:
        """Return the names of all clients and roles that the broker knows."""
        clients, roles = self._tell({"command": "listClients"}, {"command": "listRoles"})
        return set(clients["data"]["clients"]), set(roles["data"]["roles"])

    def _tell(self, *commands: Command) -> list[Command]:
        """Send commands, which the broker carries out in one go, and return its answers."""
        mark = secrets.token_hex(8)
        payload = json.dumps({"commands": [{**command, "correlationData": mark} for command in commands]})
        self._link.say(CONTROL, payload.encode(), qos=1)
        deadline = time.monotonic() + self._wait_s
        while not (answers := _answers(self._hear(deadline), mark)):
            pass
        for answer in answers:
            if "error" in answer:
                raise RolesError(f"the broker at {self._where} refused {answer['command']}: {answer['error']}")
        return answers

    def _hear(self, deadline: float) -> LinkSaid:
        try:
            return self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
        except queue.Empty:
            raise RolesError(
                f"the broker at {self._where} does not answer us: does it run with the configuration that "
                "`menshen controller init` wrote?"
            ) from None


def _removal(place: Place, gates: set[str], roles: set[str]) -> list[Command]:
    """Return the commands that take away all an entrance has. Clients first, since that also disconnects them."""
    return [
        *({"command": "deleteClient", "username": name} for name in sorted(gates) if place_of(name) == place),
        *({"command": "deleteRole", "rolename": role} for role in roles if role == str(place)),
    ]


def _answers(said: LinkSaid, mark: str) -> list[Command]:
    """Return the answers to our commands; everybody with the right to hear them hears all answers."""
    if not isinstance(said, Heard):
        return []
    responses: list[Command] = json.loads(said.payload)["responses"]
    return [response for response in responses if response.get("correlationData") == mark]
