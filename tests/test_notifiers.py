"""Alerts on their way to people: addresses, postmen, windows, restarts."""

from __future__ import annotations

import http.server
import json
import logging
import socket
import threading
import time
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest
from click.testing import CliRunner

from controller.alerts import Changes
from controller.broker import Broker
from controller.config import Config, NotifySection, Route, load
from controller.database import now
from controller.facts import Finding
from controller.notifiers import Notifiers, addresses
from controller.postman import STOP_S, Postman, Send, read
from controller.store import Store
from device.settings import SettingsError
from device.wire.messages import Place, Text
from menshen import main
from tests.bystanders import PATIENCE_S, PLACE, Gate, configured, running, wait

SHANGHAI = ZoneInfo("Asia/Shanghai")


def route(**fields: Any) -> Route:
    return msgspec.convert({"name": "duty-room", "urls": "", **fields}, Route)


class Answering:
    """An HTTP server of loopback that keeps what it is told; its answer is up to the test."""

    def __init__(self) -> None:
        self.said: list[tuple[str, bytes]] = []
        self.status = 200
        outer = self

        class Handler(http.server.BaseHTTPRequestHandler):
            def do_POST(self) -> None:
                body = self.rfile.read(int(self.headers["Content-Length"]))
                outer.said.append((self.path, body))
                self.send_response(outer.status)
                self.end_headers()
                self.wfile.write(b"{}")

            def log_message(self, *_: object) -> None:
                pass

        self._server = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self.port = self._server.server_port
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.05})
        self._thread.start()

    def titles(self) -> list[str]:
        return [json.loads(body)["title"] for _, body in self.said]

    def stop(self) -> None:
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


@pytest.fixture
def phone() -> Iterator[Answering]:
    server = Answering()
    yield server
    server.stop()


def secret(folder: Path, *urls: str, name: str = "urls") -> str:
    path = folder / name
    path.write_text("# who is told\n" + "\n".join(urls) + "\n", encoding="ascii")
    path.chmod(0o600)
    return str(path)


def finding(severity: Any = "critical") -> Finding:
    return Finding(severity=severity, since=now(), what=Text("着火", "it burns"), next_step=Text("疏散", "leave"))


class Scene:
    """A database in which alerts come and go, and postmen who look at it all the time."""

    def __init__(self, folder: Path) -> None:
        self.path = folder / "controller.db"
        self.folder = folder
        self.store = Store(self.path)
        self.postmen: list[Postman] = []

    def open(self, kind: str = "fire", *entrances: str) -> None:
        self._change({(place, kind): finding() for place in self._places(entrances)}, {})

    def over(self, kind: str = "fire", *entrances: str) -> None:
        self._change({}, {(place, kind): "over" for place in self._places(entrances)})

    def _places(self, entrances: tuple[str, ...]) -> list[int]:
        with self.store.transaction():
            return [self.store.entrance(Place("expo", name)) for name in entrances or ("north",)]

    def _change(self, raised: Any, resolved: Any) -> None:
        with self.store.transaction():
            self.store.save(Changes(raised=raised, changed={}, resolved=resolved), now())

    def postman(self, send: Send, **fields: Any) -> Postman:
        made = Postman(
            route(**fields), send, database=self.path, folder=self.folder, zone=SHANGHAI, every_s=0.02,
            first_s=0.02,
        )  # fmt: skip
        made.start()
        self.postmen.append(made)
        return made

    def close(self) -> None:
        for each in self.postmen:
            each.stop()
        self.store.close()


@pytest.fixture
def scene(tmp_path: Path) -> Iterator[Scene]:
    made = Scene(tmp_path)
    yield made
    made.close()


def json_url(phone: Answering) -> str:
    return f"json://127.0.0.1:{phone.port}/alerts"


def test_an_alert_and_its_end_are_told_once_each_through_apprise(scene: Scene, phone: Answering) -> None:
    urls = secret(scene.folder, json_url(phone))
    (send,) = addresses(route(urls=urls))
    scene.open()
    postman = scene.postman(send, language="en")
    wait(lambda: len(phone.said) == 1)
    scene.over()
    wait(lambda: len(phone.said) == 2)
    scene.open("tamper")
    wait(lambda: postman.record.sent == 3)
    assert phone.titles()[:2] == ["[critical] expo/north: fire", "[over] expo/north: fire"]
    assert json.loads(phone.said[0][1])["type"] == "failure"
    assert json.loads(phone.said[1][1])["type"] == "success"


def test_a_silenced_alert_is_told_when_the_silence_ends_and_it_is_still_open(scene: Scene, phone: Answering) -> None:
    (send,) = addresses(route(urls=secret(scene.folder, json_url(phone))))
    for kind in ("fire", "tamper"):
        scene.open(kind)
    number = scene.store.silence("guard 7", "the contact is mended", now() + timedelta(hours=1), kind="fire")
    over = scene.store.silence("guard 7", "a trial", now() + timedelta(seconds=0.3), kind="tamper")
    postman = scene.postman(send, language="en")
    wait(lambda: postman.record.sent == 1)  # as soon as that silence ran out by itself
    assert over > number
    assert phone.titles() == ["[critical] expo/north: tamper"]
    scene.store.end_silence(number, "guard 7")
    wait(lambda: postman.record.sent == 2)
    assert phone.titles()[1:] == ["[critical] expo/north: fire"]


