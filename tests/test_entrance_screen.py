"""What an entrance has its screen show: an answer in neutral words, then "next"; guidance; a free way in a fire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from device.probe import Measured
from device.shown import ScreenChanged, Shown
from device.sight import Counted, EyeFault, Guidance
from device.wire.messages import Health
from hardware.parts import FireChanged, Reading
from tests.lobby import GREEN, Scene, build


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    yield from build(tmp_path)


def test_an_answer_is_shown_with_the_lamp_and_makes_room_for_the_next(scene: Scene) -> None:
    scene.show()
    scene.wait(3.1)
    scene.show(b"nonsense")
    scene.wait(3.1)
    grant, refuse = (
        Shown(state="answer", outcome="grant"),
        Shown(state="answer", outcome="refuse", steps=("staff",)),
    )
    assert scene.shown == [grant, Shown(), refuse, Shown()]


def test_what_helps_to_read_a_code_is_shown_while_it_does(scene: Scene) -> None:
    scene.entrance.take(Guidance(hint="glare"))
    scene.show()
    scene.entrance.take(Guidance(hint=None))
    scene.wait(3.1)
    assert [shown.hint for shown in scene.shown] == [None, None]
    scene.entrance.take(Guidance(hint="too_far"))
    assert scene.shown[-1] == Shown(hint="too_far")
    scene.entrance.take(EyeFault(fault="camera_lost", raised=True, detail="unplugged"))
    assert scene.shown[-1] == Shown()


def test_in_a_fire_the_way_is_free_whatever_is_held_up(scene: Scene) -> None:
    scene.entrance.take(FireChanged(fire=True, at=scene.clock.now))
    scene.show(b"nonsense")
    scene.entrance.take(Guidance(hint="dark"))
    assert scene.lit(GREEN)
    assert [shown.state for shown in scene.shown] == ["free"]
    scene.entrance.take(FireChanged(fire=False, at=scene.clock.now))
    assert scene.shown[-1] == Shown(hint="dark")


def test_a_lost_screen_is_a_fault_and_nothing_else(scene: Scene) -> None:
    scene.entrance.take(ScreenChanged(problem="it does not answer for 5 s"))
    assert [fault.fault for fault in scene.retained("health", Health).faults] == ["screen_lost"]
    assert scene.show() is not None
    assert scene.lit(GREEN)
    scene.entrance.take(ScreenChanged(problem=""))
    assert scene.retained("health", Health).faults == ()


def test_faults_of_the_eye_are_the_operators(scene: Scene) -> None:
    scene.entrance.take(EyeFault(fault="camera_lost", raised=True, detail="gone"))
    assert scene.shown == []


def test_who_stands_too_near_or_in_a_crowd_is_asked_to_mind_it(tmp_path: Path) -> None:
    for scene in build(tmp_path, crowd={"mode": "on", "threshold": 4, "hold_s": 2}):
        scene.show()
        scene.wait(3.1)
        for waiting, near in ((1, 1), (1, 1), (1, 1), (6, 0), (6, 0), (6, 0), (6, 0)):
            scene.entrance.take(Counted(waiting=waiting, near=near, frame_at=scene.clock.now))
            scene.wait(1)
        warnings = [shown.warnings for shown in scene.shown]
        assert ("distance",) in warnings
        assert warnings[-1] == ("queue",)


def test_whose_code_was_read_first_is_asked_for_a_temperature(tmp_path: Path) -> None:
    for scene in build(tmp_path, thermometer={"driver": "emulated", "mode": "require", "wait_s": 3}):
        scene.entrance.take(Measured(reading=Reading(24.0, 24.0), at=scene.clock.now))  # the wall
        scene.show()
        scene.wait(0.1)
        assert scene.shown[-1] == Shown(state="measure")
        scene.wait(3.1)
        assert scene.shown[-1] == Shown(state="answer", outcome="refer", steps=("staff",))
        scene.wait(3.1)
        assert scene.shown[-1] == Shown()
