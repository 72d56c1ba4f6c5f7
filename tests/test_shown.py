"""What the person before the gate is told: neutral, both languages, and every answer unlike the others."""

from __future__ import annotations

from itertools import combinations
from pathlib import Path
from typing import get_args

import pytest

from device.screen.phrases import HINTS, LINES, STEPS, TITLES, WARNINGS, Kind, face, kind
from device.shown import Placard, Shown, State, Step, Warn
from device.sight import Hint
from device.wire.words import REASONS

PAGE = Path(__file__).parents[1] / "device/screen/page"
ANSWERS = ("grant", "refer", "refuse")


@pytest.fixture
def told() -> list[Shown]:
    return []


@pytest.fixture
def placard(told: list[Shown]) -> Placard:
    made = Placard(told.append)
    made.say("ready")
    return made


def test_an_answer_comes_and_goes(placard: Placard, told: list[Shown]) -> None:
    placard.answer("refuse", ("revoked",))
    placard.say("ready")
    assert told == [Shown(), Shown(state="answer", outcome="refuse", steps=("staff",)), Shown()]


@pytest.mark.parametrize("reason", REASONS)
def test_no_reason_is_shown_to_bystanders(placard: Placard, told: list[Shown], reason: str) -> None:
    placard.answer("refer", (reason,))
    said = face(told[-1])
    assert "staff" in told[-1].steps
    assert REASONS[reason].zh not in str(said)
    assert REASONS[reason].en not in str(said)


def test_what_helps_is_said(placard: Placard, told: list[Shown]) -> None:
    placard.answer("refer", ("temperature_recheck", "temperature_unknown"))
    placard.answer("refuse", ("screen_expired",))
    placard.answer("grant", staff=True)
    assert [shown.steps for shown in told[1:]] == [("recheck", "staff"), ("refresh", "staff"), ("on_duty",)]


def test_guidance_waits_behind_an_answer_and_nothing_is_said_twice(placard: Placard, told: list[Shown]) -> None:
    placard.answer("grant")
    placard.guide("too_far")
    assert told[-1] == Shown(state="answer", outcome="grant")
    placard.say("ready")
    placard.say("ready")
    placard.guide("too_far")
    assert told[2:] == [Shown(hint="too_far")]
    placard.guide(None)
    assert told[-1] == Shown()


def test_parts_of_a_code_are_counted_until_it_is_answered(placard: Placard, told: list[Shown]) -> None:
    placard.collect((1, 3))
    assert told[-1].part == (1, 3)
    assert "1" in face(told[-1])["en"]["lines"][0]
    placard.answer("grant")
    placard.say("ready")
    assert told[-1] == Shown()


def test_a_warning_stands_beside_whatever_else_is_shown(placard: Placard, told: list[Shown]) -> None:
    placard.warn(("distance",))
    placard.answer("grant")
    assert told[-1] == Shown(state="answer", outcome="grant", warnings=("distance",))
    placard.warn(())
    assert told[-1] == Shown(state="answer", outcome="grant")
    assert face(told[1])["zh"]["warnings"] == ["请保持一米距离"]


def test_everything_that_can_be_shown_has_words_and_a_shape() -> None:
    for state in get_args(State):
        for outcome in ("grant", "refer", "refuse", None):
            assert kind(Shown(state=state, outcome=outcome)) in get_args(Kind)
    for table, names in ((STEPS, Step), (HINTS, Hint), (WARNINGS, Warn), (TITLES, Kind), (LINES, Kind)):
        assert set(table) == set(get_args(names))
        assert all(text.zh and text.en for text in table.values())
    shapes = (PAGE / "screen.html").read_text(encoding="utf-8")
    for name in (*get_args(Kind), *get_args(Hint)):
        assert f'<symbol id="{name}"' in shapes


def test_the_answers_differ_in_text_colour_shape_and_sound() -> None:
    style, script = ((PAGE / name).read_text(encoding="utf-8") for name in ("screen.css", "screen.js"))
    shapes = (PAGE / "screen.html").read_text(encoding="utf-8")

    def line(text: str, start: str) -> str:
        return next(found for found in text.splitlines() if start in found).partition(start)[2]

    for one, other in combinations(ANSWERS, 2):
        assert TITLES[one] != TITLES[other]  # type: ignore[index]
        assert line(style, f'data-kind="{one}"') != line(style, f'data-kind="{other}"')
        assert line(shapes, f'<symbol id="{one}"') != line(shapes, f'<symbol id="{other}"')
        assert line(script, f"  {one}: ") != line(script, f"  {other}: ")
