"""What a guard decides with badge and button."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.byhand import HOLD_S, STUCK_S, Admit, ByHand

GUARDS = ("guard 7",)


def test_a_press_admits_who_was_referred_and_only_once() -> None:
    hand = ByHand(decide_s=30)
    hand.turned_away(41, "c0de", 0, referred=True, people=2)
    assert hand.pressed(5, GUARDS) == Admit(GUARDS, "referred", 41, "c0de", 2)
    assert hand.pressed(6, GUARDS) is None


def test_a_press_decides_nothing_without_a_guard_too_late_or_over_a_refusal() -> None:
    hand = ByHand(decide_s=30)
    hand.turned_away(41, "c0de", 0, referred=True)
    assert hand.pressed(5, ()) is None
    assert hand.pressed(30.1, GUARDS) is None
    hand.turned_away(42, "c0de", 40, referred=False)
    assert hand.pressed(41, GUARDS) is None
    hand.turned_away(43, "c0de", 50, referred=True)
    hand.admitted()
    assert hand.pressed(51, GUARDS) is None


def test_a_badge_at_a_held_button_admits_by_that_guard() -> None:
    hand = ByHand(decide_s=30)
    assert hand.badge("guard 7", 0) is None, "with the button up it is for checking in"
    hand.down(1)
    assert hand.badge("guard 7", 2) == Admit(GUARDS, "without_code")
    hand.turned_away(41, "c0de", 3, referred=False)
    assert hand.badge("guard 7", 4) == Admit(GUARDS, "overridden", 41, "c0de")
    assert hand.badge("guard 7", 5) == Admit(GUARDS, "without_code"), "a family without phones, one by one"
    assert hand.up(6) == "long"
    assert hand.badge("guard 7", 7) is None


@pytest.mark.parametrize(
    ("seconds", "press"), [(0.1, "short"), (HOLD_S, "long"), (STUCK_S - 0.1, "long"), (STUCK_S, "stuck")]
)
def test_how_long_a_press_was(seconds: float, press: str) -> None:
    hand = ByHand(decide_s=30)
    assert hand.up(0) is None
    hand.down(0)
    assert hand.up(seconds) == press
    hand.down(100)
    hand.down(200)
    assert hand.up(200 + seconds) == press, "that it was let go in between was never told"


def test_a_stuck_button_is_no_guard() -> None:
    hand = ByHand(decide_s=30)
    hand.down(0)
    assert not hand.stuck(STUCK_S - 1)
    assert hand.stuck(STUCK_S)
    assert hand.badge("guard 7", STUCK_S + 1) is None
    hand.up(99)
    assert not hand.stuck(100)


@given(st.lists(st.sampled_from(["refer", "refuse", "press", "badge", "down", "up", "wait"])))
def test_no_scan_is_answered_twice_and_nobody_is_let_in_by_nobody(life: list[str]) -> None:
    hand, now, answered = ByHand(decide_s=30), 0.0, list[int]()
    for number, act in enumerate(life):
        now += 20 if act == "wait" else 0.5
        admit = None
        match act:
            case "refer" | "refuse":
                hand.turned_away(number, "c0de", now, referred=act == "refer")
            case "press":
                admit = hand.pressed(now, GUARDS)
                assert admit is None or admit.why == "referred"
            case "badge":
                admit = hand.badge("guard 7", now)
            case "down":
                hand.down(now)
            case "up":
                hand.up(now)
        if admit:
            assert admit.who == GUARDS
            answered += [admit.scan] if admit.scan is not None else []
    assert len(answered) == len(set(answered))
