"""Pure: how many wait, by picture, codes and beam; when that is a crowd, and when it no longer is."""

from __future__ import annotations

from collections.abc import Iterable

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.crowd import FRESH_S, PACE_S, RUN_S, STANDS_S, Crowd, Estimate
from device.sight import Counted

HOLD_S = 20.0


def crowd(threshold: int = 4) -> Crowd:
    return Crowd(threshold=threshold, hold_s=HOLD_S, now=0)


def estimate(made: Crowd) -> Estimate | None:
    return made.estimate


def lives(made: Crowd, counts: Iterable[int], *, begin: int = 0, near: int = 0) -> list[tuple[int, bool]]:
    """Count once a second; return the seconds at which it became a crowd, or ended being one."""
    changes, was = [], made.crowded
    for second, waiting in enumerate(counts, begin):
        made.counted(Counted(waiting=waiting, near=near, frame_at=float(second)))
        made.look(float(second))
        if made.crowded != was:
            was = made.crowded
            changes.append((second, was))
    return changes


def test_a_crowd_is_one_once_it_lasts_and_says_since_when() -> None:
    made = crowd()
    assert lives(made, [5] * 60) == [(20, True)]
    assert made.since == 0
    assert estimate(made) == Estimate(5, "picture")


def test_it_ends_once_it_is_a_third_smaller_for_as_long() -> None:
    made = crowd(threshold=6)
    assert lives(made, [6] * 30 + [5] * 100) == [(20, True)], "one fewer is not yet the end of it"
    changes = lives(made, [4] * 60, begin=130)
    assert [over for _, over in changes] == [False]
    assert 130 + HOLD_S <= changes[0][0] <= 130 + HOLD_S + FRESH_S


def test_some_who_pass_by_are_no_crowd() -> None:
    assert lives(crowd(), ([8] * 8 + [0] * 22) * 10) == []


def test_who_is_served_may_hide_the_others_for_a_while() -> None:
    assert lives(crowd(), ([5] * 4 + [0] * 4) * 20) != []


def test_a_picture_that_is_lost_says_nothing() -> None:
    made = crowd()
    lives(made, [5] * 60)
    made.look(60 + FRESH_S)
    assert estimate(made) is None
    assert made.crowded, "nobody can tell that it is over"


def test_codes_without_a_pause_say_who_waited_behind_the_first() -> None:
    made = crowd()
    for number in range(5):
        made.scanned(b"%d" % number, 4.0 * number)
    made.look(17)
    assert estimate(made) == Estimate(4, "codes")
    made.look(16 + PACE_S + 0.1)
    assert estimate(made) is None, "the next did not come at once: nobody was waiting"


def test_only_the_last_codes_count() -> None:
    made = crowd()
    for number in range(60):
        made.scanned(b"%d" % number, 3.0 * number)
    made.look(177)
    assert estimate(made) == Estimate(int(RUN_S / 3), "codes")


def test_one_who_shows_a_code_again_and_again_is_one() -> None:
    made = crowd()
    for number in range(9):
        made.scanned(b"the same", 2.0 * number)
    made.look(16)
    assert estimate(made) is None


def test_who_stands_in_the_beam_is_somebody() -> None:
    made = crowd()
    made.beam(1, broken=True)
    made.look(1.5)
    assert estimate(made) is None, "walking through"
    made.look(1 + STANDS_S)
    assert estimate(made) == Estimate(1, "beam")
    made.beam(5, broken=False)
    made.look(5)
    assert estimate(made) is None


def test_the_highest_estimate_counts() -> None:
    made = crowd()
    for number in range(4):
        made.scanned(b"%d" % number, 4.0 * number)
    made.counted(Counted(waiting=2, near=0, frame_at=12))
    made.look(13)
    assert estimate(made) == Estimate(3, "codes")


@pytest.mark.parametrize(("near", "expected"), [((0, 1, 0), False), ((1, 0, 1), True), ((1, 1, 1, 0, 0), False)])
def test_too_near_is_what_most_looks_say(near: tuple[int, ...], expected: bool) -> None:  # noqa: FBT001
    made = crowd()
    for second, each in enumerate(near):
        made.counted(Counted(waiting=1, near=each, frame_at=second))
    made.look(len(near))
    assert made.too_near is expected
    made.look(99)
    assert not made.too_near


@given(st.integers(2, 50), st.lists(st.integers(0, 60), max_size=200))
def test_it_never_changes_its_mind_sooner_than_it_may(threshold: int, counts: list[int]) -> None:
    moments = [second for second, _ in lives(crowd(threshold), counts)]
    assert all(later - sooner >= HOLD_S for sooner, later in zip([0, *moments], moments, strict=False))
