"""Which reader reads how much, how fast, and what it gets wrong. All side by side in one run, so that ratios hold.

    python bench/reading.py [PHOTOS]

PHOTOS is a folder with a manifest.json of {"file", "symbology", "texts"}; as it comes, ../shared/photos beside the
project, or where that is not there, frames drawn here.
"""

from __future__ import annotations

import json
import os
import platform
import random
import statistics
import time
from collections.abc import Callable, Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Final, NamedTuple

import click
import cv2
import zxingcpp
from pyzbar import pyzbar

from device.config import DecoderSection
from device.decoder import Decoder
from device.looks import QR, TICKETS, exhaust
from hardware.camera import picture
from hardware.camera.drawing import Grain, draw
from hardware.parts import Frame, Grey
from hardware.scene import Scene, Symbology

PHOTOS: Final = Path(__file__).resolve().parents[2] / "shared" / "photos"
WIDTH, HEIGHT, FPS = 1280, 720, 30
BUDGET_MS: Final = DecoderSection().budget_ms
HELD: Final = 10  # frames a picture is held before the chain with a budget
DRAWN: Final = 300
SETTLE, IDLE = 60, 300  # frames; the first ones are news

Group = str  # "QR" or "tickets"
Text = tuple[Group, str]
Reader = Callable[[Grey], tuple[set[Text], list[float]]]  # what it read, and the milliseconds each frame took


class Picture(NamedTuple):
    """A picture and what it says; nothing at all when `texts` is empty."""

    group: Group | None
    texts: tuple[str, ...]
    grey: Grey


class Row(NamedTuple):
    """How one reader did: milliseconds until it had read what it did read, and for each frame with nothing found."""

    name: str
    read: int
    of: int
    wrong: int
    ms: list[float]
    ms_in_vain: list[float]

    def line(self, beside: float) -> str:
        """Return the row; `beside` is the mean that the ratio is to."""
        share = f"{100 * self.read / self.of:5.1f} %"
        vain = f"{statistics.fmean(self.ms_in_vain):8.2f}" if self.ms_in_vain else "       -"
        return f"  {self.name:34} {share}  {self.wrong:5} {times(self.ms, beside)} {vain}"


def group_of(symbology: str) -> Group:
    """Return which table a symbology belongs to, by zxing-cpp's name or zbar's."""
    return "QR" if symbology.upper() == "QRCODE" else "tickets"


def times(ms: list[float], beside: float) -> str:
    """Return median, 95th percentile, mean, and how many times `beside` the mean is."""
    mean, p95 = statistics.fmean(ms), sorted(ms)[int(0.95 * (len(ms) - 1))]
    return f"{statistics.median(ms):8.2f} {p95:8.2f} {mean:8.2f} {mean / beside:8.2f}"


def timed(read: Callable[[Grey], set[Text]]) -> Reader:
    """Return a reader of one picture as one of frames."""

    def reader(grey: Grey) -> tuple[set[Text], list[float]]:
        begun = time.thread_time()
        found = read(grey)
        return found, [(time.thread_time() - begun) * 1000]

    return reader


def zxing(formats: zxingcpp.BarcodeFormats) -> Callable[[Grey], set[Text]]:
    """Return zxing-cpp as it comes, but for the formats."""
    return lambda grey: {
        (group_of(each.symbology.name), each.text)
        for each in zxingcpp.read_barcodes(grey, formats=formats, text_mode=zxingcpp.TextMode.Plain)
    }


def zbar(symbol: pyzbar.ZBarSymbol) -> Callable[[Grey], set[Text]]:
    """Return pyzbar as it comes, but for the symbology."""
    return lambda grey: {
        (group_of(each.type), each.data.decode(errors="replace")) for each in pyzbar.decode(grey, symbols=[symbol])
    }


def chain_exhaustive(grey: Grey) -> set[Text]:
    """Take every look, as `menshen scan` does."""
    return {(group_of(code.symbology), code.text) for code in exhaust(grey)}


def chain(grey: Grey) -> tuple[set[Text], list[float]]:
    """Hold the picture before a decoder until it is read, as at a gate."""
    decoder, ms = Decoder(BUDGET_MS), []
    for number in range(HELD):
        begun = time.thread_time()
        codes = decoder.read(Frame(grey, number, number / FPS))
        ms.append((time.thread_time() - begun) * 1000)
        if codes:
            return {(group_of(code.symbology), code.text) for code in codes}, ms
    return set(), ms


READERS: Final[dict[Group, dict[str, Reader]]] = {
    "QR": {
        "zxing-cpp": timed(zxing(QR)),
        "pyzbar": timed(zbar(pyzbar.ZBarSymbol.QRCODE)),
        f"our chain, {BUDGET_MS:g} ms a frame": chain,
        "our chain, exhaustive": timed(chain_exhaustive),
    },
    "tickets": {
        "zxing-cpp": timed(zxing(TICKETS)),
        "pyzbar (Code 128 is all it knows)": timed(zbar(pyzbar.ZBarSymbol.CODE128)),
        f"our chain, {BUDGET_MS:g} ms a frame": chain,
        "our chain, exhaustive": timed(chain_exhaustive),
    },
}


