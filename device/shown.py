"""What the person before the gate is told: one small message, and the placard on which it changes. Pure.

It never says why somebody is not admitted: that is for the guard. It says what to do next.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import Final, Literal

from msgspec import Struct, structs

from device.sight import Hint
from device.wire.messages import Outcome
from device.wire.words import Language

State = Literal["ready", "measure", "answer", "free", "identify", "greeting", "closed"]
Step = Literal["staff", "recheck", "refresh", "on_duty"]
Warn = Literal["distance", "queue"]

# A next step that helps and shames nobody; every other reason only asks for patience.
STEPS: Final[dict[str, Step]] = {"temperature_recheck": "recheck", "screen_expired": "refresh"}


class Shown(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True, omit_defaults=True):
    """All of it. As it stands by itself, the gate is ready for the next code."""

    # measure: a temperature is wanted; free: the way is open to everyone, as in a fire; greeting: a card was held up;
    # closed: no gate is at work
    state: State = "ready"
    outcome: Outcome | None = None  # of an answer
    steps: tuple[Step, ...] = ()  # what to do next, beside what the outcome says by itself
    hint: Hint | None = None  # what keeps the code that is held up from being read; only while ready
    part: tuple[int, int] | None = None  # such as 1 of 3, of a code that comes in several pictures; only while ready
    warnings: tuple[Warn, ...] = ()  # beside everything else
    language: Language | None = None  # that somebody asked for by a card; None: the one it speaks by itself


@dataclass(frozen=True, kw_only=True)
class ScreenChanged:
    """The screen's process was lost, which is the `problem`; empty when it is at work again."""

    problem: str


class Placard:
    """Told what happens by the one thread that decides; `put` gets the whole message whenever it changed.

    `put` must not wait: whatever stands behind it is never in the way of lamp and relay.
    """

    def __init__(self, put: Callable[[Shown], None]) -> None:
        self._put = put
        self._shown: Shown | None = None
        self._hint: Hint | None = None
        self._part: tuple[int, int] | None = None
        self._warnings: tuple[Warn, ...] = ()
        self._language: Language | None = None

    def answer(self, outcome: Outcome, reasons: tuple[str, ...] = (), *, staff: bool = False) -> None:
        """Say what became of a code, in neutral words. It stands until told another."""
        self._part = None
        steps: list[Step] = [STEPS[reason] for reason in reasons if reason in STEPS]
        if outcome != "grant":
            steps.append("staff")
        elif staff:
            steps.append("on_duty")
        self._show(Shown(state="answer", outcome=outcome, steps=tuple(steps)))

    def say(self, state: State) -> None:
        """Say something that is no answer to a code, such as ready for the next."""
        ready = state == "ready"
        self._show(Shown(state=state, hint=self._hint if ready else None, part=self._part if ready else None))

    def guide(self, hint: Hint | None) -> None:
        """Say what would help to read the code that is held up; None when nothing is in its way."""
        self._hint = hint
        self._again()

    def collect(self, part: tuple[int, int] | None) -> None:
        """Say how much of a code in several pictures has been read; None when it is given up."""
        self._part = part
        self._again()

    def warn(self, warnings: tuple[Warn, ...]) -> None:
        """Say what people should mind, whatever else is shown."""
        self._warnings = warnings
        if self._shown:
            self._show(self._shown)

    def speak(self, language: Language | None) -> None:
        """Say everything in this language first; None: in the screen's own."""
        self._language = language
        if self._shown:
            self._show(self._shown)

    def _again(self) -> None:
        if self._shown and self._shown.state == "ready":
            self.say("ready")

    def _show(self, shown: Shown) -> None:
        shown = structs.replace(shown, warnings=self._warnings, language=self._language)
        if shown != self._shown:
            self._shown = shown
            self._put(shown)


def nobody(_: Shown) -> None:
    """Be the display that is not there."""
