"""Who somebody is here, by what the identity provider says of them. Nobody gets rights that nobody gave them."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from controller.accounts import Accounts, can_be_called
from controller.oidc.settings import Grant, OidcSection
from controller.rights import Person

Note = Callable[[str, Person], None]  # what became of somebody: a word of controller/deeds.py


def granted(claims: dict[str, Any], settings: OidcSection) -> Grant | None:
    """Return the first of the grants that is about one of somebody's groups."""
    said = claims.get(settings.groups)
    groups = [said] if isinstance(said, str) else said if isinstance(said, list) else []
    return next((grant for grant in settings.grant if grant.group in groups), None)


def name(claims: dict[str, Any], settings: OidcSection) -> str:
    """Return what somebody is called; nothing where it is no name, or an address that nobody has checked."""
    said = claims.get(settings.name) if settings.name else None
    checked = settings.name != "email" or claims.get("email_verified") is True
    return said if isinstance(said, str) and checked and can_be_called(said) else ""


def admit(claims: dict[str, Any], settings: OidcSection, accounts: Accounts, note: Note) -> Person | None:
    """Return who this is; None: somebody unknown, who is told whom to ask. What changes is noted.

    Who was added by hand is what they were made by hand. Whom a group let in is what it says now, and out when it
    says nothing. A name that was given by hand is taken over only where no group grants anything, and once.
    """
    issuer, subject = settings.issuer, str(claims["sub"])
    called, grant = name(claims, settings), granted(claims, settings)
    bound = accounts.bound(issuer, subject)
    if bound and not bound[1]:
        return bound[0]
    before = bound[0] if bound else None
    if before and not grant:
        accounts.remove(before.name)
        note("user_removed", before)
        return None
    if grant:
        person = Person(name=before.name if before else called, role=grant.role, reach=grant.reach)
        if not person.name or not accounts.grant(person, issuer, subject):
            return None
        if person != before:
            note("user_changed" if before else "user_added", person)
        return person
    adopted = accounts.adopt(called, issuer, subject) if called and not settings.grant else None
    if adopted:
        note("user_bound", adopted)
    return adopted