def test_ntfy_is_told_on_its_topic(scene: Scene, phone: Answering) -> None:
    (send,) = addresses(route(urls=secret(scene.folder, f"ntfy://127.0.0.1:{phone.port}/guards")))
    scene.open()
    scene.postman(send)
    wait(lambda: bool(phone.said))
    assert json.loads(phone.said[0][1])["topic"] == "guards"


def test_a_storm_is_one_message(scene: Scene, phone: Answering) -> None:
    (send,) = addresses(route(urls=secret(scene.folder, json_url(phone)), messages=3))
    scene.open("fire", *(f"door-{number}" for number in range(40)))
    postman = scene.postman(send, messages=3)
    wait(lambda: len(postman.record.told) == 40)
    assert phone.titles() == ["门神：40 条告警，0 条恢复"]
    assert "另有 20 条" in json.loads(phone.said[0][1])["message"]
    scene.over("fire", *(f"door-{number}" for number in range(40)))
    scene.open("tamper")
    before = len(phone.said)
    postman.stop()
    assert len(phone.said) == before  # the window is used up: it waits, and is told together


def test_after_a_restart_nothing_is_told_twice_and_what_is_over_is(scene: Scene, phone: Answering) -> None:
    (send,) = addresses(route(urls=secret(scene.folder, json_url(phone))))
    scene.open("fire")
    scene.open("tamper")
    first = scene.postman(send)
    wait(lambda: first.record.sent == 2)
    first.stop()
    scene.over("fire")
    again = scene.postman(send)
    wait(lambda: again.record.sent == 3)
    assert len(phone.said) == 3
    assert "已恢复" in phone.titles()[-1]


def test_who_does_not_answer_delays_nobody_and_is_told_what_is_true_when_back(
    scene: Scene, phone: Answering, caplog: pytest.LogCaptureFixture
) -> None:
    stuck, release = threading.Event(), threading.Event()

    def hang(*_: object) -> bool:
        stuck.set()
        release.wait(10)
        return False

    (send,) = addresses(route(urls=secret(scene.folder, json_url(phone))))
    phone.status = 500
    scene.open()
    with caplog.at_level(logging.WARNING):
        scene.postman(Send("hanging-1", hang))
        failing = scene.postman(send)
        wait(lambda: failing.record.failed >= 3)
        assert stuck.wait(10)
        phone.status = 200
        wait(lambda: failing.record.sent == 1)
    release.set()
    assert failing.record.failing_since is None
    said = [record.message for record in caplog.records if send.name in record.message]
    assert len(said) == 2  # that it fails, and that it no longer does; not each attempt
    wait(lambda: read(scene.folder, send.name).told == {"expo/north fire": "critical"})


def test_what_a_notifier_raises_is_a_failure_and_no_end(scene: Scene) -> None:
    def broken(*_: object) -> bool:
        raise RuntimeError("a library's own")

    scene.open()
    postman = scene.postman(Send("broken-1", broken))
    wait(lambda: postman.record.failed >= 2)
    assert postman.thread.is_alive()


def test_the_others_are_told_of_one_that_fails(scene: Scene, phone: Answering) -> None:
    (send,) = addresses(route(urls=secret(scene.folder, json_url(phone))))
    tried: list[str] = []
    scene.open()

    def refuse(title: str, *_: object) -> bool:
        tried.append(title)
        return False

    failing = scene.postman(Send("dead-1", refuse))
    wait(lambda: failing.record.failed >= 1)
    with scene.store.transaction():
        place = scene.store.entrance(Place("controller", "dead-1"))
        scene.store.save(Changes({(place, "notifier_failed"): finding()}, {}, {}), now())
    scene.postman(send, kinds=["tamper"], places=["fair"], language="en")
    wait(lambda: bool(phone.said))
    assert phone.titles() == ["[critical] controller/dead-1: notifier failed"]
    tries = failing.record.failed
    wait(lambda: failing.record.failed > tries)
    assert {title.partition(": ")[0] for title in tried} == {"[紧急] expo/north"}, "of itself it tells nobody"


def test_a_notifier_that_fails_has_a_name_that_a_place_can_have(tmp_path: Path, phone: Answering) -> None:
    with Store(tmp_path / "controller.db") as store, store.transaction():
        store.save(Changes({(store.entrance(PLACE), "fire"): finding()}, {}, {}), now())
    phone.status = 500
    name = "the-porters-on-the-west-side-now"  # as long as it may be
    settings = NotifySection(route=(route(name=name, urls=secret(tmp_path, json_url(phone))),))
    built = Notifiers(settings, tmp_path / "controller.db")
    assert built.failing() == {}
    built.start()
    wait(lambda: bool(built.failing()))
    built.stop()
    ((place, since),) = built.failing().items()
    assert Place.parse(str(place)) == place
    assert place.site == "controller"
    assert now() - since < timedelta(seconds=PATIENCE_S)


