"""Commands to a whole entrance: its relay on a mock pin, its spool on disk, a real mosquitto in between."""

from __future__ import annotations

import dataclasses
import shutil
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings

from controller.broker import Broker
from device import config as configuration
from device.__main__ import Gate
from device.codes.trust import make_site_key
from device.commands import QUIET_S, WARY_S
from device.entrance import Entrance
from device.settings import convert
from device.timekeeper import Sample
from device.wire.link import Heard
from device.wire.messages import (
    COMMAND_S,
    AnyEvent,
    ClockState,
    Command,
    Commanded,
    Health,
    Passage,
    Place,
    Reply,
    State,
    decode,
    encode,
)
from hardware.parts import PartError
from tests.attacker import Attacker, connect, publish, subscribe
from tests.bystanders import Ear, wait
from tests.lives import ALLOWED, HERE, NOON, Act, Life, histories
from tests.lobby import BLUE, GREEN, RED, RELAY, Scene, build

LIVES = 25
AHEAD_S = (NOON - datetime(2026, 11, 24, 9, tzinfo=UTC)).total_seconds() + 1000  # of a history before a scene's clock
OPEN: dict[str, Any] = {"allow": list(ALLOWED)}


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    for scene in build(tmp_path, commands=OPEN):
        scene.clock.now += WARY_S
        yield scene


def say(scene: Scene, verb: str = "open", *, mark: str = "0123456789abcdef", left: float = COMMAND_S) -> Reply:
    """Let the entrance hear a command; return what it answers."""
    expires = scene.clock.wall() + timedelta(seconds=left)
    payload = encode(Command(id=mark, to=str(HERE), by="guard 7", expires_at=expires))
    scene.entrance.take(Heard(topic=HERE.topic(f"cmd/{verb}"), payload=payload))
    return reply(scene, verb)


def reply(scene: Scene, verb: str) -> Reply:
    return decode(Reply, [payload for topic, payload in scene.said if topic == HERE.topic(f"reply/{verb}")][-1])


def test_one_opens_once_and_is_kept(scene: Scene) -> None:
    assert say(scene) == Reply(id="0123456789abcdef", outcome="done")
    assert scene.edges(RELAY) >= 1
    assert (scene.lit(RED), scene.lit(GREEN), scene.lit(BLUE)) == (False, True, False)
    assert say(scene) == Reply(id="0123456789abcdef", outcome="refused", reason="repeated")
    obeyed, refused = scene.events()
    assert isinstance(obeyed, Commanded)
    assert (obeyed.event_type, obeyed.verb, obeyed.by) == ("obeyed", "open", "guard 7")
    assert obeyed.command == "0123456789abcdef"
    assert isinstance(refused, Commanded)
    assert (refused.event_type, refused.reason) == ("refused", "repeated")
    wait(lambda: not scene.lit(RELAY))
    assert scene.edges(RELAY) == 2


def test_it_is_on_disk_before_the_relay_moves(scene: Scene) -> None:
    found: list[AnyEvent] = []

    class Looking:
        def release(self) -> None:
            found.extend(scene.events())

    scene.entrance.board = dataclasses.replace(scene.entrance.board, turnstile=Looking())
    assert say(scene).outcome == "done"
    assert [event.event_type for event in found] == ["obeyed"]


def test_whoever_goes_through_uses_it_and_the_next_does_not(scene: Scene) -> None:
    say(scene)
    for _ in range(2):
        scene.walk()
    went = [(event.event_type, event.scan) for event in scene.events() if isinstance(event, Passage)]
    assert went == [("passed", 1), ("tailgated", None)]
    scene.wait(0.1)
    assert scene.retained("state", State).grants == 1


def test_one_that_nobody_uses_is_annulled(scene: Scene) -> None:
    say(scene)
    scene.wait(8.1)
    last = scene.events()[-1]
    assert isinstance(last, Passage)
    assert (last.event_type, last.scan) == ("not_passed", 1)


def test_one_that_cannot_be_kept_opens_nothing(scene: Scene) -> None:
    scene.spool._opened().execute("PRAGMA query_only=1")
    assert say(scene).reason == "not_kept"
    assert scene.edges(RELAY) == 0
    assert [fault.fault for fault in scene.retained("health", Health).faults] == ["spool_failed"]
    scene.spool._opened().execute("PRAGMA query_only=0")


def test_one_that_became_late_while_it_was_kept_opens_nothing(scene: Scene) -> None:
    keep = scene.spool.put

    def slowly(*args: Any) -> int:
        scene.clock.now += 4
        return keep(*args)

    scene.spool.put = slowly  # type: ignore[assignment,method-assign]
    assert say(scene, left=3.9).reason == "late"
    assert scene.edges(RELAY) == 0
    kept = [(event.event_type, event.reason) for event in scene.events() if isinstance(event, Commanded)]
    assert kept == [("obeyed", ""), ("refused", "late")]
    assert say(scene, mark="another-one", left=9).outcome == "done"


