"""The drivers on a kernel that answers as a Pi's would: gpiozero on its real lgpio, the real smbus2 and MLX90614.

Nothing of ours or theirs is replaced; only the devices behind the system calls are emulated (tests/kernel). Where a
machine cannot do that, all of it is skipped, and says so.
"""

from __future__ import annotations

import contextlib
import errno
import importlib.util
import itertools
import json
import os
import queue
import signal
import stat
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, Final

import pytest

from device.wire.link import Wire
from hardware.lamp import COLOURS
from tests.fire.gate import configure
from tests.kernel import seccomp
from tests.kernel.gpiochip import Chip, Level
from tests.kernel.i2c import Bus, Mlx90614, Trouble
from tests.kernel.machine import Machine
from tests.kernel.wall import BUTTON, BUZZER, LAMP, RELAY

ROOT: Final = Path(__file__).parents[1]
OUTER, INNER, FIRE = 25, 16, 12
RESISTORS: Final[dict[int, Any]] = {RELAY: 0, BUZZER: 0, OUTER: 1, INNER: 1, **dict.fromkeys(LAMP, 0)}
WITHIN_S: Final = 15.0


def why_not() -> str:
    if importlib.util.find_spec("lgpio") is None:
        return f"there is no lgpio for Python {sys.version_info.major}.{sys.version_info.minor} here"
    return seccomp.why_not()


if reason := why_not():
    pytest.skip(f"{reason}: THE DRIVERS OF PINS AND THERMOMETER ARE NOT TESTED", allow_module_level=True)


def until(condition: Callable[[], object], what: str) -> None:
    deadline = time.monotonic() + WITHIN_S
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in time"
        time.sleep(0.001)


class Wall:
    """A board and a thermometer in a process on the emulated machine."""

    def __init__(self, machine: Machine, folder: Path, **more: int) -> None:
        self.run = folder / "run"
        self.run.mkdir(exist_ok=True)
        environment = os.environ | {"LG_WD": str(self.run), "PYTHONPATH": str(ROOT)}
        words = (sys.executable, "-P", "-m", "tests.kernel.wall", str(folder), json.dumps(more))
        self.process = machine.start(
            *words, cwd=folder, env=environment, stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=1
        )
        self._lines: queue.SimpleQueue[str] = queue.SimpleQueue()
        self._reader = threading.Thread(target=self._read)
        self._reader.start()
        self.first = self.line()

    def _read(self) -> None:
        assert self.process.stdout
        for line in self.process.stdout:
            self._lines.put(line.rstrip("\n"))

    def line(self) -> str:
        return self._lines.get(timeout=WITHIN_S)

    def do(self, act: str) -> str:
        assert self.process.stdin
        self.process.stdin.write(f"{act}\n")
        return self.line()

    def said(self) -> list[str]:
        """Return what the inputs have said, up to a lamp that is shown now."""
        lines = [self.do("lamp off")]
        while lines[-1] != "done":
            lines.append(self.line())
        return lines[:-1]

    def close(self, number: signal.Signals | None = None) -> None:
        if number:
            self.process.send_signal(number)
        assert self.process.stdin
        self.process.stdin.close()
        self.process.wait(WITHIN_S)
        self._reader.join(WITHIN_S)
        assert self.process.stdout
        self.process.stdout.close()


class Pi:
    """An emulated Pi with its wires."""

    def __init__(self, folder: Path, *, persist: bool = True) -> None:
        self.folder = folder
        self.chip = Chip(RESISTORS, persist=persist)
        self.sensor = Mlx90614()
        self.bus = Bus({0x5A: self.sensor})
        self.machine = Machine({"/dev/gpiochip0": self.chip, "/dev/i2c-1": self.bus})
        self.walls: list[Wall] = []
        for pin in (OUTER, INNER, FIRE):
            self.chip.drive(pin, 0)  # beams are whole, and nothing burns

    def wall(self, **more: int) -> Wall:
        self.walls.append(Wall(self.machine, self.folder, **more))
        return self.walls[-1]

    def guardian(self) -> int:
        """Return the process id of the relay's guardian; 0 when there is none."""
        for folder in Path("/proc").glob("[0-9]*"):
            try:
                words = (folder / "cmdline").read_bytes()
            except OSError:
                continue
            if b"hardware.guardian" in words and str(self.folder).encode() in words:
                return int(folder.name)
        return 0


