"""Events on a gate's own disk."""

from __future__ import annotations

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest

from device.spool import SCHEMA, Reader, Reel, Spool, SpoolError


def put(spool: Spool, text: str) -> int:
    return spool.put("scan", lambda seq: f"{seq}:{text}".encode())


def test_events_are_numbered_without_gaps_and_survive(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    assert [put(spool, text) for text in "abc"] == [1, 2, 3]
    name = spool.id
    spool.close()
    spool = Spool(tmp_path / "spool.db")
    assert (spool.id, spool.last, spool.depth) == (name, 3, 3)
    assert put(spool, "d") == 4
    reader = Reader(tmp_path / "spool.db")
    assert [event.payload for event in reader.after(2, 10)] == [b"3:c", b"4:d"]
    assert [event.seq for event in reader.after(0, 2)] == [1, 2]
    reader.close()
    spool.close()


def test_what_is_forgotten_is_never_numbered_again(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    for text in "abc":
        put(spool, text)
    spool.forget(3)
    spool.close()
    spool = Spool(tmp_path / "spool.db")
    assert (spool.forgotten, spool.depth) == (3, 0)
    assert put(spool, "d") == 4
    spool.forget(99)
    assert spool.forgotten == 4
    spool.close()


def test_what_is_sealed_waits_under_its_own_name_until_it_is_forgotten(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    for text in "abc":
        put(spool, text)
    old = spool.id
    spool.seal()
    assert (spool.id != old, spool.last, spool.depth) == (True, 0, 3)
    assert [put(spool, text) for text in "de"] == [1, 2]
    spool.forget(1)
    spool.forget(2, old)
    spool.close()
    spool = Spool(tmp_path / "spool.db")
    assert spool.reels == [Reel(old, 0, 3, 2), Reel(spool.id, 3, 2, 1)]
    reader = Reader(tmp_path / "spool.db")
    assert [(event.seq, event.payload) for event in reader.after(0, 9)] == [(3, b"3:c"), (5, b"2:e")]
    reader.close()
    spool.forget(3, old)
    spool.forget(9, "a name nobody gave")
    spool.close()
    spool = Spool(tmp_path / "spool.db")
    assert spool.reels == [Reel(spool.id, 3, 2, 1)]
    assert put(spool, "f") == 3
    spool.close()


def test_a_file_from_before_spools_were_sealed_is_read(tmp_path: Path) -> None:
    with closing(sqlite3.connect(tmp_path / "spool.db", isolation_level=None)) as db:
        db.executescript(SCHEMA)
        db.execute("INSERT INTO spool VALUES ('a1b2c3', 4)")
        db.execute("INSERT INTO event VALUES (5, 'scan', x'00')")
    spool = Spool(tmp_path / "spool.db")
    assert spool.reels == [Reel("a1b2c3", 0, 5, 4)]
    spool.seal()
    assert put(spool, "a") == 1
    spool.close()


def test_what_the_controller_has_leaves_no_byte(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    reader = Reader(tmp_path / "spool.db")
    for number in range(1500):
        put(spool, f"guard {number:06d}" + "x" * (number % 700))
        if number % 100 == 50:
            spool.forget(number - 20)
    assert b"guard 001499" in everything(tmp_path)
    spool.forget(spool.last)
    assert spool.empty_log()
    assert reader.after(0, 10) == []
    assert b"guard 0" not in everything(tmp_path)
    reader.close()
    spool.close()


def everything(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in folder.glob("spool.db*"))


def test_a_payload_that_cannot_be_made_uses_no_number(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")

    def fail(_seq: int) -> bytes:
        raise ValueError("too large")

    with pytest.raises(ValueError, match="too large"):
        spool.put("scan", fail)
    assert put(spool, "a") == 1
    spool.close()


def test_a_broken_file_is_put_aside_and_kept(tmp_path: Path) -> None:
    path = tmp_path / "spool.db"
    path.write_bytes(b"this was once a database" * 100)
    spool = Spool(path)
    assert "kept as spool.db.broken-" in spool.mended
    assert put(spool, "a") == 1
    spool.close()
    (aside,) = tmp_path.glob("spool.db.broken-*")
    assert aside.read_bytes().startswith(b"this was once")


def test_a_disk_that_cannot_be_used_is_named_and_tried_again(tmp_path: Path) -> None:
    (tmp_path / "spool.db").mkdir()
    spool = Spool(tmp_path / "spool.db")
    assert "spool.db: the spool cannot be opened" in spool.problem
    with pytest.raises(SpoolError, match=r"spool\.db"):
        put(spool, "a")
    (tmp_path / "spool.db").rmdir()
    assert put(spool, "a") == 1
    assert spool.problem == ""
    spool.close()


def test_a_full_disk_keeps_nothing_and_says_so(tmp_path: Path) -> None:
    spool = Spool(tmp_path / "spool.db")
    put(spool, "a")
    pages = spool._opened().execute("PRAGMA page_count").fetchone()[0]
    spool._opened().execute(f"PRAGMA max_page_count={pages}")
    with pytest.raises(SpoolError, match="full"):
        put(spool, "x" * 50_000)
    spool._opened().execute("PRAGMA max_page_count=100000")
    assert put(spool, "b") == 2
    spool.close()


WRITER = """
import sys
from pathlib import Path
from device.spool import Spool
spool = Spool(Path(sys.argv[1]))
while True:
    print(spool.put("scan", lambda seq: b"%d" % seq), flush=True)
"""


def test_a_kill_loses_nothing_that_was_kept(tmp_path: Path) -> None:
    path, last = tmp_path / "spool.db", 0
    for _ in range(3):
        with subprocess.Popen([sys.executable, "-c", WRITER, str(path)], stdout=subprocess.PIPE, text=True) as writer:
            assert writer.stdout
            for _ in range(40):
                said = int(writer.stdout.readline())
                assert said > last
                last = said
            os.kill(writer.pid, signal.SIGKILL)
        spool = Spool(path)
        assert spool.last >= last
        last = spool.last
        spool.close()
        reader = Reader(path)
        assert [event.seq for event in reader.after(0, 10_000)] == list(range(1, last + 1))
        reader.close()
