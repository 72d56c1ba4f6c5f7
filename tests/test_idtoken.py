"""ID tokens: what is believed, and every way in which one may be wrong. Made by hand, with keys of our own."""

from __future__ import annotations

import base64
import json
from collections.abc import Callable
from typing import Any

import pytest
from cryptography.hazmat.primitives.asymmetric import rsa
from joserfc.errors import UnsupportedAlgorithmError

from controller.oidc.emulated import Algorithm, Signer, signer
from controller.oidc.idtoken import (
    ALLOWED,
    LEEWAY_S,
    MOST_KEYS,
    OLDEST_S,
    Awaited,
    TokenError,
    UnknownKeyError,
    judge,
    keys,
)
from device.codes.jose import base64url

NOW = 1_800_000_000.0
AWAITED = Awaited("https://login.example", "menshen", "n-1")
GOOD: dict[str, Any] = {
    "iss": AWAITED.issuer, "sub": "s-1", "aud": "menshen", "exp": NOW + 300, "iat": NOW, "nonce": "n-1",
}  # fmt: skip
SIGNERS: dict[Algorithm, Signer] = {alg: signer(alg) for alg in ("ES256", "RS256", "EdDSA")}
KEY = SIGNERS["ES256"]
SHOWN = keys({"keys": [each.shown() for each in SIGNERS.values()]})


def token(claims: dict[str, Any], key: Signer = KEY, **header: Any) -> str:
    said = {"alg": key.alg, "kid": key.kid} | header
    signed = b".".join(base64url(json.dumps(each).encode()) for each in (said, claims))
    return b".".join((signed, base64url(key.sign(signed)))).decode()


def but(**changes: Any) -> dict[str, Any]:
    return {name: value for name, value in (GOOD | changes).items() if value is not None}


@pytest.mark.parametrize("alg", SIGNERS)
def test_each_algorithm_proves_who_it_is(alg: Algorithm) -> None:
    assert judge(token(GOOD, SIGNERS[alg]), SHOWN, AWAITED, NOW)["sub"] == "s-1"
    assert judge(token(GOOD, SIGNERS[alg], kid=""), SHOWN, AWAITED, NOW)["sub"] == "s-1", "without a name for its key"


@pytest.mark.parametrize(
    "claims",
    [
        but(aud=["menshen"]),
        but(aud=["menshen", "another"], azp="menshen"),
        but(exp=NOW - LEEWAY_S + 1),
        but(iat=NOW + LEEWAY_S),
        but(nbf=NOW),
        but(exp=int(NOW) + 1, iat=int(NOW)),
        but(more={"of": ["its", "own"]}),
    ],
)
def test_what_is_as_it_may_be_is_believed(claims: dict[str, Any]) -> None:
    assert judge(token(claims), SHOWN, AWAITED, NOW) == claims


@pytest.mark.parametrize(
    ("claims", "why"),
    [
        (but(iss="https://login.example/"), "is from"),
        (but(iss="https://elsewhere.example"), "is from"),
        (but(aud="another"), "is for"),
        (but(aud=[]), "is for"),
        (but(aud=["menshen", "another"]), "given to"),
        (but(azp="another"), "given to"),
        (but(nonce="n-2"), "another sign-in"),
        (but(nonce=None), "another sign-in"),
        (but(nonce="\ud800"), "."),
        (but(exp=NOW - LEEWAY_S), "ended"),
        (but(iat=NOW + LEEWAY_S + 1), "begins"),
        (but(nbf=NOW + LEEWAY_S + 1), "begins"),
        (but(iat=NOW - OLDEST_S - LEEWAY_S), "was made"),
        *((but(**{name: None}), "claims are not") for name in ("iss", "sub", "aud", "exp", "iat")),
        (but(sub=""), "claims are not"),
        (but(sub=7), "claims are not"),
        (but(sub="x" * 256), "claims are not"),
        (but(exp="1800000300"), "claims are not"),
        (but(exp=True), "claims are not"),
        (but(aud={"menshen": 1}), "claims are not"),
    ],
)
def test_what_is_not_as_it_must_be_is_refused_with_why(claims: dict[str, Any], why: str) -> None:
    with pytest.raises(TokenError, match=why):
        judge(token(claims), SHOWN, AWAITED, NOW)


