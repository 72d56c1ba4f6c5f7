"""Says what the pins of an emulated board do, for those who cannot hear a relay click.

It looks at them some hundred times a second, and tells of levels that lasted from one look to the next: a lamp that
goes from white to green is two pins after each other, but one change.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Final

PERIOD_S: Final = 0.004

Levels = dict[str, bool]


class Witness:
    """Looks, and tells `say` all levels at first, and then those that changed, with the monotonic second."""

    def __init__(self, look: Callable[[], Levels], say: Callable[[float, Levels], None]) -> None:
        self._look = look
        self._say = say
        self._over = threading.Event()
        self.thread = threading.Thread(target=self._run, name="witness", daemon=True)

    def stop(self) -> None:
        """Look away."""
        self._over.set()
        if self.thread.is_alive():
            self.thread.join(timeout=1)

    def _run(self) -> None:
        said: Levels = {}
        before: Levels = {}
        while not self._over.wait(PERIOD_S):
            now = self._look()
            if now == before and now != said:
                self._say(time.monotonic(), {name: high for name, high in now.items() if said.get(name) != high})
                said = now
            before = now
