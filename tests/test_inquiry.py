"""The upstream verifier, asked over real HTTP by a gate that goes on meanwhile."""

from __future__ import annotations

import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from device.codes import upstream
from device.codes.upstream import AnswerError, Fallback
from device.config import UpstreamSection
from device.inquiry import MOST_WAITING, Answered, Inquiry, InquiryError, Server
from device.sight import Code, Seen
from device.verifier import Verifier
from device.wire import messages
from device.wire.messages import Place
from tests.lobby import BLUE, GREEN, RED, RELAY, Scene, build

PATIENCE_S = 10.0


@pytest.fixture
def verifier() -> Iterator[Verifier]:
    emulated = Verifier()
    emulated.start()
    yield emulated
    emulated.close()


@contextmanager
def at_work(folder: Path, url: str, **settings: Any) -> Iterator[Scene]:
    yield from build(folder, upstream={"url": url, "owns": ["HC:", "health://"], "answer_s": 0.3, **settings})


def scans(scene: Scene) -> list[messages.Scan]:
    return [event for event in scene.events() if isinstance(event, messages.Scan)]


def answer(scene: Scene) -> messages.Scan:
    """Let the entrance take what comes until an answer becomes a verdict."""
    before = len(scans(scene))
    while len(scans(scene)) == before:
        said = scene.inbox.get(timeout=PATIENCE_S)
        assert said is not None
        scene.entrance.take(said)
    return scans(scene)[-1]


def faults(scene: Scene) -> list[tuple[str, str]]:
    return [(event.event_type, event.fault) for event in scene.events() if isinstance(event, messages.Fault)]


@pytest.mark.parametrize(
    ("code", "verdict", "lamp"),
    [
        ("HC:green-1", ("grant", ()), (False, True, False)),
        ("HC:yellow-1", ("refer", ("yellow_code",)), (True, True, False)),
        ("HC:red-1", ("refuse", ("red_code",)), (True, False, False)),
        ("health://red", ("refuse", ("red_code",)), (True, False, False)),
    ],
)
def test_a_colour_is_a_verdict(
    tmp_path: Path, verifier: Verifier, code: str, verdict: tuple[str, tuple[str, ...]], lamp: tuple[bool, ...]
) -> None:
    with at_work(tmp_path, verifier.url) as scene:
        assert scene.show(code.encode()) is None, "nothing is said before the answer"
        scan = answer(scene)
        assert (scan.event_type, scan.reasons, scan.scheme) == (*verdict, "upstream")
        assert (scene.lit(RED), scene.lit(GREEN), scene.lit(BLUE)) == lamp
        assert scene.lit(RELAY) == (verdict[0] == "grant")
        assert verifier.asked == [{"code": code, "entrance": "expo/north"}]


def test_local_codes_never_wait_for_it(tmp_path: Path, verifier: Verifier) -> None:
    with at_work(tmp_path, verifier.url, owns=["HC:", "member"]) as scene:
        scene.show(b"HC:slow")
        scan = scene.show()
        assert scan is not None
        assert (scan.event_type, scan.scheme) == ("grant", "listed")
        assert scene.show(b"what is this") == scene.show(b"shc:/1/2/12"), "the piece of a card says nothing yet"


@pytest.mark.parametrize(
    ("fallback", "outcome", "reason"), [("refer", "refer", "no_answer"), ("refuse", "refuse", "unverified")]
)
def test_no_answer_in_time_goes_to_the_guard(
    tmp_path: Path, verifier: Verifier, fallback: str, outcome: str, reason: str
) -> None:
    with at_work(tmp_path, verifier.url, fallback=fallback) as scene:
        scene.show(b"HC:slow")
        scene.wait(0.29)
        assert scene.events() == []
        scene.wait(0.02)
        scan, fault = scene.events()[-1], scene.events()[0]
        assert isinstance(scan, messages.Scan)
        assert isinstance(fault, messages.Fault)
        assert (scan.event_type, scan.reasons) == (outcome, (reason,))
        assert fault.detail == f"{verifier.url.split('/')[2]} did not answer within 0.3 s"
        assert not scene.lit(RELAY)
        scene.show(b"HC:green-2")
        assert answer(scene).event_type == "grant"
        assert faults(scene) == [("raised", "upstream_lost"), ("cleared", "upstream_lost")]


def test_a_late_answer_changes_nothing(tmp_path: Path, verifier: Verifier) -> None:
    with at_work(tmp_path, verifier.url, answer_s=5.0) as scene:
        scene.show(b"HC:green")
        late = scene.inbox.get(timeout=PATIENCE_S)
        scene.wait(5.1)
        before = scene.events()
        assert late is not None
        scene.entrance.take(late)
        assert scene.events() == before
        assert not scene.lit(RELAY)


@pytest.mark.parametrize(
    ("code", "problem"), [("HC:broken", "its answer is not JSON"), ("HC:purple", "HTTP status 404")]
)
def test_nonsense_is_no_answer(tmp_path: Path, verifier: Verifier, code: str, problem: str) -> None:
    with at_work(tmp_path, verifier.url, answer_s=5.0) as scene:
        scene.show(code.encode())
        scan = answer(scene)
        assert (scan.event_type, scan.reasons) == ("refer", ("no_answer",))
        assert problem in scene.retained("health", messages.Health).faults[0].detail


