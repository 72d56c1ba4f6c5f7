"""Read me first: the rooms of the house, and who may import whom.

hardware    the parts                  imports nothing of ours but itself
device      one entrance               may use hardware
controller  all entrances              may use device's words: wire, codes, settings

What a room may not import it cannot come to depend on: a gate runs without the controller being installed, a part
knows no gate, and what decides is a function of what it is told.
"""

from __future__ import annotations

import ast
from collections.abc import Callable, Iterator
from fnmatch import fnmatch
from pathlib import Path
from typing import Final, NamedTuple

import pytest

ROOT: Final = Path(__file__).resolve().parents[1]
Rule = Callable[[str, str], Iterator[str]]  # path, source -> what is wrong

OURS: Final = ("hardware", "device", "controller", "tests", "menshen")

MAY_IMPORT: Final = {
    "hardware": ("hardware",),
    "device": ("device", "hardware"),
    "controller": ("controller", "device.wire", "device.codes", "device.settings"),
}

# They decide, so they are told the time and everything else: no clock, socket, pin, thread or file of their own.
PURE: Final = (
    "device/attention.py",
    "device/guidance.py",
    "device/verdict.py",
    "device/timekeeper.py",
    "device/passage.py",
    "device/crossing.py",
    "device/doorway.py",
    "device/passback.py",
    "device/byhand.py",
    "device/measuring.py",
    "device/roster.py",
    "device/wire/hours.py",
    "device/duty.py",
    "device/commands.py",
    "device/crowd.py",
    "device/poster.py",
    "device/forehead.py",
    "device/codes/*.py",
    "controller/facts.py",
    "controller/rules/*.py",
)
KEEPS_A_FILE: Final = "device/codes/trust.py"  # the site's secret, read and made here
IMPURE: Final = ("asyncio", "gpiozero", "os", "paho", "socket", "sqlite3", "subprocess", "threading", "time")

# Whatever touches a device or a picture does it in one known place.
READERS: Final = (
    "device/attention.py",
    "device/decoder.py",
    "device/guidance.py",
    "device/looks.py",
    "device/retina.py",
    "device/scan.py",
    "device/waiting.py",
)
ONLY_IN: Final = {
    "picamera2": ("hardware/*",),
    "smbus2": ("hardware/*",),
    "lgpio": ("hardware/*",),
    "gpiozero": ("hardware/*",),
    "cv2": ("hardware/*", *READERS),
    "zxingcpp": ("hardware/*", *READERS),  # it draws the codes of emulated cameras, too
    "pyzbar": READERS,
}

LONGEST: Final = 400  # lines; a file that grows past it holds two things


class Import(NamedTuple):
    """One name a file imports: `from device import config` is device.config."""

    line: int
    name: str

    def within(self, *modules: str) -> bool:
        return any(f"{self.name}.".startswith(f"{module}.") for module in modules)


def imports(source: str) -> Iterator[Import]:
    """Find every import, wherever in the file it stands."""
    for node in ast.walk(ast.parse(source)):
        if isinstance(node, ast.Import):
            yield from (Import(node.lineno, alias.name) for alias in node.names)
        elif isinstance(node, ast.ImportFrom):
            origin = "." * node.level + (node.module or "")
            yield from (Import(node.lineno, f"{origin}.{alias.name}") for alias in node.names)


def python_files(*folders: str) -> dict[str, str]:
    """Return path and text of every Python file in these folders of the root."""
    found = {
        path.relative_to(ROOT).as_posix(): path.read_text(encoding="utf-8")
        for folder in folders
        for path in sorted((ROOT / folder).rglob("*.py"))
    }
    assert found, f"no Python file in {', '.join(folders)}"
    return found


def wrong_rooms(path: str, source: str) -> Iterator[str]:
    room = path.partition("/")[0]
    for found in imports(source):
        if found.within("") or (found.within(*OURS) and not found.within(*MAY_IMPORT[room])):
            yield f"{path}:{found.line}: imports {found.name}, but {room} may import {', '.join(MAY_IMPORT[room])} only"


