"""The language card: a printed code that turns the visitor's screen to a language. It is signed by nobody.

It admits nobody either, so whoever copies one has what hangs there for everybody.
"""

from __future__ import annotations

from typing import Final

from device.wire.words import Language

CARDS: Final[dict[Language, str]] = {"zh": "menshen:zh", "en": "menshen:en"}


def language(data: bytes) -> Language | None:
    """Return what this code turns the screen to; None for every code that is no card."""
    return next((tongue for tongue, text in CARDS.items() if text.encode() == data), None)
