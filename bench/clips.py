"""Draws clips of people who hold a phone before a gate's camera, well and badly. The same seed draws the same clips.

    python -m bench.clips FOLDER        # writes them as films, for `camera.driver = "film"` and for looking at

What is drawn is harder than most of what a lobby sees, and kinder in one respect: nothing else moves but the one who
holds the phone.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

import click
import cv2
import numpy as np
import segno
from numpy.typing import NDArray

from hardware.camera.drawing import Grain, draw_code, draw_lobby, draw_phone
from hardware.parts import Frame, Grey
from hardware.scene import Scene, Symbology

WIDTH, HEIGHT, FPS = 1280, 720, 30
FRAMES: Final = 48  # a second and a half: an empty lobby, the phone comes, is held, and leaves
EMPTY, COMING, LEAVING = 4, 8, 5
SEED: Final = 20261124
EACH: Final = 7  # clips of a kind

# characters -> longer side in modules, for codes that are no QR codes
TICKETS: Final[dict[Symbology, tuple[int, int]]] = {
    "DataMatrix": (40, 26), "Aztec": (40, 27), "PDF417": (30, 137), "Code128": (12, 167),
}  # fmt: skip
QR_ANY: Final = (12, 40, 90)  # characters: versions 1 to 6 at level M
QR_DENSE: Final = (230, 320, 450, 600)  # versions 10 to 19


@dataclass(frozen=True, kw_only=True)
class Clip:
    """How a phone is held, and what stands between it and the lens. Pixels are the picture's."""

    kind: str
    number: int
    text: str
    seed: int = SEED
    symbology: Symbology = "QRCode"
    side: float = 240  # pixels, the longer side of the code when it is held closest
    nearer: float = 0.2  # by how much it comes closer while it is held
    angle: float = 0.0  # degrees
    tilt: float = 0.0  # degrees the phone leans away, which makes a trapezium of it
    tremor: float = 1.5  # pixels, of a hand
    blur: float = 0.0  # pixels, sigma: out of focus
    smear: float = 0.0  # pixels a frame while it is held: a phone in motion
    noise: float = 2.0  # grey levels, sigma
    light: float = 1.0
    glare: float = 0.0  # 0 to 1, a lamp that wanders over the screen
    spot: float = 0.2  # of the side, sigma of that lamp's reflection
    moire: float = 0.0  # 0 to 1, how deep the camera's grid and the screen's beat
    inverted: bool = False
    covered: float = 0.0  # of the code, by a thumb, in the first half of the time it is held


def clips(seed: int = SEED) -> Iterator[Clip]:
    """Yield every clip, kind after kind."""
    dice = random.Random(seed)
    for kind in KINDS:
        for number in range(EACH):
            yield replace(_clip(kind, number, dice), seed=seed)


def _small(clip: Clip, dice: random.Random) -> Clip:
    return replace(clip, side=_modules(len(clip.text)) * dice.uniform(1.5, 2.6))


def _turned(clip: Clip, dice: random.Random) -> Clip:
    return replace(clip, angle=dice.uniform(-180, 180))


def _leaning(clip: Clip, dice: random.Random) -> Clip:
    return replace(clip, tilt=dice.uniform(35, 68), angle=dice.uniform(-60, 60))


def _out_of_focus(clip: Clip, dice: random.Random) -> Clip:
    module = clip.side / _modules(len(clip.text))
    return replace(clip, blur=module * dice.uniform(0.5, 1.0))


def _dim(clip: Clip, dice: random.Random) -> Clip:
    return replace(clip, light=dice.uniform(0.05, 0.2), noise=dice.uniform(4, 9), side=clip.side * 0.7)


def _dense(clip: Clip, dice: random.Random) -> Clip:
    return replace(clip, side=_modules(len(clip.text)) * dice.uniform(1.7, 4.5))


def _ticket(clip: Clip, dice: random.Random) -> Clip:
    symbology = list(TICKETS)[clip.number % len(TICKETS)]
    length, modules = TICKETS[symbology]
    side = modules * dice.uniform(2.2, 4) if modules > 100 else dice.uniform(90, 300)  # noqa: PLR2004 bars
    return replace(clip, symbology=symbology, text=_text(length, dice), side=side)


