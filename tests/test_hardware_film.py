"""Films: pictures, folders and videos, good and bad."""

from __future__ import annotations

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hardware.camera import film
from hardware.parts import CameraError
from tests.pictures import CODE, HEIGHT, WIDTH, lobby, read_on, texts, video


def test_a_film_plays_pictures_by_name_passes_over_a_damaged_one_and_ends(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    for name in ("c.png", "a.jpg"):
        cv2.imwrite(str(tmp_path / name), lobby())
    (tmp_path / "b.png").write_bytes(b"\x89PNG\r\n\x1a\n" + bytes(100))
    (tmp_path / "notes.txt").write_text("not a picture")
    camera = film.Camera(source=str(tmp_path))
    assert "1 other files are passed over" in caplog.text
    assert camera.frames == 3
    camera.read(1)
    assert camera.name == "a.jpg"
    with pytest.raises(CameraError, match=r"b\.png: not a picture") as damaged:
        camera.read(1)
    assert not isinstance(damaged.value, film.FilmOver)
    assert camera.name == "b.png"
    camera.read(1)
    assert camera.name == "c.png"
    for _ in range(2):
        with pytest.raises(film.FilmOver, match="the last of 3 pictures"):
            camera.read(1)


def test_a_film_of_a_video_knows_its_length_and_its_end(tmp_path: Path) -> None:
    camera = film.Camera(source=str(video(tmp_path / "v.avi", 4)))
    assert (camera.frames, camera.fps) == (4, 25)
    assert [camera.read(1).number for _ in range(4)] == [1, 2, 3, 4]
    assert camera.name == "v.avi 4"
    with pytest.raises(film.FilmOver, match="the last of 4 frames"):
        camera.read(1)
    camera.close()


def test_a_video_that_was_cut_off_says_so(tmp_path: Path) -> None:
    whole = video(tmp_path / "v.avi", 20)
    (tmp_path / "cut.avi").write_bytes(whole.read_bytes()[: whole.stat().st_size // 2])
    camera = film.Camera(source=str(tmp_path / "cut.avi"))
    with pytest.raises(film.FilmOver, match="of 20 frames and may be damaged"):
        read_on(camera, 1)


def test_a_large_picture_is_shrunk_only_where_that_is_asked(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "large.png"), np.zeros((1500, 2000), np.uint8))
    source = str(tmp_path / "large.png")
    assert film.Camera(source=source).read(1).grey.shape == (1500, 2000)
    assert film.Camera(source=source, width=640, height=360).read(1).grey.shape == (360, 480)
    assert film.Camera(source=source, width=4000, height=3000).read(1).grey.shape == (1500, 2000)


def coloured() -> Any:
    return cv2.cvtColor(lobby(), cv2.COLOR_GRAY2BGR)


def deep() -> Any:
    return lobby().astype(np.uint16) * 257


def black_on_nothing() -> Any:
    code = np.zeros((HEIGHT, WIDTH, 4), np.uint8)
    code[:, :, 3] = 255 - lobby()
    return code


@pytest.mark.parametrize("kind", [lobby, coloured, deep, black_on_nothing])
def test_pictures_are_read_however_they_were_saved(tmp_path: Path, kind: Callable[[], Any]) -> None:
    cv2.imwrite(str(tmp_path / "saved.png"), kind())
    grey = film.Camera(source=str(tmp_path / "saved.png")).read(1).grey
    assert grey.dtype == np.uint8
    assert grey.shape == (HEIGHT, WIDTH)
    assert texts(grey) == [CODE]


@pytest.mark.parametrize(
    ("name", "content", "said"),
    [
        ("empty.png", b"", "not a picture"),
        ("text.png", b"HELLO", "not a picture"),
        ("text.txt", b"HELLO\n" * 100, "neither a picture nor a video"),
        ("empty.mp4", b"", "neither a picture nor a video"),
        ("zeros.mp4", bytes(5000), "neither a picture nor a video"),
    ],
)
def test_a_bad_file_is_a_clear_error(tmp_path: Path, name: str, content: bytes, said: str) -> None:
    (tmp_path / name).write_bytes(content)
    with pytest.raises(CameraError, match=f"{name}: {said}"):
        film.Camera(source=str(tmp_path / name)).read(1)


def test_pixels_nobody_can_show_are_a_clear_error(tmp_path: Path) -> None:
    cv2.imwrite(str(tmp_path / "f.tiff"), np.ones((20, 20), np.float32))
    with pytest.raises(CameraError, match="its pixels are float32"):
        film.Camera(source=str(tmp_path / "f.tiff")).read(1)


def test_no_film_and_an_empty_folder_are_clear_errors(tmp_path: Path) -> None:
    for source in ("", str(tmp_path / "nowhere")):
        with pytest.raises(CameraError, match="no film at"):
            film.Camera(source=source)
    with pytest.raises(CameraError, match="no picture in this folder"):
        film.Camera(source=str(tmp_path))


def test_a_picture_that_vanished_is_a_clear_error(tmp_path: Path) -> None:
    shutil.copy(video(tmp_path / "v.avi", 1), tmp_path / "p.png")
    camera = film.Camera(source=str(tmp_path / "p.png"))
    (tmp_path / "p.png").unlink()
    with pytest.raises(CameraError, match="No such file"):
        camera.read(1)
