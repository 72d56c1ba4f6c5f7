"""The world around an emulated board: people who show codes, press buttons and walk through. One line, one act.

    show TEXT [-- NAME=VALUE ...]   hold up a code; TEXT is all up to the last ` -- `, and then come fields of Scene
                                    such as size=200 angle=30 blur=1.5 noise=8 light=0.4 invert=true symbology=Aztec
    picture PATH                    let the camera see a picture file instead; it may be replaced meanwhile, as a film
    hide                            take either away
    press                           press the staff button
    bounce                          press a worn button, which chatters six times on its way down and up
    hold SECONDS                    keep it pressed, a minute at most
    walk in|out                     go through both beams
    tailgate                        two go in, the second close behind the first
    loiter                          break the outer beam and step back
    passed                          let the turnstile say that someone went
    door open|closed                open the door, or shut it
    poster TEXT|none                hang up the entrance's printed code, fresh; or take it down
    poster faded|covered            let it fade until it cannot be read, or hold a hand before it
    waiting COUNT                   let so many people stand in line, ten at most
    near yes|no                     let one stand close behind another who is at the reader
    heat CELSIUS                    bring a forehead of that temperature before the thermometer
    nobody                          take it away
    present yes|no                  be at the guard's place, or leave it
    fire yes|no                     let the fire panel open its contact, or close it
    tamper yes|no                   open the enclosure, or shut it
    camera ok|missing|black|frozen
    thermometer ok|unplugged|frozen|bad_pec
    clock OFFSET|right              let somebody set the machine's clock wrong by so much, such as +40d, -3h, +90s, and
                                    NTP be out of reach; or let NTP set it right again

A blank line does nothing. An act that takes time, a walk for instance, is over when `do` returns.
"""

from __future__ import annotations

import difflib
import re
import threading
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final, get_args

import msgspec

from hardware.contact import SETTLE_S
from hardware.scene import CameraState, Scene, SceneError, ThermometerState, load, save

INPUTS: Final = ("staff_button", "beam_outer", "beam_inner", "turnstile_passed", "door", "presence", "fire", "tamper")
PRESS_S: Final = 2 * SETTLE_S  # how long a finger stays down, and then off
BOUNCES: Final = 6
STEP_S: Final = 0.15  # from one edge of a beam to the next for someone who walks
HOLD_MAX_S: Final = 60.0
ANSWERS: Final = ("yes", "no")
DOORS: Final = ("open", "closed")
FADED: Final = 0.99  # of its ink is gone
UNITS: Final = {"s": 1, "m": 60, "h": 3600, "d": 86400}
# Of Scene: what a code that is held up does not change.
APART: Final = (
    *("camera", "thermometer", "forehead_c", "ambient_c", "clock_s", "ntp"),
    *("poster", "poster_fade", "poster_covered", "waiting", "near"),
)


class StageError(ValueError):
    """A line that cannot be acted; the text says what can."""


