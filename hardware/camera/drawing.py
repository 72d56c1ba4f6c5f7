"""Draws what a camera would see of a scene: a lobby, and in it a phone that shows a code."""

from __future__ import annotations

import cv2
import numpy as np
import segno
import zxingcpp

from hardware.camera.people import AT_THE_READER, TOO_NEAR, queue, stand
from hardware.parts import Grey
from hardware.scene import Scene, SceneError

SCREEN = 1.5  # a phone's screen is this much wider than the code on it, which leaves it a quiet zone
TALL = 1.9  # a phone's height over its width
POSTER = 0.3  # of the picture's height
PAPER, INK, SKIN = 225, 30, 165
SHIFTS = 64  # noise is one tile, cut at any of 64 x 64 places


def draw(scene: Scene, width: int, height: int) -> Grey:
    """Return the still picture, uint8 of (height, width). Raise SceneError when the code cannot be drawn."""
    picture = draw_lobby(width, height)
    if scene.poster:
        _hang(picture, scene)
    if scene.waiting or scene.near:
        picture = stand(picture, [*queue(scene.waiting), *((AT_THE_READER, TOO_NEAR) if scene.near else ())])
    if content := scene.content():
        code = draw_code(content, scene)
        picture = _hold_up(draw_phone(code, inverted=scene.invert), max(code.shape), scene, picture)
    if scene.glare:
        picture = _grey(cv2.add(picture, _spot(scene, width, height)))
    if scene.blur:
        picture = _grey(cv2.GaussianBlur(picture, (0, 0), scene.blur))
    return _grey(cv2.convertScaleAbs(picture, alpha=scene.light))


def fitted(picture: Grey, width: int, height: int) -> Grey:
    """Return a picture as large as it fits, in the middle of a grey frame."""
    rows, columns = picture.shape
    scale = min(width / columns, height / rows)
    size = (max(1, round(columns * scale)), max(1, round(rows * scale)))
    resized = cv2.resize(picture, size, interpolation=cv2.INTER_AREA if scale < 1 else cv2.INTER_LINEAR)
    frame = np.full((height, width), 150, np.uint8)
    top, left = (height - size[1]) // 2, (width - size[0]) // 2
    frame[top : top + size[1], left : left + size[0]] = resized
    return frame


class Grain:
    """Sensor noise: made once, laid over every frame at another place. Costs well under a millisecond."""

    def __init__(self, width: int, height: int, sigma: float, dice: np.random.Generator | None = None) -> None:
        self.sigma = sigma
        self._size = (width, height)
        self._random = dice or np.random.default_rng()
        grain = sigma * self._random.standard_normal((height + SHIFTS, width + SHIFTS), dtype=np.float32)
        self._brighter = np.clip(np.rint(grain), 0, 255).astype(np.uint8)
        self._darker = np.clip(np.rint(-grain), 0, 255).astype(np.uint8)

    def over(self, picture: Grey) -> Grey:
        """Return the picture with noise."""
        width, height = self._size
        x, y = self._random.integers(0, SHIFTS, 2)
        place = np.s_[y : y + height, x : x + width]
        return _grey(cv2.subtract(cv2.add(picture, self._brighter[place]), self._darker[place]))


def draw_lobby(width: int, height: int) -> Grey:
    """Draw a grey wall that is darker towards the floor, with a door in it."""
    wall = np.linspace(150, 110, height, dtype=np.uint8)[:, None].repeat(width, axis=1)
    left, top, right = width // 8, height // 5, width // 3
    cv2.rectangle(wall, (left, top), (right, height), 95, thickness=-1)
    cv2.rectangle(wall, (left, top), (right, height), 70, thickness=max(1, width // 200))
    return _grey(wall)


def _hang(lobby: Grey, scene: Scene) -> None:
    """Hang the poster in the upper right corner, a quarter of the picture high."""
    try:
        code = np.pad(_qr(scene.poster), 4, constant_values=255)
    except ValueError as error:
        raise SceneError(f"a poster of {len(scene.poster)} characters does not fit a QR code: {error}") from error
    scale = max(1, round(POSTER * lobby.shape[0] / len(code)))
    code = code.repeat(scale, axis=0).repeat(scale, axis=1)
    side, margin = len(code), lobby.shape[0] // 30
    print_ = PAPER - (1 - scene.poster_fade) * (PAPER - INK) * (code == 0)
    if scene.poster_covered:
        print_[side // 3 :, : side // 2] = SKIN
    lobby[margin : margin + side, -margin - side : -margin] = print_.round()


def draw_code(content: str | bytes, scene: Scene) -> Grey:
    """Return the code black on white without a quiet zone, its longer side close to the size asked for."""
    try:
        modules = _qr(content) if scene.symbology == "QRCode" else _other(content, scene.symbology)
    except ValueError as error:
        raise SceneError(f"{len(content)} characters do not fit a {scene.symbology}: {error}") from error
    scale = max(1, round(scene.size / max(modules.shape)))
    return _grey(modules.repeat(scale, axis=0).repeat(scale, axis=1))


def _qr(content: str | bytes) -> Grey:
    dark = np.array(segno.make_qr(content, error="m").matrix, dtype=np.uint8)
    return _grey(255 * (1 - dark))


def _other(content: str | bytes, symbology: str) -> Grey:
    barcode = zxingcpp.create_barcode(content, getattr(zxingcpp.BarcodeFormat, symbology))
    modules = np.array(zxingcpp.write_barcode_to_image(barcode))
    left, top, width, height = cv2.boundingRect(255 - modules)
    return _grey(modules[top : top + height, left : left + width])


def draw_phone(code: Grey, *, inverted: bool) -> Grey:
    """Put the code in the middle of a phone's screen, with a dark frame around it."""
    rows, columns = code.shape
    width = round(max(rows, columns) * SCREEN)
    height = round(width * TALL)
    screen = np.full((height, width), 245, np.uint8)
    top, left = (height - rows) // 2, (width - columns) // 2
    screen[top : top + rows, left : left + columns] = np.clip(code, 10, 245)
    return np.pad(255 - screen if inverted else screen, max(2, width // 25), constant_values=30)


def _hold_up(phone: Grey, side: int, scene: Scene, lobby: Grey) -> Grey:
    """Lay the phone, on which the code is `side` pixels long, over the middle of the lobby, turned and scaled."""
    rows, columns = phone.shape
    turn = cv2.getRotationMatrix2D((columns / 2, rows / 2), scene.angle, scene.size / side)
    turn[:, 2] += (lobby.shape[1] - columns) / 2, (lobby.shape[0] - rows) / 2
    size = (lobby.shape[1], lobby.shape[0])
    return _grey(cv2.warpAffine(phone, turn, size, dst=lobby, flags=cv2.INTER_AREA, borderMode=cv2.BORDER_TRANSPARENT))


def _spot(scene: Scene, width: int, height: int) -> Grey:
    """Draw a lamp's reflection a little above the middle of the code."""
    y, x = np.ogrid[:height, :width]
    distance = (x - width / 2 - scene.size / 8) ** 2 + (y - height / 2 + scene.size / 8) ** 2
    return _grey(255 * scene.glare * np.exp(-distance / (2 * (scene.size / 6) ** 2)))


def _grey(picture: object) -> Grey:
    return np.asarray(picture, dtype=np.uint8)
