"""What the eye tells the entrance: codes, signs of life, what is wrong with the picture, and what would help."""

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
    spare: float = 1.0  # share of its error correction that was not needed: dirt and scratches use it up


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


@dataclass(frozen=True, kw_only=True)
class Counted:
    """An estimate of who stands before the lens; said about once a second."""

    waiting: int  # beside whoever is being served
    near: int  # beyond the first, how many stand nearer than the line on the ground
    frame_at: float


@dataclass(frozen=True, kw_only=True)
class InView:
    """Every code that is before the lens, said every few seconds; `still` when nothing moved in the second before."""

    codes: tuple[Code, ...]
    still: bool
    frame_at: float


Hint = Literal["too_far", "too_close", "glare", "blur", "hold_still", "dark"]


@dataclass(frozen=True, kw_only=True)
class Guidance:
    """What keeps the code that is held up from being read; said when it changes, None when nothing does any more."""

    hint: Hint | None


EyeSaid = Seen | EyeFault | Counted | InView | Guidance
