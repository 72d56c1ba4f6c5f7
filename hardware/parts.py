"""What a gate may ask of its parts, and the board that holds them."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal, NamedTuple, Protocol, TypeAlias

if TYPE_CHECKING:  # the guardian, which sees no pictures, starts in half the time
    import numpy as np
    from numpy.typing import NDArray

Grey: TypeAlias = "NDArray[np.uint8]"
Colour = Literal["off", "green", "amber", "red", "white", "blue"]
Tune = Literal["grant", "refer", "refuse", "identify"]


class PartError(RuntimeError):
    """A part did not do what it was asked; the text says which part and what to try."""


class CameraError(PartError):
    """No frame could be had."""


class ThermometerError(PartError):
    """No temperature could be had."""


class Frame(NamedTuple):
    """One picture: grey uint8 of shape (height, width), its running number, and when it was taken."""

    grey: Grey
    number: int
    at: float  # monotonic seconds, CLOCK_MONOTONIC, the same in every process


class Reading(NamedTuple):
    """What a contactless thermometer sees, and its own temperature, both in degrees Celsius."""

    object_c: float
    ambient_c: float


class Camera(Protocol):
    """Pictures of what people hold up."""

    def read(self, timeout: float) -> Frame:
        """Return the next frame; raise CameraError when none comes within `timeout` seconds."""

    def close(self) -> None:
        """Give the device back."""


class Thermometer(Protocol):
    """A contactless temperature."""

    def read(self) -> Reading:
        """Return a reading; raise ThermometerError when the sensor cannot be believed or reached."""

    def close(self) -> None:
        """Give the bus back."""


class Lamp(Protocol):
    """The light a person sees."""

    def show(self, colour: Colour) -> None:
        """Hold this colour until told another."""


class Buzzer(Protocol):
    """The sound a person hears."""

    def play(self, tune: Tune) -> None:
        """Sound one of the tunes, without waiting for its end."""


class Turnstile(Protocol):
    """The relay that lets one person through, and the input that says someone went."""

    def release(self) -> None:
        """Pulse the relay once, without waiting for its end; raise PartError when it does not move."""


@dataclass(frozen=True, kw_only=True)
class Pressed:
    """The staff button went down, once per press however it bounces."""

    at: float


@dataclass(frozen=True, kw_only=True)
class Released:
    """The staff button is up again, since that time."""

    at: float


@dataclass(frozen=True, kw_only=True)
class BeamChanged:
    """A light beam across the way was broken or is whole again."""

    beam: Literal["outer", "inner"]
    broken: bool
    at: float


@dataclass(frozen=True, kw_only=True)
class TurnstilePassed:
    """The turnstile says one person went through."""

    at: float


@dataclass(frozen=True, kw_only=True)
class PresenceChanged:
    """Someone is, or no longer is, at the guard's place."""

    present: bool
    at: float


@dataclass(frozen=True, kw_only=True)
class FireChanged:
    """The fire contact opened, and the relay is held on; or it is closed again, and the relay has let go."""

    fire: bool
    at: float


@dataclass(frozen=True, kw_only=True)
class TamperChanged:
    """The contact of the enclosure opened, or is closed again."""

    open: bool
    at: float


@dataclass(frozen=True, kw_only=True)
class DoorChanged:
    """The contact of the door opened or closed; the first one says how it was at the start."""

    open: bool
    at: float


@dataclass(frozen=True, kw_only=True)
class GuardianChanged:
    """The process that holds the relay died or hung, so that nothing releases; or another has taken its place."""

    lost: bool
    detail: str = ""


PartSaid = (
    Pressed | Released | BeamChanged | TurnstilePassed | DoorChanged | PresenceChanged | FireChanged | TamperChanged
    | GuardianChanged
)  # fmt: skip
Tell = Callable[[PartSaid], None]  # called from the pins' own threads: it only puts into an inbox


@dataclass(frozen=True, kw_only=True)
class Board:
    """The parts of one entrance. Inputs speak through the `Tell` they were made with; outputs are asked here."""

    lamp: Lamp
    buzzer: Buzzer
    turnstile: Turnstile
    close: Callable[[], None]
