"""The drivers on a kernel that answers as a Pi's would: gpiozero on its real lgpio, the real smbus2 and MLX90614.

Nothing of ours or theirs is replaced; only the devices behind the system calls are emulated (tests/kernel). Where a
machine cannot do that, all of it is skipped, and says so.
"""

from __future__ import annotations

import errno
import itertools
import json
import os
import signal
import stat
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from hardware.lamp import COLOURS
from tests.kernel.gpiochip import Level
from tests.kernel.i2c import Trouble
from tests.kernel.pi import DOOR, FIRE, INNER, OUTER, Pi, Wall, running, until, why_not
from tests.kernel.wall import BUTTON, BUZZER, LAMP, RELAY

CHATTER: Final[tuple[Level, ...]] = (0, None) * 6

if reason := why_not():
    pytest.skip(f"{reason}: THE DRIVERS OF PINS AND THERMOMETER ARE NOT TESTED", allow_module_level=True)


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


@pytest.mark.parametrize("each_s", [0.0005, 0.02])  # within what lgpio filters, and beyond it
def test_one_press_that_bounces_is_told_once(shared: tuple[Pi, Wall], each_s: float) -> None:
    pi, wall = shared
    wall.said()
    before = len(pi.chip.pins[BUTTON].history)
    pi.chip.chatter(BUTTON, *CHATTER, 0, each_s=each_s)
    assert wall.line() == "Pressed {}"
    pi.chip.chatter(BUTTON, None, *CHATTER, each_s=each_s)
    assert wall.line() == "Released {}"
    assert len(pi.chip.pins[BUTTON].history) == before + 26
    settled = time.monotonic() + 0.2
    until(lambda: time.monotonic() > settled, "quiet")
    assert wall.said() == []


def test_a_spike_on_the_cable_is_no_press(shared: tuple[Pi, Wall]) -> None:
    pi, wall = shared
    wall.said()
    pi.chip.chatter(BUTTON, 0, None)
    over = time.monotonic() + 0.1
    until(lambda: time.monotonic() > over, "quiet")
    assert wall.said() == []


def test_a_button_that_is_stuck_says_one_press_and_holds_nothing_up(shared: tuple[Pi, Wall]) -> None:
    pi, wall = shared
    wall.said()
    pi.chip.drive(BUTTON, 0)
    assert wall.line() == "Pressed {}"
    assert wall.do("lamp red") == "done"
    assert wall.said() == []
    pi.chip.drive(BUTTON, None)
    assert wall.line() == "Released {}"


def test_beams_tell_each_edge_in_order(shared: tuple[Pi, Wall]) -> None:
    pi, wall = shared
    wall.said()
    edges: list[tuple[int, Level]] = [(OUTER, None), (INNER, None), (OUTER, 0), (INNER, 0)]
    for pin, level in edges:
        pi.chip.drive(pin, level)
        word = {OUTER: "outer", INNER: "inner"}[pin]
        assert wall.line() == f"BeamChanged {json.dumps({'beam': word, 'broken': level is None})}"


def test_a_cut_cable_and_a_stuck_button_are_told_from_the_start(pi: Pi) -> None:
    pi.chip.drive(INNER, None)
    pi.chip.drive(BUTTON, 0)
    wall = pi.wall(beam_inner=INNER)
    assert wall.first == "Pressed {}"
    assert wall.said() == ['BeamChanged {"beam": "inner", "broken": true}', "ready"]


def test_a_door_is_told_as_it_is_at_the_start_and_once_each_time_however_it_bounces(pi: Pi) -> None:
    pi.chip.drive(DOOR, 0)
    wall = pi.wall(door=DOOR)
    assert wall.first == 'DoorChanged {"open": false}'
    assert wall.line() == "ready"
    for opened, chatter in ((True, (*CHATTER, None)), (False, (0, *CHATTER[1:], 0))):
        pi.chip.chatter(DOOR, *chatter, each_s=0.02)
        assert wall.line() == f"DoorChanged {json.dumps({'open': opened})}"
    settled = time.monotonic() + 0.2
    until(lambda: time.monotonic() > settled, "quiet")
    assert wall.said() == []


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


def test_a_chip_that_goes_away_is_an_error_of_each_act_until_it_is_back(pi: Pi) -> None:
    wall = pi.wall()
    pi.chip.dead = errno.ENODEV
    lines = [wall.do("lamp red"), wall.line()]
    assert sorted(line.partition(":")[0] for line in lines) == ['GuardianChanged {"lost"', "error"]
    pi.chip.dead = 0
    assert wall.line() == 'GuardianChanged {"lost": false}'
    assert wall.do("lamp red") == "done"
    assert wall.do("release") == "done"
    assert pi.chip.level(RELAY) == 1


def test_lgpio_keeps_its_fifos_where_it_is_told_and_moves_nobody(shared: tuple[Pi, Wall]) -> None:
    pi, wall = shared
    assert Path(f"/proc/{wall.process.pid}/cwd").resolve() == pi.folder.resolve()
    fifos = [path for path in pi.folder.rglob(".lgd-nfy*") if stat.S_ISFIFO(path.stat().st_mode)]
    assert {path.parent for path in fifos} == {wall.run, wall.run / "guardian"}


@pytest.mark.parametrize(("whom", "persist"), [("gate", True), ("guardian", True), ("guardian", False)])
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


def test_a_guardian_that_dies_in_a_fire_is_replaced_and_the_relay_is_off_for_moments_only(pi: Pi) -> None:
    wall = pi.wall(fire=FIRE)
    pi.chip.drive(FIRE, None)
    assert wall.line() == 'FireChanged {"fire": true}'
    os.kill(pi.guardian(), signal.SIGKILL)
    assert wall.line() == 'GuardianChanged {"lost": true}'
    assert wall.line() == 'GuardianChanged {"lost": false}'
    until(lambda: pi.chip.level(RELAY) == 1, "the hold of the next guardian")
    history = pi.chip.pins[RELAY].history
    falls = [later.at - fall.at for fall, later in itertools.pairwise(history[1:]) if fall.level != 1]
    print(f"the relay was off for {', '.join(f'{1000 * off:.2f} ms' for off in falls)}")
    assert falls
    assert max(falls) < 0.5
    wall.close()
    pi.chip.drive(FIRE, 0)


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
