"""Plain codes on the site's list."""

from __future__ import annotations

import pytest

from device import codes
from device.codes import Claim, listed
from device.codes.trust import Trust, keyed_hash
from device.sight import Code
from device.wire.messages import Desired, Place

SITE_KEY = bytes(range(32))
CARDS = [b"M-000123", "会员 0042".encode(), b"\x00\xff\x1d]C1", b""]
TRUST = Trust.from_policy(Desired(version=1, listed=tuple(keyed_hash(SITE_KEY, card) for card in CARDS)), SITE_KEY)


def held(card: bytes) -> Code:
    return Code(data=card, text=card.decode(errors="replace"), symbology="Code128")


@pytest.mark.parametrize("card", CARDS)
@pytest.mark.parametrize("symbology", ["Code128", "QRCode", "PDF417"])
def test_a_card_on_the_list_is_good_everywhere_and_always(card: bytes, symbology: str) -> None:
    code = Code(data=card, text=card.decode(errors="replace"), symbology=symbology)
    checked = codes.verify(code, TRUST, Place("expo", "north"), 0, screen_s=30, skew_s=5)
    assert (checked.scheme, checked.identity, checked.reasons) == ("listed", card, ())
    assert checked.claim == Claim(identity=card, kind="visitor", subject="")


@pytest.mark.parametrize("card", [b"M-000124", b"m-000123", b"M-000123\n", b"M-000123\x00", b"\x00"])
def test_a_card_that_differs_in_one_byte_is_not_its_own(card: bytes) -> None:
    assert listed.check(held(card), TRUST) is None


def test_a_list_made_with_another_sites_key_admits_nobody() -> None:
    other = Trust.from_policy(Desired(version=1, listed=tuple(TRUST.listed)), bytes(32))
    assert listed.check(held(CARDS[0]), other) is None


def test_a_text_on_the_list_is_known_in_whatever_bytes_its_code_holds_it() -> None:
    kanji = Code(data="会员 0042".encode("gbk"), text="会员 0042", symbology="QRCode")
    checked = listed.check(kanji, TRUST)
    assert checked is not None
    assert checked.identity == CARDS[1]