def wrong_drivers(path: str, source: str) -> Iterator[str]:
    for found in imports(source):
        places = ONLY_IN.get(found.name.partition(".")[0])
        if places and not any(fnmatch(path, place) for place in places):
            yield f"{path}:{found.line}: imports {found.name}, which belongs in {', '.join(places)}"


def impure(path: str, source: str) -> Iterator[str]:
    if path != KEEPS_A_FILE and any(fnmatch(path, pattern) for pattern in PURE):
        for found in imports(source):
            if found.within(*IMPURE):
                yield f"{path}:{found.line}: imports {found.name}, but what decides is told everything it needs"


def mocks(path: str, source: str) -> Iterator[str]:
    for found in imports(source):
        if found.within("unittest.mock", "mock"):
            yield f"{path}:{found.line}: imports {found.name}, but tests use real parts or emulated ones that ship"


def untitled(path: str, source: str) -> Iterator[str]:
    title = (ast.get_docstring(ast.parse(source), clean=False) or "").partition("\n")[0]
    if not title.strip() or not source.startswith('"""'):
        yield f"{path}:1: the first line must say what is in the room"


def too_long(path: str, source: str) -> Iterator[str]:
    lines = source.count("\n")
    if lines > LONGEST:
        yield f"{path}:{lines}: over {LONGEST} lines: it holds two things; find the second noun"


ROOMS: Final = python_files(*MAY_IMPORT)
EVERYTHING: Final = ROOMS | python_files("tests") | {"menshen.py": (ROOT / "menshen.py").read_text(encoding="utf-8")}


@pytest.mark.parametrize("rule", [wrong_rooms, wrong_drivers, impure, untitled])
def test_every_file_in_a_room_keeps(rule: Rule) -> None:
    wrong = [complaint for path, source in ROOMS.items() for complaint in rule(path, source)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("rule", [mocks, too_long])
def test_every_file_keeps(rule: Rule) -> None:
    wrong = [complaint for path, source in EVERYTHING.items() for complaint in rule(path, source)]
    assert not wrong, "\n".join(wrong)


@pytest.mark.parametrize("pattern", [*PURE, KEEPS_A_FILE])
def test_what_must_be_pure_exists(pattern: str) -> None:
    assert any(fnmatch(path, pattern) for path in ROOMS), f"{pattern} names no file: was it renamed?"


@pytest.mark.parametrize(
    ("rule", "path", "source"),
    [
        (wrong_rooms, "hardware/lamp.py", "import device.duty"),
        (wrong_rooms, "device/eye.py", "def late() -> None:\n    from controller import desk"),
        (wrong_rooms, "device/eye.py", "from . import sight"),
        (wrong_rooms, "controller/desk.py", "from device import config"),
        (wrong_rooms, "controller/desk.py", "from device.settings_of_old import load"),
        (wrong_drivers, "device/eye.py", "import cv2"),
        (wrong_drivers, "controller/desk.py", "from gpiozero import LED"),
        (impure, "device/verdict.py", "import time"),
        (impure, "device/codes/ms1.py", "from os import path"),
        (mocks, "tests/test_eye.py", "from unittest import mock"),
        (untitled, "device/eye.py", '"""\nThe camera\'s own process."""'),
        (untitled, "device/eye.py", "import queue"),
        (too_long, "device/eye.py", "\n" * 401),
    ],
)
def test_a_broken_rule_is_noticed(rule: Rule, path: str, source: str) -> None:
    assert list(rule(path, source))


@pytest.mark.parametrize(
    ("path", "source"),
    [
        (
            "controller/desk.py",
            "from device import settings\nfrom device.wire import messages\nimport device.codes.ms1",
        ),
        ("device/eye.py", "from hardware import parts\nimport devices"),
        ("device/duty.py", "from datetime import time"),
        ("hardware/camera/usb.py", "import cv2"),
    ],
)
def test_what_is_allowed_is_let_be(path: str, source: str) -> None:
    assert not [complaint for rule in (wrong_rooms, wrong_drivers, impure, mocks) for complaint in rule(path, source)]
