"""The camera's own process: what it sees, what it says is wrong; that it comes back, or goes with its gate."""

from __future__ import annotations

import contextlib
import math
import multiprocessing
import os
import queue
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from functools import partial
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from pathlib import Path
from typing import Any, TypeVar

import pytest

from device import retina
from device.config import CameraSection, CrowdSection, DecoderSection, PosterSection
from device.decoder import Decoder, View
from device.eye import Eye, spawn
from device.sight import Code, Counted, EyeFault, EyeSaid, Guidance, InView, Seen
from hardware.parts import Frame
from hardware.scene import Scene, save

WITHIN_S = 20.0
Said = TypeVar("Said", Counted, InView)
STALL_S = 0.5
GATE = """
import multiprocessing, sys, threading
from device.config import CameraSection, DecoderSection
from device.eye import Eye

first = threading.Event()
eye = Eye(CameraSection(driver="emulated", source=sys.argv[1]), DecoderSection(), lambda said: first.set())
eye.start()
first.wait()
print(multiprocessing.active_children()[0].pid, flush=True)
threading.Event().wait()
"""


class Watch:
    """An eye before a scene, and what it said."""

    def __init__(self, folder: Path) -> None:
        self.scene = folder / "scene.json"
        self.said: queue.SimpleQueue[EyeSaid] = queue.SimpleQueue()
        source = CameraSection(driver="emulated", source=str(self.scene), width=640, height=360, stall_s=STALL_S)
        self.eye = Eye(source, DecoderSection(gone_s=0.3), self.said.put)

    def show(self, **scene: Any) -> None:
        save(self.scene, Scene(**scene))

    def next(self) -> EyeSaid:
        return self.said.get(timeout=WITHIN_S)

    def fault(self) -> tuple[str, bool]:
        said = self.next()
        assert isinstance(said, EyeFault), said
        return said.fault, said.raised

    def again(self, code: str) -> bool:
        """Hide a code until it is news; a busy machine looks less often, so that it has to be away for longer."""
        for away_s in (0.6, 1.5, 4.0):
            self.show()
            with pytest.raises(queue.Empty):
                self.said.get(timeout=away_s)
            self.show(code=code, size=200)
            with contextlib.suppress(queue.Empty):
                said = self.said.get(timeout=2 * away_s)
                return isinstance(said, Seen) and said.code.text == code
        return False

    def text(self) -> str:
        said = self.next()
        assert isinstance(said, Seen), said
        return said.code.text

    @property
    def process(self) -> int:
        (found,) = multiprocessing.active_children()
        assert found.pid is not None
        return found.pid


@pytest.fixture
def watch(tmp_path: Path) -> Iterator[Watch]:
    made = Watch(tmp_path)
    made.show(code="FIRST", size=200)
    made.eye.start()
    yield made
    made.eye.stop()
    assert not made.eye.thread.is_alive()
    assert multiprocessing.active_children() == []


def gone(pid: int) -> bool:
    """Whether no such process runs; one that is dead and not yet buried does not."""
    try:
        return Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()[0] == "Z"
    except FileNotFoundError:
        return True


def test_a_code_is_said_once_and_again_after_it_had_left(watch: Watch) -> None:
    before = time.monotonic()
    seen = watch.next()
    assert isinstance(seen, Seen)
    assert seen.code.data == b"FIRST"
    assert before < seen.frame_at < seen.read_at < time.monotonic()
    watch.show(code="SECOND", size=200)
    assert watch.text() == "SECOND"
    assert watch.again("SECOND")


def test_what_would_help_is_said_and_taken_back(watch: Watch) -> None:
    assert watch.text() == "FIRST"
    watch.show(code="SECOND" * 40, size=50)
    assert watch.next() == Guidance(hint="too_far")
    watch.show(code="SECOND", size=200)
    assert {type(watch.next()), type(watch.next())} == {Guidance, Seen}
    assert watch.said.empty()


def test_a_camera_that_is_lost_black_or_frozen_is_said_once_and_taken_back(watch: Watch) -> None:
    assert watch.text() == "FIRST"
    for state in ("missing", "black", "frozen"):
        fault = {"missing": "camera_lost"}.get(state, f"camera_{state}")
        watch.show(camera=state)
        assert watch.fault() == (fault, True)
        watch.show()
        assert watch.fault() == (fault, False)
    assert watch.said.empty()


def test_a_lost_camera_says_why(watch: Watch) -> None:
    assert watch.text() == "FIRST"
    watch.show(camera="missing")
    said = watch.next()
    assert isinstance(said, EyeFault)
    assert str(watch.scene) in said.detail


def test_a_killed_process_is_replaced(watch: Watch) -> None:
    assert watch.text() == "FIRST"
    killed = watch.process
    os.kill(killed, signal.SIGKILL)
    assert watch.fault() == ("camera_lost", True)
    assert watch.fault() == ("camera_lost", False)
    assert watch.text() == "FIRST"  # whoever stands there still is read again
    assert watch.process != killed


