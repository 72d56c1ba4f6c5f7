"""A gate run with --stage: acts are answered, what pins do is said, and clocks are as the scene has them."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path

from device.backstage import clocks, play
from device.config import PinsSection
from hardware import board as boards
from hardware import pins
from hardware.parts import PartSaid, Pressed, Released
from hardware.scene import Scene, save
from hardware.turnstile import Turnstile

DAY = 86400


def test_acts_are_answered_and_pins_are_told(tmp_path: Path) -> None:
    section, told, said = PinsSection(driver="mock"), list[PartSaid](), list[str]()
    factory = pins.factory("mock", levels=tmp_path / "pins")
    turnstile = Turnstile(section.relay, pulse_ms=100, factory=factory)
    board = boards.build(
        factory=factory, tell=told.append, turnstile=turnstile, lamp=(22, 23, 24), buzzer=18, staff_button=5
    )

    def until(change: str) -> None:
        deadline = time.monotonic() + 5
        while not any(line.endswith(change) for line in said):
            assert time.monotonic() < deadline, said
            time.sleep(0.01)

    def lines() -> Iterator[str]:
        until("staff_button=1")
        yield "press\n"
        board.lamp.show("green")
        until(" lamp_green=1")
        yield "dance\n"
        yield "picture /nowhere\n"

    play(factory, section, tmp_path / "scene", lines(), said.append)
    board.close()
    done, unknown, missing = [line for line in said if not line.startswith("pins ")]
    assert done == "done"
    assert unknown.startswith("cannot 'dance' is no act here")
    assert missing == "cannot picture: '/nowhere' is no file"
    changes = [line.split(maxsplit=2)[2] for line in said if line.startswith("pins ")]
    assert changes[0] == "relay=0 lamp_red=0 lamp_green=0 lamp_blue=0 buzzer=0 staff_button=1"
    assert changes[1:] == ["staff_button=0", "staff_button=1", "lamp_green=1"]
    assert [type(each) for each in told] == [Pressed, Released]


def test_clocks_are_as_the_scene_says(tmp_path: Path) -> None:
    scene = tmp_path / "scene"
    sample = clocks(scene)
    before, said, after = time.time(), sample().wall, time.time()
    assert before - 1e-3 <= said <= after + 1e-3
    save(scene, Scene(clock_s=40 * DAY, ntp="no"))
    before, begun, wrong, after, over = time.time(), time.monotonic(), sample(), time.time(), time.monotonic()
    assert before - 1e-3 <= wrong.wall - 40 * DAY <= after + 1e-3
    assert begun <= wrong.mono <= over
    assert not wrong.synced
    save(scene, Scene(ntp="yes"))
    assert sample().synced
    scene.write_text("{")
    before, said, after = time.time(), sample().wall, time.time()
    assert before - 1e-3 <= said <= after + 1e-3
