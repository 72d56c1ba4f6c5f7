"""An entrance whose clock is wrong: nobody is let in for that, nobody silently turned away, and it mends by itself."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.config import RulesSection
from controller.database import now
from controller.intake import Intake
from controller.quarantine import Quarantine
from controller.store import Store
from device.clock import Clock, Instant
from device.codes import ms1
from device.codes.trust import trusted
from device.floor import Floor
from device.sight import Code, Seen
from device.timekeeper import Sample
from device.wire import messages
from device.wire.link import Heard, LinkChanged
from device.wire.messages import KIND_OF, AnyEvent, Desired, Duty, Fault, Place, encode
from tests.lobby import RELAY, Scene, Watch, build

PLACE = Place("expo", "north")
DAY = 86400.0
ISSUER = Ed25519PrivateKey.generate()


class Pi(Watch):
    """The gate's own clock, on a machine whose clocks are ours to move. The truth is what a Watch says."""

    def __init__(self, folder: Path) -> None:
        super().__init__()
        self.wrong = 0.0  # seconds
        self.synced = True
        self.samples = 0
        self.jumps_at: dict[int, float] = {}  # before which sample, by how much
        self.floor = Floor(folder / "clock.json", self.boot)
        self._clock = Clock(self.floor, sample=self.sample)

    @property
    def true(self) -> float:
        return super().wall().timestamp()

    def sample(self) -> Sample:
        self.samples += 1
        if self.samples in self.jumps_at:
            self.wrong, self.synced = self.wrong + self.jumps_at[self.samples], False
        return Sample(self.true + self.wrong, self.now, synced=self.synced)

    def read(self) -> Instant:
        return self._clock.read()

    def wall(self) -> datetime:
        return self.read().wall

    def set(self, wrong: float) -> None:
        """Set it by hand; the kernel then says that it is not in step with NTP."""
        self.wrong, self.synced = wrong, False


class Begins(Watch):
    """A clock that begins at some time."""

    def __init__(self, at: str) -> None:
        super().__init__()
        self._from = datetime.fromisoformat(at).replace(tzinfo=UTC)

    def wall(self) -> datetime:
        return self._from + timedelta(seconds=self.now - 1000)


@pytest.fixture
def pi(tmp_path: Path) -> Iterator[Pi]:
    clock = Pi(tmp_path)
    yield clock
    clock.floor.stop()


@pytest.fixture
def scene(tmp_path: Path, pi: Pi) -> Iterator[Scene]:
    for each in build(tmp_path, clock=pi):
        trust(each)
        yield each


def duties(scene: Scene) -> list[str]:
    return [event.event_type for event in scene.events() if isinstance(event, Duty)]


def trust(scene: Scene) -> None:
    offer = encode(Desired(version=2, keys=(trusted(ISSUER.public_key()),)))
    scene.entrance.take(Heard(topic=PLACE.topic("policy/desired"), payload=offer))


def show(scene: Scene, pi: Pi, since: float, until: float) -> tuple[str, tuple[str, ...]]:
    """Hold up a pass that is good from and to so many seconds from now in truth."""
    now = pi.true
    text = ms1.issue(
        ISSUER, kind="visitor", subject="visitor 1", places=("expo",),
        not_before=int(now + since), not_after=int(now + until),
    )  # fmt: skip
    scan = scene.show(text.encode())
    assert scan
    return scan.event_type, scan.reasons


def all_three(scene: Scene, pi: Pi) -> list[str]:
    """Hold up a pass of yesterday, of today and of tomorrow."""
    return [show(scene, pi, since, since + DAY)[0] for since in (-1.5 * DAY, -DAY / 2, DAY / 2)]


def faults(scene: Scene) -> list[tuple[str, str]]:
    return [(event.event_type, event.fault) for event in scene.events() if isinstance(event, Fault)]


SURE = ["refuse", "grant", "refuse"]
UNSURE = ["refer"] * 3


