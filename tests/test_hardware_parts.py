"""The wired parts: what their pins do, and what they tell."""

from __future__ import annotations

import os
import queue
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from gpiozero.pins.mock import MockFactory, MockPin

from hardware import board, pins
from hardware.button import Button
from hardware.lamp import COLOURS
from hardware.parts import (
    BeamChanged,
    Board,
    Colour,
    PartError,
    PartSaid,
    PresenceChanged,
    Pressed,
    Released,
    Tune,
    TurnstilePassed,
)
from hardware.scene import Scene, load, save
from hardware.stage import Stage, StageError
from hardware.turnstile import Turnstile

RELAY, BUZZER, BUTTON, OUTER, INNER, PASSED, PRESENCE = 17, 18, 5, 25, 16, 26, 13
LAMP = (22, 23, 24)
ROOT = Path(__file__).parent.parent


class Entrance:
    """A board on mock pins, what it said, and the world around it."""

    def __init__(self, scene: Path, *, pulse_ms: int = 100) -> None:
        self.factory: Any = pins.factory("mock")
        self.inbox: queue.SimpleQueue[PartSaid] = queue.SimpleQueue()
        self.stage = Stage(
            self.factory,
            scene,
            staff_button=BUTTON,
            beam_outer=OUTER,
            beam_inner=INNER,
            turnstile_passed=PASSED,
            presence=PRESENCE,
            step_s=0.01,
        )
        self.board = self.build(pulse_ms=pulse_ms)

    def build(self, *, pulse_ms: int = 100, **changed: Any) -> Board:
        wired: dict[str, Any] = {
            "turnstile": Turnstile(RELAY, pulse_ms=pulse_ms, factory=self.factory),
            "lamp": LAMP,
            "buzzer": BUZZER,
            "staff_button": BUTTON,
            "beam_outer": OUTER,
            "beam_inner": INNER,
            "turnstile_passed": PASSED,
            "presence": PRESENCE,
        }
        return board.build(factory=self.factory, tell=self.inbox.put, **(wired | changed))

    def said(self) -> list[PartSaid]:
        """Everything told so far: mock pins tell before `do` returns."""
        found = []
        while not self.inbox.empty():
            found.append(self.inbox.get())
        return found

    def two(self) -> tuple[PartSaid, PartSaid]:
        """Wait for the next two: a contact tells that it opened when it has settled."""
        return self.inbox.get(timeout=5), self.inbox.get(timeout=5)

    def level(self, pin: int) -> bool:
        return bool(self.factory.pin(pin).state)

    def edges(self, pin: int) -> list[tuple[bool, float]]:
        """Each new level of a pin, and the seconds since the one before."""
        return [(state.state, state.timestamp) for state in self.factory.pin(pin).states[1:]]


@pytest.fixture
def entrance(tmp_path: Path) -> Iterator[Entrance]:
    made = Entrance(tmp_path / "scene.json")
    assert [type(said) for said in made.said()] == [PresenceChanged]
    yield made
    made.board.close()


def until(condition: Callable[[], bool], *, within: float = 5.0) -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, "it did not happen in time"
        time.sleep(0.005)


