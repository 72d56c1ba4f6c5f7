"""A code that comes in several pictures, shown one after another in any order."""

from __future__ import annotations

import itertools

import pytest

from device.pieces import Pieces, Progress
from device.sight import Code
from tests.test_shc import pieces
from tests.tickets import card


def code(text: str) -> Code:
    return Code(data=text.encode(), text=text, symbology="QRCode")


WHOLE = card()
PARTS = [code(part) for part in pieces(WHOLE, 3)]
OTHERS = [code(part) for part in pieces(card({"another": "card"}), 3)]


@pytest.mark.parametrize("order", [*itertools.permutations(range(3))])
def test_the_last_piece_completes_it_in_any_order(order: tuple[int, ...]) -> None:
    held = Pieces(30)
    shown = [held.add(PARTS[number], 0.0) for number in order]
    assert shown == [Progress(1, 3), Progress(2, 3), code(WHOLE)]
    assert held.progress(0.0) is None


def test_a_piece_shown_twice_counts_once() -> None:
    held = Pieces(30)
    assert [held.add(PARTS[number], 0.0) for number in (0, 0, 1, 1)] == [
        Progress(1, 3), Progress(1, 3), Progress(2, 3), Progress(2, 3),
    ]  # fmt: skip
    assert held.progress(0.0) == Progress(2, 3)
    assert held.add(PARTS[2], 0.0) == code(WHOLE)


def test_another_code_in_between_disturbs_nothing() -> None:
    held, badge = Pieces(30), code("member 4711")
    held.add(PARTS[0], 0.0)
    assert held.add(badge, 0.0) is badge
    held.add(PARTS[1], 0.0)
    assert held.add(PARTS[2], 0.0) == code(WHOLE)


def test_who_waits_too_long_begins_anew() -> None:
    held = Pieces(30)
    held.add(PARTS[0], 0.0)
    assert held.add(PARTS[1], 30.0) == Progress(2, 3)
    assert held.progress(60.0) == Progress(2, 3)
    assert held.progress(60.1) is None
    assert held.add(PARTS[2], 60.1) == Progress(1, 3)


def test_pieces_nobody_completes_are_forgotten() -> None:
    held = Pieces(30)
    held.add(PARTS[0], 0.0)
    held.look(30.0)
    assert held._held
    held.look(30.1)
    assert not held._held


def test_a_piece_of_another_code_begins_anew() -> None:
    held = Pieces(30)
    held.add(PARTS[0], 0.0)
    held.add(PARTS[1], 0.0)
    assert held.add(OTHERS[1], 0.0) == Progress(1, 3)
    held.add(OTHERS[0], 0.0)
    assert held.add(code(pieces(WHOLE, 2)[0]), 0.0) == Progress(1, 2)


def test_what_is_held_has_an_end() -> None:
    held = Pieces(30)
    for number in range(1, 1000):
        held.add(code(f"shc:/{number % 16 + 1}/16/{number:04d}"), 0.0)
        assert len(held._held) <= 16
