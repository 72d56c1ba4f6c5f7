"""Threads whose end is the end of the whole: one that falls is noticed, whoever started it."""

from __future__ import annotations

import threading
from collections.abc import Iterable


class Fallen:
    """The threads that ended by an exception, also those that libraries started."""

    def __init__(self) -> None:
        self._said: list[str] = []

    def hook(self, fallen: threading.ExceptHookArgs) -> None:
        """Stand for threading.excepthook, which tells nobody but the log."""
        threading.__excepthook__(fallen)
        name = fallen.thread.name if fallen.thread else "unknown"
        self._said.append(f"the {name} thread died: {fallen.exc_type.__name__}: {fallen.exc_value}")

    def among(self, threads: Iterable[threading.Thread]) -> str:
        """Say which thread fell, or of these is not at work any more; "" when all is well."""
        return "; ".join(
            self._said or [f"the {thread.name} thread died" for thread in threads if not thread.is_alive()]
        )
