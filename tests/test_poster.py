"""Pure: whether the entrance's printed code is read, worn, gone or pasted over, or was held up for the daily check."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import UTC, datetime, time, timedelta

import pytest

from device.poster import LOOKS, PAUSE_S, WORN, Poster, Sighting, Watch

OURS = Sighting(ours=True, identity=b"ours")
STICKER = Sighting(ours=False, identity=b"sticker")
PERIOD_S = 2.0
MORNING = datetime(2026, 11, 24, 7, 0, tzinfo=UTC)


def poster(watch: Watch = "in_view") -> Poster:
    return Poster(watch, missing_s=60, foreign_s=40, check=time(8), grace_s=600)


def looks(
    made: Poster, seconds: float, *sightings: Sighting, begin: float = 0, still: bool = True, every_s: float = PERIOD_S
) -> float:
    """Look for so long; return when the next look would be."""
    for number in range(round(seconds / every_s)):
        made.looked(sightings, begin + number * every_s, still=still)
    return begin + round(seconds / every_s) * every_s


def test_a_poster_that_is_read_is_well() -> None:
    made = poster()
    looks(made, 600, OURS)
    assert (made.unreadable, made.foreign) == ("", "")


def test_one_that_is_not_read_any_more_is_said_after_a_while_and_taken_back_at_once() -> None:
    made = poster()
    at = looks(made, 10, OURS)
    at = looks(made, 58, begin=at)
    assert made.unreadable == ""
    at = looks(made, 6, begin=at)
    assert made.unreadable == "not read any more: faded, covered or gone, for 60 s without movement before it"
    looks(made, 2, OURS, begin=at)
    assert made.unreadable == ""


def test_one_that_never_was_read_is_said_so() -> None:
    made = poster()
    looks(made, 70)
    assert made.unreadable.startswith("not read since the start")


def test_people_before_it_are_not_its_fault() -> None:
    made = poster()
    at = looks(made, 10, OURS)
    at = looks(made, 3600, begin=at, still=False)
    assert made.unreadable == ""
    looks(made, 50, begin=at)
    assert made.unreadable == ""


def test_hours_without_a_camera_are_no_time() -> None:
    made = poster()
    looks(made, 4, OURS)
    made.looked((), 7200, still=True)
    assert made.unreadable == ""
    assert PAUSE_S < 60


def test_one_that_dirt_has_nearly_used_up_is_said_before_it_is_lost() -> None:
    made = poster()
    worn = OURS._replace(spare=WORN - 0.05)
    at = looks(made, PERIOD_S * (LOOKS - 1), worn)
    assert made.unreadable == ""
    at = looks(made, PERIOD_S, worn, begin=at)
    assert made.unreadable == "worn: 30% of its error correction is left"
    looks(made, PERIOD_S * LOOKS, OURS, begin=at)
    assert made.unreadable == ""


def test_another_code_that_stays_is_foreign_until_it_is_gone() -> None:
    made = poster()
    at = looks(made, 60, OURS, STICKER)
    assert made.foreign == "a code that is not this entrance's has stayed in view for 40 s"
    looks(made, 40, OURS, begin=at)
    assert made.foreign == ""


def test_a_sticker_is_foreign_also_when_people_hide_it_at_times() -> None:
    made, at = poster(), 0.0
    for _ in range(6):
        at = looks(made, 10, STICKER, begin=at, still=False)
        at = looks(made, 10, begin=at, still=False)
    assert made.foreign


def test_visitors_codes_come_and_go() -> None:
    made, at = poster(), 0.0
    for visitor in range(200):
        code = Sighting(ours=False, identity=b"%d" % visitor)
        at = looks(made, 6, OURS, code, begin=at, still=False)
    assert (made.unreadable, made.foreign) == ("", "")


def day(made: Poster, *hours: float) -> Iterable[datetime]:
    """Look at these hours of the day."""
    for hour in hours:
        local = MORNING.replace(hour=0) + timedelta(hours=hour)
        made.look(local)
        yield local


def test_a_daily_check_that_was_not_done_is_said_until_it_is() -> None:
    made = poster("daily")
    list(day(made, 7, 8, 8.1))
    assert made.unreadable == ""
    (late,) = day(made, 8.2)
    assert made.unreadable == "nobody held it up for the check of 08:00"
    made.held(late, ours=True)
    assert made.unreadable == ""
    list(day(made, 12, 24 + 7, 24 + 8.1))
    assert made.unreadable == ""
    list(day(made, 24 + 8.2))
    assert made.unreadable, "the next day wants its own"


def test_a_check_counts_a_little_before_its_time_and_not_long_before() -> None:
    for hour, done in ((7.6, True), (7.4, False)):
        made = poster("daily")
        (early,) = day(made, hour)
        made.held(early, ours=True)
        list(day(made, 8, 8.5))
        assert (made.unreadable == "") is done


def test_the_code_of_another_entrance_at_the_check_is_foreign_until_ours_is_shown() -> None:
    made = poster("daily")
    made.held(MORNING, ours=False)
    assert made.foreign == "", "an hour before, it is a visitor's mistake"
    made.held(MORNING + timedelta(minutes=45), ours=False)
    assert made.foreign == "the code held up for the check is not this entrance's"
    made.held(MORNING + timedelta(minutes=46), ours=True)
    assert made.foreign == ""


def test_a_gate_that_does_not_know_the_time_or_began_later_misses_no_check() -> None:
    made = poster("daily")
    made.look(None)
    list(day(made, 9, 12))
    assert made.unreadable == ""


@pytest.mark.parametrize("count", [1000])
def test_what_is_remembered_of_other_codes_is_bounded(count: int) -> None:
    made = poster()
    for number in range(count):
        made.looked([Sighting(ours=False, identity=b"%d" % number)], number / 100, still=True)
    assert len(made._others) <= 16
