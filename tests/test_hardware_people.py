"""People and a poster in the emulated lobby: how they are drawn, and the acts that bring them there."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import zxingcpp

from hardware import pins
from hardware.camera.drawing import draw
from hardware.camera.people import LINE_M, Person, queue, row_of, stand
from hardware.scene import Scene, SceneError, load
from hardware.stage import Stage, StageError
from tests.pictures import texts

WIDTH, HEIGHT = 1280, 720
POSTER = "MS1:" + "A POSTER OF USUAL LENGTH " * 9


def test_the_nearer_a_person_the_larger_and_the_lower_the_feet() -> None:
    wall = np.full((HEIGHT, WIDTH), 128, np.uint8)
    areas = [np.count_nonzero(stand(wall, [Person(away)]) != wall) for away in (1.5, 2, 3, 6)]
    assert areas == sorted(areas, reverse=True)
    rows = [row_of(away, HEIGHT, WIDTH) for away in (1.5, 2, 3, 6)]
    assert rows == sorted(rows, reverse=True)
    assert row_of(LINE_M, HEIGHT, WIDTH) < HEIGHT, "the line must be in the picture"


def test_feet_stand_where_the_ground_is() -> None:
    wall = np.full((HEIGHT, WIDTH), 128, np.uint8)
    rows = np.flatnonzero((stand(wall, [Person(3)]) != wall).any(axis=1))
    assert rows.max() == pytest.approx(row_of(3, HEIGHT, WIDTH), abs=6)


def test_who_waits_stands_beyond_the_line() -> None:
    assert all(person.away_m > LINE_M for person in queue(10))
    assert len(set(queue(10))) == 10


@pytest.mark.parametrize("height", [360, 720])
def test_a_poster_is_read_beside_a_phone_and_people(height: int) -> None:
    scene = Scene(poster=POSTER, code="HELLO", size=height // 3, waiting=5)
    assert set(texts(draw(scene, height * 16 // 9, height))) == {POSTER, "HELLO"}


@pytest.mark.parametrize("scene", [Scene(poster=POSTER, poster_fade=0.99), Scene(poster=POSTER, poster_covered=True)])
def test_a_poster_that_is_faded_or_covered_is_not(scene: Scene) -> None:
    assert zxingcpp.read_barcodes(draw(scene, WIDTH, HEIGHT)) == []


def test_a_poster_that_cannot_be_drawn_is_named() -> None:
    with pytest.raises(SceneError, match="a poster of 9000 characters does not fit"):
        draw(Scene(poster="A" * 9000), WIDTH, HEIGHT)


@pytest.fixture
def path(tmp_path: Path) -> Path:
    return tmp_path / "scene.json"


@pytest.fixture
def stage(path: Path) -> Stage:
    return Stage(pins.factory("mock"), path)


def test_people_and_poster_stay_while_codes_come_and_go(stage: Stage, path: Path) -> None:
    for act in ("poster MS1:OURS AND OURS", "waiting 5", "near yes", "show HELLO -- size=99", "hide"):
        stage.do(act)
    assert load(path) == Scene(poster="MS1:OURS AND OURS", waiting=5, near=True, size=99)
    for act in ("waiting 0", "near no", "poster none", "show A", "hide"):
        stage.do(act)
    assert load(path) == Scene()


def test_a_poster_fades_is_covered_and_is_hung_up_anew(stage: Stage, path: Path) -> None:
    stage.do("poster A")
    stage.do("poster faded")
    stage.do("poster covered")
    assert load(path) == Scene(poster="A", poster_fade=0.99, poster_covered=True)
    stage.do("poster B")
    assert load(path) == Scene(poster="B")


@pytest.mark.parametrize(
    ("line", "said"),
    [("poster", "poster of what text"), ("waiting 99", "waiting"), ("waiting some", "waiting"), ("near", "yes or no")],
)
def test_an_act_that_cannot_be_says_what_can(stage: Stage, path: Path, line: str, said: str) -> None:
    with pytest.raises(StageError, match=said):
        stage.do(line)
    assert load(path) == Scene()
