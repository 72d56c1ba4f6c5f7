"""`menshen doctor`: a good gate passes, and each thing that is wrong is found, with its fix in both languages."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import msgspec
import pytest
from click.testing import CliRunner

from controller.broker import Broker
from device.checks import lens, machine, papers, parts
from device.codes.trust import read_site_key
from device.doctor import CHECKS
from device.floor import Checked
from device.timekeeper import Sample
from device.wire.checkup import Finding
from device.wire.messages import Desired, encode
from hardware.levels import Levels
from hardware.scene import CameraState
from menshen import main
from tests.fire.trouble import cannot_mount, read_only, small_disk
from tests.installed import CHINESE, Installed, told

ROOT: Final = Path(__file__).parents[1]
NOW: Final = datetime(2026, 11, 24, 1, 15, tzinfo=UTC)


@pytest.fixture
def gate(tmp_path: Path) -> Installed:
    return Installed(tmp_path)


def test_a_good_gate_passes(tmp_path: Path, broker: Broker) -> None:
    gate = Installed(tmp_path, broker.wire)
    gate.show(code="HELLO", size=200)
    code, found = gate.doctor("--pulse", "--code", "0.3", "--lang", "en")
    assert code == 0, found
    wrong = {name for name, row in found.items() if row["state"] in ("warn", "fail")}
    assert wrong == {"certificate", "tls"}  # on a broker without identities
    assert set(CHECKS) - set(found) == {"show"}
    assert [row["fix"] for row in found.values() if row["state"] == "ok"] == [""] * (len(found) - len(wrong) - 2)
    levels = Levels(gate.data / "pins")
    assert levels.read(17).edges == 2
    assert not levels.read(17).high
    levels.close()


@pytest.mark.parametrize("tongue", ["zh", "en"])
def test_people_read_a_table_that_names_the_fix(gate: Installed, tongue: str) -> None:
    gate.press(17, level=True)
    gate.show(thermometer="unplugged", camera="missing")
    done = CliRunner().invoke(main, ["doctor", "--config", str(gate.path), "--lang", tongue])
    assert done.exit_code == 1
    for name in ("relay", "thermometer", "camera", "tcp"):
        assert (CHECKS[name].zh if tongue == "zh" else CHECKS[name].en) in done.stdout.splitlines()[-1]
    assert done.stdout.count("→") == 5  # and the certificate that is not there
    assert bool(CHINESE.search(done.stdout)) == (tongue == "zh")


def test_without_a_configuration_nothing_else_is_looked_at(tmp_path: Path) -> None:
    done = CliRunner().invoke(main, ["doctor", "--config", str(tmp_path / "gate.toml"), "--json"])
    assert done.exit_code == 1
    assert [row["check"] for row in json.loads(done.stdout)] == ["config"]
    found, config = papers.config(tmp_path / "gate.toml")
    told(found, "config", "fail")
    assert config is None


def test_every_check_stands_in_the_docs() -> None:
    page = (ROOT / "docs" / "doctor.md").read_text(encoding="utf-8")
    for name, text in CHECKS.items():
        assert f"| `{name}` | {text.en}" in page, name


# Papers.


def test_a_site_key_that_others_can_read_fails(gate: Installed) -> None:
    told(papers.site_key(gate.config)[0], "site_key", "ok")
    (gate.folder / "site.key").chmod(0o644)
    assert "chmod 600" in told(papers.site_key(gate.config)[0], "site_key", "fail").detail.en
    (gate.folder / "site.key").unlink()
    told(papers.site_key(gate.config)[0], "site_key", "fail")


@pytest.mark.parametrize(
    ("begins", "until", "state", "said"),
    [
        (-1, 90, "ok", "90 days left"),
        (-60, 24, "ok", "24 days left"),
        (-80, 10, "warn", "10 days left"),
        (-91, 0, "fail", "0 days left"),
        (1, 91, "fail", "91 days left"),
    ],
)
def test_a_certificate_is_judged_by_its_days(begins: int, until: int, state: str, said: str) -> None:
    days = timedelta(days=1)
    found = papers.lifetime(NOW + begins * days, NOW + until * days, NOW)
    assert said in told(found, "certificate", state).detail.en


def policy(gate: Installed, desired: Desired | bytes) -> Finding:
    (gate.data / "policy.json").write_bytes(encode(desired) if isinstance(desired, Desired) else desired)
    return papers.policy(gate.config, read_site_key(gate.folder / "site.key"), NOW)


def test_a_policy_that_is_missing_damaged_or_old_is_found(gate: Installed) -> None:
    told(policy(gate, Desired(version=3, issued_at=NOW - timedelta(days=2))), "policy", "ok")
    old = told(policy(gate, Desired(version=3, issued_at=NOW - timedelta(days=40))), "policy", "warn")
    assert "version 3 of 2026-10-15" in old.detail.en
    told(policy(gate, b"{"), "policy", "fail")
    (gate.data / "policy.json").unlink()
    told(papers.policy(gate.config, b"x" * 32, NOW), "policy", "warn")


# The machine.


def test_the_clock_is_judged_as_the_gate_does(gate: Installed) -> None:
    now = NOW.timestamp()
    ntp = msgspec.structs.replace(gate.config, gate=msgspec.structs.replace(gate.config.gate, clock="ntp"))
    told(machine.clock(ntp, Sample(now, 1.0, synced=True), None), "clock", "ok")
    told(machine.clock(ntp, Sample(now, 1.0, synced=False), None), "clock", "fail")
    told(machine.clock(gate.config, Sample(now, 1.0, synced=False), None), "clock", "ok")  # it has a battery
    later = Checked(boot="b", at=now + 60, mono=1.0)
    found = told(machine.clock(ntp, Sample(now, 1.0, synced=True), later), "clock", "fail")
    assert "2026-11-24 01:16:00" in found.detail.en


def test_a_disk_that_is_not_there_full_or_read_only_is_found(tmp_path: Path) -> None:
    told(machine.disk(tmp_path), "disk", "ok")
    assert list(tmp_path.iterdir()) == []
    assert "systemd-tmpfiles" in told(machine.disk(tmp_path / "nowhere"), "disk", "fail").fix.en
    (tmp_path / "tried").mkdir()
    if reason := cannot_mount(tmp_path / "tried"):
        pytest.skip(reason)
    with small_disk(tmp_path / "small", 6 * 1024 * 1024) as folder:
        told(machine.disk(folder), "disk", "fail")
        with read_only(folder):
            assert "read-only" in told(machine.disk(folder), "disk", "fail").fix.en


def board(root: Path, *, alarm: str) -> Finding:
    (root / "proc/device-tree").mkdir(parents=True, exist_ok=True)
    (root / "proc/device-tree/model").write_bytes(b"Raspberry Pi 5 Model B Rev 1.0\0")
    sensor = root / "sys/class/hwmon/hwmon1"
    sensor.mkdir(parents=True, exist_ok=True)
    (sensor / "name").write_text("rpi_volt\n", encoding="ascii")
    (sensor / "in0_lcrit_alarm").write_text(f"{alarm}\n", encoding="ascii")
    return machine.model(root)


def test_a_supply_that_sags_and_storage_that_is_worn_are_found(tmp_path: Path) -> None:
    told(machine.model(tmp_path), "board", "skipped")
    assert told(board(tmp_path, alarm="0"), "board", "ok").detail.en == "Raspberry Pi 5 Model B Rev 1.0"
    told(board(tmp_path, alarm="1"), "board", "fail")
    told(machine.wear(tmp_path), "wear", "skipped")
    told_by = tmp_path / "sys/block/mmcblk0/device"
    told_by.mkdir(parents=True)
    (told_by / "life_time").write_text("0x01 0x02\n", encoding="ascii")
    told(machine.wear(tmp_path), "wear", "ok")
    (told_by / "life_time").write_text("0x01 0x0a\n", encoding="ascii")
    told(machine.wear(tmp_path), "wear", "warn")


# Parts.


@pytest.mark.parametrize(
    ("name", "pin", "level"),
    [
        ("staff_button", 5, False),
        ("beam_outer", 25, True),
        ("beam_inner", 16, True),
        ("turnstile_passed", 26, False),
        ("fire", 12, True),
        ("tamper", 6, True),
        ("door", 4, True),
    ],
)
def test_an_input_that_is_not_at_rest_is_found(gate: Installed, name: str, pin: int, level: bool) -> None:  # noqa: FBT001
    found, factory = parts.open_pins(gate.config)
    told(found, "pins", "ok")
    assert {each.state for each in parts.inputs(factory, gate.config)} == {"ok"}
    gate.press(pin, level=level)
    wrong = [each for each in parts.inputs(factory, gate.config) if each.state != "ok"]
    assert len(wrong) == 1
    told(wrong[0], name, "fail")


def test_pins_that_cannot_be_had_are_found(gate: Installed) -> None:
    (gate.data / "pins").mkdir()
    found, factory = parts.open_pins(gate.config)
    told(found, "pins", "fail")
    assert factory is None


def test_every_colour_and_tune_is_said_as_it_is_shown(gate: Installed) -> None:
    said: list[str] = []
    _, factory = parts.open_pins(gate.config)
    told(parts.show(factory, gate.config, lambda text: said.append(text.en), pause_s=0.01), "show", "ok")
    assert said[:2] == ["lamp green", "lamp amber"]
    assert said[-1] == "tune identify"
    assert len(said) == 9


@pytest.mark.parametrize(("scene", "said"), [("unplugged", "four wires"), ("bad_pec", "wrong checksums")])
def test_a_thermometer_that_does_not_answer_is_found(gate: Installed, scene: str, said: str) -> None:
    from device.__main__ import thermometer  # noqa: PLC0415

    told(parts.thermometer(thermometer(gate.config)), "thermometer", "ok")
    gate.show(thermometer=scene)
    assert said in told(parts.thermometer(thermometer(gate.config)), "thermometer", "fail").detail.en
    gate.show(ambient_c=90)
    told(parts.thermometer(thermometer(gate.config)), "thermometer", "fail")
    told(parts.thermometer(None), "thermometer", "skipped")


@pytest.mark.parametrize(("state", "said"), [("missing", "scene.json"), ("black", "640x360, ")])
def test_a_first_picture_that_shows_nothing_is_found(gate: Installed, state: CameraState, said: str) -> None:
    gate.show(camera=state)
    assert said in told(lens.first_frame(gate.config.camera), "camera", "fail").detail.en


@pytest.mark.skipif(importlib.util.find_spec("picamera2") is not None, reason="picamera2 is installed here")
def test_a_camera_whose_software_is_missing_is_found(gate: Installed) -> None:
    found = lens.first_frame(msgspec.structs.replace(gate.config.camera, driver="picamera2"))
    assert "No module named 'picamera2'" in told(found, "camera", "fail").detail.en
    assert "apt install python3-picamera2" in found.fix.en


def test_a_camera_that_stalls_is_killed(gate: Installed, tmp_path: Path) -> None:
    os.mkfifo(tmp_path / "pipe.mp4")  # a driver that waits for ever in the kernel
    camera = msgspec.structs.replace(gate.config.camera, driver="film", source=str(tmp_path / "pipe.mp4"), stall_s=0.5)
    found = told(lens.first_frame(camera, start_s=1.0), "camera", "fail")
    assert "stalled" in found.detail.en


def test_a_blurred_picture_measures_less_than_a_sharp_one(gate: Installed) -> None:
    from hardware.camera.emulated import Camera  # noqa: PLC0415

    def measured(blur: float) -> float:
        gate.show(code="HELLO", size=200, blur=blur)
        camera = Camera(source=str(gate.scene), width=640, height=360, fps=30)
        return lens.focus(camera.read(5).grey)

    assert measured(0) > 2 * measured(2) > 0


def test_a_code_that_is_not_there_or_cannot_be_read_is_found(gate: Installed) -> None:
    told(lens.code(gate.config.camera, 0.3), "code", "fail")
    gate.show(code="HELLO", size=200)
    found = told(lens.code(gate.config.camera, 0.3), "code", "ok")
    assert re.match(r"QRCode in \d+ pictures, by \d+ of \d+ looks: ", found.detail.en)
    assert "HELLO" not in found.detail.en


# While the gate runs.


@contextmanager
def at_work(gate: Installed) -> Iterator[None]:
    with (gate.folder / "log").open("wb") as log, subprocess.Popen(
        [sys.executable, "-m", "tests.fire.gate", str(gate.path)],
        cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, stderr=log,
    ) as process:  # fmt: skip
        assert process.stdout
        assert process.stdout.readline().startswith(b"lamp"), (gate.folder / "log").read_text(encoding="utf-8")
        try:
            yield
        finally:
            process.terminate()


def test_while_the_gate_runs_its_pins_and_camera_are_left_to_it(tmp_path: Path, broker: Broker) -> None:
    gate = Installed(tmp_path, broker.wire)
    with at_work(gate):
        code, found = gate.doctor("--pulse", "--show", "--code", "1", "--lang", "en")
        levels = Levels(gate.data / "pins")
        assert levels.read(17).edges == 0
        levels.close()
    assert code == 0
    assert "systemctl stop menshen-gate" in found["gate"]["detail"]
    assert not {"pins", "relay", "pulse", "show", "camera", "code"} & set(found)
    assert found["mqtt"]["state"] == "skipped"
    assert found["thermometer"]["state"] == "ok"
