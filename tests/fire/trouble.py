"""Disks that fail on purpose: full, broken or read-only, for as long as it lasts, under a process that goes on."""

from __future__ import annotations

import os
import signal
import subprocess
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tests.fire.recording import STRACE

ATTACH_S: Final = 20.0


@contextmanager
def failing(pid: int, call: str, error: str, *files: Path) -> Iterator[None]:
    """Let a system call of a running process fail on these files, every time, until the block ends."""
    paths = [f"-P{path}" for path in files]
    inject = [f"-etrace={call}", f"-einject={call}:error={error}"]
    strace = subprocess.Popen(
        [STRACE, "-f", "-o/dev/null", *inject, *paths, "-p", str(pid)], stderr=subprocess.PIPE, text=True
    )
    assert strace.stderr is not None
    try:
        assert "attached" in (said := strace.stderr.readline()), said
        yield
    finally:
        strace.send_signal(signal.SIGINT)
        strace.communicate(timeout=ATTACH_S)


@contextmanager
def small_disk(folder: Path, size: int) -> Iterator[Path]:
    """Mount a file system of `size` bytes in a folder of its own."""
    folder.mkdir()
    subprocess.run(["/bin/mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(folder)], check=True)
    try:
        yield folder
    finally:
        subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


@contextmanager
def read_only(folder: Path) -> Iterator[None]:
    """Let nothing in a folder be written any more, as after errors on its disk."""
    subprocess.run(["/bin/mount", "--bind", str(folder), str(folder)], check=True)
    try:
        subprocess.run(["/bin/mount", "-o", "remount,bind,ro", str(folder)], check=True)
        yield
    finally:
        subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)


def cannot_mount(folder: Path) -> str:
    """Return why no file system can be mounted here, or ""."""
    tried = subprocess.run(
        ["/bin/mount", "-t", "tmpfs", "-o", "size=4096", "none", str(folder)], capture_output=True, check=False
    )
    if tried.returncode:
        return f"a small disk cannot be mounted here: {tried.stderr.decode().strip()}"
    subprocess.run(["/bin/umount", "--lazy", str(folder)], check=True)
    return ""


def fill(disk: Path, *, leave: int = 0) -> Path:
    """Let somebody else take all but `leave` bytes of a disk; return their file."""
    others = disk / "others"
    space = os.statvfs(disk)
    with others.open("wb", buffering=0) as file:
        os.posix_fallocate(file.fileno(), 0, max(4096, space.f_bavail * space.f_frsize - leave))
    return others
