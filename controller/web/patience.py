"""How often somebody may be wrong about a password before they have to wait. Pure: told the time."""

from __future__ import annotations

from collections import OrderedDict
from typing import Final

WINDOW_S: Final = 900.0
TRIES: Final = 5  # for one name from one address
TRIES_OF_ADDRESS: Final = 30  # for any names
TRIES_OF_NAME: Final = 60  # from any address: a stranger cannot easily lock somebody out
REMEMBERED: Final = 10_000  # names and addresses; the oldest are forgotten


class Patience:
    """Counts what went wrong lately."""

    def __init__(self) -> None:
        self._wrong: OrderedDict[tuple[str, str], list[float]] = OrderedDict()

    def waits(self, name: str, address: str, now: float) -> float:
        """Return for how many seconds they have to wait; 0: try."""
        return max(self._wait(key, most, now) for key, most in _keys(name, address))

    def wrong(self, name: str, address: str, now: float) -> None:
        """Note that it was the wrong one."""
        for key, _ in _keys(name, address):
            times = self._wrong.pop(key, [])
            self._wrong[key] = [*(at for at in times if now - at < WINDOW_S), now][-TRIES_OF_NAME:]
        while len(self._wrong) > REMEMBERED:
            self._wrong.popitem(last=False)

    def right(self, name: str, address: str) -> None:
        """Forget what this one did wrong from there."""
        self._wrong.pop((name, address), None)

    def _wait(self, key: tuple[str, str], most: int, now: float) -> float:
        times = [at for at in self._wrong.get(key, []) if now - at < WINDOW_S]
        return times[-most] + WINDOW_S - now if len(times) >= most else 0.0


def _keys(name: str, address: str) -> tuple[tuple[tuple[str, str], int], ...]:
    name = name[:64]
    return ((name, address), TRIES), (("", address), TRIES_OF_ADDRESS), ((name, ""), TRIES_OF_NAME)