@contextlib.contextmanager
def running(folder: Path, *, persist: bool = True) -> Iterator[Pi]:
    pi = Pi(folder, persist=persist)
    with pi.machine:
        try:
            yield pi
        finally:
            for wall in pi.walls:
                wall.close()
            if guardian := pi.guardian():
                os.kill(guardian, signal.SIGTERM)
            until(lambda: not pi.guardian(), "the guardian's end")


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[Pi, Wall]]:
    """One wall for all that leaves it as it was."""
    with running(tmp_path_factory.mktemp("pi")) as pi:
        yield pi, pi.wall(beam_outer=OUTER, beam_inner=INNER)


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[Pi]:
    with running(tmp_path) as made:
        yield made


def test_nothing_on_the_wall_moves_when_the_board_is_claimed(shared: tuple[Pi, Wall]) -> None:
    pi, wall = shared
    assert wall.first == "ready"
    for pin in (RELAY, BUZZER, *LAMP):
        assert pi.chip.held(pin)
        assert set(pi.chip.levels(pin)) == {0}, f"GPIO{pin} moved at the start"


def test_without_its_pull_down_the_relay_would_float_at_the_start(tmp_path: Path) -> None:
    """Every pin is taken as an input without a pull first: the wiring's 10 kilohms hold the relay meanwhile."""
    with running(tmp_path) as pi:
        pi.chip.pins[RELAY].resistor = None
        pi.wall()
    assert None in pi.chip.levels(RELAY)
    assert 1 not in pi.chip.levels(RELAY)


@pytest.mark.parametrize("colour", COLOURS)
def test_the_lamp_is_lit_through_lgpio(shared: tuple[Pi, Wall], colour: str) -> None:
    pi, wall = shared
    assert wall.do(f"lamp {colour}") == "done"
    assert tuple(pi.chip.level(pin) for pin in LAMP) == COLOURS[colour]  # type: ignore[index]


def test_the_buzzer_sounds_its_rhythm(shared: tuple[Pi, Wall]) -> None:
    pi, wall = shared
    before = len(pi.chip.pins[BUZZER].history)
    assert wall.do("tune refer") == "done"
    until(lambda: len(pi.chip.pins[BUZZER].history) == before + 4, "the tune")
    times = [moment.at for moment in pi.chip.pins[BUZZER].history[before:]]
    assert [later - sooner for sooner, later in itertools.pairwise(times)] == pytest.approx([0.25, 0.15, 0.25], abs=0.1)


def test_a_release_is_one_pulse_of_the_relay(shared: tuple[Pi, Wall]) -> None:
    pi, wall = shared
    before = len(pi.chip.pins[RELAY].history)
    assert wall.do("release") == "done"
    until(lambda: len(pi.chip.pins[RELAY].history) == before + 2, "the pulse")
    up, down = pi.chip.pins[RELAY].history[before:]
    assert (up.level, down.level) == (1, 0)
    assert down.at - up.at == pytest.approx(0.3, abs=0.1)


def bounce(chip: Chip, pin: int, level: Level) -> None:
    """Move a contact as a worn one moves: a dozen edges in some milliseconds, each told by the kernel."""
    for turn in range(13):
        chip.drive(pin, level if turn % 2 == 0 else None)
        time.sleep(0.0005)


def test_one_press_that_bounces_is_told_once(shared: tuple[Pi, Wall]) -> None:
    pi, wall = shared
    wall.said()
    before = len(pi.chip.pins[BUTTON].history)
    bounce(pi.chip, BUTTON, 0)
    assert wall.line() == "Pressed {}"
    for turn in range(12):
        pi.chip.drive(BUTTON, None if turn % 2 else 0)
        time.sleep(0.0005)
    assert len(pi.chip.pins[BUTTON].history) > before + 20
    settled = time.monotonic() + 0.2
    until(lambda: time.monotonic() > settled, "quiet")
    assert wall.said() == []


def test_a_spike_on_the_cable_is_no_press(shared: tuple[Pi, Wall]) -> None:
    pi, wall = shared
    wall.said()
    pi.chip.drive(BUTTON, 0)
    pi.chip.drive(BUTTON, None)
    over = time.monotonic() + 0.1
    until(lambda: time.monotonic() > over, "quiet")
    assert wall.said() == []


def test_a_button_that_is_stuck_says_one_press_and_holds_nothing_up(pi: Pi) -> None:
    wall = pi.wall()
    pi.chip.drive(BUTTON, 0)
    assert wall.line() == "Pressed {}"
    until(lambda: pi.chip.level(BUTTON) == 0, "the press")
    assert wall.do("lamp red") == "done"
    assert wall.do("release") == "done"
    assert wall.said() == []


def test_a_button_that_is_stuck_from_the_start_is_no_press(pi: Pi) -> None:
    pi.chip.drive(BUTTON, 0)
    wall = pi.wall()
    assert wall.said() == []


