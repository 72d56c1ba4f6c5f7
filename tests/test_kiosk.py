"""The emulated kiosk: scenarios against a real gate, what a failing one says, and the page in a real Chromium."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Iterator
from http.client import HTTPConnection
from pathlib import Path

import cv2
import numpy as np
import pytest

from controller.booth import Booth
from controller.kiosk import opened
from controller.scenario import play, read
from controller.world import World
from tests.browser import CONTRAST, browsing, needs_chromium
from tests.pictures import lobby

SCENARIOS = Path(__file__).parents[1] / "docs/scenarios"
PATIENCE_S = 120.0


@pytest.fixture(scope="module")
def world() -> Iterator[World]:
    with opened("en") as made:
        yield made


@pytest.fixture(scope="module")
def booth(world: World) -> Iterator[Booth]:
    made = Booth(world, 0, "en")
    worker = threading.Thread(target=made.run)
    worker.start()
    yield made
    made.stop()
    worker.join()


def expect(world: World, text: str) -> None:
    play(world, read(text, "test"), "test", lambda _: None)


def started(*words: str) -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "menshen", "kiosk", *words]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True)


def test_scenarios_come_true_and_one_that_does_not_says_where(tmp_path: Path) -> None:
    """Play two side by side: what they do is mostly wait, but each is a whole world of processes."""
    wrong = tmp_path / "wrong.txt"
    wrong.write_text("press\n\nexpect lamp blue within 0.5\n")
    said, _ = (failing := started("--play", str(wrong))).communicate(timeout=PATIENCE_S)
    assert failing.returncode == 1, said
    assert f"{wrong}:3: expect lamp blue within 0.5: did not happen within 0.5 s" in said
    assert "now: white" in said
    for pair in (("codes", "cuts"), ("parts", "people")):
        playing = [started("--play", str(SCENARIOS / f"{name}.txt")) for name in pair]
        ended = [(running.communicate(timeout=PATIENCE_S)[0], running.returncode) for running in playing]
        for said, code in ended:
            assert code == 0, said
            assert "went wrong" in said


def test_a_scenario_that_makes_no_sense_is_refused_before_anything_starts(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("show @good\nexpect lamp purple\n")
    running = started("--play", str(tmp_path / "a.txt"))
    said, _ = running.communicate(timeout=PATIENCE_S)
    assert running.returncode == 1
    assert "a.txt:2: expect lamp purple: a lamp is off, green" in said


def test_a_scenario_that_was_interrupted_has_not_come_true() -> None:
    playing = started("--play", str(SCENARIOS / "first.txt"))
    assert playing.stdout
    assert "first.txt" in playing.stdout.readline()
    playing.send_signal(signal.SIGINT)
    playing.communicate(timeout=PATIENCE_S)
    assert playing.returncode == 130


def screens(world: World) -> list[int]:
    """Find the screen's process of this world's gate."""
    gate = world.gate
    return [
        int(status.parent.name)
        for status in Path("/proc").glob("[0-9]*/status")
        if "Name:\tmenshen-screen" in (text := status.read_text()) and f"PPid:\t{gate}\n" in text
    ]


def test_a_frozen_screen_is_not_in_the_way_of_a_gate(world: World) -> None:
    """Measure the same with a screen at work and with one that is stopped."""
    took = {}
    expect(world, "expect screen ready within 30")
    (screen,) = screens(world)
    for state in ("at work", "stopped"):
        if state == "stopped":
            os.kill(screen, signal.SIGSTOP)
        expect(world, "show @good\nexpect relay on within 30\nexpect lamp green\nexpect event scan grant")
        took[state] = next(each.detail["took_ms"] for each in reversed(world.past) if each.name == "scan")
        expect(world, "hide\nexpect lamp white")
    print(f"from the frame to the verdict: {took}")
    assert took["stopped"] < took["at work"] + 2500  # waiting for it would take five seconds
    os.kill(screen, signal.SIGCONT)


def test_the_live_picture_is_what_the_gates_own_camera_sees(world: World) -> None:
    expect(world, "expect screen ready within 30")
    deadline = time.monotonic() + 20
    while not (jpeg := live(world)):
        assert time.monotonic() < deadline
        time.sleep(0.05)
    picture = cv2.imdecode(np.frombuffer(jpeg, np.uint8), cv2.IMREAD_UNCHANGED)
    assert picture is not None
    assert (picture.shape, len(jpeg) < 40_000) == ((270, 480), True)
    assert 60 < picture.mean() < 200  # the lobby


def live(world: World) -> bytes:
    connection = HTTPConnection("127.0.0.1", world.screen_port)
    connection.request("GET", "/live.jpg")
    with connection.getresponse() as answer:
        jpeg = answer.read()
    connection.close()
    return jpeg


def test_acts_come_only_from_the_page_itself(booth: Booth) -> None:
    count = 0
    for headers in ({}, {"X-Menshen": "kiosk", "Host": "evil.example"}):
        connection = HTTPConnection("127.0.0.1", booth.port)
        connection.request("POST", "/act", "press", headers=headers)
        assert connection.getresponse().status == 400
        connection.close()
        count += 1
    assert count == 2


def test_an_uploaded_picture_is_what_the_camera_sees(world: World, booth: Booth) -> None:
    _, png = cv2.imencode(".png", lobby())
    for body, status in ((b"no picture", 400), (png.tobytes(), 200)):
        connection = HTTPConnection("127.0.0.1", booth.port)
        connection.request("POST", "/picture", body, headers={"X-Menshen": "kiosk"})
        assert connection.getresponse().status == status
        connection.close()
    with world.changed:
        assert world.changed.wait_for(lambda: world.lamp == "red", timeout=20)  # somebody's code, of nobody we know
    expect(world, "hide\nexpect lamp white")


# It stands open for less than half a second, in which nobody here may happen to look.
WATCH_THE_TURNSTILE = """
new MutationObserver(() => { window.opened ||= document.getElementById('turnstile').classList.contains('open') })
  .observe(document.getElementById('turnstile'), { attributes: true });
