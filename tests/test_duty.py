"""Who guards the entrance, and when somebody is missed."""

from __future__ import annotations

import random
from datetime import datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.duty import BUTTON, Change, Duty, Prompts
from device.roster import Roster
from device.wire.hours import Expected, Interval
from device.wire.messages import Place

MONDAY_9 = datetime(2026, 11, 23, 9, 0)  # noqa: DTZ001 a wall clock at the entrance
ALWAYS = (Interval(),)
OFFICE = (Interval("mon-fri", "08:00", "12:00"), Interval("mon-fri", "13:30", "18:00"))


def duty(hours: tuple[Interval, ...] = ALWAYS, grace_s: float = 60, shift_s: float = 3600) -> Duty:
    return Duty(hours, grace_s=grace_s, shift_s=shift_s, now=0)


@pytest.mark.parametrize(
    ("interval", "moment", "covered"),
    [
        (Interval("mon-fri", "08:00", "12:00"), "2026-11-23T08:00", True),
        (Interval("mon-fri", "08:00", "12:00"), "2026-11-23T12:00", False),
        (Interval("mon-fri", "08:00", "12:00"), "2026-11-22T09:00", False),
        (Interval("sat,sun", "00:00", "00:00"), "2026-11-22T23:59", True),
        (Interval("fri", "22:00", "06:00"), "2026-11-28T05:59", True),
        (Interval("fri", "22:00", "06:00"), "2026-11-28T22:30", False),
        (Interval("sat-mon", "08:00", "09:00"), "2026-11-22T08:30", True),
        (Interval("sat-mon", "08:00", "09:00"), "2026-11-24T08:30", False),
    ],
)
def test_hours_cover_a_moment(interval: Interval, moment: str, covered: bool) -> None:  # noqa: FBT001
    assert interval.covers(datetime.fromisoformat(moment)) is covered


@pytest.mark.parametrize(
    ("days", "start", "end"), [("someday", "08:00", "09:00"), ("mon-", "8", "9"), ("mon", "25:00", "26:00")]
)
def test_hours_that_cannot_be_read_are_refused(days: str, start: str, end: str) -> None:
    with pytest.raises(ValueError, match="write"):
        Interval(days, start, end)


def test_nobody_is_flagged_after_the_grace_time_with_since_when() -> None:
    guard = duty()
    assert guard.look(0, MONDAY_9) == []
    assert guard.staffing == "grace"
    assert guard.look(59, MONDAY_9) == []
    assert guard.look(60, MONDAY_9) == [Change("unstaffed", "", "rule", 0)]
    assert (guard.staffing, guard.since) == ("unstaffed", 0)
    assert guard.look(61, MONDAY_9) == []


def test_a_badge_resolves_it_and_the_same_badge_checks_out() -> None:
    guard = duty()
    guard.look(0, MONDAY_9)
    guard.look(60, MONDAY_9)
    assert guard.badge("g-7", 70) == [Change("check_in", "g-7", "badge", 70)]
    assert guard.look(70, MONDAY_9) == [Change("staffed", "", "rule", 70)]
    assert (guard.staffing, guard.on_duty) == ("staffed", ("g-7",))
    assert [change.event_type for change in guard.badge("g-7", 80)] == ["check_out"]
    assert guard.look(80, MONDAY_9) == []
    assert guard.look(140, MONDAY_9) == [Change("unstaffed", "", "rule", 80)]


def test_one_of_two_guards_may_leave() -> None:
    guard = duty()
    guard.badge("a", 0)
    guard.button(1)
    assert guard.on_duty == ("a", BUTTON)
    guard.badge("a", 2)
    assert guard.look(500, MONDAY_9) == []
    assert guard.staffing == "staffed"


def test_outside_hours_nobody_is_missed() -> None:
    guard = duty(OFFICE)
    assert guard.look(0, MONDAY_9.replace(hour=12, minute=30)) == []
    assert guard.staffing == "off_hours"
    assert guard.look(9999, MONDAY_9.replace(hour=13)) == []
    assert guard.look(10000, MONDAY_9.replace(hour=13, minute=30)) == []
    assert guard.look(10060, MONDAY_9.replace(hour=13, minute=31)) == [Change("unstaffed", "", "rule", 10000)]
    assert guard.look(10070, MONDAY_9.replace(hour=18)) == [Change("staffed", "", "rule", 10070)]
    assert guard.staffing == "off_hours"


def test_an_unset_clock_misses_a_guard_where_hours_are_asked_for() -> None:
    guard = duty(OFFICE)
    guard.look(0, None)
    assert guard.look(60, None) == [Change("unstaffed", "", "rule", 0)]
    assert duty(()).look(60, None) == []


def test_a_check_in_does_not_last_longer_than_a_shift() -> None:
    guard = duty()
    guard.badge("a", 0)
    guard.look(0, MONDAY_9)
    assert guard.look(3600, MONDAY_9) == [Change("check_out", "a", "rule", 3600)]
    assert guard.staffing == "grace"


def test_a_checked_in_guard_whom_no_sensor_sees_is_missed() -> None:
    guard = duty()
    guard.badge("a", 0)
    guard.look(0, MONDAY_9)
    guard.presence(10, present=False)
    assert guard.look(69, MONDAY_9) == []
    assert guard.look(70, MONDAY_9) == [Change("unstaffed", "", "rule", 10)]
    guard.presence(80, present=True)
    assert guard.look(80, MONDAY_9) == [Change("staffed", "", "rule", 80)]


