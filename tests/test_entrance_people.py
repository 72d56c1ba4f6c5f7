"""People at one entrance: who comes again, how many, who is let in by hand, and who stands in the way."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.codes import ms1
from device.codes.trust import keyed_hash, trusted
from device.crossing import BLOCKED_S
from device.probe import Measured
from device.wire import messages
from device.wire.hours import Expected
from device.wire.link import Heard, LinkChanged
from device.wire.messages import Desired, Elsewhere, Inside, Place, encode
from hardware.parts import BeamChanged, Pressed, Reading, Released
from tests.bystanders import wait
from tests.lobby import BLUE, CARD, GREEN, RED, RELAY, SITE_KEY, Scene, build

HERE = Place("expo", "north")
ISSUER, PHONE = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
DIRECTION = {"mode": "direction"}
CODE = keyed_hash(SITE_KEY, CARD)


def a_pass(scene: Scene, subject: str = "visitor 1", **other: Any) -> bytes:
    now = int(scene.clock.wall().timestamp())
    fields: dict[str, Any] = {"kind": "visitor", "places": ("expo",), "not_before": now - 60, "not_after": now + 99999}
    return ms1.issue(ISSUER, subject=subject, **(fields | other)).encode()


def hear(scene: Scene, word: str, message: messages.Message) -> None:
    scene.entrance.take(Heard(topic=HERE.topic(word), payload=encode(message)))


def trusting(scene: Scene, **other: Any) -> None:
    offer = Desired(version=2, keys=(trusted(ISSUER.public_key()),), listed=(CODE,), **other)
    hear(scene, "policy/desired", offer)


def told(scene: Scene, kind: type[Any]) -> list[Any]:
    return [event for event in scene.events() if isinstance(event, kind)]


def shown(scene: Scene, data: bytes = CARD) -> tuple[str, tuple[str, ...]]:
    scan = scene.show(data)
    assert scan is not None
    return scan.event_type, scan.reasons


def settled(scene: Scene) -> None:
    """Wait for the end of a pulse, which would hide the next."""
    wait(lambda: not scene.lit(RELAY))


def asked(scene: Scene) -> None:
    """Wait until the guard is asked for a sign of life."""
    while not scene.entrance._post.duty.asked:
        scene.wait(1)


def measure(scene: Scene, celsius: float) -> None:
    reading = Reading(celsius + scene.clock.now % 1 / 100, 22)
    scene.entrance.take(Measured(reading=reading, at=scene.clock.now))


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    for built in build(tmp_path):
        trusting(built)
        yield built


def again(tmp_path: Path, **sections: Any) -> Iterator[Scene]:
    for built in build(tmp_path, **sections):
        trusting(built)
        yield built


def test_a_pass_for_one_time_admits_once_and_a_grant_nobody_used_does_not_count(scene: Scene) -> None:
    once = a_pass(scene, uses=1)
    assert shown(scene, once) == ("grant", ())
    scene.wait(8.1)
    assert told(scene, messages.Passage)[-1].event_type == "not_passed"
    assert shown(scene, once) == ("grant", ()), "nobody went, so it was not used"
    scene.walk()
    assert shown(scene, once) == ("refuse", ("already_redeemed",))


def test_what_was_used_is_used_after_a_power_cut_between_relay_and_passage(tmp_path: Path) -> None:
    once = b""
    for scene in again(tmp_path):
        once = a_pass(scene, uses=1)
        assert shown(scene, once) == ("grant", ())
    for scene in again(tmp_path):
        assert shown(scene, once) == ("refuse", ("already_redeemed",))


def test_it_is_on_disk_before_the_relay_moves_or_nobody_is_let_in(tmp_path: Path) -> None:
    for scene in again(tmp_path, reentry=DIRECTION):
        scene.entrance._entries._memory._opened().execute("PRAGMA query_only=1")
        assert shown(scene) == ("refer", ("not_kept",))
        assert scene.edges(RELAY) == 0
        assert "memory_failed" in [fault.fault for fault in told(scene, messages.Fault)]
        scene.entrance._entries._memory._opened().execute("PRAGMA query_only=0")
        assert shown(scene) == ("grant", ())


def test_who_is_in_does_not_come_in_again_without_having_gone_out(tmp_path: Path) -> None:
    for scene in again(tmp_path, reentry=DIRECTION, turnstile={"scanned": "both"}):
        ways = []
        for _ in range(3):
            assert shown(scene) == ("grant", ())
            ways.append(told(scene, messages.Scan)[-1].direction)
            scene.walk()
        assert ways == ["in", "out", "in"]
    for scene in again(tmp_path, reentry=DIRECTION):
        assert shown(scene) == ("refer", ("passback",)), "remembered over a restart"
        assert (scene.lit(RED), scene.lit(GREEN)) == (True, True)
    for scene in again(tmp_path, reentry={"mode": "time", "again_s": 60, "outcome": "refuse"}):
        assert shown(scene) == ("refuse", ("passback",))
        scene.clock.now += 120
        assert shown(scene) == ("grant", ())


def test_what_another_gate_of_the_site_saw_counts_here_and_what_nobody_used_there_does_not(tmp_path: Path) -> None:
    for scene in again(tmp_path, reentry=DIRECTION):
        seen: dict[str, Any] = {
            "id": "ab-1",
            "code": CODE,
            "direction": "in",
            "at": scene.clock.wall(),
            "entrance": "south",
        }
        hear(scene, "seen", Elsewhere(**seen))
        hear(scene, "seen", Elsewhere(**seen))
        assert shown(scene) == ("refer", ("passback",))
        hear(scene, "seen", Elsewhere(**seen, void=True))
        assert shown(scene) == ("grant", ())
        scene.entrance.take(Heard(topic=HERE.topic("seen"), payload=b"nonsense"))
        assert scene.retained("health", messages.Health) in (None, messages.Health(faults=()))


def test_a_full_site_refers_the_next_until_somebody_leaves(scene: Scene) -> None:
    hear(scene, "occupancy", Inside(inside=9, capacity=10, at=scene.clock.wall()))
    assert shown(scene) == ("grant", ())
    scene.walk()
    assert shown(scene) == ("refer", ("capacity",))
    scene.entrance.take(LinkChanged(up=True))
    scene.wait(0.1)
    assert scene.retained("state", messages.State).inside == 10
    scene.entrance.take(LinkChanged(up=False))
    scene.wait(61)
    assert [fault.fault for fault in scene.retained("health", messages.Health).faults] == ["occupancy_stale"]
    scene.entrance.take(LinkChanged(up=True))
    hear(scene, "occupancy", Inside(inside=3, capacity=10, at=scene.clock.wall()))
    scene.wait(0.1)
    assert scene.retained("health", messages.Health).faults == ()
    assert shown(scene) == ("grant", ())


def test_a_party_on_one_code_goes_through_one_by_one(scene: Scene) -> None:
    assert shown(scene, a_pass(scene, people=3)) == ("grant", ())
    pulses = []
    for _ in range(4):
        settled(scene)
        scene.walk()
        pulses.append(scene.lit(RELAY))
    assert pulses == [True, True, False, False], "the turnstile lets one through each time"
    went = [(event.event_type, event.scan) for event in told(scene, messages.Passage)]
    assert went == [("passed", 1), ("passed", 1), ("passed", 1), ("tailgated", None)]
    assert told(scene, messages.Scan)[0].people == 3


def test_a_guard_admits_who_was_referred_by_one_press_and_it_says_who(tmp_path: Path) -> None:
    for scene in again(tmp_path, reentry=DIRECTION):
        scene.show(a_pass(scene, "guard 7", kind="staff"))
        shown(scene)
        scene.walk()
        assert shown(scene) == ("refer", ("passback",))
        settled(scene)
        referred = told(scene, messages.Scan)[-1].seq
        scene.press()
        decided = told(scene, messages.Scan)[-1]
        assert (decided.event_type, decided.scheme, decided.by, decided.why) == (
            "grant", "manual", ("guard 7",), "referred",
        )  # fmt: skip
        assert (decided.answers, decided.code) == (referred, CODE)
        assert scene.lit(RELAY)
        scene.walk()
        assert told(scene, messages.Passage)[-1].scan == decided.seq
        scene.press()
        assert told(scene, messages.Duty)[-1].event_type == "check_in", "the next press is for duty again"


def test_nobody_admits_by_a_press_where_no_guard_is_on_duty(scene: Scene) -> None:
    scene.clock.believed = "unset"
    assert shown(scene, a_pass(scene)) == ("refer", ("clock_unsure",))
    scene.press()
    assert told(scene, messages.Duty)[-1].event_type == "check_in"
    assert scene.edges(RELAY) == 0


def test_a_badge_at_a_held_button_lets_in_without_a_code_and_over_a_refusal(scene: Scene) -> None:
    badge = a_pass(scene, "guard 7", kind="staff")
    scene.entrance.take(Pressed(at=scene.clock.now))
    scene.show(badge)
    scene.walk()
    assert shown(scene, b"not a code") == ("refuse", ("invalid",))
    scene.show(badge)
    scene.entrance.take(Released(at=scene.clock.now + 5))
    by_hand = [(scan.by, scan.why, scan.answers is None) for scan in told(scene, messages.Scan) if scan.why]
    assert by_hand == [(("guard 7",), "without_code", True), (("guard 7",), "overridden", False)]
    assert told(scene, messages.Duty) == [], "nobody checked in or out meanwhile"
    assert [event.event_type for event in told(scene, messages.Passage)] == ["passed"]


def test_a_badge_that_can_be_photographed_is_not_enough_where_it_must_rotate(tmp_path: Path) -> None:
    for scene in again(tmp_path, duty={"rotating_badges": True}):
        assert shown(scene, a_pass(scene, "guard 7", kind="staff")) == ("refuse", ("badge_static",))
        assert told(scene, messages.Duty) == []
        rotating = a_pass(scene, "guard 7", kind="staff", holder=PHONE.public_key()).decode()
        screen = ms1.present(rotating, PHONE, int(scene.clock.wall().timestamp())).encode()
        assert shown(scene, screen) == ("grant", ())
        assert told(scene, messages.Duty)[-1].who == "guard 7"
        assert shown(scene) == ("grant", ()), "visitors are asked for no such thing"


def test_a_guard_nobody_expects_is_marked(scene: Scene) -> None:
    hear(scene, "policy/desired", Desired(version=3, keys=(trusted(ISSUER.public_key()),), roster=(
        Expected("guard 8", "expo/north"),
    )))  # fmt: skip
    scene.show(a_pass(scene, "guard 7", kind="staff"))
    scene.show(a_pass(scene, "guard 8", kind="staff"))
    assert [(duty.who, duty.off_roster) for duty in told(scene, messages.Duty)] == [
        ("guard 7", True), ("guard 8", False),
    ]  # fmt: skip


def test_a_roster_with_hours_nobody_can_read_is_refused_whole(scene: Scene) -> None:
    hear(scene, "policy/desired", Desired(version=3, roster=(Expected("guard 8", "expo", "someday"),)))
    applied = scene.retained("policy/applied", messages.Applied)
    assert (applied.version, "someday" in applied.problem) == (2, True)


def test_a_guard_who_is_asked_presses_the_button_or_is_missed(tmp_path: Path) -> None:
    for scene in again(tmp_path, duty={"hours": [{"days": "mon-sun"}], "grace_s": 60, "prompt_s": 600, "pat_s": 60}):
        scene.show(a_pass(scene, "guard 7", kind="staff"))
        scene.wait(4)
        asked(scene)
        assert (scene.lit(RED), scene.lit(GREEN), scene.lit(BLUE)) == (False, False, True), "it asks in blue"
        scene.press()
        assert [duty.event_type for duty in told(scene, messages.Duty)] == ["check_in"]
        asked(scene)
        scene.wait(61)
        missed, unstaffed = told(scene, messages.Duty)[-2:]
        assert (missed.event_type, missed.who, unstaffed.event_type) == ("missed", "guard 7", "unstaffed")
        assert missed.since == unstaffed.since == scene.clock.wall() - timedelta(seconds=61)


def test_a_good_code_waits_for_a_temperature_and_both_are_one_answer(tmp_path: Path) -> None:
    for scene in again(tmp_path, thermometer={"mode": "require", "wait_s": 3}):
        measure(scene, 23)
        assert scene.show() is None, "nothing is answered yet"
        lamps = set()
        for _ in range(8):
            scene.wait(0.25)
            measure(scene, 23)
            lamps.add(scene.lit(RED))
        assert lamps == {True, False}, "it blinks"
        measure(scene, 36.5)
        scene.wait(0)
        (scan,) = told(scene, messages.Scan)
        assert (scan.event_type, scan.temperature) == ("grant", "normal")
        scene.wait(5)
        measure(scene, 23)
        scene.show()
        assert shown(scene, b"not a code")[0] == "refuse", "what is bad does not wait"
        for _ in range(13):
            scene.wait(0.25)
            measure(scene, 23)
        late = told(scene, messages.Scan)[-1]
        assert (late.event_type, late.reasons) == ("refer", ("temperature_recheck",))


@pytest.mark.parametrize("mode", ["off", "advise"])
def test_nobody_waits_where_a_temperature_is_not_required(tmp_path: Path, mode: str) -> None:
    for scene in again(tmp_path, thermometer={"mode": mode}):
        scene.entrance.take(Measured(reading=Reading(23, 22), at=scene.clock.now))
        assert shown(scene) == ("grant", ())


def test_who_stands_in_the_beams_is_a_fault_and_then_the_beam_is(scene: Scene) -> None:
    def faults() -> list[str]:
        health = scene.retained("health", messages.Health)
        return [fault.fault for fault in health.faults] if health else []

    scene.entrance.take(BeamChanged(beam="outer", broken=True, at=scene.clock.now))
    scene.wait(19.9)
    assert faults() == []
    scene.wait(0.2)
    assert faults() == ["held_open"]
    scene.wait(BLOCKED_S - 20)
    assert faults() == ["beam_blocked"]
    scene.entrance.take(BeamChanged(beam="outer", broken=False, at=scene.clock.now))
    scene.wait(1)
    assert faults() == []
    assert told(scene, messages.Passage) == [], "and nobody went"


def test_a_grant_is_not_annulled_while_somebody_is_in_the_beams(scene: Scene) -> None:
    scene.show()
    scene.clock.now += 7.9
    for beam, broken in (("outer", True), ("inner", True)):
        scene.entrance.take(BeamChanged(beam=beam, broken=broken, at=scene.clock.now))  # type: ignore[arg-type]
        scene.wait(1)
    for beam in ("outer", "inner"):
        scene.entrance.take(BeamChanged(beam=beam, broken=False, at=scene.clock.now))  # type: ignore[arg-type]
        scene.wait(1)
    assert [event.event_type for event in told(scene, messages.Passage)] == ["passed"]


def test_a_stuck_button_is_a_fault_and_no_guard(scene: Scene) -> None:
    scene.entrance.take(Pressed(at=scene.clock.now))
    scene.wait(31)
    assert [fault.fault for fault in scene.retained("health", messages.Health).faults] == ["button_stuck"]
    scene.entrance.take(Released(at=scene.clock.now))
    scene.wait(0.1)
    assert scene.retained("health", messages.Health).faults == ()
    assert told(scene, messages.Duty) == []


def test_a_memory_that_works_again_is_noticed_though_nobody_comes(tmp_path: Path) -> None:
    for scene in again(tmp_path, reentry=DIRECTION):
        memory = scene.entrance._entries._memory._opened()
        memory.execute("PRAGMA query_only=1")
        shown(scene)
        scene.wait(1.1)
        assert [fault.fault for fault in scene.retained("health", messages.Health).faults] == ["memory_failed"]
        memory.execute("PRAGMA query_only=0")
        scene.wait(1.1)
        assert scene.retained("health", messages.Health).faults == ()
