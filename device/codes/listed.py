"""Plain codes: membership cards, tickets of others, any symbology. Good while their keyed hash is on the site's list.

Nothing in such a code vouches for it: whoever can copy it can use it.
"""

from __future__ import annotations

from device.codes.claim import Checked, Claim
from device.codes.trust import Trust, keyed_hash


def check(data: bytes, trust: Trust) -> Checked | None:
    """Answer for bytes on the list; None for all others."""
    if keyed_hash(trust.site_key, data) not in trust.listed:
        return None
    return Checked("listed", data, Claim(identity=data, kind="visitor", subject=""))