def test_beams_tell_each_edge_in_order(shared: tuple[Pi, Wall]) -> None:
    pi, wall = shared
    wall.said()
    edges: list[tuple[int, Level]] = [(OUTER, None), (INNER, None), (OUTER, 0), (INNER, 0)]
    for pin, level in edges:
        pi.chip.drive(pin, level)
        word = {OUTER: "outer", INNER: "inner"}[pin]
        assert wall.line() == f"BeamChanged {json.dumps({'beam': word, 'broken': level is None})}"


def test_a_beam_whose_cable_is_cut_is_told_as_broken_from_the_start(pi: Pi) -> None:
    pi.chip.drive(INNER, None)
    wall = pi.wall(beam_inner=INNER)
    assert wall.first == 'BeamChanged {"beam": "inner", "broken": true}'


@pytest.mark.parametrize("pin", [RELAY, BUZZER, BUTTON])
def test_a_pin_that_another_program_holds_is_named_with_its_fix(pi: Pi, pin: int) -> None:
    pi.chip.take(pin)
    wall = pi.wall()
    assert wall.first.startswith("PartError: ")
    assert "GPIO busy" in wall.first
    assert "one program" in wall.first or "guardian" in wall.first
    until(lambda: not any(pi.chip.held(other) for other in (RELAY, *LAMP, BUZZER, BUTTON) if other != pin), "the end")


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES, errno.ENODEV])
def test_a_chip_that_cannot_be_opened_names_the_fix(pi: Pi, number: int) -> None:
    pi.chip.refusal = number
    wall = pi.wall()
    assert wall.first.startswith("PartError: no pins through lgpio: 'can not open gpiochip'")
    assert "group gpio" in wall.first


def test_a_chip_that_is_gone_while_it_runs_is_an_error_of_that_act(pi: Pi) -> None:
    wall = pi.wall()
    pi.chip.dead = errno.ENODEV
    assert "Error: " in wall.do("lamp red") or "error: " in wall.do("lamp red")
    pi.chip.dead = 0
    assert wall.do("lamp red") == "done"


def test_lgpio_keeps_its_fifos_where_it_is_told_and_moves_nobody(pi: Pi) -> None:
    wall = pi.wall()
    assert Path(f"/proc/{wall.process.pid}/cwd").resolve() == pi.folder.resolve()
    fifos = [path for path in pi.folder.rglob(".lgd-nfy*") if stat.S_ISFIFO(path.stat().st_mode)]
    assert {path.parent for path in fifos} == {wall.run, wall.run / "guardian"}


@pytest.mark.parametrize("persist", [True, False])
@pytest.mark.parametrize("whom", ["gate", "guardian"])
def test_a_kill_in_mid_pulse_never_leaves_the_relay_on(tmp_path: Path, whom: str, persist: bool) -> None:  # noqa: FBT001
    with running(tmp_path, persist=persist) as pi:
        wall = pi.wall()
        assert wall.do("release") == "done"
        assert pi.chip.level(RELAY) == 1
        os.kill(wall.process.pid if whom == "gate" else pi.guardian(), signal.SIGKILL)
        begun = pi.chip.pins[RELAY].history[-1].at
        until(lambda: pi.chip.level(RELAY) != 1, "letting go")
        moment = pi.chip.pins[RELAY].history[-1]
        assert moment.level == 0
        assert moment.at - begun < 1
        if whom == "guardian":
            assert wall.line() == 'GuardianChanged {"lost": true}'
            assert wall.line() == 'GuardianChanged {"lost": false}'
            assert wall.do("release") == "done"
            assert pi.chip.level(RELAY) == 1
            until(lambda: pi.chip.level(RELAY) == 0, "the end of the next pulse")
        else:
            wall.close()
            until(lambda: not pi.chip.held(RELAY), "the end of the guardian")
            assert pi.wall().do("release") == "done"


def test_a_fire_holds_the_relay_and_outlives_the_gate(pi: Pi) -> None:
    wall = pi.wall(fire=FIRE)
    pi.chip.drive(FIRE, None)
    assert wall.line() == 'FireChanged {"fire": true}'
    assert pi.chip.level(RELAY) == 1
    wall.close(signal.SIGKILL)
    assert pi.chip.held(RELAY)
    assert pi.chip.level(RELAY) == 1
    pi.chip.drive(FIRE, 0)
    until(lambda: pi.chip.level(RELAY) == 0, "the end of the fire")


# The thermometer.


def test_the_thermometer_is_read_through_the_real_bus(shared: tuple[Pi, Wall]) -> None:
    _, wall = shared
    assert wall.do("temperature") == "done 36.65 24.01"


