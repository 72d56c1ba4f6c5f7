"""What a gate holds of one scheme of others: their keys, what they took back, what admits, and how old all that is."""

from __future__ import annotations

import base64
import binascii
import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from types import MappingProxyType
from typing import Final

from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PublicKey
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPublicKey
from cryptography.hazmat.primitives.serialization import load_der_public_key

from device.codes import dccrules
from device.codes.dccrules import Rule, RuleError
from device.wire.messages import Admission, Algorithm, IssuerKey, MessageError, Place, Scheme, TrustList

MIN_SECRET: Final = 32  # bytes of an HS256 secret (RFC 7518 section 3.2)
RSA_BITS: Final = (2048, 4096)  # less can be broken; more costs more time than a code may
DAY_S: Final = 86_400
MOST_OF_A_KID: Final = 64  # keys: each is tried, and a code may not take long
MARK_CHARS: Final = 32
MARK: Final = re.compile(r"[0-9a-f]{32}")  # of what was taken back: 128 bits of a SHA-256
CARD_MARK: Final = re.compile(r"[A-Za-z0-9_-]{1,64}/[A-Za-z0-9_-]{1,24}(\.[0-9]{1,12})?")  # KID/RID, or KID/RID.TIME
ALGORITHMS: Final[dict[Scheme, tuple[Algorithm, ...]]] = {
    "pretix": ("EdDSA",),
    "jws": ("EdDSA", "ES256", "HS256"),
    "shc": ("ES256",),
    "hc1": ("ES256", "PS256"),
}

PublicKey = Ed25519PublicKey | EllipticCurvePublicKey | RSAPublicKey


class TrustError(ValueError):
    """Trust that cannot be taken as it stands; the text names the entry or the file, and the fix."""


@dataclass(frozen=True, kw_only=True)
class Key:
    """A key that codes of a scheme may be signed with, for one algorithm only."""

    kid: str
    alg: Algorithm
    public: PublicKey | None = None  # None: HS256, whose secret is kept out of the repr
    secret: bytes = field(default=b"", repr=False)
    issuer: str = ""
    country: str = ""
    not_after: int | None = None  # seconds since 1970
    usage: tuple[str, ...] = ()


