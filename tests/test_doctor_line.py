"""`menshen doctor` on the line to the broker: how far it gets, and what to do where it ends."""

from __future__ import annotations

from datetime import UTC, datetime
from pathlib import Path

import msgspec
import pytest

from controller.authority import Authority, name_for
from device.checks import line, papers
from device.wire.link import Wire
from device.wire.messages import Place
from tests.guarded import guarded
from tests.installed import Installed, told


@pytest.fixture
def gate(tmp_path: Path) -> Installed:
    return Installed(tmp_path)


def test_a_broker_that_cannot_be_reached_is_found(gate: Installed) -> None:
    config = gate.config
    (found,) = line.broker(config, running=False)
    assert "nothing listens" in told(found, "tcp", "fail").fix.en
    unknown = msgspec.structs.replace(config, wire=Wire(host="broker..example", port=1))
    (found,) = line.broker(unknown, running=False)
    assert "DNS" in told(found, "tcp", "fail").fix.en


def test_each_step_of_a_line_with_identities_is_judged(tmp_path: Path) -> None:
    with guarded(tmp_path) as installation:
        _, pair = installation.admit(Place("expo", "north"))
        (tmp_path / "gate").mkdir()
        gate = Installed(tmp_path / "gate", installation.wire(pair))
        config = gate.config
        now = datetime.now(tz=UTC)
        told(papers.certificate(config, now), "certificate", "ok")
        assert [found.state for found in line.broker(config, running=False)] == ["ok", "ok", "ok"]
        assert [found.state for found in line.broker(config, running=True)] == ["ok", "ok", "skipped"]

        other = Authority.make(tmp_path / "other")
        ca = msgspec.structs.replace(config.wire, ca=str(tmp_path / "other/ca.crt"))
        *_, found = line.broker(msgspec.structs.replace(config, wire=ca), running=False)
        assert "not of the authority" in told(found, "tls", "fail").fix.en

        name = msgspec.structs.replace(config.wire, host="127.0.0.2")
        *_, found = line.broker(msgspec.structs.replace(config, wire=name), running=False)
        assert "wire.host has to be" in told(found, "tls", "fail").fix.en

        missing = msgspec.structs.replace(config.wire, certificate=str(tmp_path / "none.pem"))
        *_, found = line.broker(msgspec.structs.replace(config, wire=missing), running=False)
        told(found, "tls", "fail")
        told(papers.certificate(msgspec.structs.replace(config, wire=missing), now), "certificate", "fail")

        foreign = installation.pair(name_for(Place("expo", "north")), by=other)
        forged = msgspec.structs.replace(config.wire, certificate=str(foreign.path))
        *_, found = line.broker(msgspec.structs.replace(config, wire=forged), running=False)
        told(found, "mqtt", "fail")

        south = installation.pair(name_for(Place("expo", "south")))
        wrong = msgspec.structs.replace(config.wire, certificate=str(south.path))
        told(papers.certificate(msgspec.structs.replace(config, wire=wrong), now), "certificate", "fail")
        *_, found = line.broker(msgspec.structs.replace(config, wire=wrong), running=False)
        assert "menshen entrance add" in told(found, "mqtt", "fail").fix.en
