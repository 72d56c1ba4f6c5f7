"""An emulated machine: programs started on it find the devices it has."""

from __future__ import annotations

import contextlib
import errno
import os
import select
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Protocol, Self

from tests.kernel import seccomp

REVISION: Final = 0xC03115  # a Pi 4 B, as its device tree says
PI_4: Final = {
    "/proc/device-tree/system/linux,revision": REVISION.to_bytes(4, "big"),
    "/proc/device-tree/model": b"Raspberry Pi 4 Model B Rev 1.5\0",
}
LONGEST: Final = 128  # bytes of a path that can be one of ours


class Handle(Protocol):
    """What an open descriptor of a device stands for."""

    def ioctl(self, request: int, address: int, call: Asked) -> int:
        """Answer an ioctl; raise OSError to refuse it."""

    def closed(self) -> None:
        """Hear that nobody has it open any more."""


class Device(Protocol):
    """What stands behind a path."""

    def open(self) -> Handle:
        """Return what a new descriptor stands for; raise OSError to refuse it."""


class Asked:
    """The call that is being answered, as a device sees it."""

    def __init__(self, call: seccomp.Call, machine: Machine) -> None:
        self.read = call.read
        self.write = call.write
        self._call = call
        self._machine = machine

    def give(self, handle: Handle) -> tuple[int, int]:
        """Open a descriptor for the caller; return its number there, and our end, to which events are written."""
        theirs, ours = os.pipe()
        try:
            number = self._call.give(theirs)
        except OSError:
            os.close(ours)
            raise
        else:
            self._machine.keep(theirs, ours, handle)
            return number, ours
        finally:
            os.close(theirs)


class Machine:
    """Answers for `devices` and read-only `files`, by path. Its end is that of the programs started here."""

    def __init__(self, devices: Mapping[str, Device], files: Mapping[str, bytes] = PI_4) -> None:
        self.devices = dict(devices)
        self.files = dict(files)
        self._handles: dict[str, Handle] = {}  # by what /proc calls their descriptors
        self._ends: dict[int, str] = {}  # our end of each: which it is
        self._poll = select.poll()
        self._wake, self._woken = os.pipe()
        self._poll.register(self._wake, select.POLLIN)
        self._listeners: set[int] = set()
        self._started: list[subprocess.Popen[str]] = []
        self._over = threading.Event()
        self._failed: Exception | None = None
        self._thread = threading.Thread(target=self._run, name="kernel", daemon=True)

    def __enter__(self) -> Self:
        seccomp.libc.prctl(seccomp.PR_SET_CHILD_SUBREAPER, 1)  # whom a killed program leaves stays ours to answer
        self._thread.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for process in self._started:
            if process.poll() is None:
                process.kill()
                process.wait()
        seccomp.libc.prctl(seccomp.PR_SET_CHILD_SUBREAPER, 0)
        self._over.set()
        os.write(self._woken, b"x")
        self._thread.join()
        for descriptor in (self._wake, self._woken, *self._ends, *self._listeners):
            os.close(descriptor)
        if self._failed:
            raise self._failed

    def start(self, *words: str, **options: Any) -> subprocess.Popen[str]:
        """Start a program; all it starts in turn lives on this machine, too."""
        ours, theirs = socket.socketpair()
        with ours, theirs:
            number = theirs.fileno()
            command = [sys.executable, "-I", "-S", seccomp.__file__, str(number), *words]
            process = subprocess.Popen(command, pass_fds=(number,), text=True, **options)
            theirs.close()
            _, descriptors, _, _ = socket.recv_fds(ours, 16, 1)
        self._started.append(process)
        if not descriptors:
            process.wait()
            raise RuntimeError("the program could not be put under the emulated kernel: see its standard error")
        self._listeners.add(descriptors[0])
        self._poll.register(descriptors[0], select.POLLIN)
        os.write(self._woken, b"x")
        return process

    def keep(self, theirs: int, ours: int, handle: Handle) -> None:
        """Remember what a descriptor stands for; `ours` says when nobody has it any more."""
        name = str(Path(f"/proc/self/fd/{theirs}").readlink())
        self._handles[name], self._ends[ours] = handle, name
        self._poll.register(ours, 0)

    def _run(self) -> None:
        try:
            while not self._over.is_set():
                for descriptor, event in self._poll.poll():
                    self._hear(descriptor, event)
        except Exception as error:  # noqa: BLE001 raised again where the machine ends
            self._failed = error

    def _hear(self, descriptor: int, event: int) -> None:
        if descriptor == self._wake:
            os.read(self._wake, 64)
        elif descriptor in self._listeners:
            if event & select.POLLIN:
                self._answer(descriptor)
            elif event & select.POLLHUP:  # nobody is left who could ask
                self._poll.unregister(descriptor)
                self._listeners.remove(descriptor)
                os.close(descriptor)
        else:
            self._forget_closed()  # looked at again: the number may stand for another by now

    def _forget_closed(self) -> None:
        """Look what has been closed, before anything else is answered."""
        for descriptor, _ in self._poll.poll(0):
            if descriptor in self._ends:
                self._forget(descriptor)

    def _forget(self, descriptor: int) -> None:
        self._poll.unregister(descriptor)
        self._handles.pop(self._ends.pop(descriptor)).closed()
        os.close(descriptor)

    def _answer(self, listener: int) -> None:
        try:
            call = seccomp.Call(listener)
        except FileNotFoundError:
            return
        with contextlib.suppress(FileNotFoundError, ProcessLookupError):  # its process was killed meanwhile
            try:
                (self._open if call.number == seccomp.OPENAT else self._ioctl)(call)
            except OSError as error:
                call.fail(error.errno or errno.EIO)

    def _open(self, call: seccomp.Call) -> None:
        path = call.read(call.arguments[1], LONGEST).partition(b"\0")[0].decode(errors="replace")
        if path in self.files:
            with open(os.memfd_create(Path(path).name), "w+b", buffering=0) as file:  # noqa: PTH123 it has no path
                file.write(self.files[path])
                file.seek(0)
                call.answer_with(file.fileno())
        elif path in self.devices:
            handle = self.devices[path].open()
            theirs, ours = os.pipe()
            try:
                self.keep(theirs, ours, handle)
                call.answer_with(theirs)
            finally:
                os.close(theirs)
        else:
            call.go_on()

    def _ioctl(self, call: seccomp.Call) -> None:
        self._forget_closed()
        descriptor, request, address, *_ = call.arguments
        handle = self._handles.get(call.name(descriptor))
        if handle is None:
            call.go_on()
        else:
            call.answer(handle.ioctl(request & 0xFFFFFFFF, address, Asked(call, self)))