def test_a_relay_that_does_not_move_is_no_success(scene: Scene) -> None:
    class Stuck:
        def release(self) -> None:
            raise PartError("the turnstile is stuck")

    scene.entrance.board = dataclasses.replace(scene.entrance.board, turnstile=Stuck())
    assert say(scene).reason == "not_moved"
    kept = [(event.event_type, event.reason) for event in scene.events() if isinstance(event, Commanded)]
    assert kept == [("obeyed", ""), ("refused", "not_moved")]


def test_to_identify_shows_and_sounds_and_opens_nothing(scene: Scene) -> None:
    assert say(scene, "identify").outcome == "done"
    assert (scene.lit(RED), scene.lit(GREEN), scene.lit(BLUE)) == (False, False, True)
    wait(lambda: scene.edges(18) > 2)
    scene.wait(3.1)
    assert (scene.lit(RED), scene.lit(GREEN), scene.lit(BLUE)) == (True, True, True)
    assert scene.edges(RELAY) == 0


def test_a_gate_that_was_not_told_to_allow_it_does_not_open(tmp_path: Path) -> None:
    for scene in build(tmp_path):
        scene.clock.now += WARY_S
        assert say(scene).reason == "not_allowed"
        assert say(scene, "identify", mark="another-one").outcome == "done"
        assert scene.edges(RELAY) == 0


def test_a_flood_of_bad_ones_is_answered_one_by_one_and_fills_nothing(scene: Scene) -> None:
    for number in range(500):
        assert say(scene, mark=f"flood-of-{number}", left=-1).reason == "late"
    assert len(scene.events()) == 1
    scene.wait(QUIET_S)
    last = scene.events()[-1]
    assert isinstance(last, Commanded)
    assert (last.reason, last.count) == ("late", 499)
    assert len(scene.events()) == 2


def test_only_a_verb_becomes_part_of_a_topic(scene: Scene) -> None:
    before = len(scene.said)
    for verb in ("\x1b[2J", "a/b", "x" * 4000, "Open", "状态"):
        scene.entrance.take(Heard(topic=HERE.topic(f"cmd/{verb}"), payload=b"?"))
    assert len(scene.said) == before
    scene.entrance.take(Heard(topic=HERE.topic("cmd/shut"), payload=b"?"))
    assert reply(scene, "shut") == Reply(id="", outcome="refused", reason="not_a_command")


def test_one_that_is_taken_back_is_none(scene: Scene) -> None:
    before = len(scene.said)
    scene.entrance.take(Heard(topic=HERE.topic("cmd/open"), payload=b"", retained=True))
    assert (scene.events(), len(scene.said)) == ([], before)


class Played:
    """A whole entrance as a history has it: what it did is read off its relay's pin and its lamp."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._entrance = scene.entrance
        self.now = self.ahead = 0
        self.restart()

    @property
    def now(self) -> float:
        return self._scene.clock.now

    @now.setter
    def now(self, now: float) -> None:
        self._scene.clock.now = now

    @property
    def ahead(self) -> float:
        return self._scene.clock.ahead - AHEAD_S

    @ahead.setter
    def ahead(self, ahead: float) -> None:
        self._scene.clock.ahead = ahead + AHEAD_S

    @property
    def state(self) -> ClockState:
        return self._scene.clock.believed

    @state.setter
    def state(self, state: ClockState) -> None:
        self._scene.clock.believed = state

    def restart(self) -> None:
        was = self._entrance
        self._entrance = Entrance(
            config=was._config, inbox=was._inbox, board=was.board, record=was._record, policy=was._policy,
            memory=was._entries._memory,
            clock=was._clock, info=was._standing._info,
        )  # fmt: skip

    def deliver(self, verb: str, payload: bytes, *, here: bool, retained: bool) -> bool:
        edges = self._scene.edges(RELAY)
        self._entrance.board.lamp.show("off")
        place = HERE if here else Place("expo", "south")
        self._entrance.take(Heard(topic=place.topic(f"cmd/{verb}"), payload=payload, retained=retained))
        self._entrance.look()
        opened = self._scene.edges(RELAY) > edges
        wait(lambda: not self._scene.lit(RELAY))  # a pulse that has not ended would hide the next
        assert self._scene.edges(RELAY) == edges + 2 * opened
        assert not (opened and verb != "open"), f"{verb} moved the relay"
        return opened or (self._scene.lit(BLUE) and not self._scene.lit(RED))


def test_no_history_moves_the_relay_but_by_a_good_command(tmp_path: Path) -> None:
    tally: Counter[str] = Counter()

    @settings(max_examples=LIVES, deadline=None, suppress_health_check=list(HealthCheck), database=None)
    @given(histories())
    def live(acts: list[Act]) -> None:
        for scene in build(tmp_path, commands=OPEN):
            Life(Played(scene), tally).live(acts)
        shutil.rmtree(tmp_path)
        tmp_path.mkdir()

    live()
    print(dict(tally))
    assert tally["obeyed"] >= 5


class Sure:
    """The machine's clocks, checked by NTP; they begin in the past and catch up at once."""

    def __init__(self, behind_s: float) -> None:
        self.behind_s = behind_s

    def sample(self) -> Sample:
        return Sample(time.time() - self.behind_s, time.monotonic() - self.behind_s, synced=True)


