"""The controller as a program: its settings, its start, its end."""

from __future__ import annotations

import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from pathlib import Path

import pytest
from click.testing import CliRunner

from controller.broker import Broker
from controller.config import VARIABLE, Config, load
from device.settings import SettingsError, example
from menshen import main
from tests.bystanders import PLACE, Gate, scan

ROOT = Path(__file__).resolve().parents[1]
OIDC = "[web.oidc]\nissuer = 'https://login.example'\n"
KNOWN = f"{OIDC}url = 'https://board.example'\nclient_id = 'menshen'\n"


def test_the_example_that_ships_is_the_one_that_is_printed() -> None:
    printed = CliRunner().invoke(main, ["controller", "settings"])
    assert printed.output == example(Config) == (ROOT / "systemd" / "controller.toml").read_text(encoding="utf-8")


def test_the_example_is_the_defaults() -> None:
    assert load(ROOT / "systemd" / "controller.toml") == Config()


def test_a_file_that_is_named_comes_first(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name, port in (("asked", 1), ("variable", 2)):
        (tmp_path / f"{name}.toml").write_text(f"[wire]\nport = {port}\n")
    monkeypatch.setenv(VARIABLE, str(tmp_path / "variable.toml"))
    assert load(tmp_path / "asked.toml").wire.port == 1
    assert load(None).wire.port == 2


@pytest.mark.skipif(Path("/etc/menshen/controller.toml").exists(), reason="this machine runs a controller")
def test_without_any_file_everything_is_below_home(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv(VARIABLE, raising=False)
    monkeypatch.setenv("HOME", str(tmp_path))
    config = load(None)
    home = tmp_path / ".local" / "share" / "menshen"
    assert config.store.path == str(home / "controller.db")
    assert (config.passes.issuer, config.passes.site_key) == (str(home / "issuer"), str(home / "site.key"))
    said = capsys.readouterr()
    assert str(home) in said.err
    assert said.out == ""


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("[rules]\nabnormal_hold = 3\n", "did you mean rules.abnormal_hold_s?"),
        ("[rules]\noffline_grace_s = -1\n", "rules.offline_grace_s.*0 to 3600"),
        ("[store]\npath = 3\n", "store.path"),
        ("[wire\n", "not a TOML file"),
        ("[web.oidc]\nissuer = 'http://login.example'\n", "web.oidc.issuer: .* is not such as https://host.example"),
        (f"{OIDC}url = 'board.example'\n", "web.oidc.url: .* is not such as"),
        (f"{OIDC}url = 'https://board.example/gates'\n", "web.oidc.url: .* leave the path out"),
        (f"{OIDC}url = 'https://user@board.example'\n", "web.oidc.url: .* is not such as"),
        (f"{OIDC}url = 'https://board.example'\n", "web.oidc.client_id must be set"),
        (f"{KNOWN}grant = [{{group = 'a', role = 'guard'}}]\n", "web.oidc.grant needs web.oidc.name"),
        (f"{KNOWN}name = 'n'\ngrant = [{{group = 'a', role = 'guard', reach = ['EXPO']}}]\n", "neither SITE nor"),
        (f"{KNOWN}name = 'n'\ngrant = [{{group = 'a', role = 'chief'}}]\n", "web.oidc.grant"),
        (f"{KNOWN}client_secre = 'x'\n", "did you mean web.oidc.client_secret?"),
    ],
)
def test_a_mistake_is_named(tmp_path: Path, text: str, said: str) -> None:
    path = tmp_path / "controller.toml"
    path.write_text(text)
    with pytest.raises(SettingsError, match=said):
        load(path)
    refused = CliRunner().invoke(main, ["events", "--config", str(path)])
    assert refused.exit_code == 1
    assert str(path) in refused.output


def run(folder: Path, port: int) -> list[str]:
    path = folder / "controller.toml"
    path.write_text(f'[store]\npath = "{folder / "controller.db"}"\n[wire]\nhost = "127.0.0.1"\nport = {port}\n')
    return [sys.executable, "-m", "menshen", "controller", "run", "--config", str(path)]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_it_says_when_it_is_ready_and_ends_when_asked(broker: Broker, tmp_path: Path, number: signal.Signals) -> None:
    with subprocess.Popen(run(tmp_path, broker.wire.port), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        logged = ""
        while "ready: 0 entrances, 0 open alerts" not in logged:
            line = process.stderr.readline()
            assert line, f"it ended early: {logged}"
            logged += line
        process.send_signal(number)
        logged += process.stderr.read()
        assert process.wait(timeout=20) == 0
    assert "Traceback" not in logged
    assert "no link" not in logged


def test_a_database_it_cannot_use_ends_it_at_once(tmp_path: Path) -> None:
    (tmp_path / "controller.db").write_bytes(b"not a database" * 99)
    done = subprocess.run(run(tmp_path, 1), capture_output=True, text=True, timeout=60, check=False)
    assert done.returncode == 1
    assert "file is not a database; see [store] path" in done.stderr


def test_a_store_that_breaks_ends_it_so_that_it_is_started_again(broker: Broker, tmp_path: Path, gate: Gate) -> None:
    with subprocess.Popen(run(tmp_path, broker.wire.port), stderr=subprocess.PIPE, text=True) as process:
        assert process.stderr
        while "ready" not in process.stderr.readline():
            assert process.poll() is None
        with closing(sqlite3.connect(tmp_path / "controller.db")) as db:
            db.execute("DROP TABLE events")
        gate.event(scan(1))
        assert process.wait(timeout=20) == 1
        assert "no such table" in process.stderr.read()
    assert not [heard for heard in gate.all if heard.topic == PLACE.topic("ack")]
