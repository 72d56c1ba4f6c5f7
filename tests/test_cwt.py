"""The claims of a pass, under their numbers: one form, and nothing that is not known."""

from __future__ import annotations

import cbor2
import pytest

from device.codes import cose, cwt
from device.codes.cose import CoseError
from device.codes.cwt import MAX_PLACES, MAX_SUBJECT, Pass, PassError, Screen
from device.wire.messages import Place

NOW = 1_790_000_000  # 21 September 2026, 14:13:20 UTC
DAY = 86_400
CTI = bytes.fromhex("0f1e2d3c4b5a6978")
GOOD: dict[object, object] = {2: "Visitor 10482", 3: "expo", 4: NOW + DAY, 5: NOW, 7: CTI, -65537: 1}
COSE_KEY: dict[int, object] = {1: 1, -1: 6, -2: bytes(range(32))}


def load(claims: object) -> Pass:
    return cwt.load(Pass, claims if isinstance(claims, bytes) else cose.dumps(claims))


def test_numbers_become_names() -> None:
    body = load({**GOOD, 3: ["expo/north", "fair"], 8: {1: COSE_KEY}})
    assert (body.kind, body.subject, body.not_before, body.not_after) == ("visitor", "Visitor 10482", NOW, NOW + DAY)
    assert (body.id, body.places) == (CTI, ("expo/north", "fair"))
    assert body.holder
    assert body.holder.key.x == COSE_KEY[-2]
    assert [body.covers(Place(*place)) for place in (("expo", "north"), ("expo", "south"), ("fair", "south"))] == [
        True, False, True,
    ]  # fmt: skip


def test_what_is_read_is_written_the_same() -> None:
    for claims in (GOOD, {**GOOD, 8: {1: COSE_KEY}}, {**GOOD, 3: ["expo", "fair"]}):
        assert cbor2.loads(cwt.dump(load(claims))) == claims
    screen = {6: NOW, -65538: b"pass"}
    assert cbor2.loads(cwt.dump(cwt.load(Screen, cose.dumps(screen)))) == screen


@pytest.mark.parametrize(
    "claims",
    [
        pytest.param({**GOOD, 1: "somebody"}, id="a claim not known here"),
        pytest.param({**GOOD, "kind": 1}, id="a claim with a name"),
        pytest.param({key: value for key, value in GOOD.items() if key != 4}, id="no end"),
        pytest.param({key: value for key, value in GOOD.items() if key != -65537}, id="no kind"),
        pytest.param({**GOOD, -65537: 0}, id="kind 0"),
        pytest.param({**GOOD, -65537: 4}, id="kind 4"),
        pytest.param({**GOOD, -65539: -1}, id="uses -1"),
        pytest.param({**GOOD, -65539: 0}, id="uses 0, which is not said"),
        pytest.param({**GOOD, -65540: 10}, id="ten people"),
        pytest.param({**GOOD, -65537: True}, id="kind true"),
        pytest.param({**GOOD, 4: float(NOW + DAY)}, id="end is a float"),
        pytest.param({**GOOD, 4: NOW}, id="ends as it begins"),
        pytest.param({**GOOD, 4: 2**63}, id="ends with the sun"),
        pytest.param({**GOOD, 5: -1}, id="begins before 1970"),
        pytest.param({**GOOD, 7: CTI[:7]}, id="short id"),
        pytest.param({**GOOD, 7: CTI.hex()}, id="id as text"),
        pytest.param({**GOOD, 7: "Dx4tPEtaaXg="}, id="id as base64"),
        pytest.param({**GOOD, 2: ""}, id="nobody"),
        pytest.param({**GOOD, 2: b"Visitor"}, id="subject as bytes"),
        pytest.param({**GOOD, 2: "Li\x1b[31mNa"}, id="terminal escape"),
        pytest.param({**GOOD, 2: "Li\u202eNa"}, id="text turned round"),
        pytest.param({**GOOD, 2: "x" * (MAX_SUBJECT + 1)}, id="long subject"),
        pytest.param({**GOOD, 3: []}, id="nowhere"),
        pytest.param({**GOOD, 3: "expo\n"}, id="place with newline"),
        pytest.param({**GOOD, 3: "expo/north/1"}, id="place too deep"),
        pytest.param({**GOOD, 3: ["expo", 1]}, id="place is a number"),
        pytest.param({**GOOD, 3: ["expo"] * (MAX_PLACES + 1)}, id="too many places"),
        pytest.param({**GOOD, 8: None}, id="empty confirmation"),
        pytest.param({**GOOD, 8: {3: b"kid"}}, id="confirmation by key id"),
        pytest.param({**GOOD, 8: {1: {**COSE_KEY, -2: b"short"}}}, id="short holder key"),
        pytest.param({**GOOD, 8: {1: {**COSE_KEY, -1: 4}}}, id="holder key on X25519"),
        pytest.param({**GOOD, 8: {1: {-2: COSE_KEY[-2]}}}, id="holder key without its type"),
        pytest.param({**GOOD, 8: {1: {**COSE_KEY, -4: bytes(32)}}}, id="holder's private key"),
        pytest.param([GOOD], id="no map"),
        pytest.param(b"", id="no claims"),
        pytest.param(cbor2.dumps(dict(reversed(GOOD.items()))), id="claims out of order"),
        pytest.param(cose.dumps(GOOD) + b"\x00", id="more after the claims"),
    ],
)
def test_any_other_claims_are_refused(claims: object) -> None:
    with pytest.raises((PassError, CoseError)):
        load(claims)


@pytest.mark.parametrize(
    "claims", [{6: NOW}, {6: -1, -65538: b""}, {6: NOW, -65538: "MS1:"}, {6: NOW, -65538: b"", 1: 1}]
)
def test_a_screen_holds_a_time_and_a_pass(claims: object) -> None:
    with pytest.raises(PassError):
        cwt.load(Screen, cose.dumps(claims))
