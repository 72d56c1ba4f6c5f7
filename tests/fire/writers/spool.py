"""A gate's spool: an event that `put` returned for is there when the power comes back."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Final

from device.spool import Reader, Spool, SpoolError
from tests.fire.writers import arguments, said, say

TURNS: Final = (3, 40, 420, 40)  # events between two starts of a gate; the third is long enough for checkpoints
FORGET_EVERY: Final = 25
LARGEST: Final = 6000  # bytes of a payload: most fill a page, some take two


def payload(seq: int) -> bytes:
    """Return what event `seq` holds: of many sizes, and known again."""
    luck = random.Random(seq)
    return luck.randbytes(luck.randrange(100, LARGEST))


def write(folder: Path, synchronous: str) -> None:
    """Keep events over several starts of a gate; forget some, as when a controller acknowledges them."""
    for puts in TURNS:
        spool, reader = Spool(folder / "spool.db"), Reader(folder / "spool.db")
        spool._opened().execute(f"PRAGMA synchronous={synchronous}")
        say("spool", spool.id)
        for _ in range(puts):
            say("kept", spool.put("scan", payload))
            if spool.last % FORGET_EVERY == 0:
                say("forgetting", spool.last - FORGET_EVERY)
                spool.forget(spool.last - FORGET_EVERY)
        # Who closes last decides whether the log is checkpointed and removed, or left for the next start.
        for end in (spool, reader) if puts % 2 else (reader, spool):
            end.close()


def find(folder: Path, shown: bytes) -> str:
    """Open the spool as a gate that starts, and tell what is wrong with it."""
    try:
        spool, reader = Spool(folder / "spool.db"), Reader(folder / "spool.db")
        try:
            problem = spool.mended or spool.problem
            return f"unreadable: {problem}" if problem else _wrong(spool, reader, said(shown))
        finally:
            reader.close()
            spool.close()
    except (SpoolError, sqlite3.Error) as error:
        return f"unreadable: {error}"


def _wrong(spool: Spool, reader: Reader, promised: dict[str, str]) -> str:
    events = reader.after(0, 1_000_000)
    wrong = {
        "another spool": spool.id != promised.get("spool", spool.id),
        "lost": spool.last < int(promised.get("kept", 0)),
        "forgotten unasked": spool.forgotten > int(promised.get("forgetting", 0)),
        "gap": [event.seq for event in events] != list(range(spool.forgotten + 1, spool.last + 1)),
        "changed": any(event.payload != payload(event.seq) for event in events),
        "damaged": spool._opened().execute("PRAGMA integrity_check").fetchone()[0] != "ok",
        "stuck": spool.put("scan", payload) != spool.last,
    }
    return ", ".join(name for name, found in wrong.items() if found)


if __name__ == "__main__":
    write(*arguments())
