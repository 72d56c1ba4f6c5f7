"""Draws people who stand in the lobby, as a wide camera 1.6 m above the ground sees them, tilted down by 20 degrees."""

from __future__ import annotations

import math
from collections.abc import Iterable
from typing import Final, NamedTuple

import cv2
import numpy as np

from hardware.parts import Grey

HEIGHT_M: Final = 1.6
TILT: Final = math.radians(20)
FOCAL: Final = 0.405  # of the picture's width: 102 degrees across, a Camera Module 3 Wide
# Metres from the middle and above the ground, of someone 1.7 m tall: half of an outline.
BODY: Final = (
    (0.06, 1.45), (0.20, 1.40), (0.24, 1.25), (0.25, 0.85), (0.19, 0.80), (0.18, 0.75), (0.15, 0.05), (0.02, 0.03),
    (0.01, 0.75),
)  # fmt: skip
HEAD: Final = (0.085, 0.125, 1.575)  # half its width, half its height, and where its middle is
TALL_M: Final = 1.7
ASIDE_M: Final = (-0.7, 0.6, -0.15, -1.7, 1.7, 1.05, -2.6, 0.3, 2.9, -3.2)  # of those who wait, one after another


class Person(NamedTuple):
    """Someone who stands there."""

    away_m: float  # from the camera, over the ground
    aside_m: float = 0.0  # to the right
    tall_m: float = 1.7
    coat: int = 60  # grey levels
    skin: int = 190


AT_THE_READER: Final = Person(0.6)
TOO_NEAR: Final = Person(1.25, aside_m=0.75, coat=200)  # 0.65 m behind, and aside
LINE_M: Final = 1.6  # from the camera: one metre behind who is at the reader


def stand(picture: Grey, people: Iterable[Person]) -> Grey:
    """Return the picture with these people in it, the nearer before the farther."""
    picture = picture.copy()
    for person in sorted(people, reverse=True):
        outline = [*BODY, *((-across, up) for across, up in reversed(BODY))]
        cv2.fillPoly(picture, [_seen(picture, person, outline)], person.coat)
        across, up, middle = HEAD
        turns = np.linspace(0, 2 * math.pi, 24)
        head = [(across * math.cos(turn), middle + up * math.sin(turn)) for turn in turns]
        cv2.fillPoly(picture, [_seen(picture, person, head)], person.skin)
    return picture


def row_of(away_m: float, height: int, width: int) -> float:
    """Return the row on which the ground lies so far away."""
    return _project(0.0, 0.0, away_m, width, height)[1]


def queue(count: int) -> list[Person]:
    """Return people who wait, the first two metres away, spread as those are who want to see how it goes on."""
    return [
        Person(
            2.0 + 0.5 * number,
            aside_m=ASIDE_M[number % len(ASIDE_M)],
            tall_m=1.62 + 0.05 * (number * 3 % 5),
            coat=(60, 200, 35, 225)[number % 4],
        )
        for number in range(count)
    ]


def _seen(picture: Grey, person: Person, points: Iterable[tuple[float, float]]) -> Grey:
    height, width = picture.shape
    scale = person.tall_m / TALL_M
    found = [_project(person.aside_m + across, up * scale, person.away_m, width, height) for across, up in points]
    return np.array(found).round().astype(np.int32)


def _project(aside: float, up: float, away: float, width: int, height: int) -> tuple[float, float]:
    down = HEIGHT_M - up
    depth = away * math.cos(TILT) + down * math.sin(TILT)
    below = down * math.cos(TILT) - away * math.sin(TILT)
    focal = FOCAL * width
    return width / 2 + focal * aside / depth, height / 2 + focal * below / depth
