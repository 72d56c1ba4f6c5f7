"""How soon a reader that watches sees a code that is held up, and what a frame costs it. All side by side in one run.

    python -m bench.watching                    # every clip of bench/clips.py
    python -m bench.watching --kind glare       # of one kind
    python -m bench.watching --seed 7           # others

Frames come 30 a second and wait for nobody: while a reader is busy with one, those that come meanwhile are gone. A
clip is readable from the first frame on in which any reader, or all of our looks without regard to time, read the text.
Milliseconds are the processor's: what else runs on the machine does not count. `wall` is the ratio by the clock on the
wall instead, for a quiet machine.
"""

from __future__ import annotations

import math
import os
import platform
import statistics
import time
from collections.abc import Callable, Iterable
from dataclasses import dataclass, field
from importlib.metadata import version
from typing import Final

import click
import cv2
import zxingcpp

from bench.clips import FPS, KINDS, SEED, Clip, clips, film
from device.config import DecoderSection
from device.decoder import Decoder
from device.looks import exhaust
from hardware.parts import Frame

BUDGET_MS: Final = DecoderSection().budget_ms
FORMATS: Final = zxingcpp.BarcodeFormats(
    [
        zxingcpp.BarcodeFormat.QRCodeModel2, zxingcpp.BarcodeFormat.DataMatrix, zxingcpp.BarcodeFormat.Aztec,
        zxingcpp.BarcodeFormat.PDF417, zxingcpp.BarcodeFormat.Code128,
    ]
)  # fmt: skip

Read = Callable[[Frame], set[str]]


@dataclass
class Watched:
    """What one reader saw of one clip."""

    first: int | None = None  # the number of the frame it read first
    wrong: int = 0
    ms: list[float] = field(default_factory=list)  # a frame it looked at
    wall: list[float] = field(default_factory=list)  # the same by the clock


def zxing(formats: zxingcpp.BarcodeFormats) -> Callable[[], Read]:
    """Return zxing-cpp as it comes, but for the formats."""
    return lambda: (
        lambda frame: {
            each.text for each in zxingcpp.read_barcodes(frame.grey, formats=formats, text_mode=zxingcpp.TextMode.Plain)
        }
    )


def chain(budget_ms: float) -> Callable[[], Read]:
    """Return a decoder as a gate has it."""

    def made() -> Read:
        decoder = Decoder(budget_ms)
        return lambda frame: {code.text for code in decoder.read(frame)}

    return made


BESIDE: Final = "zxing-cpp, all ticket formats"
READERS: Final[dict[str, Callable[[], Read]]] = {
    "zxing-cpp, QR": zxing(zxingcpp.BarcodeFormats(zxingcpp.BarcodeFormat.QRCodeModel2)),
    BESIDE: zxing(FORMATS),
}


def watch(frames: list[Frame], text: str, read: Read) -> Watched:
    """Let a reader watch a clip as it would run."""
    seen, free = Watched(), 0.0
    for frame in frames:
        if frame.at < free - 1 / FPS:  # a newer one was there by the time it looked again
            continue
        begun, wall = time.thread_time(), time.perf_counter()
        texts = read(frame)
        took = time.thread_time() - begun
        seen.wall.append((time.perf_counter() - wall) * 1000)
        seen.ms.append(took * 1000)
        free = max(free, frame.at) + took
        seen.wrong += len(texts - {text})
        if text in texts and seen.first is None:
            seen.first = frame.number
    return seen


def readable(frames: list[Frame], text: str, known: Iterable[int | None]) -> int | None:
    """Return the first frame in which the text can be read at all; `known` are frames in which it was."""
    first = min((each for each in known if each is not None), default=None)
    for frame in frames[:first]:
        if text in {code.text for code in exhaust(frame.grey)}:
            return frame.number
    return first


