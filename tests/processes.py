"""Which programs run, by what their command lines name."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path


def naming(folder: Path) -> Iterator[tuple[int, str]]:
    """Find running programs whose command line names the folder; yield their process ids and command lines."""
    for process in Path("/proc").glob("[0-9]*"):
        try:
            words = (process / "cmdline").read_bytes()
        except OSError:
            continue
        if str(folder).encode() in words:
            yield int(process.name), words.replace(b"\0", b" ").decode()


def guardian_of(folder: Path) -> int:
    """Return the process id of the guardian of the gate that lives in a folder; 0 when there is none."""
    return next((number for number, words in naming(folder) if "hardware.guardian" in words), 0)
