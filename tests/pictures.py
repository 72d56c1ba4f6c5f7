"""What tests hold up before a lens: one drawn code, as a picture and as a video."""

from __future__ import annotations

from pathlib import Path

import cv2
import zxingcpp

from hardware.camera.drawing import draw
from hardware.parts import Camera, Grey
from hardware.scene import Scene

WIDTH, HEIGHT, FPS = 640, 360, 30
CODE = "HELLO 门神"
SCENE = Scene(code=CODE, size=200)
SIZE: dict[str, int] = {"width": WIDTH, "height": HEIGHT, "fps": FPS}


def lobby() -> Grey:
    return draw(SCENE, WIDTH, HEIGHT)


def texts(grey: Grey) -> list[str]:
    return [code.text for code in zxingcpp.read_barcodes(grey)]


def video(path: Path, frames: int) -> Path:
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*"MJPG"), 25, (WIDTH, HEIGHT))
    assert writer.isOpened()
    for _ in range(frames):
        writer.write(cv2.cvtColor(lobby(), cv2.COLOR_GRAY2BGR))
    writer.release()
    return path


def read_on(camera: Camera, timeout: float) -> None:
    """Read what is under way, until there is nothing more."""
    for _ in range(100):
        camera.read(timeout)
