"""How well people are counted in drawn pictures and in a public film, and what a look costs beside the decoder.

python bench/crowd.py             drawn pictures
python bench/crowd.py vtest.avi   and a film that OpenCV ships among its samples (Debian: opencv-doc)
"""

from __future__ import annotations

import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, NamedTuple

import click
import cv2
import numpy as np

from device.config import CrowdSection, DecoderSection
from device.decoder import Decoder
from device.waiting import Place, Waiting, counted
from hardware.camera.drawing import Grain, draw
from hardware.camera.film import Camera, FilmOver
from hardware.camera.people import LINE_M, Person, row_of, stand
from hardware.parts import Frame, Grey
from hardware.scene import Scene

WIDTH, HEIGHT = 1280, 720
MOST: Final = 8  # people
OF_EACH: Final = 40  # drawn pictures with so many
FPS: Final = 30
SECONDS: Final = 40  # of a busy lobby before the decoder
THRESHOLD: Final = CrowdSection().threshold

# Frames of the film, and how many people one sees in them who looks closely; also those far away, and in part hidden.
FILM: Final = {
    50: 6, 100: 7, 150: 8, 200: 7, 250: 7, 300: 6, 350: 5, 400: 3, 450: 3, 500: 4, 550: 5, 600: 6, 650: 6, 700: 8,
    750: 8,
}  # fmt: skip
FILM_STEP: Final = 10  # frames from one look to the next: a second

Detect = Callable[[Grey], int]


class Pair(NamedTuple):
    """How many there were, and how many were counted."""

    real: int
    found: int


def row(name: str, pairs: list[Pair], ms: list[float]) -> str:
    """Return one line of the table: mean absolute error, bias, and the decision at the threshold."""
    error = statistics.fmean(abs(found - real) for real, found in pairs)
    bias = statistics.fmean(found - real for real, found in pairs)
    said = [real >= THRESHOLD for real, found in pairs if found >= THRESHOLD]
    crowds = [found >= THRESHOLD for real, found in pairs if real >= THRESHOLD]
    precision = f"{sum(said)} of {len(said)}"
    recall = f"{sum(crowds)} of {len(crowds)}"
    return (
        f"  {name:44} {len(pairs):4} {error:6.2f} {bias:+6.2f}   {precision:>10} {recall:>12}"
        f" {statistics.median(ms):8.2f} {sorted(ms)[int(0.95 * (len(ms) - 1))]:8.2f}"
    )


def someone(dice: random.Random, nearest: float, farthest: float) -> Person:
    """Return anybody."""
    return Person(
        dice.uniform(nearest, farthest),
        aside_m=dice.uniform(-1.6, 1.6),
        tall_m=dice.uniform(1.5, 1.9),
        coat=dice.choice((30, 60, 90, 160, 200, 230)),
        skin=dice.choice((90, 150, 200)),
    )


def line_up(dice: random.Random, count: int) -> list[Person]:
    """Return a queue, one behind another and a little aside, as the picture likes it least."""
    return [
        someone(dice, 0, 1)._replace(away_m=2 + 0.8 * number, aside_m=dice.uniform(-0.4, 0.4))
        for number in range(count)
    ]


def drawn(served: bool, queue: bool) -> Iterator[tuple[int, Grey]]:  # noqa: FBT001
    """Draw people who stand anywhere or in line, with somebody at the reader or not."""
    dice = random.Random(20260102)
    lobby, grain = draw(Scene(), WIDTH, HEIGHT), Grain(WIDTH, HEIGHT, Scene().noise)
    for count in range(MOST + 1):
        for _ in range(OF_EACH):
            people = line_up(dice, count) if queue else [someone(dice, 1.8, 6.5) for _ in range(count)]
            reader = [Person(0.6, aside_m=dice.uniform(-0.2, 0.2))] if served else []
            yield count, grain.over(stand(lobby, [*people, *reader]))


def learned() -> Place:
    """Return a place that knows the empty lobby."""
    place, lobby, grain = Place(), draw(Scene(), WIDTH, HEIGHT), Grain(WIDTH, HEIGHT, Scene().noise)
    for _ in range(8):
        place.people(grain.over(lobby))
    return place


def outlines(pictures: Iterator[tuple[int, Grey]]) -> tuple[list[Pair], list[float]]:
    """Count in pictures between which the lobby is empty."""
    place, pairs, ms = learned(), [], []
    empty, grain = draw(Scene(), WIDTH, HEIGHT), Grain(WIDTH, HEIGHT, Scene().noise)
    for real, grey in pictures:
        begun = time.perf_counter()
        found = counted(place.people(grey) or [], 0, 0).waiting
        ms.append((time.perf_counter() - begun) * 1000)
        pairs.append(Pair(real, found))
        place.people(grain.over(empty))
    return pairs, ms


