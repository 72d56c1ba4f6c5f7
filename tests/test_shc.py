"""SMART Health Cards, in one code and in several."""

from __future__ import annotations

import copy
import json
from pathlib import Path
from typing import Any

import pytest

from controller import keyfile
from controller.keyfile import KeyFileError
from device.codes import Checked, Claim, shc
from device.codes.shc import MAX_INFLATED, MAX_PIECES, Piece
from device.codes.trust import TrustError
from device.wire.messages import Admission
from tests.tickets import CARD, ISSUER, NOW, card, deflated, key, signed, trust, verify
from tests.vectors import unpacked

HEADER = {"alg": "ES256", "zip": "DEF", "kid": "k1"}
TRUST = trust("shc", key("ES256", issuer=ISSUER))
SPEC = "https://spec.smarthealth.cards/examples/issuer"
YEAR_2025 = 1_750_000_000


def changed(**changes: Any) -> dict[str, Any]:
    """Return a card's content with parts of it replaced; `vc__rid` names a part of a part, ... takes one away."""
    content = copy.deepcopy(CARD)
    for name, value in changes.items():
        *path, last = name.split("__")
        inner = content
        for step in path:
            inner = inner[step]
        inner[last] = value
        if value is ...:
            del inner[last]
    return content


def pieces(text: str, of: int) -> list[str]:
    digits = text.removeprefix("shc:/")
    size = 2 * -(-len(digits) // (2 * of))
    return [f"shc:/{number}/{of}/{digits[size * (number - 1) : size * number]}" for number in range(1, of + 1)]


def test_a_card_says_what_was_recorded() -> None:
    checked = verify(card(), TRUST)
    assert checked.identity.startswith(b"shceyJ")
    claim = Claim(identity=checked.identity, kind="visitor", subject="", not_before=NOW - 3601, not_after=None)
    assert checked == Checked("shc", claim.identity, claim, (), 60)


@pytest.mark.parametrize(
    ("claims", "admits"),
    [
        ({"iss": (ISSUER,)}, True),
        ({"type": ("https://smarthealth.cards#immunization",)}, True),
        ({"resource": ("Immunization",), "code": ("http://hl7.org/fhir/sid/cvx|207",)}, True),
        ({"code": ("http://hl7.org/fhir/sid/cvx|208",)}, False),
        ({"type": ("https://smarthealth.cards#laboratory",)}, False),
    ],
)
def test_a_card_admits_by_what_it_records(claims: dict[str, tuple[str, ...]], admits: bool) -> None:  # noqa: FBT001
    held = trust("shc", key("ES256", issuer=ISSUER), admit=(Admission(scheme="shc", claims={**claims}),))
    assert verify(card(), held).reasons == (() if admits else ("rules",))


@pytest.mark.parametrize(
    ("mark", "reasons"),
    [
        ("k1/cmlk", ("revoked",)),
        ("k2/cmlk", ()),
        ("k1/cmlr", ()),
        (f"k1/cmlk.{NOW}", ("revoked",)),
        (f"k1/cmlk.{NOW - 3600}", ("revoked",)),
        (f"k1/cmlk.{NOW - 3601}", ()),
    ],
)
def test_a_card_is_revoked_by_its_issuers_list(mark: str, reasons: tuple[str, ...]) -> None:
    assert verify(card(), trust("shc", key("ES256", issuer=ISSUER), revoked=(mark,))).reasons == reasons
    assert verify(card(changed(vc__rid=...)), trust("shc", key("ES256", issuer=ISSUER), revoked=(mark,))).reasons == ()


@pytest.mark.parametrize(
    ("content", "reasons"),
    [
        (changed(iss="https://other.example"), ("unknown_issuer",)),
        (changed(iss=ISSUER + "/"), ("unknown_issuer",)),
        (changed(exp=NOW - 10), ("invalid_time",)),
        (changed(nbf=NOW + 10), ("invalid_time",)),
        (changed(nbf=...), ("invalid",)),
        (changed(nbf=NOW * 1000), ("invalid",)),
        (changed(exp=NOW * 1000), ("invalid",)),
        (changed(vc__type=["https://smarthealth.cards#immunization"]), ("invalid",)),
        (changed(vc__type=shc.CARD), ("invalid",)),
        (changed(vc__credentialSubject={}), ("invalid",)),
        (changed(vc=...), ("invalid",)),
        (changed(vc__rid=7), ("invalid",)),
        (json.dumps(CARD).encode() + b"x", ("invalid",)),
        (b"\xef\xbb\xbf" + json.dumps(CARD).encode(), ("invalid",)),
        (b"[" * 60_000, ("invalid",)),
    ],
)
def test_a_card_is_judged_by_its_content(content: Any, reasons: tuple[str, ...]) -> None:
    assert verify(card(content), TRUST).reasons == reasons


def test_a_card_is_inflated_once_and_not_without_end() -> None:
    full = changed(more=" " * (MAX_INFLATED - len(json.dumps(changed(more="")))))
    assert len(json.dumps(full)) == MAX_INFLATED
    assert verify(card(full), TRUST).reasons == ()
    assert verify(card(json.dumps(full).encode() + b" "), TRUST).reasons == ("invalid",)
    whole = deflated(CARD)
    for payload in (whole[:-1], whole + b"\x00", json.dumps(CARD).encode(), whole + deflated(b"{}")):
        assert verify(shc.numeric(signed(HEADER, payload)), TRUST).reasons == ("invalid",)
    for header in ({"alg": "ES256", "kid": "k1"}, {**HEADER, "zip": "GZIP"}):
        assert verify(shc.numeric(signed(header, whole)), TRUST).reasons == ("invalid",)


def test_a_key_speaks_for_one_issuer_only() -> None:
    assert verify(card(), trust("shc", key("ES256"))).reasons == ("unknown_issuer",)
    assert verify(card(), trust("shc", key("ES256", "k2", ISSUER))).reasons == ("unknown_issuer",)
    assert verify(card(), trust("jws", key("ES256", issuer=ISSUER))).reasons == ("unknown_issuer",)


@pytest.mark.parametrize("text", ["shc:/", "shc:/1", "shc:/000", "shc:/99", "shc:/12ab", "shc:/1/1/12", "shc:/0/2/12",
                                  "shc:/3/2/12", "shc:/1/2/123", "shc:/1/2/", "shc:/1/17/12",
                                  "shc:/56" + "78" * 9])  # fmt: skip
def test_what_is_no_card_is_invalid(text: str) -> None:
    assert verify(text, TRUST)[:4:3] == ("shc", ("invalid",))


@pytest.mark.parametrize("text", ["SHC:/12", "shc:12", " shc:/12", "shlink:/12"])
def test_what_only_looks_like_one_is_somebody_elses(text: str) -> None:
    assert verify(text, TRUST).scheme == "unknown"


def test_a_card_in_pieces_is_put_together() -> None:
    parts = pieces(card(), 3)
    read = [shc.piece(part.encode()) for part in parts]
    assert read[1] == Piece(2, 3, parts[1].rpartition("/")[2].encode())
    assert shc.joined([each for each in reversed(read) if each]) == card_of(parts)
    assert verify(card_of(parts), TRUST).reasons == ()
    assert verify(parts[0], TRUST).reasons == ("part_missing",)
    assert shc.piece(b"shc:/1/%d/12" % MAX_PIECES) == Piece(1, MAX_PIECES, b"12")


def card_of(parts: list[str]) -> bytes:
    return b"shc:/" + b"".join(part.rpartition("/")[2].encode() for part in parts)


def test_public_cards(tmp_path: Path) -> None:
    examples = unpacked("shc-examples.tar.xz", tmp_path) / "examples"
    keys = keyfile.read((examples / "issuer/.well-known/jwks.json").read_bytes(), "shc", issuer=SPEC)
    (crl,) = (examples / "issuer/.well-known/crl").glob("*.json")
    held = trust("shc", *keys, revoked=keyfile.revocations(crl.read_bytes(), "shc"))
    found = []
    for number in range(4):
        texts = [path.read_bytes().strip() for path in sorted(examples.glob(f"example-0{number}-f-qr-code-*.txt"))]
        read = [each for text in texts if (each := shc.piece(text))]
        whole = shc.joined(read) if len(texts) > 1 else texts[0]
        checked = verify(whole, held, YEAR_2025)
        expected = json.loads((examples / f"example-0{number}-c-jws-payload-minified.json").read_bytes())
        assert checked.claim is not None
        assert checked.claim.not_before == int(expected["nbf"])
        found.append((len(texts), checked.reasons))
    assert found == [(1, ()), (1, ()), (3, ()), (1, ("revoked", "invalid_time"))]
    print("SMART Health Cards: 4 of 4 public examples as expected, one of them in 3 codes")


# Of the developers' negative files these are about how a bundle is best written, and not about whether it is genuine.
STYLE = ("bad-fhir-metadata", "multi-jws.", "file-trailing_chars", "qr_chunk_too_big", "valid_key", "jws_payload")


def test_public_negatives(tmp_path: Path) -> None:
    files = unpacked("shc-devtools-testdata.tar.xz", tmp_path) / "testdata"
    ours = unpacked("shc-examples.tar.xz", tmp_path) / "examples/issuer/.well-known/jwks.json"
    held = trust("shc", *keyfile.read(ours.read_bytes(), "shc", issuer=SPEC))
    refused, admitted = 0, []
    texts: dict[str, list[bytes]] = {}
    for path in sorted(files.iterdir()):
        if "-d-jws" in path.name:
            text = path.read_text("utf-8-sig").rstrip("\n")
            texts[path.name] = [shc.numeric(text).encode() if text.isascii() else text.encode()]
        elif "-f-qr" in path.name:
            texts[path.name] = [path.read_bytes()]
        elif path.suffix == ".smart-health-card":
            texts[path.name] = [
                shc.numeric(each).encode() for each in json.loads(path.read_bytes())["verifiableCredential"]
            ]
    for name, each in texts.items():
        if any(verify(text, held, YEAR_2025).reasons in ((), ("part_missing",)) for text in each):
            admitted.append(name)
        else:
            refused += 1
    print(f"SMART Health Cards: {refused} of the developers' {len(texts)} negative texts refused; not about"
          f" whether a card is genuine: {', '.join(admitted)}")  # fmt: skip
    assert [name for name in admitted if not any(style in name for style in (*STYLE, "multi-jws-issues"))] == []


def test_public_keys_and_lists_that_must_not_be_taken(tmp_path: Path) -> None:
    files = unpacked("shc-devtools-testdata.tar.xz", tmp_path) / "testdata"
    for name in ("wrong_kid_key", "wrong_use_key", "wrong_kty_key", "wrong_alg_key", "wrong_curve_key", "private_key"):
        with pytest.raises(KeyFileError):
            keyfile.read((files / f"{name}.json").read_bytes(), "shc", issuer=SPEC)
    assert keyfile.read((files / "valid_keys.json").read_bytes(), "shc", issuer=SPEC)
    for name in ("invalid-method", "non-base64url-rid", "too-long-rid", "duplicate-rid"):
        (crl,) = (files / "badcrl" / name / ".well-known/crl").glob("*.json")
        with pytest.raises((KeyFileError, TrustError)):
            trust("shc", revoked=keyfile.revocations(crl.read_bytes(), "shc"))
    print("SMART Health Cards: 6 of 6 wrong keys and 4 of 4 wrong revocation lists refused")


def test_public_payloads_under_a_key_of_ours(tmp_path: Path) -> None:
    files = unpacked("shc-devtools-testdata.tar.xz", tmp_path) / "testdata"
    held = trust("shc", key("ES256", issuer=SPEC))
    found = {}
    for path in sorted(files.glob("test-example-00-b-jws-payload-expanded-*.json")):
        found[path.stem.rpartition("expanded-")[2]] = verify(card(path.read_bytes()), held, YEAR_2025).reasons
    print(f"SMART Health Cards: payloads of the developers: {found}")
    # The rest differ in what a bundle records, or (trailing_chars) only in blanks, which JSON allows.
    assert {name: reasons for name, reasons in found.items() if reasons} == {
        "expired": ("invalid_time",),
        "pre-expired": ("invalid_time",),
        "nbf_not_yet_valid": ("invalid_time",),
        "nbf_milliseconds": ("invalid",),
        "exp_milliseconds": ("invalid",),
        "missing-shc-vc-type": ("invalid",),
    }
