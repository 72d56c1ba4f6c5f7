"""What single looks read, what they must never read, and what is doubted."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import segno

from device.looks import FIRST, QUICK, WIDE, exhaust, second_opinion
from device.sight import Code
from hardware.camera import picture
from hardware.camera.drawing import draw
from hardware.parts import Grey
from hardware.scene import Scene

PHOTOS = Path(__file__).resolve().parents[2] / "shared" / "photos"
EVERY = 24  # every so many-th photo, to stay quick
LATIN = "Grüße, Zoë!"
CHINESE = "健康码 门神 你好，世界"
BINARY = bytes(range(256))


def printed(code: segno.QRCode, scale: int = 6) -> Grey:
    return on_paper(np.array(code.matrix, dtype=np.uint8), scale)


def on_paper(modules: Grey, scale: int = 6) -> Grey:
    paper = np.pad(255 * (1 - modules), 4, constant_values=255)
    return np.asarray(paper.repeat(scale, axis=0).repeat(scale, axis=1), dtype=np.uint8)


@pytest.mark.parametrize(
    "scene",
    [
        Scene(code="HELLO", size=50),
        Scene(code="HELLO", size=480),
        Scene(code="HELLO", angle=31),
        Scene(code="HELLO", angle=-165, size=160),
        Scene(code="HELLO", blur=4),
        Scene(code="HELLO", light=0.1),
        Scene(code="HELLO", light=1.4, glare=0.5),
        Scene(code="HELLO", invert=True, angle=8),
        Scene(code="HELLO", symbology="Aztec", angle=12),
        Scene(code="HELLO", symbology="DataMatrix", angle=100),
        Scene(code="HELLO", symbology="PDF417", size=420),
        Scene(code="HELLO", symbology="PDF417", angle=33, size=420),
        Scene(code="HELLO", symbology="Code128", angle=90, size=420),
        Scene(code="HELLO", symbology="Code128", angle=-47, size=420),
    ],
    ids=lambda scene: f"{scene.symbology} {scene.size} {scene.angle:g} {scene.blur:g} {scene.light:g} {scene.invert}",
)
def test_a_code_is_read_however_it_is_held(scene: Scene) -> None:
    assert [(code.text, code.symbology) for code in exhaust(draw(scene, 1280, 720))] == [("HELLO", scene.symbology)]


@pytest.mark.parametrize("data", [CHINESE.encode(), LATIN.encode("latin-1"), BINARY, b"a\x00b", b"\xed\xa0\x80"])
def test_bytes_come_as_they_were_written(data: bytes) -> None:
    assert [code.data for code in FIRST.read(printed(segno.make_qr(data)))] == [data]


def test_utf_8_is_text() -> None:
    (code,) = FIRST.read(printed(segno.make_qr(CHINESE)))
    assert (code.text, code.data, code.weak) == (CHINESE, CHINESE.encode(), False)


def test_a_micro_qr_code_is_nothing() -> None:
    assert exhaust(printed(segno.make_micro("0496"))) == []


def test_the_second_opinion_is_asked_for_ascii_only_and_doubted() -> None:
    assert second_opinion(printed(segno.make_qr("hello"))) == [
        Code(data=b"hello", text="hello", symbology="QRCode", weak=True)
    ]
    for data in (CHINESE.encode(), LATIN.encode("latin-1"), BINARY):
        assert second_opinion(printed(segno.make_qr(data))) == []


@pytest.mark.parametrize(("symbology", "weak"), [("PDF417", True), ("Code128", True), ("Aztec", False)])
def test_symbologies_that_are_misread_are_doubted(symbology: str, weak: bool) -> None:  # noqa: FBT001
    scene = Scene(code="HELLO", symbology=symbology, size=420)  # type: ignore[arg-type]
    (code,) = exhaust(draw(scene, 1280, 720))
    assert code.weak == weak


def test_a_code_without_spare_error_correction_is_doubted() -> None:
    modules = np.array(segno.make_qr("HELLO WORLD", error="h").matrix, dtype=np.uint8)
    modules[-10:, -10:] = 0  # a torn corner: 12 of the 14 bytes that can be mended
    modules[9, 9:11] ^= 1  # and the last two
    (code,) = FIRST.read(on_paper(modules))
    assert (code.text, code.weak) == ("HELLO WORLD", True)


def test_a_code_says_how_much_of_its_error_correction_is_left() -> None:
    modules = np.array(segno.make_qr("HELLO WORLD", error="h").matrix, dtype=np.uint8)
    (fresh,) = FIRST.read(on_paper(modules))
    modules[-8:, -8:] = 0
    (worn,) = FIRST.read(on_paper(modules))
    assert fresh.spare == 1
    assert 0 < worn.spare < 0.6


@pytest.mark.parametrize("shape", [(1, 1), (1, 100), (100, 1), (7, 7), (720, 1280)])
def test_nothing_is_found_in_an_empty_picture_of_any_size(shape: tuple[int, int]) -> None:
    for grey in (np.zeros(shape, np.uint8), np.full(shape, 255, np.uint8)):
        assert exhaust(grey) == []


def test_photos_are_read_and_never_misread() -> None:
    if not PHOTOS.exists():
        pytest.skip(f"no photos at {PHOTOS}")
    photos = [each for each in json.loads((PHOTOS / "manifest.json").read_text()) if len(each["texts"]) < 2][::EVERY]
    read = 0
    for photo in photos:
        grey = picture.load(PHOTOS / photo["file"])
        found = {code.text for look in (*WIDE, *QUICK) for code in look.read(grey)}
        assert found <= set(photo["texts"]), photo["file"]
        read += bool(found)
    print(f"{read} of {len(photos)} photos were read")
    assert read > 0.8 * sum(bool(photo["texts"]) for photo in photos)
