"""What runs in the camera's own process: frames in; out what is seen in them, wrong with them, or would help."""

from __future__ import annotations

import contextlib
import math
import signal
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from typing import Final, Literal

import cv2
import numpy as np

from device.decoder import Decoder, View
from device.guidance import Guide
from device.kin import belong_to
from device.preview import Preview
from device.sight import EyeFault, EyeSaid, InView, Seen
from device.waiting import Waiting
from hardware.parts import Camera, CameraError, Frame, Grey

BEAT_S: Final = 0.5  # seconds after which it says at least that it lives
RETRY_S: Final = 0.25  # seconds before a failed camera is opened again, then twice as long each time
RETRY_MAX_S: Final = 2.0
IN_VIEW_S: Final = 2.0  # seconds from one list of all codes in view to the next, where somebody wants it
STEP: Final = 8  # the state of a picture is judged by every 8th pixel of every 8th row

BLACK_BELOW: Final = 8  # grey levels, the mean of a covered lens
BLACK_WITHIN: Final = 4  # grey levels, the standard deviation: a lobby at night varies more
PATIENCE_S: Final[dict[Literal["camera_black", "camera_frozen"], float]] = {"camera_black": 2.0, "camera_frozen": 3.0}

SHOWN_WIDE: Final = 480  # pixels of the picture people see of themselves
SHOWN_QUALITY: Final = 60  # of its JPEG: some 10 kB

Open = Callable[[], Camera]
Say = Callable[[EyeSaid | None], None]  # None: still here


def run(
    pipe: Connection,
    *,
    parent: int,
    driver: str,
    source: str,
    width: int,
    height: int,
    fps: int,
    stall_s: float,
    budget_ms: float,
    gone_s: float,
    line: float | None = None,
    all_in_view: bool = False,
    preview: str = "",
) -> None:
    """Be the process. It ends with `parent`, the id of the gate's process, and leaves Ctrl-C to it.

    `line` asks for the people who wait, as `Waiting` takes it; None: nobody counts them.
    """
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    belong_to(parent, "menshen-eye")
    cv2.setNumThreads(1)  # the gate's own work and the page's browser need the other cores
    retina = Retina(
        lambda: camera(driver, source=source, width=width, height=height, fps=fps),
        pipe.send,
        stall_s=stall_s,
        decoder=Decoder(budget_ms),
        view=View(gone_s),
        waiting=None if line is None else Waiting(line),
        all_in_view=all_in_view,
        period_s=1 / fps,
        preview=Preview(preview) if preview else None,
    )
    with contextlib.suppress(BrokenPipeError):  # the gate is gone: nobody is left to tell
        retina.run()


def camera(driver: str, *, source: str, width: int, height: int, fps: int) -> Camera:
    """Open the camera of that name; raise CameraError when it cannot be."""
    match driver:
        case "picamera2":
            from hardware.camera import picamera2  # noqa: PLC0415 only the driver in use need be installed

            return picamera2.Camera(source=source, width=width, height=height, fps=fps)
        case "usb":
            from hardware.camera import usb  # noqa: PLC0415

            return usb.Camera(source=source, width=width, height=height, fps=fps)
        case "film":
            from hardware.camera import film  # noqa: PLC0415

            return film.Camera(source=source, width=width, height=height, fps=fps)
        case "emulated":
            from hardware.camera import emulated  # noqa: PLC0415

            return emulated.Camera(source=source, width=width, height=height, fps=fps)
    raise CameraError(f"no camera driver {driver!r}: there are picamera2, usb, film, emulated")


