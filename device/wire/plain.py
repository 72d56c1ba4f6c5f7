"""Text from outside, made harmless for terminals, logs and tables."""

from __future__ import annotations

from typing import Final

LIMIT: Final = 200  # characters; what people can take in


def harmless(text: str, limit: int = LIMIT) -> str:
    """Return the text with everything that does not simply print written as an escape, and no longer than `limit`.

    Control characters move cursors and colours, bidi marks reorder what is read, lone surrogates break writers.
    """
    escaped = "".join(char if char.isprintable() and char != "\\" else _escape(char) for char in text[: limit + 1])
    return escaped if len(escaped) <= limit else escaped[: limit - 1] + "…"


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
