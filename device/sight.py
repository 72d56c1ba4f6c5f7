"""What the eye tells the entrance: codes, signs of life, and what is wrong with the picture."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(frozen=True, kw_only=True)
class Code:
    """One code in one frame: the bytes are its key, the text is only for schemes that are text."""

    data: bytes
    text: str
    symbology: str  # zxing-cpp's names: QRCode, DataMatrix, Aztec, PDF417, Code128
    weak: bool = False  # no checksum of its own vouches for it: believe it only when a second frame agrees


@dataclass(frozen=True, kw_only=True)
class Seen:
    """A code came into view; said once until it has left."""

    code: Code
    frame_at: float  # monotonic seconds of the frame that held it
    read_at: float  # monotonic seconds when it had been decoded


@dataclass(frozen=True, kw_only=True)
class EyeFault:
    """The picture went wrong (`raised`) or is good again."""

    fault: Literal["camera_lost", "camera_black", "camera_frozen"]
    raised: bool
    detail: str = ""


EyeSaid = Seen | EyeFault
