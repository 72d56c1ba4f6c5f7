"""Connections that only read, lent to whoever answers a question: the desk never waits for a page."""

from __future__ import annotations

import queue
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from controller.store import Store

KEPT: Final = 8  # connections that wait for the next question


class Readers:
    """Any thread may borrow one; nobody else has it meanwhile."""

    def __init__(self, path: str) -> None:
        self._path = Path(path)
        self._idle: queue.LifoQueue[Store] = queue.LifoQueue(KEPT)

    @contextmanager
    def lent(self) -> Iterator[Store]:
        """Lend a connection. Raise StoreError where there is no database."""
        try:
            store = self._idle.get_nowait()
        except queue.Empty:
            store = Store(self._path, read_only=True)
        try:
            yield store
        except BaseException:
            store.close()
            raise
        try:
            self._idle.put_nowait(store)
        except queue.Full:
            store.close()

    def close(self) -> None:
        """Close those that nobody has."""
        with suppress(queue.Empty):
            while True:
                self._idle.get_nowait().close()