class Stage:
    """Moves the mock pins of one board and writes its scene. Pins are BCM numbers, 0: not wired.

    `do` may be called from any thread. Acts on the pins follow one another; the scene changes at once.
    """

    def __init__(
        self,
        factory: Any,
        scene: Path,
        *,
        staff_button: int = 0,
        beam_outer: int = 0,
        beam_inner: int = 0,
        turnstile_passed: int = 0,
        door: int = 0,
        presence: int = 0,
        fire: int = 0,
        tamper: int = 0,
        step_s: float = STEP_S,
    ) -> None:
        self._factory = factory
        self._path = scene
        inputs = (staff_button, beam_outer, beam_inner, turnstile_passed, door, presence, fire, tamper)
        self._pins = dict(zip(INPUTS, inputs, strict=True))
        self._step_s = step_s
        self._body = threading.Lock()
        self._view = threading.Lock()
        self._acts: dict[str, Callable[[str], None]] = {
            "show": self._show,
            "hide": self._plain(lambda: self._change(code="", data="", picture="")),
            "press": self._plain(lambda: self._close("staff_button")),
            "bounce": self._plain(lambda: self._close("staff_button", bounces=BOUNCES)),
            "hold": self._hold,
            "walk": self._walk,
            "tailgate": self._plain(lambda: self._beams("outer inner -outer outer -inner inner -outer -inner")),
            "loiter": self._plain(lambda: self._beams("outer -outer")),
            "passed": self._plain(lambda: self._close("turnstile_passed")),
            "poster": self._poster,
            "waiting": lambda said: self._change(waiting=said),
            "near": lambda said: self._change(near=_one_of(said, "near", ANSWERS) == "yes"),
            "heat": lambda said: self._change(forehead_c=said),
            "nobody": self._plain(lambda: self._change(forehead_c=None)),
            "door": lambda said: self._switch("door", high=_one_of(said, "door", DOORS) == "open"),
            "present": lambda said: self._switch("presence", high=_one_of(said, "present", ANSWERS) == "yes"),
            "fire": lambda said: self._switch("fire", high=_one_of(said, "fire", ANSWERS) == "yes"),
            "tamper": lambda said: self._switch("tamper", high=_one_of(said, "tamper", ANSWERS) == "yes"),
            "camera": lambda said: self._change(camera=_one_of(said, "camera", get_args(CameraState))),
            "thermometer": lambda said: self._change(
                thermometer=_one_of(said, "thermometer", get_args(ThermometerState))
            ),
            "picture": self._picture,
            "clock": self._clock,
        }

    @classmethod
    def around(cls, factory: Any, pins: object, scene: Path) -> Stage:
        """Stand around the board whose inputs `pins` names as in INPUTS, such as a gate's [pins]."""
        return cls(factory, scene, **{name: getattr(pins, name) for name in INPUTS})

    def do(self, line: str) -> None:
        """Act one line; raise StageError when it is none of the acts above, or cannot be acted here."""
        word, _, said = line.strip().partition(" ")
        if not word:
            return
        if word not in self._acts:
            near = difflib.get_close_matches(word, self._acts, n=1)
            hint = f"did you mean {near[0]}? " if near else ""
            raise StageError(f"{word!r} is no act here; {hint}There are {', '.join(self._acts)}")
        self._acts[word](said.strip())

    def _show(self, said: str) -> None:
        text, dashes, rest = f" {said} ".rpartition(" -- ")
        options = dict(_option(word) for word in rest.split()) if dashes else {}
        code = (text if dashes else rest).strip()
        if not code and "data" not in options:
            raise StageError("show what? as in: show HELLO WORLD -- size=200 angle=15")
        self._change(anew=True, code=code, **options)

    def _change(self, *, anew: bool = False, **fields: Any) -> None:
        """Rewrite these fields of the scene; `anew` draws everything else of the code as Scene has it by itself."""
        try:
            with self._view:
                scene = msgspec.structs.asdict(load(self._path))
                kept = {name: scene[name] for name in APART} if anew else scene
                save(self._path, msgspec.convert(kept | fields, Scene, strict=False))
        except (SceneError, msgspec.ValidationError) as error:
            raise StageError(f"the scene cannot be so: {error}") from error

    def _poster(self, said: str) -> None:
        match said:
            case "":
                raise StageError("poster of what text? Or poster none, poster faded, poster covered")
            case "faded":
                self._change(poster_fade=FADED)
            case "covered":
                self._change(poster_covered=True)
            case _:
                self._change(poster="" if said == "none" else said, poster_fade=0, poster_covered=False)

    def _picture(self, said: str) -> None:
        if not Path(said).is_file():
            raise StageError(f"picture: {said!r} is no file")
        self._change(anew=True, picture=str(Path(said).absolute()))

    def _clock(self, said: str) -> None:
        if said == "right":
            self._change(clock_s=0, ntp="yes")
            return
        found = re.fullmatch(r"([+-]\d{1,6}(?:\.\d+)?)([smhd])", said)
        if not found:
            raise StageError(f"clock {said!r}: write how wrong it is, such as clock +40d or clock -90s, or clock right")
        self._change(clock_s=float(found[1]) * UNITS[found[2]], ntp="no")

    def _hold(self, said: str) -> None:
        try:
            seconds = float(said)
        except ValueError as error:
            raise StageError(f"hold for how many seconds? {said!r} is no number") from error
        if not 0 < seconds <= HOLD_MAX_S:
            raise StageError(f"hold for more than 0 and at most {HOLD_MAX_S:g} seconds")
        self._close("staff_button", seconds)

    def _walk(self, said: str) -> None:
        ways = {"in": "outer inner -outer -inner", "out": "inner outer -inner -outer"}
        self._beams(ways[_one_of(said, "walk", ways)])

    def _switch(self, name: str, *, high: bool) -> None:
        """Drive an input that stays as it is: someone is there, or a normally-closed contact opens, by a high level."""
        self._wired(name)
        with self._body:
            self._drive(name, high=high)

    def _beams(self, edges: str) -> None:
        """Break beams, and with a minus mend them, one step apart. Broken is high, as in hardware/beam.py."""
        self._wired("beam_outer", "beam_inner")
        with self._body:
            for edge in edges.split():
                self._drive(f"beam_{edge.removeprefix('-')}", high=not edge.startswith("-"))
                time.sleep(self._step_s)

    def _close(self, contact: str, seconds: float = PRESS_S, *, bounces: int = 0) -> None:
        """Close a contact to ground for so long, as in hardware/contact.py, and leave it time to settle."""
        self._wired(contact)
        with self._body:
            self._chatter(contact, bounces)
            self._drive(contact, high=False)
            time.sleep(seconds)
            self._drive(contact, high=True)
            self._chatter(contact, bounces)
            time.sleep(PRESS_S)

    def _chatter(self, contact: str, times: int) -> None:
        for _ in range(times):
            self._drive(contact, high=False)
            self._drive(contact, high=True)

    def _wired(self, *inputs: str) -> None:
        missing = [name for name in inputs if not self._pins[name]]
        if missing:
            raise StageError(f"not wired: {', '.join(missing)}; give it a pin in [pins]")

    def _drive(self, name: str, *, high: bool) -> None:
        pin = self._factory.pin(self._pins[name])
        (pin.drive_high if high else pin.drive_low)()

    @staticmethod
    def _plain(act: Callable[[], None]) -> Callable[[str], None]:
        def alone(said: str) -> None:
            if said:
                raise StageError(f"{said!r} is too much: this act stands alone")
            act()

        return alone


def _option(word: str) -> tuple[str, str]:
    name, equals, value = word.partition("=")
    names = [field for field in Scene.__struct_fields__ if field not in (*APART, "code", "picture")]
    if not equals or name not in names:
        near = difflib.get_close_matches(name, names, n=1)
        hint = f"did you mean {near[0]}? " if near else ""
        raise StageError(f"{word!r} is no option of show; {hint}Write NAME=VALUE with {', '.join(names)}")
    return name, value


def _one_of(said: str, act: str, allowed: Any) -> str:
    if said not in allowed:
        raise StageError(f"{act} {' or '.join(allowed)}? {said!r} is neither")
    return said
