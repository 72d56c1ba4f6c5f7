"""What emulated parts see: one small JSON file that anyone may rewrite while they look at it."""

from __future__ import annotations

import binascii
import os
import threading
from base64 import b64decode
from functools import lru_cache
from pathlib import Path
from typing import Annotated, Literal

import msgspec
from msgspec import Meta, Struct

from hardware.parts import PartError

Symbology = Literal["QRCode", "Aztec", "DataMatrix", "PDF417", "Code128"]
CameraState = Literal["ok", "missing", "black", "frozen"]
ThermometerState = Literal["ok", "unplugged", "frozen", "bad_pec"]
NtpState = Literal["machine", "yes", "no"]
Celsius = Annotated[float, Meta(ge=-40, le=125)]  # what an MLX90614 endures


class SceneError(PartError):
    """A scene that cannot be read or written; the text names the file."""


class Scene(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """The lobby before the lens and the sensor. As it stands by itself, it is empty and all is well."""

    code: str = ""  # the text a person holds up; "" and no data: nobody is there
    data: str = ""  # the same as base64, for codes that are no text
    symbology: Symbology = "QRCode"
    size: Annotated[int, Meta(ge=16, le=4096)] = 320  # pixels, the longer side of the code
    angle: Annotated[float, Meta(ge=-360, le=360)] = 0.0  # degrees, counter-clockwise
    blur: Annotated[float, Meta(ge=0, le=50)] = 0.0  # pixels, sigma of a Gaussian
    noise: Annotated[float, Meta(ge=0, le=60)] = 2.0  # grey levels, sigma; a real sensor is never still
    light: Annotated[float, Meta(ge=0, le=1.5)] = 1.0  # 0 is a black lens, 1.5 is overexposed
    invert: bool = False  # a screen in dark mode
    glare: Annotated[float, Meta(ge=0, le=1)] = 0.0  # 1 whites out a spot on the code

    poster: str = ""  # the text of the entrance's printed code, which hangs in the upper right corner; "": none does
    poster_fade: Annotated[float, Meta(ge=0, le=1)] = 0.0  # 0 is fresh print, 1 is blank paper
    poster_covered: bool = False  # a hand before a third of it

    waiting: Annotated[int, Meta(ge=0, le=10)] = 0  # people who stand in line
    near: bool = False  # one at the reader, and one who stands nearer behind than a metre
    picture: str = ""  # path of a picture the camera sees instead of the lobby; it may be replaced while it is shown

    camera: CameraState = "ok"

    forehead_c: Celsius | None = None  # None: nobody is there, so the wall is measured
    ambient_c: Celsius = 24.0
    thermometer: ThermometerState = "ok"

    clock_s: float = 0.0  # seconds that the machine's clock is ahead of the true time
    ntp: NtpState = "machine"  # whether NTP keeps that clock right; machine: as it is with the real one

    def content(self) -> str | bytes:
        """Return what the code holds; empty when nobody is there."""
        try:
            return b64decode(self.data, validate=True) or self.code
        except binascii.Error as error:
            raise SceneError(f"data {self.data[:40]!r} is not base64: {error}") from error


def load(path: Path) -> Scene:
    """Return the scene in the file; without a file, an empty lobby. It is parsed only when it has changed."""
    try:
        found = path.stat()
    except FileNotFoundError:
        return Scene()
    except OSError as error:
        raise SceneError(f"{path}: the scene cannot be read: {error.strerror}") from error
    return _parse(path, (found.st_mtime_ns, found.st_size, found.st_ino))


def save(path: Path, scene: Scene) -> None:
    """Write the scene so that a reader finds either the old one or this one whole."""
    fresh = path.with_name(f".{path.name}.{os.getpid()}.{threading.get_ident()}")
    try:
        fresh.write_bytes(msgspec.json.encode(scene))
        fresh.replace(path)
    except OSError as error:
        raise SceneError(f"{path}: the scene cannot be written: {error.strerror}") from error
    except UnicodeEncodeError as error:
        raise SceneError(f"{path}: the scene holds text that is not valid Unicode") from error


@lru_cache(maxsize=16)
def _parse(path: Path, _version: tuple[int, int, int]) -> Scene:
    try:
        return msgspec.json.decode(path.read_bytes(), type=Scene)
    except OSError as error:
        raise SceneError(f"{path}: the scene cannot be read: {error.strerror}") from error
    except (msgspec.MsgspecError, UnicodeDecodeError, RecursionError) as error:
        raise SceneError(f"{path}: not a scene: {error}; write it anew, or delete it for an empty lobby") from error