def line(name: str, of: list[Watched], firsts: list[int | None], beside: list[Watched]) -> str:
    """Return a row of the table; ratios are to the means of those beside."""
    ms = [each for seen in of for each in seen.ms]
    ratio = statistics.fmean(ms) / statistics.fmean(each for seen in beside for each in seen.ms)
    walls = [statistics.fmean(each for seen in who for each in seen.wall) for who in (of, beside)]
    late = delays(of, firsts)
    read = sum(seen.first is not None for seen in of)
    wrong = sum(seen.wrong for seen in of)
    figures = (statistics.fmean(late), percentile(late, 90), percentile(late, 95)) if late else (math.nan,) * 3
    delay = " ".join(f"{each:8.1f}" for each in figures)
    return (
        f"  {name:34} {read:3} of {len(of):3} {wrong:6} {statistics.median(ms):8.2f} {percentile(ms, 95):8.2f}"
        f" {statistics.fmean(ms):8.2f} {ratio:7.3f} {walls[0] / walls[1]:7.3f} {delay}"
    )


def delays(of: list[Watched], firsts: list[int | None]) -> list[float]:
    """Return the milliseconds from each first readable frame to the one that was read, where there are both."""
    return [
        (seen.first - first) * 1000 / FPS
        for seen, first in zip(of, firsts, strict=True)
        if seen.first is not None and first is not None
    ]


def percentile(values: list[float], percent: int) -> float:
    """Return the value that so many of a hundred do not exceed."""
    return sorted(values)[round((len(values) - 1) * percent / 100)]


@click.command()
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only clips of this kind.")
@click.option("--seed", default=SEED, show_default=True, help="Other seeds draw other clips.")
@click.option("--budget", default=BUDGET_MS, show_default=True, help="Milliseconds a frame of our chain.")
@click.option("--each", is_flag=True, help="Print every clip.")
def main(*, kinds: tuple[str, ...], seed: int, budget: float, each: bool) -> None:
    """Let every reader watch the same clips."""
    cv2.setNumThreads(1)
    click.echo(f"{platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}, ", nl=False)
    click.echo(", ".join(f"{name} {version(name)}" for name in ("zxing-cpp", "opencv-python")))
    chosen = [clip for clip in clips(seed) if not kinds or clip.kind in kinds]
    readers = READERS | {f"our chain, {budget:g} ms a frame": chain(budget)}
    seen: dict[str, list[Watched]] = {name: [] for name in readers}
    firsts: list[int | None] = []
    with click.progressbar(chosen, label="watching", show_pos=True) as bar:
        for clip in bar:
            frames = list(film(clip))
            for name, make in readers.items():
                seen[name].append(watch(frames, clip.text, make()))
            firsts.append(readable(frames, clip.text, [of[-1].first for of in seen.values()]))
    if each:
        for number, clip in enumerate(chosen):
            click.echo(
                f"  {clip.kind} {clip.number}: readable {firsts[number]}, {_firsts(seen, number)}  {_held(clip)}"
            )
    for kind in [*dict.fromkeys(clip.kind for clip in chosen), None]:
        at = [number for number, clip in enumerate(chosen) if kind in (clip.kind, None)]
        title = f"{kind or 'all'}, {sum(firsts[n] is not None for n in at)} of {len(at)} readable"
        click.echo(f"\n{title:38} read  wrong   median      p95     mean   ratio    wall     late      p90      p95")
        beside = [seen[BESIDE][n] for n in at]
        for name, of in seen.items():
            click.echo(line(name, [of[n] for n in at], [firsts[n] for n in at], beside))
    click.echo("\nmilliseconds a frame looked at; ratio of the mean; late: after the first readable frame, film time")
    beside_first = [each.first for each in seen[BESIDE]]
    for name, of in seen.items():
        click.echo(f"  {name:34} {statistics.fmean(delays(of, beside_first)):8.1f} after {BESIDE}")


def _firsts(seen: dict[str, list[Watched]], at: int) -> str:
    return ", ".join(f"{name.split(',')[0]} {of[at].first}" for name, of in seen.items())


def _held(clip: Clip) -> str:
    return f"{clip.symbology} {len(clip.text)} chars, {clip.side:.0f} px"


if __name__ == "__main__":
    main()
