"""What time is believed: single cases, then generated lives of a clock with everything that happens to one.

The long form: `python -m pytest tests/test_timekeeper.py --hypothesis-profile long`.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Final

import pytest
from hypothesis import given
from hypothesis import strategies as st

from device.codes import Checked, Claim
from device.floor import EARLIEST, EVERY_S, standing
from device.floor import Checked as Kept
from device.timekeeper import Moment, Sample, Timekeeper
from device.verdict import judge
from device.wire.messages import ClockState

NOW: Final = 1_795_500_000.0  # in November 2026
DAY: Final = 86400.0
SKEW_S: Final = 5.0
CRYSTAL: Final = 5e-5  # seconds a second that the machine's crystal is wrong
NOISE_S: Final = 0.1  # how well NTP knows the time


@pytest.fixture
def keeper() -> Timekeeper:
    """Return one that NTP has checked at NOW, 100 seconds after the start."""
    keeper = Timekeeper(Moment(NOW - DAY, 90), known=False)
    assert keeper.tell(Sample(NOW, 100, synced=True)) == "synced"
    return keeper


def test_time_goes_on_without_ntp(keeper: Timekeeper) -> None:
    assert keeper.tell(Sample(NOW + DAY, 100 + DAY, synced=False)) == "holdover"
    assert keeper.at(100 + DAY) == NOW + DAY


@pytest.mark.parametrize("wall", [5, NOW - 40 * DAY, NOW + 10, NOW + 40 * DAY])
def test_a_start_is_not_believed_before_ntp_says_so(wall: float) -> None:
    keeper = Timekeeper(Moment(NOW, 3), known=False)
    assert keeper.tell(Sample(wall, 3, synced=False)) == "unset"
    assert keeper.doubt == "clock_unset"
    assert keeper.tell(Sample(NOW + 60, 20, synced=True)) == "synced"
    assert (keeper.at(20), keeper.doubt) == (NOW + 60, "")


@pytest.mark.parametrize("jump", [-40 * DAY, -3600, -2.5, 2.5, 3600, 40 * DAY])
def test_a_jump_without_ntp_is_believed_neither_then_nor_later(keeper: Timekeeper, jump: float) -> None:
    assert keeper.tell(Sample(NOW + 10 + jump, 110, synced=False)) == "unset"
    assert keeper.doubt == "clock_jumped"
    assert keeper.tell(Sample(NOW + 20, 120, synced=False)) == "unset"
    assert keeper.tell(Sample(NOW + 30, 130, synced=True)) == "synced"
    assert keeper.at(130) == NOW + 30


def test_small_jumps_do_not_add_up(keeper: Timekeeper) -> None:
    assert keeper.tell(Sample(NOW + 10 - 1.5, 110, synced=False)) == "holdover"
    assert keeper.at(110) == NOW + 10
    assert keeper.tell(Sample(NOW + 20 - 3, 120, synced=False)) == "unset"


def test_nobody_sets_it_back_also_in_the_name_of_ntp(keeper: Timekeeper) -> None:
    for step in range(1, 60):
        state = keeper.tell(Sample(NOW - 0.9 * step, 100 + step, synced=True))
        assert keeper.at(100 + step) >= NOW
        assert state == ("synced" if step == 1 else "unset")
    assert keeper.doubt == "clock_behind"
    assert keeper.floor == Moment(NOW, 100)
    assert keeper.tell(Sample(NOW + 3, 3800, synced=True)) == "synced"
    assert keeper.at(3800) == NOW + 3


def test_what_a_crystal_was_wrong_by_is_caught_up_with(keeper: Timekeeper) -> None:
    late = 14 * DAY
    assert keeper.tell(Sample(NOW + late, 100 + late, synced=False)) == "holdover"
    for second in range(1, 90):
        truth = NOW + late - 60 + second
        assert keeper.tell(Sample(truth, 100 + late + second, synced=True)) == "synced"
        assert keeper.at(100 + late + second) == max(NOW + late + 1, truth)


def test_a_battery_is_believed_until_it_jumps_and_moves_no_floor() -> None:
    keeper = Timekeeper(Moment(NOW, 3), known=False, battery=True)
    assert keeper.tell(Sample(NOW + 40 * DAY, 3, synced=False)) == "holdover"
    assert keeper.at(3) == NOW + 40 * DAY
    assert keeper.floor == Moment(NOW, 3)
    assert keeper.tell(Sample(NOW + 41 * DAY, 4, synced=False)) == "unset"
    assert keeper.tell(Sample(NOW + 60, 5, synced=True)) == "synced"
    assert keeper.at(5) == NOW + 60
    old = Timekeeper(Moment(NOW, 3), known=False, battery=True)
    assert old.tell(Sample(NOW - 3, 3, synced=False)) == "unset"
    assert old.doubt == "clock_behind"


# Generated lives

DISTANCES = st.one_of(
    st.floats(-60, 60), st.floats(-40 * DAY, 40 * DAY), st.sampled_from([-40 * DAY, -3600.0, 3600.0, 40 * DAY])
)
ACT = st.one_of(
    st.tuples(st.just("wait"), st.one_of(st.floats(0.1, 120), st.floats(120, 20 * DAY))),
    st.tuples(st.just("jump"), DISTANCES),
    st.tuples(st.just("sync"), st.floats(-NOISE_S, NOISE_S)),
    st.tuples(st.just("lose"), st.just(0.0)),
    st.tuples(st.just("start"), st.one_of(DISTANCES, st.just(-NOW), st.just(0.0))),
    st.tuples(st.just("restart"), st.just(0.0)),
    st.tuples(st.just("show"), DISTANCES),
)
LIE = st.tuples(st.just("lie"), DISTANCES)


@dataclass
class Life:
    """A gate's clock, the truth, and what the gate keeps on its disk."""

    fast: float
    true: float = NOW
    mono: float = 50.0
    wrong: float = -NOW  # of the wall clock
    synced: bool = False
    boot: int = 0
    kept: Kept | None = None
    state: ClockState = "unset"
    since_sync: float = 0.0
    drifted: float = 0.0  # the furthest a crystal can have led it astray
    believed: list[float] = field(default_factory=list)
    keeper: Timekeeper = field(init=False)
    shown: int = 0

    def __post_init__(self) -> None:
        self.begin()

    def begin(self) -> None:
        """Start the program."""
        floor, known = standing(self.kept, str(self.boot), self.mono)
        self.keeper = Timekeeper(floor, known=known)
        self.written: float | None = None
        self.look()

    def look(self) -> None:
        """Read the clocks once, as the gate does four times a second."""
        self.state = self.keeper.tell(Sample(self.true + self.wrong, self.mono, synced=self.synced))
        floor = self.keeper.floor
        if self.state == "synced" and (self.written is None or floor.at - self.written >= EVERY_S):
            self.written = floor.at
            self.kept = Kept(str(self.boot), *floor)
        if self.state != "unset":
            self.believed.append(self.keeper.at(self.mono))

    def do(self, act: str, amount: float) -> None:
        """Let something happen, and the gate notice it."""
        match act:
            case "wait":
                self.wait(amount)
            case "jump":
                self.wrong, self.synced = self.wrong + amount, False
            case "sync" | "lie":
                self.wrong, self.synced, self.since_sync = amount, True, 0.0
            case "lose":
                self.synced = False
            case "start":
                self.true, self.mono = self.true + abs(amount) % DAY + 20, 20.0
                self.wrong, self.synced = amount, False
                self.boot += 1
                self.begin()
            case "restart":
                self.begin()
        self.look()

    def wait(self, seconds: float) -> None:
        astray = 0.0 if self.synced else seconds * self.fast
        self.true += seconds
        self.mono += seconds + astray
        self.wrong += astray
        self.since_sync += 0.0 if self.synced else seconds
        self.drifted = max(self.drifted, self.since_sync * CRYSTAL)

    def show(self, until: float) -> str:
        """Hold up a pass that is good for an hour up to a moment this far from now."""
        self.shown += 1
        at = self.keeper.at(self.mono)
        first, last = self.true + until - 3600, self.true + until
        good = first - SKEW_S <= at < last + SKEW_S
        claim = Claim(identity=b"a", kind="visitor", subject="a", not_before=int(first), not_after=int(last))
        checked = Checked("ms1", b"a", claim, () if good else ("invalid_time",))
        return judge(checked, clock=self.state, temperature="off", mode="off").outcome


