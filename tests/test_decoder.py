"""Frame after frame: what is believed, when it is said, and how much is looked for."""

from __future__ import annotations

from collections.abc import Iterator

import numpy as np

from device.decoder import CONFIRM_S, DOZE, HELD, WHOLE, Decoder, Motion, View
from device.looks import OTHERS, QUICK
from device.sight import Code
from hardware.camera.drawing import Grain, draw
from hardware.parts import Frame, Grey
from hardware.scene import Scene

FPS = 30
PLENTY_MS = 10_000.0
NOTHING_MS = 1e-6  # not enough for any look but the quick ones and the one that each frame is owed
TICKET = Code(data=b"ticket", text="ticket", symbology="QRCode")
EMPTY = draw(Scene(), 1280, 720)
LEVEL = Scene(code="HELLO", symbology="Code128", size=420)
TURNED = draw(Scene(code="HELLO", symbology="PDF417", size=420, angle=25), 1280, 720)
STRAIGHTENED = [look.name for look in OTHERS].index("tickets, straightened")  # alone it reads that one, and weakly
EACH = 1 + len(QUICK) + 1  # looks at what is like a code: the first, the quick ones, and the one that is owed


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


def riddle(left: int = 500, top: int = 200) -> Grey:
    """Draw what is like a code and says nothing."""
    modules = np.random.default_rng(1).integers(0, 2, (25, 25), np.uint8)
    picture = EMPTY.copy()
    picture[top : top + 300, left : left + 300] = 240
    picture[top + 25 : top + 275, left + 25 : left + 275] = (240 * modules).repeat(10, axis=0).repeat(10, axis=1)
    return picture


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
    decoder, film = Decoder(PLENTY_MS), Film()
    show(decoder, film.of(EMPTY, 2 * FPS))
    looked = decoder.looked
    show(decoder, film.of(EMPTY, 3 * WHOLE * DOZE))
    assert decoder.looked - looked == 3  # at all of it, in one of so many frames that it wakes for


def test_someone_without_a_code_costs_little() -> None:
    decoder, film = Decoder(PLENTY_MS), Film()
    passing = [draw(Scene(light=0.5 + step / 40), 1280, 720) for step in range(20)]
    for still in passing:
        show(decoder, film.of(still))
    assert decoder.looked == 20 // WHOLE


def test_a_code_held_still_is_not_read_over_and_over() -> None:
    decoder, film = Decoder(PLENTY_MS), Film()
    held = draw(Scene(code="HELLO"), 1280, 720)
    show(decoder, film.of(held, 2 * FPS))
    looked = decoder.looked
    assert show(decoder, film.of(held, 3 * DOZE)) == [["HELLO"]] * 3 * DOZE
    assert decoder.looked - looked == 3


def test_a_code_in_view_is_not_looked_for_in_every_frame() -> None:
    decoder, film = Decoder(PLENTY_MS), Film()
    show(decoder, film.of(draw(Scene(code="HELLO"), 1280, 720)))
    looked = decoder.looked
    trembling = [draw(Scene(code="HELLO", size=240 + step), 1280, 720) for step in range(4 * HELD)]
    for still in trembling:
        assert show(decoder, film.of(still)) == [["HELLO"]]
    assert decoder.looked - looked == 4


def test_with_time_enough_what_is_like_a_code_is_looked_at_in_every_way() -> None:
    decoder, film = Decoder(PLENTY_MS), Film()
    show(decoder, film.of(riddle()))
    assert decoder.looked == 1 + len(QUICK) + len(OTHERS) + 1  # and once at all of the picture


def test_without_time_each_frame_is_owed_one_look_beside_the_quick_ones() -> None:
    decoder, film = Decoder(NOTHING_MS), Film()
    show(decoder, film.of(riddle()))
    assert decoder.looked == EACH + 1
    show(decoder, film.of(riddle(), WHOLE))
    assert decoder.looked == (1 + WHOLE) * EACH + 2


def test_without_time_every_look_has_its_turn_and_what_read_is_asked_again_before_the_others() -> None:
    decoder, film = Decoder(NOTHING_MS), Film()
    said = show(decoder, film.of(TURNED, len(OTHERS)))
    assert said == [[]] * (STRAIGHTENED + 1) + [["HELLO"]] * (len(OTHERS) - STRAIGHTENED - 1)


def test_no_more_looks_are_taken_once_one_has_read() -> None:
    decoder, film = Decoder(PLENTY_MS), Film()
    show(decoder, film.of(TURNED))
    assert decoder.looked == 1 + len(QUICK) + (STRAIGHTENED + 1) + 1  # and once at all of the picture


def test_who_comes_after_a_pause_is_looked_at_first_in_the_ways_that_pay_most() -> None:
    decoder, film = Decoder(NOTHING_MS), Film()
    show(decoder, film.of(riddle(), STRAIGHTENED + 1))
    film.wait(2)
    show(decoder, film.of(EMPTY, 3 * DOZE))
    film.wait(2)
    said = show(decoder, film.of(TURNED, len(OTHERS)))
    assert said.index(["HELLO"]) == STRAIGHTENED + 1


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


def test_what_is_busier_does_not_hide_a_code() -> None:
    decoder, film = Decoder(NOTHING_MS), Film()
    picture = riddle(left=900)
    picture[:, :640] = draw(Scene(code="TICKET", size=160, light=0.6), 640, 720)
    assert ["TICKET"] in show(decoder, film.of(picture, 2))


def test_what_comes_while_a_code_is_in_view_is_read_when_that_is_looked_for_again() -> None:
    decoder, film = Decoder(NOTHING_MS), Film()
    poster = draw(Scene(code="POSTER", size=200), 640, 720)
    show(decoder, film.of(np.hstack([poster, EMPTY[:, 640:]]), FPS))
    said = show(decoder, film.of(np.hstack([poster, draw(Scene(code="TICKET"), 640, 720)]), HELD))
    assert sorted(said[-1]) == ["POSTER", "TICKET"]


def test_a_code_whose_busiest_part_is_something_else_is_read_and_stays() -> None:
    decoder, film = Decoder(NOTHING_MS), Film()
    picture = np.hstack([draw(Scene(code="HELLO", size=200), 640, 720), EMPTY[:, 640:]])
    picture[::4, 700:1200] = 255  # blinds
    picture[:, 700:1200:8] = 0
    picture[500:720, 100:500:8] = 255
    picture[500:720:8, 100:500] = 0
    said = show(decoder, film.of(picture, 3 * FPS))
    first = said.index(["HELLO"])
    assert first <= 2 * WHOLE
    assert said[first:] == [["HELLO"]] * (len(said) - first)


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
