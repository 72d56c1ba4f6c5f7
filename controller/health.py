"""What the doctor looks at on this machine: database, disk, clock, gates' backlog, notifiers, ledger, certificates."""

from __future__ import annotations

import os
import shutil
import sqlite3
import statistics
import subprocess
import tempfile
import time
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509

from controller import postman
from controller.config import Config
from controller.database import StoreError
from controller.installation import Installation
from controller.notifiers import FOLDER, addresses, placed
from controller.store import Store
from device.settings import SettingsError
from device.wire.checkup import Finding, both
from device.wire.messages import Text

CHECK_S: Final = 20.0  # for looking through the database; a large one takes longer, and is looked through in part
FREE_GB: Final = 1.0
LOW_GB: Final = 5.0
SLOW_MS: Final = 100.0  # one commit; a batch is one, and alerts wait for it
TRIES: Final = 15  # writes, of which the median counts
DEEP: Final = 1000  # events waiting at one gate
SOON: Final = timedelta(days=14)
GIGA: Final = 1e9


def database(store: Store, path: Path) -> Finding:
    """Look through the database for damage, as far as the time goes."""
    until = time.monotonic() + CHECK_S
    store.db.conn.set_progress_handler(lambda: time.monotonic() > until, 10_000)
    try:
        said = [row[0] for row in store.db.execute("PRAGMA quick_check(3)")]
    except sqlite3.OperationalError:
        said = []  # out of time
    except sqlite3.DatabaseError as error:
        said = [str(error)]
    finally:
        store.db.conn.set_progress_handler(None, 0)
    size = f"{path}, {path.stat().st_size / 1e6:.0f} MB"
    if said == ["ok"]:
        return Finding("database", "ok", both(size))
    if not said:
        part = Text(f"{size}，{CHECK_S:g} 秒内未查完，已查部分正常", f"{size}, in {CHECK_S:g} s not all was looked at")
        return Finding("database", "ok", part)
    fix = Text(
        "停止控制端，用 sqlite3 的 .recover 修复或从备份恢复；门机会补传未确认的记录",
        "stop the controller, then mend it with sqlite3's .recover, or restore a copy; gates send again what was not "
        "acknowledged",
    )
    return Finding("database", "fail", both(f"{size}: {'; '.join(said)}"), fix)


def disk(folder: Path) -> Finding:
    """Say how much room is left."""
    try:
        free = shutil.disk_usage(folder).free / GIGA
    except OSError as error:
        return Finding("disk", "fail", both(error), Text("检查 [store] path", "see [store] path"))
    state = "fail" if free < FREE_GB else "warn" if free < LOW_GB else "ok"
    fix = Text("清理磁盘或扩容；[store] retention_days 只覆盖个人信息，不删除记录", "make room, or take a larger disk")
    return Finding("disk", state, Text(f"剩余 {free:.1f} GB", f"{free:.1f} GB left"), fix)  # type: ignore[arg-type]


def fsync(folder: Path) -> Finding:
    """Say how long a write takes until it is on disk: no alert is said before."""
    took = []
    try:
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".doctor-") as file:
            for _ in range(TRIES):
                began = time.perf_counter()
                file.write(b"x" * 4096)
                file.flush()
                os.fsync(file.fileno())
                took.append(1000 * (time.perf_counter() - began))
    except OSError as error:
        owner = Text("以数据库属主身份运行", "run this as the owner of the database")
        return Finding("fsync", "fail", both(error), owner)
    median = statistics.median(took)
    fix = Text("换用 SSD，或检查磁盘是否将坏", "take an SSD, or see whether this disk is about to fail")
    return Finding("fsync", "warn" if median > SLOW_MS else "ok", both(f"{median:.1f} ms, max {max(took):.1f} ms"), fix)


def clock() -> Finding:
    """Ask systemd whether a time server checks this machine's clock."""
    tool = shutil.which("timedatectl")
    asked = [tool or "", "show", "--property=NTPSynchronized", "--value"]
    try:
        said = subprocess.run(asked, capture_output=True, text=True, timeout=5, check=True).stdout.strip()
    except (OSError, subprocess.SubprocessError):
        return Finding("clock", "skipped", Text("本机没有 timedatectl 可问", "there is no timedatectl to ask here"))
    if said == "yes":
        return Finding("clock", "ok", Text("已由 NTP 校准", "checked by NTP"))
    fix = Text(
        "timedatectl set-ntp true，并允许访问时间服务器：指令和证书都依赖时钟",
        "timedatectl set-ntp true, and let it reach a time server: commands and certificates depend on the clock",
    )
    return Finding("clock", "fail", Text("未与时间服务器同步", "no time server checks it"), fix)


