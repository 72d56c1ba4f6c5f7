"""Which commands are obeyed; a late "open" never opens a door."""

from __future__ import annotations

import os
from collections import Counter
from datetime import timedelta
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from device.commands import PACE_S, QUIET_S, REMEMBERED, SKEW_S, WARY_S, Commands, Refusals
from device.wire.messages import COMMAND_S, ClockState, encode
from tests.lives import ALLOWED, HERE, NOON, Act, Life, command, histories

HISTORIES = int(os.environ.get("MENSHEN_HISTORIES", "300"))


class Told:
    """The rules alone, told the time."""

    def __init__(self, allow: tuple[str, ...] = ALLOWED) -> None:
        self.now = 0.0
        self.ahead = 0.0
        self.state: ClockState = "synced"
        self._allow = allow
        self.restart()

    def restart(self) -> None:
        self._commands = Commands(HERE, self._allow, now=self.now)

    def reason(self, payload: bytes, verb: str = "open", *, here: bool = True, retained: bool = False) -> str:
        asked = self._commands.judge(
            verb, payload, here=here, retained=retained, now=self.now, clock=self.state,
            wall=NOON + timedelta(seconds=self.now + self.ahead),
        )  # fmt: skip
        assert asked.reason or asked.until > self.now
        return asked.reason

    def deliver(self, verb: str, payload: bytes, *, here: bool, retained: bool) -> bool:
        return not self.reason(payload, verb, here=here, retained=retained)


@pytest.fixture
def told() -> Told:
    begun = Told()
    begun.now = WARY_S
    return begun


def good(told: Told, mark: str = "0123456789abcdef", *, left: float = COMMAND_S, to: str = str(HERE)) -> bytes:
    return encode(command(mark, told.now + left, to))


@pytest.mark.parametrize("verb", ALLOWED)
def test_a_good_one_is_obeyed_once(told: Told, verb: str) -> None:
    payload = good(told)
    assert told.reason(payload, verb) == ""
    assert [told.reason(payload, verb) for _ in range(3)] == ["repeated"] * 3


@pytest.mark.parametrize(
    ("left", "reason"),
    [
        (-1e9, "late"), (-0.001, "late"), (0.0, "late"), (0.001, ""), (COMMAND_S, ""), (COMMAND_S + SKEW_S, ""),
        (COMMAND_S + SKEW_S + 0.001, "far_ahead"), (86400.0 * 365, "far_ahead"),
    ],
)  # fmt: skip
def test_a_late_one_is_refused_and_one_that_could_become_late(told: Told, left: float, reason: str) -> None:
    assert told.reason(good(told, left=left)) == reason


def test_one_that_was_refused_is_not_obeyed_when_it_comes_again(told: Told) -> None:
    waiting = good(told, left=30)
    assert told.reason(waiting) == "far_ahead"
    told.now += 25
    assert told.reason(waiting) == "repeated"


@pytest.mark.parametrize(
    ("change", "reason"),
    [
        ({"retained": True}, "retained"),
        ({"here": False}, "foreign"),
        ({"verb": "shut"}, "unknown_verb"),
        ({"verb": "open/../identify"}, "unknown_verb"),
        ({"verb": ""}, "unknown_verb"),
    ],
)
def test_what_speaks_against_it_is_said(told: Told, change: dict[str, Any], reason: str) -> None:
    assert told.reason(good(told), **change) == reason


def test_one_to_another_entrance_is_foreign_whatever_topic_it_came_on(told: Told) -> None:
    assert told.reason(good(told, to="expo/south")) == "foreign"


def test_opening_from_afar_has_to_be_allowed() -> None:
    told = Told(allow=("identify",))
    told.now = WARY_S
    assert told.reason(good(told)) == "not_allowed"
    assert told.reason(good(told, "another-one"), "identify") == ""


@pytest.mark.parametrize(
    ("state", "opens", "identifies"),
    [("synced", "", ""), ("holdover", "clock_unsure", ""), ("unset", "clock_unsure", "clock_unsure")],
)
def test_a_clock_that_is_unsure_opens_nothing(told: Told, state: ClockState, opens: str, identifies: str) -> None:
    told.state = state
    assert told.reason(good(told)) == opens
    told.now += PACE_S
    assert told.reason(good(told, "another-one"), "identify") == identifies


def test_what_may_have_been_obeyed_before_a_restart_is_refused(told: Told) -> None:
    payload = good(told, left=COMMAND_S + SKEW_S)
    assert told.reason(payload) == ""
    told.restart()
    assert told.reason(payload) == "perhaps_repeated"
    told.restart()
    told.now += WARY_S
    assert told.reason(payload) == "late"
    assert told.reason(good(told, "another-one")) == ""


def test_two_at_once_are_one(told: Told) -> None:
    assert [told.reason(good(told, f"at-once-{n}")) for n in range(3)] == ["", "busy", "busy"]
    told.now += PACE_S
    assert told.reason(good(told, "afterwards")) == ""


def test_no_flood_and_no_clock_makes_it_forget_what_it_obeyed(told: Told) -> None:
    payload = good(told)
    assert told.reason(payload) == ""
    for number in range(5 * REMEMBERED):
        assert told.reason(encode(command(f"flood-of-{number}", told.now - 1)))
    told.now += 3600
    told.ahead = -3600
    assert told.reason(payload) == "perhaps_repeated"
    assert len(told._commands._answered) <= REMEMBERED
    told.ahead = 0
    assert told.reason(good(told, "another-one")) == ""


def test_lives() -> None:
    """Some hundred histories; `MENSHEN_HISTORIES=10000` gives the figure in docs/reliability.md."""
    tally: Counter[str] = Counter()

    @settings(max_examples=HISTORIES, deadline=None, suppress_health_check=[HealthCheck.too_slow])
    @given(histories())
    def live(acts: list[Act]) -> None:
        Life(Told(), tally).live(acts)

    live()
    print(dict(tally))
    assert tally["obeyed"] > HISTORIES / 3
    assert tally["refused"] > HISTORIES


def test_refusals_are_kept_once_and_then_counted() -> None:
    refusals = Refusals()
    assert [refusals.note("late", float(second)) for second in range(3)] == [True, False, False]
    assert refusals.note("retained", 3.0)
    assert refusals.look(QUIET_S - 1) == []
    assert refusals.look(QUIET_S + 3) == [("late", 2)]
    assert refusals.look(QUIET_S * 9) == []
    assert refusals.note("late", QUIET_S * 9)


@given(st.lists(st.tuples(st.sampled_from(["late", "retained", "foreign"]), st.floats(0, 30)), max_size=300))
def test_a_flood_of_refusals_is_bounded_and_none_is_forgotten(flood: list[tuple[str, float]]) -> None:
    refusals, now, kept, counted = Refusals(), 0.0, 0, 0
    for reason, wait in flood:
        now += wait
        due = refusals.look(now)
        noted = refusals.note(reason, now)
        kept += len(due) + noted
        counted += sum(count for _, count in due) + noted
    assert kept <= 3 * (1 + now / QUIET_S)
    assert counted + sum(count for _, count in refusals.look(float("inf"))) == len(flood)
