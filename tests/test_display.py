"""The screen's own process: what it serves and to whom; and that a frozen or dead one changes nothing at the gate."""

from __future__ import annotations

import asyncio
import json
import multiprocessing
import os
import queue
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from http.client import HTTPConnection, HTTPResponse

import pytest
from starlette.types import Message

from controller.broker import free_port
from device.config import ScreenSection
from device.display import Display
from device.preview import INTEREST_S, ROOM, Preview
from device.screen.server import Screen, is_loopback
from device.shown import ScreenChanged, Shown

WITHIN_S = 20.0
STALL_S = 0.6


class Watch:
    """A display at work, and what it told the gate."""

    def __init__(self) -> None:
        self.told: queue.SimpleQueue[ScreenChanged] = queue.SimpleQueue()
        self.preview = Preview()
        self.port = free_port()
        section = ScreenSection(enabled=True, port=self.port)
        self.display = Display(section, language="en", preview=self.preview.name, tell=self.told.put, stall_s=STALL_S)
        self._open: list[HTTPConnection] = []
        self._answers: list[HTTPResponse] = []

    @property
    def process(self) -> int:
        (found,) = multiprocessing.active_children()
        assert found.pid is not None
        return found.pid

    def ask(self, path: str, **headers: str) -> HTTPResponse:
        """Ask for a page as soon as anybody answers."""
        deadline = time.monotonic() + WITHIN_S
        while True:
            connection = HTTPConnection("127.0.0.1", self.port, timeout=WITHIN_S)
            self._open.append(connection)
            try:
                connection.request("GET", path, headers=headers)
                self._answers.append(connection.getresponse())
            except ConnectionError:
                assert time.monotonic() < deadline
                time.sleep(0.02)
            else:
                return self._answers[-1]

    def hang_up(self) -> None:
        for connection in self._open:
            connection.close()
        for answer in self._answers:
            answer.close()

    def kinds(self) -> Iterator[str]:
        """Follow what is shown."""
        with self.ask("/shown") as answer:
            while line := answer.readline():
                if line.startswith(b"data: "):
                    yield json.loads(line[6:])["kind"]

    def until(self, kind: str) -> None:
        assert kind in self.kinds()


@pytest.fixture
def watch() -> Iterator[Watch]:
    made = Watch()
    made.display.start()
    yield made
    made.hang_up()
    made.display.stop()
    made.preview.remove()
    assert not made.display.thread.is_alive()
    assert multiprocessing.active_children() == []


def test_what_the_gate_says_is_shown_and_pages_are_hardened(watch: Watch) -> None:
    watch.display.show(Shown())
    kinds = watch.kinds()
    assert "ready" in kinds
    watch.display.show(Shown(state="answer", outcome="grant"))
    assert "grant" in kinds
    for path in ("/", "/screen.css", "/screen.js", "/icon.svg"):
        answer = watch.ask(path)
        policy = answer.headers["Content-Security-Policy"]
        assert (answer.status, answer.headers["X-Content-Type-Options"]) == (200, "nosniff")
        assert "default-src 'none'" in policy
        assert "unsafe" not in policy
    page = watch.ask("/").read().decode()
    assert "http" not in page.replace("http-equiv", "")  # nothing comes from elsewhere
    assert " on" + "click" not in page
    assert watch.ask("/", Host="evil.example").status == 400
    assert watch.ask("/../server.py").status == 404


def test_pictures_are_made_only_while_somebody_looks_and_are_kept_nowhere(watch: Watch) -> None:
    assert not watch.preview.wanted()
    assert watch.ask("/live.jpg").status == 204  # nobody wrote one yet, but from now on they are wanted
    assert watch.preview.wanted()
    watch.preview.write(b"a small picture")
    assert not watch.preview.wanted()  # ten a second are enough
    answer = watch.ask("/live.jpg")
    assert (answer.read(), answer.headers["Cache-Control"]) == (b"a small picture", "no-store")
    watch.preview.write(b"x" * (ROOM + 1))
    assert watch.ask("/live.jpg").read() == b"a small picture"
    until = time.monotonic() + INTEREST_S
    while watch.preview.wanted() or time.monotonic() < until:
        assert time.monotonic() < until + 1
        time.sleep(0.05)
    assert watch.ask("/live.jpg").status == 204  # too old to show


@pytest.mark.parametrize(("host", "here"), [("127.0.0.1", True), ("::1", True), ("10.0.0.9", False), ("", False)])
def test_the_live_picture_stays_on_this_machine(host: str, *, here: bool) -> None:
    assert is_loopback(host) == here


@pytest.mark.parametrize(("client", "status"), [("127.0.0.1", 200), ("10.0.0.9", 404)])
def test_whoever_asks_from_elsewhere_gets_the_page_without_the_picture(client: str, status: int) -> None:
    preview = Preview()
    preview.write(b"a small picture")
    app = Screen("zh", preview).app(("127.0.0.1",))
    said: list[Message] = []

    async def ask() -> None:
        async def receive() -> Message:
            return {"type": "http.request", "body": b""}

        async def send(message: Message) -> None:
            said.append(message)

        scope = {"type": "http", "method": "GET", "path": "/live.jpg", "query_string": b"", "client": (client, 1)}
        await app(scope | {"headers": [(b"host", b"127.0.0.1")]}, receive, send)

    asyncio.run(ask())
    preview.remove()
    assert said[0]["status"] == status


def slowest(watch: Watch, seconds: float) -> float:
    """Show one thing after the other for so long; return how long the slowest took, in seconds."""
    took, until, number = 0.0, time.monotonic() + seconds, 0
    while time.monotonic() < until:
        number += 1
        begun = time.perf_counter()
        watch.display.show(Shown(part=(number, number)))
        took = max(took, time.perf_counter() - begun)
    return took


def test_a_frozen_screen_holds_up_nothing_and_is_replaced(watch: Watch) -> None:
    watch.until("ready")
    frozen = watch.process
    os.kill(frozen, signal.SIGSTOP)
    assert slowest(watch, 0.5) < STALL_S / 2  # some microseconds; waiting for it would take STALL_S
    assert watch.told.get(timeout=WITHIN_S).problem
    watch.display.show(Shown(state="answer", outcome="refuse"))
    assert watch.told.get(timeout=WITHIN_S) == ScreenChanged(problem="")
    assert watch.process != frozen
    watch.until("refuse")


def test_a_dead_screen_comes_back(watch: Watch) -> None:
    watch.until("ready")
    os.kill(watch.process, signal.SIGKILL)
    assert "exit code -9" in watch.told.get(timeout=WITHIN_S).problem
    assert not watch.told.get(timeout=WITHIN_S).problem
    watch.until("ready")


def test_a_port_that_is_taken_is_named_with_the_fix() -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        told: queue.SimpleQueue[ScreenChanged] = queue.SimpleQueue()
        section = ScreenSection(enabled=True, port=taken.getsockname()[1])
        display = Display(section, language="zh", preview="", tell=told.put)
        display.start()
        detail = told.get(timeout=WITHIN_S).problem
        display.stop()
    assert "Address already in use" in detail
    assert "[screen] port" in detail


def test_a_gate_without_a_screen_loads_no_web_server() -> None:
    """It would take a small board some 20 MB and a second at every start."""
    script = "import sys, device.__main__; print({'uvicorn', 'starlette'} & set(sys.modules))"
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    assert done.stdout == "set()\n"
