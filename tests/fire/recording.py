"""What a process did to the files of one folder, and what it let the world see, in order: read off with strace."""

from __future__ import annotations

import re
import shutil
import subprocess
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path
from typing import Final, Literal, NamedTuple

STRACE: Final = shutil.which("strace") or "strace"
RECORD_S: Final = 300.0
LONGEST: Final = 1 << 20  # bytes of one write that strace prints; SQLite writes pages of 4096
CALLS: Final = (
    "openat", "?rename", "?renameat", "?renameat2", "?unlink", "unlinkat", "ftruncate", "fsync", "fdatasync", "write",
    "pwrite64", "sendto", "?truncate", "fallocate", "writev", "pwritev", "?pwritev2", "linkat", "copy_file_range",
)  # fmt: skip
REBUILT: Final = "-shm"  # SQLite's index of the log is memory that strace cannot see, and made anew after a crash

LINE: Final = re.compile(rb"(?P<pid>\d+) +(?P<call>\w+)\((?P<said>.*)\) += (?P<result>\d+)(?:<(?P<opened>[^>]*)>)?$")
BEGUN: Final = re.compile(rb"(\d+ +.*) <unfinished \.\.\.>$")
RESUMED: Final = re.compile(rb"(\d+) +<\.\.\. \w+ resumed>(.*)$")
FD: Final = re.compile(rb"(\d+)<([^>]*)>")
TEXT: Final = re.compile(rb'"([^"]*)"')


class RecordingError(RuntimeError):
    """A process could not be recorded, or touched the folder in a way that is not understood here."""


class Op(NamedTuple):
    """One thing done. `name` is a file of the folder; "" is the folder itself."""

    act: Literal["make", "write", "resize", "sync", "rename", "remove", "show"]
    name: str = ""
    data: bytes = b""  # what was written or shown
    at: int = 0  # bytes: where it was written, or the new size
    to: str = ""  # the new name


class Call(NamedTuple):
    """One system call that succeeded."""

    name: str
    fd: int
    paths: list[str]  # what its descriptors stand for: the one it is about first
    texts: list[bytes]
    numbers: list[int]  # its last plain arguments
    words: bytes
    result: int


def missing() -> str:
    """Return why nothing can be recorded here, or ""."""
    if shutil.which(STRACE) is None:
        return "strace is not installed: apt-get install strace"
    tried = subprocess.run([STRACE, "-o/dev/null", "true"], capture_output=True, timeout=60, check=False)
    return f"strace may not trace here: {tried.stderr.decode().strip()}" if tried.returncode else ""


def record(command: Sequence[str], folder: Path) -> list[Op]:
    """Run a command to its end; return what it did to `folder`, and what it said on standard output and sockets."""
    trace = folder.with_name(f"{folder.name}.strace")
    strace = [
        STRACE,
        "-f",
        "--seccomp-bpf",
        "-y",
        "-xx",
        f"-s{LONGEST}",
        "-o",
        str(trace),
        f"-etrace={','.join(CALLS)}",
    ]
    done = subprocess.run([*strace, *command], capture_output=True, timeout=RECORD_S, check=False)
    if done.returncode:
        raise RecordingError(f"{command[0]} ended with {done.returncode}: {done.stderr.decode()[-1500:]}")
    with trace.open("rb") as lines:
        ops = list(Reading(folder.resolve()).ops(lines))
    trace.unlink()
    return ops


def calls(lines: Iterable[bytes]) -> Iterator[Call]:
    """Take strace's lines apart. A call that another thread interrupted counts when it returns."""
    begun: dict[bytes, bytes] = {}
    for line in lines:
        whole = line.rstrip()
        if found := BEGUN.match(whole):
            begun[whole.split(b" ", 1)[0]] = found[1]
            continue
        if found := RESUMED.match(whole):
            whole = begun.pop(found[1]) + found[2]
        if found := LINE.match(whole):
            yield _call(found)


def _call(found: re.Match[bytes]) -> Call:
    said, opened = found["said"], found["opened"]
    texts, words = [_bytes(text) for text in TEXT.findall(said)], TEXT.sub(b"", said)
    descriptors = FD.findall(words)
    return Call(
        name=found["call"].decode(),
        fd=int(descriptors[0][0]) if descriptors else -1,
        paths=[_bytes(path).decode() for path in ([opened] if opened else [path for _, path in descriptors])],
        texts=texts,
        numbers=[int(word) for word in words.split(b", ") if word.isdigit()],
        words=words,
        result=int(found["result"]),
    )


def _bytes(printed: bytes) -> bytes:
    return bytes.fromhex(printed.decode().replace("\\x", ""))


class Reading:
    """Keeps of all calls those that concern one folder."""

    def __init__(self, folder: Path) -> None:
        self._folder = str(folder)
        self._names: set[str] = set()
        self._ends: dict[str, int] = {}  # where the next write(2) goes

    def ops(self, lines: Iterable[bytes]) -> Iterator[Op]:
        """Read what was done, in the order in which it was done."""
        for call in calls(lines):
            names = [self._name(path) for path in call.paths or map(bytes.decode, call.texts)]
            name = names[0] if names else None
            if name is not None and not name.endswith(REBUILT):
                yield from self._done(call, name, names[-1] or "")
            elif call.name == "sendto" or (call.name == "write" and call.fd == 1):
                yield Op("show", data=call.texts[0][: call.result])

    def _name(self, path: str) -> str | None:
        """Return the name of a path within the folder, "" for the folder itself, None for all others."""
        if path == self._folder:
            return ""
        folder, _, name = path.rpartition("/")
        return name if folder == self._folder else None

    def _done(self, call: Call, name: str, last: str) -> Iterator[Op]:
        match call.name:
            case "openat":
                yield from self._opened(call, name)
            case "pwrite64":
                yield Op("write", name, call.texts[0][: call.result], call.numbers[-1])
            case "write":
                yield Op("write", name, call.texts[0][: call.result], self._ends[name])
                self._ends[name] += call.result
            case "ftruncate":
                yield Op("resize", name, at=call.numbers[-1])
            case "fsync" | "fdatasync":
                yield Op("sync", name)
            case "unlink" | "unlinkat":
                self._names.discard(name)
                yield Op("remove", name)
            case "rename" | "renameat" | "renameat2":
                self._names = self._names - {name} | {last}
                yield Op("rename", name, to=last)
            case _:
                raise RecordingError(f"{call.name} on {name}: not understood")

    def _opened(self, call: Call, name: str) -> Iterator[Op]:
        self._ends[name] = 0
        if b"O_CREAT" in call.words and name not in self._names:
            self._names.add(name)
            yield Op("make", name)
        if b"O_TRUNC" in call.words:
            yield Op("resize", name)
