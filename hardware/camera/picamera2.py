"""A Raspberry Pi camera module, through picamera2."""

from __future__ import annotations

from typing import Any

from picamera2 import Picamera2

from hardware.camera import lores
from hardware.parts import Frame


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
            raise lores.unavailable(source, error) from error

    def read(self, timeout: float) -> Frame:
        """Return the next frame; raise CameraError when none comes within `timeout` seconds."""
        if self._job is None:
            self._job = self._camera.capture_request(wait=False)
        try:
            request = self._camera.wait(self._job, timeout=timeout)
        except TimeoutError as error:
            raise lores.stalled(timeout) from error
        self._job = None
        try:
            return self._frame(request)
        finally:
            request.release()

    def close(self) -> None:
        """Give the camera back; does not return when it has stalled."""
        self._camera.close()

    def _start(self, size: tuple[int, int], fps: int) -> None:
        asked = self._camera.create_video_configuration(
            main={"size": size}, lores={"size": size, "format": "YUV420"}, controls=lores.limits(fps)
        )
        self._camera.configure(asked)
        self._width, self._height = self._camera.camera_configuration()["lores"]["size"]
        self._camera.set_controls(lores.wishes(self._camera.camera_controls))
        self._camera.start()

    def _frame(self, request: Any) -> Frame:
        self._number += 1
        grey = lores.brightness(request.make_array("lores"), self._width, self._height)
        taken_at = request.get_metadata()["SensorTimestamp"] / 1e9  # nanoseconds, on the clock of time.monotonic
        return Frame(grey, self._number, taken_at)
