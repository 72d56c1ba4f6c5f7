"""The wired parts of one entrance, put together."""

from __future__ import annotations

from collections.abc import Callable
from contextlib import ExitStack
from typing import Any, Protocol, TypeVar

from hardware.beam import Beam
from hardware.button import Button
from hardware.buzzer import Buzzer
from hardware.contact import Contact
from hardware.door import Door
from hardware.lamp import Lamp
from hardware.parts import Board, PartError, Tell, Turnstile, TurnstilePassed
from hardware.presence import Presence
from hardware.tamper import Tamper


class _Part(Protocol):
    def close(self) -> None: ...


class _Turnstile(Turnstile, _Part, Protocol): ...


P = TypeVar("P", bound=_Part)


def build(
    *,
    factory: Any,
    tell: Tell,
    turnstile: _Turnstile,
    lamp: tuple[int, int, int],
    buzzer: int,
    staff_button: int,
    beam_outer: int = 0,
    beam_inner: int = 0,
    turnstile_passed: int = 0,
    door: int = 0,
    presence: int = 0,
    tamper: int = 0,
) -> Board:
    """Claim the pins and return the board; raise PartError where one cannot be had.

    Pins are BCM numbers, 0 in an optional one means not wired; `lamp` is red, green, blue. The board closes the
    `turnstile`, too. Inputs speak through `tell` until the board is closed.
    """
    with ExitStack() as parts:

        def part(made: P) -> P:
            parts.callback(made.close)
            return made

        try:
            part(turnstile)
            light = part(Lamp(*lamp, factory=factory))
            sound = part(Buzzer(buzzer, factory=factory))
            part(Button(staff_button, factory=factory, tell=tell))
            if beam_outer:
                part(Beam(beam_outer, beam="outer", factory=factory, tell=tell))
            if beam_inner:
                part(Beam(beam_inner, beam="inner", factory=factory, tell=tell))
            if turnstile_passed:
                part(Contact(turnstile_passed, factory=factory, closed=lambda at: tell(TurnstilePassed(at=at))))
            if door:
                part(Door(door, factory=factory, tell=tell))
            if presence:
                part(Presence(presence, factory=factory, tell=tell))
            if tamper:
                part(Tamper(tamper, factory=factory, tell=tell))
        except Exception as error:
            raise PartError(
                f"a pin cannot be had: {error}. Each pin serves one part of one program; see [pins] in the "
                "configuration and hardware/wiring.md"
            ) from error
        close: Callable[[], None] = parts.pop_all().close
    return Board(lamp=light, buzzer=sound, turnstile=turnstile, close=close)
