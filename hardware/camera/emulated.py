"""A camera that draws what a scene file says, and fails as it says."""

from __future__ import annotations

from pathlib import Path

from hardware.camera.drawing import Grain, draw, fitted
from hardware.camera.pace import Pace
from hardware.camera.picture import load as load_picture
from hardware.parts import CameraError, Frame, Grey
from hardware.scene import Scene, SceneError, load

DARK_NOISE = 1.0  # grey levels, sigma: what is left of the noise behind a black lens


class Camera:
    """`source` is the scene file (hardware/scene.py); a change in it is seen from the next frame on."""

    def __init__(self, *, source: str, width: int, height: int, fps: int) -> None:
        if not source:
            raise CameraError("an emulated camera looks at a scene file: name one in camera.source")
        self._path = Path(source)
        self._size = (width, height)
        self._pace = Pace(fps)
        self._number = 0
        self._scene: Scene | None = None
        self._seen = 0  # when the picture of the scene was written, in nanoseconds
        self._still: Grey
        self._grain = Grain(width, height, 0)
        self._last: Grey | None = None

    def read(self, timeout: float) -> Frame:
        """Return the next frame; raise CameraError when the scene says so, cannot be used, or none is due in time."""
        at = self._pace.wait(timeout)
        try:
            scene = load(self._path)
            written = _written(scene)
            if (scene, written) != (self._scene, self._seen):
                self._look_at(scene)
                self._seen = written
        except SceneError as error:
            raise CameraError(str(error)) from error
        if scene.camera == "missing":
            raise CameraError(f"no camera: it is missing in {self._path}")
        if self._last is None or scene.camera != "frozen":
            self._last = self._grain.over(self._still)
        self._number += 1
        return Frame(self._last, self._number, at)

    def close(self) -> None:
        """Do nothing: there is no device to give back."""

    def _look_at(self, scene: Scene) -> None:
        self._still = (
            fitted(load_picture(Path(scene.picture)), *self._size) if scene.picture else draw(scene, *self._size)
        )
        noise = scene.noise
        if scene.camera == "black":
            self._still = self._still * 0
            noise = min(noise, DARK_NOISE)
        if noise != self._grain.sigma:
            self._grain = Grain(*self._size, noise)
        self._scene = scene


def _written(scene: Scene) -> int:
    if not scene.picture:
        return 0
    try:
        return Path(scene.picture).stat().st_mtime_ns
    except OSError as error:
        raise CameraError(f"{scene.picture}: the picture cannot be read: {error.strerror}") from error
