"""The display of an entrance: keeps the screen's own process running, and tells it what the gate has to say.

A browser, its page and the process behind it may hang, die or never start: the gate puts a message into a box of one
and goes on. A thread of this file's own does the waiting, with one message on its way at a time.
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
from typing import Any, Final

from device.config import ScreenSection
from device.shown import ScreenChanged, Shown

log = logging.getLogger(__name__)

START_S: Final = 30.0  # seconds a process may take on a slow board to import and serve
STALL_S: Final = 5.0  # seconds without an answer after which it hangs
PULSE_S: Final = 1.0  # seconds between two messages when nothing changed, so that an answer is due
RESTART_S: Final = 0.5  # seconds before a dead process is followed by another, then twice as long each time
RESTART_MAX_S: Final = 30.0
TICK_S: Final = 0.2  # seconds until `stop` is noticed
GOODBYE_S: Final = 2.0

spawn = multiprocessing.get_context("spawn")  # forked, it would share the pins' and the broker's descriptors


class Display:
    """Supervises the screen's process. `show` only puts: it never waits for anything."""

    def __init__(
        self,
        section: ScreenSection,
        *,
        language: str,
        preview: str,
        tell: Callable[[ScreenChanged], None],
        stall_s: float = STALL_S,
    ) -> None:
        self._section = section
        self._language = language
        self._preview = preview
        self._tell = tell
        self._stall_s = stall_s
        self._latest: Shown = Shown()
        self._fresh = threading.Event()
        self._over = False
        self._lost = False
        self._wait_s = RESTART_S
        self.thread = threading.Thread(target=self._run, name="display", daemon=True)

    def start(self) -> None:
        """Begin to show."""
        self.thread.start()

    def show(self, shown: Shown) -> None:
        """Have this shown, and nothing that was not shown before it."""
        self._latest = shown
        self._fresh.set()

    def stop(self) -> None:
        """End the process and the thread."""
        self._over = True
        self._fresh.set()
        if self.thread.is_alive():
            self.thread.join(2 * GOODBYE_S)

    def _run(self) -> None:
        while not self._over:
            try:
                problem = self._serve()
            except Exception as error:
                log.exception("the screen cannot be run")
                problem = f"{type(error).__name__}: {error}"
            if problem and not self._over:
                self._said(problem)
                self._pause()

    def _serve(self) -> str:
        """Run one process; return why it must be replaced, or nothing when `stop` was called."""
        ours, theirs = spawn.Pipe()
        process = self._process(theirs)
        process.start()
        theirs.close()  # so that the end of the process is the end of the pipe
        try:
            return self._feed(ours, process)
        finally:
            process.kill()
            process.join(GOODBYE_S)
            ours.close()

    def _process(self, pipe: Connection) -> SpawnProcess:
        return spawn.Process(
            target=_screen,
            name="menshen-screen",
            daemon=True,
            args=(pipe,),
            kwargs={
                "parent": os.getpid(),
                "host": self._section.host,
                "port": self._section.port,
                "language": self._language,
                "preview": self._preview,
            },
        )

    def _feed(self, pipe: Connection, process: SpawnProcess) -> str:
        """Say the latest, wait for the answer, and so on."""
        number, patience = 0, START_S
        try:
            while not self._over:
                number += 1
                self._fresh.clear()
                pipe.send((number, self._latest))
                if not self._answered(pipe, patience):
                    return f"it does not answer for {patience:g} s"
                if (answer := pipe.recv()) != number:
                    return str(answer)
                self._said("")
                self._wait_s = RESTART_S
                patience = self._stall_s
                self._fresh.wait(PULSE_S)
        except (EOFError, OSError):
            process.join(GOODBYE_S)
            return f"its process ended by itself, exit code {process.exitcode}"
        return ""

    def _answered(self, pipe: Connection, patience: float) -> bool:
        until = time.monotonic() + patience
        while not self._over and (left := until - time.monotonic()) > 0:
            if pipe.poll(min(left, TICK_S)):
                return True
        return False

    def _said(self, problem: str) -> None:
        if bool(problem) != self._lost:
            self._lost = bool(problem)
            if problem:
                log.warning("the screen is lost: %s", problem)
            else:
                log.info("the screen is back")
            self._tell(ScreenChanged(problem=problem))

    def _pause(self) -> None:
        until = time.monotonic() + self._wait_s
        self._wait_s = min(2 * self._wait_s, RESTART_MAX_S)
        while not self._over and (left := until - time.monotonic()) > 0:
            self._fresh.clear()
            self._fresh.wait(left)


def _screen(pipe: Connection, **settings: Any) -> None:
    """Be the process: only there is a web server wanted, which takes memory and time to import."""
    from device.screen import server  # noqa: PLC0415

    server.run(pipe, **settings)
