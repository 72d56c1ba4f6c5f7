"""Frame after frame: what is believed, when it is said, and how much is looked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np
import pytest

from device.decoder import CONFIRM_S, DOZE, Decoder, Motion, View
from device.looks import OTHERS
from device.sight import Code
from hardware.camera.drawing import Grain, draw
from hardware.parts import Frame, Grey
from hardware.scene import Scene

FPS = 30
PLENTY_MS = 10_000.0
NOTHING_MS = 1e-6  # not enough for any look but the first and the one that each frame is owed
TICKET = Code(data=b"ticket", text="ticket", symbology="QRCode")
EMPTY = draw(Scene(), 1280, 720)
LEVEL = Scene(code="HELLO", symbology="Code128", size=420)


class Film:
    """Frames at 30 a second, with the noise of a sensor; the numbers of frames are its clock."""

    def __init__(self) -> None:
        self.number = 0
        self._grain = Grain(1280, 720, 2.0)

    def of(self, still: Grey, frames: int = 1) -> Iterator[Frame]:
        for _ in range(frames):
            self.number += 1
            yield Frame(self._grain.over(still), self.number, self.number / FPS)

    def wait(self, seconds: float) -> None:
        self.number += round(seconds * FPS)


def texts(codes: list[Code]) -> list[str]:
    return [code.text for code in codes]


def show(decoder: Decoder, frames: Iterator[Frame]) -> list[list[str]]:
    return [texts(decoder.read(frame)) for frame in frames]


def test_a_code_is_read_in_its_first_frame_and_stays_until_it_leaves() -> None:
    decoder, film = Decoder(PLENTY_MS), Film()
    show(decoder, film.of(EMPTY, 5))
    assert show(decoder, film.of(draw(Scene(code="HELLO"), 1280, 720), 60)) == [["HELLO"]] * 60
    assert show(decoder, film.of(EMPTY, 3)) == [[]] * 3


def test_a_still_lobby_costs_next_to_nothing() -> None:
    decoder, film = Decoder(NOTHING_MS), Film()
    show(decoder, film.of(EMPTY, 2 * FPS))
    looked = decoder.looked
    show(decoder, film.of(EMPTY, 6 * DOZE))
    assert decoder.looked - looked == 6 * 2  # the first look and one other, each time it wakes


def test_a_code_held_still_is_not_read_over_and_over() -> None:
    decoder, film = Decoder(PLENTY_MS), Film()
    held = draw(Scene(code="HELLO"), 1280, 720)
    show(decoder, film.of(held, 2 * FPS))
    looked = decoder.looked
    assert show(decoder, film.of(held, 3 * DOZE)) == [["HELLO"]] * 3 * DOZE
    assert decoder.looked - looked == 3 * 2


def test_with_time_enough_a_moving_frame_is_looked_at_in_every_way() -> None:
    decoder, film = Decoder(PLENTY_MS), Film()
    show(decoder, film.of(EMPTY))
    assert decoder.looked == 1 + len(OTHERS)


def test_without_time_each_frame_is_owed_one_look_beside_the_first() -> None:
    decoder, film = Decoder(NOTHING_MS), Film()
    show(decoder, film.of(EMPTY))
    assert decoder.looked == 2
    show(decoder, film.of(EMPTY, 4))
    assert decoder.looked == 10


@pytest.mark.parametrize(
    "scene", [Scene(code="HELLO", invert=True), Scene(code="HELLO", symbology="DataMatrix", invert=True)]
)
def test_without_time_every_look_has_its_turn(scene: Scene) -> None:
    decoder, film = Decoder(NOTHING_MS), Film()
    said = show(decoder, film.of(draw(scene, 1280, 720), len(OTHERS)))
    assert ["HELLO"] in said
    first = said.index(["HELLO"])
    assert said[first:] == [["HELLO"]] * (len(said) - first)  # what read it is asked again before the others


def test_a_weak_reading_is_believed_when_a_second_frame_agrees() -> None:
    decoder, film = Decoder(PLENTY_MS), Film()
    assert show(decoder, film.of(draw(LEVEL, 1280, 720), 3)) == [[], ["HELLO"], ["HELLO"]]


def test_a_weak_reading_is_not_confirmed_by_one_long_ago() -> None:
    decoder, film = Decoder(PLENTY_MS), Film()
    held = draw(LEVEL, 1280, 720)
    assert show(decoder, film.of(held)) == [[]]
    film.wait(CONFIRM_S + 0.1)
    assert show(decoder, film.of(held, 2)) == [[], ["HELLO"]]


def test_a_poster_does_not_hide_a_ticket() -> None:
    decoder, film = Decoder(NOTHING_MS), Film()
    poster, ticket = draw(Scene(code="POSTER", size=200), 640, 720), draw(Scene(), 640, 720)
    assert show(decoder, film.of(np.hstack([poster, ticket]), FPS))[-1] == ["POSTER"]
    ticket = draw(Scene(code="TICKET", symbology="Aztec", size=200), 640, 720)
    said = show(decoder, film.of(np.hstack([poster, ticket]), len(OTHERS)))
    assert sorted(said[-1]) == ["POSTER", "TICKET"]


def test_only_what_changes_is_movement() -> None:
    motion, film = Motion(), Film()
    assert [motion.seen(frame.grey) for frame in film.of(EMPTY, 30)] == [True] + [False] * 29
    for scene in (Scene(code="A" * 40, size=80), Scene(code="B" * 40, size=80), Scene()):
        assert [motion.seen(frame.grey) for frame in film.of(draw(scene, 1280, 720), 2)] == [True, False]


def test_a_slow_change_adds_up_to_movement() -> None:
    motion, film = Motion(), Film()
    dusk = [draw(Scene(light=1 - step / 100), 1280, 720) for step in range(30)]
    moved = [motion.seen(frame.grey) for still in dusk for frame in film.of(still)]
    assert 1 < sum(moved) < 10


def test_a_code_in_view_is_news_once_and_again_after_it_had_left() -> None:
    view = View(gone_s=2.0)
    assert view.news([TICKET], 0.0) == [TICKET]
    assert view.news([TICKET], 0.1) == []
    assert view.news([], 0.2) == []
    assert view.news([TICKET], 2.0) == []  # it was hidden for a moment
    for tenth in range(21, 44):
        assert view.news([], tenth / 10) == []
    assert view.news([TICKET], 4.4) == [TICKET]


def test_two_codes_are_told_apart_by_their_bytes() -> None:
    view = View(gone_s=2.0)
    other = Code(data=b"\xff", text="ticket", symbology="QRCode")
    assert view.news([TICKET, other], 0.0) == [TICKET, other]
    assert view.news([other], 0.1) == []


def test_a_slow_camera_does_not_make_a_code_leave() -> None:
    view = View(gone_s=0.2)
    assert view.news([TICKET], 0.0) == [TICKET]
    assert view.news([TICKET], 1.0) == []  # nobody looked in between
