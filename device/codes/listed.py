"""Plain codes: membership cards, tickets of others, any symbology. Good while their keyed hash is on the site's list.

Nothing in such a code vouches for it: whoever can copy it can use it.
"""

from __future__ import annotations

from device.codes.claim import Checked, Claim
from device.codes.trust import Trust, keyed_hash
from device.sight import Code


def check(code: Code, trust: Trust) -> Checked | None:
    """Answer for a code on the list; None for all others.

    A list is made from text. The same text may stand in a code as other bytes, Shift JIS in a QR code's kanji mode.
    """
    for identity in (code.data, code.text.encode("utf-8", "surrogatepass")):
        if keyed_hash(trust.site_key, identity) in trust.listed:
            return Checked("listed", identity, Claim(identity=identity, kind="visitor", subject=""))
    return None
