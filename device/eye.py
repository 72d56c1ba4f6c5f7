"""The eye of an entrance: keeps the camera's own process running, and puts what it says into the gate's inbox.

A stalled camera driver may never return, and neither may its attempt to stop, nor a decoder that met a picture it was
not made for. So both live in a process that can be killed and started again while the gate goes on.
"""

from __future__ import annotations

import logging
import multiprocessing
import os
import threading
import time
from collections.abc import Callable
from multiprocessing.connection import Connection
from multiprocessing.context import SpawnProcess
from typing import Final

from device import retina
from device.config import CameraSection, CrowdSection, DecoderSection, PosterSection
from device.sight import EyeFault, EyeSaid

log = logging.getLogger(__name__)

START_S: Final = 20.0  # seconds a process may take on a slow board to import OpenCV and open a camera
GRACE_S: Final = 1.0  # seconds on top of camera.stall_s, after which it would have said itself that no frame comes
RESTART_S: Final = 0.5  # seconds before a dead process is followed by another, then twice as long each time
RESTART_MAX_S: Final = 5.0
TICK_S: Final = 0.2  # seconds until `stop` is noticed
GOODBYE_S: Final = 5.0

spawn = multiprocessing.get_context("spawn")  # forked, it would share the pins' and the broker's descriptors


class Eye:
    """Supervises the camera's process from a thread that only puts."""

    def __init__(
        self,
        camera: CameraSection,
        decoder: DecoderSection,
        put: Callable[[EyeSaid], None],
        *,
        crowd: CrowdSection = CrowdSection(),  # noqa: B008 it is frozen
        poster: PosterSection = PosterSection(),  # noqa: B008
        preview: str = "",
    ) -> None:
        self._camera = camera
        self._decoder = decoder
        self._put = put
        self._line = crowd.line if crowd.mode == "on" else None
        self._all_in_view = poster.watch == "in_view"
        self._preview = preview  # the name of the place for the picture that a screen shows
        self._open: set[str] = set()  # faults said and not yet cleared
        self._lost = True  # as long as no frame has come
        self._wait_s = RESTART_S
        self._over = threading.Event()
        self.thread = threading.Thread(target=self._run, name="eye", daemon=True)

    def start(self) -> None:
        """Begin to look."""
        self.thread.start()

    def stop(self) -> None:
        """End the process and the thread; does nothing before `start`."""
        self._over.set()
        if self.thread.is_alive():
            self.thread.join(GOODBYE_S)

    def _run(self) -> None:
        while not self._over.is_set():
            ours, theirs = spawn.Pipe(duplex=False)
            process = self._process(theirs)
            process.start()
            theirs.close()  # so that the end of the process is the end of the pipe
            try:
                problem = self._listen(ours, process)
            finally:
                _end(process)
                ours.close()
            if problem:
                log.warning("the eye: %s", problem)
                self._say(EyeFault(fault="camera_lost", raised=True, detail=problem))
                self._over.wait(self._wait_s)
                self._wait_s = min(2 * self._wait_s, RESTART_MAX_S)

    def _process(self, pipe: Connection) -> SpawnProcess:
        return spawn.Process(
            target=retina.run,
            name="menshen-eye",
            daemon=True,
            args=(pipe,),
            kwargs={
                "parent": os.getpid(),
                "driver": self._camera.driver,
                "source": self._camera.source,
                "width": self._camera.width,
                "height": self._camera.height,
                "fps": self._camera.fps,
                "stall_s": self._camera.stall_s,
                "budget_ms": self._decoder.budget_ms,
                "gone_s": self._decoder.gone_s,
                "line": self._line,
                "all_in_view": self._all_in_view,
                "preview": self._preview,
            },
        )

    def _listen(self, pipe: Connection, process: SpawnProcess) -> str:
        """Pass on what the process says; return why it must be replaced, or nothing when `stop` was called."""
        heard_at = time.monotonic()
        self._lost = True
        while not self._over.is_set():
            patience = self._camera.stall_s + (START_S if self._lost else GRACE_S)
            try:
                if pipe.poll(TICK_S):
                    self._hear(pipe.recv())
                    heard_at = time.monotonic()
                elif time.monotonic() - heard_at > patience:
                    return f"the camera or a decoder has stalled: no sign of life for {patience:g} s"
            except (EOFError, OSError):
                process.join(GOODBYE_S)
                return f"the camera's process ended by itself, exit code {process.exitcode}"
        return ""

    def _hear(self, said: EyeSaid | None) -> None:
        if isinstance(said, EyeFault) and said.fault == "camera_lost":
            self._lost = said.raised
            if not said.raised:
                self._wait_s = RESTART_S
        if said:
            self._say(said)

    def _say(self, said: EyeSaid) -> None:
        """Put it, unless it is a fault that is open already or a cleared one that is not."""
        if isinstance(said, EyeFault):
            if said.raised == (said.fault in self._open):
                return
            self._open ^= {said.fault}
        self._put(said)


def _end(process: SpawnProcess) -> None:
    process.kill()
    process.join(GOODBYE_S)
    if process.exitcode is None:
        log.error("the camera's process %s cannot be killed: its driver hangs in the kernel; reboot", process.pid)
    else:
        process.close()
