"""What can be known of the camera module's driver without a Pi: what it asks for, and what it makes of a picture."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray

from hardware.camera import lores
from hardware.parts import CameraError

# What a Camera Module 1 and a Camera Module 3 offer, by the names libcamera has for it.
FIXED = {"AeEnable", "AeExposureMode", "AeFlickerMode", "AeFlickerPeriod", "ExposureTime", "FrameDurationLimits"}
MOTOR = FIXED | {"AfMode", "AfTrigger", "LensPosition"}


def picture(width: int, height: int, stride: int) -> NDArray[np.uint8]:
    """A YUV420 picture as picamera2 hands it over: each pixel of Y says where it is, all else is 255."""
    yuv = np.full((height * 3 // 2, stride), 255, np.uint8)
    rows, columns = np.mgrid[:height, :width]
    yuv[:height, :width] = (rows * 7 + columns) % 251
    return yuv


@pytest.mark.parametrize(("width", "stride"), [(1280, 1280), (456, 512), (640, 704)])
def test_the_brightness_is_cut_out_of_its_padding(width: int, stride: int) -> None:
    yuv = picture(width, 360, stride)
    grey = lores.brightness(yuv, width, 360)
    assert grey.shape == (360, width)
    assert grey.flags["C_CONTIGUOUS"]
    assert grey.max() < 251  # nothing of the padding, nor of the colours
    assert grey[359, width - 1] == (359 * 7 + width - 1) % 251


def test_the_brightness_outlives_the_buffer_it_came_in() -> None:
    yuv = picture(456, 360, 512)
    grey = lores.brightness(yuv, 456, 360)
    yuv[:] = 0
    assert grey.any()


@pytest.mark.parametrize(
    "yuv",
    [
        np.zeros((360, 640), np.uint8),  # brightness alone
        np.zeros((540, 639), np.uint8),
        np.zeros((540, 640, 3), np.uint8),
        np.zeros((540, 640), np.uint16),
    ],
)
def test_what_is_no_such_picture_is_an_error_that_names_the_fix(
    yuv: NDArray[Any],
) -> None:
    with pytest.raises(CameraError, match=r"no YUV420 of 640 x 360: try other camera\.width"):
        lores.brightness(yuv, 640, 360)


@pytest.mark.parametrize(("fps", "period_us"), [(30, 33333), (15, 66667), (120, 8333)])
def test_the_frame_rate_is_held_from_both_sides(fps: int, period_us: int) -> None:
    assert lores.limits(fps) == {"FrameDurationLimits": (period_us, period_us)}


def test_exposures_are_short_and_whole_pulses_of_the_light() -> None:
    assert lores.wishes(FIXED) == {"AeExposureMode": 1, "AeFlickerMode": 1, "AeFlickerPeriod": 10_000}


def test_a_module_with_a_motor_focuses_all_the_time() -> None:
    assert lores.wishes(MOTOR)["AfMode"] == 2


@pytest.mark.parametrize("lacks", ["AeFlickerMode", "AeFlickerPeriod", "AeExposureMode", "AfMode"])
def test_nothing_is_asked_that_is_not_offered(lacks: str) -> None:
    asked = lores.wishes(MOTOR - {lacks})
    assert lacks not in asked
    assert asked.keys() <= MOTOR - {lacks}
    assert ("AeFlickerMode" in asked) == ("AeFlickerPeriod" in asked)


def test_what_cannot_be_had_names_the_fix() -> None:
    said = str(lores.unavailable("", IndexError("list index out of range")))
    assert "no camera module 0: list index out of range" in said
    assert "rpicam-hello --list-cameras" in said
    assert "3 s" in str(lores.stalled(3))
