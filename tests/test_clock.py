"""The clock of a gate over real files, with the machine's clocks in our hands; and the machine's own."""

from __future__ import annotations

import os
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import msgspec
import pytest

from device.clock import Clock, Timex, boot, machine
from device.floor import EVERY_S, Checked, Floor
from device.timekeeper import Sample

NOW: Final = 1_795_500_000.0  # in November 2026
DAY: Final = 86400.0


class Machine:
    """The clocks of a machine, to be moved by hand."""

    def __init__(self) -> None:
        self.wall, self.mono, self.synced = NOW, 100.0, True

    def sample(self) -> Sample:
        return Sample(self.wall, self.mono, synced=self.synced)

    def wait(self, seconds: float) -> None:
        self.wall += seconds
        self.mono += seconds


Start = Callable[..., tuple[Clock, Floor]]


@pytest.fixture
def pi() -> Machine:
    return Machine()


@pytest.fixture
def start(pi: Machine, tmp_path: Path) -> Iterator[Start]:
    floors: list[Floor] = []

    def start(boot: str = "b0") -> tuple[Clock, Floor]:
        for floor in floors:
            floor.stop()
        floors.append(Floor(tmp_path / "clock.json", boot))
        return Clock(floors[-1], sample=pi.sample), floors[-1]

    yield start
    for floor in floors:
        floor.stop()
        assert not floor.thread.is_alive()


def kept(path: Path) -> Checked:
    return msgspec.json.decode((path / "clock.json").read_bytes(), type=Checked)


def test_the_machine_here_is_read_in_one_call() -> None:
    since, before, sample, after, until = time.monotonic(), time.time(), machine(), time.time(), time.monotonic()
    assert before - 1e-3 <= sample.wall <= after + 1e-3
    assert since <= sample.mono <= until
    assert len(boot()) == 12
    assert Timex.seconds.size == Timex.offset.size  # longs, as in adjtimex(2)


def test_a_restart_goes_on_with_what_ntp_said_before(pi: Machine, start: Start) -> None:
    clock, _ = start()
    assert clock.state() == "synced"
    pi.synced = False
    pi.wait(DAY)
    clock, _ = start()
    read = clock.read()
    assert (read.state, read.now) == ("holdover", NOW + DAY)
    pi.wall -= 3600
    clock, _ = start()
    assert clock.read().doubt == "clock_jumped"


def test_a_start_of_the_machine_is_unsure_and_never_below_what_ntp_said(
    pi: Machine, start: Start, tmp_path: Path
) -> None:
    start()[0].read()
    pi.wall, pi.mono, pi.synced = NOW + 100, 200.0, False
    assert start("b1")[0].state() == "unset", "another start, though both clocks went on alike"
    pi.wall = 12.0
    clock, floor = start("b1")
    read = clock.read()
    assert (read.state, read.now, read.wall.year) == ("unset", NOW, 1970)
    pi.wall, pi.synced = NOW - 60, True
    assert clock.read().doubt == "clock_behind"
    pi.wall = NOW + 60
    assert clock.read().state == "synced"
    floor.stop()
    assert kept(tmp_path) == Checked("b1", NOW + 60, 200)


def test_the_floor_is_written_once_a_minute_and_only_by_ntp(pi: Machine, start: Start, tmp_path: Path) -> None:
    clock, floor = start()
    for _ in range(10):
        clock.read()
        pi.wait(EVERY_S / 10 - 0.1)
    pi.synced = False
    pi.wait(DAY)
    assert clock.state() == "holdover"
    floor.stop()
    assert kept(tmp_path) == Checked("b0", NOW, 100)


def test_no_reading_waits_for_a_disk(pi: Machine, start: Start, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "clock.new")  # opening it waits for whoever reads
    clock, floor = start()
    for _ in range(5):
        assert clock.state() == "synced"
        pi.wait(EVERY_S)
    assert floor.thread.is_alive()
    assert not (tmp_path / "clock.json").exists()
    reader = os.open(tmp_path / "clock.new", os.O_RDWR)  # as whoever reads, without waiting for a writer
    floor.stop()
    os.close(reader)
    assert not floor.thread.is_alive()


@pytest.mark.parametrize("content", [b"", b"\xff\xfe", b'{"boot":"b0","at":"soon","mono":1}', b"[" * 5000])
def test_a_floor_that_cannot_be_read_is_none(
    start: Start, tmp_path: Path, content: bytes, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "clock.json").write_bytes(content)
    clock, floor = start()
    assert "no floor" in caplog.text
    assert clock.state() == "synced"
    floor.stop()
    assert kept(tmp_path).at == NOW


def test_a_floor_that_cannot_be_written_is_said_once(
    pi: Machine, start: Start, tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    (tmp_path / "clock.new").mkdir()
    clock, floor = start()
    for _ in range(3):
        assert clock.state() == "synced"
        pi.wait(EVERY_S)
    floor.stop()
    assert caplog.text.count("cannot be written") == 1