def photos(folder: Path) -> Iterator[Picture]:
    """Load what the manifest lists; a file without texts has nothing to read."""
    for entry in json.loads((folder / "manifest.json").read_text(encoding="utf-8")):
        group = group_of(entry["symbology"]) if entry["texts"] else None
        yield Picture(group, tuple(entry["texts"]), picture.load(folder / entry["file"]))


def drawn() -> Iterator[Picture]:
    """Draw people holding up codes: small and large, turned, blurred, in the dark, in glare, on inverted screens."""
    dice = random.Random(20260101)
    lengths: dict[Symbology, dict[int, int]] = {  # characters, and the modules of the code that holds them
        "QRCode": {12: 25, 40: 33, 230: 57}, "DataMatrix": {12: 18, 60: 32}, "Aztec": {12: 19, 60: 31},
        "PDF417": {12: 120, 60: 155}, "Code128": {8: 123, 14: 189},
    }  # fmt: skip
    for number in range(DRAWN):
        symbology: Symbology = "QRCode" if number % 2 else dice.choice([name for name in lengths if name != "QRCode"])
        length = dice.choice(list(lengths[symbology]))
        module = dice.choice((1.6, 2.0, 2.5, 3.0, 4.0, 6.0))  # pixels
        scene = Scene(
            code="".join(dice.choices("ABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789", k=length)),
            symbology=symbology,
            size=min(640, round(lengths[symbology][length] * module)),
            angle=dice.choice((0, 90, dice.uniform(-180, 180))),
            blur=module * dice.choice((0, 0, 0.3, 0.5)),
            noise=dice.choice((1, 2, 4, 8, 16)),
            light=dice.choice((0.12, 0.3, 0.6, 1, 1, 1.3)),
            invert=dice.random() < 0.15,  # noqa: PLR2004
            glare=dice.choice((0, 0, 0, 0.3, 0.6)),
        )
        grey = Grain(WIDTH, HEIGHT, scene.noise).over(draw(scene, WIDTH, HEIGHT))
        yield Picture(group_of(symbology), (scene.code,), grey)


def measure(group: Group, name: str, reader: Reader, pictures: list[Picture]) -> Row:
    """Let one reader read the pictures of its group, and those without a code."""
    wrong = 0
    ms: list[float] = []
    ms_in_vain: list[float] = []
    for each in pictures:
        if each.group not in (group, None):
            continue
        found, took = reader(each.grey)
        texts = {text for of, text in found if of == group}
        wrong += len(texts - set(each.texts))
        if texts & set(each.texts):
            ms.append(sum(took))
        else:
            ms_in_vain += took
    return Row(name, len(ms), sum(each.group == group for each in pictures), wrong, ms, ms_in_vain)


def idle() -> dict[str, list[float]]:
    """Let each reader look at a lobby in which nothing happens but the sensor's noise, at 30 frames a second."""
    still, grain = draw(Scene(), WIDTH, HEIGHT), Grain(WIDTH, HEIGHT, Scene().noise)
    decoder, chained = Decoder(BUDGET_MS), []
    for number in range(SETTLE + IDLE):
        frame = Frame(grain.over(still), number, number / FPS)
        begun = time.thread_time()
        decoder.read(frame)
        chained.append((time.thread_time() - begun) * 1000)
    alone = {
        "zxing-cpp": READERS["QR"]["zxing-cpp"],
        "zxing-cpp, tickets": READERS["tickets"]["zxing-cpp"],
        "pyzbar": READERS["QR"]["pyzbar"],
    }
    ms = {name: [reader(grain.over(still))[1][0] for _ in range(IDLE // 5)] for name, reader in alone.items()}
    return ms | {"our chain": chained[SETTLE:]}


@click.command()
@click.argument("folder", required=False, type=click.Path(path_type=Path, exists=True, file_okay=False))
@click.option("--drawn", "only_drawn", is_flag=True, help="Draw frames even where there are photos.")
def main(*, folder: Path | None, only_drawn: bool) -> None:
    """Measure every reader on the same pictures."""
    cv2.setNumThreads(1)
    folder = folder or (PHOTOS if PHOTOS.exists() else None)
    pictures = list(drawn() if only_drawn or folder is None else photos(folder))
    source = f"drawn frames, {WIDTH} x {HEIGHT}" if only_drawn or folder is None else str(folder)
    click.echo(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, ", nl=False)
    click.echo(", ".join(f"{name} {version(name)}" for name in ("zxing-cpp", "pyzbar", "opencv-python")))
    without = sum(each.group is None for each in pictures)
    click.echo(f"{len(pictures)} pictures, {without} of them without a code: {source}")
    for group, readers in READERS.items():
        rows = [measure(group, name, reader, pictures) for name, reader in readers.items()]
        heading(f"{group}, {rows[0].of} codes", "   read  wrong   median      p95     mean    ratio    in vain")
        for row in rows:
            click.echo(row.line(statistics.fmean(rows[0].ms)))
    heading("an idle frame of a lobby", "                median      p95     mean    ratio")
    idled = idle()
    for name, ms in idled.items():
        click.echo(f"  {name:34} {'':14} {times(ms, statistics.fmean(idled['zxing-cpp']))}")
    click.echo("\nmilliseconds of the processor until a code was read, and for each frame in which nothing was")


def heading(title: str, columns: str) -> None:
    """Print what the rows below are."""
    click.echo(f"\n{title:36}{columns}")


if __name__ == "__main__":
    main()
