"""A USB camera, through OpenCV: any webcam that Linux knows as /dev/video*, or a network camera's address."""

from __future__ import annotations

import logging
import sys
import threading
import time

import cv2
import numpy as np

from hardware.parts import CameraError, Frame, Grey

log = logging.getLogger(__name__)

GOODBYE_S = 2.0  # a driver that has not returned by then has stalled


class Camera:
    """`source` is a number, a path such as /dev/v4l/by-id/..., or an address; empty is the first camera.

    OpenCV waits for a frame for as long as the driver likes. So a thread of its own waits there and keeps only the
    newest frame, which is also why nobody is shown an old one; `read` waits for that thread no longer than it was told.
    """

    def __init__(self, *, source: str, width: int, height: int, fps: int) -> None:
        self._source = source or "0"
        self._capture = _open(self._source, width, height, fps)
        self._news = threading.Condition()
        self._frame: Frame | None = None
        self._problem = ""
        self._closing = False
        self._thread = threading.Thread(target=self._run, name=f"camera {self._source}", daemon=True)
        self._thread.start()

    def read(self, timeout: float) -> Frame:
        """Return the newest frame not yet returned; raise CameraError when there is none within `timeout` seconds."""
        with self._news:
            self._news.wait_for(lambda: self._frame or self._problem, timeout)
            frame, self._frame = self._frame, None
        if frame is None:
            stalled = f"no frame for {timeout:g} s; its driver has stalled, so start it again, then unplug it"
            raise CameraError(f"camera {self._source}: {self._problem or stalled}")
        return frame

    def close(self) -> None:
        """Give the device back. A stalled driver keeps it until this process ends."""
        self._closing = True
        self._thread.join(GOODBYE_S)
        if self._thread.is_alive():
            log.warning("camera %s: its driver does not return; only the end of this process frees it", self._source)

    def _run(self) -> None:
        try:
            number = 0
            while not self._closing:
                number += 1
                self._keep(Frame(self._grey(), number, time.monotonic()))
        except (CameraError, cv2.error) as error:
            with self._news:
                self._problem = str(error)
                self._news.notify_all()
        finally:
            self._capture.release()

    def _grey(self) -> Grey:
        got, picture = self._capture.read()
        if not got:
            raise CameraError("it gave no more frames; is it still plugged in?")
        if picture.ndim == 3:  # noqa: PLR2004
            picture = cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY)
        return np.asarray(picture, dtype=np.uint8)

    def _keep(self, frame: Frame) -> None:
        with self._news:
            self._frame = frame
            self._news.notify_all()


def _open(source: str, width: int, height: int, fps: int) -> cv2.VideoCapture:
    local = source.isdecimal() or source.startswith("/dev/")
    cv2.utils.logging.setLogLevel(cv2.utils.logging.LOG_LEVEL_ERROR)  # it warns at each attempt of what is raised below
    backend = cv2.CAP_V4L2 if local and sys.platform == "linux" else cv2.CAP_ANY
    capture = cv2.VideoCapture(int(source) if source.isdecimal() else source, backend)
    if not capture.isOpened():
        raise CameraError(
            f"no camera opens at {source!r}: plug it in, let nothing else use it, put the user into group video; "
            "`v4l2-ctl --list-devices` names what is there"
        )
    # Uncompressed, 1280 x 720 fits through USB 2 ten times a second; as JPEG, thirty times.
    capture.set(cv2.CAP_PROP_FOURCC, cv2.VideoWriter.fourcc(*"MJPG"))
    capture.set(cv2.CAP_PROP_FRAME_WIDTH, width)
    capture.set(cv2.CAP_PROP_FRAME_HEIGHT, height)
    capture.set(cv2.CAP_PROP_FPS, fps)
    return capture
