"""A Raspberry Pi camera module, through picamera2."""

from __future__ import annotations

from typing import Any

import numpy as np
from picamera2 import Picamera2

from hardware.parts import CameraError, Frame

CONTINUOUS = 2  # libcamera's AfModeContinuous; modules with a lens motor start with it switched off


class Camera:
    """`source` is the camera's number, empty for the first.

    Grey is the brightness plane of the small YUV420 stream, so no colour is ever computed. When the camera stalls,
    picamera2 never returns from stopping it: this class belongs into a process that can be killed.
    """

    def __init__(self, *, source: str, width: int, height: int, fps: int) -> None:
        self._number = 0
        self._job: Any = None
        try:
            self._camera = Picamera2(int(source or "0"))
            self._start((width, height), fps)
        except (IndexError, RuntimeError, ValueError) as error:
            raise CameraError(
                f"no camera module {source or '0'}: {error}. `rpicam-hello --list-cameras` names what is there; "
                "check the ribbon, and that nothing else uses it"
            ) from error

    def read(self, timeout: float) -> Frame:
        """Return the next frame; raise CameraError when none comes within `timeout` seconds."""
        if self._job is None:
            self._job = self._camera.capture_request(wait=False)
        try:
            request = self._camera.wait(self._job, timeout=timeout)
        except TimeoutError as error:
            raise CameraError(f"the camera module gave no frame for {timeout:g} s; end this process") from error
        self._job = None
        try:
            return self._frame(request)
        finally:
            request.release()

    def close(self) -> None:
        """Give the camera back; does not return when it has stalled."""
        self._camera.close()

    def _start(self, size: tuple[int, int], fps: int) -> None:
        period_us = round(1_000_000 / fps)
        asked = self._camera.create_video_configuration(
            main={"size": size},
            lores={"size": size, "format": "YUV420"},
            controls={"FrameDurationLimits": (period_us, period_us)},
        )
        self._camera.configure(asked)
        self._width, self._height = self._camera.camera_configuration()["lores"]["size"]
        if "AfMode" in self._camera.camera_controls:
            self._camera.set_controls({"AfMode": CONTINUOUS})
        self._camera.start()

    def _frame(self, request: Any) -> Frame:
        self._number += 1
        yuv = request.make_array("lores")  # rows are padded to the stride, and the two colour planes follow below
        taken_at = request.get_metadata()["SensorTimestamp"] / 1e9  # nanoseconds, on the clock of time.monotonic
        return Frame(np.ascontiguousarray(yuv[: self._height, : self._width]), self._number, taken_at)
