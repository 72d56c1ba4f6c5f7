"""One entrance for tests: real parts on mock pins, a real spool, a clock one can set."""

from __future__ import annotations

import queue
from collections.abc import Callable, Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, NamedTuple

from device import config as configuration
from device.clock import Clock, Instant
from device.codes.trust import keyed_hash
from device.courier import Kept
from device.crossing import JOIN_S
from device.entrance import Entrance, Said
from device.inquiry import Inquiry
from device.memory import Memory
from device.policy import Policy
from device.record import Record
from device.settings import convert
from device.shown import Shown
from device.sight import Code, Seen
from device.spool import Reader, Spool
from device.timekeeper import Doubt
from device.wire import messages
from device.wire.messages import EVENTS, AnyEvent, ClockState, Desired, Place, encode
from hardware import board as boards
from hardware import pins
from hardware.parts import BeamChanged, Pressed, Released
from hardware.turnstile import Turnstile

SITE_KEY = b"a site key made up for tests, 32+"
CARD = b"member 4711"
RELAY, RED, GREEN, BLUE = 17, 22, 23, 24
SETTINGS: dict[str, dict[str, Any]] = {
    "gate": {"site": "expo", "entrance": "north"},
    "pins": {"driver": "mock", "beam_outer": 25, "beam_inner": 16},
    "turnstile": {"pulse_ms": 100},
    "duty": {"hours": [{"days": "mon-sun"}], "grace_s": 60},
}


class Watch(Clock):
    """A clock one can set."""

    def __init__(self) -> None:
        self.boot = "b0"
        self.now = 1000.0
        self.ahead = 0.0
        self.believed: ClockState = "synced"

    def wall(self) -> datetime:
        return datetime(2026, 11, 24, 9, tzinfo=UTC) + timedelta(seconds=self.now + self.ahead - 1000)

    def mono(self) -> float:
        return self.now

    def read(self) -> Instant:
        doubt: Doubt = "clock_unset" if self.believed == "unset" else ""
        return Instant(self.wall(), self.now, self.wall().timestamp(), self.believed, doubt)


class Scene(NamedTuple):
    """An entrance with what stands around it."""

    entrance: Entrance
    clock: Watch
    spool: Spool
    events: Callable[[], list[AnyEvent]]
    said: list[tuple[str, bytes]]
    lit: Callable[[int], bool]
    edges: Callable[[int], int]
    inbox: queue.SimpleQueue[Said | None]
    shown: list[Shown]

    def show(self, data: bytes = CARD) -> messages.Scan | None:
        """Hold a code before the lens; return the last scan kept."""
        code = Code(data=data, text=data.decode("utf-8", "replace"), symbology="QRCode")
        self.entrance.take(Seen(code=code, frame_at=self.clock.now - 0.02, read_at=self.clock.now))
        scans = [event for event in self.events() if isinstance(event, messages.Scan)]
        return scans[-1] if scans else None

    def walk(self) -> None:
        """Go through both beams."""
        for beam, broken in (("outer", True), ("inner", True), ("outer", False), ("inner", False)):
            self.clock.now += 0.2
            self.entrance.take(BeamChanged(beam=beam, broken=broken, at=self.clock.now))  # type: ignore[arg-type]
        self.wait(2 * JOIN_S)

    def press(self, seconds: float = 0.2) -> None:
        """Press the staff button for so long."""
        self.entrance.take(Pressed(at=self.clock.now))
        self.clock.now += seconds
        self.entrance.take(Released(at=self.clock.now))

    def wait(self, seconds: float) -> None:
        self.clock.now += seconds
        self.entrance.look()

    def retained(self, word: str, kind: type[Any]) -> Any:
        topic = Place("expo", "north").topic(word)
        payloads = [payload for said, payload in self.said if said == topic]
        return messages.decode(kind, payloads[-1]) if payloads else None


def build(folder: Path, *, clock: Watch | None = None, **sections: dict[str, Any]) -> Iterator[Scene]:
    settings = {name: {**SETTINGS.get(name, {}), **sections.get(name, {})} for name in {*SETTINGS, *sections}}
    config = convert(configuration.Config, settings, source="test")
    policy = Policy(folder / "policy.json", SITE_KEY)
    policy.offer(encode(Desired(version=1, listed=(keyed_hash(SITE_KEY, CARD),))))
    factory, inbox = pins.factory("mock"), queue.SimpleQueue[Said | None]()
    board = boards.build(
        factory=factory, tell=inbox.put, turnstile=Turnstile(RELAY, pulse_ms=100, factory=factory),
        lamp=(RED, GREEN, BLUE), buzzer=18, staff_button=5,
    )  # fmt: skip
    spool, clock, said = Spool(folder / "spool.db"), clock or Watch(), list[tuple[str, bytes]]()
    shown: list[Shown] = []

    def say(topic: str, payload: bytes, *, qos: int = 0, retain: bool = False) -> bool:
        assert (qos, retain) == (1, "/reply/" not in topic)
        said.append((topic, payload))
        return True

    def events() -> list[AnyEvent]:
        reader = Reader(folder / "spool.db")
        kept = [messages.decode(EVENTS[each.kind], each.payload) for each in reader.after(0, 1000)]
        reader.close()
        return kept

    kept, memory = list[Kept](), Memory(folder / "memory.db")
    record = Record(place=Place("expo", "north"), spool=spool, clock=clock, say=say, kept=kept.append)
    asking = Inquiry(config.upstream, Place("expo", "north"), inbox.put) if config.upstream.url else None
    if asking:
        asking.thread.start()
    entrance = Entrance(
        config=config, inbox=inbox, board=board, record=record, policy=policy, memory=memory, clock=clock,
        info=messages.Info(version="0", python="3", parts={}), inquiry=asking, show=shown.append,
    )  # fmt: skip
    yield Scene(
        entrance, clock, spool, events, said,
        lit=lambda pin: bool(factory.pin(pin).state),
        edges=lambda pin: len(factory.pin(pin).states) - 1,
        inbox=inbox,
        shown=shown,
    )  # fmt: skip
    if asking:
        asking.stop()
    board.close()
    spool.close()
    memory.close()
