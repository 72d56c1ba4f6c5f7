"""A good code that waits a moment for a temperature, so that both are one answer. Pure."""

from __future__ import annotations

from typing import Generic, NamedTuple, TypeVar

T = TypeVar("T")


class _Held(NamedTuple, Generic[T]):
    who: bytes
    what: T
    until: float


class Measuring(Generic[T]):
    """Holds what was presented last, for so many seconds at most. Times are monotonic seconds."""

    def __init__(self, wait_s: float) -> None:
        self._wait_s = wait_s
        self._held: _Held[T] | None = None

    @property
    def waiting(self) -> bool:
        """Whether somebody stands there and waits."""
        return self._held is not None

    def hold(self, who: bytes, what: T, now: float) -> list[T]:
        """Hold it back; return what has to be answered now, because somebody else has taken its place.

        The next picture of the same credential is no other.
        """
        before = self._held
        if before is not None and before.who == who:
            return []
        self._held = _Held(who, what, now + self._wait_s)
        return [before.what] if before else []

    def due(self, now: float, *, measured: bool) -> list[T]:
        """Return what is to be answered: a temperature has come, or none comes any more."""
        held = self._held
        if held is None or not (measured or now >= held.until):
            return []
        self._held = None
        return [held.what]
