"""What a code's text claims, and whether that is true. One file a scheme; each works offline.

`verify` asks the schemes in turn. A scheme answers only for text that is its own; text that nobody owns is `unknown`.
"""

from __future__ import annotations

from typing import NamedTuple

from msgspec import Struct

from device.wire.messages import PassKind

MAX_BYTES = 4296  # the most characters any QR code holds (ISO/IEC 18004: version 40-L, numeric apart)


class Claim(Struct, frozen=True, kw_only=True):
    """What a code says of itself, once it is known to be genuine."""

    identity: bytes  # names the credential, however often its screen changes; leaves the gate only as a keyed hash
    kind: PassKind
    subject: str
    not_before: int  # seconds since 1970, UTC
    not_after: int
    places: tuple[str, ...]  # `site` or `site/entrance`


class Checked(NamedTuple):
    """A code after its scheme looked at it: no reasons means it is genuine and good here and now."""

    scheme: str
    identity: bytes  # of the claim where there is one, of the bytes read otherwise
    claim: Claim | None = None
    reasons: tuple[str, ...] = ()
