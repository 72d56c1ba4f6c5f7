"""One entrance at work when there is a fire, its lid is open, or its relay does not move."""

from __future__ import annotations

import dataclasses
from collections.abc import Iterator
from pathlib import Path

import pytest

from device.wire import messages
from hardware.parts import FireChanged, GuardianChanged, PartError, TamperChanged
from tests.lobby import BLUE, GREEN, RED, Scene, build


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    yield from build(tmp_path)


def test_during_a_fire_the_lamp_stays_green_and_codes_are_recorded(scene: Scene) -> None:
    scene.entrance.take(FireChanged(fire=True, at=scene.clock.now))
    assert (scene.lit(RED), scene.lit(GREEN)) == (False, True)
    scan = scene.show(b"no")
    assert scan is not None
    assert scan.event_type == "refuse"
    assert (scene.lit(RED), scene.lit(GREEN)) == (False, True), "a red lamp would keep people from leaving"
    scene.wait(10)
    assert (scene.lit(RED), scene.lit(GREEN)) == (False, True)
    assert [fault.fault for fault in scene.retained("health", messages.Health).faults] == ["fire"]
    scene.entrance.take(FireChanged(fire=False, at=scene.clock.now))
    assert (scene.lit(RED), scene.lit(GREEN), scene.lit(BLUE)) == (True, True, True)
    assert scene.retained("health", messages.Health).faults == ()


def test_an_open_lid_and_a_lost_guardian_are_faults(scene: Scene) -> None:
    now = scene.clock.now
    for said in (
        TamperChanged(open=True, at=now), GuardianChanged(lost=True, detail="gone"),
        TamperChanged(open=False, at=now), GuardianChanged(lost=False),
    ):  # fmt: skip
        scene.entrance.take(said)
    said_ = [(event.event_type, event.fault) for event in scene.events() if isinstance(event, messages.Fault)]
    assert said_ == [
        ("raised", "tamper"), ("raised", "guardian_lost"), ("cleared", "tamper"), ("cleared", "guardian_lost"),
    ]  # fmt: skip


class Stuck:
    """A turnstile that does not move."""

    def release(self) -> None:
        raise PartError("it does not move")


def test_a_turnstile_that_does_not_move_is_left_to_the_guard(scene: Scene) -> None:
    whole = scene.entrance.board
    scene.entrance.board = dataclasses.replace(whole, turnstile=Stuck())
    scan = scene.show()
    assert scan is not None
    assert scan.event_type == "grant"
    assert (scene.lit(RED), scene.lit(GREEN), scene.lit(BLUE)) == (True, True, False), "amber"
    faults = scene.retained("health", messages.Health).faults
    assert [(fault.fault, fault.detail) for fault in faults] == [("guardian_lost", "it does not move")]
    scene.entrance.board = whole
    scene.show()
    assert scene.retained("health", messages.Health).faults == ()
    scene.wait(8.1)
    assert [event.event_type for event in scene.events()][-2:] == ["not_passed", "not_passed"]
