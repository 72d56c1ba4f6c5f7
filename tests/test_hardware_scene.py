"""The emulated camera: what a scene file says is what it sees, and how it fails."""

from __future__ import annotations

import os
from pathlib import Path

import cv2
import numpy as np
import pytest
import zxingcpp

from hardware.camera import emulated
from hardware.camera.drawing import draw
from hardware.parts import CameraError
from hardware.scene import Scene, Symbology, save
from tests.pictures import CODE, HEIGHT, SCENE, SIZE, WIDTH, texts


@pytest.fixture
def world(tmp_path: Path) -> Path:
    return tmp_path / "scene.json"


def look(world: Path, fps: int = 1000) -> emulated.Camera:
    return emulated.Camera(source=str(world), width=WIDTH, height=HEIGHT, fps=fps)


def test_without_a_scene_the_lobby_is_empty_and_never_still(world: Path) -> None:
    camera = look(world)
    first, second = camera.read(1).grey, camera.read(1).grey
    assert texts(first) == []
    assert (first != second).mean() > 0.5
    assert 60 < first.mean() < 200


def test_a_change_of_scene_is_seen_in_the_next_frame(world: Path) -> None:
    camera = look(world)
    for code in ("A", "B", ""):
        save(world, Scene(code=code, size=200))
        assert texts(camera.read(1).grey) == ([code] if code else [])


def test_a_scene_rewritten_in_place_is_seen_too(world: Path) -> None:
    camera = look(world)
    for number, code in enumerate(("A", "B")):
        world.write_text(f'{{"code": "{code}", "size": 200}}')
        os.utime(world, ns=(number, number))
        assert texts(camera.read(1).grey) == [code]


def test_a_missing_camera_is_an_error_until_it_is_back(world: Path) -> None:
    camera = look(world)
    save(world, Scene(camera="missing"))
    with pytest.raises(CameraError, match="missing"):
        camera.read(1)
    save(world, Scene())
    camera.read(1)


def test_a_black_camera_sees_next_to_nothing(world: Path) -> None:
    save(world, Scene(code=CODE, camera="black", noise=20))
    grey = look(world).read(1).grey
    assert grey.max() < 10
    assert grey.min() < grey.max()


def test_a_frozen_camera_repeats_one_frame_under_new_numbers(world: Path) -> None:
    camera = look(world)
    save(world, SCENE)
    seen = camera.read(1)
    save(world, Scene(camera="frozen"))
    first, second = camera.read(1), camera.read(1)
    assert np.array_equal(first.grey, seen.grey)
    assert np.array_equal(second.grey, seen.grey)
    assert seen.number < first.number < second.number


@pytest.mark.parametrize("symbology", ["QRCode", "Aztec", "DataMatrix", "PDF417", "Code128"])
def test_every_symbology_can_be_held_up(world: Path, symbology: Symbology) -> None:
    save(world, Scene(code="TICKET-0042", symbology=symbology, size=300))
    assert texts(look(world).read(1).grey) == ["TICKET-0042"]


@pytest.mark.parametrize(
    "scene",
    [
        Scene(code=CODE, size=120),
        Scene(code=CODE, size=200, angle=30),
        Scene(code=CODE, size=200, blur=2),
        Scene(code=CODE, size=200, light=0.3, noise=6),
        Scene(code=CODE, size=200, invert=True),
        Scene(code=CODE, size=200, glare=0.5),
    ],
)
def test_what_is_held_badly_can_still_be_read(world: Path, scene: Scene) -> None:
    save(world, scene)
    assert texts(look(world).read(1).grey) == [CODE]


def test_the_size_of_a_code_is_its_own_without_the_margin(world: Path) -> None:
    save(world, SCENE)
    (code,) = zxingcpp.read_barcodes(look(world).read(1).grey)
    assert code.position.top_right.x - code.position.top_left.x == pytest.approx(200, abs=4)


def test_codes_that_are_no_text_can_be_held_up(world: Path) -> None:
    save(world, Scene(data="AP+AAQ==", size=200))
    (code,) = zxingcpp.read_barcodes(look(world).read(1).grey)
    assert code.bytes == b"\x00\xff\x80\x01"


@pytest.mark.parametrize(
    ("written", "said"),
    [
        ("{", "not a scene"),
        ('{"code": 7}', "not a scene"),
        ('{"cod": "A"}', "unknown field"),
        ('{"light": 9}', "light"),
        ("[" * 5000, "not a scene"),
        ('{"data": "???"}', "not base64"),
        ('{"code": "%s"}' % ("A" * 5000), "do not fit a QRCode"),
        ('{"code": "中", "symbology": "Code128"}', "do not fit a Code128"),
    ],
)
def test_a_scene_that_cannot_be_drawn_is_a_camera_error(world: Path, written: str, said: str) -> None:
    world.write_text(written)
    with pytest.raises(CameraError, match=said):
        look(world).read(1)


def test_an_emulated_camera_without_a_scene_file_names_the_setting() -> None:
    with pytest.raises(CameraError, match=r"camera\.source"):
        emulated.Camera(source="", **SIZE)


def test_a_picture_file_is_seen_instead_of_the_lobby_and_may_be_replaced(world: Path, tmp_path: Path) -> None:
    picture = tmp_path / "held up"
    camera = look(world)
    save(world, Scene(picture=str(picture)))
    with pytest.raises(CameraError, match="held up"):
        camera.read(1)
    for number, code in enumerate(("A", "B")):
        drawn = draw(Scene(code=code, size=150), 300, 300)
        picture.write_bytes(cv2.imencode(".jpg", drawn)[1].tobytes())
        os.utime(picture, ns=(number, number))
        frame = camera.read(1).grey
        assert (frame.shape, texts(frame)) == ((HEIGHT, WIDTH), [code])