@given(
    st.lists(st.tuples(st.sampled_from(["badge", "button", "away", "back", "wait"]), st.integers(1, 90)), max_size=40)
)
def test_flags_and_their_ends_alternate(life: list[tuple[str, int]]) -> None:
    guard, now, flagged = duty(), 0, False
    for act, wait in life:
        match act:
            case "badge":
                guard.badge("a", now)
            case "button":
                guard.button(now)
            case "away" | "back":
                guard.presence(now, present=act == "back")
        now += wait
        for change in guard.look(now, MONDAY_9 + timedelta(seconds=now)):
            if change.by == "rule" and change.event_type in ("unstaffed", "staffed"):
                assert (change.event_type == "unstaffed") is not flagged
                flagged = not flagged
                assert change.since <= now
        assert flagged is (guard.staffing == "unstaffed")


def asked(every_s: float = 600, seed: int = 3) -> Duty:
    rng = random.Random(seed)
    guard = Duty(ALWAYS, grace_s=60, shift_s=99999, now=0, prompts=Prompts(every_s, 60), rng=rng)
    guard.badge("guard 7", 0)
    return guard


def until_asked(guard: Duty, now: int) -> int:
    while not guard.asked:
        assert guard.look(now, MONDAY_9) == []
        now += 1
    return now - 1


def test_a_prompt_that_is_answered_leaves_the_guard_on_duty() -> None:
    guard, now, moments = asked(), 0, list[int]()
    for _ in range(20):
        before = now
        now = until_asked(guard, now)
        moments.append(now - before)
        assert guard.button(now + 59) == [], "it answers, and checks nobody out"
        now += 59
    assert guard.staffing == "staffed"
    assert all(240 <= each <= 901 for each in moments)
    assert len(set(moments)) > 10, "nobody knows when"


def test_a_prompt_that_is_missed_leaves_the_entrance_unstaffed_after_the_grace_time() -> None:
    guard = asked()
    now = until_asked(guard, 0)
    assert guard.look(now + 59, MONDAY_9) == []
    changes = guard.look(now + 60, MONDAY_9)
    assert Change("missed", "guard 7", "rule", now) in changes
    assert Change("unstaffed", "", "rule", now) in [*changes, *guard.look(now + 61, MONDAY_9)]
    assert guard.on_duty == ("guard 7",), "still checked in, and not believed"
    assert guard.button(now + 70) == []
    assert guard.look(now + 70, MONDAY_9) == [Change("staffed", "", "rule", now + 70)]


def test_nobody_is_asked_outside_of_hours_or_when_nobody_is_checked_in() -> None:
    guard = Duty(OFFICE, grace_s=60, shift_s=99999, now=0, prompts=Prompts(10, 60), rng=random.Random(1))
    guard.badge("guard 7", 0)
    for now in range(0, 600, 5):
        guard.look(now, MONDAY_9.replace(hour=3))
        assert not guard.asked
    guard.badge("guard 7", 600)
    for now in range(600, 1200, 5):
        assert not any(change.event_type == "missed" for change in guard.look(now, MONDAY_9))
        assert not guard.asked


def test_a_second_badge_soon_after_the_first_left_is_a_handover() -> None:
    guard = duty()
    guard.badge("guard 7", 0)
    guard.badge("guard 7", 100)
    assert guard.badge("guard 8", 400)[1:] == [Change("handover", "guard 8", "badge", 400, after="guard 7")]
    guard.badge("guard 8", 500)
    assert [change.event_type for change in guard.badge("guard 7", 801)] == ["check_in"], "too long after"


def test_two_who_overlap_hand_over_when_the_first_leaves() -> None:
    guard = duty()
    guard.badge("guard 7", 0)
    assert [change.event_type for change in guard.badge("guard 8", 1000)] == ["check_in"]
    assert guard.badge("guard 7", 1100)[1:] == [Change("handover", "guard 8", "badge", 1100, after="guard 7")]
    guard.badge("guard 9", 1200)
    assert [change.event_type for change in guard.badge("guard 9", 1210)] == ["check_out"], "the other was there before"


def test_the_same_guard_who_comes_back_hands_over_to_nobody() -> None:
    guard = duty()
    guard.badge("guard 7", 0)
    guard.badge("guard 7", 10)
    assert [change.event_type for change in guard.badge("guard 7", 20)] == ["check_in"]


def test_a_guard_nobody_expects_is_recorded_and_flagged() -> None:
    guard = duty()
    assert guard.badge("guard 7", 0, expected={"guard 8"}) == [
        Change("check_in", "guard 7", "badge", 0, off_roster=True)
    ]
    assert guard.on_duty == ("guard 7",)
    assert not guard.badge("guard 8", 1, expected={"guard 8"})[0].off_roster
    assert not guard.badge("guard 9", 2, expected=None)[0].off_roster


@pytest.mark.parametrize(
    ("place", "hour", "minute", "here"),
    [
        ("expo/north", 9, 0, {"guard 7", "guard 8"}),
        ("expo/south", 9, 0, {"guard 8"}),
        ("expo/north", 7, 29, {"guard 8"}),
        ("expo/north", 7, 30, {"guard 7", "guard 8"}),
        ("other/north", 9, 0, None),
    ],
)
def test_who_is_expected_where_and_when(place: str, hour: int, minute: int, here: set[str] | None) -> None:
    roster = Roster([Expected("guard 7", "expo/north", "mon", "08:00", "12:00"), Expected("guard 8", "expo")])
    assert roster.here(Place.parse(place), MONDAY_9.replace(hour=hour, minute=minute)) == here
    assert roster.here(Place.parse(place), None) is None