def test_a_stalled_process_is_replaced(watch: Watch) -> None:
    assert watch.text() == "FIRST"
    stalled = watch.process
    os.kill(stalled, signal.SIGSTOP)
    said = watch.next()
    assert said == EyeFault(
        fault="camera_lost", raised=True, detail="the camera or a decoder has stalled: no sign of life for 1.5 s"
    )
    assert watch.fault() == ("camera_lost", False)
    assert gone(stalled)


class Stubborn(Decoder):
    """Never returns from a picture with the code HANG: a computation in C, which no signal but SIGKILL interrupts."""

    def read(self, frame: Frame) -> list[Code]:
        codes = super().read(frame)
        if any(code.text == "HANG" for code in codes):
            math.factorial(10**9)
        return codes


def stubborn(pipe: Connection, source: str) -> None:
    """Be the camera's process, with that decoder."""
    camera = partial(retina.camera, "emulated", source=source, width=640, height=360, fps=30)
    retina.Retina(camera, pipe.send, stall_s=STALL_S, decoder=Stubborn(40), view=View(0.3)).run()


class Unlucky(Eye):
    """An eye whose process is that one."""

    def _process(self, pipe: Connection) -> SpawnProcess:
        return spawn.Process(target=stubborn, name="menshen-eye", daemon=True, args=(pipe, self._camera.source))


def test_a_decoder_that_never_returns_is_killed_and_the_next_goes_on(tmp_path: Path) -> None:
    watch = Watch(tmp_path)
    watch.eye = Unlucky(watch.eye._camera, watch.eye._decoder, watch.said.put)
    watch.show(code="FIRST", size=200)
    watch.eye.start()
    assert watch.text() == "FIRST"
    stuck = watch.process
    watch.show(code="HANG", size=200)
    assert watch.fault() == ("camera_lost", True)
    watch.show(code="SECOND", size=200)
    assert watch.fault() == ("camera_lost", False)
    assert watch.text() == "SECOND"
    assert gone(stuck)
    watch.eye.stop()
    assert multiprocessing.active_children() == []


def test_ctrl_c_belongs_to_the_gate(watch: Watch) -> None:
    assert watch.text() == "FIRST"
    os.kill(watch.process, signal.SIGINT)
    watch.show(code="SECOND", size=200)
    assert watch.text() == "SECOND"


def test_the_process_has_a_name_of_its_own(watch: Watch) -> None:
    assert watch.text() == "FIRST"
    assert Path(f"/proc/{watch.process}/comm").read_text(encoding="ascii") == "menshen-eye\n"


def test_what_cannot_be_opened_is_said_once_with_its_fix() -> None:
    said: queue.SimpleQueue[EyeSaid] = queue.SimpleQueue()
    eye = Eye(CameraSection(driver="film", source="/nowhere/film.mp4"), DecoderSection(), said.put)
    eye.start()
    fault = said.get(timeout=WITHIN_S)
    eye.stop()
    assert isinstance(fault, EyeFault)
    assert (fault.fault, fault.raised) == ("camera_lost", True)
    assert "no film at '/nowhere/film.mp4': name a picture" in fault.detail
    assert said.empty()


def test_people_and_all_that_is_in_view_are_said_where_somebody_asks(tmp_path: Path) -> None:
    scene, said = tmp_path / "scene.json", queue.SimpleQueue[EyeSaid]()
    save(scene, Scene(poster="POSTER"))
    source = CameraSection(driver="emulated", source=str(scene), width=640, height=360)
    crowd, poster = CrowdSection(mode="on", line=0.8), PosterSection(watch="in_view")
    eye = Eye(source, DecoderSection(), said.put, crowd=crowd, poster=poster)
    eye.start()
    try:
        counted = until(said, Counted)
        assert (counted.waiting, counted.near) == (0, 0), "what hangs there is nobody"
        save(scene, Scene(poster="POSTER", near=True))
        while not (counted := until(said, Counted)).near:
            assert counted.waiting == 0
        assert counted.waiting == 1
        assert [code.text for code in until(said, InView).codes] == ["POSTER"]
    finally:
        eye.stop()


def until(said: queue.SimpleQueue[EyeSaid], kind: type[Said]) -> Said:
    """Return the next that is of this kind."""
    while True:
        found = said.get(timeout=WITHIN_S)
        if isinstance(found, kind):
            return found


def test_an_eye_that_never_opened_can_be_stopped(tmp_path: Path) -> None:
    Watch(tmp_path).eye.stop()


@pytest.mark.parametrize("hangs", [False, True])
def test_the_process_ends_with_its_gate_however_that_ends(tmp_path: Path, hangs: bool) -> None:  # noqa: FBT001
    scene = tmp_path / "scene.json"
    save(scene, Scene(code="HELLO"))
    with subprocess.Popen([sys.executable, "-c", GATE, str(scene)], stdout=subprocess.PIPE, text=True) as gate:
        assert gate.stdout is not None
        eye = int(gate.stdout.readline())
        assert not gone(eye)
        if hangs:
            os.kill(eye, signal.SIGSTOP)
        gate.kill()
    deadline = time.monotonic() + WITHIN_S
    while not gone(eye):
        assert time.monotonic() < deadline, "the camera's process outlives its gate"
        time.sleep(0.01)