KINDS: Final[dict[str, Callable[[Clip, random.Random], Clip]]] = {
    "plain": lambda clip, _: clip,
    "small": _small,
    "turned": _turned,
    "perspective": _leaning,
    "out of focus": _out_of_focus,
    "moving": lambda clip, dice: replace(clip, smear=dice.uniform(8, 26)),
    "glare": lambda clip, dice: replace(clip, glare=1.0, spot=dice.uniform(0.2, 0.45)),
    "low light": _dim,
    "moire": lambda clip, dice: replace(clip, moire=dice.uniform(0.5, 1.1)),
    "inverted": lambda clip, _: replace(clip, inverted=True),
    "dense": _dense,
    "covered": lambda clip, dice: replace(clip, covered=dice.uniform(0.3, 0.6)),
    "tickets": _ticket,
}


def _clip(kind: str, number: int, dice: random.Random) -> Clip:
    length = dice.choice(QR_DENSE if kind == "dense" else QR_ANY)
    # What is held well enough to be read by somebody is a matter of pixels a module, so sizes follow from those.
    clip = Clip(kind=kind, number=number, text=_text(length, dice), angle=dice.uniform(-15, 15))
    return KINDS[kind](replace(clip, side=dice.uniform(120, 400)), dice)


def _modules(length: int) -> int:
    """Return the side of a QR code that holds so many characters, without its quiet zone."""
    return len(segno.make_qr("A" * length, error="m").matrix)


def _text(length: int, dice: random.Random) -> str:
    return "".join(dice.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=length))


def film(clip: Clip) -> Iterator[Frame]:
    """Yield the frames of a clip, uint8 of (HEIGHT, WIDTH), a thirtieth of a second apart, the first at 0."""
    dice = np.random.default_rng([clip.seed, list(KINDS).index(clip.kind), clip.number])
    phone = draw_phone(draw_code(clip.text, Scene(symbology=clip.symbology, size=600)), inverted=clip.inverted)
    code_side = max(draw_code(clip.text, Scene(symbology=clip.symbology, size=600)).shape)
    lobby, grain = draw_lobby(WIDTH, HEIGHT), Grain(WIDTH, HEIGHT, clip.noise, dice)
    phase, wander = dice.uniform(0, 2 * math.pi, 2), dice.uniform(-1, 1, 2)
    before = None
    for number in range(FRAMES):
        moment = _held(number)
        picture = lobby.copy()
        if moment is not None:
            rise, progress = moment
            side = clip.side * (1 - clip.nearer * (1 - progress))
            shake = clip.tremor * dice.standard_normal(2)
            drift = clip.smear * (number - FRAMES / 2) * wander / max(0.3, float(np.hypot(*wander)))
            centre = np.array([WIDTH / 2, HEIGHT / 2 + rise * HEIGHT]) + shake + drift
            _person(picture, centre, side, number)
            shown = _cover(phone, clip.covered) if clip.covered and progress < 0.5 else phone  # noqa: PLR2004
            _hold(picture, _worked(shown, clip, phase, number), clip, side / code_side, centre)
            if clip.glare:
                _glare(picture, clip, centre, side, phase[0] + number / 25)
            moved = float(np.hypot(*(centre - before))) if before is not None else 0.0
            before = centre
            picture = _smeared(picture, moved, drift) if clip.smear else picture
        if clip.blur:
            picture = _grey(cv2.GaussianBlur(picture, (0, 0), clip.blur))
        if clip.light != 1:
            picture = _grey(cv2.convertScaleAbs(picture, alpha=clip.light))
        yield Frame(grain.over(picture), number, number / FPS)


def _held(number: int) -> tuple[float, float] | None:
    """Return how far below its place the phone is, and how far the holding has come; None: nobody is there."""
    into, left = number - EMPTY, FRAMES - 1 - number
    if into < 0:
        return None
    rise = max(0.0, 1 - into / COMING) + max(0.0, 1 - left / LEAVING)
    return rise, min(1.0, into / (FRAMES - EMPTY - LEAVING))


def _person(picture: Grey, centre: NDArray[np.float64], side: float, number: int) -> None:
    """Draw a body in a striped shirt behind the phone, which moves and has edges of its own, and a hand."""
    x, y = int(centre[0]), int(centre[1])
    sway = int(6 * math.sin(number / 5))
    cv2.ellipse(picture, (x - 90 + sway, y + 260), (230, 420), 0, 0, 360, 84, -1)
    for stripe in range(-200, 200, 26):
        cv2.line(picture, (x - 90 + sway + stripe, y - 60), (x - 90 + sway + stripe, HEIGHT), 104, 9)
    cv2.ellipse(picture, (x - 90 + sway, y - 250), (90, 120), 0, 0, 360, 150, -1)
    cv2.ellipse(picture, (x, int(y + side * 1.25)), (int(side * 0.75), int(side * 0.4)), 0, 0, 360, 135, -1)