@dataclass(frozen=True, kw_only=True)
class Issuers:
    """All trust lists of one scheme put together. Times are in seconds since 1970."""

    keys: Mapping[str, tuple[Key, ...]] = field(default_factory=lambda: MappingProxyType({}))  # by kid
    revoked: frozenset[str] = frozenset()
    revoked_before: Mapping[str, int] = field(default_factory=lambda: MappingProxyType({}))  # only what was issued so
    blocked: frozenset[str] = frozenset()
    rules: tuple[Rule, ...] = ()
    value_sets: Mapping[str, tuple[str, ...]] = field(default_factory=lambda: MappingProxyType({}))
    admissions: tuple[Admission, ...] = ()
    ages: tuple[tuple[str, int, int | None], ...] = ()  # a list's name, when it was issued, when it is too old

    @classmethod
    def by_scheme(cls, lists: Iterable[TrustList], admissions: Iterable[Admission]) -> dict[Scheme, Issuers]:
        """Put lists together; raise TrustError naming the entry that is wrong."""
        admissions = tuple(admissions)
        found: dict[Scheme, list[TrustList]] = {each.scheme: [] for each in admissions}
        for each in lists:
            of_scheme = found.setdefault(each.scheme, [])
            if any(each.name == other.name for other in of_scheme):
                raise TrustError(f"two {each.scheme} lists are called {each.name!r}: give one another name")
            of_scheme.append(each)
        for number, admission in enumerate(admissions, 1):
            _check_admission(number, admission)
        return {
            scheme: cls._merged(of_scheme, tuple(each for each in admissions if each.scheme == scheme))
            for scheme, of_scheme in found.items()
        }

    @classmethod
    def _merged(cls, lists: list[TrustList], admissions: tuple[Admission, ...]) -> Issuers:
        keys: dict[str, tuple[Key, ...]] = {}
        for key in (key for each in lists for key in _keys(each)):
            keys[key.kid] = (*keys.get(key.kid, ()), key)
            if len(keys[key.kid]) > MOST_OF_A_KID:
                named = f"the kid {key.kid}" if key.kid else "no kid"
                raise TrustError(f"{lists[0].scheme}: more than {MOST_OF_A_KID} keys have {named}")
        revoked = frozenset(each for one in lists for each in _marks(one, one.revoked))
        value_sets = {name: values for each in lists for name, values in each.value_sets.items()}
        return cls(
            keys=MappingProxyType(keys),
            revoked=frozenset(each for each in revoked if "." not in each),
            revoked_before=MappingProxyType(_latest(each for each in revoked if "." in each)),
            blocked=frozenset(each for one in lists for each in _marks(one, one.blocked)),
            rules=tuple(rule for each in lists for rule in _rules(each, value_sets)),
            value_sets=MappingProxyType(value_sets),
            admissions=admissions,
            ages=tuple(_age(each) for each in lists),
        )

    def age(self, now: int) -> int | None:
        """Return how old the oldest list is, in seconds; None where there is none."""
        return max((now - issued for _, issued, _ in self.ages), default=None)

    def stale(self, now: int) -> tuple[str, ...]:
        """Name the lists that are too old to admit by."""
        return tuple(name for name, _, until in self.ages if until is not None and now >= until)

    def early(self, now: int) -> bool:
        """Tell whether a list that ages was issued well after now: then the clock is wrong, and its age unknown."""
        return any(until is not None and issued - now > DAY_S for _, issued, until in self.ages)

    def named(self, kid: str, now: int) -> tuple[Key, ...]:
        """Return the keys of this id that still count; several issuers may have chosen the same."""
        return tuple(key for key in self.keys.get(kid, ()) if key.not_after is None or now < key.not_after)

    def taken_back(self, marks: Iterable[str], issued_at: float | None) -> Iterator[str]:
        """Say why a code that goes by these marks is no longer good: `revoked`, `blocked`, or nothing."""
        for each in marks:
            before = self.revoked_before.get(each)
            if each in self.revoked or (before is not None and (issued_at is None or issued_at < before)):
                yield "revoked"
                break
        if any(each in self.blocked for each in marks):
            yield "blocked"

    def admission(self, claims: Mapping[str, object]) -> Admission | None:
        """Return what a genuine code with these claims is admitted by; None where it is by nothing."""
        return next((each for each in self.admissions if _matches(each, claims)), None)


NOBODY: Final = Issuers()


def mark(data: bytes) -> str:
    """Return what a code is called where it is taken back: 128 bits of a SHA-256 in hex."""
    return hashlib.sha256(data).hexdigest()[:MARK_CHARS]


def _matches(admission: Admission, claims: Mapping[str, object]) -> bool:
    return all(
        any(_same(held, value) for held in _several(claims.get(name)) for value in values)
        for name, values in admission.claims.items()
    )


def _several(held: object) -> Iterable[object]:
    return held if isinstance(held, list | tuple) else (held,)


def _same(held: object, value: str | int | bool) -> bool:  # noqa: FBT001
    """Compare without Python's True == 1."""
    return type(held) is type(value) and held == value


def _check_admission(number: int, admission: Admission) -> None:
    if admission.kind == "staff" and admission.scheme != "jws":
        raise TrustError(
            f"admission {number}, of {admission.scheme}: only a jws names its holder, as a guard's badge must"
        )
    try:
        for place in admission.places:
            Place.parse(place if "/" in place else f"{place}/any")
    except MessageError as error:
        raise TrustError(f"admission {number}, of {admission.scheme}: {error}") from error