@pytest.mark.parametrize("wrong", [-40 * DAY, -DAY, DAY, 40 * DAY, -1_795_000_000.0])
def test_a_clock_that_was_set_by_hand_refers_until_ntp_has_checked_it(scene: Scene, pi: Pi, wrong: float) -> None:
    assert all_three(scene, pi) == SURE
    pi.set(wrong)
    scene.wait(1)
    pulses = scene.edges(RELAY)
    assert all_three(scene, pi) == UNSURE
    assert show(scene, pi, -1, 60) == ("refer", ("clock_unsure",))
    assert scene.edges(RELAY) <= pulses + 1  # the end of the pulse before
    scene.entrance.take(LinkChanged(up=True))
    scene.wait(1)
    assert scene.retained("state", messages.State).clock == "unset"
    pi.wrong, pi.synced = 0.0, True
    scene.wait(1)
    assert all_three(scene, pi) == SURE
    assert scene.retained("state", messages.State).clock == "synced", "said at once"
    assert faults(scene) == [("raised", "clock_jumped"), ("cleared", "clock_jumped")]


def test_a_start_in_1970_refers_until_ntp_has_checked_it(tmp_path: Path, pi: Pi) -> None:
    pi.set(-pi.true + 30)
    for scene in build(tmp_path, clock=pi):
        trust(scene)
        scene.wait(1)
        assert all_three(scene, pi) == UNSURE
        assert scene.show() is not None
        assert scene.events()[-1].event_type == "refuse", "a card that is not listed has no time to be unsure of"
        pi.wrong, pi.synced = 0.0, True
        scene.wait(1)
        assert all_three(scene, pi) == SURE
        assert faults(scene) == [("raised", "clock_unset"), ("cleared", "clock_unset")]


def test_who_sets_the_clock_back_makes_no_pass_good_again(scene: Scene, pi: Pi) -> None:
    assert show(scene, pi, -2 * DAY, -DAY) == ("refuse", ("invalid_time",))
    pi.wrong = -1.5 * DAY  # and NTP itself says so
    scene.wait(1)
    assert show(scene, pi, -2 * DAY, -DAY) == ("refer", ("clock_unsure",))
    assert faults(scene) == [("raised", "clock_behind")]


@pytest.mark.parametrize("jump", [-40 * DAY, 40 * DAY])
def test_a_jump_in_the_middle_of_a_scan_gives_one_answer(scene: Scene, pi: Pi, jump: float) -> None:
    scene.wait(1)
    before = pi.samples
    assert show(scene, pi, -DAY, DAY)[0] == "grant"
    answers = []
    for sample in range(1, pi.samples - before + 2):  # the last comes after the scan
        pi.jumps_at = {pi.samples + sample: jump}
        outcome, reasons = show(scene, pi, -DAY, DAY)
        scan = next(event for event in reversed(scene.events()) if isinstance(event, messages.Scan))
        jumped = abs(scan.at.timestamp() - pi.true) > DAY
        answers.append((outcome, reasons, scan.clock, jumped))
        pi.wrong, pi.synced, pi.jumps_at = 0.0, True, {}
        scene.wait(1)
    assert set(answers) == {("grant", (), "synced", False), ("refer", ("clock_unsure",), "unset", True)}


def test_a_code_is_judged_at_the_moment_it_was_shown(scene: Scene, pi: Pi) -> None:
    text = ms1.issue(
        ISSUER, kind="visitor", subject="visitor 1", places=("expo",),
        not_before=int(pi.true) - 60, not_after=int(pi.true) + 1,
    )  # fmt: skip
    code, shown_at = Code(data=text.encode(), text=text, symbology="QRCode"), pi.now
    scene.wait(30)  # the gate was busy meanwhile
    scene.entrance.take(Seen(code=code, frame_at=shown_at, read_at=shown_at))
    scene.entrance.take(Seen(code=code, frame_at=pi.now, read_at=pi.now))
    assert [event.event_type for event in scene.events()] == ["grant", "refuse"]


# Summer time ends in Berlin on 25 October 2026 at 01:00 UTC, and begins on 28 March 2027 at 01:00 UTC.


