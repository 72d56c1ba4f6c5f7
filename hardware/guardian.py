"""The process that holds the relay and watches the fire contact, so that neither depends on how the gate fares.

It is small and does nothing else: it owns the two pins, pulses when the gate orders it, ends the pulse by itself, and
holds the relay on while there is a fire. The gate (hardware/keeper.py) speaks to it through a socket, and kills and
replaces it when it falls silent. When the gate takes its leave, it ends what it has begun, a pulse or a fire, and then
itself. When the gate dies, one that has a fire contact to watch waits for the next gate; SIGTERM ends the wait.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import select
import signal
import socket
import struct
import sys
import time
from pathlib import Path
from typing import Final

import msgspec
from msgspec import Struct

from hardware import pins
from hardware.fire import Fire
from hardware.turnstile import Turnstile

BEAT_S: Final = 0.1  # seconds between signs of life
LOOK_S: Final = 0.01  # seconds between looks at the fire contact
UNCLAIMED_S: Final = 20.0  # seconds it waits for a gate that has never come
LONGEST: Final = 4096  # bytes of an order or a report
LEAVE: Final = -1  # the order that takes leave: the gate ends as it should
CLAIM: Final = 1  # the order to take the pins, the first on a connection; each greater number is one pulse
CREDENTIALS: Final = struct.Struct("3i")  # pid, uid, gid of struct ucred


class Charge(Struct, frozen=True, kw_only=True):
    """What a guardian is given. Pins are BCM numbers; `fire` 0: not wired; `levels` is the file of mock pins."""

    driver: pins.Driver
    relay: int
    pulse_ms: int
    fire: int = 0
    levels: str = ""

    @property
    def address(self) -> str:
        """One name for each driver and `levels`, in Linux's abstract namespace: no file, and gone with its owner."""
        return f"\0menshen-guardian-{_digest(f'{self.driver} {self.levels}'.encode())}"

    @property
    def digest(self) -> str:
        """What tells this charge from any other."""
        return _digest(msgspec.json.encode(self))


class Order(Struct, frozen=True, kw_only=True):
    """What a gate asks for."""

    number: int
    charge: str = ""  # its digest, when the pins are to be taken


class Report(Struct, frozen=True, kw_only=True):
    """What a guardian says: on every change, and as a sign of life."""

    answered: int = 0  # the last order on this connection
    problem: str = ""  # why that was not carried out
    claimed: bool = False  # it has the pins
    on: bool = False
    fire: bool = False


def _digest(of: bytes) -> str:
    return hashlib.sha256(of).hexdigest()[:24]


def peer(connection: socket.socket) -> tuple[int, int]:
    """Return pid and uid of the process at the other end, which the kernel vouches for."""
    raw = connection.getsockopt(socket.SOL_SOCKET, socket.SO_PEERCRED, CREDENTIALS.size)
    pid, uid, _ = CREDENTIALS.unpack(raw)
    return pid, uid