def test_lgpio_without_a_writable_folder_is_refused_by_name_and_nothing_else_is_taken(tmp_path: Path) -> None:
    asked = subprocess.run(
        [sys.executable, "-c", "from hardware import pins; print(pins.factory('lgpio'))"],
        cwd=tmp_path,
        env=os.environ | {"LG_WD": "/nowhere", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert asked.returncode != 0
    assert "PartError: no pins through lgpio" in asked.stderr
    assert "LG_WD" in asked.stderr
    assert asked.stdout == ""


def test_a_new_board_moves_nothing(entrance: Entrance) -> None:
    for pin in (RELAY, *LAMP, BUZZER):
        assert entrance.factory.pin(pin).function == "output"
        assert entrance.edges(pin) == []
        assert entrance.level(pin) is False


def test_a_release_pulses_the_relay_without_waiting(tmp_path: Path) -> None:
    entrance = Entrance(tmp_path / "scene.json", pulse_ms=500)
    entrance.board.turnstile.release()
    assert entrance.level(RELAY) is True
    until(lambda: not entrance.level(RELAY))
    (up, _), (down, held) = entrance.edges(RELAY)
    assert (up, down) == (True, False)
    assert held >= 0.5  # `until` had patience for one that is late, not for one that sticks
    entrance.board.close()


def test_a_release_during_a_pulse_makes_one_longer_pulse(tmp_path: Path) -> None:
    entrance = Entrance(tmp_path / "scene.json", pulse_ms=500)
    entrance.board.turnstile.release()
    halfway = time.monotonic() + 0.25
    until(lambda: time.monotonic() >= halfway)
    entrance.board.turnstile.release()
    until(lambda: not entrance.level(RELAY))
    (_, _), (_, held) = entrance.edges(RELAY)
    assert held >= 0.75
    entrance.board.close()


def test_releases_from_many_threads_never_leave_the_relay_on(tmp_path: Path) -> None:
    entrance = Entrance(tmp_path / "scene.json", pulse_ms=500)

    def hurry() -> None:
        for _ in range(20):
            entrance.board.turnstile.release()

    crowd = [threading.Thread(target=hurry) for _ in range(4)]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    until(lambda: not entrance.level(RELAY))
    assert [level for level, _ in entrance.edges(RELAY)] == [True, False]
    entrance.board.close()


def test_closing_the_board_lets_go_of_the_relay_and_hears_nobody_any_more(tmp_path: Path) -> None:
    entrance = Entrance(tmp_path / "scene.json", pulse_ms=500)
    entrance.board.turnstile.release()
    entrance.board.close()
    assert entrance.edges(RELAY)[-1][0] is False
    entrance.said()
    entrance.stage.do("press")
    assert entrance.said() == []


@pytest.mark.parametrize("colour", COLOURS)
def test_the_lamp_holds_each_colour(entrance: Entrance, colour: Colour) -> None:
    entrance.board.lamp.show("white")
    entrance.board.lamp.show(colour)
    levels = {"off": "000", "green": "010", "amber": "110", "red": "100", "white": "111", "blue": "001"}
    assert "".join(str(int(entrance.level(pin))) for pin in LAMP) == levels[colour]


@pytest.mark.parametrize(
    ("tune", "rhythm"),
    [("grant", [0.12]), ("refer", [0.25, 0.25]), ("refuse", [0.9]), ("identify", [0.06] * 12)],
)
def test_each_tune_has_its_own_rhythm(entrance: Entrance, tune: Tune, rhythm: list[float]) -> None:
    entrance.board.buzzer.play(tune)
    until(lambda: len(entrance.edges(BUZZER)) == 2 * len(rhythm))
    sounded = [seconds for level, seconds in entrance.edges(BUZZER) if not level]
    assert sounded == pytest.approx(rhythm, abs=0.3)


def test_a_new_tune_cuts_the_old_one_short(entrance: Entrance) -> None:
    entrance.board.buzzer.play("refuse")
    until(lambda: entrance.level(BUZZER))
    entrance.board.buzzer.play("grant")
    until(lambda: not entrance.level(BUZZER), within=0.6)


@pytest.mark.parametrize("act", ["press", "bounce", "hold 0.3"])
def test_one_press_is_told_once_however_it_bounces(entrance: Entrance, act: str) -> None:
    before = time.monotonic()
    entrance.stage.do(act)
    press, release = entrance.two()
    assert isinstance(press, Pressed)
    assert isinstance(release, Released)
    assert before <= press.at < release.at <= time.monotonic()
    if act == "bounce":
        assert len(entrance.edges(BUTTON)) == 1 + 12 + 2 + 12  # its pull-up, chatter, the press itself, chatter


def test_two_presses_are_two(entrance: Entrance) -> None:
    for act in ("press", "bounce"):
        entrance.stage.do(act)
        assert [type(each) for each in entrance.two()] == [Pressed, Released]
    assert entrance.said() == []


class HeldDown(MockPin):  # type: ignore[misc]
    """A pin that something pulls to ground, however its own pull-up is set."""

    def _set_pull(self, value: str) -> None:
        self._pull = value


def test_a_button_that_is_down_from_the_start_is_told() -> None:
    said: queue.SimpleQueue[PartSaid] = queue.SimpleQueue()
    factory = MockFactory(pin_class=HeldDown)
    button = Button(BUTTON, factory=factory, tell=said.put)
    assert isinstance(said.get(timeout=5), Pressed)
    factory.pin(BUTTON).drive_high()
    assert isinstance(said.get(timeout=5), Released)
    button.close()


WAYS = {
    "walk in": "outer inner -outer -inner",
    "walk out": "inner outer -inner -outer",
    "tailgate": "outer inner -outer outer -inner inner -outer -inner",
    "loiter": "outer -outer",
}


@pytest.mark.parametrize("act", WAYS)
def test_beams_tell_each_edge_in_order(entrance: Entrance, act: str) -> None:
    entrance.stage.do(act)
    said = [beam for beam in entrance.said() if isinstance(beam, BeamChanged)]
    assert " ".join(("" if beam.broken else "-") + beam.beam for beam in said) == WAYS[act]
    assert [beam.at for beam in said] == sorted(beam.at for beam in said)


def test_a_beam_with_a_cut_cable_is_told_as_broken_from_the_start(tmp_path: Path) -> None:
    entrance = Entrance(tmp_path / "scene.json")
    entrance.board.close()
    entrance.factory.pin(INNER).drive_high()
    entrance.said()
    again = entrance.build()
    assert [(said.beam, said.broken) for said in entrance.said() if isinstance(said, BeamChanged)] == [("inner", True)]
    again.close()


def test_presence_is_told_when_it_changes(entrance: Entrance) -> None:
    for answer in ("yes", "yes", "no"):
        entrance.stage.do(f"present {answer}")
    assert [said.present for said in entrance.said() if isinstance(said, PresenceChanged)] == [True, False]


def test_the_turnstile_says_who_passed_once_each(entrance: Entrance) -> None:
    entrance.stage.do("passed")
    entrance.stage.do("passed")
    assert [type(said) for said in entrance.said()] == [TurnstilePassed, TurnstilePassed]


def test_inputs_that_are_not_wired_are_left_alone(tmp_path: Path) -> None:
    entrance = Entrance(tmp_path / "scene.json")
    entrance.board.close()
    entrance.said()
    bare = entrance.build(beam_outer=0, beam_inner=0, turnstile_passed=0, presence=0)
    assert entrance.said() == []
    bare.close()
    stage = Stage(entrance.factory, tmp_path / "scene.json", staff_button=BUTTON)
    for act, pin in (
        ("walk in", "beam_outer"),
        ("passed", "turnstile_passed"),
        ("present yes", "presence"),
        ("fire yes", "fire"),
        ("door open", "door"),
    ):
        with pytest.raises(StageError, match=f"not wired: {pin}"):
            stage.do(act)


def test_a_pin_that_cannot_be_had_is_a_part_error_and_frees_the_others(entrance: Entrance) -> None:
    entrance.board.close()
    with pytest.raises(PartError, match="GPIO17 is already in use"):
        entrance.build(buzzer=RELAY)
    with pytest.raises(PartError, match="GPIO2 has a fixed pull"):
        entrance.build(beam_inner=2)
    entrance.board = entrance.build()


def test_the_stage_stands_around_the_pins_of_a_configuration(entrance: Entrance, tmp_path: Path) -> None:
    class Wired:
        staff_button, beam_outer, beam_inner, turnstile_passed, presence = BUTTON, OUTER, INNER, 0, 0
        door, fire, tamper = 0, 0, 0

    Stage.around(entrance.factory, Wired(), tmp_path / "scene.json").do("press")
    assert [type(each) for each in entrance.two()] == [Pressed, Released]


def test_show_draws_a_code_and_leaves_the_rest_of_the_world_alone(entrance: Entrance, tmp_path: Path) -> None:
    for act in (
        "heat 38.2",
        "camera black",
        "thermometer frozen",
        "show MS1:A B -- C -- size=200 blur=1.5 invert=true",
    ):
        entrance.stage.do(act)
    assert load(tmp_path / "scene.json") == Scene(
        code="MS1:A B -- C",
        size=200,
        blur=1.5,
        invert=True,
        forehead_c=38.2,
        camera="black",
        thermometer="frozen",
    )
    entrance.stage.do("show 007")
    assert load(tmp_path / "scene.json") == Scene(code="007", forehead_c=38.2, camera="black", thermometer="frozen")
    for act in ("hide", "nobody", "camera ok", "thermometer ok", ""):
        entrance.stage.do(act)
    assert load(tmp_path / "scene.json") == Scene()


@pytest.mark.parametrize(
    ("line", "said"),
    [
        ("sohw HELLO", "'sohw' is no act here; did you mean show"),
        ("dance", "There are show, hide, press"),
        ("show", "show what"),
        ("show A -- sise=200", "did you mean size"),
        ("show A -- camera=black", "is no option of show"),
        ("show A -- size=9999", "size"),
        ("show A -- size=big", "size"),
        ("hide now", "stands alone"),
        ("walk up", "walk in or out"),
        ("present", "present yes or no"),
        ("fire", "fire yes or no"),
        ("door ajar", "door open or closed"),
        ("hold on", "is no number"),
        ("hold -1", "more than 0"),
        ("hold nan", "more than 0"),
        ("heat warm", "forehead_c"),
        ("heat nan", "forehead_c"),
        ("camera blak", "camera ok or missing or black or frozen"),
        ("thermometer off", "unplugged"),
        ("show \udcff", "not valid Unicode"),
        ("picture /nowhere", "'/nowhere' is no file"),
        ("clock soon", "such as clock .40d"),
        ("clock 40d", "or clock right"),
    ],
)
def test_a_line_that_cannot_be_acted_says_what_can(entrance: Entrance, tmp_path: Path, line: str, said: str) -> None:
    with pytest.raises(StageError, match=said):
        entrance.stage.do(line)
    assert load(tmp_path / "scene.json") == Scene()
    assert entrance.said() == []


def test_a_scene_that_someone_broke_is_named(entrance: Entrance, tmp_path: Path) -> None:
    (tmp_path / "scene.json").write_text('{"code": 7}')
    with pytest.raises(StageError, match=r"scene\.json: not a scene"):
        entrance.stage.do("show HELLO")


def test_scenes_changed_from_many_threads_lose_nothing(entrance: Entrance, tmp_path: Path) -> None:
    save(tmp_path / "scene.json", Scene())
    acts = ("heat 36.9", "camera frozen", "thermometer bad_pec")
    crowd = [threading.Thread(target=entrance.stage.do, args=(act,)) for act in acts]
    for one in crowd:
        one.start()
    for one in crowd:
        one.join()
    assert load(tmp_path / "scene.json") == Scene(forehead_c=36.9, camera="frozen", thermometer="bad_pec")
    assert [path.name for path in tmp_path.iterdir()] == ["scene.json"]
