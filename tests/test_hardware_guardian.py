"""The relay lets go and fire releases whatever happens to whom: real processes, stopped and killed on purpose.

Times are measured on the mock pins' file, from outside; -s prints them.
"""

from __future__ import annotations

import itertools
import os
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from device.spool import Reader
from device.wire.link import Wire
from device.wire.messages import Fault, decode
from hardware.levels import Levels
from tests.fire.gate import CARD, configure
from tests.processes import guardian_of

ROOT: Final = Path(__file__).resolve().parents[1]
RELAY, BUZZER, FIRE = 17, 18, 12
PULSE_S: Final = 0.5  # the longest there is
STUCK_S: Final = 1.0  # no relay is on for longer
FIRE_S: Final = 0.2
SOON_S: Final = 20.0


def until(condition: Callable[[], object], *, within: float = SOON_S, what: str = "it") -> None:
    deadline = time.monotonic() + within
    while not condition():
        assert time.monotonic() < deadline, f"{what} did not happen in time"
        time.sleep(0.001)


class Gate:
    """A whole gate but for its camera, in a process of its own, and its wires as seen from outside."""

    def __init__(self, folder: Path) -> None:
        self.data = folder / "north"
        self.config = configure(folder, "north", Wire(host="127.0.0.1", port=1))
        text = self.config.read_text(encoding="utf-8").replace('driver = "mock"', f'driver = "mock"\nfire = {FIRE}')
        self.config.write_text(f"{text}[turnstile]\npulse_ms = {PULSE_S * 1000:g}\n", encoding="utf-8")
        self.levels = Levels(self.data / "pins")
        self.levels.press(FIRE, level=False)
        self.process: subprocess.Popen[bytes] | None = None
        self._faults = self._edges = 0

    def fresh(self) -> None:
        """Have it run, with no fire and the relay off, and forget what was before."""
        self.levels.press(FIRE, level=False)
        if self.process:
            self.process.send_signal(signal.SIGCONT)
        else:
            self.start()
        self.on_for(0)
        self._faults, self._edges = len(self._all()), self.levels.read(RELAY).edges

    def start(self) -> None:
        with (self.data / "log").open("ab") as log:
            self.process = subprocess.Popen(
                [sys.executable, "-m", "tests.fire.gate", str(self.config)],
                cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
            )  # fmt: skip
        out = self.process.stdout
        assert out
        assert out.readline() in (b"lamp white\n", b"lamp green\n"), (self.data / "log").read_text()
        self._reader = threading.Thread(target=out.read)  # what is said must not fill the pipe
        self._reader.start()

    def show(self, *codes: str) -> None:
        assert self.process
        assert self.process.stdin
        self.process.stdin.write("".join(f"{code}\n" for code in codes).encode())
        self.process.stdin.flush()

    def signal(self, number: signal.Signals) -> None:
        assert self.process
        self.process.send_signal(number)

    def edges(self) -> int:
        """Count the relay's edges since `fresh`."""
        return self.levels.read(RELAY).edges - self._edges

    def pulse(self) -> float:
        """Show a good card, wait for the relay's edge, and return when it was."""
        edges = self.edges()
        self.show(CARD)
        until(lambda: self.edges() > edges, what="the pulse")
        return self.levels.read(RELAY).at

    def guardian(self) -> int:
        """Return the process id of its guardian; 0 when there is none."""
        return guardian_of(self.data)

    def kill(self) -> None:
        """Kill it as it stands."""
        if self.process:
            self.process.kill()
            self.process.wait()
            self._reader.join()
            for pipe in (self.process.stdin, self.process.stdout):
                if pipe:
                    pipe.close()
        self.process = None

    def _all(self) -> list[tuple[str, str]]:
        reader = Reader(self.data / "spool.db")
        events = [decode(Fault, each.payload) for each in reader.after(0, 100_000) if each.kind == "fault"]
        reader.close()
        return [(event.event_type, event.fault) for event in events if event.fault in ("fire", "guardian_lost")]

    def faults(self) -> list[tuple[str, str]]:
        """Return what came since `fresh`, but for the end of what was before."""
        return list(itertools.dropwhile(lambda said: said[0] == "cleared", self._all()[self._faults :]))

    def on_for(self, begun: float) -> float:
        """Wait until the relay is off; return how long after `begun` that was."""
        until(lambda: not self.levels.read(RELAY).high, what="letting go")
        return self.levels.read(RELAY).at - begun

    def held_after(self, begun: float) -> float:
        until(lambda: self.levels.read(RELAY).high, what="the release")
        return self.levels.read(RELAY).at - begun

    def close(self) -> None:
        self.levels.press(FIRE, level=False)
        self.kill()
        if guardian := self.guardian():
            os.kill(guardian, signal.SIGCONT)
            os.kill(guardian, signal.SIGTERM)
        until(lambda: not self.guardian(), what="the guardian's end")
        assert not self.levels.read(RELAY).high
        self.levels.close()


@pytest.fixture(scope="module")
def standing(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Gate]:
    made = Gate(tmp_path_factory.mktemp("guarded"))
    yield made
    made.close()


