"""People as two beams see them: bodies that move along the way, and the edges they make."""

from __future__ import annotations

import random
from collections.abc import Callable
from itertools import pairwise
from typing import Final, NamedTuple

from device.crossing import Beam

APART_M: Final = 0.20  # between the beams, the outer at 0
BODY_M: Final = (0.22, 0.45)  # chest to back at the hips, from a slim person to one with a bag
SPEED_M_S: Final = (0.4, 1.8)
PLACES: Final[dict[Beam, float]] = {"outer": 0.0, "inner": APART_M}
CHATTER_S: Final = 0.02

Edge = tuple[float, Beam, bool]


class Walk(NamedTuple):
    """Where a body's front is and when, with straight lines between."""

    points: tuple[tuple[float, float], ...]  # time, metres
    body: float

    @property
    def end(self) -> float:
        return self.points[-1][0]

    def covers(self) -> list[Edge]:
        """Return the edges of both beams; a beam is broken while its place lies within the body."""
        return sorted(edge for beam, place in PLACES.items() for edge in self._edges(beam, place))

    def _edges(self, beam: Beam, place: float) -> list[Edge]:
        found, broken = [], False
        for (t0, x0), (t1, x1) in pairwise(self.points):
            for at in sorted(self._times(t0, x0, t1, x1, place)):
                middle = x0 + (x1 - x0) * ((at + 1e-6) - t0) / (t1 - t0)
                inside = middle - self.body <= place <= middle
                if inside != broken:
                    broken = inside
                    found.append((at, beam, broken))
        return found

    def _times(self, t0: float, x0: float, t1: float, x1: float, place: float) -> list[float]:
        if x0 == x1:
            return []
        times = [t0 + (edge - x0) / (x1 - x0) * (t1 - t0) for edge in (place, place + self.body)]
        return [at for at in times if t0 <= at < t1]


def turned(walk: Walk) -> Walk:
    """Return the same walk the other way: the beams change their parts."""
    return Walk(tuple((at, APART_M + walk.body - x) for at, x in walk.points), walk.body)


def straight(chance: random.Random, start: float, *, body: float | None = None, speed: float | None = None) -> Walk:
    """Go through at a steady pace."""
    body, speed = body or chance.uniform(*BODY_M), speed or chance.uniform(*SPEED_M_S)
    way = 1.0 + APART_M + body + 0.5
    return Walk(((start, -1.0), (start + way / speed, way - 1.0)), body)


def hesitant(chance: random.Random, start: float) -> Walk:
    """Stop with the body in the beams, sway, and go on."""
    body, speed = chance.uniform(*BODY_M), chance.uniform(*SPEED_M_S)
    # Its back stays in the outer beam, or its front beyond the inner one: it never crosses one beam twice with both.
    stop = chance.uniform(0.05, body - 0.04)
    sway = chance.uniform(0, min(0.04, stop))
    points, at = [(start, -1.0)], start + (stop + 1.0) / speed
    points.append((at, stop))
    for _ in range(chance.randrange(3)):
        points += [(at + 0.6, stop - sway), (at + 1.2, stop)]
        at += 1.2
    at += chance.uniform(0.2, 4)
    way = APART_M + body + 0.5 - stop
    return Walk((*points, (at, stop), (at + way / speed, stop + way)), body)


def undecided(chance: random.Random, start: float) -> Walk:
    """Come into the beams, think again, and go back."""
    body, speed = chance.uniform(*BODY_M), chance.uniform(*SPEED_M_S)
    deep = chance.uniform(0.02, body - 0.02)  # the back never leaves the first beam
    at = start + (deep + 1.0) / speed
    later = at + chance.uniform(0.1, 3)
    return Walk(((start, -1.0), (at, deep), (later, deep), (later + (deep + 1.0) / speed, -1.0)), body)


def close(chance: random.Random, start: float) -> list[Walk]:
    """Two go through, the second right behind the first."""
    speed = chance.uniform(0.6, 1.6)
    first = straight(chance, start, speed=speed)
    gap = speed * chance.uniform(0.2, 0.6)  # metres, so that the beam sees light for that many seconds
    return [first, straight(chance, start + (first.body + gap) / speed, speed=speed)]


def edges(chance: random.Random, *walks: Walk) -> list[Edge]:
    """Return what the beams say, with the chatter of a worn sensor at every edge."""
    true = sorted(edge for walk in walks for edge in walk.covers())
    said = list(true)
    for at, beam, broken in true:
        soon = any(other == beam and 0 < later - at <= CHATTER_S for later, other, _ in true)
        for n in range(0 if soon else chance.choice((0, 0, 0, 1, 2, 3))):
            said += [
                (at + (2 * n + 1) * CHATTER_S / 8, beam, not broken),
                (at + (2 * n + 2) * CHATTER_S / 8, beam, broken),
            ]
    return sorted(said)


def come(how: str, chance: random.Random, start: float) -> list[Walk]:
    """Return those who come: one who goes straight, is hesitant or goes back, or two who are close."""
    if how == "close":
        return close(chance, start)
    return [{"straight": straight, "hesitant": hesitant, "back": undecided}[how](chance, start)]


Kind = Callable[[random.Random, float], Walk]
THROUGH: Final[tuple[Kind, ...]] = (straight, hesitant)
