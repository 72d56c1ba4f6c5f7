"""One entrance at work: codes, people, guards and faults, as its pins, its spool and its words show them."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.codes import ms1
from device.codes.trust import keyed_hash, trusted
from device.courier import Acked
from device.entrance import Stop
from device.policy import Policy
from device.probe import Measured, Unmeasured
from device.renewal import CertificateEnds
from device.sight import EyeFault
from device.wire import messages
from device.wire.link import Heard, LinkChanged, LinkDied
from device.wire.messages import Desired, Message, Place, TrustList, encode
from hardware.parts import BeamChanged, Reading, TurnstilePassed
from tests.lobby import BLUE, CARD, GREEN, RED, RELAY, SITE_KEY, Scene, build


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    yield from build(tmp_path)


def test_a_good_code_opens_and_is_kept_as_a_hash(scene: Scene) -> None:
    scan = scene.show()
    assert scan is not None
    assert (scan.event_type, scan.reasons, scan.scheme, scan.seq) == ("grant", (), "listed", 1)
    assert scan.code == keyed_hash(SITE_KEY, CARD)
    assert CARD not in encode(scan)
    assert scan.took_ms == pytest.approx(20)
    assert scene.lit(RELAY)
    assert (scene.lit(RED), scene.lit(GREEN), scene.lit(BLUE)) == (False, True, False)


@pytest.mark.parametrize(
    "data", [b"https://example.com", b"", b"\x00\xff\xfe", b"A" * 5000, "\x1b[2J\u202e".encode(), CARD + b"\x00"]
)
def test_any_other_code_stays_outside(scene: Scene, data: bytes) -> None:
    scan = scene.show(data)
    assert scan is not None
    assert (scan.event_type, scan.reasons) == ("refuse", ("invalid",))
    assert scene.edges(RELAY) == 0
    assert (scene.lit(RED), scene.lit(GREEN)) == (True, False)


def test_the_lamp_goes_back_to_waiting(scene: Scene) -> None:
    scene.show()
    scene.wait(2.9)
    assert (scene.lit(RED), scene.lit(GREEN), scene.lit(BLUE)) == (False, True, False)
    scene.wait(0.2)
    assert (scene.lit(RED), scene.lit(GREEN), scene.lit(BLUE)) == (True, True, True)


def test_what_cannot_be_kept_is_not_granted(scene: Scene) -> None:
    scene.show()
    relay = scene.edges(RELAY)
    scene.spool._opened().execute("PRAGMA query_only=1")
    scene.show()
    assert [event.seq for event in scene.events()] == [1]
    assert scene.edges(RELAY) <= relay + 1  # the first pulse may have ended meanwhile
    assert (scene.lit(RED), scene.lit(GREEN)) == (True, True)
    health = scene.retained("health", messages.Health)
    assert [fault.fault for fault in health.faults] == ["spool_failed"]
    scene.spool._opened().execute("PRAGMA query_only=0")
    scene.wait(1.1)
    assert scene.retained("health", messages.Health).faults == (), "it must notice by itself"
    assert [event.event_type for event in scene.events()] == ["grant", "raised", "cleared"]
    scan = scene.show()
    assert scan is not None
    assert scan.event_type == "grant"


def test_who_was_let_in_unrecorded_passes_and_is_no_intruder(tmp_path: Path) -> None:
    for scene in build(tmp_path, rules={"unkept": "release"}):
        scene.spool._opened().execute("PRAGMA query_only=1")
        assert scene.show() is None
        assert scene.lit(RELAY)
        scene.spool._opened().execute("PRAGMA query_only=0")
        scene.walk()
        passed, *faults = scene.events()
        assert isinstance(passed, messages.Passage)
        assert (passed.event_type, passed.scan) == ("passed", None)
        assert [getattr(fault, "detail", "") for fault in faults] == ["1 let in unrecorded"]


def test_a_person_who_walks_in_uses_the_grant(scene: Scene) -> None:
    scene.show()
    scene.walk()
    passed = scene.events()[-1]
    assert isinstance(passed, messages.Passage)
    assert (passed.event_type, passed.direction, passed.scan) == ("passed", "in", 1)


def test_a_grant_nobody_uses_is_annulled(scene: Scene) -> None:
    scene.show()
    scene.wait(8.1)
    annulled = scene.events()[-1]
    assert isinstance(annulled, messages.Passage)
    assert (annulled.event_type, annulled.scan) == ("not_passed", 1)


def test_one_whom_nothing_admitted_is_forced(tmp_path: Path) -> None:
    for scene in build(tmp_path, pins={"turnstile_passed": 26}):
        scene.show(b"no")
        scene.entrance.take(TurnstilePassed(at=scene.clock.now))
        scene.entrance.take(BeamChanged(beam="outer", broken=True, at=scene.clock.now))
        assert [event.event_type for event in scene.events()] == ["refuse", "forced"]
        scene.wait(0.1)
        scene.entrance.take(LinkChanged(up=True))
        scene.wait(0.1)
        assert scene.retained("state", messages.State).unscanned == 1


def test_a_missing_guard_is_flagged_and_the_button_resolves_it(scene: Scene) -> None:
    scene.wait(0)
    scene.wait(60)
    flagged = scene.events()[-1]
    assert isinstance(flagged, messages.Duty)
    assert (flagged.event_type, flagged.since) == ("unstaffed", scene.clock.wall() - timedelta(seconds=60))
    assert scene.retained("state", messages.State).staffing == "unstaffed"
    scene.press()
    scene.wait(0.1)
    assert [event.event_type for event in scene.events()] == ["unstaffed", "check_in", "staffed"]
    assert scene.retained("state", messages.State).staffing == "staffed"


def test_a_temperature_is_part_of_the_decision_where_it_is_required(tmp_path: Path) -> None:
    for scene in build(tmp_path, thermometer={"mode": "require"}):
        unknown = scene.show()
        scene.entrance.take(Measured(reading=Reading(38.2, 22), at=scene.clock.now))
        high = scene.show()
        scene.wait(2.1)
        scene.entrance.take(Measured(reading=Reading(36.6, 22), at=scene.clock.now))
        normal = scene.show()
        assert unknown
        assert high
        assert normal
        assert (unknown.event_type, unknown.reasons) == ("refer", ("temperature_unknown",))
        assert (high.event_type, high.reasons, high.celsius) == ("refer", ("temperature_high",), 38.2)
        assert (normal.event_type, normal.temperature) == ("grant", "normal")


def test_faults_are_said_once_and_cleared(scene: Scene) -> None:
    for _ in range(3):
        scene.entrance.take(EyeFault(fault="camera_black", raised=True, detail="dark"))
        scene.entrance.take(Unmeasured(detail="unplugged"))
    scene.entrance.take(EyeFault(fault="camera_black", raised=False))
    scene.entrance.take(Measured(reading=Reading(36, 22), at=scene.clock.now))
    said = [(event.event_type, event.fault) for event in scene.events() if isinstance(event, messages.Fault)]
    assert said == [
        ("raised", "camera_black"), ("raised", "thermometer_lost"),
        ("cleared", "camera_black"), ("cleared", "thermometer_lost"),
    ]  # fmt: skip


def test_a_thermometer_stuck_at_one_value_is_a_fault(scene: Scene) -> None:
    for _ in range(60):
        scene.entrance.take(Measured(reading=Reading(36.5, 22), at=scene.clock.now))
        scene.wait(0.2)
    faults = [event.fault for event in scene.events() if isinstance(event, messages.Fault)]
    assert faults == ["thermometer_frozen"]


def test_trust_that_is_too_old_is_a_fault_until_it_is_renewed(scene: Scene) -> None:
    topic, issued = Place("expo", "north").topic("policy/desired"), scene.clock.wall()
    for version, moment in ((2, issued), (3, issued + timedelta(seconds=90))):
        offer = Desired(
            version=version, lists=(TrustList(scheme="shc", name="clinic", issued_at=moment, good_for_s=60),)
        )
        scene.entrance.take(Heard(topic=topic, payload=encode(offer), retained=True))
        scene.wait(59.9 if version == 2 else 0)
        assert scene.retained("health", messages.Health) in (None, messages.Health(faults=()))
        if version == 2:
            scene.wait(0.2)
            (fault,) = scene.retained("health", messages.Health).faults
            assert (fault.fault, "shc/clinic" in fault.detail) == ("stale_trust", True)


def test_how_old_trust_is_cannot_be_told_by_an_unset_clock(scene: Scene) -> None:
    topic, issued = Place("expo", "north").topic("policy/desired"), scene.clock.wall() - timedelta(seconds=90.5)
    offer = Desired(version=2, issued_at=issued, listed=(keyed_hash(SITE_KEY, CARD),))
    scene.entrance.take(Heard(topic=topic, payload=encode(offer), retained=True))
    ages = []
    for believed in ("synced", "unset"):
        scene.clock.believed = believed
        scan = scene.show()
        assert scan is not None
        ages.append(scan.trust_age_s)
    assert ages == [90, None]


def test_an_unset_clock_is_a_fault(scene: Scene) -> None:
    scene.clock.believed = "unset"
    scene.wait(0)
    scene.clock.believed = "synced"
    scene.wait(0)
    assert [event.event_type for event in scene.events()] == ["raised", "cleared"]


def test_a_policy_is_taken_whole_or_refused_with_a_reason(scene: Scene) -> None:
    topic = Place("expo", "north").topic("policy/desired")
    offer = Desired(version=2, listed=(keyed_hash(SITE_KEY, b"new card"),))
    scene.entrance.take(Heard(topic=topic, payload=encode(offer), retained=True))
    scan = scene.show(b"new card")
    assert scan is not None
    assert scan.event_type == "grant"
    for bad in (b"not json", encode(Desired(version=3, listed=("nonsense",))), encode(Desired(version=1))):
        scene.entrance.take(Heard(topic=topic, payload=bad, retained=True))
        applied = scene.retained("policy/applied", messages.Applied)
        assert applied.version == 2
        assert applied.problem
    scan = scene.show(b"new card")
    assert scan is not None
    assert scan.event_type == "grant"
    faults = [event for event in scene.events() if isinstance(event, messages.Fault)]
    assert [fault.fault for fault in faults] == ["policy_refused"]


def test_a_policy_survives_a_restart(scene: Scene, tmp_path: Path) -> None:
    assert scene.show()
    assert Policy(tmp_path / "policy.json", SITE_KEY).trust.version == 1
    (tmp_path / "policy.json").write_bytes(b'{"v":1,"version":9,"listed":["?"]}')
    broken = Policy(tmp_path / "policy.json", SITE_KEY)
    assert (broken.trust.version, broken.trust.listed) == (0, frozenset())
    assert "waiting for the controller" in broken.problem


def test_every_retained_document_is_said_on_each_connection(scene: Scene) -> None:
    for _ in range(2):
        scene.said.clear()
        scene.entrance.take(LinkChanged(up=True))
        scene.wait(0.1)
        words = {topic.split("/", 3)[3] for topic, _ in scene.said}
        assert words == {"status", "info", "health", "policy/applied", "state"}


def test_what_the_controller_has_is_forgotten(scene: Scene) -> None:
    scene.show()
    scene.entrance.take(Acked(scene.spool.id, 1))
    scene.wait(1.1)
    assert scene.spool.depth == 0


def test_a_dead_thread_ends_the_gate(scene: Scene) -> None:
    with pytest.raises(Stop, match="socket gone"):
        scene.entrance.take(LinkDied(reason="socket gone"))


def test_nothing_large_or_foreign_disturbs_the_path(scene: Scene) -> None:
    for topic in ("menshen/expo/north/open", "menshen/expo/south/policy/desired", "x"):
        scene.entrance.take(Heard(topic=topic, payload=b"\xff" * 100))
    assert scene.events() == []
    assert scene.edges(RELAY) == 0


def test_a_rotating_screen_held_up_until_it_changes_is_one_showing(scene: Scene) -> None:
    issuer, phone = Ed25519PrivateKey.generate(), Ed25519PrivateKey.generate()
    offer = encode(Desired(version=2, keys=(trusted(issuer.public_key()),)))
    scene.entrance.take(Heard(topic=Place("expo", "north").topic("policy/desired"), payload=offer))
    now = int(scene.clock.wall().timestamp())
    badge = ms1.issue(
        issuer, kind="staff", subject="guard 7", places=("expo",), not_before=now - 60, not_after=now + 9999,
        holder=phone.public_key(),
    )  # fmt: skip

    def hold_up(age: int = 0) -> list[str]:
        scene.show(ms1.present(badge, phone, int(scene.clock.wall().timestamp()) - age).encode())
        return [event.event_type for event in scene.events()]

    assert hold_up(age=120) == ["refuse"]
    assert hold_up() == ["refuse", "grant", "check_in"]
    scene.clock.now += 29
    assert hold_up() == ["refuse", "grant", "check_in"]
    assert hold_up(age=120) == ["refuse", "grant", "check_in", "refuse"]
    scene.clock.now += 31
    assert hold_up() == ["refuse", "grant", "check_in", "refuse", "grant", "check_out"]


def test_messages_are_frozen(scene: Scene) -> None:
    scan: Message | None = scene.show()
    with pytest.raises(AttributeError):
        scan.v = 2  # type: ignore[union-attr,misc]


def test_a_certificate_that_ends_is_a_fault_until_it_is_renewed(scene: Scene) -> None:
    for detail in ("", "28 days left: nobody answers", "27 days left: nobody answers", ""):
        scene.entrance.take(CertificateEnds(detail))
    faults = [event for event in scene.events() if isinstance(event, messages.Fault)]
    assert [(fault.event_type, fault.fault, fault.detail) for fault in faults] == [
        ("raised", "certificate_ends", "28 days left: nobody answers"),
        ("cleared", "certificate_ends", ""),
    ]


def test_a_minute_after_the_controller_has_it_no_byte_of_an_event_is_left(scene: Scene, tmp_path: Path) -> None:
    scan = scene.show()
    assert scan is not None
    scene.entrance.take(Acked(scan.spool, scan.seq))
    scene.wait(1)
    assert scene.spool.depth == 0
    scene.wait(60)
    assert not [path for path in tmp_path.glob("spool.db*") if scan.code.encode() in path.read_bytes()]
