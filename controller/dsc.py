"""What states publish for EU certificates, read into what a trust list carries: signers (DSC), rules, value sets.

Nobody's signature on a list is checked here: whoever imports a file vouches for where it is from.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import json
from collections.abc import Iterator
from typing import Any, Final, NamedTuple

import msgspec
from cryptography import x509
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import EllipticCurvePublicKey
from cryptography.hazmat.primitives.serialization import Encoding, PublicFormat
from cryptography.x509.oid import NameOID

from controller.keyfile import KeyFileError
from device.wire.messages import IssuerKey, TrustList
from device.wire.nesting import too_deep

KID_BYTES: Final = 8  # of the SHA-256 of the certificate
PEM: Final = b"-----BEGIN CERTIFICATE-----"
SEQUENCE: Final = b"\x30"  # with which every certificate in DER begins

# Extended key usages that say what a key may sign, as DER writes them: 1.3.6.1.4.1.1847.2021.1.N, and the same with a 0
# before 1847, which the first issuers wrote.
USAGES: Final[dict[bytes, str]] = {
    bytes.fromhex(arc + number): letter
    for arc in ("2b060104018e378f6501", "2b06010401008e378f6501")
    for number, letter in (("01", "t"), ("02", "v"), ("03", "r"))
}
OTHER: Final = "other"  # a key that is for something else alone signs no certificate
EXTENSIONS, OBJECT_ID, EXT_KEY_USAGE = 0xA3, 0x06, bytes.fromhex("551d25")


class Found(NamedTuple):
    """What a file holds."""

    keys: tuple[IssuerKey, ...] = ()
    rules: tuple[dict[str, Any], ...] = ()
    value_sets: dict[str, tuple[str, ...]] = {}  # noqa: RUF012 nobody writes to it

    def added(self, made: TrustList) -> TrustList:
        """Return a list with all this in it, too."""
        return msgspec.structs.replace(
            made,
            keys=(*made.keys, *self.keys),
            rules=(*made.rules, *self.rules),
            value_sets=made.value_sets | self.value_sets,
        )


def read(data: bytes) -> Found:
    """Read certificates in PEM or DER, a list of them in JSON, business rules, or a value set.

    Raise KeyFileError where it is none of these, or one entry cannot be taken.
    """
    data = data.strip()
    if PEM in data:
        try:
            certificates = x509.load_pem_x509_certificates(data)
        except ValueError as error:
            raise KeyFileError(f"no certificates in PEM: {error}") from error
        return Found(keys=tuple(issuer_key(each.public_bytes(Encoding.DER)) for each in certificates))
    if data.startswith(SEQUENCE):
        return Found(keys=(issuer_key(data),))
    return _json(data)


def issuer_key(certificate: bytes) -> IssuerKey:
    """Return the key of a certificate in DER; raise KeyFileError where it is none that can sign."""
    try:
        read = x509.load_der_x509_certificate(certificate)
        public = read.public_key()
        spki = public.public_bytes(Encoding.DER, PublicFormat.SubjectPublicKeyInfo)
        countries = read.subject.get_attributes_for_oid(NameOID.COUNTRY_NAME)
    except (ValueError, UnsupportedAlgorithm) as error:
        raise KeyFileError(f"no certificate that can be read: {error}") from error
    usages = {USAGES.get(each, OTHER) for each in _extended_key_usages(read.tbs_certificate_bytes)}
    return IssuerKey(
        kid=base64.b64encode(hashlib.sha256(certificate).digest()[:KID_BYTES]).decode(),
        alg="ES256" if isinstance(public, EllipticCurvePublicKey) else "PS256",
        public=base64.b64encode(spki).decode(),
        country=str(countries[0].value) if countries else "",
        not_after=read.not_valid_after_utc,
        usage=tuple(sorted(usages)),
    )


def _json(data: bytes) -> Found:
    """Read what is published as JSON, also where its publisher's signature is a line of its own before it."""
    first, _, rest = data.partition(b"\n")
    if too_deep(data):
        raise KeyFileError("neither a certificate nor JSON: it is nested too deep")
    try:
        document = json.loads(rest if rest.lstrip().startswith((b"{", b"[")) and first[:1] not in b"{[" else data)
    except ValueError as error:
        raise KeyFileError(f"neither a certificate nor JSON: {error}") from error
    if isinstance(document, dict) and isinstance(document.get("certificates"), list):
        document = document["certificates"]
    entries = document if isinstance(document, list) else [document]
    keys: list[IssuerKey] = []
    rules: list[dict[str, Any]] = []
    value_sets: dict[str, tuple[str, ...]] = {}
    for number, entry in enumerate(entries, 1):
        match entry:
            case {"rawData": str(raw)}:
                if entry.get("certificateType", "DSC") == "DSC":  # others are those who sign these, and lists
                    keys.append(_listed(number, raw, entry.get("kid")))
            case {"Identifier": str(), "Logic": _}:
                rules.append(entry)
            case {"valueSetId": str(name), "valueSetValues": dict(values)}:
                value_sets[name] = tuple(values)
            case _:
                raise KeyFileError(f"entry {number} is no signer's certificate, no rule and no value set")
    return Found(tuple(keys), tuple(rules), value_sets)


def _listed(number: int, raw: str, kid: object) -> IssuerKey:
    try:
        key = issuer_key(base64.b64decode(raw, validate=True))
    except (binascii.Error, ValueError) as error:
        raise KeyFileError(f"entry {number}: {error}") from error
    if kid is not None and kid != key.kid:
        raise KeyFileError(f"entry {number}: the list calls it {kid}, and its certificate has the kid {key.kid}")
    return key


def _extended_key_usages(tbs: bytes) -> Iterator[bytes]:
    """Find them by hand: some signers' certificates have an extension that cryptography refuses to read at all."""
    for whole in _children(tbs):
        for extensions in (content for tag, content in _parts(whole) if tag == EXTENSIONS):
            for extension in (one for every in _children(extensions) for one in _children(every)):
                parts = list(_parts(extension))
                if parts[0] == (OBJECT_ID, EXT_KEY_USAGE):
                    yield from (each for usages in _children(parts[-1][1]) for each in _children(usages))


def _children(der: bytes) -> Iterator[bytes]:
    return (content for _, content in _parts(der))


def _parts(der: bytes) -> Iterator[tuple[int, bytes]]:
    """Walk over DER, whose certificate cryptography has read already: tag and content of each part."""
    while der:
        length, begin = der[1], 2
        if length > 127:  # noqa: PLR2004 the long form: how many bytes the length has
            begin += length & 127
            length = int.from_bytes(der[2:begin], "big")
        yield der[0], der[begin : begin + length]
        der = der[begin + length :]
