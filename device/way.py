"""The way through: released for one person, open to all during a fire, and what lamp, buzzer and screen say of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from device.record import Record
from device.shown import Placard, ScreenChanged, Shown
from device.sight import EyeFault, Guidance
from device.wire.messages import Outcome
from device.wire.words import Language
from hardware.parts import (
    Board,
    Colour,
    FireChanged,
    GuardianChanged,
    PartError,
    TamperChanged,
    Tune,
)

IDLE: Final[Colour] = "white"
BLINK_S: Final = 0.5
SPOKEN_S: Final = 60.0  # seconds a language that somebody asked for stays, as with the button of the screen
FIRE: Final[Colour] = "green"  # the way is free
COLOURS: Final[dict[Outcome, Colour]] = {"grant": "green", "refer": "amber", "refuse": "red"}


class Way:
    """Moves the outputs of the board, and says what is wrong with it."""

    def __init__(
        self, board: Callable[[], Board], record: Record, *, answer_s: float, show: Callable[[Shown], None]
    ) -> None:
        self.placard = Placard(show)  # of the screen; what is no answer is put there directly
        self._board = board
        self._record = record
        self._answer_s = answer_s
        self._idle: Colour = IDLE
        self._measuring = False  # somebody waits to be measured
        self._dark = False  # for the half of a blink
        self._until = 0.0  # when the answer that is shown is over; 0: none is
        self._spoken_until = 0.0  # when the screen speaks its own language again; 0: it does

    def wait(self) -> None:
        """Show that nobody has been answered."""
        self._until = 0.0
        self._board().lamp.show(self._idle)
        self._next()

    def answer(self, outcome: Outcome, now: float, reasons: tuple[str, ...] = (), *, staff: bool = False) -> None:
        """Say for a while what became of a code, unless there is a fire: a red lamp would keep people from leaving."""
        if self._signalled(COLOURS[outcome], outcome, now):
            self.placard.answer(outcome, reasons, staff=staff)

    def identify(self, now: float) -> None:
        """Show and sound for a while which gate this is."""
        if self._signalled("blue", "identify", now):
            self.placard.say("identify")

    def remind(self, now: float) -> None:
        """Show and sound for a while that the guard is wanted, which is no visitor's business."""
        self._signalled("blue", "identify", now)

    def speak(self, language: Language, now: float) -> None:
        """Say everything in the language of a card for a minute, and at once that it is so. No lamp, no sound."""
        self._spoken_until = now + SPOKEN_S
        self.placard.speak(language)
        if not self._until and not self.free:  # else what is said already is said in it now
            self._until = now + self._answer_s
            self.placard.say("greeting")

    def close(self) -> None:
        """Go dark."""
        self._board().lamp.show("off")
        self.placard.say("closed")

    @property
    def free(self) -> bool:
        """Whether the way is open to everyone."""
        return self._idle == FIRE

    @property
    def answering(self) -> bool:
        """Whether somebody is being answered."""
        return bool(self._until)

    def look(self, now: float, *, measuring: bool = False) -> None:
        """End an answer that has been shown for long enough; blink while somebody waits to be measured."""
        if self._until and now >= self._until:
            self.wait()
        if self._spoken_until and now >= self._spoken_until:
            self._spoken_until = 0.0
            self.placard.speak(None)
        if measuring != self._measuring:
            self._measuring = measuring
            if not self._until:
                self._next()
        blink = measuring and not self._until and self._idle == IDLE
        dark = blink and int(now / BLINK_S) % 2 == 1
        if dark != self._dark:
            self._dark = dark
            self._board().lamp.show("off" if dark else self._idle)

    def _signalled(self, colour: Colour, tune: Tune, now: float) -> bool:
        self._dark = False
        self._until = now + self._answer_s
        if self.free:
            return False
        self._board().lamp.show(colour)
        self._board().buzzer.play(tune)
        return True

    def _next(self) -> None:
        """Say on the screen what people are to do now."""
        self.placard.say("free" if self.free else "measure" if self._measuring else "ready")

    def release(self) -> None:
        """Let one person through; raise PartError when the turnstile does not move, which is a fault of its own."""
        try:
            self._board().turnstile.release()
        except PartError as error:
            self._record.raised("guardian_lost", str(error))
            raise
        self._record.cleared("guardian_lost")

    def released(self) -> bool:
        """Let one person through; False when the turnstile does not move, and the guard must."""
        try:
            self.release()
        except PartError:
            return False
        return True

    def hear(self, said: EyeFault | Guidance | FireChanged | TamperChanged | GuardianChanged | ScreenChanged) -> None:
        """Say what is wrong. In a fire the relay is held on already, whatever happens here."""
        match said:
            case FireChanged(fire=fire):
                self._idle = FIRE if fire else IDLE
                self.wait()
                self._record.stands("fire", "the fire contact is open: the relay is held on" if fire else "")
            case TamperChanged(open=opened):
                self._record.stands("tamper", "the lid is open, or its cable is cut" if opened else "")
            case GuardianChanged(lost=lost, detail=detail):
                self._record.stands("guardian_lost", detail if lost else "")
            case ScreenChanged(problem=problem):
                self._record.stands("screen_lost", problem)
            case Guidance(hint=hint):
                self.placard.guide(hint)
            case EyeFault(fault=fault, raised=raised, detail=detail):
                self.placard.guide(None)  # nothing is seen any more that could be helped
                self._record.stands(fault, (detail or fault) if raised else "")
