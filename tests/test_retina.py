"""What is wrong with a picture, and which camera is opened by which name."""

from __future__ import annotations

from collections.abc import Iterable
from itertools import chain
from pathlib import Path

import numpy as np
import pytest

from device.retina import PATIENCE_S, Picture, camera
from device.sight import EyeFault
from hardware.camera.drawing import Grain, draw
from hardware.parts import CameraError, Frame, Grey
from hardware.scene import Scene

FPS = 10
LOBBY = draw(Scene(), 640, 360)
NIGHT = draw(Scene(light=0.08), 640, 360)
LENS_CAP = np.zeros((360, 640), np.uint8)


def noisy(still: Grey, seconds: float, sigma: float = 1.0) -> Iterable[Grey]:
    grain = Grain(still.shape[1], still.shape[0], sigma)
    return [grain.over(still) for _ in range(round(seconds * FPS))]


def judged(*parts: Iterable[Grey]) -> list[tuple[str, bool, float]]:
    """Show pictures at 10 a second; return the faults said, whether raised, and at which second."""
    picture = Picture()
    return [
        (fault.fault, fault.raised, number / FPS)
        for number, grey in enumerate(chain.from_iterable(parts))
        for fault in picture.judge(Frame(grey, number, number / FPS))
    ]


GOOD = [("camera_black", False, 0.0), ("camera_frozen", False, 0.0)]


def test_a_good_picture_is_said_to_be_good_once() -> None:
    assert judged(noisy(LOBBY, 5)) == GOOD
    assert judged(noisy(NIGHT, 5)) == GOOD


def test_black_is_said_once_after_a_while_and_taken_back_at_once() -> None:
    said = judged(noisy(LOBBY, 1), noisy(LENS_CAP, 5), noisy(LOBBY, 1))
    black = 1 + PATIENCE_S["camera_black"]
    assert said == [*GOOD, ("camera_black", True, pytest.approx(black, abs=0.11)), ("camera_black", False, 6.0)]


def test_frozen_is_said_once_after_a_while_and_taken_back_at_once() -> None:
    said = judged(noisy(LOBBY, 1), [LOBBY] * 50, noisy(LOBBY, 1))
    frozen = 1 + PATIENCE_S["camera_frozen"]
    assert said == [*GOOD, ("camera_frozen", True, pytest.approx(frozen, abs=0.11)), ("camera_frozen", False, 6.0)]


def test_a_lens_cap_without_any_noise_is_black_and_not_frozen() -> None:
    assert [(fault, raised) for fault, raised, _ in judged([LENS_CAP] * 50)] == [
        ("camera_frozen", False),
        ("camera_black", True),
    ]


def test_a_moment_in_the_dark_is_nothing() -> None:
    assert judged(noisy(LOBBY, 1), noisy(LENS_CAP, 1.5), noisy(LOBBY, 1)) == GOOD


def test_a_fault_says_how_long_it_took() -> None:
    picture = Picture()
    said = [fault for number in range(40) for fault in picture.judge(Frame(LENS_CAP, number, number / FPS))]
    assert said[-1] == EyeFault(fault="camera_black", raised=True, detail="for 2 s")


def test_cameras_go_by_their_names(tmp_path: Path) -> None:
    opened = camera("emulated", source=str(tmp_path / "scene.json"), width=320, height=240, fps=30)
    assert opened.read(1).grey.shape == (240, 320)
    for driver in ("film", "usb"):
        with pytest.raises(CameraError, match="nowhere"):
            camera(driver, source=str(tmp_path / "nowhere"), width=320, height=240, fps=30)
    with pytest.raises(CameraError, match="no camera driver 'webcam': there are picamera2, usb, film, emulated"):
        camera("webcam", source="", width=320, height=240, fps=30)
