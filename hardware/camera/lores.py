"""What is pure in driving a camera module of a Pi: what is asked of it, and where its brightness lies in memory."""

from __future__ import annotations

from collections.abc import Collection
from typing import Any, Final

import numpy as np

from hardware.parts import CameraError, Grey

CONTINUOUS: Final = 2  # libcamera's AfModeContinuous; modules with a lens motor start with it switched off
SHORT: Final = 1  # AeExposureMode: gain before time, for a phone is held by a hand
MANUAL: Final = 1  # AeFlickerMode
FLICKER_US: Final = 10_000  # lamps on 50 Hz pulse a hundred times a second: exposures above it are multiples of it


def limits(fps: int) -> dict[str, Any]:
    """Return the controls that hold a frame rate, whatever the exposure would like."""
    period_us = round(1_000_000 / fps)
    return {"FrameDurationLimits": (period_us, period_us)}


def wishes(offered: Collection[str]) -> dict[str, Any]:
    """Return the controls for reading codes, of those that this module and its software offer."""
    wanted = {
        "AfMode": CONTINUOUS,
        "AeExposureMode": SHORT,
        "AeFlickerMode": MANUAL,
        "AeFlickerPeriod": FLICKER_US,
    }
    if not {"AeFlickerMode", "AeFlickerPeriod"} <= set(offered):
        del wanted["AeFlickerMode"], wanted["AeFlickerPeriod"]  # one without the other means nothing
    return {name: value for name, value in wanted.items() if name in offered}


def brightness(yuv: Any, width: int, height: int) -> Grey:
    """Cut the brightness plane out of a YUV420 picture.

    Its rows are padded to what the hardware likes, and the two colour planes follow below.
    """
    if yuv.ndim != 2 or yuv.dtype != np.uint8 or yuv.shape[0] * 2 < 3 * height or yuv.shape[1] < width:  # noqa: PLR2004
        raise CameraError(
            f"the camera module gave {yuv.dtype} of {yuv.shape}, which is no YUV420 of {width} x {height}: "
            "try other camera.width and height, such as 1280 x 720"
        )
    plane: Grey = np.ascontiguousarray(yuv[:height, :width])
    return plane


def unavailable(source: str, error: Exception) -> CameraError:
    """Return what is said of a module that cannot be had."""
    return CameraError(
        f"no camera module {source or '0'}: {error}. `rpicam-hello --list-cameras` names what is there; "
        "check the ribbon, and that nothing else uses it"
    )


def stalled(timeout: float) -> CameraError:
    """Return what is said when no picture comes."""
    return CameraError(f"the camera module gave no frame for {timeout:g} s; end this process")
