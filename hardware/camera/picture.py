"""One picture file as grey pixels, whatever it was saved as."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import cv2
import numpy as np

from hardware.parts import CameraError, Grey

SUFFIXES = frozenset((".bmp", ".jpeg", ".jpg", ".pgm", ".png", ".ppm", ".tif", ".tiff", ".webp"))


def load(path: Path) -> Grey:
    """Return uint8 of (height, width); raise CameraError saying what is wrong with the file."""
    try:
        saved = np.frombuffer(path.read_bytes(), np.uint8)
    except OSError as error:
        raise CameraError(f"{path}: the picture cannot be read: {error.strerror}") from error
    try:
        picture = cv2.imdecode(saved, cv2.IMREAD_UNCHANGED) if saved.size else None
    except cv2.error as error:
        raise CameraError(f"{path}: not a picture OpenCV can read: {error}") from error
    if picture is None:
        raise CameraError(f"{path}: not a picture, or a damaged one; save it again as PNG or JPEG")
    return _grey(_eight_bits(path, picture))


def _eight_bits(path: Path, picture: Any) -> Any:
    if picture.dtype == np.uint16:
        return (picture >> 8).astype(np.uint8)
    if picture.dtype != np.uint8:
        raise CameraError(f"{path}: its pixels are {picture.dtype}; save it with 8 or 16 bits a channel")
    return picture


def _grey(picture: Any) -> Grey:
    if picture.ndim == 2:  # noqa: PLR2004
        return np.asarray(picture)
    if picture.shape[2] == 3:  # noqa: PLR2004
        return np.asarray(cv2.cvtColor(picture, cv2.COLOR_BGR2GRAY))
    return _on_white(cv2.cvtColor(picture, cv2.COLOR_BGRA2GRAY), picture[:, :, 3])


def _on_white(grey: Any, alpha: Any) -> Grey:
    """Show what is transparent as paper: codes are often saved black on nothing."""
    opaque = alpha.astype(np.uint16)
    return np.asarray((grey * opaque + 255 * (255 - opaque)) // 255, dtype=np.uint8)