def test_a_server_that_says_a_byte_now_and_then_holds_up_one_code_only(tmp_path: Path, verifier: Verifier) -> None:
    with at_work(tmp_path, verifier.url, answer_s=1.0) as scene:
        scene.show(b"HC:drip")
        while not verifier.asked:
            time.sleep(0.01)
        scene.wait(1.1)
        begun = time.monotonic()
        scene.show(b"HC:green")
        answers = [scene.inbox.get(timeout=PATIENCE_S) for _ in range(2)]
        assert [isinstance(each, Answered) and each.problem == "" for each in answers] == [False, True]
        assert time.monotonic() - begun < 5, "left alone it would have dripped for a quarter of a minute"


def test_nobody_there_is_known_at_once(tmp_path: Path) -> None:
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))
        url = f"http://127.0.0.1:{closed.getsockname()[1]}/"
        with at_work(tmp_path, url, answer_s=5.0) as scene:
            scene.show(b"HC:green")
            assert answer(scene).reasons == ("no_answer",)
            assert "refused" in scene.retained("health", messages.Health).faults[0].detail


def test_the_entrance_waits_no_longer_than_the_next_answer_may_take(verifier: Verifier) -> None:
    inquiry = Inquiry(UpstreamSection(url=verifier.url, owns=("HC:",)), Place("expo", "north"), lambda _: None)
    seen = Seen(code=Code(data=b"HC:1", text="HC:1", symbology="QRCode"), frame_at=0, read_at=0)
    assert inquiry.patience(0.25, 10.0) == 0.25
    inquiry.ask(seen, 10.0)
    assert [inquiry.patience(0.25, now) for now in (10.0, 11.9, 12.0, 13.0)] == [0.25, pytest.approx(0.1), 0.0, 0.0]
    for _ in range(MOST_WAITING):
        inquiry.ask(seen, 10.0)
    assert [late.number for late in inquiry.overdue(10.0)] == [MOST_WAITING + 1], "one too many is settled at once"
    assert len([*inquiry.overdue(12.0)]) == MOST_WAITING


def test_it_shows_its_token(tmp_path: Path, verifier: Verifier) -> None:
    (tmp_path / "token").write_text("abc\n", encoding="ascii")
    with at_work(tmp_path, verifier.url, token=str(tmp_path / "token")) as scene:
        scene.show(b"HC:green")
        assert answer(scene).event_type == "grant"
        assert verifier.tokens == ["Bearer abc"]


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"url": "ftp://a/"}, "upstream.url"),
        ({"url": "https:///x"}, "upstream.url"),
        ({"url": "http://a:99999/"}, "upstream.url"),
        ({"url": "http://user@a/"}, "upstream.url"),
        ({"owns": ()}, "upstream.owns"),
        ({"owns": ("HC:", "")}, "upstream.owns"),
        ({"green": ("1",), "red": ("1",)}, "'1' cannot be both green and red"),
        ({"token": "/nowhere"}, "upstream.token: /nowhere cannot be read"),
        ({"url": "https://a/", "ca": "/nowhere"}, "upstream.ca: /nowhere cannot be used"),
    ],
)
def test_settings_that_cannot_work_are_named(settings: dict[str, Any], problem: str) -> None:
    with pytest.raises(InquiryError, match=problem):
        Server(UpstreamSection(**({"url": "http://a/", "owns": ("HC:",)} | settings)))


LIGHTS: dict[str, upstream.Light] = {"0": "green", "1": "red"}


@pytest.mark.parametrize("answered", [b"", b"null", b"[]", b'{"colour":"blue"}', b'{"colour":null}', b"[" * 10_000,
                                      b'{"colour":"0","colour":"1"}', b'{"color":"0"}', b'{"colour":{"0":1}}',
                                      b"\xff"])  # fmt: skip
def test_an_answer_that_says_nothing_is_one_class_of_error(answered: bytes) -> None:
    with pytest.raises(AnswerError):
        upstream.judge(b"HC:1", 200, answered, field="colour", lights=LIGHTS)


def test_colours_may_have_other_names() -> None:
    said = upstream.judge(b"HC:1", 200, b'{"state":0}', field="state", lights=LIGHTS)
    assert (said.reasons, said.identity) == ((), b"upstreamHC:1")
    assert upstream.judge(b"HC:1", 200, b'{"state":"1"}', field="state", lights=LIGHTS).reasons == ("red_code",)
    with pytest.raises(AnswerError, match="503"):
        upstream.judge(b"HC:1", 503, b'{"state":"0"}', field="state", lights=LIGHTS)
    fallbacks: tuple[Fallback, ...] = ("refer", "refuse")
    assert all(upstream.unanswered(b"HC:1", each).reasons for each in fallbacks), "no answer never admits"


def test_the_emulated_one_can_be_started_by_hand() -> None:
    command = [sys.executable, "-m", "menshen", "gate", "verifier", "--port", "0"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL, text=True) as process:
        assert process.stdout is not None
        url = process.stdout.readline().strip()
        server = Server(UpstreamSection(url=url, owns=("HC:",)))
        connection = server.connection()
        assert server.ask(connection, b"HC:red", Place("expo", "north")).reasons == ("red_code",)
        connection.close()
        process.terminate()
