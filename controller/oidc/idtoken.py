"""An ID token: whether the provider signed exactly this, for us, for this sign-in, and now. Pure: told the time."""

from __future__ import annotations

import secrets
from typing import Annotated, Any, Final, NamedTuple

import joserfc.errors
import msgspec
from joserfc import jws
from joserfc.jwk import ECKey, JWKRegistry, Key, OKPKey, RSAKey
from joserfc.jws import JWSRegistry
from msgspec import Meta, Struct

from device.codes import jose
from device.codes.jose import JoseError, unbase64url

LEEWAY_S: Final = 30.0  # by which the provider's clock and ours may differ
OLDEST_S: Final = 600.0  # since it was made: our sign-ins take no longer
MOST_KEYS: Final = 50
SHORTEST_RSA: Final = 256  # bytes: 2048 bits
# What a public key proves. Never `none`, and no shared secret, whatever the token or the provider says.
ALGORITHMS: Final[dict[str, type[Key]]] = {
    **dict.fromkeys(("RS256", "RS384", "RS512", "PS256", "PS384", "PS512"), RSAKey),
    **dict.fromkeys(("ES256", "ES384", "ES512"), ECKey),
    **dict.fromkeys(("EdDSA", "Ed25519"), OKPKey),
}


class TokenError(ValueError):
    """A token that proves nothing: one class, whatever is wrong with it."""


class UnknownKeyError(TokenError):
    """A token of a key that the provider has not shown us: it may have a new one."""


class Awaited(NamedTuple):
    """Whose token is awaited, for whom, and for which sign-in."""

    issuer: str
    client: str
    nonce: str


class Standard(Struct, frozen=True):
    """The claims every ID token has (OpenID Connect Core 1.0, section 2)."""

    iss: str
    sub: Annotated[str, Meta(min_length=1, max_length=255)]
    aud: str | tuple[str, ...]
    exp: float
    iat: float
    nonce: str = ""
    azp: str = ""
    nbf: float = 0.0


class Allowed(JWSRegistry):
    """The algorithms above and no other; other parameters of a header mean nothing to us."""

    max_header_length = 16 * 1024  # some carry a chain of certificates

    def __init__(self) -> None:
        super().__init__(strict_check_header=False)

    def get_alg(self, name: str) -> Any:
        """Return how it is proved. EdDSA is what Ed25519 was called before RFC 9864."""
        if name not in ALGORITHMS:
            raise joserfc.errors.UnsupportedAlgorithmError(f"{name!r} is not allowed")
        return self.algorithms["Ed25519" if name == "EdDSA" else name]


ALLOWED: Final = Allowed()


def keys(document: dict[str, Any]) -> tuple[Key, ...]:
    """Return the keys of a JWK set that can prove something; others are left out. Raise TokenError without any."""
    listed = document.get("keys")
    found = [_key(each) for each in listed[:MOST_KEYS]] if isinstance(listed, list) else []
    good = tuple(each for each in found if each)
    if not good:
        raise TokenError("the provider shows no key that we can use")
    return good


def _key(said: Any) -> Key | None:
    if not isinstance(said, dict) or said.get("use", "sig") != "sig" or "d" in said:
        return None  # a private key that is shown to everybody proves nothing
    try:
        if said.get("kty") == "RSA" and len(unbase64url(str(said.get("n")).encode()).lstrip(b"\0")) < SHORTEST_RSA:
            return None
        if said.get("kty") not in ("RSA", "EC", "OKP"):
            return None
        return JWKRegistry.import_key(said | ({"alg": "Ed25519"} if said.get("alg") == "EdDSA" else {}))
    except (joserfc.errors.JoseError, ValueError, TypeError, KeyError, AttributeError):
        return None


def judge(token: str, shown: tuple[Key, ...], awaited: Awaited, now: float) -> dict[str, Any]:
    """Return all claims of a token that proves who signs in; raise TokenError."""
    claims = _proved(token, shown)
    try:
        standard = msgspec.convert(claims, Standard)
    except msgspec.ValidationError as error:
        raise TokenError(f"its claims are not as they must be: {error}") from error
    audience = (standard.aud,) if isinstance(standard.aud, str) else standard.aud
    if standard.iss != awaited.issuer:
        raise TokenError(f"it is from {standard.iss!r}, not from {awaited.issuer!r}")
    if awaited.client not in audience:
        raise TokenError(f"it is for {', '.join(audience)}, not for us")
    if (len(audience) > 1 or standard.azp) and standard.azp != awaited.client:
        raise TokenError(f"it was given to {standard.azp or 'nobody'!r}, not to us")
    if not secrets.compare_digest(standard.nonce.encode(errors="replace"), awaited.nonce.encode()):
        raise TokenError("it is of another sign-in: its nonce is not the one that was sent")
    if now >= standard.exp + LEEWAY_S:
        raise TokenError(f"it ended {now - standard.exp:.0f} s ago by our clock")
    if max(standard.iat, standard.nbf) > now + LEEWAY_S:
        raise TokenError(f"it begins in {max(standard.iat, standard.nbf) - now:.0f} s by our clock")
    if now >= standard.iat + OLDEST_S + LEEWAY_S:
        raise TokenError(f"it was made {now - standard.iat:.0f} s ago by our clock")
    return claims


def _proved(token: str, shown: tuple[Key, ...]) -> dict[str, Any]:
    """Return what one of the keys signed."""
    try:
        message = jose.read(token.encode("ascii"))
        kid, name = message.kid, message.header.get("alg")
        kind = ALGORITHMS.get(name) if isinstance(name, str) else None
        if kind is None:
            raise TokenError(f"it is signed with {name!r}, which proves nothing here")
        fitting = [key for key in shown if isinstance(key, kind) and kid in ("", key.kid)]
        if not fitting:
            raise UnknownKeyError(f"it is signed with the key {kid!r}, which the provider does not show")
        for key in fitting:
            try:
                return jose.loads(jws.deserialize_compact(token, key, registry=ALLOWED).payload)
            except (joserfc.errors.JoseError, ValueError):
                continue
    except (JoseError, UnicodeEncodeError) as error:
        raise TokenError(f"it cannot be read: {error}") from error
    raise TokenError("its signature is wrong")
