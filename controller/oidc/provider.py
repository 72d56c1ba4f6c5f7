"""The identity provider: what it says of itself, and of somebody who comes back from it.

Any thread may ask, and waits until a moment it sets and no longer. The emulated one is controller/oidc/emulated.py.
"""

from __future__ import annotations

import base64
import ssl
import stat
import time
from datetime import datetime
from pathlib import Path
from typing import Any, Final, NamedTuple
from urllib.parse import quote_plus, urlencode

import msgspec
from joserfc.jwk import Key
from msgspec import Struct

from controller.oidc import idtoken
from controller.oidc.call import CallError, call, context
from controller.oidc.errands import Errand
from controller.oidc.idtoken import Awaited, TokenError, UnknownKeyError
from controller.oidc.settings import OidcSection, safe

WELL_KNOWN: Final = "/.well-known/openid-configuration"
FRESH_S: Final = 3600.0  # what it says of itself is asked anew after that
AGAIN_S: Final = 10.0  # between two searches for the unknown key of a token
LONGEST_HINT: Final = 4096  # characters of a token shown again at the end: addresses may not be endless


class Described(Struct, frozen=True):
    """What is needed of a discovery document (OpenID Connect Discovery 1.0, section 3)."""

    issuer: str
    authorization_endpoint: str
    token_endpoint: str
    jwks_uri: str
    end_session_endpoint: str = ""
    token_endpoint_auth_methods_supported: tuple[str, ...] = ("client_secret_basic",)
    authorization_response_iss_parameter_supported: bool = False


class Looked(NamedTuple):
    """What was found, and when by the monotonic clock."""

    described: Described
    keys: tuple[Key, ...]
    at: float
    clock: datetime | None  # the provider's, then


class Provider:
    """One provider and how it is asked."""

    def __init__(self, settings: OidcSection) -> None:
        self.settings = settings
        self._trusted: ssl.SSLContext | None = None
        self._looked: Looked | None = None
        self._searched = -AGAIN_S  # when a key was looked for, monotonic

    def look(self, until: float, *, anew: bool = False) -> Looked:
        """Return what it says of itself; asked now and then, or anew. Raise CallError."""
        looked = self._looked
        if anew or looked is None or time.monotonic() - looked.at >= FRESH_S:
            looked = self._looked = self._look(until)
        return looked

    def _look(self, until: float) -> Looked:
        asked = self.settings.issuer.rstrip("/") + WELL_KNOWN
        answer = call(asked, until, self._context())
        described = describe(asked, answer.said)
        if described.issuer != self.settings.issuer:
            raise CallError(
                f"web.oidc.issuer: {self.settings.issuer!r} calls itself {described.issuer!r}; set it letter by letter"
            )
        try:
            keys = idtoken.keys(call(described.jwks_uri, until, self._context()).said)
        except TokenError as error:
            raise CallError(f"{described.jwks_uri}: {error}") from error
        return Looked(described, keys, time.monotonic(), answer.at)

    def way(self, errand: Errand, until: float) -> str:
        """Return where a browser goes to sign in. Raise CallError."""
        asked = {
            "response_type": "code",
            "client_id": self.settings.client_id,
            "redirect_uri": self.settings.redirect,
            "scope": " ".join(dict.fromkeys(("openid", *self.settings.scopes))),
            "state": errand.state,
            "nonce": errand.nonce,
            "code_challenge": errand.challenge,
            "code_challenge_method": "S256",
        }
        return _with(self.look(until).described.authorization_endpoint, asked)

    def claims(self, code: str, errand: Errand, came_from: str, until: float) -> tuple[dict[str, Any], str]:
        """Turn the code somebody comes back with into who they are, and the token that says so.

        `came_from` is what the way back says of the provider (RFC 9207). Raise CallError or TokenError.
        """
        looked = self.look(until)
        if came_from != self.settings.issuer and (
            came_from or looked.described.authorization_response_iss_parameter_supported
        ):
            raise TokenError(f"the way back is from {came_from!r}")
        token = self._exchange(looked.described, code, errand, until)
        awaited = Awaited(self.settings.issuer, self.settings.client_id, errand.nonce)
        try:
            return idtoken.judge(token, looked.keys, awaited, time.time()), token
        except UnknownKeyError:  # it may have a new one
            if time.monotonic() - self._searched < AGAIN_S:
                raise
            self._searched = time.monotonic()
            return idtoken.judge(token, self.look(until, anew=True).keys, awaited, time.time()), token

    def _exchange(self, described: Described, code: str, errand: Errand, until: float) -> str:
        form = {
            "grant_type": "authorization_code",
            "code": code,
            "redirect_uri": self.settings.redirect,
            "code_verifier": errand.verifier,
        }
        headers, secret = {}, self.secret()
        if secret and "client_secret_basic" in described.token_endpoint_auth_methods_supported:
            pair = f"{quote_plus(self.settings.client_id)}:{quote_plus(secret)}"  # RFC 6749 section 2.3.1
            headers["Authorization"] = "Basic " + base64.b64encode(pair.encode()).decode()
        else:
            form["client_id"] = self.settings.client_id
            form |= {"client_secret": secret} if secret else {}
        said = call(described.token_endpoint, until, self._context(), form=form, headers=headers).said
        token = said.get("id_token")
        if not isinstance(token, str):
            raise TokenError("the provider gave no ID token; is openid among the client's scopes there?")
        return token

    def farewell(self, hint: str, until: float) -> str:
        """Return where a browser goes to sign out there, too; nothing where it has no such place. Raise CallError."""
        place = self.look(until).described.end_session_endpoint
        asked = {
            "client_id": self.settings.client_id,
            "post_logout_redirect_uri": self.settings.url.rstrip("/") + "/sign-in",
        }
        if len(hint) <= LONGEST_HINT:
            asked["id_token_hint"] = hint
        return _with(place, asked) if place else ""

    def secret(self) -> str:
        """Read the client's secret, anew each time: it may be changed. Raise CallError."""
        if not self.settings.client_secret:
            return ""
        path = Path(self.settings.client_secret)
        try:
            if path.stat().st_mode & stat.S_IRWXO:
                raise CallError(f"{path}: anybody on this machine may read it, and it holds a secret: chmod o= {path}")
            secret = path.read_text(encoding="utf-8").strip()
        except (OSError, ValueError) as error:
            raise CallError(f"web.oidc.client_secret: {path} cannot be read: {error}") from error
        if not secret or not secret.isprintable():
            raise CallError(f"web.oidc.client_secret: {path} holds no secret in one line")
        return secret

    def _context(self) -> ssl.SSLContext:
        self._trusted = self._trusted or context(self.settings.ca)
        return self._trusted


def describe(asked: str, said: dict[str, Any]) -> Described:
    """Read a discovery document; raise CallError."""
    try:
        described = msgspec.convert(said, Described)
    except msgspec.ValidationError as error:
        raise CallError(f"{asked}: is no discovery document: {error}") from error
    for address in (described.authorization_endpoint, described.end_session_endpoint):
        if address and not safe(address):
            raise CallError(f"{asked}: {address!r} is no https address")
    return described


def _with(address: str, asked: dict[str, str]) -> str:
    return address + ("&" if "?" in address else "?") + urlencode(asked)
