"""The emulated kiosk: one real gate on emulated parts, a real mosquitto, the controller, and the world around them.

Acts are lines. Those of `hardware/stage.py` go to the gate's standard input; around it there are also

    show @NAME [-- NAME=VALUE ...]  hold up a code from the tray, such as show @expired -- blur=2
    power off|on                    cut the gate's power, or give it back
    network off|on                  pull the cable between gate and broker, or plug it in

What the pins do, what the gate's screen shows, and what is said on MQTT is noted in the order in which it happened.
"""

from __future__ import annotations

import json
import queue
import subprocess
import threading
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from http.client import HTTPConnection, HTTPException
from pathlib import Path
from typing import IO, Any, Final, NamedTuple

import msgspec

from controller import cast
from controller.abroad import Abroad
from controller.broker import Broker, free_port
from controller.cable import Cable
from controller.cast import NORTH, SITE, Issuer
from controller.store import Store
from controller.tray import TRAY, Issuers
from controller.troupe import Troupe, TroupeError
from device.wire.link import Heard, Link, LinkSaid
from device.wire.messages import EVENTS, MessageError, Place, parse_topic
from device.wire.words import Language

PLACE: Final = Place(SITE, NORTH)
START_S: Final = 60.0  # until the gate is at work, on a slow and busy machine
ACT_S: Final = 70.0  # the longest act holds a button for a minute
BEGIN: Final = ("heat 36.5", "present yes")  # somebody healthy comes, and a guard is at his place
KEPT: Final = 5000  # of what happened
PINS: Final = "presence = 13\nfire = 12\ntamper = 6\ndoor = 4\n"
GUARD_S: Final = 5  # of grace, so that a missing guard is soon noticed
HELD_S: Final = 3  # seconds, so that a door that stands open is, too

# Red, green, blue.
LAMPS: Final[dict[tuple[bool, bool, bool], str]] = {
    (False, False, False): "off",
    (False, True, False): "green",
    (True, True, False): "amber",
    (True, False, False): "red",
    (True, True, True): "white",
    (False, False, True): "blue",
}


class ActError(ValueError):
    """An act that cannot be done here and now; the text says why."""


class Happened(NamedTuple):
    """Something the world could see."""

    number: int
    at: float  # monotonic seconds
    what: str  # act, pin, lamp, screen, event, alert, power, network
    name: str  # such as relay, scan, abnormal_code
    detail: dict[str, Any]


