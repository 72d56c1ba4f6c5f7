"""Mock pins whose levels outlive a process, and the contacts that are closed while all is well."""

from __future__ import annotations

import queue
import subprocess
import sys
from pathlib import Path

import pytest
from gpiozero import OutputDevice

from hardware import pins
from hardware.door import Door
from hardware.fire import CALM_S, SURE_S, Fire
from hardware.levels import Levels
from hardware.parts import DoorChanged, PartError, PartSaid, TamperChanged
from hardware.stage import Stage
from hardware.tamper import Tamper
from hardware.turnstile import Turnstile

RELAY, FIRE, TAMPER, DOOR = 17, 12, 6, 4
ROOT = Path(__file__).parent.parent

DIES_WITH_ITS_RELAY_ON = f"""
import os, signal, sys
from pathlib import Path
from hardware import pins
from hardware.door import Door
from hardware.turnstile import Turnstile
relay = Turnstile({RELAY}, pulse_ms=500, factory=pins.factory("mock", levels=Path(sys.argv[1])))
relay.hold()
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_level_outlives_the_process_that_drove_it(tmp_path: Path) -> None:
    subprocess.run([sys.executable, "-c", DIES_WITH_ITS_RELAY_ON, tmp_path / "pins"], cwd=ROOT, check=False)
    levels = Levels(tmp_path / "pins")
    assert levels.read(RELAY)[:2] == (True, 1)
    relay = Turnstile(RELAY, pulse_ms=100, factory=pins.factory("mock", levels=tmp_path / "pins"))
    assert levels.read(RELAY)[:2] == (False, 2), "a new owner drives it low"
    relay.close()
    assert levels.read(RELAY)[:2] == (False, 2)
    levels.close()


def test_claiming_a_relay_is_no_edge(tmp_path: Path) -> None:
    """From the state after a reset, an input with no pull, to an output that is low, through no other."""
    factory = pins.factory("mock", levels=tmp_path / "pins")
    pin = factory.pin(RELAY)
    assert (pin.function, pin.state) == ("input", False)
    relay = Turnstile(RELAY, pulse_ms=100, factory=factory)
    assert pin.function == "output"
    assert [state.state for state in pin.states] == [False]
    assert factory.levels.read(RELAY) == (False, 0, 0.0)
    relay.close()
    OutputDevice(RELAY, active_high=False, initial_value=False, pin_factory=factory).close()
    assert factory.levels.read(RELAY).edges == 2, "an active-low relay would click: so the test can fail"


def test_what_another_process_presses_is_read(tmp_path: Path) -> None:
    here, there = (pins.factory("mock", levels=tmp_path / "pins", closed=(FIRE,)) for _ in range(2))
    fire = Fire(FIRE, factory=here)
    assert fire.burning is False, "a new file has its contacts closed"
    there.pin(FIRE).drive_high()
    assert here.pin(FIRE).state == 1
    there.levels.press(FIRE, None)
    assert here.pin(FIRE).state == 1, "a cut cable is pulled up"
    there.pin(FIRE).drive_low()
    assert here.pin(FIRE).state == 0
    fire.close()


def test_a_levels_file_that_cannot_be_made_is_a_part_error(tmp_path: Path) -> None:
    with pytest.raises(PartError, match="no pins through mock"):
        pins.factory("mock", levels=tmp_path / "nowhere" / "pins")


def test_fire_is_believed_soon_and_over_late(tmp_path: Path) -> None:
    factory = pins.factory("mock", levels=tmp_path / "pins", closed=(FIRE,))
    fire, stage = Fire(FIRE, factory=factory), Stage(factory, tmp_path / "scene.json", fire=FIRE)
    assert fire.look(0) is False
    stage.do("fire yes")
    assert fire.look(1) is False
    stage.do("fire no")
    assert fire.look(1.1) is False, "a spike is no fire"
    stage.do("fire yes")
    assert (fire.look(2), fire.look(2.001 + SURE_S)) == (False, True)
    stage.do("fire no")
    assert (fire.look(3), fire.look(3 + CALM_S / 2)) == (True, True)
    stage.do("fire yes")
    assert fire.look(4) is True
    stage.do("fire no")
    assert (fire.look(5), fire.look(5.001 + CALM_S)) == (True, False)
    fire.close()
    stage.do("fire yes")
    again = Fire(FIRE, factory=factory)
    assert again.burning is True, "one that begins during a fire need not be sure"


def test_an_open_lid_is_told_when_it_changes_and_from_the_start(tmp_path: Path) -> None:
    factory = pins.factory("mock", levels=tmp_path / "pins", closed=(TAMPER,))
    stage, inbox = Stage(factory, tmp_path / "scene.json", tamper=TAMPER), queue.SimpleQueue[PartSaid]()
    lid = Tamper(TAMPER, factory=factory, tell=inbox.put)
    assert inbox.empty()
    for answer in ("yes", "no", "yes"):
        stage.do(f"tamper {answer}")
    lid.close()
    Tamper(TAMPER, factory=factory, tell=inbox.put).close()
    said = [inbox.get() for _ in range(inbox.qsize())]
    assert [each.open for each in said if isinstance(each, TamperChanged)] == [True, False, True, True]


def test_a_door_is_told_once_each_time_however_its_contact_bounces_and_as_it_is_at_the_start(tmp_path: Path) -> None:
    factory = pins.factory("mock", levels=tmp_path / "pins", closed=(DOOR,))
    stage, inbox = Stage(factory, tmp_path / "scene.json", door=DOOR), queue.SimpleQueue[PartSaid]()
    pin, said = factory.pin(DOOR), list[bool]()

    def told() -> bool:
        changed = inbox.get(timeout=5)
        assert isinstance(changed, DoorChanged)
        said.append(changed.open)
        return changed.open

    door = Door(DOOR, factory=factory, tell=inbox.put)
    assert told() is False
    for _ in range(6):  # chatter, and then it is open
        pin.drive_high()
        pin.drive_low()
    stage.do("door open")
    assert told() is True
    stage.do("door closed")
    assert told() is False
    for _ in range(6):  # it is slammed
        pin.drive_high()
        pin.drive_low()
    stage.do("door open")
    assert told() is True
    door.close()
    Door(DOOR, factory=factory, tell=inbox.put).close()
    assert told() is True
    assert (inbox.empty(), said) == (True, [False, True, False, True, True])


def test_a_spike_on_the_cable_of_a_door_is_no_opening(tmp_path: Path) -> None:
    factory = pins.factory("mock", levels=tmp_path / "pins", closed=(DOOR,))
    inbox = queue.SimpleQueue[PartSaid]()
    door = Door(DOOR, factory=factory, tell=inbox.put)
    inbox.get()
    factory.pin(DOOR).drive_high()
    factory.pin(DOOR).drive_low()
    settling = door._contact._timer
    assert settling
    settling.join()
    assert inbox.empty()
    door.close()


def test_a_held_relay_outlasts_a_pulse_and_lets_go(tmp_path: Path) -> None:
    factory = pins.factory("mock", levels=tmp_path / "pins")
    turnstile = Turnstile(RELAY, pulse_ms=100, factory=factory)
    turnstile.release()
    turnstile.hold()
    turnstile.release()
    pulse = turnstile._end
    assert pulse
    pulse.join()
    assert factory.levels.read(RELAY)[:2] == (True, 1)
    turnstile.free()
    assert factory.levels.read(RELAY)[:2] == (False, 2)
    turnstile.close()
