"""The power is cut: every disk that may be found afterwards, rebuilt from what a process did before.

What is not synced may be lost, there, there in part, or there without what was written before it. A file's bytes are
safe from its own sync on, its name from its folder's sync on. A sector is whole: old or new, never a mixture.
What flash does to the neighbours of a sector while the power falls is beyond this: docs/reliability.md.

    python -m tests.fire.powercut spool --images 2000 --kills 200 --seed 7
"""

from __future__ import annotations

import argparse
import os
import random
import shutil
import subprocess
import sys
import tempfile
from collections import Counter
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final, NamedTuple

from tests.fire.recording import RECORD_S, STRACE, Op, record
from tests.fire.writers import Writer, command, desk, policy, spool

WRITERS: Final[dict[str, Writer]] = {"spool": spool, "policy": policy, "desk": desk}
SECTORS: Final = (512, 4096)  # bytes
LUCK: Final = (0.0, 0.02, 0.3, 0.7, 0.98, 1.0)  # how likely an unsynced sector, or name, made it
KILLED_AT: Final = {"pwrite64": "write", "fdatasync": "sync"}
SHARED: Final = "/dev/shm"  # noqa: S108 nothing in it is secret
MEMORY: Final = SHARED if os.access(SHARED, os.W_OK) else None  # syncs are recorded, not waited for


class File:
    """The bytes of one file: what is safe, and what was done since."""

    def __init__(self) -> None:
        self._safe = bytearray()
        self._since: list[Op] = []

    def do(self, op: Op) -> None:
        """Write, resize or sync."""
        self._since.append(op)
        if op.act == "sync":
            for each in self._since:
                _apply(self._safe, each)
            self._since.clear()

    def cut(self, luck: random.Random) -> bytes:
        """Return what may be left: every sector of every unsynced write there or not."""
        left, chance, sector = bytearray(self._safe), luck.choice(LUCK), luck.choice(SECTORS)
        for op in self._since:
            for part in _sectors(op, sector):
                if luck.random() < chance:
                    _apply(left, part)
        return bytes(left)


def _apply(to: bytearray, op: Op) -> None:
    if op.act == "resize":
        del to[op.at :]
    if op.act != "sync":
        to.extend(bytes(max(0, op.at + len(op.data) - len(to))))
        to[op.at : op.at + len(op.data)] = op.data


