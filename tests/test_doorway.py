"""A door by its contact: who opened it on what, and for how long it has stood open."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.doorway import Doorway
from device.passage import Scanned, Went

FORCED = Went("forced", "unknown", None)


def shut(*, counts: bool = True, scanned: Scanned = "in", free_exit: bool = False) -> Doorway:
    """Return a door that was shut from the start."""
    door = Doorway(release_s=8, counts=counts, scanned=scanned, free_exit=free_exit)
    assert door.changed(0, opened=False, free=False) == []
    return door


def opens(door: Doorway, at: float, *, free: bool = False) -> list[Went]:
    """Open it and let it fall shut."""
    went = door.changed(at, opened=True, free=free)
    assert door.changed(at + 0.5, opened=False, free=free) == []
    return went


@pytest.mark.parametrize(("scanned", "direction"), [("in", "in"), ("out", "out"), ("both", "unknown")])
def test_an_opening_after_a_grant_is_its_passage(scanned: Scanned, direction: str) -> None:
    door = shut(scanned=scanned)
    door.granted(41, 1)
    assert opens(door, 2) == [Went("passed", direction, 41)]  # type: ignore[arg-type]
    assert door.look(20) == []


def test_an_opening_with_nothing_granted_is_forced_and_so_is_one_too_late() -> None:
    door = shut()
    assert opens(door, 1) == [FORCED]
    door.granted(41, 2)
    assert door.look(10) == [], "an opening takes a moment to be told"
    assert door.changed(10.05, opened=True, free=False) == [FORCED]
    assert door.look(10.2) == [Went("not_passed", "unknown", 41)]


def test_one_who_opened_it_in_time_and_was_told_of_late_has_passed() -> None:
    door = shut()
    door.granted(41, 2)
    assert door.look(10.01) == []
    assert door.changed(9.99, opened=True, free=False) == [Went("passed", "in", 41)]


def test_one_who_opened_it_before_a_grant_did_not_open_it_on_it() -> None:
    door = shut()
    door.granted(41, 5)
    assert door.changed(4.9, opened=True, free=False) == [FORCED]
    assert door.look(5.1) == [Went("passed", "in", 41)], "but now it stands open to whoever was granted"


def test_a_door_that_is_opened_again_on_the_same_release_is_no_second_person() -> None:
    door = shut()
    door.granted(41, 0)
    assert opens(door, 1) == [Went("passed", "in", 41)]
    assert opens(door, 3) == []
    assert opens(door, 8) == [FORCED]


def test_all_who_were_granted_go_through_one_opening_and_a_party_is_as_many() -> None:
    door = shut()
    door.granted(41, 0)
    door.granted(42, 1, people=3)
    assert opens(door, 2) == [Went("passed", "in", 41), *[Went("passed", "in", 42)] * 3]


def test_who_is_granted_while_it_stands_open_goes_through() -> None:
    door = shut()
    door.granted(41, 0)
    door.changed(1, opened=True, free=False)
    door.granted(42, 4)
    assert door.look(4) == [Went("passed", "in", 42)]


def test_nobody_is_forced_through_a_way_that_is_free() -> None:
    assert opens(shut(), 1, free=True) == []
    leaving = shut(free_exit=True)
    assert opens(leaving, 1) == []
    leaving.granted(41, 2)
    assert opens(leaving, 3) == [Went("passed", "in", 41)]


def test_how_it_stood_at_the_start_is_no_opening() -> None:
    door = Doorway(release_s=8, counts=True)
    assert door.changed(0, opened=True, free=False) == []
    assert door.changed(1, opened=True, free=False) == []
    assert door.open_for(30) == 30
    assert door.changed(31, opened=False, free=False) == []
    assert opens(door, 40) == [FORCED]


def test_it_claims_nothing_where_others_count() -> None:
    door = shut(counts=False)
    door.granted(41, 0)
    assert opens(door, 1) == []
    assert opens(door, 20) == []
    assert door.look(30) == []


def test_it_is_held_open_from_the_last_who_was_let_in() -> None:
    door = shut(counts=False)
    assert door.open_for(5) == 0
    door.changed(10, opened=True, free=False)
    assert door.open_for(25) == 15
    door.granted(41, 20)
    assert door.open_for(25) == 5
    door.changed(26, opened=False, free=False)
    assert door.open_for(60) == 0


def test_a_grant_from_before_events_were_counted_anew_is_used_like_any_other() -> None:
    door = shut()
    door.granted(41, 0)
    door.renumber()
    assert opens(door, 1) == [Went("passed", "in", None)]


@given(st.lists(st.sampled_from(["grant", "party", "open", "shut", "fire", "wait"])))
def test_nobody_goes_twice_on_a_grant_and_none_is_forgotten(life: list[str]) -> None:
    door, now, granted, told = shut(), 0.0, 0, list[Went]()
    for act in life:
        now += 5 if act == "wait" else 0.5
        told += door.look(now)
        if act in ("grant", "party"):
            granted += 1 if act == "grant" else 3
            door.granted(granted, now, people=1 if act == "grant" else 3)
        elif act != "wait":
            told += door.changed(now, opened=act != "shut", free=act == "fire")
    told += door.changed(now, opened=False, free=False) + door.look(now + 9)
    assert sum(went.people for went in told if went.scan is not None) == granted
    assert [went for went in told if went.event_type == "forced" and went.scan] == []
