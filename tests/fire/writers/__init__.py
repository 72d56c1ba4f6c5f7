"""Who is cut off: each writes what it promises and says so; each can look for it in whatever is left."""

from __future__ import annotations

import os
import sys
from pathlib import Path
from typing import Protocol


class Writer(Protocol):
    """One kind of writer; `python -m` runs `write` in a process of its own."""

    def write(self, folder: Path, synchronous: str) -> None:
        """Write into the folder, with one of SQLite's levels of care, and `say` what may be relied on."""

    def find(self, folder: Path, shown: bytes) -> str:
        """Open what is left as a process that starts; return which promise is broken, and after a colon how, or ""."""


def say(word: str, what: object) -> None:
    """Show the world what has been promised so far."""
    os.write(sys.stdout.fileno(), f"{word} {what}\n".encode())


def said(shown: bytes) -> dict[str, str]:
    """Return the last of each word that was said whole."""
    lines = shown.decode().split("\n")[:-1]
    return dict(line.split(" ", 1) for line in lines)


def command(name: str, folder: Path, synchronous: str) -> list[str]:
    """Return the command that runs a writer."""
    return [sys.executable, "-m", f"{__name__}.{name}", str(folder), synchronous]


def arguments() -> tuple[Path, str]:
    """Return what such a command was given."""
    return Path(sys.argv[1]), sys.argv[2]
