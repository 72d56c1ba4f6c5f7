"""Broker, controller and gate stopped in the middle of scans: nothing lost, nothing doubled, nothing out of order."""

from __future__ import annotations

import itertools
import sqlite3
import time
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path

import pytest

from controller import cast
from controller.broker import Broker
from controller.cast import NORTH
from controller.store import Store
from controller.troupe import Troupe

DEADLINE_S = 40.0


class World:
    """One gate and a controller, each a process of its own, and somebody who shows one code after the other."""

    def __init__(self, folder: Path, broker: Broker) -> None:
        self.broker = broker
        self.troupe = Troupe(folder)
        self.folder = folder
        self.numbers = itertools.count(1)
        cast.prepare(folder, broker.wire)
        self.start_controller()
        self.troupe.start_gate(NORTH)

    def start_controller(self) -> None:
        self.troupe.start("controller", "controller", "run", "--config", str(self.folder / "controller.toml"))

    def stop_kindly(self, name: str) -> None:
        process = self.troupe.running.pop(name)
        process.terminate()
        process.communicate(timeout=20)
        assert process.returncode == 0, self.troupe.log(name)

    def show(self, count: int) -> None:
        """Show so many new codes, each until the gate has kept and answered it."""
        for number in itertools.islice(self.numbers, count):
            self.troupe.tell(NORTH, f"show code number {number}")
            self.wait(lambda number=number: self.answers() >= number, f"code {number} was not answered")  # type: ignore[misc]

    def answers(self) -> int:
        """Return how many codes the gate has answered, by its log."""
        return (self.folder / f"{NORTH}.log").read_text(encoding="utf-8").count(" refuse: ")

    def last(self) -> int:
        """Return the last seq the gate has kept; 0 before there is a spool."""
        try:
            with closing(sqlite3.connect(f"file:{self.folder / NORTH / 'spool.db'}?mode=ro", uri=True)) as db:
                kept, forgotten = db.execute("SELECT max(seq), (SELECT forgotten FROM spool) FROM event").fetchone()
        except sqlite3.OperationalError:
            return 0
        return max(kept or 0, forgotten or 0)

    def stored(self) -> list[int]:
        """Return the seqs the controller has, in the order in which they were stored."""
        with Store(self.folder / "controller.db", read_only=True) as store:
            return [row["seq"] for row in store.db.query("SELECT seq FROM events ORDER BY rowid")]

    def wait(self, true: Callable[[], bool], otherwise: str) -> None:
        deadline = time.monotonic() + DEADLINE_S
        while not true():
            assert time.monotonic() < deadline, otherwise + self.troupe.log(NORTH) + self.troupe.log("controller")
            time.sleep(0.02)


@pytest.fixture
def world(tmp_path: Path, broker: Broker) -> Iterator[World]:
    world = World(tmp_path, broker)
    yield world
    world.troupe.stop()


def broker_restarted(world: World) -> Iterator[None]:
    world.broker.kill()
    yield
    world.broker.start()


def controller_killed(world: World) -> Iterator[None]:
    world.troupe.kill("controller")
    yield
    world.start_controller()


def controller_stopped(world: World) -> Iterator[None]:
    world.stop_kindly("controller")
    yield
    world.start_controller()


def gate_killed(world: World) -> Iterator[None]:
    world.troupe.kill(NORTH)
    world.troupe.start_gate(NORTH)
    yield


def gate_stopped(world: World) -> Iterator[None]:
    world.stop_kindly(NORTH)
    world.troupe.start_gate(NORTH)
    yield


@pytest.mark.parametrize(
    "fault", [broker_restarted, controller_killed, controller_stopped, gate_killed, gate_stopped],
    ids=lambda fault: fault.__name__,
)  # fmt: skip
def test_nothing_is_lost_doubled_or_disordered(world: World, fault: Callable[[World], Iterator[None]]) -> None:
    world.show(4)
    broken = fault(world)
    next(broken)
    world.show(4)
    assert next(broken, None) is None
    world.show(4)
    # A gate may keep one more at any moment, such as that nobody went.
    world.wait(lambda: world.stored() == list(range(1, world.last() + 1)), "not everything arrived once and in order")
    with Store(world.folder / "controller.db", read_only=True) as store:
        scans = next(store.db.query("SELECT count(*) AS scans, count(DISTINCT code_hash) AS codes FROM scans"))
    assert scans == {"scans": 12, "codes": 12}
