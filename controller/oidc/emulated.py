"""The emulated identity provider: believes whoever is typed, over real HTTP with real keys, and errs when told to."""

from __future__ import annotations

import base64
import hashlib
import hmac
import html
import logging
import secrets
import time
from collections.abc import Callable
from typing import Any, Final, Literal, NamedTuple
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import click
import msgspec
from cryptography.hazmat.primitives.asymmetric import ec, padding, rsa
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from cryptography.hazmat.primitives.asymmetric.utils import decode_dss_signature
from cryptography.hazmat.primitives.hashes import SHA256

from device.codes.jose import base64url
from device.wire.loopback import Loopback, Page

log = logging.getLogger(__name__)

PORT: Final = 8472
CLIENT: Final = "menshen"
SECRET: Final = "for trying out only"  # noqa: S105 it guards nobody
MAX_FORM: Final = 64 * 1024
TOKEN_S: Final = 300
HALF: Final = 32  # bytes of r and of s
DRIP_S: Final = 0.2

Algorithm = Literal["ES256", "RS256", "EdDSA"]
Fault = Literal[
    "", "slow", "drip", "html", "broken", "huge", "audience", "issuer", "nonce", "expired", "early", "unsigned",
    "shared", "forged", "bare",
]  # fmt: skip
FAULTS: Final[dict[Fault, str]] = {
    "": "none",
    "slow": "never answers",
    "drip": "answers a byte at a time",
    "html": "answers with a page",
    "broken": "answers with HTTP status 500",
    "huge": "answers without end",
    "audience": "a token for somebody else",
    "issuer": "a token of another provider",
    "nonce": "a token of another sign-in",
    "expired": "a token that has ended",
    "early": "a token that has not begun",
    "unsigned": "a token without a signature (none)",
    "shared": "a token signed with the client's secret (HS256)",
    "forged": "a token signed with another key",
    "bare": "no ID token at all",
}
FORM: Final = """<!doctype html><html lang="en"><head><meta charset="utf-8"><title>Emulated provider</title>
<meta name="viewport" content="width=device-width, initial-scale=1"><link rel="icon" href="data:,"></head>
<body><h1>Emulated identity provider 模拟身份提供方</h1><p>Whoever is typed here is believed. 输入谁就是谁。</p>
<form method="post">{hidden}
<p><label>subject 标识 <input name="subject" value="guard-7" required></label></p>
<p><label>name 姓名 <input name="name" value="guard 7"></label></p>
<p><label>groups 组 <input name="groups" value=""></label></p>
<p><label>fault 故障 <select name="fault">{faults}</select></label></p>
<p><button name="go" value="yes">Sign in 登录</button> <button name="go" value="">Refuse 拒绝</button></p>
</form></body></html>"""


class Signer(NamedTuple):
    """One key of the provider's."""

    kid: str
    alg: Algorithm
    private: ec.EllipticCurvePrivateKey | rsa.RSAPrivateKey | Ed25519PrivateKey

    def sign(self, data: bytes) -> bytes:
        """Sign as JWS wants it (RFC 7518 section 3)."""
        match self.private:
            case ec.EllipticCurvePrivateKey():
                halves = decode_dss_signature(self.private.sign(data, ec.ECDSA(SHA256())))
                return b"".join(half.to_bytes(HALF, "big") for half in halves)
            case rsa.RSAPrivateKey():
                return self.private.sign(data, padding.PKCS1v15(), SHA256())
            case Ed25519PrivateKey():
                return self.private.sign(data)

    def shown(self) -> dict[str, str]:
        """Return the public key as a JWK (RFC 7518 section 6, RFC 8037)."""
        said = {"kid": self.kid, "alg": self.alg, "use": "sig"}
        match self.private:
            case ec.EllipticCurvePrivateKey():
                point = self.private.public_key().public_numbers()
                return said | {"kty": "EC", "crv": "P-256", "x": _number(point.x, HALF), "y": _number(point.y, HALF)}
            case rsa.RSAPrivateKey():
                numbers = self.private.public_key().public_numbers()
                return said | {"kty": "RSA", "n": _number(numbers.n), "e": _number(numbers.e)}
            case Ed25519PrivateKey():
                return said | {"kty": "OKP", "crv": "Ed25519", "x": _text(self.private.public_key().public_bytes_raw())}


def signer(alg: Algorithm) -> Signer:
    """Make a key."""
    made: dict[Algorithm, Callable[[], Any]] = {
        "ES256": lambda: ec.generate_private_key(ec.SECP256R1()),
        "RS256": lambda: rsa.generate_private_key(65537, 2048),
        "EdDSA": Ed25519PrivateKey.generate,
    }
    return Signer(secrets.token_hex(4), alg, made[alg]())