def unsigned(text: str) -> str:
    _, claims, _ = text.split(".")
    return f"{base64url(json.dumps({'alg': 'none'}).encode()).decode()}.{claims}."


FORGERIES: dict[str, Callable[[], str]] = {
    "another key under this name": lambda: token(GOOD, signer("ES256")._replace(kid=KEY.kid)),
    "another algorithm under this name": lambda: token(GOOD, SIGNERS["RS256"], kid=KEY.kid),
    "the key's algorithm is not the header's": lambda: token(GOOD, SIGNERS["RS256"], alg="PS256"),
    "RS256 said, ES256 done": lambda: token(GOOD, KEY, alg="RS256", kid=SIGNERS["RS256"].kid),
    "none": lambda: token(GOOD, KEY, alg="none"),
    "nOnE": lambda: token(GOOD, KEY, alg="nOnE"),
    "no signature": lambda: unsigned(token(GOOD)),
    "HS256": lambda: token(GOOD, KEY, alg="HS256"),
    "no algorithm": lambda: token(GOOD, KEY, alg=None),
    "an algorithm that is no text": lambda: token(GOOD, KEY, alg=["ES256"]),
    "something critical": lambda: token(GOOD, KEY, crit=["x"], x=1),
    "a detached payload": lambda: token(GOOD, KEY, b64=False, crit=["b64"]),
    "a key of its own": lambda: token(GOOD, signer("ES256"), jwk=signer("ES256").shown()),
    "cut short": lambda: token(GOOD)[:-1],
    "changed": lambda: token(GOOD).replace(token(GOOD).split(".")[1], base64url(b"{}").decode()),
    "empty": lambda: "",
    "not text": lambda: "\ud800.é.x",
    "deep": lambda: ".".join(("a", base64url(b"[" * 90_000).decode(), "a")),
    "many dots": lambda: "." * 90_000,
}


@pytest.mark.parametrize("name", FORGERIES)
def test_what_nobody_signed_is_refused(name: str) -> None:
    with pytest.raises(TokenError):
        judge(FORGERIES[name](), SHOWN, AWAITED, NOW)


@pytest.mark.parametrize("name", ["none", "HS256", "HS384", "HS512", "ES256K", "Ed448", ""])
def test_the_library_is_never_asked_for_another_algorithm(name: str) -> None:
    with pytest.raises(UnsupportedAlgorithmError):
        ALLOWED.get_alg(name)


def test_a_key_that_is_not_shown_is_told_from_a_wrong_signature() -> None:
    with pytest.raises(UnknownKeyError, match="does not show"):
        judge(token(GOOD, signer("ES256")), SHOWN, AWAITED, NOW)


def test_of_a_key_set_only_what_proves_something_is_taken() -> None:
    small = Signer("small", "RS256", rsa.generate_private_key(65537, 1024))  # noqa: S505 to be left out
    secret = {"kty": "oct", "k": base64.urlsafe_b64encode(b"x" * 32).decode(), "kid": "oct"}
    bad: list[Any] = [
        secret, small.shown(), KEY.shown() | {"use": "enc"}, KEY.shown() | {"x": "AA"}, KEY.shown() | {"crv": "P-1"},
        KEY.shown() | {"d": "AA"}, {"kty": "EC"}, {"kty": ["EC"]}, {"kty": "AKP"}, {}, 7, None, "key",
    ]  # fmt: skip
    with pytest.raises(TokenError, match="no key"):
        keys({"keys": bad})
    assert [each.kid for each in keys({"keys": [*bad, KEY.shown()]})] == [KEY.kid]
    wrongs: list[dict[str, Any]] = [{}, {"keys": {}}, {"keys": []}]
    for wrong in wrongs:
        with pytest.raises(TokenError, match="no key"):
            keys(wrong)
    assert len(keys({"keys": [KEY.shown()] * (MOST_KEYS + 9)})) == MOST_KEYS
