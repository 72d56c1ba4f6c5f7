"""Text from outside, made harmless for terminals, logs and tables."""

from __future__ import annotations

import logging
from typing import Any, Final

LIMIT: Final = 200  # characters; what people can take in
LONGEST_LINE: Final = 2000  # characters of one line in a log
FORMULA: Final = tuple(
    "=+-@＝＋－＠"
)  # a spreadsheet runs a cell that begins with one of these, some also the wide ones


def harmless(text: str, limit: int = LIMIT) -> str:
    """Return the text with everything that does not simply print written as an escape, and no longer than `limit`.

    Control characters move cursors and colours, bidi marks reorder what is read, lone surrogates break writers.
    """
    escaped = "".join(char if char.isprintable() and char != "\\" else _escape(char) for char in text[: limit + 1])
    return escaped if len(escaped) <= limit else escaped[: limit - 1] + "…"


def cell(text: str) -> str:
    """Return the text as a cell of a table that spreadsheets may open: harmless, and never a formula."""
    plain = harmless(text)
    return f"'{plain}" if plain.lstrip().startswith(FORMULA) else plain


class Plain(logging.Formatter):
    """One record is one line, whatever somebody sent; a traceback's lines are indented, so that none looks like one."""

    def formatMessage(self, record: logging.LogRecord) -> str:  # noqa: N802 its name in the standard library
        """Write the line. Backslashes stay as they are: what is logged may have been made harmless before."""
        return _printing(super().formatMessage(record))

    def formatException(self, ei: Any) -> str:  # noqa: N802
        """Write a traceback, which ends in words of whoever raised."""
        return "\n".join(f"  {_printing(line)}" for line in super().formatException(ei).splitlines())

    def formatStack(self, stack_info: str) -> str:  # noqa: N802
        """Write a stack in the same way."""
        return "\n".join(f"  {_printing(line)}" for line in super().formatStack(stack_info).splitlines())


def _printing(line: str) -> str:
    return "".join(char if char.isprintable() else _escape(char) for char in line[:LONGEST_LINE])


def _escape(char: str) -> str:
    return char.encode("unicode_escape").decode("ascii")
