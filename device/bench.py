"""Measures the straight path on this machine, in one run: a real gate on emulated parts, with no broker to talk to."""

from __future__ import annotations

import dataclasses
import json
import logging
import statistics
import tempfile
import threading
import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from device.__main__ import Gate
from device.codes.trust import keyed_hash, make_site_key
from device.config import Config, DecoderSection
from device.decoder import Decoder
from device.eye import Eye
from device.settings import convert
from device.sight import EyeSaid, Seen
from device.spool import Reader, Spool
from device.wire.messages import Desired, Scan, decode, encode
from hardware.camera import emulated
from hardware.parts import Turnstile
from hardware.stage import Stage

CARDS: Final = 8  # different codes, shown in turn
GONE_S: Final = 0.2
SETTLE_FRAMES: Final = 60  # the first pictures are news
IDLE_FRAMES: Final = 600
PUTS: Final = 500


class Noted:
    """A turnstile that notes when its relay is on, and otherwise is the one it stands before."""

    def __init__(self, turnstile: Turnstile) -> None:
        self._turnstile = turnstile
        self.released = threading.Event()
        self.at = 0.0

    def release(self) -> None:
        """Pulse the relay and note when its pin had changed."""
        self._turnstile.release()
        self.at = time.monotonic()
        self.released.set()


@dataclasses.dataclass
class Figures:
    """Milliseconds, in the order in which they were measured."""

    name: str
    ms: list[float]

    def row(self) -> dict[str, Any]:
        """Return what is printed."""
        ordered = sorted(self.ms)
        return {
            "what": self.name,
            "n": len(ordered),
            "mean_ms": round(statistics.fmean(ordered), 3),
            "median_ms": round(statistics.median(ordered), 3),
            "p95_ms": round(ordered[int(0.95 * (len(ordered) - 1))], 3),
            "max_ms": round(ordered[-1], 3),
        }


@contextmanager
def standing(folder: Path, codes: Iterable[bytes]) -> Iterator[tuple[Gate, Stage, list[Seen]]]:
    """Run a gate in the folder that lets these codes in, with the stage around it and a list of what its eye saw."""
    make_site_key(folder / "site.key")
    scene = folder / "scene.json"
    raw = {
        "gate": {"site": "bench", "entrance": "here", "data": str(folder), "site_key": str(folder / "site.key")},
        "wire": {"host": "127.0.0.1", "port": 1},
        "camera": {"driver": "emulated", "source": str(scene)},
        "decoder": {"gone_s": GONE_S},
        "pins": {"driver": "mock"},
        "turnstile": {"pulse_ms": 100},
    }
    site_key = (folder / "site.key").read_bytes()
    listed = tuple(keyed_hash(site_key, code) for code in codes)
    (folder / "policy.json").write_bytes(encode(Desired(version=1, listed=listed)))
    seen: list[Seen] = []
    gate = Gate(convert(Config, raw, source="bench"))

    def put(said: EyeSaid) -> None:
        if isinstance(said, Seen):
            seen.append(said)
        gate.inbox.put(said)

    gate.eye = Eye(gate.config.camera, gate.config.decoder, put)
    worker = threading.Thread(target=gate.run, name="gate")
    worker.start()
    try:
        yield gate, Stage.around(gate.factory, gate.config.pins, scene), seen
    finally:
        gate.stop()
        worker.join()


def _card(number: int) -> bytes:
    return b"bench card %d" % number


def path(shows: int) -> list[Figures]:
    """Show codes to a running gate; measure from the frame that holds the code."""
    with (
        tempfile.TemporaryDirectory() as folder,
        standing(Path(folder), map(_card, range(CARDS))) as (gate, stage, seen),
    ):
        noted = Noted(gate.board.turnstile)
        gate.entrance.board = dataclasses.replace(gate.board, turnstile=noted)
        relay = []
        for number in range(shows):
            noted.released.clear()
            stage.do(f"show {_card(number % CARDS).decode()}")
            if not noted.released.wait(timeout=20):
                raise click.ClickException("a good code was not granted within 20 s")
            relay.append((noted.at - seen[-1].frame_at) * 1000)
            stage.do("hide")
            time.sleep(GONE_S + 0.15)
        reader = Reader(Path(folder) / "spool.db")
        scans = [decode(Scan, event.payload) for event in reader.after(0, 10_000) if event.kind == "scan"]
        reader.close()
    return [
        Figures("frame to code read", [(each.read_at - each.frame_at) * 1000 for each in seen]),
        Figures("frame to verdict", [scan.took_ms for scan in scans]),
        Figures("frame to relay edge", relay),
    ]


def idle() -> Figures:
    """Let the decoder look at a lobby in which nothing happens but the sensor's noise, at 30 frames a second.

    What counts is the processor's time: a board pays it all day, whatever else it does.
    """
    decoder, ms = Decoder(DecoderSection().budget_ms), []
    with tempfile.TemporaryDirectory() as folder:
        camera = emulated.Camera(source=str(Path(folder) / "scene.json"), width=1280, height=720, fps=0)
        for number in range(SETTLE_FRAMES + IDLE_FRAMES):
            frame = camera.read(1)._replace(at=number / 30)
            begun = time.thread_time()
            decoder.read(frame)
            took = (time.thread_time() - begun) * 1000
            ms += [took] if number >= SETTLE_FRAMES else []
    return Figures("decode, idle frame", ms)


def spool(payload: bytes) -> list[Figures]:
    """Keep events as the gate does, beside the same without waiting for the disk."""
    with tempfile.TemporaryDirectory() as folder:
        durable, loose = Spool(Path(folder) / "full.db"), Spool(Path(folder) / "off.db", durable=False)
        kept = [_timed(lambda: durable.put("scan", lambda _seq: payload)) for _ in range(PUTS)]
        unsafe = [_timed(lambda: loose.put("scan", lambda _seq: payload)) for _ in range(PUTS)]
        durable.close()
        loose.close()
    return [Figures("spool, one event on disk", kept), Figures("spool, without fsync", unsafe)]


def _timed(work: Callable[[], object]) -> float:
    begun = time.perf_counter()
    work()
    return (time.perf_counter() - begun) * 1000


@click.command()
@click.option("--shows", type=click.IntRange(1, 10_000), default=40, show_default=True, help="Codes to show. 出示次数")
@click.option("--json", "as_json", is_flag=True, help="One JSON object a line. 每行一个 JSON")
def bench(*, shows: int, as_json: bool) -> None:
    """Measure the straight path on this machine. 测量本机性能"""
    logging.getLogger().setLevel(logging.ERROR)
    click.echo("showing codes to a gate ...", err=True)
    figures = path(shows)
    payload = msgspec.json.encode({"a scan of usual size": "x" * 330})
    figures += [idle(), *spool(payload)]
    for figure in figures:
        row = figure.row()
        if as_json:
            click.echo(json.dumps(row))
        else:
            times = "   ".join(f"{name} {row[f'{name}_ms']:9.3f} ms" for name in ("mean", "median", "p95", "max"))
            click.echo(f"{row['what']:28} n {row['n']:4}   {times}")
