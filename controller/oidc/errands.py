"""Those who were sent to the identity provider and are awaited back, each once and not for ever. Told the time."""

from __future__ import annotations

import base64
import hashlib
import secrets
from collections import OrderedDict
from typing import Final, NamedTuple

LONGEST_S: Final = 600.0  # to sign in over there
MOST: Final = 10_000  # on their way; the oldest are forgotten
MOST_OF_ADDRESS: Final = 30  # of which none came back


class Errand(NamedTuple):
    """One on the way. `state` goes there and back, `nonce` comes back in the token, `verifier` is told at the end."""

    state: str
    nonce: str
    verifier: str
    browser: bytes  # hash of what the browser holds that was sent
    address: str
    to: str  # where they go afterwards
    until: float

    @property
    def challenge(self) -> str:
        """Return what is told of the verifier beforehand (PKCE, RFC 7636, S256)."""
        digest = hashlib.sha256(self.verifier.encode()).digest()
        return base64.urlsafe_b64encode(digest).rstrip(b"=").decode()


class Errands:
    """Kept in memory: after a restart people sign in anew."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._away: OrderedDict[str, Errand] = OrderedDict()

    def leave(self, to: str, address: str, now: float) -> tuple[Errand, str] | None:
        """Send somebody away; return what the browser is to hold, too. None: too many left there and did not return."""
        while self._away and next(iter(self._away.values())).until <= now:
            self._away.popitem(last=False)
        if sum(each.address == address for each in self._away.values()) >= MOST_OF_ADDRESS:
            return None
        state, nonce, verifier, held = (secrets.token_urlsafe(32) for _ in range(4))
        errand = Errand(state, nonce, verifier, _mark(held), address, to, now + LONGEST_S)
        self._away[state] = errand
        while len(self._away) > self._most:
            self._away.popitem(last=False)
        return errand, held

    def back(self, state: str, held: str, now: float) -> Errand | None:
        """Return the errand somebody comes back from; nobody comes back twice, late, or with another browser."""
        errand = self._away.get(state)
        if errand is None or not secrets.compare_digest(errand.browser, _mark(held)):
            return None
        del self._away[state]
        return errand if now < errand.until else None


def _mark(held: str) -> bytes:
    return hashlib.sha256(held.encode(errors="replace")).digest()
