"""A scenario: acts and what should come of them, a line each, in a text file that is played against a real gate.

    show @good                      an act, as in controller/world.py and hardware/stage.py
    wait 2                          seconds
    expect lamp green               red, amber, white, blue, off
    expect relay on within 1        a pin by its name in [pins], on or off; so many seconds, 10 unless said
    expect screen refuse            what people see: ready, grant, refer, refuse, free, identify, greeting,
                                    closed, off
    expect event scan refuse invalid_time
    expect alert abnormal_code      raised; with `over` behind it: resolved, or not there
    expect status offline           what the broker says of the gate
    expect no event duty within 1   nothing like it in all that time

Behind a # stands what people may want to know. What is expected may have happened at any time since the last act.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from typing import Any, Final, NamedTuple

from controller.world import ActError, Happened, World

WITHIN_S: Final = 10.0
WAIT_MAX_S: Final = 600.0
LAMPS: Final = ("off", "green", "amber", "red", "white", "blue")
SWITCH: Final = ("on", "off")
KINDS: Final = ("lamp", "screen", "event", "alert", "status")


class ScenarioError(ValueError):
    """A line that cannot be read, or something that should have happened and did not. The text names the line."""


class Expected(NamedTuple):
    """What should happen, or with `no` should not."""

    what: str
    name: str
    words: tuple[str, ...]
    within_s: float
    no: bool


class Line(NamedTuple):
    """One line to play: an act, a wait of so many seconds, or something expected."""

    number: int
    text: str
    wait_s: float = 0.0
    expected: Expected | None = None


def read(text: str, name: str) -> list[Line]:
    """Read a scenario; raise ScenarioError naming the line that makes no sense."""
    return list(_lines(text, name))


def _lines(text: str, name: str) -> Iterator[Line]:
    for number, raw in enumerate(text.splitlines(), 1):
        said = raw.partition(" #")[0].strip() if not raw.lstrip().startswith("#") else ""
        if not said:
            continue
        word, *rest = said.split()
        try:
            if word == "wait":
                yield Line(number, said, wait_s=_seconds(" ".join(rest), WAIT_MAX_S))
            elif word == "expect":
                yield Line(number, said, expected=_expected(rest))
            else:
                yield Line(number, said)
        except ValueError as error:
            raise ScenarioError(f"{name}:{number}: {said}: {error}") from error


def _seconds(said: str, most: float) -> float:
    try:
        seconds = float(said)
    except ValueError as error:
        raise ValueError(f"{said!r} is no number of seconds") from error
    if not 0 < seconds <= most:
        raise ValueError(f"{said} seconds: more than 0 and at most {most:g}")
    return seconds


def _expected(words: list[str]) -> Expected:
    within_s = WITHIN_S
    if len(words) > 2 and words[-2] == "within":  # noqa: PLR2004
        within_s = _seconds(words[-1], WAIT_MAX_S)
        words = words[:-2]
    no = words[:1] == ["no"]
    words = words[1:] if no else words
    if len(words) < 2:  # noqa: PLR2004
        raise ValueError(f"expect what? Such as expect lamp green, or expect {' ..., expect '.join(KINDS)} ...")
    what, name, *more = words
    if what == "lamp" and name not in LAMPS:
        raise ValueError(f"a lamp is {', '.join(LAMPS)}")
    if what == "alert" and more not in ([], ["over"]):
        raise ValueError(f"an alert is there, or over; {' '.join(more)!r} is neither")
    if what not in KINDS and name not in SWITCH:
        raise ValueError(f"a pin is on or off; else there are {', '.join(KINDS)}")
    return Expected(what, name, tuple(more), within_s, no)


def play(world: World, lines: list[Line], name: str, say: Callable[[str], None]) -> None:
    """Play it; raise ScenarioError at the first line that does not come true."""
    began = 0
    for line in lines:
        say(line.text)
        if line.expected:
            _expect(world, line, line.expected, began, name)
        elif line.wait_s:
            time.sleep(line.wait_s)
        else:
            try:
                began = world.act(line.text)
            except ActError as error:
                raise ScenarioError(f"{name}:{line.number}: {line.text}: {error}") from error


def _expect(world: World, line: Line, expected: Expected, began: int, name: str) -> None:
    deadline = time.monotonic() + expected.within_s
    with world.changed:
        while not (found := _is(world, expected) or _was(world.since(began), expected)):
            left = deadline - time.monotonic()
            if left <= 0 or not world.changed.wait(left):
                break
    if found == expected.no:
        told = "happened" if expected.no else f"did not happen within {expected.within_s:g} s"
        raise ScenarioError(f"{name}:{line.number}: {line.text}: {told}; {_instead(world, expected, began)}")


def _is(world: World, expected: Expected) -> bool:
    """Tell whether it is so now."""
    what, name, words, _, _ = expected
    match what:
        case "lamp":
            return world.lamp == name
        case "screen":
            return world.screen == " ".join((name, *words))
        case "alert":
            return (name in world.alerts) != (words == ("over",))
        case "event" | "status":
            return False
        case _:
            return world.pins.get(what, False) == (name == "on")


def _was(past: list[Happened], expected: Expected) -> bool:
    return any(_matches(each, expected) for each in past)


def _matches(each: Happened, expected: Expected) -> bool:
    what, name, words, _, _ = expected
    if what == "event":
        return each.what == "event" and each.name == name and set(words) <= set(_values(each.detail))
    if what == "alert":
        return each.what == "alert" and each.name == name and each.detail["over"] == (words == ("over",))
    if what in KINDS:
        return each.what == what and " ".join((each.name, each.detail.get("hint", ""))).strip() == " ".join(
            (name, *words)
        )
    return each.what == "pin" and each.name == what and each.detail["on"] == (name == "on")


def _values(payload: dict[str, Any]) -> Iterator[str]:
    for value in payload.values():
        yield from map(str, value) if isinstance(value, list) else (str(value),)


def _instead(world: World, expected: Expected, began: int) -> str:
    """Say what happened instead, in a few words."""
    what = expected.what if expected.what in KINDS else "pin"
    happened = [
        f"{each.name} {each.detail.get('event_type', '')} {' '.join(each.detail.get('reasons', ()))}".strip()
        for each in world.since(began)
        if each.what == what
    ]
    now = {"lamp": world.lamp, "screen": world.screen, "alert": ", ".join(world.alerts) or "none open"}.get(what, "")
    return f"since the last act: {', '.join(happened) or 'nothing of the kind'}" + (f"; now: {now}" if now else "")