def _worked(phone: Grey, clip: Clip, phase: NDArray[np.float64], number: int) -> Grey:
    """Lay the beat of two grids over the screen."""
    if not clip.moire:
        return phone
    y, x = np.mgrid[: phone.shape[0], : phone.shape[1]].astype(np.float32)
    turn = phase[0] + number / 40
    wave = np.cos(2 * math.pi * (x * math.cos(turn) + y * math.sin(turn)) / 37 + phase[1])
    fine = np.cos(2 * math.pi * (x * math.sin(turn) - y * math.cos(turn)) / 11)
    depth = 110 * clip.moire * (0.6 * wave + 0.4 * fine)
    return _grey(np.clip(phone + depth, 0, 255))


def _cover(phone: Grey, share: float) -> Grey:
    """Lay a thumb over the lower part of the code."""
    covered = phone.copy()
    rows, columns = phone.shape
    top = int(rows * (0.5 + 0.26 * (1 - 2 * share)))
    cv2.ellipse(covered, (columns // 2, top + rows // 4), (columns // 2, rows // 4), 0, 0, 360, 140, -1)
    return covered


def _hold(picture: Grey, phone: Grey, clip: Clip, scale: float, centre: NDArray[np.float64]) -> None:
    """Lay the phone over the picture, turned, and leaning away by `tilt` as a camera sees it."""
    rows, columns = phone.shape
    corners = np.array([[-columns, -rows], [columns, -rows], [columns, rows], [-columns, rows]], np.float64) / 2 * scale
    lean, turn = math.radians(clip.tilt), math.radians(clip.angle)
    depth = 1 + corners[:, 1] * math.sin(lean) / (2.5 * rows * scale)
    corners = np.stack([corners[:, 0], corners[:, 1] * math.cos(lean)], axis=1) / depth[:, None]
    spin = np.array([[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]])
    place = (corners @ spin.T + centre).astype(np.float32)
    flat = np.array([[0, 0], [columns, 0], [columns, rows], [0, rows]], np.float32)
    # Shrinking by more than two loses detail unevenly unless it is averaged first.
    halvings = max(0, int(math.log2(0.7 / scale))) if scale < 0.7 else 0  # noqa: PLR2004
    for _ in range(halvings):
        phone = _grey(cv2.resize(phone, None, fx=0.5, fy=0.5, interpolation=cv2.INTER_AREA))
        flat = flat / 2
    way = cv2.getPerspectiveTransform(flat.astype(np.float32), place)
    cv2.warpPerspective(
        phone, way, (WIDTH, HEIGHT), dst=picture, flags=cv2.INTER_LINEAR, borderMode=cv2.BORDER_TRANSPARENT
    )


def _glare(picture: Grey, clip: Clip, centre: NDArray[np.float64], side: float, turn: float) -> None:
    x0, y0 = centre + side * 0.35 * np.array([math.cos(turn), math.sin(turn)])
    y, x = np.ogrid[:HEIGHT, :WIDTH]
    spot = 255 * clip.glare * np.exp(-((x - x0) ** 2 + (y - y0) ** 2) / (2 * (side * clip.spot) ** 2))
    np.copyto(picture, cv2.add(picture, spot.astype(np.uint8)))


def _smeared(picture: Grey, moved: float, drift: NDArray[np.float64]) -> Grey:
    """Average along the way of the phone during a third of a frame, which is an exposure of 11 ms."""
    length = max(1, round(moved / 3))
    if length < 2:  # noqa: PLR2004
        return picture
    kernel = np.zeros((2 * length + 1, 2 * length + 1), np.float32)
    angle = math.atan2(float(drift[1]), float(drift[0]))
    reach = np.array([math.cos(angle), math.sin(angle)]) * length / 2
    start, end = (np.array([length, length]) - reach), (np.array([length, length]) + reach)
    cv2.line(kernel, tuple(int(v) for v in np.rint(start)), tuple(int(v) for v in np.rint(end)), 1)
    return _grey(cv2.filter2D(picture, -1, kernel / kernel.sum()))


def _grey(picture: object) -> Grey:
    return np.asarray(picture, dtype=np.uint8)


@click.command()
@click.argument("folder", type=click.Path(path_type=Path, file_okay=False))
def main(*, folder: Path) -> None:
    """Write every clip into FOLDER as a folder of pictures."""
    for clip in clips():
        place = folder / f"{clip.kind.replace(' ', '-')}-{clip.number}"
        place.mkdir(parents=True, exist_ok=True)
        for frame in film(clip):
            cv2.imwrite(str(place / f"{frame.number:03}.png"), frame.grey)
        (place / "text").write_text(clip.text, encoding="utf-8")
        click.echo(place)


if __name__ == "__main__":
    main()
