"""An entrance with a door: opened on a grant, forced, held open, and where others count people."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from device.wire import messages
from device.wire.link import LinkChanged
from hardware.parts import DoorChanged, FireChanged, Pressed, Released, TurnstilePassed
from tests.lobby import Scene
from tests.test_entrance_people import DIRECTION, a_pass, again, shown, told

ONLY_A_DOOR = {"beam_outer": 0, "beam_inner": 0, "door": 4}


def door(scene: Scene, *, opened: bool) -> None:
    scene.entrance.take(DoorChanged(open=opened, at=scene.clock.now))


def through(scene: Scene) -> None:
    """Open the door and let it fall shut."""
    door(scene, opened=True)
    scene.wait(2)
    door(scene, opened=False)
    scene.wait(0.1)


def at_a_door(tmp_path: Path, **sections: Any) -> Iterator[Scene]:
    for scene in again(tmp_path, **({"pins": ONLY_A_DOOR} | sections)):
        door(scene, opened=False)
        yield scene


def went(scene: Scene) -> list[tuple[str, str, int | None]]:
    return [(each.event_type, each.direction, each.scan) for each in told(scene, messages.Passage)]


def test_a_door_that_opens_after_a_grant_is_its_passage_and_with_none_it_is_forced(tmp_path: Path) -> None:
    for scene in at_a_door(tmp_path, reentry=DIRECTION):
        through(scene)
        assert shown(scene) == ("grant", ())
        granted = told(scene, messages.Scan)[-1].seq
        through(scene)
        assert went(scene) == [("forced", "unknown", None), ("passed", "in", granted)]
        assert shown(scene) == ("refer", ("passback",)), "it was used"
        scene.wait(9)
        through(scene)
        assert went(scene)[2:] == [("forced", "unknown", None)]
        scene.entrance.take(LinkChanged(up=True))
        scene.wait(0.1)
        state = scene.retained("state", messages.State)
        assert (state.passages, state.unscanned) == (3, 2)


def test_a_grant_on_which_no_door_opened_is_given_back(tmp_path: Path) -> None:
    for scene in at_a_door(tmp_path):
        once = a_pass(scene, uses=1)
        assert shown(scene, once) == ("grant", ())
        scene.wait(8.2)
        assert went(scene)[-1][0] == "not_passed"
        assert shown(scene, once) == ("grant", ()), "nobody went, so it was not used"
        through(scene)
        assert shown(scene, once) == ("refuse", ("already_redeemed",))


def test_a_door_that_a_guard_or_an_operator_or_a_fire_opens_is_not_forced(tmp_path: Path) -> None:
    for scene in at_a_door(tmp_path):
        scene.entrance.take(Pressed(at=scene.clock.now))
        scene.show(a_pass(scene, "guard 7", kind="staff"))
        scene.entrance.take(Released(at=scene.clock.now + 1))
        through(scene)
        scene.entrance._admission.by_command(77)
        through(scene)
        scene.wait(9)
        scene.entrance.take(FireChanged(fire=True, at=scene.clock.now))
        through(scene)
        scene.entrance.take(FireChanged(fire=False, at=scene.clock.now))
        assert [(each, scan is not None) for each, _, scan in went(scene)] == [("passed", True)] * 2
        through(scene)
        assert went(scene)[-1][0] == "forced", "the fire is over"


def test_where_people_leave_by_the_door_its_opening_alone_says_nothing(tmp_path: Path) -> None:
    for scene in at_a_door(tmp_path, turnstile={"free_exit": True}):
        through(scene)
        shown(scene)
        through(scene)
        assert [each for each, _, _ in went(scene)] == ["passed"]


def test_where_beams_or_the_turnstile_count_a_door_forces_nobody(tmp_path: Path) -> None:
    for number, pins in enumerate(({"door": 4}, ONLY_A_DOOR | {"turnstile_passed": 26})):
        (tmp_path / str(number)).mkdir()
        for scene in at_a_door(tmp_path / str(number), pins=pins):
            through(scene)
            shown(scene)
            through(scene)
            assert went(scene) == [], "a door that opens is nobody who goes through"
            if number:
                scene.entrance.take(TurnstilePassed(at=scene.clock.now))
            else:
                scene.walk()
            assert [each for each, _, _ in went(scene)] == ["passed"]


@pytest.mark.parametrize("pins", [{"door": 4}, ONLY_A_DOOR])
def test_a_door_that_stands_open_is_held_open_until_it_is_shut(tmp_path: Path, pins: dict[str, int]) -> None:
    def faults(scene: Scene) -> list[tuple[str, str]]:
        health = scene.retained("health", messages.Health)
        return [(fault.fault, fault.detail) for fault in health.faults] if health else []

    for scene in at_a_door(tmp_path, pins=pins):
        shown(scene)
        door(scene, opened=True)
        scene.wait(15)
        shown(scene)
        scene.wait(19.9)
        assert faults(scene) == [], "people were let in meanwhile"
        scene.wait(0.2)
        assert faults(scene) == [("held_open", "the door stands open, or its cable is cut")]
        door(scene, opened=False)
        scene.wait(0.1)
        assert faults(scene) == []


def test_a_door_that_stood_open_at_the_start_was_not_forced_but_is_held_open(tmp_path: Path) -> None:
    for scene in again(tmp_path, pins=ONLY_A_DOOR):
        door(scene, opened=True)
        scene.wait(21)
        assert went(scene) == []
        assert [fault.fault for fault in scene.retained("health", messages.Health).faults] == ["held_open"]
