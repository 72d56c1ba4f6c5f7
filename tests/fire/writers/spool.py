"""A gate's spool: an event that `put` returned for is there when the power comes back."""

from __future__ import annotations

import random
import sqlite3
from pathlib import Path
from typing import Final

from device.spool import Reader, Reel, Spool, SpoolError
from tests.fire.writers import arguments, said, say

TURNS: Final = (3, 40, 420, 40)  # events between two starts of a gate; the third is long enough for checkpoints
FORGET_EVERY: Final = 5
SEAL_EVERY: Final = 4  # far oftener than a gate does, so that cuts fall into it
LARGEST: Final = 6000  # bytes of a payload: most fill a page, some take two


def payload(name: str, seq: int) -> bytes:
    """Return what event `seq` of a spool holds: of many sizes, and known again."""
    luck = random.Random(seq)
    return f"{name} {seq} ".encode() + luck.randbytes(luck.randrange(100, LARGEST))


def put(spool: Spool) -> None:
    """Keep one event more."""
    spool.put("scan", lambda seq: payload(spool.id, seq))


def write(folder: Path, synchronous: str) -> None:
    """Keep events over several starts of a gate; forget and seal some, as when a controller comes back and answers."""
    luck = random.Random(1)
    for puts in TURNS:
        spool, reader = Spool(folder / "spool.db"), Reader(folder / "spool.db")
        spool._opened().execute(f"PRAGMA synchronous={synchronous}")
        say("spool", spool.id)
        for _ in range(puts):
            put(spool)
            say(f"kept-{spool.id}", spool.last)
            if luck.randrange(FORGET_EVERY) == 0:
                _forget(spool, luck.choice(spool.reels))
                spool.empty_log()
            if spool.last == SEAL_EVERY:
                spool.seal()
                say("spool", spool.id)
        # Who closes last decides whether the log is checkpointed and removed, or left for the next start.
        for end in (spool, reader) if puts % 2 else (reader, spool):
            end.close()


def _forget(spool: Spool, reel: Reel) -> None:
    """Forget a part of a spool, and all of one that is sealed, so that it goes."""
    upto = reel.last // 2 if reel.id == spool.id else reel.last
    say(f"forgetting-{reel.id}", upto)
    spool.forget(upto, reel.id)


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
    reels = {reel.id: reel for reel in spool.reels}
    whole = [(reel.id, seq) for reel in spool.reels for seq in range(reel.forgotten + 1, reel.last + 1)]
    wrong = {
        "another spool": promised.get("spool", spool.id) not in reels,
        "lost": any(_left(reels, name) < int(seq) for name, seq in _about(promised, "kept")),
        "forgotten unasked": any(
            reel.forgotten > int(promised.get(f"forgetting-{name}", 0)) for name, reel in reels.items()
        ),
        "gone unasked": any(
            name not in reels and int(promised.get(f"forgetting-{name}", 0)) < int(seq)
            for name, seq in _about(promised, "kept")
        ),
        "changed": [event.payload for event in reader.after(0, 1_000_000)] != [payload(*each) for each in whole],
        "damaged": spool._opened().execute("PRAGMA integrity_check").fetchone()[0] != "ok",
        "stuck": _stuck(spool),
    }
    return ", ".join(name for name, found in wrong.items() if found)


def _about(promised: dict[str, str], word: str) -> list[tuple[str, str]]:
    """Return what was last said of each spool."""
    return [(said.removeprefix(f"{word}-"), what) for said, what in promised.items() if said.startswith(f"{word}-")]


def _left(reels: dict[str, Reel], name: str) -> float:
    """Return how far a spool goes; one that is gone was forgotten whole."""
    return reels[name].last if name in reels else float("inf")


def _stuck(spool: Spool) -> bool:
    before = spool.last
    put(spool)
    return spool.last != before + 1


if __name__ == "__main__":
    write(*arguments())
