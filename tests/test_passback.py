"""Who may come in again, and who is one too many."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.crossing import Way
from device.memory import Memory
from device.passback import Occupancy, Passing, ReentrySection, again, way

DIRECTION = ReentrySection(mode="direction")
TIME = ReentrySection(mode="time", again_s=600)


def passing(direction: Way, at: float, entrance: str = "north", code: str = "c0de") -> Passing:
    return Passing(f"s-{at:g}-{entrance}", code, direction, at, entrance)


@pytest.mark.parametrize(
    ("went", "rules", "uses", "now", "reason"),
    [
        ("", DIRECTION, 0, 100, ""),
        ("i", DIRECTION, 0, 9e9, "passback"),
        ("io", DIRECTION, 0, 100, ""),
        ("ioi", DIRECTION, 0, 100, "passback"),
        ("i", TIME, 0, 599, "passback"),
        ("i", TIME, 0, 600, ""),
        ("i", TIME, 0, None, "passback"),
        ("io", TIME, 0, 599, "passback"),
        ("i", ReentrySection(), 0, 1, ""),
        ("i", ReentrySection(), 1, 9e9, "already_redeemed"),
        ("io", DIRECTION, 1, 9e9, "already_redeemed"),
        ("ioi", ReentrySection(), 3, 9e9, ""),
        ("ioioi", ReentrySection(), 3, 9e9, "already_redeemed"),
    ],
)
def test_coming_in_again(went: str, rules: ReentrySection, uses: int, now: float | None, reason: str) -> None:
    passings = [passing("in" if letter == "i" else "out", number) for number, letter in enumerate(went)]
    assert again(passings, "in", now, rules=rules, uses=uses) == reason
    assert again(passings, "out", now, rules=rules, uses=uses) == "", "whoever leaves is never held back"


def test_which_way_a_code_goes_where_both_are_scanned() -> None:
    assert way("both", []) == "in"
    assert way("both", [passing("in", 1)]) == "out"
    assert way("both", [passing("in", 1), passing("out", 2)]) == "in"
    assert way("in", [passing("in", 1)]) == "in"
    assert way("out", []) == "out"


@given(st.integers(1, 9), st.lists(st.booleans(), max_size=30))
def test_a_pass_for_n_times_admits_n_times(uses: int, goes: list[bool]) -> None:
    passings: list[Passing] = []
    for number, go in enumerate(goes):
        if go and not again(passings, "in", number, rules=ReentrySection(), uses=uses):
            passings.append(passing("in", number))  # one who does not go through has not used it
    assert len(passings) == min(uses, sum(goes))


def test_a_site_is_full_by_what_was_told_and_who_went_since() -> None:
    site = Occupancy()
    site.went("in")
    assert (site.inside, site.limited, site.full("in", 99)) == (None, False, False), "nobody ever told"
    site.told(9, capacity=10)
    assert (site.full("in", 1), site.full("in", 2), site.full("out", 2)) == (False, True, False)
    for went, inside, full in (("in", 10, True), ("out", 9, False), ("unknown", 9, False)):
        site.went(went)
        assert (site.inside, site.full("in", 1)) == (inside, full)
    site.told(3, capacity=0)
    assert (site.inside, site.full("in", 99)) == (3, False)


@pytest.fixture
def memory(tmp_path: Path) -> Iterator[Memory]:
    memory = Memory(tmp_path / "memory.db")
    yield memory
    memory.close()


def test_what_is_remembered_outlives_the_process_and_comes_in_order(memory: Memory, tmp_path: Path) -> None:
    later, earlier = passing("out", 20), passing("in", 10, "south")
    memory.keep(later)
    memory.keep(earlier)
    memory.keep(passing("in", 15, code="another"))
    other = Memory(tmp_path / "memory.db")
    assert other.of("c0de") == [earlier, later]
    other.close()


def test_nobody_went_after_all_and_it_may_be_told_twice(memory: Memory) -> None:
    first = passing("in", 10)
    memory.keep(first)
    memory.keep(first)
    assert memory.of("c0de") == [first]
    memory.void(first.id)
    memory.keep(first)
    assert memory.of("c0de") == [], "a word that comes late does not bring it back"
    elsewhere = passing("in", 30, "south")
    memory.keep(elsewhere, void=True)
    memory.keep(elsewhere)
    assert memory.of("c0de") == []


def test_it_forgets_without_leaving_a_trace(memory: Memory, tmp_path: Path) -> None:
    memory.keep(passing("in", 10, code="forgotten-code"))
    memory.keep(passing("in", 20))
    memory.forget(before=15)
    assert memory.of("forgotten-code") == []
    assert memory.of("c0de") == [passing("in", 20)]
    memory.close()
    assert not [path for path in tmp_path.iterdir() if b"forgotten-code" in path.read_bytes()]


def test_a_memory_that_cannot_be_read_is_begun_anew(tmp_path: Path) -> None:
    (tmp_path / "memory.db").write_bytes(b"nothing of the kind, but long enough to be read as a page" * 99)
    memory = Memory(tmp_path / "memory.db")
    memory.keep(passing("in", 1))
    assert "begun anew" in memory.mended
    assert memory.of("c0de")
    memory.close()
