"""A crowd and a poster at an entrance at work: what it says of them, and whose code nobody is refused for."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.codes import ms1
from device.codes.trust import trusted
from device.decoder import Decoder, View
from device.retina import Retina
from device.sight import Code, Counted, EyeFault, EyeSaid, InView
from device.wire import messages
from device.wire.link import Heard
from device.wire.messages import Desired, Place, encode
from hardware.camera.drawing import Grain, draw
from hardware.parts import BeamChanged, CameraError, Frame
from hardware.scene import Scene as Drawn
from tests.lobby import BLUE, GREEN, RED, RELAY, Scene, build

ISSUER = Ed25519PrivateKey.from_private_bytes(bytes(range(32)))
DAY = 86_400
WIDTH, HEIGHT = 640, 360
FPS = 5
POSTER = {"missing_s": 20, "foreign_s": 16}
CROWD = {"mode": "on", "threshold": 4, "hold_s": 10, "line": 0.8}


def at_work(folder: Path, **sections: dict[str, Any]) -> Iterator[Scene]:
    for scene in build(folder, clock=None, **sections):
        policy = Desired(version=2, keys=(trusted(ISSUER.public_key()),))
        scene.entrance.take(Heard(topic=Place("expo", "north").topic("policy/desired"), payload=encode(policy)))
        yield scene


@pytest.fixture
def in_view(tmp_path: Path) -> Iterator[Scene]:
    yield from at_work(tmp_path, poster=POSTER | {"watch": "in_view"})


@pytest.fixture
def daily(tmp_path: Path) -> Iterator[Scene]:
    check = {"watch": "daily", "check": "17:05", "grace_s": 60}  # 09:05 UTC; it is 09:00 when a test begins
    yield from at_work(tmp_path, poster=check)


@pytest.fixture
def crowded(tmp_path: Path) -> Iterator[Scene]:
    yield from at_work(tmp_path, crowd=CROWD)


def printed(scene: Scene, place: str = "expo/north", **changes: Any) -> str:
    now = int(scene.clock.wall().timestamp())
    terms: dict[str, Any] = {
        "kind": "entrance", "subject": "a poster", "places": (place,), "not_before": now - DAY, "not_after": now + DAY,
    }  # fmt: skip
    return ms1.issue(ISSUER, **(terms | changes))


def code(text: str) -> Code:
    return Code(data=text.encode(), text=text, symbology="QRCode")


def faults(scene: Scene) -> set[str]:
    scene.entrance.look()
    health = scene.retained("health", messages.Health)
    return {fault.fault for fault in health.faults} if health else set()


class Lens:
    """A real decoder before drawn pictures, in a time of its own, and the entrance that hears of them."""

    def __init__(self, scene: Scene) -> None:
        self._scene = scene
        self._at = scene.clock.now
        self._number = 0
        self._grain = Grain(WIDTH, HEIGHT, 2)
        self._retina = Retina(
            self._nothing, self._say, stall_s=1, decoder=Decoder(40), view=View(2), all_in_view=True
        )  # fmt: skip

    def see(self, seconds: float, **drawn: Any) -> None:
        still = draw(Drawn(**drawn), WIDTH, HEIGHT)
        for _ in range(round(seconds * FPS)):
            self._number += 1
            self._at += 1 / FPS
            self._scene.clock.now = self._at
            self._retina._see(Frame(self._grain.over(still), self._number, self._at))
        self._scene.entrance.look()

    def _say(self, said: EyeSaid | None) -> None:
        if said:
            self._scene.entrance.take(said)

    @staticmethod
    def _nothing() -> Any:
        raise CameraError


def test_its_own_poster_is_refused_nothing_and_is_no_scan(in_view: Scene) -> None:
    Lens(in_view).see(3, poster=printed(in_view))
    assert in_view.events() == []
    assert not any(in_view.edges(pin) for pin in (RED, GREEN, BLUE)), "nobody is answered"


def test_whoever_shows_a_pass_beside_the_poster_is_answered(in_view: Scene) -> None:
    lens, poster = Lens(in_view), printed(in_view)
    lens.see(3, poster=poster)
    lens.see(2, poster=poster, code=printed(in_view, "expo", kind="visitor"), size=140)
    (scan,) = in_view.events()
    assert (scan.event_type, in_view.edges(RELAY) > 0) == ("grant", True)


@pytest.mark.parametrize(("spoilt", "how"), [({"poster_fade": 0.99}, "faded"), ({"poster_covered": True}, "covered")])
def test_a_poster_that_fades_or_is_covered_is_a_fault_until_it_is_read(
    in_view: Scene, spoilt: dict[str, Any], how: str
) -> None:
    lens, poster = Lens(in_view), printed(in_view)
    lens.see(10, poster=poster)
    lens.see(15, poster=poster, **spoilt)
    assert faults(in_view) == set()
    lens.see(15, poster=poster, **spoilt)
    assert faults(in_view) == {"poster_unreadable"}, how
    lens.see(6, poster=poster)
    assert faults(in_view) == set()


def test_another_places_poster_in_its_stead_is_foreign_and_ours_is_missed(in_view: Scene) -> None:
    lens = Lens(in_view)
    lens.see(6, poster=printed(in_view))
    lens.see(40, poster=printed(in_view, "expo/south"))
    assert faults(in_view) == {"poster_unreadable", "poster_foreign"}


def test_a_sticker_beside_it_is_foreign(in_view: Scene) -> None:
    poster = printed(in_view)
    Lens(in_view).see(24, poster=poster, code="https://example.com/login", size=100)
    assert faults(in_view) == {"poster_foreign"}


def test_a_camera_that_sees_nothing_says_nothing_of_the_poster(in_view: Scene) -> None:
    in_view.entrance.take(EyeFault(fault="camera_black", raised=True, detail="for 2 s"))
    for second in range(0, 60, 2):
        in_view.entrance.take(InView(codes=(), still=True, frame_at=float(second)))
    assert faults(in_view) == {"camera_black"}


def test_a_clock_that_is_not_set_does_not_make_the_poster_foreign(in_view: Scene) -> None:
    poster = code(printed(in_view))
    in_view.clock.believed, in_view.clock.ahead = "unset", 400.0 * DAY
    for second in range(0, 60, 2):
        in_view.entrance.take(InView(codes=(poster,), still=True, frame_at=float(second)))
    assert faults(in_view) == {"clock_unset"}


def test_without_a_watch_an_entrance_code_is_what_it_ever_was(tmp_path: Path) -> None:
    for scene in at_work(tmp_path):
        scan = scene.show(printed(scene).encode())
        assert scan is not None
        assert (scan.event_type, scan.reasons) == ("refuse", ("rules",))


def test_the_daily_check_is_answered_and_missed_until_it_is_done(daily: Scene) -> None:
    daily.wait(0)
    daily.wait(5 * 60 + 61)
    assert faults(daily) == {"poster_unreadable"}
    assert daily.show(printed(daily).encode()) is None, "a poster is nobody's scan"
    assert (daily.lit(RED), daily.lit(GREEN), daily.lit(BLUE)) == (False, False, True)
    assert faults(daily) == set()


def test_the_code_of_another_entrance_at_the_check_is_foreign(daily: Scene) -> None:
    scan = daily.show(printed(daily, "expo/south").encode())
    assert scan is not None
    assert scan.reasons == ("wrong_entrance", "rules")
    assert faults(daily) == {"poster_foreign"}
    daily.show(printed(daily).encode())
    assert faults(daily) == set()


def counts(scene: Scene, seconds: int, waiting: int, near: int = 0) -> messages.State:
    for _ in range(seconds):
        scene.entrance.take(Counted(waiting=waiting, near=near, frame_at=scene.clock.now))
        scene.wait(1)
    state = scene.retained("state", messages.State)
    assert isinstance(state, messages.State)
    return state


def test_a_crowd_is_in_the_state_while_it_lasts(crowded: Scene) -> None:
    began = crowded.clock.wall()
    assert counts(crowded, 8, 5).crowded_since is None
    state = counts(crowded, 12, 5)
    assert (state.waiting, state.too_near) == (5, False)
    assert state.crowded_since is not None
    assert abs((state.crowded_since - began).total_seconds()) <= 1.5
    assert counts(crowded, 40, 1).crowded_since is None


def test_somebody_too_near_is_said_at_once(crowded: Scene) -> None:
    counts(crowded, 3, 1)
    assert counts(crowded, 3, 1, near=1).too_near
    assert not counts(crowded, 3, 1).too_near


def test_an_estimate_moves_nothing_and_keeps_nothing(crowded: Scene) -> None:
    counts(crowded, 30, 9, near=2)
    assert crowded.events() == []
    assert not any(crowded.edges(pin) for pin in (RELAY, RED, GREEN, BLUE))


def test_who_stands_in_the_beam_waits(crowded: Scene) -> None:
    crowded.entrance.take(BeamChanged(beam="outer", broken=True, at=crowded.clock.now))
    crowded.wait(12)
    assert crowded.retained("state", messages.State).waiting == 1


def test_where_nobody_asks_nothing_is_estimated(tmp_path: Path) -> None:
    for scene in build(tmp_path):
        assert counts(scene, 20, 9, near=1).waiting is None
