"""Tickets, tokens and cards of others before the lens of a real gate, which nobody but their issuer's server helps."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import NamedTuple

import msgspec
import pytest

from controller.broker import free_port
from device import config as gates
from device.__main__ import Gate
from device.codes.trust import make_site_key
from device.settings import convert
from device.spool import Reader
from device.verifier import Verifier
from device.wire.messages import Admission, Desired, Scan, TrustList, encode
from hardware.stage import Stage
from tests.signer import RULE, VACCINATED, Signer
from tests.signer import changed as changed_certificate
from tests.test_pretix import payload
from tests.test_shc import changed, pieces
from tests.tickets import ISSUER, card, key, signed, ticket

DEADLINE_S = 30.0
RELAY = 17
HEALTH = Signer(None, "vaccination", until=datetime(2099, 1, 1, tzinfo=UTC))


class Lobby(NamedTuple):
    """A gate at work, and what it wrote down."""

    gate: Gate
    stage: Stage
    spool: Path

    def show(self, text: str) -> None:
        self.stage.do(f"show {text} -- size=640")

    def collected(self, have: int, of: int) -> None:
        """Wait until the gate holds so many pieces of a code."""
        deadline = time.monotonic() + DEADLINE_S
        while self.gate.entrance._credentials._pieces.progress(time.monotonic()) != (have, of):
            assert time.monotonic() < deadline, f"the gate does not hold {have} of {of} pieces"
            time.sleep(0.01)

    def scan(self, number: int) -> Scan:
        """Wait for a scan, counted from 1."""
        deadline = time.monotonic() + DEADLINE_S
        while time.monotonic() < deadline:
            reader = Reader(self.spool)
            kept = [each.payload for each in reader.after(0, 100) if each.kind == "scan"]
            reader.close()
            if len(kept) >= number:
                return msgspec.json.decode(kept[number - 1], type=Scan)
            time.sleep(0.02)
        return pytest.fail(f"there was no scan {number}")

    def opened(self) -> bool:
        """Tell whether the relay ever closed."""
        return bool(self.gate.factory.levels.read(RELAY).edges)


@pytest.fixture
def lobby(tmp_path: Path) -> Iterator[Lobby]:
    make_site_key(tmp_path / "site.key")
    verifier = Verifier()
    verifier.start()
    now = datetime.now(tz=UTC)
    policy = Desired(
        version=1,
        lists=(
            TrustList(scheme="pretix", name="a", issued_at=now, keys=(key("EdDSA", "", "expo-2026"),)),
            TrustList(scheme="jws", name="a", issued_at=now, keys=(key("ES256"),), good_for_s=3600),
            TrustList(scheme="shc", name="a", issued_at=now, keys=(key("ES256", issuer=ISSUER),)),
            TrustList(scheme="hc1", name="a", issued_at=now, keys=(HEALTH.trusted,), rules=(RULE,)),
        ),
        admit=(Admission(scheme="pretix", claims={"item": (42,)}), Admission(scheme="jws"), Admission(scheme="shc"),
               Admission(scheme="hc1", claims={"type": ("vaccination",)})),
    )  # fmt: skip
    (tmp_path / "gate").mkdir()
    (tmp_path / "gate/policy.json").write_bytes(encode(policy))
    raw = {
        "gate": {"site": "expo", "entrance": "north", "clock": "battery", "data": str(tmp_path / "gate"),
                 "site_key": str(tmp_path / "site.key")},
        "wire": {"host": "127.0.0.1", "port": free_port()},
        "camera": {"driver": "emulated", "source": str(tmp_path / "scene.json"), "fps": 15},
        "decoder": {"gone_s": 0.3},
        "pins": {"driver": "mock"},
        "upstream": {"url": verifier.url, "owns": ["HC:"], "answer_s": 0.5},
    }  # fmt: skip
    gate = Gate(convert(gates.Config, raw, source="test"))
    thread = threading.Thread(target=gate.run)
    thread.start()
    yield Lobby(gate, Stage.around(gate.factory, gate.config.pins, tmp_path / "scene.json"), tmp_path / "gate/spool.db")
    gate.stop()
    thread.join(timeout=20)
    assert not thread.is_alive()
    verifier.close()


def certificate(dose: int) -> str:
    """Return a certificate that is good now, of the first dose of two or of the second."""
    now = int(time.time())
    claims = {4: now + 600, 6: now - 60}
    payload = changed_certificate(VACCINATED, dn=dose, ci=f"URN:UVCI:01:AT:{dose}")
    return HEALTH.code(payload, claims=claims).decode()


def test_each_is_judged_where_it_is_shown(lobby: Lobby) -> None:
    now = int(time.time())
    parts = pieces(card(changed(nbf=now - 60)), 3)
    shown = [
        ([ticket(payload(43))], "pretix", "refuse", ("rules",)),
        ([ticket(payload(42))], "pretix", "grant", ()),
        ([signed({"alg": "ES256", "kid": "k1"}, {"sub": "visitor 1", "exp": now + 600})], "jws", "grant", ()),
        ([parts[1], parts[2], parts[0]], "shc", "grant", ()),
        ([certificate(2)], "hc1", "grant", ()),
        ([certificate(1)], "hc1", "refuse", ("rules",)),
        (["HC:green-1"], "upstream", "grant", ()),
        (["HC:slow"], "upstream", "refer", ("no_answer",)),
    ]
    for number, (texts, scheme, outcome, reasons) in enumerate(shown, 1):
        for have, text in enumerate(texts, 1):
            lobby.show(text)
            if have < len(texts):
                lobby.collected(have, len(texts))
        scan = lobby.scan(number)
        assert (scan.scheme, scan.event_type, scan.reasons) == (scheme, outcome, reasons)
        assert scan.trust_age_s is None or 0 <= scan.trust_age_s < 60
        assert (scan.trust_age_s is None) == (reasons == ("no_answer",)), "what nobody judged has no age"
        if number == 1:
            assert not lobby.opened()
    assert lobby.opened()