def _age(each: TrustList) -> tuple[str, int, int | None]:
    issued = int(each.issued_at.timestamp())
    if each.good_for_s is not None and each.good_for_s <= 0:
        raise TrustError(f"{_title(each)}: it is good for {each.good_for_s} s; say a positive number, or nothing")
    return _title(each), issued, None if each.good_for_s is None else issued + each.good_for_s


def _title(each: TrustList) -> str:
    return f"{each.scheme}/{each.name}"


def _marks(each: TrustList, marks: tuple[str, ...]) -> Iterator[str]:
    form, example = (CARD_MARK, "KID/RID") if each.scheme == "shc" else (MARK, f"{MARK_CHARS} hex digits")
    for found in marks:
        if not form.fullmatch(found):
            raise TrustError(f"{_title(each)}: {found!r} names no code that was taken back: {example}")
        yield found


def _latest(marks: Iterable[str]) -> dict[str, int]:
    """Return, by KID/RID, the time before which what was issued is revoked."""
    latest: dict[str, int] = {}
    for found in marks:
        name, _, time = found.partition(".")
        latest[name] = max(int(time), latest.get(name, 0))
    return latest


def _rules(each: TrustList, value_sets: Mapping[str, tuple[str, ...]]) -> Iterator[Rule]:
    for rule in each.rules:
        try:
            yield dccrules.load(rule, value_sets)
        except RuleError as error:
            raise TrustError(f"{_title(each)}: {error}") from error


def _keys(each: TrustList) -> Iterator[Key]:
    for number, entry in enumerate(each.keys, 1):
        try:
            yield _key(each.scheme, entry)
        except (TrustError, ValueError, UnsupportedAlgorithm) as error:
            raise TrustError(f"{_title(each)}: key {number} ({entry.kid or 'no kid'}): {error}") from error


def _key(scheme: Scheme, entry: IssuerKey) -> Key:
    if entry.alg not in ALGORITHMS[scheme]:
        raise TrustError(f"{scheme} knows {', '.join(ALGORITHMS[scheme])}, not {entry.alg}")
    public, secret = None, b""
    if entry.alg == "HS256":
        secret = _bytes("secret", entry.secret)
        if entry.public or len(secret) < MIN_SECRET:
            raise TrustError(f"HS256 needs a secret of {MIN_SECRET} bytes or more, and no public key")
    else:
        if entry.secret:
            raise TrustError(f"{entry.alg} needs a public key, and no secret")
        public = _fitting(scheme, entry.alg, load_der_public_key(_bytes("public key", entry.public)))
    return Key(
        kid=entry.kid,
        alg=entry.alg,
        public=public,
        secret=secret,
        issuer=entry.issuer,
        country=entry.country,
        not_after=None if entry.not_after is None else int(entry.not_after.timestamp()),
        usage=entry.usage,
    )


def _bytes(what: str, text: str) -> bytes:
    try:
        return base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError) as error:
        raise TrustError(f"its {what} is not base64: {error}") from error


def _fitting(scheme: Scheme, alg: Algorithm, public: object) -> PublicKey:
    """Return a key that is one of the algorithm's; raise TrustError otherwise."""
    match alg, public:
        case "EdDSA", Ed25519PublicKey():
            return public
        case "ES256", EllipticCurvePublicKey(curve=ec.SECP256R1()):
            return public
        case "ES256", EllipticCurvePublicKey(curve=ec.SECP384R1()) if scheme == "hc1":
            return public  # COSE lets the hash and the curve differ, and some issuers took it at its word
        case "PS256", RSAPublicKey(key_size=bits) if RSA_BITS[0] <= bits <= RSA_BITS[1]:
            return public
    raise TrustError(f"{alg} needs {NEEDED[alg]}")


NEEDED: Final[dict[Algorithm, str]] = {
    "EdDSA": "an Ed25519 key",
    "ES256": "a key on the curve P-256",
    "PS256": f"an RSA key of {RSA_BITS[0]} to {RSA_BITS[1]} bits",
    "HS256": "a secret",
}
