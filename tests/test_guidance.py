"""What someone is told whose code is not read, and when."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import pairwise

import cv2
import numpy as np
import pytest

from device.guidance import LOOK_S, PATIENCE_S, Guide
from device.sight import Code, Guidance, Hint
from hardware.camera.drawing import Grain, draw
from hardware.parts import Frame, Grey
from hardware.scene import Scene

FPS = 10
READ = Code(data=b"HELLO", text="HELLO", symbology="QRCode")
GOOD = Scene(code="HELLO" * 5)
LOBBY = draw(Scene(), 1280, 720)


def held(scene: Scene, seconds: float = 2.5) -> list[Grey]:
    return [draw(scene, 1280, 720)] * round(seconds * FPS)


def told(pictures: Iterable[Grey], read_from: float = 1e9, read_to: float = 1e9) -> list[tuple[float, Hint | None]]:
    """Show pictures at 10 a second; return the second and what was said, each time something was."""
    guide, grain = Guide(), Grain(1280, 720, 2.0)
    said: list[tuple[float, Hint | None]] = []
    for number, picture in enumerate(pictures):
        at = number / FPS
        advice = guide.see(Frame(grain.over(picture), number, at), [READ] if read_from <= at < read_to else [])
        if advice:
            assert isinstance(advice, Guidance)
            said.append((at, advice.hint))
    return said


def glaring() -> Grey:
    """Draw a lamp's reflection on a screen."""
    picture = draw(GOOD, 1280, 720)
    cv2.circle(picture, (600, 330), 70, 255, -1)
    return picture


@pytest.mark.parametrize(
    ("scene", "hint"),
    [
        (Scene(code="HELLO", size=40), "too_far"),
        (Scene(code="A" * 300, size=110), "too_far"),
        (Scene(code="A" * 100, size=1000), "too_close"),
        (Scene(code="HELLO" * 5, blur=7), "blur"),
        (Scene(code="HELLO" * 5, light=0.15), "dark"),
    ],
)
def test_what_keeps_a_code_from_being_read_is_said_once(scene: Scene, hint: Hint) -> None:
    ((at, said),) = told(held(scene))
    assert said == hint
    assert PATIENCE_S <= at <= PATIENCE_S + 3 * LOOK_S


def test_a_lamp_on_the_screen_is_glare() -> None:
    assert [hint for _, hint in told([glaring()] * 25)] == ["glare"]


def test_a_phone_that_is_waved_is_to_be_held_still() -> None:
    still = draw(GOOD, 1280, 720)
    waved = [np.roll(still, 60 * (step % 6) - 150, axis=1) for step in range(25)]
    assert [hint for _, hint in told(waved)] == ["hold_still"]


@pytest.mark.parametrize("scene", [Scene(), GOOD, Scene(code="HELLO", symbology="Aztec")])
def test_where_nothing_is_wrong_nothing_is_said(scene: Scene) -> None:
    assert told(held(scene)) == []


def test_a_code_that_is_read_within_a_second_needs_no_help() -> None:
    assert told(held(Scene(code="HELLO", size=40)), read_from=0.9) == []


def test_what_was_said_is_taken_back_at_once_when_the_code_is_read() -> None:
    (_, hint), taken_back = told(held(Scene(code="HELLO", size=40)), read_from=2.0)
    assert hint == "too_far"
    assert taken_back == (2.0, None)


def test_who_was_read_has_a_second_again() -> None:
    ((at, said),) = told(held(Scene(code="HELLO" * 5, blur=7)), read_from=0.8, read_to=0.9)
    assert said == "blur"
    assert at > 0.9 + PATIENCE_S


def test_what_was_said_is_taken_back_when_the_code_is_gone() -> None:
    (_, hint), (at, none) = told([*held(Scene(code="HELLO", size=40)), *[LOBBY] * 10])
    assert (hint, none) == ("too_far", None)
    assert 2.5 <= at <= 2.5 + 3 * LOOK_S


def test_advice_follows_what_changes_and_never_flickers() -> None:
    far, blurred = Scene(code="HELLO", size=40), Scene(code="HELLO" * 5, blur=7)
    said = told([*held(far, 2), *held(blurred, 2), *held(far, 2)])
    assert [hint for _, hint in said] == ["too_far", "blur", "too_far"]
    mixed = told([draw(far if step % 6 < 3 else blurred, 1280, 720) for step in range(40)])
    assert all(later - earlier >= 2 * LOOK_S for (earlier, _), (later, _) in pairwise(mixed))
