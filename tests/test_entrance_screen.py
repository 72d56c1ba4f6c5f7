"""What an entrance has its screen show: an answer in neutral words, then "next"; guidance; a free way in a fire."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from device.probe import Measured
from device.shown import ScreenChanged, Shown
from device.sight import Code, Counted, EyeFault, Guidance, InView
from device.wire.card import CARDS
from device.wire.messages import Health
from hardware.parts import FireChanged, Reading
from tests.lobby import BLUE, CARD, GREEN, RED, RELAY, Scene, build


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


ENGLISH = CARDS["en"].encode()


def test_a_language_card_turns_the_screen_for_a_minute_and_is_no_credential(scene: Scene) -> None:
    moved = [scene.edges(pin) for pin in (RED, GREEN, BLUE, RELAY)]
    assert scene.show(ENGLISH) is None, "nothing is recorded"
    assert scene.shown == [Shown(state="greeting", language="en")]
    assert [scene.edges(pin) for pin in (RED, GREEN, BLUE, RELAY)] == moved
    scene.wait(3.1)
    assert scene.shown[-1] == Shown(language="en")
    scene.show(CARD)
    assert scene.shown[-1] == Shown(state="answer", outcome="grant", language="en")
    scene.wait(56.8)
    assert scene.shown[-1] == Shown(language="en")
    scene.wait(0.2)
    assert scene.shown[-1] == Shown()
    assert [type(event).__name__ for event in scene.events() if "Fault" not in type(event).__name__] == [
        "Scan",
        "Passage",
    ]


def test_a_card_shown_again_begins_the_minute_anew_and_another_changes_it(scene: Scene) -> None:
    scene.show(ENGLISH)
    scene.wait(59)
    scene.show(ENGLISH)
    scene.wait(59)
    assert scene.shown[-1] == Shown(language="en")
    scene.show(CARDS["zh"].encode())
    assert scene.shown[-1] == Shown(state="greeting", language="zh")


def test_what_is_being_said_is_said_on_in_the_language_of_a_card(scene: Scene) -> None:
    scene.show(b"nonsense")
    scene.show(ENGLISH)
    refuse = Shown(state="answer", outcome="refuse", steps=("staff",))
    assert scene.shown[-1] == Shown(state="answer", outcome="refuse", steps=("staff",), language="en")
    scene.entrance.take(FireChanged(fire=True, at=scene.clock.now))
    scene.show(CARDS["zh"].encode())
    assert scene.shown == [refuse, *scene.shown[1:3], Shown(state="free", language="zh")]
    assert scene.lit(GREEN)


def test_a_card_that_hangs_beside_the_lens_is_no_foreign_poster(tmp_path: Path) -> None:
    for scene in build(tmp_path, poster={"watch": "in_view", "foreign_s": 10}):

        def hangs(data: bytes, scene: Scene = scene) -> list[str]:
            for _ in range(5):
                code = Code(data=data, text=data.decode(), symbology="QRCode")
                scene.entrance.take(InView(codes=(code,), still=False, frame_at=scene.clock.now))
                scene.wait(4)
            health = scene.retained("health", Health)
            return [fault.fault for fault in health.faults] if health else []

        assert hangs(ENGLISH) == []
        assert hangs(b"somebody's sticker") == ["poster_foreign"]
