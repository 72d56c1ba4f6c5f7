"""What a guard decides with badge and staff button: a referred person, or one without a code. Pure.

A press admits who was referred a moment ago. A badge held up while the button is held down admits one more, on that
guard's word: over a refusal a moment ago, or without any code. A button that is never let go is a part, not a person.
"""

from __future__ import annotations

from typing import Final, Literal, NamedTuple

Why = Literal["referred", "overridden", "without_code"]
Press = Literal["short", "long", "stuck"]

HOLD_S: Final = 1.0  # a press that is longer is no press
STUCK_S: Final = 30.0


class Admit(NamedTuple):
    """A guard lets one in. `scan` is the seq of the scan that this answers, `who` the guards who may have pressed."""

    who: tuple[str, ...]
    why: Why
    scan: int | None = None
    code: str = ""
    people: int = 1


class _Turned(NamedTuple):
    """Somebody who was not admitted, and when."""

    scan: int | None
    code: str
    people: int
    referred: bool
    at: float


class ByHand:
    """The guard's own decisions at one entrance. Times are monotonic seconds."""

    def __init__(self, *, decide_s: float) -> None:
        self._decide_s = decide_s
        self._turned: _Turned | None = None
        self._down_at: float | None = None

    def turned_away(self, scan: int | None, code: str, at: float, *, referred: bool, people: int = 1) -> None:
        """Note whom the gate did not admit by itself; only the last one stands before it."""
        self._turned = _Turned(scan, code, people, referred, at)

    def admitted(self) -> None:
        """Note that somebody was admitted: whoever was turned away before has gone, or was helped."""
        self._turned = None

    def down(self, at: float) -> None:
        """Note that the button is down."""
        self._down_at = at

    def up(self, at: float) -> Press | None:
        """Note that it is up again; return what that was. None: nobody saw it go down."""
        since, self._down_at = self._down_at, None
        if since is None:
            return None
        return "short" if at - since < HOLD_S else "long" if at - since < STUCK_S else "stuck"

    def stuck(self, now: float) -> bool:
        """Tell whether the button has been down for longer than anybody holds it."""
        return self._down_at is not None and now - self._down_at >= STUCK_S

    def pressed(self, now: float, on_duty: tuple[str, ...]) -> Admit | None:
        """Take a short press: it admits who was referred, when there is a guard to say so."""
        turned = self._last(now)
        if turned is None or not turned.referred or not on_duty:
            return None
        self._turned = None
        return Admit(on_duty, "referred", turned.scan, turned.code, turned.people)

    def badge(self, who: str, now: float) -> Admit | None:
        """Take a badge: held up while the button is down, it admits one. None: it is for checking in or out."""
        if self._down_at is None or self.stuck(now):
            return None
        turned, self._turned = self._last(now), None
        if turned is None:
            return Admit((who,), "without_code")
        return Admit((who,), "referred" if turned.referred else "overridden", turned.scan, turned.code, turned.people)

    def _last(self, now: float) -> _Turned | None:
        recent = self._turned is not None and now - self._turned.at <= self._decide_s
        return self._turned if recent else None
