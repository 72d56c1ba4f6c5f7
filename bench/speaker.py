"""Many gates' spools in one process of their own: says events at a pace or as fast as they are taken, and times each.

An event is encoded before the clock runs. Like a gate's courier it has a window under way, and begins again after the
last acknowledged event where one is missed. For listeners that acknowledge nothing a counter stands in.
"""

from __future__ import annotations

import multiprocessing
import os
import time
from array import array
from collections.abc import Callable
from ctypes import c_ulonglong
from typing import Final, NamedTuple

import msgspec

from bench.cable import Cable, message
from controller.database import now
from device.courier import WINDOW, Window
from device.wire.link import Wire
from device.wire.messages import KIND_OF, OLDEST, SEQ, SPOOL, Ack, AnyEvent, Passage, Place, Scan, Status, encode

WRONG: Final = 20  # one in so many codes is refused
AT_ONCE: Final = 200  # events handed to the connection together
REST_S: Final = 0.001
GIVE_UP_S: Final = 30.0  # without a word of progress


class Spoken(NamedTuple):
    """What came of it."""

    seconds: float  # from the first event to the last acknowledgement
    cpu: float  # seconds of the processor, the speaker's own
    latencies: array[float]  # seconds, from when an event was due to when it was acknowledged
    again: int  # events said once more
    missing: int


def places(gates: int) -> list[Place]:
    """Return so many entrances, fifty to a site."""
    return [Place(f"site-{number // 50}", f"gate-{number:04}") for number in range(gates)]


def event(place: Place, seq: int) -> AnyEvent:
    """Return an event as gates say them: a code, and who went through on it."""
    at = now()
    spool, boot, mono = f"sp-{place.entrance}", "7c5a5b0e-6d0c-4a0a-9b60-4f3f4a3f4d11", 100.0 + seq
    if seq % 2 == 0:
        return Passage(
            spool=spool, seq=seq, boot=boot, at=at, mono=mono, clock="synced", event_type="passed", direction="in",
            scan=seq - 1,
        )  # fmt: skip
    wrong = seq // 2 % WRONG == WRONG - 1
    return Scan(
        spool=spool, seq=seq, boot=boot, at=at, mono=mono, clock="synced", event_type="refuse" if wrong else "grant",
        reasons=("revoked",) if wrong else (), code=f"{hash((place, seq)) % 2**128:032x}" * 2, scheme="ms1",
        symbology="QRCode", kind="visitor", temperature="normal", celsius=36.4, took_ms=8.13,
    )  # fmt: skip


def packet(place: Place, seq: int) -> bytes:
    """Return how it is said."""
    said = event(place, seq)
    headers = {SPOOL: said.spool, SEQ: str(seq), OLDEST: "1"}
    return message(place.topic(KIND_OF[type(said)]), encode(said), headers)


class Gate:
    """One spool, from its event `first` on: what of it is under way, by a courier's own window, and since when."""

    def __init__(self, place: Place, first: int, count: int) -> None:
        self.place = place
        self.packets = [packet(place, seq) for seq in range(first, first + count)]
        self.first = first
        self.due = array("d", bytes(8 * count))
        self.window = Window(0)
        self.again = self._furthest = 0

    def ack(self, seq: int, at: float, latencies: array[float]) -> None:
        """Take an acknowledgement."""
        before, upto = self.window.acked, min(seq - self.first + 1, len(self.packets))
        if upto >= before and self.window.ack(upto, at):
            latencies.extend(at - due for due in self.due[before:upto])

    def go_on(self, ready: int, ahead: int, at: float) -> bytes:
        """Return what is to be said now, of what is ready and no more than `ahead` of what is acknowledged."""
        self.window.look(at)
        after, room = self.window.room(min(ready, self.window.acked + ahead))
        if not room:
            return b""
        for number in range(max(after, self._furthest), after + room):
            self.due[number] = self.due[number] or at
        self.again += max(0, min(self._furthest, after + room) - after)
        self._furthest = max(self._furthest, after + room)
        self.window.sent(after + room, at)
        return b"".join(self.packets[after : after + room])


class Speaker:
    """`rate` events a second in all, the gates in turn; 0: as fast as `ahead` events beyond what is known allow."""

    def __init__(self, wire: Wire, gates: int, first: int, count: int, *, rate: float, ahead: int) -> None:
        self._gates = [Gate(place, first, count // gates) for place in places(gates)]
        self._by_topic = {gate.place.topic("ack"): gate for gate in self._gates}
        self._total = count // gates * gates
        self._rate = rate
        self._ahead = ahead
        self._window = WINDOW if rate else max(1, ahead // gates)
        self._cable = Cable(wire, f"speaker-{os.getpid()}", ["menshen/+/+/ack"])
        self._latencies = array("d")

    def greet(self) -> None:
        """Say that every gate is there."""
        for gate in self._gates:
            self._cable.say(message(gate.place.topic("status"), encode(Status(state="online")), retain=True))

    def speak(self, taken: c_ulonglong | None = None) -> Spoken:
        """Say all; `taken` counts what a listener that acknowledges nothing has taken."""
        began, cpu = time.monotonic(), time.process_time()
        step = self._acknowledged(began) if taken is None else self._counted(taken)
        progress, moved = 0, began
        while progress < self._total and time.monotonic() - moved < GIVE_UP_S:
            self._cable.wait(REST_S)
            self._cable.flush()
            at = time.monotonic()
            now_known = step(at)
            if now_known > progress:
                progress, moved = now_known, at
        self._cable.close()
        again, missing = sum(gate.again for gate in self._gates), max(0, self._total - progress)
        return Spoken(time.monotonic() - began, time.process_time() - cpu, self._latencies, again, missing)

    def _acknowledged(self, began: float) -> Callable[[float], int]:
        due = 0  # events due so far, the gates in turn
        order = self._gates

        def step(at: float) -> int:
            nonlocal due
            for topic, payload in self._cable.hear():
                gate = self._by_topic.get(topic)
                if gate:
                    gate.ack(msgspec.json.decode(payload, type=Ack).seq, at, self._latencies)
            upto = min(self._total, int((at - began) * self._rate)) if self._rate else 0
            for number in range(due, upto):
                order[number % len(order)].due[number // len(order)] = began + number / self._rate
            due = upto
            for index, gate in enumerate(order):
                ready = len(gate.packets) if not self._rate else (due - index + len(order) - 1) // len(order)
                if packets := gate.go_on(ready, self._window, at):
                    self._cable.say(packets)
            return sum(gate.window.acked for gate in order)

        return step

    def _counted(self, taken: c_ulonglong) -> Callable[[float], int]:
        sent, order = 0, self._gates

        def step(_at: float) -> int:
            nonlocal sent
            known = taken.value
            out = bytearray()
            for number in range(sent, min(self._total, known + self._ahead, sent + AT_ONCE)):
                out += order[number % len(order)].packets[number // len(order)]
                sent += 1
            if out:
                self._cable.say(bytes(out))
            return known

        return step


def spoken(
    wire: Wire, gates: int, first: int, count: int, *, rate: float = 0, ahead: int = 0, taken: c_ulonglong | None = None
) -> Spoken:
    """Let a process of its own say events, and return what came of it."""
    answer: multiprocessing.Queue[Spoken] = multiprocessing.Queue()

    def work() -> None:
        speaker = Speaker(wire, gates, first, count, rate=rate, ahead=ahead)
        speaker.greet()
        answer.put(speaker.speak(taken))

    process = multiprocessing.get_context("fork").Process(target=work)
    process.start()
    try:
        return answer.get()
    finally:
        process.join()
