"""What a gate has to have in writing: configuration, site key, certificate, policy."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

from cryptography import x509
from cryptography.x509.oid import NameOID

from device import config as configuration
from device.codes.trust import TrustError, read_site_key
from device.config import Config
from device.enrol import LEFT
from device.identity import FILE, Identity, IdentityError
from device.policy import Policy
from device.settings import SettingsError
from device.wire.checkup import Finding, both
from device.wire.messages import Text

LATE: Final = LEFT - timedelta(days=7)  # renewal has failed for a week
OLD: Final = timedelta(days=30)  # a policy that old is worth a look
ENROL: Final = Text(
    "运行 sudo -u menshen menshen gate enrol --camera 重新入网", "sudo -u menshen menshen gate enrol --camera"
)


def config(path: Path) -> tuple[Finding, Config | None]:
    """Read the gate's configuration."""
    try:
        found = configuration.load(path)
    except SettingsError as error:
        fix = Text(
            f"改正 {path}；menshen gate settings 列出全部设置", f"correct {path}; menshen gate settings prints all"
        )
        return Finding("config", "fail", both(error), fix), None
    return Finding("config", "ok", both(f"{path}: {found.gate.site}/{found.gate.entrance}")), found


def site_key(chosen: Config) -> tuple[Finding, bytes]:
    """Read the site's secret; it must be long, and nobody else's to read."""
    path = Path(chosen.gate.site_key)
    try:
        key = read_site_key(path)
    except TrustError as error:
        fix = Text(
            f"从控制端复制 site.key 到 {path}，归运行门机的用户所有，权限 600",
            f"copy the controller's site.key to {path}, owned by the user the gate runs as, mode 600",
        )
        return Finding("site_key", "fail", both(error), fix), b""
    return Finding("site_key", "ok", both(f"{path}, {len(key)} bytes")), key


def certificate(chosen: Config, now: datetime) -> Finding:
    """Look how long the gate's certificate is good, and whether it is this gate's."""
    wire = chosen.wire
    if not wire.certificate:
        return Finding("certificate", "warn", Text("没有证书，仅可试用", "there is none: good for a trial only"), ENROL)
    try:
        found = _certificate(Path(wire.certificate))
    except (IdentityError, OSError, ValueError) as error:
        return Finding("certificate", "fail", both(error), ENROL)
    name = str(found.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)
    if name.split(".")[:2] != [chosen.gate.site, chosen.gate.entrance]:  # a random mark follows
        return Finding(
            "certificate", "fail", Text(f"属于 {name}，不是本门机", f"it is {name}'s, not this gate's"), ENROL
        )
    return lifetime(found.not_valid_before_utc, found.not_valid_after_utc, now)


def lifetime(begins: datetime, until: datetime, now: datetime) -> Finding:
    """Judge how long a certificate is good; it renews itself well before its end."""
    days = (until - now) // timedelta(days=1)
    detail = Text(f"有效期至 {until:%Y-%m-%d}，剩 {days} 天", f"good until {until:%Y-%m-%d}, {days} days left")
    if until <= now:
        return Finding("certificate", "fail", detail, ENROL)
    if begins > now:
        fix = Text("校准时钟", "set the clock: it is earlier than the certificate's beginning")
        return Finding("certificate", "fail", detail, fix)
    if until - now < LATE:
        fix = Text(
            "续期失败：检查控制端服务与 TCP 8470 端口",
            "its renewal fails: see that the controller's service runs and TCP port 8470 can be reached",
        )
        return Finding("certificate", "warn", detail, fix)
    return Finding("certificate", "ok", detail)


def _certificate(path: Path) -> x509.Certificate:
    if path.name == FILE:
        return Identity.load(path.parent).certificate
    return x509.load_pem_x509_certificate(path.read_bytes())


def policy(chosen: Config, key: bytes, now: datetime) -> Finding:
    """Look what the gate believes, and how old that is."""
    path = Path(chosen.gate.data) / "policy.json"
    if not path.exists():
        return Finding(
            "policy",
            "warn",
            Text("尚未收到，拒绝所有码", "none has come yet: every code is refused"),
            Text("启动门机并连上控制端一次", "let the gate run and reach its controller once"),
        )
    held = Policy(path, key)
    if held.problem:
        fix = Text("连上控制端，等待下发新策略", "let the gate reach its controller, which sends another")
        return Finding("policy", "fail", both(held.problem), fix)
    issued = held.desired.issued_at
    age = now - issued if issued else timedelta(0)
    since = f"{issued:%Y-%m-%d %H:%M}" if issued else ""
    detail = Text(
        f"第 {held.desired.version} 版{f'，{since} 下发' if since else ''}，{len(held.trust.keys)} 把签发密钥",
        f"version {held.desired.version}{f' of {since}' if since else ''}, {len(held.trust.keys)} issuers' keys",
    )
    if stale := held.trust.stale(int(now.astimezone(UTC).timestamp())):
        fix = Text("在控制端重新导入：menshen trust add", "import anew at the controller: menshen trust add")
        names = ", ".join(stale)
        return Finding("policy", "warn", Text(f"{detail.zh}；过期：{names}", f"{detail.en}; too old: {names}"), fix)
    if age > OLD:
        fix = Text(
            "若期间有变更，检查与控制端的连接", "if anything was changed since, look at the line to the controller"
        )
        return Finding("policy", "warn", detail, fix)
    return Finding("policy", "ok", detail)
