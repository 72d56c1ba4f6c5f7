"""Codes that only their issuer's own server can judge ("验码"): which texts those are, and what its answer means.

Asking is a thread's work: see device/inquiry.py. Nothing here knows how a question travels.
"""

from __future__ import annotations

from typing import Final, Literal

from device.codes import jose
from device.codes.claim import Checked, Claim
from device.codes.jose import JoseError

SCHEME: Final = "upstream"
OK: Final = 200  # the HTTP status of an answer
MAX_ANSWER: Final = 16 * 1024  # bytes

Light = Literal["green", "yellow", "red"]
Fallback = Literal["refer", "refuse"]
REASONS: Final[dict[Light, tuple[str, ...]]] = {"green": (), "yellow": ("yellow_code",), "red": ("red_code",)}
UNANSWERED: Final[dict[Fallback, str]] = {"refer": "no_answer", "refuse": "unverified"}


class AnswerError(ValueError):
    """An answer that says nothing about the code: one class, whatever is wrong with it."""


def owns(data: bytes, prefixes: tuple[str, ...]) -> bool:
    """Tell whether a text is one that the upstream is to be asked about."""
    return data.startswith(tuple(prefix.encode() for prefix in prefixes))


def judge(data: bytes, status: int, answer: bytes, *, field: str, lights: dict[str, Light]) -> Checked:
    """Turn an answer into what came of the code; raise AnswerError where it is none.

    `field` is where the colour stands, `lights` what the upstream calls each.
    """
    if status != OK:
        raise AnswerError(f"it answers with HTTP status {status}")
    try:
        said = jose.loads(answer)
    except JoseError as error:
        raise AnswerError(f"its answer is {error}") from error
    light = lights.get(str(said.get(field)))
    if light is None:
        raise AnswerError(f"its answer has no {field} that is one of {', '.join(lights)}")
    identity = SCHEME.encode() + data
    claim = Claim(identity=identity, kind="visitor", subject="")
    return Checked(SCHEME, identity, claim, REASONS[light], age=0)


def unanswered(data: bytes, fallback: Fallback) -> Checked:
    """Return what to make of a code that nobody answered for in time. It never admits."""
    return Checked(SCHEME, SCHEME.encode() + data, reasons=(UNANSWERED[fallback],))