class Given(NamedTuple):
    """What a code stands for, once."""

    asked: dict[str, str]
    person: dict[str, str]


class Question(Page):
    """One question to the provider, which may be of another time."""

    do_GET = Page.do_POST  # noqa: N815 the name is its parent's

    def date_time_string(self, timestamp: float | None = None) -> str:
        """Tell the time as its clock has it."""
        provider = self.server.loopback
        fast_s = provider.fast_s if isinstance(provider, Emulated) else 0.0
        return super().date_time_string((timestamp or time.time()) + fast_s)


class Emulated(Loopback):
    """Answers on the loopback address until it is closed. `fault` is what is wrong with all that it says.

    Called `localhost` it is another site to a browser than a board at 127.0.0.1, as providers are.
    """

    def __init__(
        self, port: int = 0, *, alg: Algorithm = "ES256", secret: str = SECRET, name: str = "127.0.0.1"
    ) -> None:
        super().__init__(port, name="provider", page=Question)
        self._name = name
        self.fault: Fault = ""
        self.fast_s = 0.0  # by which its clock is ahead of ours
        self.secret = secret
        self.keys = [signer(alg)]
        self.asked: list[str] = []
        self._alg: Algorithm = alg
        self._codes: dict[str, Given] = {}

    @property
    def issuer(self) -> str:
        """Return what it calls itself."""
        return f"http://{self._name}:{self.port}"

    def rotate(self) -> None:
        """Sign with another key from now on, and show the old one no more."""
        self.keys = [signer(self._alg)]

    def answer(self, page: Page) -> None:
        """Answer one question."""
        where = urlsplit(page.path)
        self.asked.append(where.path)
        size = min(int(page.headers.get("Content-Length", 0)), MAX_FORM)
        said = {name: values[0] for name, values in parse_qs(where.query).items()}
        said |= {name: values[0] for name, values in parse_qs(page.rfile.read(size).decode()).items()}
        match page.command, where.path:
            case "GET", "/.well-known/openid-configuration":
                self._say(page, 200, self._described(), self.fault)
            case "GET", "/keys":
                self._say(page, 200, {"keys": [key.shown() for key in self.keys]}, self.fault)
            case "GET", "/authorize":
                self._show(page, said)
            case "POST", "/authorize":
                self._let(page, said)
            case "POST", "/token":
                self._exchange(page, said)
            case "GET", "/logout":
                self._go(page, said.get("post_logout_redirect_uri", "/"), {})
            case _:
                self._say(page, 404, {"error": "not_found"}, "")

    def _described(self) -> dict[str, Any]:
        return {
            "issuer": self.issuer,
            "authorization_endpoint": f"{self.issuer}/authorize",
            "token_endpoint": f"{self.issuer}/token",
            "jwks_uri": f"{self.issuer}/keys",
            "end_session_endpoint": f"{self.issuer}/logout",
            "response_types_supported": ["code"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": [self._alg],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": True,
        }

    def _show(self, page: Page, asked: dict[str, str]) -> None:
        """Ask who it is to be."""
        hidden = "".join(
            f'<input type="hidden" name="{html.escape(name)}" value="{html.escape(value)}">'
            for name, value in asked.items()
        )
        faults = "".join(f'<option value="{name}">{meaning}</option>' for name, meaning in FAULTS.items())
        body = FORM.format(hidden=hidden, faults=faults).encode()
        page.send_response(200)
        page.send_header("Content-Type", "text/html; charset=utf-8")
        page.send_header("Content-Length", str(len(body)))
        page.end_headers()
        page.wfile.write(body)

    def _let(self, page: Page, said: dict[str, str]) -> None:
        """Send somebody back with a code, or without."""
        if said.get("client_id") != CLIENT or urlsplit(said.get("redirect_uri", "")).hostname != "127.0.0.1":
            self._say(page, 400, {"error": "invalid_request"}, "")
            return
        back = {"state": said.get("state", ""), "iss": self.issuer}
        if not said.get("go"):
            self._go(page, said["redirect_uri"], back | {"error": "access_denied"})
            return
        code = secrets.token_urlsafe(16)
        self._codes[code] = Given(said, {name: said.get(name, "") for name in ("subject", "name", "groups", "fault")})
        self._go(page, said["redirect_uri"], back | {"code": code})

    def _exchange(self, page: Page, said: dict[str, str]) -> None:
        """Give a token for a code, once, to whoever asked for it and shows the verifier."""
        given = self._codes.pop(said.get("code", ""), None)
        digest = base64url(hashlib.sha256(said.get("code_verifier", "").encode()).digest()).decode()
        if not self._is_client(page, said):
            self._say(page, 401, {"error": "invalid_client"}, "")
        elif given is None or [given.asked.get(name) for name in ("redirect_uri", "code_challenge")] != [
            said.get("redirect_uri"),
            digest,
        ]:
            self._say(page, 400, {"error": "invalid_grant"}, "")
        else:
            fault: Fault = next((each for each in FAULTS if each == given.person["fault"]), "")
            answer = {"access_token": secrets.token_urlsafe(16), "token_type": "Bearer", "expires_in": TOKEN_S}
            if fault != "bare":
                answer["id_token"] = self._token(given, fault)
            self._say(page, 200, answer, fault or self.fault)

    def _is_client(self, page: Page, said: dict[str, str]) -> bool:
        """Tell whether it is the board that asks: by its secret, where it has one."""
        shown = page.headers.get("Authorization", "").removeprefix("Basic ")
        name, _, secret = base64.b64decode(shown).decode().partition(":")
        if not shown:
            return not self.secret and said.get("client_id") == CLIENT
        return (unquote_plus(name), unquote_plus(secret)) == (CLIENT, self.secret)

    def _token(self, given: Given, fault: Fault) -> str:
        """Write a token, with its fault where it is to have one."""
        now, key = int(time.time() + self.fast_s), self.keys[0]
        claims: dict[str, Any] = {
            "iss": "https://elsewhere.example" if fault == "issuer" else self.issuer,
            "sub": given.person["subject"],
            "aud": "somebody else" if fault == "audience" else CLIENT,
            "iat": now + (3600 if fault == "early" else -3600 if fault == "expired" else 0),
            "exp": now + (7200 if fault == "early" else -60 if fault == "expired" else TOKEN_S),
            "nonce": "another" if fault == "nonce" else given.asked.get("nonce", ""),
            "preferred_username": given.person["name"],
            "groups": given.person["groups"].split(),
        }
        alg = {"unsigned": "none", "shared": "HS256"}.get(fault, key.alg)
        signed = b".".join(_json(each) for each in ({"alg": alg, "kid": key.kid, "typ": "JWT"}, claims))
        if fault == "unsigned":
            signature = b""
        elif fault == "shared":
            signature = hmac.digest(self.secret.encode(), signed, "sha256")
        else:
            signature = (signer(key.alg) if fault == "forged" else key).sign(signed)
        return b".".join((signed, base64url(signature))).decode()

    def _go(self, page: Page, where: str, said: dict[str, str]) -> None:
        page.send_response(302)
        page.send_header("Location", where + (f"?{urlencode(said)}" if said else ""))
        page.send_header("Content-Length", "0")
        page.end_headers()

    def _say(self, page: Page, status: int, said: dict[str, Any], fault: str) -> None:
        """Answer, or do what a provider in trouble does."""
        if fault == "slow":
            self._closed.wait()
            return
        body = b"<html>not what you think</html>" if fault == "html" else msgspec.json.encode(said)
        try:
            page.send_response(500 if fault == "broken" else status)
            page.send_header("Content-Type", "text/html" if fault == "html" else "application/json")
            page.end_headers()
            if fault == "drip":
                self.drip(page, body, DRIP_S)
                return
            while fault == "huge" and not self._closed.is_set():
                page.wfile.write(body)
            page.wfile.write(body)
        except OSError:
            log.info("the board hung up")


def _json(said: dict[str, Any]) -> bytes:
    return base64url(msgspec.json.encode(said))


def _number(value: int, length: int = 0) -> str:
    return _text(value.to_bytes(length or (value.bit_length() + 7) // 8, "big"))


def _text(data: bytes) -> str:
    return base64url(data).decode()


@click.command("provider")
@click.option("--port", type=click.IntRange(0, 65535), default=PORT, show_default=True, help="Where it answers. 端口")
@click.option("--secret", default=SECRET, show_default=True, help="The client's secret; '' for a public client. 密钥")
def command(*, port: int, secret: str) -> None:
    """Answer as an identity provider would, and believe whoever is typed. Never for a board at work. 模拟身份提供方"""
    provider = Emulated(port, secret=secret)
    provider.start()
    click.echo(provider.issuer)
    try:
        provider.wait()
    finally:
        provider.close()