class Retina:
    """Looks through a camera and says what it sees, for as long as there is someone to say it to."""

    def __init__(
        self,
        open_: Open,
        say: Say,
        *,
        stall_s: float,
        decoder: Decoder,
        view: View,
        waiting: Waiting | None = None,
        all_in_view: bool = False,
        period_s: float = 1 / 30,
        preview: Preview | None = None,
    ) -> None:
        self._open = open_
        self._say = say
        self._stall_s = stall_s
        self._decoder = decoder
        self._view = view
        self._waiting = waiting
        self._all_in_view = all_in_view
        self._all_said_at = -math.inf
        self._period_s = period_s
        self._preview = preview
        self._guide = Guide()
        self._picture = Picture()
        self._spoke_at = 0.0
        self._wait_s = RETRY_S

    def run(self) -> None:
        """Open the camera and look, again and again; anything but a CameraError is said and raised."""
        try:
            while True:
                self._tell(None)
                try:
                    self._look()
                except CameraError as error:
                    self._tell(EyeFault(fault="camera_lost", raised=True, detail=str(error)))
                self._rest()
        except Exception as error:
            self._tell(EyeFault(fault="camera_lost", raised=True, detail=f"{type(error).__name__}: {error}"))
            raise

    def _look(self) -> None:
        with contextlib.closing(self._open()) as eye:
            frame = eye.read(self._stall_s)
            self._tell(EyeFault(fault="camera_lost", raised=False))
            self._wait_s = RETRY_S
            while True:
                self._see(frame)
                frame = eye.read(self._stall_s)

    def _see(self, frame: Frame) -> None:
        begun = time.monotonic()
        for fault in self._picture.judge(frame):
            self._tell(fault)
        codes = self._decoder.read(frame)
        for code in self._view.news(codes, frame.at):
            self._tell(Seen(code=code, frame_at=frame.at, read_at=time.monotonic()))
        if advice := self._guide.see(frame, codes):
            self._tell(advice)
        if self._all_in_view and frame.at - self._all_said_at >= IN_VIEW_S:
            self._all_said_at = frame.at
            self._tell(InView(codes=tuple(codes), still=self._decoder.still(frame.at), frame_at=frame.at))
        if self._waiting and (people := self._waiting.look(frame, begun + self._period_s - time.monotonic())):
            self._tell(people)  # after the codes, in what time they left
        if self._preview and self._preview.wanted():  # after the codes: nobody waits for it
            self._preview.write(small(frame.grey))
        if time.monotonic() - self._spoke_at >= BEAT_S:
            self._tell(None)

    def _rest(self) -> None:
        until = time.monotonic() + self._wait_s
        self._wait_s = min(2 * self._wait_s, RETRY_MAX_S)
        while (left := until - time.monotonic()) > 0:
            time.sleep(min(left, BEAT_S))
            self._tell(None)

    def _tell(self, said: EyeSaid | None) -> None:
        self._say(said)
        self._spoke_at = time.monotonic()


class Picture:
    """Whether the picture has gone black or frozen. Each is said when it changes, and at first when it is good."""

    def __init__(self) -> None:
        self._before: Grey | None = None
        self._good_at: dict[str, float] = {}
        self._raised: dict[str, bool] = {}

    def judge(self, frame: Frame) -> list[EyeFault]:
        """Judge one frame after the others. Frozen is the same bytes again, which no lit sensor gives."""
        sample = frame.grey[::STEP, ::STEP].copy()
        black = bool(sample.mean() < BLACK_BELOW and sample.std() < BLACK_WITHIN)
        same = self._before is not None and np.array_equal(sample, self._before)
        self._before = sample
        return [
            *self._change("camera_black", frame.at, bad=black),
            *self._change("camera_frozen", frame.at, bad=same and not black),
        ]

    def _change(self, fault: Literal["camera_black", "camera_frozen"], at: float, *, bad: bool) -> list[EyeFault]:
        if not bad:
            self._good_at[fault] = at
        patience = PATIENCE_S[fault]
        if bad and at - self._good_at.setdefault(fault, at) <= patience:
            return []
        if self._raised.get(fault) == bad:
            return []
        self._raised[fault] = bad
        return [EyeFault(fault=fault, raised=bad, detail=f"for {patience:g} s" if bad else "")]


def small(grey: Grey) -> bytes:
    """Return the picture as people see themselves in it, a small JPEG."""
    rows, columns = grey.shape
    size = (SHOWN_WIDE, round(SHOWN_WIDE * rows / columns))
    reduced = cv2.resize(grey, size, interpolation=cv2.INTER_AREA) if columns > SHOWN_WIDE else grey
    _, jpeg = cv2.imencode(".jpg", reduced, (cv2.IMWRITE_JPEG_QUALITY, SHOWN_QUALITY))
    return jpeg.tobytes()
