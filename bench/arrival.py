"""How long after the first picture in which a code can be read the gate has answered, and the relay moved.

    python -m bench.arrival                    # every clip of bench/clips.py, some eight minutes
    python -m bench.arrival --kind glare       # of one kind

A whole gate at work, its eye in a process of its own. Its camera takes 30 pictures a second of a screen on which the
clip is played at 30 a second, so that the wait for the next picture counts, and so does each that is missed meanwhile.
The first readable picture is found as in bench/watching.py. Milliseconds are the clock's: measure on a quiet machine.
"""

from __future__ import annotations

import dataclasses
import logging
import os
import tempfile
import time
from pathlib import Path
from typing import Final

import click
import cv2

from bench.clips import FPS, KINDS, SEED, clips, film
from bench.watching import BESIDE, READERS, readable, watch
from device.bench import GONE_S, Figures, Noted, standing
from device.spool import Reader
from device.wire.messages import Scan, decode
from hardware.parts import Frame
from hardware.scene import Scene, save

MEMORY: Final = Path("/dev/shm")  # noqa: S108 pictures on the disk would keep it busy while the gate wants it
SAID: Final = ("mean", "median", "p95", "max")
SETTLE_S: Final = 1.0  # after a clip, until what was seen last counts as gone and was answered


def play(frames: list[Path], screen: Path) -> list[float]:
    """Put one picture after another on the screen; return the monotonic times at which each was there."""
    shown, due = [], time.monotonic()
    for frame in frames:
        time.sleep(max(0.0, due - time.monotonic()))
        os.utime(frame)
        frame.replace(screen)
        shown.append(time.monotonic())
        due += 1 / FPS
    return shown


def write(frames: list[Frame], folder: Path) -> list[Path]:
    """Write frames as files that cost next to nothing to read."""
    files = [folder / f"{frame.number}.pgm" for frame in frames]
    for frame, file in zip(frames, files, strict=True):
        cv2.imwrite(str(file), frame.grey)
    return files


def first_readable(frames: list[Frame], text: str) -> int | None:
    """Return the number of the first frame in which the text can be read at all."""
    return readable(frames, text, [watch(frames, text, READERS[BESIDE]()).first])


def took(spool: Path) -> float:
    """Return the milliseconds from the frame to the verdict, of the last scan in a spool."""
    reader = Reader(spool)
    scans = [decode(Scan, event.payload) for event in reader.after(0, 10_000) if event.kind == "scan"]
    reader.close()
    return scans[-1].took_ms


@click.command()
@click.option("--kind", "kinds", multiple=True, type=click.Choice(KINDS), help="Only clips of this kind.")
@click.option("--seed", default=SEED, show_default=True, help="Other seeds draw other clips.")
def main(*, kinds: tuple[str, ...], seed: int) -> None:
    """Play the clips to a gate that lets every one of their codes in."""
    logging.disable()  # between two clips the camera stands still, and the gate says so
    chosen = [clip for clip in clips(seed) if not kinds or clip.kind in kinds]
    read, verdict, relay = (Figures(f"to the {name}", []) for name in ("code read", "verdict", "relay's edge"))
    known = 0
    with (
        tempfile.TemporaryDirectory() as folder,
        tempfile.TemporaryDirectory(dir=MEMORY if MEMORY.is_dir() else None) as pictures,
        click.progressbar(chosen, label="playing", show_pos=True) as bar,
    ):
        place, screen = Path(folder), Path(pictures) / "screen.pgm"
        with standing(place, (clip.text.encode() for clip in chosen)) as (gate, _, seen):
            noted = Noted(gate.board.turnstile)
            gate.entrance.board = dataclasses.replace(gate.board, turnstile=noted)
            for clip in bar:
                frames = list(film(clip))
                first = first_readable(frames, clip.text)
                files = write(frames, screen.parent)
                files[0].with_suffix(".first").write_bytes(files[0].read_bytes())
                files[0].with_suffix(".first").replace(screen)
                save(place / "scene.json", Scene(picture=str(screen), noise=0))
                time.sleep(GONE_S + SETTLE_S)
                seen.clear()
                noted.released.clear()
                shown = play(files, screen)
                time.sleep(SETTLE_S)
                known += first is not None
                if first is not None and noted.released.is_set():
                    read.ms.append((seen[0].read_at - shown[first]) * 1000)
                    verdict.ms.append((seen[0].frame_at - shown[first]) * 1000 + took(place / "spool.db"))
                    relay.ms.append((noted.at - shown[first]) * 1000)
    click.echo(f"{len(relay.ms)} let in of {known} whose code can be read, of {len(chosen)} clips")
    click.echo("from the first picture in which it can be read, milliseconds:")
    for figure in (read, verdict, relay):
        row = figure.row()
        click.echo(f"  {figure.name:20}" + "".join(f"  {name} {row[f'{name}_ms']:7.1f}" for name in SAID))


if __name__ == "__main__":
    main()
