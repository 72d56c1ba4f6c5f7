"""What has to be known of an identity provider, and who of those it knows may come in. Part of [web]."""

from __future__ import annotations

from typing import Annotated, Final
from urllib.parse import SplitResult, urlsplit

from msgspec import Meta, Struct

from controller.regions import PREFIX
from controller.rights import Role, can_be_reach

LOOPBACK: Final = ("127.0.0.1", "localhost", "::1")
DEFAULT_PORT: Final = {"https": 443, "http": 80}
CALLBACK: Final = "/sign-in/callback"  # behind the board's address, where the provider sends people back to


class Grant(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """What everybody in one of the provider's groups may do here."""

    group: Annotated[str, Meta(min_length=1)]
    role: Role
    reach: Annotated[
        tuple[str, ...], Meta(description="region:REGION, SITE or SITE/ENTRANCE; none: every entrance")
    ] = ()


class OidcSection(Struct, frozen=True, forbid_unknown_fields=True):
    """Signing in through an identity provider (OpenID Connect), beside passwords; see docs/board.md."""

    issuer: Annotated[
        str,
        Meta(
            description="the provider, letter by letter as its discovery document has it; without it there is none",
            examples=["https://login.example/realms/gates"],
        ),
    ] = ""
    client_id: Annotated[str, Meta(description="what the board is called there", examples=["menshen"])] = ""
    client_secret: Annotated[
        str,
        Meta(
            description="file with the client's secret, which nobody else may read; none: a public client",
            examples=["/etc/menshen/oidc.secret"],
        ),
    ] = ""
    url: Annotated[
        str,
        Meta(
            description="the board's address as browsers have it; register it there with /sign-in/callback behind it, "
            "and for signing out with /sign-in",
            examples=["https://board.example"],
        ),
    ] = ""
    title: Annotated[
        str, Meta(description="what the button calls the provider; its host's name unless set", examples=["Keycloak"])
    ] = ""
    ca: Annotated[
        str,
        Meta(
            description="file with the certificates that vouch for the provider; the system's unless set",
            examples=["/etc/menshen/login-ca.crt"],
        ),
    ] = ""
    scopes: Annotated[tuple[str, ...], Meta(description="what is asked for beside openid")] = ("profile",)
    name: Annotated[
        str,
        Meta(
            description="claim with somebody's name here, by which those added beforehand are recognized the first "
            "time; without it only those added with --subject come in",
            examples=["preferred_username"],
        ),
    ] = ""
    groups: Annotated[str, Meta(description="claim with the groups that grant is about")] = "groups"
    grant: Annotated[
        tuple[Grant, ...],
        Meta(
            description="groups whose people need not be added beforehand, the first that fits counts; "
            "none: nobody comes in who was not added",
            examples=[(Grant(group="gate-guards", role="guard", reach=("expo",)),)],
        ),
    ] = ()
    answer_s: Annotated[float, Meta(ge=0.1, le=30, description="seconds a page waits for the provider at most")] = 6.0
    contact: Annotated[
        str, Meta(description="whom somebody is told to ask who may not come in", examples=["the duty room, 8000"])
    ] = ""

    @property
    def redirect(self) -> str:
        """Return where the provider sends people back to."""
        return self.url.rstrip("/") + CALLBACK

    def is_at(self, host: str) -> bool:
        """Tell whether a browser that names this host is at the board's address."""
        here = urlsplit(self.url)
        try:
            there = urlsplit(f"{here.scheme}://{host}")
            return (there.hostname, _port(there)) == (here.hostname, _port(here))
        except ValueError:
            return False

    @property
    def called(self) -> str:
        """Return what people know the provider as."""
        return self.title or urlsplit(self.issuer).hostname or self.issuer


def _port(parts: SplitResult) -> int:
    return parts.port or DEFAULT_PORT.get(parts.scheme, 0)


def complaint(settings: OidcSection) -> str:
    """Say what is wrong with the settings as a whole; nothing: they can be used."""
    for name in ("issuer", "url") if settings.issuer else ():
        value = getattr(settings, name)
        if not safe(value) or urlsplit(value).query or urlsplit(value).fragment:
            return f"web.oidc.{name}: {value!r} is not such as https://host.example (http only on this machine)"
    if settings.issuer and urlsplit(settings.url).path not in ("", "/"):
        return f"web.oidc.url: {settings.url!r}: the board is at the root of its host, so leave the path out"
    if settings.issuer and not settings.client_id:
        return "web.oidc.client_id must be set: what the board is called at the provider"
    if settings.grant and not settings.name:
        return "web.oidc.grant needs web.oidc.name, the claim with people's names, such as preferred_username"
    return _beyond(settings.grant)


def _beyond(grants: tuple[Grant, ...]) -> str:
    for text in (text for grant in grants for text in grant.reach):
        if not can_be_reach(text):
            return f"web.oidc.grant: reach: {text!r} is neither SITE nor SITE/ENTRANCE nor {PREFIX}REGION"
    return ""


def safe(url: str) -> bool:
    """Tell whether a secret may go to this address: encrypted, or no further than this machine."""
    try:
        parts = urlsplit(url)
        host, _ = parts.hostname, parts.port
    except ValueError:
        return False
    good = url.isascii() and url.isprintable() and " " not in url and not parts.username
    return good and bool(host) and (parts.scheme == "https" or (parts.scheme == "http" and host in LOOPBACK))
