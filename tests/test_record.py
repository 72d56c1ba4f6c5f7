"""What an entrance keeps, and how it makes way for what happens now."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import NamedTuple

import pytest

from device.clock import Clock, boot
from device.courier import Kept
from device.floor import Floor
from device.record import BACKLOG, Record
from device.spool import Reader, Spool
from device.wire.messages import Fault, Place, decode


class Kit(NamedTuple):
    """A record, the spool below it, and what it told of that."""

    record: Record
    spool: Spool
    told: list[Kept]
    path: Path

    def fill(self, events: int) -> None:
        for _ in range(events):
            self.spool.put("scan", lambda _: b"")

    def faults(self) -> list[Fault]:
        reader = Reader(self.path)
        kept = [decode(Fault, event.payload) for event in reader.after(0, 100) if event.kind == "fault"]
        reader.close()
        return kept


def kit(path: Path) -> Kit:
    spool, told = Spool(path, durable=False), list[Kept]()
    clock = Clock(Floor(path.with_name("clock.json"), boot()))
    record = Record(
        place=Place("expo", "north"), spool=spool, clock=clock, say=lambda *_args, **_how: True, kept=told.append
    )
    return Kit(record, spool, told, path)


@pytest.fixture
def fresh(tmp_path: Path) -> Iterator[Kit]:
    made = kit(tmp_path / "spool.db")
    yield made
    made.spool.close()


def test_what_happens_now_is_let_past_a_backlog(fresh: Kit) -> None:
    fresh.fill(BACKLOG)
    assert not fresh.record.make_way(answered=True)
    fresh.fill(1)
    old = fresh.spool.id
    assert fresh.record.make_way(answered=False)
    assert [reel.last for reel in fresh.spool.reels] == [BACKLOG + 1, 0]
    assert fresh.told == [Kept(old, BACKLOG + 1), Kept(fresh.spool.id, 0, 0, BACKLOG + 1)]


def test_a_bad_line_on_which_nobody_answers_seals_one_spool_only(fresh: Kit) -> None:
    for answered, spools in ((False, 2), (False, 2), (True, 3)):
        fresh.fill(BACKLOG + 1)
        fresh.record.make_way(answered=answered)
        assert len(fresh.spool.reels) == spools


def test_what_the_controller_has_is_no_backlog_though_it_is_not_forgotten_yet(fresh: Kit) -> None:
    fresh.fill(BACKLOG + 1)
    fresh.record.acknowledged(fresh.spool.id, 1)
    assert not fresh.record.make_way(answered=True)


def test_what_waits_from_before_is_told_at_the_start_the_oldest_first(fresh: Kit, tmp_path: Path) -> None:
    fresh.fill(BACKLOG + 2)
    fresh.record.make_way(answered=True)
    fresh.fill(3)
    fresh.spool.forget(2)
    names = [reel.id for reel in fresh.spool.reels]
    fresh.spool.close()
    again = kit(tmp_path / "spool.db")
    again.record.begin()
    assert again.told == [Kept(names[0], BACKLOG + 2, 0, 0), Kept(names[1], 3, 2, BACKLOG + 2)]
    again.record.keep(Fault, event_type="raised", fault="camera_lost")
    assert again.told[2:] == [Kept(names[1], 4, 2, BACKLOG + 2)]
    for name, seq in zip(names, (BACKLOG + 2, 4), strict=True):
        again.record.acknowledged(name, seq)
    again.record.forget()
    assert (again.record.depth, len(again.spool.reels)) == (0, 1)
    again.spool.close()


def test_how_many_were_let_in_unrecorded_is_said_once_when_the_disk_works_again(fresh: Kit) -> None:
    fresh.spool._opened().execute("PRAGMA query_only=1")
    for _ in range(3):
        assert fresh.record.keep(Fault, event_type="raised", fault="camera_lost") is None
        fresh.record.unrecorded()
    fresh.spool._opened().execute("PRAGMA query_only=0")
    for _ in range(2):
        fresh.record.keep(Fault, event_type="raised", fault="camera_lost")
    assert [each.detail for each in fresh.faults()] == ["", "3 let in unrecorded", ""]
