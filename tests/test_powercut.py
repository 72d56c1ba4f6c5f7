"""The power is cut, or the process killed, at any moment: what was promised is there afterwards."""

from __future__ import annotations

import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.fire import recording
from tests.fire.powercut import MEMORY, cut, images, kill, record_writer
from tests.fire.recording import Op

pytestmark = pytest.mark.skipif(bool(recording.missing()), reason=recording.missing())


@pytest.fixture
def folder() -> Iterator[Path]:
    """A folder in memory where there is one: strace hears every sync, and nobody waits for it."""
    with tempfile.TemporaryDirectory(prefix="menshen-", dir=MEMORY) as place:
        yield Path(place)


@pytest.mark.parametrize(("writer", "count"), [("spool", 250), ("policy", 150), ("desk", 150)])
def test_nothing_promised_is_lost_when_the_power_is_cut(writer: str, count: int, folder: Path) -> None:
    ops = record_writer(writer, folder)
    assert any(op.act == "show" for op in ops)
    assert cut(writer, ops, folder / "found", count=count, seed=1) == {}


@pytest.mark.parametrize("writer", ["spool", "desk"])
def test_a_writer_that_syncs_less_is_found_out(writer: str, folder: Path) -> None:
    ops = record_writer(writer, folder, "NORMAL")
    assert any("lost" in wrong for wrong in cut(writer, ops, folder / "found", count=60, seed=1))


def test_nothing_kept_is_lost_when_the_gate_is_killed_at_any_write_or_sync(folder: Path) -> None:
    ops = record_writer("spool", folder)
    assert kill("spool", ops, folder, count=10) == {}


def test_what_is_synced_stays_and_the_rest_may_go() -> None:
    """Rebuild by hand what a small story leaves, so that the disks themselves can be believed."""
    kept, late = b"k" * 1000, b"l" * 1000
    ops = [
        Op("make", "a"), Op("write", "a", kept), Op("sync", "a"), Op("sync"),
        Op("write", "a", late), Op("make", "b"), Op("write", "b", late), Op("show", data=b"x"), Op("sync", "a"),
    ]  # fmt: skip
    found = [image for image in images(ops, 600, seed=1) if image.shown]
    firsts = {image.files["a"] for image in found}
    assert {len(first) for first in firsts} == {1000}
    assert {kept, late, kept[:512] + late[512:], late[:512] + kept[512:]} == firsts
    assert {"b" in image.files for image in found} == {True, False}
