"""`menshen doctor` on an emulated kernel: real lgpio, real smbus2, and what is wrong with the wires behind them."""

from __future__ import annotations

import errno
import json
import os
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from device.wire.link import Wire
from hardware.lamp import COLOURS
from tests.fire.gate import CARD, configure
from tests.kernel.pi import FIRE, ROOT, Pi, running, until, why_not
from tests.kernel.wall import BUTTON, BUZZER, LAMP, RELAY

if reason := why_not():
    pytest.skip(f"{reason}: THE DRIVERS OF PINS AND THERMOMETER ARE NOT TESTED", allow_module_level=True)


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[Pi]:
    with running(tmp_path) as made:
        yield made


def configured(pi: Pi) -> Path:
    """Write what a gate on this Pi is told; it has a film for a camera, and no broker."""
    path = configure(pi.folder, "north", Wire(host="127.0.0.1", port=1))
    text = path.read_text(encoding="utf-8").replace('driver = "mock"', f'driver = "lgpio"\nfire = {FIRE}')
    path.write_text(f'{text}[camera]\ndriver = "film"\n[thermometer]\ndriver = "mlx90614"\n', encoding="utf-8")
    return path


def examined(pi: Pi, *words: str) -> tuple[int, dict[str, dict[str, str]], str]:
    """Run it as an installer does; return its exit code, what it found by check, and what it asked meanwhile."""
    path = configured(pi)
    command = (sys.executable, "-P", "-m", "menshen", "doctor", "--config", str(path), "--json", "--lang", "en", *words)
    process = pi.machine.start(
        *command,
        cwd=pi.folder,
        env=os.environ | {"PYTHONPATH": str(ROOT)},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
    )
    out, asked = process.communicate(timeout=60)
    return process.returncode, {row["check"]: row for row in json.loads(out)}, asked


def test_the_doctor_finds_a_pi_in_order_and_moves_only_what_it_is_told(pi: Pi) -> None:
    _, found, _ = examined(pi, "--pulse")
    assert {name for name, row in found.items() if row["state"] == "fail"} == {"camera", "tcp"}
    assert found["board"]["detail"] == "Raspberry Pi 4 Model B Rev 1.5"
    assert found["pins"]["detail"].startswith("lgpio: relay 17, ")
    assert found["thermometer"]["detail"] == "object 36.6 °C, ambient 24.0 °C"
    assert pi.chip.levels(RELAY) == [0, 1, 0]
    for pin in (BUZZER, *LAMP):
        assert set(pi.chip.levels(pin)) == {0}
    assert not any(pin.holder for pin in pi.chip.pins)


def test_a_whole_gate_on_lgpio_lets_a_card_through_and_the_doctor_leaves_it_its_pins(pi: Pi) -> None:
    path = configured(pi)
    gate = pi.machine.start(
        *(sys.executable, "-P", "-m", "tests.fire.gate", str(path)),
        cwd=pi.folder, env=os.environ | {"PYTHONPATH": str(ROOT), "LG_WD": str(pi.folder)},
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1,
    )  # fmt: skip
    assert gate.stdin
    assert gate.stdout
    with gate:
        try:
            assert gate.stdout.readline() == "lamp white\n"
            gate.stdin.write(f"{CARD}\n")
            assert [gate.stdout.readline() for _ in range(2)] == ["relay\n", "lamp green\n"]
            assert tuple(pi.chip.level(pin) for pin in LAMP) == COLOURS["green"]
            until(lambda: pi.chip.levels(RELAY) == [0, 1, 0], "the pulse")
            _, found, _ = examined(pi, "--pulse", "--show")
        finally:
            gate.terminate()
    assert found["gate"]["state"] == "skipped"
    assert not {"pins", "relay", "pulse", "show", "camera"} & set(found)
    assert found["thermometer"]["state"] == "ok"
    assert pi.chip.levels(RELAY) == [0, 1, 0]


def test_the_doctor_names_what_is_wrong_with_the_wires(pi: Pi) -> None:
    pi.chip.drive(RELAY, 1)  # an active-low board
    pi.chip.drive(BUTTON, 0)
    pi.chip.drive(FIRE, None)
    pi.sensor.trouble = "checksum"
    code, found, _ = examined(pi)
    assert code == 1
    failed = {name for name, row in found.items() if row["state"] == "fail"}
    assert failed == {"relay", "staff_button", "fire", "thermometer", "camera", "tcp"}
    assert "active-high" in found["relay"]["fix"]
    assert "wrong checksums" in found["thermometer"]["detail"]


PINS: Final = """
import pathlib, sys
from device import config
from device.checks import parts
found, _ = parts.open_pins(config.load(pathlib.Path(sys.argv[1])))
print(found.state, found.detail.en, found.fix.en, sep="\\n")
"""


def pins(pi: Pi) -> list[str]:
    """Look at the pins alone; return the state, what was found, and the fix."""
    environment = os.environ | {"PYTHONPATH": str(ROOT), "LG_WD": str(pi.folder)}
    command = (sys.executable, "-P", "-c", PINS, str(configured(pi)))
    return pi.machine.start(*command, env=environment, stdout=subprocess.PIPE).communicate(timeout=60)[0].splitlines()


def test_the_doctor_names_who_has_a_pin(pi: Pi) -> None:
    pi.chip.take(BUZZER, "pwm-overlay")
    state, detail, fix = pins(pi)
    assert state == "fail"
    assert detail == f"taken: buzzer (GPIO{BUZZER}): pwm-overlay"
    assert "gpioinfo" in fix


def test_the_doctor_names_the_group_where_the_chip_cannot_be_opened(pi: Pi) -> None:
    pi.chip.refusal = errno.EACCES
    state, _, fix = pins(pi)
    assert state == "fail"
    assert "group gpio" in fix
