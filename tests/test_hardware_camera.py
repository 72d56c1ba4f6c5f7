"""The cameras: one contract for all that can run here, then the troubles of one that stalls and is unplugged."""

from __future__ import annotations

import http.server
import importlib
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest

from hardware.camera import emulated, film, usb
from hardware.parts import Camera, CameraError
from hardware.scene import save
from tests.pictures import CODE, FPS, HEIGHT, SCENE, SIZE, WIDTH, lobby, read_on, texts, video


class Webcam:
    """A camera on the network: a stream of JPEGs that can stall and hang up."""

    def __init__(self) -> None:
        self.streaming = threading.Event()
        self.streaming.set()
        self.over = threading.Event()
        jpeg = cv2.imencode(".jpg", lobby())[1].tobytes()
        webcam = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Type", "multipart/x-mixed-replace; boundary=next")
                self.end_headers()
                try:
                    while not webcam.over.wait(1 / FPS):
                        if webcam.streaming.is_set():
                            self.wfile.write(b"--next\r\nContent-Type: image/jpeg\r\n\r\n" + jpeg + b"\r\n")
                except OSError:
                    pass  # whoever looked has gone

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,))
        self._thread.start()
        self.address = f"http://127.0.0.1:{self._server.server_port}/"

    def close(self) -> None:
        self.over.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def webcam() -> Iterator[Webcam]:
    made = Webcam()
    yield made
    made.close()


def film_of_pictures(tmp_path: Path, _: Callable[[], Webcam]) -> Camera:
    for number in range(3):
        cv2.imwrite(str(tmp_path / f"{number}.png"), lobby())
    return film.Camera(source=str(tmp_path), **SIZE)


def film_of_a_video(tmp_path: Path, _: Callable[[], Webcam]) -> Camera:
    return film.Camera(source=str(video(tmp_path / "taken.avi", 3)), **SIZE)


def drawn(tmp_path: Path, _: Callable[[], Webcam]) -> Camera:
    save(tmp_path / "scene.json", SCENE)
    return emulated.Camera(source=str(tmp_path / "scene.json"), **SIZE)


def over_opencv(_: Path, webcam: Callable[[], Webcam]) -> Camera:
    return usb.Camera(source=webcam().address, **SIZE)


def on_a_pi(_path: Path, _: Callable[[], Webcam]) -> Camera:
    library = pytest.importorskip("picamera2", reason="picamera2 is on a Raspberry Pi only: ITS DRIVER IS NOT TESTED")
    if not library.Picamera2.global_camera_info():
        pytest.skip("no camera module is plugged in: ITS DRIVER IS NOT TESTED")
    made: Camera = importlib.import_module("hardware.camera.picamera2").Camera(source="", **SIZE)
    return made


@pytest.fixture(params=[film_of_pictures, film_of_a_video, drawn, over_opencv, on_a_pi])
def camera(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Camera]:
    made: Camera = request.param(tmp_path, lambda: request.getfixturevalue("webcam"))
    yield made
    made.close()


def test_every_camera_gives_grey_frames_numbered_and_timed(camera: Camera) -> None:
    before = time.monotonic()
    frames = [camera.read(5) for _ in range(3)]
    for frame in frames:
        assert frame.grey.shape == (HEIGHT, WIDTH)
        assert frame.grey.dtype == np.uint8
    assert [frame.number for frame in frames] == sorted({frame.number for frame in frames})
    times = [frame.at for frame in frames]
    assert times == sorted(set(times))
    assert before - 1 <= times[0]
    assert times[-1] <= time.monotonic()


def test_every_camera_shows_what_is_before_it(camera: Camera, request: pytest.FixtureRequest) -> None:
    if "on_a_pi" in request.node.name:
        pytest.skip("nobody knows what a real camera sees")
    assert texts(camera.read(5).grey) == [CODE]


def test_no_emulated_camera_is_faster_than_asked(tmp_path: Path) -> None:
    cameras: list[Any] = [film_of_a_video(tmp_path, Webcam), drawn(tmp_path, Webcam)]
    for camera in cameras:
        first, *_, last = [camera.read(5) for _ in range(3)]
        assert last.at - first.at >= 2 / FPS
        camera.close()


def test_a_frame_that_is_not_due_yet_is_an_error_not_a_wait(tmp_path: Path) -> None:
    camera = emulated.Camera(source=str(tmp_path / "scene.json"), width=WIDTH, height=HEIGHT, fps=1)
    camera.read(1)
    with pytest.raises(CameraError, match=r"no frame within 0\.05 s"):
        camera.read(0.05)


def test_a_stalled_driver_does_not_hold_up_the_reader(webcam: Webcam) -> None:
    camera = usb.Camera(source=webcam.address, **SIZE)
    camera.read(5)
    webcam.streaming.clear()
    before = time.monotonic()
    with pytest.raises(CameraError, match=r"no frame for 0\.4 s; its driver has stalled"):
        read_on(camera, 0.4)
    assert time.monotonic() - before < 4
    webcam.streaming.set()
    camera.read(5)
    camera.close()


def test_a_stalled_driver_does_not_hold_up_the_end(webcam: Webcam, caplog: pytest.LogCaptureFixture) -> None:
    camera = usb.Camera(source=webcam.address, **SIZE)
    webcam.streaming.clear()
    with pytest.raises(CameraError, match="stalled"):
        read_on(camera, 0.4)
    camera.close()
    assert "only the end of this process frees it" in caplog.text


def test_a_camera_that_is_unplugged_is_an_error(webcam: Webcam) -> None:
    camera = usb.Camera(source=webcam.address, **SIZE)
    camera.read(5)
    webcam.over.set()
    with pytest.raises(CameraError, match="still plugged in"):
        read_on(camera, 5)
    camera.close()


@pytest.mark.parametrize("source", ["63", "/dev/video63", "http://127.0.0.1:9/"])
def test_a_usb_camera_that_is_not_there_names_the_fix(source: str) -> None:
    with pytest.raises(CameraError, match="plug it in"):
        usb.Camera(source=source, **SIZE)
