"""The line to the broker, step by step: name, TCP, TLS, then MQTT as the gate speaks it."""

from __future__ import annotations

import contextlib
import queue
import socket
import ssl
import time
from typing import Final

from device.config import Config
from device.wire.checkup import Finding, both
from device.wire.link import Link, LinkChanged, LinkSaid, Wire
from device.wire.messages import COMMAND, Place, Text

TCP_S: Final = 5.0
ANSWER_S: Final = 5.0
TICK_S: Final = 0.05  # seconds until a failure is noticed


def broker(chosen: Config, *, running: bool) -> list[Finding]:
    """Go as far as one gets. While the gate runs its name is taken, and saying it again would put it off the line."""
    wire = chosen.wire
    where = f"{wire.host}:{wire.port}"
    begun = time.perf_counter()
    try:
        connection = socket.create_connection((wire.host, wire.port), timeout=TCP_S)
    except (OSError, UnicodeError) as error:  # the latter: it is no name at all
        said = getattr(error, "strerror", None) or error
        return [Finding("tcp", "fail", both(f"{where}: {said}"), _unreached(error, wire))]
    took_ms = 1000 * (time.perf_counter() - begun)
    found = [Finding("tcp", "ok", both(f"{where}, {took_ms:.0f} ms"))]
    with connection:
        found.append(tls(wire, connection))
    if found[-1].state == "fail":
        return found
    if running:
        detail = Text("门机正在运行，由它自己连接", "the gate runs, and has the line itself")
        return [*found, Finding("mqtt", "skipped", detail)]
    return [*found, mqtt(chosen)]


def _unreached(error: Exception, wire: Wire) -> Text:
    if isinstance(error, socket.gaierror | UnicodeError):
        return Text(
            f"名称 {wire.host} 无法解析：检查 wire.host 与 DNS，或改用地址",
            f"nobody knows the name {wire.host}: see wire.host and DNS, or use an address",
        )
    if isinstance(error, ConnectionRefusedError):
        return Text(
            f"该机器上 {wire.port} 端口无人监听：启动 menshen-broker，检查 wire.port",
            f"nothing listens on port {wire.port} there: start menshen-broker, see wire.port",
        )
    return Text("检查网线、网络与防火墙（TCP 8883、8470）", "see cable, network and firewall (TCP ports 8883 and 8470)")


def tls(wire: Wire, connection: socket.socket) -> Finding:
    """Shake hands, each side with its certificate."""
    if not wire.ca:
        return Finding(
            "tls",
            "warn",
            Text("未启用，任何人可冒充", "there is none: anybody can pretend to be anybody"),
            Text("menshen gate enrol 会给出 [wire] 设置", "menshen gate enrol prints the [wire] for it"),
        )
    try:
        context = ssl.create_default_context(cafile=wire.ca)
        if wire.certificate:
            context.load_cert_chain(wire.certificate, wire.key or None)
    except OSError as error:
        fix = Text("检查 [wire] 中的文件与权限", "see the files in [wire], and who may read them")
        return Finding("tls", "fail", both(f"{wire.ca}, {wire.certificate}: {error}"), fix)
    try:
        with context.wrap_socket(connection, server_hostname=wire.host) as secure:
            version = secure.version()
    except ssl.SSLCertVerificationError as error:
        return Finding("tls", "fail", both(error.verify_message), _distrust(error))
    except OSError as error:
        fix = Text("wire.port 应为 TLS 端口（8883），且经纪人接受本证书", "wire.port has to be the port with TLS, 8883")
        return Finding("tls", "fail", both(error), fix)
    return Finding("tls", "ok", both(version))


EXPIRED, NOT_YET, HOSTNAME, IP_ADDRESS = 10, 9, 62, 64  # X509_V_ERR_... of OpenSSL


def _distrust(error: ssl.SSLCertVerificationError) -> Text:
    if error.verify_code in (EXPIRED, NOT_YET):
        return Text(
            "检查本机时钟；若时钟正确，在控制端运行 menshen controller init 续期经纪人证书",
            "see this machine's clock; if it is right, renew the broker's: menshen controller init, at the controller",
        )
    if error.verify_code in (HOSTNAME, IP_ADDRESS):
        return Text(
            "wire.host 须与控制端 init --host 所用名称一致",
            "wire.host has to be the name that menshen controller init --host was given",
        )
    return Text(
        "经纪人不属于 wire.ca 的签发机构：重新入网（menshen gate enrol）",
        "the broker is not of the authority in wire.ca: enrol this gate again (menshen gate enrol)",
    )


def mqtt(chosen: Config) -> Finding:
    """Connect and listen as the gate does, and say how long the broker took to grant it."""
    place = Place(chosen.gate.site, chosen.gate.entrance)
    said: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
    link = Link(
        chosen.wire,
        name=f"{place.site}.{place.entrance}",
        hear=(place.topic("ack"), place.topic("policy/desired"), place.topic(f"{COMMAND}+")),
        put=said.put,
    )
    begun = time.monotonic()
    link.start()
    try:
        up = _up(link, said, begun + ANSWER_S)
    finally:
        link.stop()
    if not up:
        fix = Text(
            "登记并认领本入口：menshen entrance add 与 claim，然后重新入网；menshen controller refusals 说明原因",
            "register and claim this entrance (menshen entrance add, claim), then enrol again; "
            "menshen controller refusals says what was refused",
        )
        return Finding("mqtt", "fail", both(link.reason or f"no answer within {ANSWER_S:g} s"), fix)
    took_ms = 1000 * (time.monotonic() - begun)
    detail = Text(f"已登录，订阅获准，共 {took_ms:.0f} ms", f"let in, and allowed to hear, in {took_ms:.0f} ms")
    return Finding("mqtt", "ok", detail)


def _up(link: Link, said: queue.SimpleQueue[LinkSaid], until: float) -> bool:
    """Wait until it is connected, or has failed once."""
    while time.monotonic() < until and not link.reason:
        with contextlib.suppress(queue.Empty):
            if isinstance(said.get(timeout=TICK_S), LinkChanged):
                return True
    return False