class World:
    """All of it. Threads note what happened; `changed` is told each time."""

    def __init__(self, folder: Path, tongue: Language = "zh") -> None:
        self.folder = folder
        self._tongue = tongue
        self.issuers = Issuers(Issuer(), Abroad())
        self.screen_port = free_port()
        self.pins: dict[str, bool] = {}
        self.lamp = self.screen = "off"
        self.alerts: dict[str, dict[str, Any]] = {}
        self.power = self.network = False
        self.past: list[Happened] = []
        self.count = 0
        self.changed = threading.Condition()
        self._acting = threading.Lock()
        self._answers: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._seen: set[tuple[str, int]] = set()
        self._over = threading.Event()
        self._holds_policy = threading.Event()
        self._closers: list[Callable[[], None]] = []
        self._troupe = Troupe(folder)

    def open(self) -> None:
        """Bring everything up; raise BrokerError or TroupeError where it does not come."""
        broker = Broker(self.folder)
        broker.start()
        self._closers.append(broker.stop)
        self._cable = Cable(broker.wire.port)
        self._closers.append(self._cable.close)
        cast.furnish(self.folder, self.issuers.ours, cast.wired(broker.wire), {NORTH: cast.ENTRANCES[NORTH]})
        with closing(Store(self.folder / "controller.db")) as store:
            for each in self.issuers.abroad.lists:
                store.trust_list(each)
            for admission in self.issuers.abroad.admissions:
                store.admit(admission)
        wire = msgspec.structs.replace(broker.wire, port=self._cable.port)
        text = cast.gate(
            self.folder, NORTH, cast.wired(wire), mode="require", pins=PINS, grace_s=GUARD_S, language=self._tongue
        )
        text += f"[turnstile]\nheld_s = {HELD_S}\n[screen]\nenabled = true\nport = {self.screen_port}\n"
        (self.folder / f"{NORTH}.toml").write_text(text, encoding="utf-8")
        self._closers.append(self._troupe.stop)
        self._troupe.start("controller", "controller", "run", "--config", str(self.folder / "controller.toml"))
        heard: queue.SimpleQueue[LinkSaid | None] = queue.SimpleQueue()
        link = Link(broker.wire, name="kiosk", hear=("menshen/#",), put=heard.put)
        link.start()
        self._closers += [lambda: heard.put(None), link.stop]
        for work in (lambda: self._listen(heard), self._watch_screen):
            thread = threading.Thread(target=work, name="kiosk", daemon=True)
            thread.start()
        self._note("network", "on")
        self.network = True
        self.act("power on")
        self._await_policy()

    def _await_policy(self) -> None:
        """Wait until the gate knows whose codes to believe: before, it sends the best of them to the guard."""
        deadline = time.monotonic() + START_S
        while not self._holds_policy.wait(0.2):
            self._troupe.check()
            if time.monotonic() >= deadline:
                raise TroupeError(f"the gate got no policy within {START_S:g} s: {self._troupe.log(NORTH)}")

    def close(self) -> None:
        """End everything, the last first."""
        self._over.set()
        while self._closers:
            self._closers.pop()()

    @property
    def gate(self) -> int:
        """Return the id of the gate's process."""
        return self._troupe.running[NORTH].pid

    def act(self, line: str) -> int:
        """Do one act and return the number of the last thing before it; raise ActError when it cannot be done."""
        word, _, said = line.strip().partition(" ")
        with self._acting:
            began = self.count
            self._note("act", line.strip())
            if word in ("power", "network"):
                if said not in ("on", "off"):
                    raise ActError(f"{word} on or off? {said!r} is neither")
                getattr(self, f"_{word}")(on=said == "on")
            else:
                self._tell(self._from_tray(line.strip()))
        return began

    def since(self, number: int) -> list[Happened]:
        """Return what happened after the thing of that number."""
        return self.past[max(0, len(self.past) - (self.count - number)) :] if number < self.count else []

    def _power(self, *, on: bool) -> None:
        if on == self.power:
            return
        if not on:
            self.power = False
            self._troupe.kill(NORTH)
            self._pins_are(time.monotonic(), dict.fromkeys(self.pins, False))
            self._note("power", "off")
            return
        self._answers = queue.SimpleQueue()
        self._troupe.start_gate(NORTH, stdout=subprocess.PIPE)
        output = self._troupe.running[NORTH].stdout
        answers = self._answers
        threading.Thread(target=lambda: self._hear_gate(output, answers), name="gate-says", daemon=True).start()
        self.power = True
        self._note("power", "on")
        for line in BEGIN:
            self._tell(line)

    def _network(self, *, on: bool) -> None:
        (self._cable.mend if on else self._cable.pull)()
        self.network = on
        self._note("network", "on" if on else "off")

    def _from_tray(self, line: str) -> str:
        word, _, said = line.partition(" ")
        if word != "show" or not said.startswith("@"):
            return line
        name, _, rest = said[1:].partition(" ")
        if name not in TRAY:
            raise ActError(f"show: no @{name} on the tray; there are {', '.join(f'@{each}' for each in TRAY)}")
        return f"show {TRAY[name].text(self.issuers)} {rest}".strip()

    def _tell(self, line: str) -> None:
        if not self.power:
            raise ActError("the gate has no power: power on first")
        try:
            self._troupe.tell(NORTH, line)
            answer = self._answers.get(timeout=ACT_S)
        except (TroupeError, BrokenPipeError, queue.Empty) as error:
            raise ActError(f"the gate does not answer: {error}: {self._troupe.log(NORTH)}") from error
        if answer != "done":
            raise ActError(answer.removeprefix("cannot "))

    def _hear_gate(self, output: IO[str] | None, answers: queue.SimpleQueue[str]) -> None:
        for line in output or ():
            word, *rest = line.split()
            if word == "pins":
                at, *levels = rest
                changes = dict(level.split("=") for level in levels)
                self._pins_are(float(at), {name: high == "1" for name, high in changes.items()})
            else:
                answers.put(line.strip())
        answers.put("cannot: the gate has ended")

    def _pins_are(self, at: float, levels: dict[str, bool]) -> None:
        before = dict(self.pins)
        self.pins.update(levels)
        for name, high in levels.items():
            if before.get(name, False) != high:
                self._note("pin", name, {"on": high}, at)
        colours = tuple(self.pins.get(f"lamp_{colour}", False) for colour in ("red", "green", "blue"))
        lamp = LAMPS.get(colours, "mixed")  # type: ignore[arg-type]
        if lamp != self.lamp:
            self.lamp = lamp
            self._note("lamp", lamp, at=at)

    def _watch_screen(self) -> None:
        """Follow the gate's own screen, as its page does."""
        while not self._over.wait(0.2):
            connection = HTTPConnection("127.0.0.1", self.screen_port, timeout=5)
            try:
                connection.request("GET", "/shown")
                for face in _faces(connection.getresponse()):
                    self._screen_is(face)
            except (OSError, HTTPException):
                self._screen_is({"kind": "off", "hint": ""})
            finally:
                connection.close()

    def _screen_is(self, face: dict[str, Any]) -> None:
        shown = f"{face['kind']} {face['hint']}".strip()
        if shown != self.screen:
            self.screen = shown
            self._note("screen", face["kind"], {"hint": face["hint"]})

    def _listen(self, heard: queue.SimpleQueue[LinkSaid | None]) -> None:
        while (said := heard.get()) is not None:
            if isinstance(said, Heard):
                try:
                    place, word = parse_topic(said.topic)
                    payload = msgspec.json.decode(said.payload or b"{}", type=dict[str, Any])
                except (MessageError, msgspec.DecodeError):
                    continue
                if place == PLACE:
                    self._heard(word, payload)

    def _heard(self, word: str, payload: dict[str, Any]) -> None:
        if word in EVENTS:
            mark = (str(payload["spool"]), int(payload["seq"]))
            if mark not in self._seen:  # gates repeat themselves until they are heard
                self._seen.add(mark)
                self._note("event", word, payload)
        elif word.startswith("alert/"):
            kind = word.removeprefix("alert/")
            if payload:
                fresh = kind not in self.alerts
                self.alerts[kind] = payload
            else:
                fresh = self.alerts.pop(kind, None) is not None
            if fresh:
                self._note("alert", kind, {"over": not payload})
        elif word == "status":
            self._note("status", str(payload.get("state", "")))
        elif word == "policy/applied" and payload.get("version"):
            self._holds_policy.set()

    def _note(self, what: str, name: str, detail: dict[str, Any] | None = None, at: float | None = None) -> None:
        with self.changed:
            self.count += 1
            self.past.append(Happened(self.count, time.monotonic() if at is None else at, what, name, detail or {}))
            del self.past[:-KEPT]
            self.changed.notify_all()


def _faces(answer: Any) -> Iterator[dict[str, Any]]:
    while line := answer.readline():
        if line.startswith(b"data: "):
            yield json.loads(line[6:])
