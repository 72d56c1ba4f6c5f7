from __future__ import annotations

import pytest

from device.wire import enrolment
from device.wire.enrolment import ClaimCode, ClaimError
from device.wire.messages import Place

NORTH = Place("expo", "north")


def test_a_code_may_be_typed_as_people_type() -> None:
    code = enrolment.make_code()
    assert len(set(enrolment.ALPHABET)) == 32
    assert code.count("-") == 2
    assert len(code) == 14  # 12 of 5 bits: 60 bits
    assert enrolment.normal(f" {code.lower().replace('-', ' ')} ".replace("0", "o").replace("1", "l")) == code


@pytest.mark.parametrize("text", ["", "7K3M", "7K3M-Q9TX-2HBU", "7K3M-Q9TX-2HBD-0", "７K3M-Q9TX-2HBD"])
def test_what_is_no_code_is_told_so(text: str) -> None:
    with pytest.raises(ClaimError, match="12 digits and letters, such as"):
        enrolment.normal(text)


@pytest.mark.parametrize("host", ["gate.example", "192.0.2.7", "2001:db8::7"])
def test_a_claim_survives_its_qr_code(host: str) -> None:
    claim = ClaimCode(host, 8470, NORTH, enrolment.make_code())
    assert ClaimCode.parse(claim.text) == claim


@pytest.mark.parametrize(
    "text",
    ["", "MS1:x", "MENSHEN-CLAIM:", "MENSHEN-CLAIM:h:80:expo/north", "MENSHEN-CLAIM::80:expo/north:7K3M-Q9TX-2HBD",
     "MENSHEN-CLAIM:h:x:expo/north:7K3M-Q9TX-2HBD", "MENSHEN-CLAIM:h:80:../north:7K3M-Q9TX-2HBD",
     "MENSHEN-CLAIM:h:80:expo/north:7K3M"],
)  # fmt: skip
def test_other_texts_are_no_claims(text: str) -> None:
    with pytest.raises(ClaimError):
        ClaimCode.parse(text)
