"""The turnstile as a gate has it: orders to a guardian, and what becomes of them when one or the other goes."""

from __future__ import annotations

import os
import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import msgspec
import pytest

from hardware import pins
from hardware.guardian import Charge
from hardware.keeper import Keeper
from hardware.parts import FireChanged, GuardianChanged, PartError, PartSaid
from tests.test_hardware_guardian import FIRE, RELAY, SOON_S, STUCK_S, until

STRANGER = """
import socket, sys
door = socket.socket(socket.AF_UNIX, socket.SOCK_SEQPACKET)
door.connect("\\0" + sys.argv[1])
try:
    door.send(b'{"number":2}')
    print("heard" if door.recv(100) else "refused")
except OSError:
    print("refused")
"""


class Kept:
    """A keeper, what it told, and its wires."""

    def __init__(self, folder: Path) -> None:
        self.charge = Charge(driver="mock", relay=RELAY, pulse_ms=500, fire=FIRE, levels=str(folder / "pins"))
        self.factory = pins.factory("mock", levels=folder / "pins", closed=(FIRE,))
        self.told: list[PartSaid] = []
        self.keeper = self.keep()

    def keep(self, **changed: int) -> Keeper:
        charge = msgspec.structs.replace(self.charge, **changed)
        return Keeper(charge, factory=self.factory, tell=self.told.append)

    def guardian(self) -> int:
        assert self.keeper._child
        return self.keeper._child.pid

    def abandon(self) -> subprocess.Popen[bytes]:
        """Hang up without taking leave, as a gate that dies does; return the guardian, which waits for the next."""
        orphan, session = self.keeper._child, self.keeper._session
        assert orphan
        assert session
        self.keeper._over.set()
        self.keeper.thread.join()
        session.close()
        assert orphan.poll() is None
        return orphan


@pytest.fixture
def kept(tmp_path: Path) -> Iterator[Kept]:
    made = Kept(tmp_path)
    yield made
    made.factory.levels.press(FIRE, level=False)
    made.keeper.close()


def test_a_release_returns_when_the_relay_is_on(kept: Kept) -> None:
    took = []
    for _ in range(50):
        begun = time.monotonic()
        kept.keeper.release()
        took.append(time.monotonic() - begun)
        assert kept.factory.levels.read(RELAY).high
    print(f"release to relay: median {sorted(took)[25] * 1000:.2f} ms, slowest {max(took) * 1000:.2f} ms")


def test_a_guardian_leaves_with_its_gate_after_ending_the_pulse(kept: Kept) -> None:
    kept.keeper.release()
    kept.keeper.close()
    assert kept.keeper._child
    assert kept.keeper._child.poll() == 0
    assert kept.factory.levels.read(RELAY)[:2] == (False, 2)
    kept.keeper = kept.keep()


def test_a_guardian_that_hangs_when_its_gate_ends_leaves_no_relay_on(kept: Kept) -> None:
    kept.keeper.release()
    begun = kept.factory.levels.read(RELAY).at
    os.kill(kept.guardian(), signal.SIGSTOP)
    kept.keeper.close()
    assert kept.factory.levels.read(RELAY).at - begun <= STUCK_S
    assert kept.keeper._child
    assert kept.keeper._child.poll() == -signal.SIGKILL
    assert kept.factory.levels.read(RELAY)[:2] == (False, 2)
    kept.keeper = kept.keep()


def test_a_guardian_with_other_orders_is_replaced(kept: Kept) -> None:
    orphan = kept.abandon()
    kept.keeper = kept.keep(pulse_ms=100)
    assert orphan.wait(SOON_S) == 0


def test_a_release_while_a_guardian_is_replaced_waits_for_the_next(kept: Kept) -> None:
    os.kill(kept.guardian(), signal.SIGKILL)
    until(lambda: kept.told)
    kept.keeper.release()
    assert kept.factory.levels.read(RELAY).high
    assert [each.lost for each in kept.told if isinstance(each, GuardianChanged)] == [True, False]


def test_a_release_nobody_answers_is_an_error_and_is_not_made_up_for(kept: Kept) -> None:
    os.kill(kept.guardian(), signal.SIGSTOP)
    with pytest.raises(PartError, match="not released: its guardian does not answer"):
        kept.keeper.release()
    until(lambda: [type(each) for each in kept.told] == [GuardianChanged] * 2)
    assert kept.factory.levels.read(RELAY).edges == 0


def test_fire_is_told(kept: Kept) -> None:
    kept.factory.levels.press(FIRE, level=True)
    until(lambda: kept.told)
    kept.factory.levels.press(FIRE, level=False)
    until(lambda: len(kept.told) == 2)
    assert [each.fire for each in kept.told if isinstance(each, FireChanged)] == [True, False]


def test_pins_that_cannot_be_had_are_a_part_error(tmp_path: Path) -> None:
    charge = Charge(driver="mock", relay=99, pulse_ms=100, levels=str(tmp_path / "pins"))
    with pytest.raises(PartError, match="cannot have its pins: PinInvalidPin"):
        Keeper(charge, factory=pins.factory("mock", levels=tmp_path / "pins"), tell=lambda _: None)


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else")
def test_another_user_cannot_give_orders(kept: Kept) -> None:
    """Not even while there is no gate, when a guardian waits for one."""
    orphan, name = kept.abandon(), kept.charge.address.removeprefix("\0")
    stranger = subprocess.run(
        ["/usr/bin/python3", "-c", STRANGER, name], user=65534, cwd="/", capture_output=True, text=True, check=False
    )
    assert stranger.stdout == "refused\n", stranger.stderr
    assert kept.factory.levels.read(RELAY).edges == 0
    kept.keeper = kept.keep()
    assert orphan.poll() is None
    os.kill(orphan.pid, signal.SIGTERM)
    kept.keeper.release()
    kept.keeper.close()
    assert orphan.wait(SOON_S) == 0
    kept.keeper = kept.keep()