def backlog(store: Store) -> Finding:
    """Say which gates hold back events that should have come."""
    rows = store.db.execute(
        "SELECT site || '/' || name, coalesce(json_extract(state, '$.spool_depth'), 0), online FROM entrances"
        " WHERE registered_at IS NOT NULL"
    ).fetchall()
    deep = [f"{place} {depth}" for place, depth, _ in rows if depth > DEEP]
    online = sum(bool(each[2]) for each in rows)
    detail = Text(f"{len(rows)} 个入口，{online} 个在线", f"{len(rows)} entrances, {online} online")
    if not deep:
        return Finding("backlog", "ok", detail)
    listed = ", ".join(deep[:5])
    fix = Text(
        "检查这些门机的网络；若全部如此，检查控制端磁盘", "see their network; where it is all of them, see this disk"
    )
    return Finding("backlog", "warn", Text(f"{detail.zh}；待上传 {listed}", f"{detail.en}; waiting: {listed}"), fix)


def notifiers(config: Config) -> Finding:
    """Say whether every address alerts go to can be used, and was reached lately."""
    if not config.notify.route:
        return Finding("notifiers", "skipped", Text("未设置", "there are none"))
    folder = Path(config.store.path).with_name(FOLDER)
    try:
        placed(config.notify, Path(config.store.path))
        names = [send.name for route in config.notify.route for send in addresses(route)]
    except (SettingsError, StoreError) as error:
        return Finding("notifiers", "fail", both(error), Text("按上述说明修改", "change what it names"))
    records = {name: postman.read(folder, name) for name in names}
    failing = [name for name, record in records.items() if record.failing_since]
    unused = [name for name, record in records.items() if not record.sent]
    fix = Text("menshen notify test 会再试一次；检查地址与网络", "menshen notify test tries again; see URL and network")
    if failing:
        listed = ", ".join(failing)
        return Finding("notifiers", "fail", Text(f"无法送达：{listed}", f"do not get through: {listed}"), fix)
    if unused:
        listed = ", ".join(unused)
        return Finding("notifiers", "warn", Text(f"从未用过：{listed}", f"never used: {listed}"), fix)
    return Finding("notifiers", "ok", both(", ".join(names)))


def ledger(installation: Installation, now: datetime) -> Finding:
    """Say who may speak, and whose certificate ends."""
    gates, readers = installation.ledger.ends(), installation.ledger.readers()
    ends = {**gates, **{reader.client: reader.until for reader in readers}}
    soon = [name for name, until in ends.items() if until and until < (now + SOON).timestamp()]
    detail = Text(
        f"{len(gates)} 台门机，{len(readers)} 个第三方程序", f"{len(gates)} gates, {len(readers)} other programs"
    )
    if not soon:
        return Finding("ledger", "ok", detail)
    listed = ", ".join(soon[:5])
    fix = Text(
        "门机会自行续期：检查其网络与 8470 端口；第三方程序：重新运行 menshen controller reader",
        "a gate renews by itself: see its way to port 8470; for another program: menshen controller reader, again",
    )
    ending = Text(f"{detail.zh}；即将到期：{listed}", f"{detail.en}; these end soon: {listed}")
    return Finding("ledger", "warn", ending, fix)


def certificates(installation: Installation, now: datetime) -> Finding:
    """Say until when our own certificates are good."""
    days = {}
    for file in ("ca.crt", "controller.pem", "broker/broker.pem"):
        try:
            text = (installation.folder / file).read_bytes()
            certificate = x509.load_pem_x509_certificate(text[text.index(b"-----BEGIN CERT") :])
        except (OSError, ValueError) as error:
            anew = Text("menshen controller init 会重新写出", "menshen controller init writes it anew")
            return Finding("certificates", "fail", both(f"{file}: {error}"), anew)
        days[file] = (certificate.not_valid_after_utc.astimezone(UTC) - now).days
    worst = min(days.values())
    listed = ", ".join(f"{file} {left} d" for file, left in days.items())
    state = "fail" if worst < 0 else "warn" if worst < SOON.days else "ok"
    fix = Text(
        "menshen controller init 续期代理与控制端的证书", "menshen controller init renews the broker's and its own"
    )
    return Finding("certificates", state, both(listed), fix)  # type: ignore[arg-type]