"""


@needs_chromium
def test_the_page_plays_with_the_gate(world: World, booth: Booth, tmp_path: Path) -> None:
    lamp = "document.getElementById('lamp').dataset.colour"
    with browsing(tmp_path) as browser:
        browser.open(f"http://127.0.0.1:{booth.port}/", 1440, 900)
        browser.until(lamp, "white".__eq__)
        browser.run(WATCH_THE_TURNSTILE)
        browser.click("[data-name=good]")
        browser.until(lamp, "green".__eq__)
        browser.until("window.opened === true", bool)
        browser.click("[data-act='walk in']")
        browser.until("document.getElementById('past').innerText", lambda text: "passed" in text)
        browser.click("[data-act=hide]")
        browser.click("[data-name=expired]")
        browser.until(lamp, "red".__eq__)
        browser.until("document.getElementById('alerts').innerText", lambda text: "abnormal code" in text)
        assert "abnormal code: 1 abnormal" not in browser.run("return document.getElementById('alerts').innerText")
        browser.click("[data-act=hide]")
        browser.click("#laptop")  # Chromium's own test picture
        expect(world, "nobody\nexpect lamp white\nheat 36.5")
        browser.until("document.getElementById('self').hidden", lambda hidden: hidden is False)
        wait_for_picture(world)
        browser.click("#laptop")
        browser.click("#network")
        browser.until("document.getElementById('network').getAttribute('aria-pressed')", "false".__eq__)
        browser.click("#network")
        browser.click("#power")
        browser.until(lamp, "off".__eq__)
        browser.click("[data-act=press]")
        browser.until("document.getElementById('problem').innerText", lambda text: "no power" in text)
        browser.click("#power")
        browser.until(lamp, "white".__eq__)
        browser.click("[data-act='fire yes']")  # and the pointer stays there
        fire = "getComputedStyle(document.querySelector(\"[data-act='fire yes']\"))"
        assert browser.run(f"{CONTRAST} return contrast({fire}.color, {fire}.backgroundColor)") >= 4.5
        browser.click("[data-act='fire no']")
        browser.click("#language")
        browser.until("document.querySelector('h1').innerText", "门神体验台".__eq__)
        allowed = ("409", "ERR_")  # an act that could not be done, and a screen without power
        assert [said for said in browser.complaints() if not any(word in said for word in allowed)] == []


def wait_for_picture(world: World) -> None:
    deadline = time.monotonic() + 20
    while not (world.folder / "laptop").exists():
        assert time.monotonic() < deadline
        time.sleep(0.05)
