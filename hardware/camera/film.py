"""A camera that plays what was taken before: a picture, a folder of pictures, or a video."""

from __future__ import annotations

import logging
from pathlib import Path
from typing import Protocol

import cv2
import numpy as np

from hardware.camera import picture
from hardware.camera.pace import Pace
from hardware.parts import CameraError, Frame, Grey

log = logging.getLogger(__name__)


class FilmOver(CameraError):  # noqa: N818 its end is no error of the film's
    """There is nothing more on the film."""


class _Reel(Protocol):
    frames: int | None
    fps: float | None

    def next(self) -> str: ...

    def grey(self) -> Grey: ...

    def close(self) -> None: ...


class Camera:
    """`source` is a file or folder. Frames larger than `width` and `height` are shrunk; 0 leaves them as they are.

    `fps` holds the film back to the pace of a camera; at 0 it runs as fast as it is read. `frames` is how many there
    are, where that is known; `name` says which one was read last; `fps` is what a video was taken at, where known.
    """

    def __init__(self, *, source: str, width: int = 0, height: int = 0, fps: float = 0) -> None:
        path = Path(source)
        if not source or not path.exists():
            raise CameraError(f"no film at {source!r}: name a picture, a folder of pictures or a video")
        still = path.is_dir() or path.suffix.lower() in picture.SUFFIXES
        try:
            self._reel: _Reel = _Pictures(path) if still else _Video(path)
        except OSError as error:
            raise CameraError(f"{path}: the film cannot be read: {error.strerror}") from error
        self._largest = (width, height)
        self._pace = Pace(fps)
        self._number = 0
        self.name = ""

    @property
    def frames(self) -> int | None:
        """How many frames the film holds; None when nobody knows. A damaged video may hold fewer."""
        return self._reel.frames

    @property
    def fps(self) -> float | None:
        """How many frames a second the film was taken at; None for pictures."""
        return self._reel.fps

    def read(self, timeout: float) -> Frame:
        """Return the next frame; raise FilmOver after the last.

        Any other CameraError is about one picture, which `name` names; the next call goes on with the one after it.
        """
        at = self._pace.wait(timeout)
        self.name = self._reel.next()
        self._number += 1
        return Frame(self._shrunk(self._reel.grey()), self._number, at)

    def close(self) -> None:
        """Close the file."""
        self._reel.close()

    def _shrunk(self, grey: Grey) -> Grey:
        rows, columns = grey.shape
        width, height = self._largest
        scale = min(width / columns if width else 1, height / rows if height else 1)
        if scale >= 1:
            return grey
        size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
        return np.asarray(cv2.resize(grey, size, interpolation=cv2.INTER_AREA), dtype=np.uint8)


class _Pictures:
    """The pictures of a folder by name, or a single one."""

    def __init__(self, path: Path) -> None:
        files = sorted(found for found in path.iterdir() if found.is_file()) if path.is_dir() else [path]
        self._waiting = [file for file in files if file.suffix.lower() in picture.SUFFIXES]
        if not self._waiting:
            raise CameraError(f"{path}: no picture in this folder; it reads {', '.join(sorted(picture.SUFFIXES))}")
        if len(self._waiting) < len(files):
            log.warning("%s: %d other files are passed over", path, len(files) - len(self._waiting))
        self._folder = path
        self._waiting.reverse()
        self._current = path
        self.frames: int | None = len(self._waiting)
        self.fps: float | None = None

    def next(self) -> str:
        if not self._waiting:
            raise FilmOver(f"{self._folder}: that was the last of {self.frames} pictures")
        self._current = self._waiting.pop()
        return self._current.name

    def grey(self) -> Grey:
        return picture.load(self._current)

    def close(self) -> None:
        self._waiting.clear()


class _Video:
    """The frames of a video file."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._capture = cv2.VideoCapture(str(path))
        if not self._capture.isOpened() or _is_text(path):
            raise CameraError(f"{path}: neither a picture nor a video OpenCV can read; H.264 in MP4 is understood")
        self.frames: int | None = _positive(self._capture.get(cv2.CAP_PROP_FRAME_COUNT))
        self.fps: float | None = self._capture.get(cv2.CAP_PROP_FPS) or None
        self._played = 0

    def next(self) -> str:
        if not self._capture.grab():
            raise FilmOver(self._end())
        self._played += 1
        return f"{self._path.name} {self._played}"

    def grey(self) -> Grey:
        got, colour = self._capture.retrieve()
        if not got:
            raise CameraError(f"{self._path}: frame {self._played} is damaged")
        return np.asarray(cv2.cvtColor(colour, cv2.COLOR_BGR2GRAY), dtype=np.uint8)

    def close(self) -> None:
        self._capture.release()

    def _end(self) -> str:
        if self.frames and self._played < self.frames:
            return f"{self._path}: it ended after {self._played} of {self.frames} frames and may be damaged"
        return f"{self._path}: that was the last of {self._played} frames"


def _is_text(path: Path) -> bool:
    """Tell a text file from a video: FFmpeg draws letters where it finds nothing else."""
    with path.open("rb") as file:
        return b"\0" not in file.read(4096)


def _positive(count: float) -> int | None:
    return int(count) if count > 0 else None