class Running:
    """A whole gate on a real broker, and somebody who hears its answers."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.folder = folder
        self._broker = broker
        make_site_key(folder / "site.key")
        self._ear = Ear(broker, HERE.topic("reply/+"))

    @contextmanager
    def gate(self, *, wary: bool = False) -> Iterator[Gate]:
        """Run it for as long as the block; not `wary`, it has run for a while."""
        raw = {
            "gate": {**HERE._asdict(), "data": str(self.folder), "site_key": str(self.folder / "site.key")},
            "wire": {"host": self._broker.wire.host, "port": self._broker.wire.port},
            "camera": {"driver": "emulated", "source": str(self.folder / "scene.json"), "fps": 1},
            "pins": {"driver": "mock"},
            "commands": OPEN,
        }
        clock = Sure(behind_s=0 if wary else WARY_S)
        gate = Gate(convert(configuration.Config, raw, source="test"), clock.sample)
        clock.behind_s = 0
        thread = threading.Thread(target=gate.run)
        thread.start()
        try:
            wait(lambda: gate.link.up)
            yield gate
        finally:
            gate.stop()
            thread.join(timeout=20)
            assert not thread.is_alive()

    def say(self, mark: str, verb: str = "open", *, retain: bool = False, times: int = 1) -> None:
        """Say a command that is good, as any client may, with QoS 1; what is said again has the DUP flag."""
        whole = Command(
            id=mark, to=str(HERE), by="guard 7", expires_at=datetime.now(tz=UTC) + timedelta(seconds=COMMAND_S)
        )
        said = publish(HERE.topic(f"cmd/{verb}"), encode(whole), retain=retain)
        with Attacker(self._broker.wire.port, None) as sender:
            assert sender.ask(connect("sender")) == "connack 0x00"
            for number in range(times):
                assert sender.ask(bytes([said[0] | (0x08 if number else 0)]) + said[1:]).startswith("puback")

    def replies(self, until: str) -> list[tuple[str, str]]:
        """Return id and reason of all answers up to the one to `until`."""
        heard: list[tuple[str, str]] = []
        while not heard or heard[-1][0] != until:
            said = decode(Reply, self._ear.until(lambda _: True).payload)
            heard.append((said.id, said.reason))
        return heard

    def stop(self) -> None:
        self._ear.stop()


@pytest.fixture
def running(tmp_path: Path, broker: Broker) -> Iterator[Running]:
    running = Running(tmp_path, broker)
    yield running
    running.stop()


def edges(gate: Gate) -> int:
    """Count what the relay did in all lives of the gate."""
    return int(gate.factory.levels.read(RELAY).edges)


def test_one_left_on_the_broker_opens_nothing_now_or_later(running: Running) -> None:
    running.say("left-before", retain=True)
    with running.gate() as gate:
        running.say("left-while-it-listens", retain=True)
        assert running.replies("left-while-it-listens") == [
            ("left-before", "retained"),
            ("left-while-it-listens", "retained"),
        ]
        assert edges(gate) == 0
        running.say("said-now-to-you")
        assert running.replies("said-now-to-you") == [("said-now-to-you", "")]
        wait(lambda: edges(gate) == 2)
    with running.gate() as gate:
        assert running.replies("left-while-it-listens") == [("left-while-it-listens", "retained")]
        assert edges(gate) == 2


def test_one_said_while_the_gate_was_away_never_reaches_it(running: Running, broker: Broker) -> None:
    """A session under the gate's name that is kept, and so a queue, is what a gate of another make left behind."""
    with Attacker(broker.wire.port, None) as before:
        kept = connect("expo.north", properties=b"\x11\xff\xff\xff\xff")
        assert before.ask(kept, subscribe(HERE.topic("cmd/open"))) == "suback 0x01"
    running.say("while-it-was-away")
    with Attacker(broker.wire.port, None) as resumed:
        again = connect("expo.north", properties=b"\x11\xff\xff\xff\xff", resume=True)
        assert resumed.ask(again) == "connack 0x00"
        assert b"while-it-was-away" in resumed.hear().body, "the broker holds it"
    with running.gate() as gate:
        running.say("said-now-to-you")
        assert running.replies("said-now-to-you") == [("said-now-to-you", "")]
        wait(lambda: edges(gate) == 2)


def test_one_that_is_delivered_three_times_opens_once(running: Running) -> None:
    with running.gate() as gate:
        running.say("three-times", times=3)
        running.say("the-last-of-them", "identify")
        assert running.replies("the-last-of-them")[:3] == [
            ("three-times", ""),
            ("three-times", "repeated"),
            ("three-times", "repeated"),
        ]
        wait(lambda: edges(gate) == 2)


def test_one_that_was_obeyed_before_a_restart_is_not_obeyed_again(running: Running) -> None:
    with running.gate() as gate:
        running.say("before-the-restart")
        assert running.replies("before-the-restart") == [("before-the-restart", "")]
        wait(lambda: edges(gate) == 2)
    with running.gate(wary=True) as gate:
        running.say("before-the-restart")
        assert running.replies("before-the-restart") == [("before-the-restart", "perhaps_repeated")]
        assert edges(gate) == 2
