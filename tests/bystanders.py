"""What stands around the controller in its tests: a gate that only speaks, an ear, and the controller in a thread."""

from __future__ import annotations

import queue
import sqlite3
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager, suppress
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from click.testing import CliRunner

from controller.__main__ import Controller
from controller.broker import Broker
from controller.config import AlertsSection, Config, PassesSection, RulesSection, StoreSection
from device.wire.link import Heard, Link, LinkSaid
from device.wire.messages import OLDEST, Ack, Alert, Event, Message, Place, Scan, State, Status, decode, encode
from menshen import main

PLACE: Final = Place("expo", "north")
PATIENCE_S: Final = 30.0  # a busy machine is slow, and whoever does not fail waits no longer than for what comes
WHEN: Final = datetime(2026, 11, 24, 1, 15, 2, 120000, tzinfo=UTC)


def scan(seq: int, *reasons: str, spool: str = "a1b2c3", **other: Any) -> Scan:
    """Return one scan: a grant, or a refusal where there are reasons."""
    fields: dict[str, Any] = {
        "spool": spool, "seq": seq, "boot": "b0", "at": WHEN, "mono": 1.5, "clock": "synced",
        "event_type": "refuse" if reasons else "grant", "reasons": reasons, "code": "00ff", "scheme": "ms1",
        "symbology": "QRCode", "took_ms": 9.5,
    }  # fmt: skip
    return Scan(**(fields | other))


def state(**other: Any) -> State:
    """Return the state of a staffed entrance, or of another."""
    fields: dict[str, Any] = {
        "at": WHEN, "staffing": "staffed", "staffing_since": WHEN, "on_duty": ("guard 7",), "grants": 1, "refusals": 0,
        "passages": 1, "unscanned": 0, "spool_depth": 0, "clock": "synced",
    }  # fmt: skip
    return State(**(fields | other))


def wait(condition: Callable[[], bool]) -> None:
    """Wait until something is so; fail when it does not come about."""
    deadline = time.monotonic() + PATIENCE_S
    while not condition():
        assert time.monotonic() < deadline, "it did not come about"
        time.sleep(0.01)


class Ear:
    """Hears what is said on a broker, from before this returns."""

    def __init__(self, broker: Broker, *topics: str) -> None:
        self.all: list[Heard] = []
        self._left: list[Heard] = []  # not waited for yet
        self._inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
        self.link = Link(broker.wire, name=f"ear-{id(self)}", hear=topics or ("menshen/#",), put=self._inbox.put)
        self.link.start()
        wait(lambda: self.link.up)

    def until(self, match: Callable[[Heard], bool], *, within_s: float = PATIENCE_S) -> Heard:
        """Wait for a message; fail when it does not come. Each topic is heard in order, and each message once."""
        deadline = time.monotonic() + within_s
        while True:
            for found in filter(match, self._left):
                earlier = self._left[: self._left.index(found) + 1]
                self._left = [each for each in self._left if each not in earlier or each.topic != found.topic]
                return found
            try:
                said = self._inbox.get(timeout=max(0.0, deadline - time.monotonic()))
            except queue.Empty:
                raise AssertionError(f"not heard; but {[(each.topic, each.payload) for each in self.all]}") from None
            if isinstance(said, Heard):
                self.all.append(said)
                self._left.append(said)

    def alert(self, kind: str, place: Place = PLACE) -> Alert:
        """Wait until an alert is said to be open."""
        topic = place.topic(f"alert/{kind}")
        return decode(Alert, self.until(lambda heard: heard.topic == topic and heard.payload != b"").payload)

    def over(self, kind: str, place: Place = PLACE) -> None:
        """Wait until an alert is taken back."""
        self.until(lambda heard: heard.topic == place.topic(f"alert/{kind}") and heard.payload == b"")

    def acked(self, seq: int, place: Place = PLACE, spool: str = "a1b2c3") -> None:
        """Wait until a spool is acknowledged up to exactly this."""
        payload = encode(Ack(spool=spool, seq=seq))
        self.until(lambda heard: heard.topic == place.topic("ack") and heard.payload == payload)

    def stop(self) -> None:
        """Leave."""
        self.link.stop()


class Gate(Ear):
    """Says what it is told to, as the gate of one entrance would; hears its acknowledgements and alerts."""

    def __init__(self, broker: Broker, place: Place = PLACE) -> None:
        super().__init__(broker, place.topic("ack"), place.topic("alert/+"), place.topic("policy/desired"))
        self.broker = broker
        self.place = place

    def event(self, event: Event, *, oldest: int | None = 1, kind: str = "scan") -> None:
        """Say an event as a gate would that still holds everything from `oldest` on."""
        headers = {} if oldest is None else {OLDEST: str(oldest)}
        assert self.link.say(self.place.topic(kind), encode(event), headers=headers)

    def retain(self, word: str, message: Message) -> None:
        """Say a retained document."""
        assert self.link.say(self.place.topic(word), encode(message), qos=1, retain=True)

    def raw(self, word: str, payload: bytes, *, retain: bool = False, headers: dict[str, str] | None = None) -> None:
        """Say anything at all."""
        assert self.link.say(self.place.topic(word), payload, retain=retain, headers=headers)

    def ack(self, *, within_s: float) -> int:
        """Return what the next acknowledgement says, or 0 when none comes in time."""
        with suppress(AssertionError):
            heard = self.until(lambda heard: heard.topic == self.place.topic("ack"), within_s=within_s)
            return decode(Ack, heard.payload).seq
        return 0

    def left(self, word: str, payload: bytes) -> None:
        """Say something retained, and go on when the broker has it."""
        self.raw(word, payload, retain=True)
        late = Ear(self.broker, self.place.topic(word))
        late.until(lambda heard: heard.payload == payload)
        late.stop()

    def online(self) -> None:
        """Say the birth."""
        self.retain("status", Status(state="online"))

    def offline(self) -> None:
        """Say what the broker would: the last will."""
        self.retain("status", Status(state="offline", reason="lost"))


def configured(broker: Broker, folder: Path, *, hold_s: float = 600, grace_s: float = 0) -> Config:
    """Return a configuration that keeps everything in `folder`."""
    return Config(
        store=StoreSection(path=str(folder / "controller.db")),
        wire=broker.wire,
        rules=RulesSection(abnormal_hold_s=hold_s, offline_grace_s=grace_s, clock_grace_s=grace_s),
        alerts=AlertsSection(update_s=0),
        passes=PassesSection(issuer=str(folder / "issuer"), site_key=str(folder / "site.key")),
    )


@contextmanager
def running(config: Config) -> Iterator[Controller]:
    """Run a controller in a thread of its own, and go on when it listens; what ends it early fails the test."""
    built, failed = Controller(config), queue.SimpleQueue[BaseException]()

    def work() -> None:
        try:
            built.run()
        except BaseException as error:  # noqa: BLE001 it is raised again below
            failed.put(error)

    thread = threading.Thread(target=work)
    thread.start()
    try:
        wait(lambda: built.link.up)
        yield built
    finally:
        built.stop()
        thread.join(timeout=PATIENCE_S)
    if not failed.empty():
        raise failed.get()
    assert not thread.is_alive()


def rows(config: Config, sql: str) -> list[tuple[Any, ...]]:
    """Ask the database as any other program would."""
    with closing(sqlite3.connect(config.store.path)) as db:
        return db.execute(sql).fetchall()


def told(config: Path, *words: str, code: int = 0) -> str:
    """Say a command of ours, and return what it prints."""
    done = CliRunner().invoke(main, [*words, "--config", str(config)])
    assert done.exit_code == code, done.output
    return done.output