def test_many_that_hang_are_left_in_the_time_of_one(tmp_path: Path) -> None:
    """Addresses that take a connection and never answer: systemd waits 15 s for all of us."""
    with Store(tmp_path / "controller.db") as store, store.transaction():
        store.save(Changes({(store.entrance(PLACE), "fire"): finding()}, {}, {}), now())
    silent = [socket.create_server(("127.0.0.1", 0)) for _ in range(3)]
    urls = secret(tmp_path, *(f"json://127.0.0.1:{each.getsockname()[1]}/?rto=8" for each in silent))
    built = Notifiers(NotifySection(route=(route(urls=urls),)), tmp_path / "controller.db")
    built.start()
    callers = [each.accept()[0] for each in silent]
    began = time.monotonic()
    built.stop()
    assert time.monotonic() - began < 2 * STOP_S
    for each in [*callers, *silent]:
        each.close()
    for thread in built.threads:
        thread.join(timeout=PATIENCE_S)


@pytest.mark.parametrize(
    ("mode", "text", "complaint"),
    [
        (0o644, "json://127.0.0.1", "chmod o="),
        (0o600, "# nothing", "holds no URL"),
        (0o600, "hello", "URL 1 is none that Apprise knows"),
        (None, "", "No such file"),
    ],
)
def test_a_file_of_urls_that_cannot_be_used_is_refused_by_name(
    tmp_path: Path, mode: int | None, text: str, complaint: str
) -> None:
    path = tmp_path / "urls"
    if mode is not None:
        path.write_text(text, encoding="ascii")
        path.chmod(mode)
    with pytest.raises(SettingsError, match=complaint):
        addresses(route(urls=str(path)))


def test_an_address_gives_no_token_away(tmp_path: Path) -> None:
    (send,) = addresses(route(urls=secret(tmp_path, "json://user:sesame@127.0.0.1/hook")))
    assert "sesame" not in send.name


def told(tmp_path: Path, text: str) -> Config:
    path = tmp_path / "controller.toml"
    path.write_text(text, encoding="utf-8")
    return load(path)


def test_routes_are_tables_and_mistakes_in_them_are_named(tmp_path: Path) -> None:
    config = told(tmp_path, '[[notify.route]]\nname = "night"\nurls = "/x"\nfrom = "20:00"\nto = "08:00"\n')
    assert config.notify.route[0].from_ == "20:00"
    with pytest.raises(SettingsError, match="severity"):
        told(tmp_path, '[[notify.route]]\nname = "night"\nurls = "/x"\nseverty = "critical"\n')
    with pytest.raises(SettingsError, match="from"):
        told(tmp_path, '[[notify.route]]\nname = "night"\nurls = "/x"\nfrom = "25:00"\n')
    with pytest.raises(SettingsError, match="no IANA time zone"):
        told(tmp_path, '[notify]\ntimezone = "Mars"\n')


def test_the_commands_send_a_test_and_list_how_each_does(tmp_path: Path, phone: Answering) -> None:
    urls = secret(tmp_path, json_url(phone))
    path = tmp_path / "controller.toml"
    path.write_text(
        f'[store]\npath = "{tmp_path}/controller.db"\n[[notify.route]]\nname = "duty-room"\nurls = "{urls}"\n',
        encoding="utf-8",
    )
    asked = ["--config", str(path)]
    sent = CliRunner().invoke(main, ["notify", "test", "duty-room", *asked])
    assert sent.exit_code == 0, sent.output
    assert phone.titles() == ["门神测试通知"]
    phone.status = 500
    assert CliRunner().invoke(main, ["notify", "test", *asked]).exit_code == 1
    listed = json.loads(CliRunner().invoke(main, ["notify", "list", "--json", *asked]).output)
    assert [row["state"] for row in listed] == ["unused"]
    assert CliRunner().invoke(main, ["notify", "test", "nobody", *asked]).exit_code == 1
    (tmp_path / "bare.toml").write_text(f'[store]\npath = "{tmp_path / "controller.db"}"\n')
    without = CliRunner().invoke(main, ["notify", "test", "--config", str(tmp_path / "bare.toml")])
    assert (without.exit_code, without.output) == (1, "Error: no route is set; see docs/integrations.md\n")


def test_a_controller_at_work_tells_people(broker: Broker, tmp_path: Path, gate: Gate, phone: Answering) -> None:
    urls = secret(tmp_path, json_url(phone))
    config = msgspec.structs.replace(
        configured(broker, tmp_path), notify=NotifySection(route=(route(urls=urls, kinds=["gate_offline"]),))
    )
    gate.online()
    with running(config) as built:
        wait(lambda: any(row["online"] for row in built.store.entrances()))
        gate.offline()
        wait(lambda: bool(phone.said))
    assert "设备离线" in phone.titles()[0]