@pytest.fixture
def gate(standing: Gate) -> Gate:
    standing.fresh()
    return standing


def test_starts_and_restarts_are_no_edge(gate: Gate) -> None:
    before = gate.levels.read(BUZZER).edges
    gate.kill()
    gate.start()
    gate.kill()
    os.kill(gate.guardian(), signal.SIGTERM)
    until(lambda: not gate.guardian())
    gate.start()
    assert (gate.edges(), gate.levels.read(BUZZER).edges - before) == (0, 0)


@pytest.mark.parametrize("how", [signal.SIGSTOP, signal.SIGKILL])
def test_a_gate_that_dies_or_stands_still_in_a_pulse_leaves_no_relay_on(gate: Gate, how: signal.Signals) -> None:
    begun = gate.pulse()
    gate.signal(how)
    on = gate.on_for(begun)
    print(f"{how.name} to the gate: the relay was on for {on:.3f} s")
    assert on <= STUCK_S
    assert gate.edges() == 2
    if how == signal.SIGKILL:
        gate.kill()


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGSTOP])
def test_a_guardian_that_dies_or_stands_still_in_a_pulse_leaves_no_relay_on(gate: Gate, how: signal.Signals) -> None:
    begun, guardian = gate.pulse(), gate.guardian()
    os.kill(guardian, how)
    on = gate.on_for(begun)
    assert on <= STUCK_S
    until(lambda: gate.faults() == [("raised", "guardian_lost"), ("cleared", "guardian_lost")], what="its successor")
    back = time.monotonic() - begun
    print(f"{how.name} to the guardian: the relay was on for {on:.3f} s; guarded again after {back:.3f} s")
    assert gate.guardian() not in (0, guardian)
    assert gate.edges() == 2
    assert gate.on_for(gate.pulse()) <= STUCK_S


def nothing(gate: Gate) -> None:
    """All is well."""
    assert gate.process


def stopped(gate: Gate) -> None:
    gate.signal(signal.SIGSTOP)


def killed(gate: Gate) -> None:
    gate.kill()


def flooded(gate: Gate) -> None:
    reader = Reader(gate.data / "spool.db")
    last = max((event.seq for event in reader.after(0, 100_000)), default=0)
    gate.show(*(f"forged {number}" for number in range(20_000)))
    until(lambda: reader.after(last + 20, 1), what="the flood")
    reader.close()


@pytest.mark.parametrize("state", [nothing, stopped, killed, flooded])
def test_fire_releases_in_any_state_of_the_gate(gate: Gate, state: Callable[[Gate], None]) -> None:
    state(gate)
    begun = time.monotonic()
    gate.levels.press(FIRE, level=True)
    took = gate.held_after(begun)
    print(f"fire while {state.__name__}: released after {took * 1000:.0f} ms")
    assert took <= FIRE_S
    if state is flooded:
        gate.kill()


def test_a_cut_fire_cable_releases(gate: Gate) -> None:
    begun = time.monotonic()
    gate.levels.press(FIRE, None)
    assert gate.held_after(begun) <= FIRE_S


def test_fire_outlasts_gates_and_the_next_one_takes_over_without_a_gap(gate: Gate) -> None:
    gate.levels.press(FIRE, level=True)
    until(lambda: gate.faults() == [("raised", "fire")])
    gate.kill()
    guardian = gate.guardian()
    os.kill(guardian, signal.SIGTERM)
    gate.start()
    assert (gate.guardian(), gate.edges(), gate.levels.read(RELAY).high) == (guardian, 1, True)
    gate.levels.press(FIRE, level=False)
    gate.on_for(0)
    until(lambda: gate.faults()[-1] == ("cleared", "fire"))
    assert (gate.guardian(), gate.edges()) == (guardian, 2)


def test_fire_outlasts_a_guardian(gate: Gate) -> None:
    gate.levels.press(FIRE, level=True)
    until(lambda: gate.faults() == [("raised", "fire")])
    os.kill(gate.guardian(), signal.SIGKILL)
    until(lambda: ("cleared", "guardian_lost") in gate.faults())
    until(lambda: gate.levels.read(RELAY).high)
    assert ("cleared", "fire") not in gate.faults()


def test_a_second_gate_on_the_same_pins_is_refused_and_disturbs_nobody(gate: Gate) -> None:
    guardian = gate.guardian()
    second = subprocess.run(
        [sys.executable, "-m", "tests.fire.gate", str(gate.config)],
        cwd=ROOT, stdin=subprocess.DEVNULL, capture_output=True, text=True, check=False, timeout=60,
    )  # fmt: skip
    assert "serves another gate with the same pins" in second.stderr
    assert gate.guardian() == guardian
    gate.pulse()


def test_an_emulated_board_that_is_thrown_away_leaves_no_guardian_behind(gate: Gate) -> None:
    gate.fresh()
    gate.kill()
    assert gate.guardian()  # it watches for fire until the next gate comes
    (gate.data / "pins").unlink()
    until(lambda: not gate.guardian(), what="the guardian's end")
    gate.levels.close()
    gate.levels = Levels(gate.data / "pins")