@pytest.mark.parametrize(
    ("hours", "at", "staffing"),
    [
        (("02:30", "06:00"), "2027-03-28T00:59", "off_hours"),  # 01:59
        (("02:30", "06:00"), "2027-03-28T01:00", "grace"),  # 03:00: half past two did not come
        (("02:30", "06:00"), "2027-03-28T03:59", "grace"),  # 05:59
        (("02:30", "06:00"), "2027-03-28T04:00", "off_hours"),  # 06:00
        (("22:00", "02:15"), "2027-03-28T00:59", "grace"),
        (("22:00", "02:15"), "2027-03-28T01:00", "off_hours"),
        (("06:00", "18:00"), "2026-10-25T03:59", "off_hours"),  # 04:59 in winter
        (("06:00", "18:00"), "2026-10-25T05:00", "grace"),
        (("22:00", "02:30"), "2026-10-25T00:29", "grace"),  # 02:29, the first
        (("22:00", "02:30"), "2026-10-25T00:30", "off_hours"),
        (("22:00", "02:30"), "2026-10-25T01:29", "grace"),  # 02:29, the second: the clock on the wall says so again
        (("22:00", "02:30"), "2026-10-25T01:30", "off_hours"),
    ],
)
def test_duty_hours_follow_the_clock_on_the_wall(
    tmp_path: Path, hours: tuple[str, str], at: str, staffing: str
) -> None:
    start, end = hours
    watch = Begins(at)
    duty = {"hours": [{"days": "mon-sun", "from": start, "to": end}], "grace_s": 3600}
    for scene in build(tmp_path, clock=watch, duty=duty, gate={"timezone": "Europe/Berlin"}):
        scene.entrance.take(LinkChanged(up=True))
        scene.wait(0)
        assert scene.retained("state", messages.State).staffing == staffing


@pytest.mark.parametrize("switch", ["2026-10-25T00:59:00", "2027-03-28T00:59:00"])
def test_a_grace_time_and_a_shift_are_as_long_as_ever_when_summer_time_begins_or_ends(
    tmp_path: Path, switch: str
) -> None:
    watch = Begins(switch)
    duty = {"hours": [{}], "grace_s": 120, "shift_s": 3600}
    for scene in build(tmp_path, clock=watch, duty=duty, gate={"timezone": "Europe/Berlin"}):
        scene.wait(0)
        scene.wait(119)
        assert duties(scene) == []
        scene.wait(1)
        assert duties(scene) == ["unstaffed"]
        scene.press()
        scene.wait(3599)
        assert duties(scene)[1:] == ["check_in", "staffed"]
        scene.wait(1)
        assert duties(scene)[3:] == ["check_out"]


@pytest.mark.parametrize("wrong", [-1_795_000_000.0, -40 * DAY, 40 * DAY])
def test_what_was_stamped_by_a_wrong_clock_is_mended_to_a_second(tmp_path: Path, pi: Pi, wrong: float) -> None:
    """From the entrance's disk into the controller's database, in two batches; nothing of it changes twice."""
    truth: list[float] = []
    pi.set(wrong)
    for scene in build(tmp_path, clock=pi):
        for _ in range(3):
            scene.wait(700)
            scene.show()
            truth += [pi.true] * (len(scene.events()) - len(truth))
        early = scene.events()
        pi.wrong, pi.synced = 0.3, True
        scene.wait(60)
        scene.show()
        truth += [pi.true] * (len(scene.events()) - len(truth))
        with Store(tmp_path / "controller.db") as store:
            for batch in (early, scene.events(), scene.events()):
                hear(store, batch)
            rows = store.events(place=None, kind=None, event_type=None, since=None, limit=99)
        assert len(rows) == len(truth)
        shown = [datetime.fromisoformat(row["at"]).timestamp() for row in reversed(rows)]
        assert max(abs(at - true) for at, true in zip(shown, truth, strict=True)) < 1
        assert {row["clock"] for row in rows[-len(early) :]} == {"mended"}
        assert rows[0]["clock"] == "synced"
        kept = [datetime.fromisoformat(row["payload"]["at"]).timestamp() for row in rows[-len(early) :]]
        assert min(abs(at - true) for at, true in zip(reversed(kept), truth, strict=False)) > DAY, "the original stays"


def hear(store: Store, events: list[AnyEvent]) -> None:
    with store.transaction():
        intake = Intake(store, Quarantine(store), rules=RulesSection(), at=now())
        for event in events:
            intake.hear(Heard(topic=PLACE.topic(KIND_OF[type(event)]), payload=encode(event)))
        intake.keep()
