"""The units that ship: what they start exists, and what they rely on is made."""

from __future__ import annotations

import configparser
import shlex
import shutil
import subprocess
from pathlib import Path

import pytest
from click.testing import CliRunner

from menshen import COMMANDS, main

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


def test_the_gate_is_watched_and_lgpio_may_write() -> None:
    gate = service(SYSTEMD / "menshen-gate.service")
    assert (gate["Type"], gate["Restart"]) == ("notify", "always")
    assert int(gate["WatchdogSec"]) > 0
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