LIVES = st.tuples(st.floats(-CRYSTAL, CRYSTAL), st.lists(ACT, max_size=40))


@given(LIVES)
def test_an_unsure_clock_never_grants_and_a_sure_one_is_right(life: tuple[float, list[tuple[str, float]]]) -> None:
    fast, acts = life
    gate = Life(fast)
    for act, amount in acts:
        if act != "show":
            gate.do(act, amount)
            if gate.state != "unset":
                assert abs(gate.keeper.at(gate.mono) - gate.true) <= 2 * NOISE_S + gate.drifted + 1e-3
            continue
        outcome, allowed = gate.show(amount), SKEW_S + 1 + gate.drifted
        if gate.state == "unset":
            assert outcome == "refer"
        elif outcome == "grant":
            assert -allowed <= amount <= 3600 + allowed
        else:
            assert outcome == "refuse"
            assert not allowed <= amount <= 3600 - allowed


@given(st.floats(-CRYSTAL, CRYSTAL), st.lists(ACT | LIE, max_size=40))
def test_no_time_that_was_believed_comes_back(fast: float, acts: list[tuple[str, float]]) -> None:
    gate, checked = Life(fast), EARLIEST
    for act, amount in acts:
        if act in ("start", "restart"):
            gate.believed.clear()
        gate.do(act, amount)
        checked = max(checked, gate.keeper.floor.at)
        assert gate.believed == sorted(gate.believed)
        # What NTP checked in an earlier life holds as well, but for what was not written yet.
        assert all(at > checked - EVERY_S for at in gate.believed[-1:])


def test_a_life_in_which_everything_happens() -> None:
    """The generated lives would prove nothing if a gate were never sure in them."""
    gate = Life(CRYSTAL)
    assert (gate.state, gate.show(1800)) == ("unset", "refer")
    gate.do("sync", 0.05)
    assert [gate.show(until) for until in (-3600, 1800, 8000)] == ["refuse", "grant", "refuse"]
    gate.do("lose", 0)
    gate.do("wait", 14 * DAY)
    assert (gate.state, gate.show(1800)) == ("holdover", "grant")
    gate.do("jump", 40 * DAY)
    assert [gate.show(until) for until in (-3600, 1800, 8000)] == ["refer"] * 3
    gate.do("sync", 0)
    assert (gate.state, gate.show(1800)) == ("synced", "grant")
    gate.do("wait", 120)
    gate.do("lose", 0)
    gate.do("restart", 0)
    assert (gate.state, gate.show(1800)) == ("holdover", "grant")
    gate.do("start", 0)
    assert (gate.state, gate.show(1800)) == ("unset", "refer")
