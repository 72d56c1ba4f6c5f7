"""What events add up to: rows of wrong tries, high temperatures, grants that nobody used, and who went through."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

import pytest

from controller.config import RulesSection
from controller.courses import counts, unscanned
from controller.rules.course import REMEMBERED, Course, Tries
from device.wire.messages import Passage
from tests.bystanders import WHEN, scan

RULES = RulesSection()
WRONG, GOOD = "revoked", ""


def course(*tries: tuple[str, str], tried: Tries | None = None, gap_s: float = 10) -> Course:
    """Return what comes of scans, each a reason and a code, one after another."""
    made, at = Course("expo", {}, RULES, tried or Tries()), WHEN
    for seq, (reason, code) in enumerate(tries, 1):
        at += timedelta(seconds=gap_s)
        made.take(scan(seq, *([reason] if reason else []), code=code), at, at)
    return made


def repeated(made: Course) -> int:
    run = made.runs.get("repeated")
    return run.count if run else 0


@pytest.mark.parametrize(
    ("tries", "count"),
    [
        ([(WRONG, "aa")] * 4, 0),
        ([(WRONG, "aa")] * 5, 5),
        ([(WRONG, name) for name in ("aa", "bb", "cc", "dd", "ee")], 5),
        ([(WRONG, "aa")] * 4 + [(GOOD, "bb")] + [(WRONG, "aa")], 5),  # the same code, whoever was admitted between
        ([(WRONG, "aa")] * 4 + [(GOOD, "aa")] + [(WRONG, "aa")], 0),
        ([(WRONG, name) for name in ("aa", "bb", "cc", "dd")] + [(GOOD, "zz"), (WRONG, "ee")], 0),
        ([("temperature_high", "aa")] * 9, 0),
        ([(WRONG, "aa")] * 6 + [(GOOD, "aa")], 6),  # that the sixth opened makes it no better
    ],
)
def test_too_many_wrong_tries_in_a_row(tries: list[tuple[str, str]], count: int) -> None:
    assert repeated(course(*tries)) == count


def test_one_code_is_tried_at_all_entrances_of_a_site() -> None:
    tried = Tries()
    at_north = course(*[(WRONG, "aa")] * 3, tried=tried)
    at_south = course(*[(WRONG, "aa")] * 2, tried=tried)
    assert (repeated(at_north), repeated(at_south)) == (0, 5)
    elsewhere = Course("fair", {}, RULES, tried)
    elsewhere.take(scan(1, WRONG, code="aa"), WHEN, WHEN)
    assert repeated(elsewhere) == 0


def test_a_pause_ends_a_row() -> None:
    assert repeated(course(*[(WRONG, "aa")] * 9, gap_s=RULES.repeated_hold_s)) == 0
    assert repeated(course(*[(WRONG, "aa")] * 9, gap_s=RULES.repeated_hold_s - 1)) == 9


def test_more_than_an_entrance_has_in_a_minute_is_too_much() -> None:
    def flood(gap_s: float, late_s: float = 0) -> int:
        made, at = Course("expo", {}, RULES, Tries()), WHEN
        for seq in range(1, 2 * RULES.flood_per_minute + 1):
            at += timedelta(seconds=gap_s)
            made.take(scan(seq), at - timedelta(seconds=late_s), at)
        run = made.runs.get("flood")
        return run.count if run else 0

    assert flood(gap_s=0.01) == RULES.flood_per_minute
    assert flood(gap_s=0.049) > 0
    assert flood(gap_s=0.05) == 0
    assert flood(gap_s=0.01, late_s=60) == 0, "what was kept while the gate was offline may be any number"


def test_wrong_codes_are_not_remembered_without_end() -> None:
    tried = Tries()
    for number in range(REMEMBERED + 5):
        tried.wrong("expo", str(number), WHEN, timedelta(60))
    assert tried.wrong("expo", "0", WHEN, timedelta(60)).count == 1
    assert tried.wrong("expo", str(REMEMBERED), WHEN, timedelta(60)).count == 2


def test_high_temperatures_and_unused_grants_are_counted() -> None:
    made = course(("temperature_high", "aa"), ("temperature_high", "bb"))
    assert made.runs["hot"].count == 2
    for seq, outcome in enumerate(("not_passed", "passed", "not_passed"), 3):
        made.take(passage(outcome, seq=seq), WHEN, WHEN)
    assert made.runs["unused"].count == 2
    assert made.runs["spoke"].count == 5
    made.take(passage("not_passed", seq=6), WHEN - timedelta(days=1), WHEN)
    assert made.runs["unused"].count == 2, "what was long ago is no news"


def passage(outcome: Any, seq: int = 1) -> Passage:
    return Passage(spool="a1b2c3", seq=seq, boot="b0", at=WHEN, mono=1, clock="synced", event_type=outcome)


@pytest.mark.parametrize(
    ("outcome", "without"), [("passed", False), ("forced", True), ("tailgated", True), ("not_passed", None)]
)
def test_who_went_through_without_a_grant(outcome: str, without: bool | None) -> None:  # noqa: FBT001
    assert unscanned(passage(outcome)) is without

    def at(seconds: float) -> datetime:
        return WHEN - timedelta(seconds=seconds)

    assert counts(passage(outcome), at(0), WHEN) == (without is not None)
    assert not counts(passage(outcome), at(3600), WHEN)
