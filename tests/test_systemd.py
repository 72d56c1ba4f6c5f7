"""The units that ship, what they rely on, and what systemd hears of who runs under them."""

from __future__ import annotations

import configparser
import os
import shlex
import shutil
import socket
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path

import pytest
from click.testing import CliRunner

from controller.broker import free_port
from controller.database import BUSY_S
from menshen import COMMANDS, main
from tests.bystanders import PATIENCE_S

SYSTEMD = Path(__file__).resolve().parents[1] / "systemd"
ANALYZE = shutil.which("systemd-analyze")
UNITS = sorted(SYSTEMD.glob("*.service"))


def service(unit: Path) -> configparser.SectionProxy:
    parser = configparser.ConfigParser(interpolation=None)
    parser.optionxform = str  # type: ignore[assignment, method-assign] # systemd's names keep their case
    parser.read_string(unit.read_text(encoding="utf-8"))
    assert parser.sections() == ["Unit", "Service", "Install"]
    return parser["Service"]


def columns(name: str) -> list[list[str]]:
    lines = (SYSTEMD / name).read_text(encoding="utf-8").splitlines()
    return [shlex.split(line) for line in lines if line and not line.startswith("#")]


def test_three_units_ship() -> None:
    assert [unit.stem for unit in UNITS] == ["menshen-broker", "menshen-controller", "menshen-gate"]


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_what_a_unit_starts_exists(unit: Path) -> None:
    program, *words = shlex.split(service(unit)["ExecStart"])
    assert program == "/opt/menshen/.venv/bin/menshen"
    assert words[0] in COMMANDS
    option, config = words[-2:]
    shown = CliRunner().invoke(main, [*words[:-2], "--help"])
    assert shown.exit_code == 0, shown.output
    assert option in shown.output
    assert (SYSTEMD / Path(config).name).is_file(), "an example of its configuration ships beside it"


@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_who_a_unit_runs_as_is_made(unit: Path) -> None:
    made = {kind: {name for each, name, *_ in columns("menshen.sysusers") if each == kind} for kind in "ug"}
    assert service(unit)["User"] in made["u"]
    assert set(service(unit).get("SupplementaryGroups", "").split()) <= made["g"]


@pytest.mark.parametrize("name", ["gate", "controller"])
def test_who_decides_is_watched(name: str) -> None:
    watched = service(SYSTEMD / f"menshen-{name}.service")
    assert (watched["Type"], watched["Restart"]) == ("notify", "always")
    assert int(watched["WatchdogSec"]) > 0


def test_a_desk_that_waits_for_another_program_is_not_called_dead() -> None:
    assert int(service(SYSTEMD / "menshen-controller.service")["WatchdogSec"]) > 2 * BUSY_S


def test_lgpio_may_write() -> None:
    gate = service(SYSTEMD / "menshen-gate.service")
    assert gate["Environment"] == f"LG_WD=%t/{gate['RuntimeDirectory']}"


def test_stopping_the_gate_leaves_the_guardian_of_the_relay_its_time() -> None:
    """Mixed and control-group would kill it with the gate, and the relay it holds would stay as it was."""
    gate = service(SYSTEMD / "menshen-gate.service")
    assert gate["KillMode"] == "process"
    assert float(gate["RestartSec"]) > 1, "a pulse is over by then"


def test_secrets_are_not_for_everyone() -> None:
    for _, path, mode, owner, group in columns("menshen.tmpfiles"):
        assert mode.endswith("0")
        assert group == "menshen"
        if path == f"/var/lib/{service(UNITS[0])['StateDirectory']}":
            assert owner == "menshen"
            continue
        assert path.startswith("/etc/menshen")
        assert (owner, mode) == ("menshen", "0600") if path.endswith(".key") else owner == "root"


@pytest.mark.skipif(ANALYZE is None, reason="systemd is not installed here")
@pytest.mark.parametrize("unit", UNITS, ids=lambda unit: unit.stem)
def test_systemd_understands_every_line(unit: Path, tmp_path: Path) -> None:
    copy = tmp_path / unit.name
    copy.write_text(unit.read_text(encoding="utf-8").replace("/opt/menshen/.venv/bin/menshen", "/bin/true"))
    words = [str(ANALYZE), "verify", "--man=no", str(copy)]
    done = subprocess.run(words, capture_output=True, text=True, check=False, timeout=60)
    assert done.returncode == 0, done.stderr
    assert unit.name not in done.stderr


@pytest.fixture
def manager(tmp_path: Path) -> Iterator[socket.socket]:
    """Stand for systemd's end of the notification socket."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as bound:
        bound.bind(str(tmp_path / "notify"))
        bound.settimeout(PATIENCE_S)
        yield bound


def notifying(folder: Path) -> dict[str, str]:
    return {**os.environ, "NOTIFY_SOCKET": str(folder / "notify")}


def heard(manager: socket.socket) -> bytes:
    with suppress(TimeoutError):
        return manager.recv(100)
    return b""


def test_systemd_hears_what_is_said(manager: socket.socket, tmp_path: Path) -> None:
    say = "from device.wire.systemd import Systemd; Systemd().say('READY=1')"
    subprocess.run([sys.executable, "-c", say], env=notifying(tmp_path), check=True)
    assert manager.recv(100) == b"READY=1"


def test_systemd_hears_of_the_controller_while_its_desk_works_and_only_then(
    manager: socket.socket, tmp_path: Path
) -> None:
    settings = tmp_path / "controller.toml"
    settings.write_text(f'[store]\npath = "{tmp_path}/controller.db"\n[wire]\nport = {free_port()}\n')
    words = [sys.executable, "-m", "menshen", "controller", "run", "--config", str(settings)]
    with subprocess.Popen(words, env=notifying(tmp_path), stderr=subprocess.DEVNULL) as process:
        try:
            assert [manager.recv(100) for _ in range(3)] == [b"READY=1", b"WATCHDOG=1", b"WATCHDOG=1"]
            with closing(sqlite3.connect(tmp_path / "controller.db", isolation_level=None)) as other:
                other.execute("BEGIN IMMEDIATE")  # what it wants to write has to wait
                manager.settimeout(2.5)
                assert any(not heard(manager) for _ in range(2)), "one may have been under way"
            manager.settimeout(PATIENCE_S)
            assert manager.recv(100) == b"WATCHDOG=1"
        finally:
            process.terminate()
        while (said := manager.recv(100)) == b"WATCHDOG=1":
            pass
        assert said == b"STOPPING=1"
        assert process.wait(timeout=PATIENCE_S) == 0