@pytest.mark.parametrize("trouble", ["absent", "checksum", "garbled", "stretched", "stuck"])
def test_a_transfer_that_fails_twice_is_tried_a_third_time(shared: tuple[Pi, Wall], trouble: Trouble) -> None:
    pi, wall = shared
    before = pi.bus.transfers
    pi.sensor.next.extend([trouble] * 2)
    assert wall.do("temperature") == "done 36.65 24.01"
    assert pi.bus.transfers - before == 8


@pytest.mark.parametrize(
    ("trouble", "fix"),
    [
        ("absent", "Remote I/O error; check its four wires"),
        ("checksum", "wrong checksums; shorten the cable or lower the I2C clock"),
        ("garbled", "wrong checksums; shorten the cable or lower the I2C clock"),
        ("stretched", "Input/output error; check its four wires"),
        ("stuck", "Connection timed out; check its four wires"),
    ],
)
def test_a_sensor_that_fails_three_times_is_no_reading(shared: tuple[Pi, Wall], trouble: Trouble, fix: str) -> None:
    pi, wall = shared
    before = pi.bus.transfers
    pi.sensor.next.extend([trouble] * 3)
    assert fix in wall.do("temperature")
    assert pi.bus.transfers - before == 3
    assert not pi.sensor.next
    assert wall.do("temperature") == "done 36.65 24.01"


def test_a_sensor_that_is_not_there_is_no_reading(shared: tuple[Pi, Wall]) -> None:
    pi, wall = shared
    pi.bus.chips = {}
    assert "ThermometerError: the thermometer at 0x5a cannot be read" in wall.do("temperature")
    pi.bus.chips = {0x5A: pi.sensor}


@pytest.mark.parametrize("number", [errno.ENOENT, errno.EACCES])
def test_a_bus_that_cannot_be_opened_names_the_fix(shared: tuple[Pi, Wall], number: int) -> None:
    pi, wall = shared
    pi.bus.refusal = number
    said = wall.do("temperature")
    pi.bus.refusal = 0
    assert said.startswith(f"ThermometerError: I2C bus 1 cannot be opened: {os.strerror(number)}; switch it on")


# `menshen doctor` on it.


def examined(pi: Pi, *words: str) -> tuple[int, dict[str, dict[str, str]], str]:
    """Run it as an installer does; return its exit code, what it found by check, and what it asked meanwhile."""
    path = configure(pi.folder, "north", Wire(host="127.0.0.1", port=1))
    text = path.read_text(encoding="utf-8").replace('driver = "mock"', f'driver = "lgpio"\nfire = {FIRE}')
    scene = f'[camera]\ndriver = "emulated"\nsource = "{pi.folder / "scene.json"}"\n'
    path.write_text(f'{text}{scene}[thermometer]\ndriver = "mlx90614"\n', encoding="utf-8")
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
    assert {name for name, row in found.items() if row["state"] == "fail"} == {"tcp"}
    assert found["board"]["detail"] == "Raspberry Pi 4 Model B Rev 1.5"
    assert found["pins"]["detail"].startswith("lgpio: relay 17, ")
    assert found["thermometer"]["detail"] == "object 36.6 °C, ambient 24.0 °C"
    assert pi.chip.levels(RELAY) == [0, 1, 0]
    for pin in (BUZZER, *LAMP):
        assert set(pi.chip.levels(pin)) == {0}
    assert not any(pin.holder for pin in pi.chip.pins)


def test_the_doctor_names_what_is_wrong_with_the_wires(pi: Pi) -> None:
    pi.chip.drive(RELAY, 1)  # an active-low board
    pi.chip.drive(BUTTON, 0)
    pi.chip.drive(FIRE, None)
    pi.sensor.trouble = "checksum"
    code, found, _ = examined(pi)
    assert code == 1
    failed = {name for name, row in found.items() if row["state"] == "fail"}
    assert failed == {"relay", "staff_button", "fire", "thermometer", "tcp"}
    assert "active-high" in found["relay"]["fix"]
    assert "wrong checksums" in found["thermometer"]["detail"]


def test_the_doctor_names_who_has_a_pin(pi: Pi) -> None:
    pi.chip.take(BUZZER, "pwm-overlay")
    _, found, _ = examined(pi)
    assert found["pins"]["state"] == "fail"
    assert f"buzzer (GPIO{BUZZER}): pwm-overlay" in found["pins"]["detail"]
    assert "gpioinfo" in found["pins"]["fix"]
    assert "relay" not in found


def test_the_doctor_names_the_group_where_the_chip_cannot_be_opened(pi: Pi) -> None:
    pi.chip.refusal = errno.EACCES
    _, found, _ = examined(pi)
    assert found["pins"]["state"] == "fail"
    assert "group gpio" in found["pins"]["fix"]