def _sectors(op: Op, size: int) -> Iterator[Op]:
    """Take a write apart where sectors begin."""
    cuts = range((op.at // size + 1) * size, op.at + len(op.data), size)
    for begin, end in zip((op.at, *cuts), (*cuts, op.at + len(op.data)), strict=True):
        yield op._replace(at=begin, data=op.data[begin - op.at : end - op.at])


class Disk:
    """A folder and its files while a process works on them, and what the world was shown meanwhile."""

    def __init__(self) -> None:
        self._safe: dict[str, File] = {}
        self._names: dict[str, File] = {}
        self._since: list[tuple[Op, File]] = []
        self.shown = b""

    def do(self, op: Op) -> None:
        """Go one step on."""
        match op:
            case Op(act="show"):
                self.shown += op.data
            case Op(act="sync", name=""):
                self._safe = dict(self._names)
                self._since.clear()
            case Op(act="write" | "resize" | "sync"):
                self._names[op.name].do(op)
            case _:
                file = File() if op.act == "make" else self._names[op.name]
                self._since.append((op, file))
                _rename(self._names, op, file)

    def cut(self, luck: random.Random) -> dict[str, bytes]:
        """Return one of the folders that may be found when the power comes back."""
        names, chance = dict(self._safe), luck.choice(LUCK)
        for op, file in self._since:
            if luck.random() < chance:
                _rename(names, op, file)
        return {name: file.cut(luck) for name, file in names.items()}


def _rename(names: dict[str, File], op: Op, file: File) -> None:
    """Change which name stands for which file."""
    names.pop(op.name, None)
    if op.act != "remove":
        names[op.to or op.name] = file


class Image(NamedTuple):
    """What is found after a cut, and what the world had been shown before it."""

    files: dict[str, bytes]
    shown: bytes

    def lay(self, folder: Path) -> None:
        """Make the folder this image."""
        shutil.rmtree(folder, ignore_errors=True)
        folder.mkdir()
        for name, content in self.files.items():
            (folder / name).write_bytes(content)


def images(ops: Sequence[Op], count: int, seed: int) -> Iterator[Image]:
    """Cut the power `count` times, as often before each kind of step: a checkpoint is rarer than an event."""
    luck, disk = random.Random(seed), Disk()
    kinds = Counter((op.act, op.name) for op in ops)
    weights = [1 / kinds[op.act, op.name] for op in ops]
    cuts = Counter(luck.choices(range(len(ops)), weights, k=count))
    for step, op in enumerate(ops):
        for _ in range(cuts[step]):
            yield Image(disk.cut(luck), disk.shown)
        disk.do(op)


def cut(writer: str, ops: Sequence[Op], folder: Path, *, count: int, seed: int) -> Counter[str]:
    """Cut the power `count` times; return how often which promise was broken."""
    wrong: Counter[str] = Counter()
    for image in images(ops, count, seed):
        image.lay(folder)
        wrong[WRITERS[writer].find(folder, image.shown).partition(":")[0]] += 1
    del wrong[""]
    return wrong


def kill(writer: str, ops: Sequence[Op], folder: Path, *, count: int) -> Counter[str]:
    """Kill the writer with SIGKILL at `count` of its writes and as many of its syncs, from the first to the last."""
    wrong: Counter[str] = Counter()
    for call, act in KILLED_AT.items():
        last = sum(op.act == act for op in ops)
        for number in sorted({1 + turn * last // count for turn in range(count)}):
            wrong[_kill(writer, folder / f"{call}-{number}", call, number).partition(":")[0]] += 1
    del wrong[""]
    return wrong


def _kill(writer: str, folder: Path, call: str, number: int) -> str:
    folder.mkdir(parents=True)
    strace = [STRACE, "-f", "-o/dev/null", f"-etrace={call}", f"-einject={call}:signal=KILL:when={number}"]
    done = subprocess.run(
        [*strace, *command(writer, folder, "FULL")], capture_output=True, timeout=RECORD_S, check=False
    )
    if done.returncode == 0:
        return "not killed"
    return WRITERS[writer].find(folder, done.stdout)


def main() -> None:
    """Cut and kill one writer and say what was found; end with 1 when a promise was broken."""
    parser = argparse.ArgumentParser(description="Cut the power of a writer, many times.")
    parser.add_argument("writer", choices=WRITERS)
    parser.add_argument("--images", type=int, default=400, help="how many disks to look at")
    parser.add_argument("--kills", type=int, default=0, help="at how many writes and syncs to kill it")
    parser.add_argument("--seed", type=int, default=1)
    parser.add_argument("--synchronous", choices=("FULL", "NORMAL", "OFF"), default="FULL", help="FULL is what we use")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory(prefix="menshen-powercut-", dir=MEMORY) as place:
        folder = Path(place)
        ops = record_writer(chosen.writer, folder, chosen.synchronous)
        wrong = cut(chosen.writer, ops, folder / "found", count=chosen.images, seed=chosen.seed)
        wrong += kill(chosen.writer, ops, folder / "killed", count=chosen.kills)
    said = ", ".join(f"{count} {what}" for what, count in wrong.most_common()) or "every promise kept"
    print(f"{len(ops)} steps, seed {chosen.seed}: {chosen.images} cuts, {chosen.kills} kills: {said}")
    sys.exit(1 if wrong else 0)


def record_writer(writer: str, folder: Path, synchronous: str = "FULL") -> list[Op]:
    """Let a writer write into a fresh place below `folder`, and return what it did."""
    written = folder / "written"
    written.mkdir()
    return record(command(writer, written, synchronous), written)


if __name__ == "__main__":
    main()
