"""Where a code is looked for, and what is taken for one."""

from __future__ import annotations

import numpy as np
import pytest

from device.attention import Box, busiest, like_a_code, whole
from hardware.camera.drawing import Grain, draw
from hardware.parts import Grey
from hardware.scene import Scene

LOBBY = draw(Scene(), 1280, 720)
SCENES = [
    Scene(code="HELLO", size=60),
    Scene(code="HELLO", size=400, angle=31),
    Scene(code="HELLO" * 30, size=300, blur=3),
    Scene(code="HELLO", light=0.2),
    Scene(code="HELLO", invert=True, glare=0.3),
    Scene(code="HELLO", symbology="Aztec", size=120),
    Scene(code="HELLO", symbology="DataMatrix", angle=45),
    Scene(code="HELLO", symbology="PDF417", size=420),
    Scene(code="HELLO", symbology="Code128", size=420, angle=20),
]


def seen(scene: Scene) -> Grey:
    return Grain(1280, 720, 2.0).over(draw(scene, 1280, 720))


def named(scene: Scene) -> str:
    return f"{scene.symbology} {scene.size} {scene.light:g}"


@pytest.mark.parametrize("scene", SCENES, ids=named)
def test_a_code_is_in_the_busiest_part_with_its_quiet_zone(scene: Scene) -> None:
    grey = seen(scene)
    box = busiest(grey)[0]
    half = scene.size * 0.55
    wide = scene.symbology in {"PDF417", "Code128"}  # they are less tall than that
    assert box.left < 640 - half
    assert box.right > 640 + half
    assert wide or (box.top < 360 - half and box.bottom > 360 + half)
    assert box != whole(grey)


@pytest.mark.parametrize("scene", SCENES, ids=named)
def test_a_code_is_like_a_code(scene: Scene) -> None:
    grey = seen(scene)
    assert like_a_code(busiest(grey)[0].of(grey))


@pytest.mark.parametrize("sigma", [0, 2, 8])
@pytest.mark.parametrize("light", [1.0, 0.1])
def test_a_lobby_is_hardly_ever(light: float, sigma: float) -> None:
    grain, lobby = Grain(1280, 720, sigma, np.random.default_rng(2)), draw(Scene(light=light), 1280, 720)
    frames = [grain.over(lobby) for _ in range(20)]
    taken = sum(any(like_a_code(box.of(grey)) for box in busiest(grey)) for grey in frames)
    assert taken <= (5 if sigma > 2 else 0)  # of a bright one, a coarse grain passes for one in ten: it costs a look


def test_two_codes_are_two_places() -> None:
    left = draw(Scene(code="POSTER", size=200), 640, 720)
    right = draw(Scene(code="TICKET" * 9, size=200), 640, 720)
    boxes = busiest(np.hstack([left, right]))
    assert sorted((box.left + box.right) // 2 // 640 for box in boxes) == [0, 1]


def test_one_code_is_one_place_however_it_is_cut_up() -> None:
    for scene in SCENES:
        first, *others = busiest(seen(scene))
        assert not any(box.holds(first) for box in others)


@pytest.mark.parametrize(("width", "height"), [(1, 1), (7, 7), (300, 300), (1280, 2), (2, 1280), (1300, 40)])
def test_of_a_small_picture_all_is_looked_at(width: int, height: int) -> None:
    grey = np.zeros((height, width), np.uint8)
    assert busiest(grey) == [whole(grey)] == [Box(0, 0, width, height)]


def test_of_a_picture_that_a_code_fills_all_is_looked_at() -> None:
    for size in (450, 640):
        grey = draw(Scene(code="HELLO" * 9, size=size), 720, 720)
        assert busiest(grey)[0] == whole(grey)


def test_how_far_a_box_went_is_told_in_its_own_size() -> None:
    before, now = Box(0, 0, 100, 50), Box(30, 40, 130, 90)
    assert now.moved(before) == 0.5
    assert now.moved(now) == 0
