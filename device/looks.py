"""Ways to look for codes in a grey picture: small pure functions, in the order in which they pay.

What each costs and finds stands in docs/reading.md; bench/reading.py measures it again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Final, NamedTuple

import cv2
import numpy as np
import zxingcpp
from pyzbar import pyzbar
from zxingcpp import Barcode, BarcodeFormat, BarcodeFormats, Binarizer, TextMode

from device.attention import busiest
from device.sight import Code
from hardware.parts import Grey

# Model 2 alone: plain QRCode includes Micro QR, which finds texts in blurred codes that nobody wrote.
QR: Final = BarcodeFormats(BarcodeFormat.QRCodeModel2)
TICKETS: Final = BarcodeFormats(
    [BarcodeFormat.DataMatrix, BarcodeFormat.Aztec, BarcodeFormat.PDF417, BarcodeFormat.Code128]
)
BARS: Final = BarcodeFormats([BarcodeFormat.PDF417, BarcodeFormat.Code128])  # read only within a few degrees of level
WEAK: Final = frozenset({"PDF417", "Code128"})  # misread too easily to be believed after one frame


class Look(NamedTuple):
    """One way to look. `read` takes uint8 of (height, width) and returns every code it finds."""

    name: str
    read: Callable[[Grey], list[Code]]


def zxing(grey: Grey, formats: BarcodeFormats, *, thorough: bool = False, one_threshold: bool = False) -> list[Code]:
    """Read with zxing-cpp. `thorough` turns and inverts too; `one_threshold` is for the whole picture, not local."""
    binarizer = Binarizer.GlobalHistogram if one_threshold else Binarizer.LocalAverage
    found = zxingcpp.read_barcodes(
        grey,
        formats=formats,
        try_rotate=thorough,
        try_invert=thorough,
        try_downscale=True,
        text_mode=TextMode.Plain,
        binarizer=binarizer,
    )
    return [_code(each) for each in found if each.bytes]


def second_opinion(grey: Grey) -> list[Code]:
    """Read QR codes with pyzbar, always weak, and only what is ASCII.

    zbar guesses how a text was encoded and hands out its guess as UTF-8, so that of other bytes nobody can say what
    stood in the code. Other symbologies are left alone: zbar drops the high bit of Code 128's Latin-1 letters.
    """
    found = pyzbar.decode(grey, symbols=[pyzbar.ZBarSymbol.QRCODE])
    return [
        Code(data=each.data, text=each.data.decode("ascii"), symbology="QRCode", weak=True)
        for each in found
        if each.data and each.data.isascii()
    ]


def exhaust(grey: Grey) -> list[Code]:
    """Take every look at all of it and at its busiest part; return each code once, its most trustworthy reading."""
    parts = (grey, busiest(grey)[0].of(grey))
    return list(by_bytes(code for part in parts for look in EVERY for code in look.read(part)).values())


def by_bytes(codes: Iterable[Code]) -> dict[bytes, Code]:
    """Return one code for all readings of the same bytes; one strong reading makes it strong."""
    found: dict[bytes, Code] = {}
    for code in codes:
        if code.data not in found or found[code.data].weak:
            found[code.data] = code
    return found


def _code(found: Barcode) -> Code:
    symbology = found.symbology.name
    extra = found.extra if isinstance(found.extra, dict) else {}  # None for Code 128
    spare = float(extra.get("UEC", 1.0))  # only QR codes say so
    weak = symbology in WEAK or spare == 0.0  # all of its error correction is used up
    return Code(data=found.bytes, text=found.text, symbology=symbology, weak=weak, spare=spare)


def _half(grey: Grey) -> Grey:
    """Average four pixels into one: noise halves, and so does sharpness that is not needed."""
    rows, columns = grey.shape
    return _grey(cv2.resize(grey, (max(1, columns // 2), max(1, rows // 2)), interpolation=cv2.INTER_AREA))


def _larger(grey: Grey, scale: float) -> Grey:
    return _grey(cv2.resize(grey, None, fx=scale, fy=scale, interpolation=cv2.INTER_CUBIC))


def _sharper(grey: Grey) -> Grey:
    return _grey(cv2.addWeighted(grey, 2.5, cv2.GaussianBlur(grey, (0, 0), 3), -1.5, 0))


def _black_and_white(grey: Grey, around: int, darker: int) -> Grey:
    """Threshold each pixel against the mean of so many around it, less a little: glare and shadow go."""
    return _grey(cv2.adaptiveThreshold(grey, 255, cv2.ADAPTIVE_THRESH_MEAN_C, cv2.THRESH_BINARY, around, darker))


def _straightened(grey: Grey) -> Grey:
    """Turn the picture by less than a right angle, so that most of its strong edges, a code's bars, are level."""
    soft = cv2.GaussianBlur(_half(grey), (0, 0), 1)
    across, down = cv2.Sobel(soft, cv2.CV_32F, 1, 0), cv2.Sobel(soft, cv2.CV_32F, 0, 1)
    strength, angle = cv2.cartToPolar(across, down, angleInDegrees=True)
    strong = strength > strength.max() / 3
    edges = np.bincount(angle[strong].astype(int) % 90, weights=strength[strong], minlength=90)
    tilt = float(np.argmax(edges + np.roll(edges, 1)))  # degrees; a peak may lie across two of them
    rows, columns = grey.shape
    turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), tilt, 1)
    return _grey(cv2.warpAffine(grey, turn, (columns, rows), borderMode=cv2.BORDER_REPLICATE))


def _grey(picture: object) -> Grey:
    return np.asarray(picture, dtype=np.uint8)


# In the order of codes read for a millisecond where those before read nothing; dear ones lie between cheap ones.
FIRST: Final = Look("qr, thorough", lambda grey: zxing(grey, QR, thorough=True))
QUICK: Final = (
    Look("qr, half size", lambda grey: zxing(_half(grey), QR, thorough=True)),
    Look("tickets, half size", lambda grey: zxing(_half(grey), TICKETS, one_threshold=True)),
    Look("qr, one threshold", lambda grey: zxing(grey, QR, one_threshold=True)),
    Look("qr, half size, black and white", lambda grey: zxing(_black_and_white(_half(grey), 21, 3), QR)),
    Look("qr, half size, finest black and white", lambda grey: zxing(_black_and_white(_half(grey), 9, 1), QR)),
)
WIDE: Final = (FIRST, Look("tickets, one threshold", lambda grey: zxing(grey, TICKETS, one_threshold=True)))
OTHERS: Final = (
    Look("qr, finer black and white", lambda grey: zxing(_black_and_white(grey, 21, 2), QR)),
    Look("qr, pyzbar, half size, black and white", lambda grey: second_opinion(_black_and_white(_half(grey), 11, 1))),
    Look("tickets, straightened", lambda grey: zxing(_straightened(grey), BARS, thorough=True)),
    Look("qr, black and white", lambda grey: zxing(_black_and_white(grey, 31, 5), QR)),
    Look("qr, softened", lambda grey: zxing(_grey(cv2.GaussianBlur(grey, (3, 3), 0)), QR)),
    Look("tickets, 1.5 times", lambda grey: zxing(_larger(grey, 1.5), TICKETS)),
    Look("qr, 1.5 times and sharper", lambda grey: zxing(_sharper(_larger(grey, 1.5)), QR)),
    Look("tickets, thorough", lambda grey: zxing(grey, TICKETS, thorough=True)),
)
EVERY: Final = (*WIDE, *QUICK, *OTHERS)
