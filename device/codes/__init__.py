"""What a code's text claims, and whether that is true. One file a scheme; each works offline.

`verify` asks the schemes in turn. A scheme answers only for text that is its own; text that nobody owns is `unknown`.
"""

from __future__ import annotations

from device.codes import listed, ms1
from device.codes.claim import Checked, Claim
from device.codes.trust import Trust
from device.sight import Code
from device.wire.messages import Place

__all__ = ["MAX_BYTES", "Checked", "Claim", "verify"]

MAX_BYTES = 4296  # the most characters any QR code holds (ISO/IEC 18004: version 40-L, numeric apart)


def verify(code: Code, trust: Trust, place: Place | None, now: int, *, screen_s: float, skew_s: float) -> Checked:
    """Judge a code at `now`, in seconds since 1970. Whatever its bytes are, this answers and never raises.

    `place` None leaves the entrance unjudged. `screen_s` is how long one picture of a rotating screen stays good,
    `skew_s` how far two clocks may differ.
    """
    unknown = Checked("unknown", code.data, reasons=("invalid",))
    if len(code.data) > MAX_BYTES:
        return unknown
    return (
        ms1.check(code.data, trust, place, now, screen_s=screen_s, skew_s=skew_s)
        or listed.check(code, trust)
        or unknown
    )
