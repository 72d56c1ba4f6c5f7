"""The machine under a gate: which Pi it is, its power, its clock and its disk."""

from __future__ import annotations

import errno
import os
import statistics
import time
from pathlib import Path
from typing import Final

from device.config import Config
from device.floor import Checked
from device.spool import FLOOR
from device.timekeeper import Sample
from device.wire.checkup import Finding, State, both
from device.wire.messages import Text

ROOT: Final = Path("/")
ROOM: Final = 256 * 1024 * 1024  # bytes of free disk below which it is worth a look
SLOW_MS: Final = 100.0  # an event waits for one fsync before anybody is let in
WRITES: Final = 5
WORN: Final = 9  # tenths of its life an eMMC has lived


def model(root: Path = ROOT) -> Finding:
    """Say which board this is, and whether it gets enough power."""
    try:
        name = (root / "proc/device-tree/model").read_bytes().rstrip(b"\0").decode(errors="replace")
    except OSError:
        return Finding("board", "skipped", Text("不是树莓派", "this is no Raspberry Pi"))
    for sensor in (root / "sys/class/hwmon").glob("*"):
        if _read(sensor / "name") == "rpi_volt" and _read(sensor / "in0_lcrit_alarm") == "1":
            return Finding(
                "board",
                "fail",
                Text(f"{name}，供电电压不足", f"{name}: its supply voltage has been too low"),
                Text("换用官方电源与更短的电缆", "use the official power supply and a shorter cable"),
            )
    return Finding("board", "ok", both(name))


def _read(path: Path) -> str:
    try:
        return path.read_text(encoding="ascii").strip()
    except OSError:
        return ""


def clock(chosen: Config, sample: Sample, floor: Checked | None) -> Finding:
    """Say whether the time can be believed: NTP keeps it, or a battery does."""
    shown = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(sample.wall))
    fix = Text(
        "让门机能访问时间服务器：timedatectl timesync-status，必要时改 /etc/systemd/timesyncd.conf",
        "let it reach a time server: timedatectl timesync-status; name one in /etc/systemd/timesyncd.conf",
    )
    if floor and sample.wall < floor.at:
        behind = time.strftime("%Y-%m-%d %H:%M:%S UTC", time.gmtime(floor.at))
        detail = Text(f"{shown}，早于已确认的 {behind}", f"{shown} is before {behind}, which has passed for certain")
        return Finding("clock", "fail", detail, fix)
    if sample.synced:
        return Finding("clock", "ok", Text(f"{shown}，NTP 已同步", f"{shown}, kept by NTP"))
    if chosen.gate.clock == "battery":
        detail = Text(f"{shown}，由电池时钟维持", f"{shown}, kept by a clock with a battery")
        return Finding("clock", "ok", detail)
    return Finding("clock", "fail", Text(f"{shown}，NTP 未同步", f"{shown}, and NTP does not keep it"), fix)


def disk(folder: Path) -> Finding:
    """Write where the gate keeps its events, and say how long the disk takes and how much room there is."""
    try:
        took_ms = _written_ms(folder)
        found = os.statvfs(folder)
    except OSError as error:
        return Finding("disk", "fail", both(f"{folder}: {error.strerror}"), _remedy(folder, error.errno))
    free = found.f_bavail * found.f_frsize
    detail = Text(
        f"{folder}：剩余 {free // 2**20} MB，落盘 {took_ms:.1f} ms",
        f"{folder}: {free // 2**20} MB free, {took_ms:.1f} ms until a write is on disk",
    )
    if free < ROOM:
        state: State = "fail" if free < FLOOR else "warn"
        return Finding("disk", state, detail, Text("清理磁盘或换更大的存储卡", "make room, or use a larger card"))
    if took_ms > SLOW_MS:
        fix = Text("换用耐久型存储卡或固态盘", "use a high-endurance card or an SSD: each verdict waits for a write")
        return Finding("disk", "warn", detail, fix)
    return Finding("disk", "ok", detail)


def _written_ms(folder: Path) -> float:
    path, times = folder / f".doctor-{os.getpid()}", []
    descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        for _ in range(WRITES):
            begun = time.perf_counter()
            os.write(descriptor, bytes(4096))
            os.fsync(descriptor)
            times.append(1000 * (time.perf_counter() - begun))
    finally:
        os.close(descriptor)
        path.unlink()
    return statistics.median(times)


def _remedy(folder: Path, number: int | None) -> Text:
    match number:
        case errno.EROFS:
            return Text(
                "文件系统只读：存储卡可能已损坏，检查 dmesg，换卡",
                "the file system is read-only: look at dmesg; a card that did that by itself is to be replaced",
            )
        case errno.ENOSPC | errno.EDQUOT:
            return Text("清理磁盘或换更大的存储卡", "make room, or use a larger card")
        case errno.ENOENT | errno.ENOTDIR:
            return Text(
                f"创建 {folder}：systemd-tmpfiles --create，或启动一次 menshen-gate",
                f"make {folder}: systemd-tmpfiles --create, or start menshen-gate once",
            )
    return Text(
        "以门机的用户运行：sudo -u menshen menshen doctor",
        "run this as the gate's own user: sudo -u menshen menshen doctor",
    )


def wear(root: Path = ROOT) -> Finding:
    """Say how worn the storage is, where it tells: eMMC does, SD cards do not."""
    for told in sorted((root / "sys/block").glob("mmcblk*/device/life_time")):
        numbers = [int(word, 16) for word in _read(told).split()]
        lived = max(numbers, default=0)
        detail = Text(f"{told.parts[-3]} 已用约 {10 * lived}% 寿命", f"{told.parts[-3]} has lived about {10 * lived} %")
        if lived >= WORN:
            return Finding("wear", "warn", detail, Text("尽快更换存储", "replace it soon"))
        return Finding("wear", "ok", detail)
    return Finding(
        "wear", "skipped", Text("存储不报告磨损（SD 卡均不报告）", "the storage does not tell; no SD card does")
    )