def near() -> list[Pair]:
    """Say of one behind another whether he stands before the line or beyond it; both are 0.3 m off at least."""
    dice, place = random.Random(7), learned()
    line = row_of(LINE_M, HEIGHT, WIDTH) / HEIGHT
    empty, grain = draw(Scene(), WIDTH, HEIGHT), Grain(WIDTH, HEIGHT, Scene().noise)
    pairs = []
    for number in range(4 * OF_EACH):
        closer = bool(number % 2)
        behind = someone(dice, *((1.2, LINE_M - 0.3) if closer else (LINE_M + 0.3, 3)))
        people = [Person(0.6), behind._replace(aside_m=dice.choice((-1, 1)) * dice.uniform(0.3, 1))]
        found = counted(place.people(grain.over(stand(empty, people))) or [], line, 0).near
        pairs.append(Pair(int(closer), found))
        place.people(grain.over(empty))
    return pairs


def film(path: Path, detect: Detect | None = None) -> tuple[list[Pair], list[float]]:
    """Look at a film once a second, from its first picture on, which has people in it already."""
    camera, place, pairs, ms, number = Camera(source=str(path)), Place(), [], [], 0
    try:
        while True:
            grey = camera.read(0).grey
            if number % FILM_STEP == 0:
                begun = time.perf_counter()
                found = detect(grey) if detect else len(place.people(grey) or [])
                ms.append((time.perf_counter() - begun) * 1000)
                if number in FILM:
                    pairs.append(Pair(FILM[number], found))
            number += 1
    except FilmOver:
        return pairs, ms
    finally:
        camera.close()


def hog() -> Detect | None:
    """Return OpenCV's detector of people; None where it has none, as 5.0 without its contributed modules."""
    module = cv2 if hasattr(cv2, "HOGDescriptor") else getattr(cv2, "xobjdetect", None)
    if module is None or not hasattr(module, "HOGDescriptor"):
        return None
    made = module.HOGDescriptor()
    made.setSVMDetector(made.getDefaultPeopleDetector())

    def detect(grey: Grey) -> int:
        _, scores = made.detectMultiScale(grey, winStride=(8, 8), padding=(8, 8), scale=1.05)
        return int(np.count_nonzero(np.ravel(scores) > 0.4))  # noqa: PLR2004 a score of its own

    return detect


def beside() -> dict[str, list[float]]:
    """Let people walk before the decoder, with and without a count; return the milliseconds each frame took."""
    lobby, grain = draw(Scene(), WIDTH, HEIGHT), Grain(WIDTH, HEIGHT, Scene().noise)
    took: dict[str, list[float]] = {}
    for name, waiting in {"decoder alone": None, "with the count": Waiting(0.8)}.items():
        decoder, ms = Decoder(DecoderSection().budget_ms), []
        for number in range(SECONDS * FPS):
            walk = [Person(2 + each, aside_m=((number / FPS + 2 * each) % 8) - 4) for each in range(4)]
            frame = Frame(grain.over(stand(lobby, walk)), number, number / FPS)
            begun = time.perf_counter()
            decoder.read(frame)
            if waiting:
                waiting.look(frame, 1 / FPS - (time.perf_counter() - begun))
            ms.append((time.perf_counter() - begun) * 1000)
        took[name] = ms
    return took


@click.command()
@click.argument("path", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
def main(*, path: Path | None) -> None:
    """Measure all of it in one run."""
    cv2.setNumThreads(1)
    click.echo(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, ", nl=False)
    click.echo(f"OpenCV {cv2.__version__}, threshold {THRESHOLD}")
    click.echo(f"\n{'':46} {'n':>4} {'error':>6} {'bias':>6}   {'precision':>10} {'recall':>12} {'ms':>8} {'p95':>8}")
    for name, served, queue in (
        ("drawn, anywhere, nobody at the reader", False, False),
        ("drawn, anywhere, one at the reader", True, False),
        ("drawn, in line, nobody at the reader", False, True),
        ("drawn, in line, one at the reader", True, True),
    ):
        click.echo(row(name, *outlines(drawn(served, queue))))
    if path:
        click.echo(row(f"{path.name}, outlines", *film(path)))
        if detect := hog():
            click.echo(row(f"{path.name}, HOG", *film(path, detect)))
        else:
            click.echo("  this OpenCV has no HOG detector")
    pairs = near()
    wrong = sum(real != bool(found) for real, found in pairs)
    click.echo(f"\nbefore the line or beyond it: {len(pairs) - wrong} of {len(pairs)} right; ", nl=False)
    missed, false = (sum(real == side and bool(found) != side for real, found in pairs) for side in (1, 0))
    click.echo(f"{missed} missed, {false} warned of for nothing")
    click.echo("\nmilliseconds a frame while people walk about")
    for name, ms in beside().items():
        ordered = sorted(ms)
        click.echo(f"  {name:20} mean {statistics.fmean(ms):7.2f}  median {statistics.median(ms):7.2f}", nl=False)
        click.echo(f"  p95 {ordered[int(0.95 * len(ms))]:7.2f}  sum {sum(ms):9.0f}")


if __name__ == "__main__":
    main()