class Guardian:
    """Serves one gate at a time at `door`, a listening socket."""

    def __init__(self, charge: Charge, door: socket.socket) -> None:
        self._charge = charge
        self._door = door
        self._gate: socket.socket | None = None
        self._turnstile: Turnstile | None = None
        self._fire: Fire | None = None
        self._said = Report()
        self._said_at = 0.0
        self._until = time.monotonic() + UNCLAIMED_S
        self._wanted = True  # a next gate may come
        self._outdated = False  # the gate there is has another charge

    def leave(self) -> None:
        """Wait for no other gate; safe from a signal handler."""
        self._wanted = False

    def run(self) -> None:
        """Guard for as long as somebody needs it."""
        with contextlib.ExitStack() as parts:
            while self._needed():
                self._listen(parts)
                self._look()

    def _needed(self) -> bool:
        if not self._gate and self._charge.driver == "mock" and not Path(self._charge.levels).exists():
            return False  # the emulated board is gone, and no gate will come to it
        if self._turnstile and self._turnstile.on:  # a pulse, or a fire
            return True
        if self._gate:
            return not self._outdated
        return self._wanted and (self._fire is not None if self._turnstile else time.monotonic() < self._until)

    def _listen(self, parts: contextlib.ExitStack) -> None:
        waiting = [self._door, *([self._gate] if self._gate else [])]
        ready, _, _ = select.select(waiting, [], [], LOOK_S if self._turnstile else BEAT_S)
        if self._gate in ready:
            self._hear(parts)
        if self._door in ready:
            self._admit()

    def _admit(self) -> None:
        """Let a gate of this user in, unless there is one: whoever is connected can open the door."""
        new, _ = self._door.accept()
        if self._gate or peer(new)[1] != os.getuid():
            new.close()
            return
        self._gate, self._wanted = new, True
        self._say(msgspec.structs.replace(self._now(), answered=0, problem=""))

    def _hear(self, parts: contextlib.ExitStack) -> None:
        assert self._gate  # noqa: S101 for the type checker
        try:
            said = self._gate.recv(LONGEST)
        except OSError:
            said = b""
        if not said:
            self._dismiss()
            return
        order, problem = msgspec.json.decode(said, type=Order), ""
        try:
            self._obey(order, parts)
        except Exception as error:  # noqa: BLE001 the gate decides what to do about a relay that does not move
            problem = f"{type(error).__name__}: {error}"
        if not self._outdated:
            self._say(msgspec.structs.replace(self._now(), answered=order.number, problem=problem))

    def _obey(self, order: Order, parts: contextlib.ExitStack) -> None:
        if order.number == LEAVE:
            self.leave()
        elif order.number == CLAIM and self._turnstile:
            self._outdated = order.charge != self._charge.digest
        elif order.number == CLAIM:
            self._claim(parts)
        elif order.number > self._said.answered and self._turnstile:
            self._turnstile.release()

    def _claim(self, parts: contextlib.ExitStack) -> None:
        """Take the pins, the fire's first: a guardian that starts during a fire has the relay on at once."""
        charge = self._charge
        factory = pins.factory(charge.driver, levels=Path(charge.levels) if charge.levels else None)
        if charge.fire:
            self._fire = Fire(charge.fire, factory=factory)
            parts.callback(self._fire.close)
        self._turnstile = Turnstile(charge.relay, pulse_ms=charge.pulse_ms, factory=factory)
        parts.callback(self._turnstile.close)
        if self._fire and self._fire.burning:
            self._turnstile.hold()

    def _look(self) -> None:
        """Watch the fire contact, and say what changed, or at times that nothing did."""
        now = time.monotonic()
        if self._fire and self._turnstile:
            before = self._fire.burning
            if self._fire.look(now) != before:
                (self._turnstile.free if before else self._turnstile.hold)()
        report = self._now()
        if report != self._said or now - self._said_at >= BEAT_S:
            self._say(report)

    def _now(self) -> Report:
        return msgspec.structs.replace(
            self._said,
            claimed=self._turnstile is not None,
            on=bool(self._turnstile and self._turnstile.on),
            fire=bool(self._fire and self._fire.burning),
        )

    def _say(self, report: Report) -> None:
        """Say it without waiting: a gate that stands still misses reports, and the next one holds all there is."""
        self._said, self._said_at = report, time.monotonic()
        if not self._gate:
            return
        try:
            self._gate.send(msgspec.json.encode(report), socket.MSG_DONTWAIT)
        except BlockingIOError:
            pass
        except OSError:
            self._dismiss()

    def _dismiss(self) -> None:
        if self._gate:
            self._gate.close()
        self._gate = None


def main() -> None:
    """Be the process: `python -m hardware.guardian CHARGE`, with the listening socket as standard input."""
    charge = msgspec.json.decode(sys.argv[1], type=Charge)
    with socket.socket(fileno=0) as door:
        door.listen(1)  # again, so that whoever connects can learn from the kernel whom to kill
        guardian = Guardian(charge, door)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
            signal.signal(number, lambda *_: guardian.leave())  # but not from a gate, nor in the middle of a pulse
        guardian.run()


if __name__ == "__main__":
    main()
