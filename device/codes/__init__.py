"""What a code's text claims, and whether that is true. One file a scheme; each works offline.

`verify` asks the schemes in turn. A scheme answers only for text that is its own; text that nobody owns is `unknown`.
"""

from __future__ import annotations

from device.codes import hc1, jws, listed, ms1, pretix, shc
from device.codes.claim import Checked, Claim
from device.codes.trust import Trust
from device.sight import Code
from device.wire.messages import SCHEMES, Place

__all__ = ["MAX_BYTES", "MAX_JOINED", "UNKNOWN", "Checked", "Claim", "verify"]

UNKNOWN = "unknown"  # the scheme of text that is nobody's
MAX_BYTES = 4296  # the most characters any QR code holds (ISO/IEC 18004: version 40-L, numeric apart)
MAX_JOINED = 5 + 16 * 7089  # of a health card put together from its pieces


def verify(code: Code, trust: Trust, place: Place | None, now: int, *, screen_s: float, skew_s: float) -> Checked:
    """Judge a code at `now`, in seconds since 1970. Whatever its bytes are, this answers and never raises.

    `place` None leaves the entrance unjudged. `screen_s` is how long one picture of a rotating screen stays good,
    `skew_s` how far two clocks may differ.
    """
    data = code.data
    unknown = Checked(UNKNOWN, data, reasons=("invalid",))
    if len(data) > (MAX_JOINED if data.startswith(shc.PREFIX) else MAX_BYTES):
        return unknown
    checked = (
        ms1.check(data, trust, place, now, screen_s=screen_s, skew_s=skew_s)
        or shc.check(data, trust, place, now, skew_s=skew_s)
        or hc1.check(data, trust, place, now, skew_s=skew_s)
        or jws.check(data, trust, place, now, skew_s=skew_s)
        or pretix.check(data, trust, place, now, skew_s=skew_s)
        or listed.check(code, trust)
        or unknown
    )
    return _aged(checked, trust, now)


def _aged(checked: Checked, trust: Trust, now: int) -> Checked:
    """Say how old the trust is that this was judged by, and where it is too old to admit."""
    scheme = next((scheme for scheme in SCHEMES if scheme == checked.scheme), None)
    if scheme is None:
        return checked._replace(age=None if trust.issued_at is None else now - trust.issued_at)
    held = trust.of(scheme)
    doubt = "stale_trust" if held.stale(now) else "clock_unsure" if held.early(now) else ""
    doubts = (doubt,) if checked.claim and doubt else ()
    return checked._replace(age=held.age(now), reasons=(*checked.reasons, *doubts))
