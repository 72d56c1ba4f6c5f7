"""What the doctor looks at on the broker and at the door: reached, a message and back, roles as the book has them."""

from __future__ import annotations

import http.client
import queue
import secrets
import socket
import time
from collections.abc import Iterator
from typing import Final

from controller.authority import AuthorityError
from controller.installation import Installation
from controller.roles import Roles, RolesError
from device.wire.checkup import Finding, both
from device.wire.link import Heard, Link, LinkSaid, Wire
from device.wire.messages import Ack, Place, Text, encode

REACH_S: Final = 3.0
ANSWER_S: Final = 5.0
SLOW_MS: Final = 250.0
REFUSED: Final = 403  # what the door says to whoever asks nonsense
HERE: Final = "127.0.0.1"
NOWHERE: Final = Place("doctor", "check")  # no gate is there; what the controller itself says is kept by nobody


def broker(wire: Wire, *, answer_s: float = ANSWER_S) -> Iterator[Finding]:
    """Reach it, then hear what we say."""
    where = f"{wire.host}:{wire.port}"
    try:
        socket.create_connection((wire.host, wire.port), timeout=REACH_S).close()
    except OSError as error:
        start = Text("systemctl start menshen-broker；检查端口", "systemctl start menshen-broker; see its port")
        yield Finding("broker", "fail", both(f"{where}: {error}"), start)
        return
    yield Finding("broker", "ok", both(f"{where}, {'TLS' if wire.ca else 'no TLS'}"))
    yield _round_trip(wire, answer_s)


def _round_trip(wire: Wire, answer_s: float) -> Finding:
    heard: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
    topic, mark = NOWHERE.topic("ack"), secrets.token_hex(8)
    link = Link(wire, name=f"doctor-{mark}", hear=(topic,), put=heard.put)
    link.start()
    began, deadline = 0.0, time.monotonic() + answer_s
    try:
        while True:
            said = heard.get(timeout=max(0.0, deadline - time.monotonic()))
            if isinstance(said, Heard) and mark.encode() in said.payload:
                break
            if link.up and not began:
                began = time.monotonic()
                link.say(topic, encode(Ack(spool=mark, seq=0)), qos=1)
    except queue.Empty:
        fix = Text(
            "查看代理日志；menshen controller refusals 说明被拒原因；必要时 menshen controller init",
            "see the broker's log, and menshen controller refusals; menshen controller init renews its certificate",
        )
        return Finding("round_trip", "fail", Text("连不上或没有回音", "not let in, or nothing came back"), fix)
    finally:
        link.stop()
    took_ms = 1000 * (time.monotonic() - began)
    slow = Text("代理或网络过忙", "the broker is busy, or the network is")
    return Finding("round_trip", "warn" if took_ms > SLOW_MS else "ok", both(f"{took_ms:.0f} ms"), slow)


def roles(installation: Installation) -> Finding:
    """Ask the plugin whom it knows, and compare with the book."""
    fix = Text(
        "重启 menshen-controller，它会让代理与账本一致；代理须用 menshen controller broker 启动",
        "restart menshen-controller, which makes the broker follow the book; start it by menshen controller broker",
    )
    wanted = {*installation.ledger.names(), *(reader.client for reader in installation.ledger.readers())}
    try:
        with Roles(installation.wire) as asked:
            known = asked.known()
    except (RolesError, AuthorityError) as error:
        return Finding("roles", "fail", both(error), fix)
    if strays := known ^ wanted:
        listed = ", ".join(sorted(strays)[:5])
        return Finding("roles", "fail", Text(f"与账本不一致：{listed}", f"not as the book has it: {listed}"), fix)
    return Finding("roles", "ok", Text(f"{len(known)} 个客户端", f"{len(known)} clients"))


def door(port: int) -> Finding:
    """Knock as nobody: whoever answers so is our door."""
    fix = Text(
        "启动 menshen-controller；防火墙放行该端口", "start menshen-controller; let this port through the firewall"
    )
    connection = http.client.HTTPConnection(HERE, port, timeout=REACH_S)
    try:
        connection.request("POST", "/enrol", b"{}")
        status = connection.getresponse().status
    except (OSError, http.client.HTTPException) as error:
        return Finding("door", "fail", both(f"{port}: {error}"), fix)
    finally:
        connection.close()
    if status != REFUSED:
        other = Text("另一个程序占用了该端口", "another program has this port")
        return Finding("door", "fail", both(f"{port}: HTTP {status}"), other)
    return Finding("door", "ok", both(port))
