"""System calls answered by another process: Linux's seccomp user notification, seccomp(2) and seccomp_unotify(2).

Run as a program it puts the filter on itself, hands over the listening descriptor and becomes the program named.
Needs no root and no module; only what the filter names is handed over, and everything else costs nothing.
"""

from __future__ import annotations

import ctypes
import errno
import fcntl
import os
import platform
import socket
import struct
import sys
from pathlib import Path
from typing import Final

MACHINES: Final = {  # architecture as seccomp(2) has it, then the numbers of openat, ioctl and seccomp
    "x86_64": (0xC000003E, 257, 16, 317),
    "aarch64": (0xC00000B7, 56, 29, 277),
}
ARCH, OPENAT, IOCTL, SECCOMP = MACHINES.get(platform.machine(), (0, -1, -1, -1))

PR_SET_CHILD_SUBREAPER, PR_SET_NO_NEW_PRIVS = 36, 38
SET_MODE_FILTER, GET_ACTION_AVAIL, NEW_LISTENER = 1, 2, 1 << 3
ALLOW, NOTIFY = 0x7FFF0000, 0x7FC00000
GO_ON, ANSWER = 1, 2  # SECCOMP_USER_NOTIF_FLAG_CONTINUE and SECCOMP_ADDFD_FLAG_SEND
RECEIVE, SEND, ADD = 0xC0502100, 0xC0182101, 0x40182103  # ioctls of the listener
CALL: Final = struct.Struct("=QII iIQ6Q")  # struct seccomp_notif
REPLY: Final = struct.Struct("=Qqi I")  # struct seccomp_notif_resp
ADDED: Final = struct.Struct("=Q4I")  # struct seccomp_notif_addfd
GPIO, I2C = 0xB4, 0x07  # the second byte of their ioctls
PAGE: Final = os.sysconf("SC_PAGESIZE")

libc = ctypes.CDLL(None, use_errno=True)


class Filter(ctypes.Structure):
    """struct sock_fprog."""

    _fields_ = (("length", ctypes.c_ushort), ("program", ctypes.c_char_p))


class Span(ctypes.Structure):
    """struct iovec."""

    _fields_ = (("base", ctypes.c_void_p), ("length", ctypes.c_size_t))


def why_not() -> str:
    """Return why this machine cannot do it; nothing when it can."""
    if not ARCH:
        return f"{sys.platform} on {platform.machine()} is not known to tests/kernel/seccomp.py"
    wanted = ctypes.c_uint32(NOTIFY)
    if libc.syscall(SECCOMP, GET_ACTION_AVAIL, 0, ctypes.byref(wanted)):
        return f"the kernel has no seccomp user notification: {os.strerror(ctypes.get_errno())}"
    return ""


def program() -> bytes:
    """Return the filter: every openat, and every ioctl of a GPIO chip or an I2C bus, waits for an answer."""
    load, equal, give, mask = 0x20, 0x15, 0x06, 0x54
    steps = [
        (load, 0, 0, 4),
        (equal, 0, 7, ARCH),  # to ALLOW
        (load, 0, 0, 0),
        (equal, 6, 0, OPENAT),  # to NOTIFY
        (equal, 0, 4, IOCTL),
        (load, 0, 0, 24),  # the lower half of the second argument
        (mask, 0, 0, 0xFF00),
        (equal, 2, 0, GPIO << 8),
        (equal, 1, 0, I2C << 8),
        (give, 0, 0, ALLOW),
        (give, 0, 0, NOTIFY),
    ]
    return b"".join(struct.pack("=HBBI", *step) for step in steps)


def install() -> int:
    """Put the filter on this thread and all it starts, for good; return the listening descriptor."""
    steps = program()
    filter_ = Filter(len(steps) // 8, steps)
    if libc.prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) == 0:
        listener: int = libc.syscall(SECCOMP, SET_MODE_FILTER, NEW_LISTENER, ctypes.byref(filter_))
        if listener >= 0:
            return listener
    raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))


class Call:
    """One system call that waits for its answer."""

    def __init__(self, listener: int) -> None:
        """Take the next call; raise FileNotFoundError when its process was killed meanwhile."""
        raw = bytearray(CALL.size)
        fcntl.ioctl(listener, RECEIVE, raw)
        self._listener = listener
        self._id, self.thread, _, self.number, _, _, *self.arguments = CALL.unpack(raw)

    def read(self, address: int, size: int) -> bytes:
        """Read from the caller's memory; less than `size` where that ends."""
        first = min(size, PAGE - address % PAGE)
        there = (Span * 2)(Span(address, first), Span(address + first, size - first))
        buffer = ctypes.create_string_buffer(size)
        moved = self._move(libc.process_vm_readv, buffer, size, there)
        return buffer.raw[:moved]

    def write(self, address: int, data: bytes) -> None:
        """Write into the caller's memory."""
        there = (Span * 2)(Span(address, len(data)), Span(0, 0))
        buffer = ctypes.create_string_buffer(data, len(data))
        if self._move(libc.process_vm_writev, buffer, len(data), there) != len(data):
            raise OSError(errno.EFAULT, os.strerror(errno.EFAULT))

    def _move(
        self, move: ctypes._NamedFuncPointer, buffer: ctypes.Array[ctypes.c_char], size: int, there: object
    ) -> int:
        here = Span(ctypes.addressof(buffer), size)
        moved: int = move(self.thread, ctypes.byref(here), 1, there, 2, 0)
        if moved < 0:
            raise OSError(ctypes.get_errno(), f"the caller's memory: {os.strerror(ctypes.get_errno())}")
        return moved

    def name(self, descriptor: int) -> str:
        """Return what /proc says one of the caller's descriptors is."""
        return str(Path(f"/proc/{self.thread}/fd/{descriptor}").readlink())

    def give(self, descriptor: int) -> int:
        """Let the caller have a descriptor of ours, too; return its number there."""
        return self._add(descriptor, 0)

    def answer_with(self, descriptor: int) -> None:
        """Give a descriptor, whose number is the answer."""
        self._add(descriptor, ANSWER)

    def _add(self, descriptor: int, flags: int) -> int:
        raw = ctypes.create_string_buffer(ADDED.pack(self._id, flags, descriptor, 0, os.O_CLOEXEC))
        number: int = libc.ioctl(self._listener, ctypes.c_ulong(ADD), raw)
        if number < 0:
            raise OSError(ctypes.get_errno(), os.strerror(ctypes.get_errno()))
        return number

    def answer(self, value: int = 0) -> None:
        """Let the call return this."""
        self._send(value, 0, 0)

    def fail(self, number: int) -> None:
        """Let the call fail with this error."""
        self._send(0, -number, 0)

    def go_on(self) -> None:
        """Let the kernel do what was asked."""
        self._send(0, 0, GO_ON)

    def _send(self, value: int, error: int, flags: int) -> None:
        fcntl.ioctl(self._listener, SEND, REPLY.pack(self._id, value, error, flags))


def main() -> None:
    """Become the program `sys.argv[2]`; whoever holds the other end of descriptor `sys.argv[1]` answers for it."""
    with socket.socket(fileno=int(sys.argv[1])) as owner:
        listener = install()
        socket.send_fds(owner, [b"listener"], [listener])
    os.close(listener)
    os.execvp(sys.argv[2], sys.argv[2:])  # noqa: S606 there is none wanted


if __name__ == "__main__":
    main()
