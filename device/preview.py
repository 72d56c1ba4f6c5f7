"""The live picture on its way from the camera's process to the screen's: one small JPEG in memory that both map.

It is written only while somebody looks, is never on a disk, and is gone with the gate.
"""

from __future__ import annotations

import struct
import time
from multiprocessing.shared_memory import SharedMemory
from typing import Final

PERIOD_S: Final = 0.1  # seconds between two pictures: ten a second
INTEREST_S: Final = 2.0  # seconds after the last look for which pictures are still made
HEAD: Final = struct.Struct("=ddQI")  # when it was last looked at and written, how often written, how many bytes
ROOM: Final = 65536 - HEAD.size  # bytes; a larger picture is left out
COUNT: Final = struct.Struct("=Q")
COUNT_AT: Final = 16


class Preview:
    """One picture and who looks at it. The camera's process writes it, the screen's reads it."""

    def __init__(self, name: str = "") -> None:
        """Make a place for pictures, or open the one of that name."""
        self._memory = SharedMemory(name or None, create=not name, size=HEAD.size + ROOM)
        view = self._memory.buf
        assert view is not None  # noqa: S101 it is None only once closed
        self._view = view

    @property
    def name(self) -> str:
        """Return what another process opens it by."""
        return self._memory.name

    def wanted(self) -> bool:
        """Tell whether somebody looks, and the last picture is old enough."""
        looked, written, _, _ = self._head()
        now = time.monotonic()
        return now - looked <= INTEREST_S and now - written >= PERIOD_S

    def write(self, jpeg: bytes) -> None:
        """Put a picture in the place of the one before. A reader that meets it half written notices."""
        if len(jpeg) > ROOM:
            return
        _, _, count, _ = self._head()
        COUNT.pack_into(self._view, COUNT_AT, count + 1)  # odd: do not read
        self._view[HEAD.size : HEAD.size + len(jpeg)] = jpeg
        struct.pack_into("=dQI", self._view, 8, time.monotonic(), count + 2, len(jpeg))

    def look(self) -> bytes:
        """Return the picture, empty when there is none newer than a second; and have more made."""
        struct.pack_into("=d", self._view, 0, time.monotonic())
        _, written, count, size = self._head()
        if count % 2 or time.monotonic() - written > 1:
            return b""
        jpeg = bytes(self._view[HEAD.size : HEAD.size + size])
        return jpeg if self._head()[2] == count else b""

    def close(self) -> None:
        """Let go of the memory."""
        self._memory.close()

    def remove(self) -> None:
        """Let go of it and have it forgotten, when no process needs it any more."""
        self._memory.close()
        self._memory.unlink()

    def _head(self) -> tuple[float, float, int, int]:
        looked, written, count, size = HEAD.unpack_from(self._view)
        return float(looked), float(written), int(count), min(int(size), ROOM)
