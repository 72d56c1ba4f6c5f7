"""Signing in through an identity provider: off to it, and back."""

from __future__ import annotations

import logging
import time
from typing import Any, Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from controller.accounts import SESSION_S
from controller.oidc.admission import admit
from controller.oidc.errands import LONGEST_S, Errand
from controller.oidc.idtoken import TokenError
from controller.oidc.settings import CALLBACK
from controller.rights import Person
from controller.web import visit
from controller.web.away import Away, AwayError
from controller.web.pages import plain_page
from controller.web.sign import asking
from controller.web.visit import House, RefusedError

log = logging.getLogger(__name__)

HELD: Final = "menshen-away"  # the cookie of a browser that is on its way there
LONGEST: Final = 4096  # characters of what comes back


def _away(request: Request) -> Away:
    """Raise RefusedError where there is no provider."""
    away = visit.house(request).away
    if away is None:
        raise RefusedError(404, "not_found")
    return away


async def leave(request: Request) -> Response:
    """Send a browser to the provider, from a page of ours only."""
    away, given = _away(request), await visit.fields(request)
    if not visit.same_site(request):
        raise RefusedError(403, "not_our_form")
    to = visit.local(given.get("to", "/"))
    if not away.settings.is_at(request.headers.get("host", "")):
        return asking(request, to, "elsewhere", status=409)  # what the browser holds would not come back
    left = away.errands.leave(to, request.client.host if request.client else "", time.monotonic())
    if left is None:
        return asking(request, to, "wait", status=429)
    errand, held = left
    try:
        way = await away.way(errand)
    except AwayError:
        return asking(request, to, "provider_down", status=503)
    answer = plain_page(request, "leaving.html", target=way, called=away.settings.called)
    visit.cookie(answer, request, HELD, held, int(LONGEST_S), path=CALLBACK)
    return answer


async def arrive(request: Request) -> Response:
    """Let in whoever comes back with what the provider says of them, if they are somebody here."""
    away, held = _away(request), request.cookies.get(HELD, "")
    errand = away.errands.back(request.query_params.get("state", ""), held, time.monotonic())
    if errand is None:
        return asking(request, "/", "start_again", status=403)
    answer = await _arrived(request, away, errand)
    answer.delete_cookie(HELD, path=CALLBACK)
    return answer


async def _arrived(request: Request, away: Away, errand: Errand) -> Response:
    house, said = visit.house(request), request.query_params
    if "code" not in said:
        log.info("the identity provider let nobody in: %s", said.get("error", "it gave no reason")[:100])
        return asking(request, errand.to, "provider_refused", status=403)
    try:
        claims, token = await away.claims(said["code"][:LONGEST], errand, said.get("iss", ""))
    except AwayError:
        return asking(request, errand.to, "provider_down", status=503)
    except TokenError as error:
        log.warning("nobody was signed in through the identity provider: its token is not believed: %s", error)
        return asking(request, errand.to, "provider_odd", status=403)
    person = await run_in_threadpool(_admitted, claims, away, house)
    if person is None:
        log.info("%s is nobody here: %r of %s", away.settings.called, claims["sub"], away.settings.issuer)
        return plain_page(request, "unknown.html", status=403, subject=claims["sub"], contact=away.settings.contact)
    answer = RedirectResponse(errand.to, 303)
    session = await run_in_threadpool(house.accounts.begin, person, time.time(), token)
    visit.cookie(answer, request, visit.SESSION, session, SESSION_S)
    return answer


def _admitted(claims: dict[str, Any], away: Away, house: House) -> Person | None:
    """Let the journal have what the provider's word changes."""

    def note(change: str, person: Person) -> None:
        house.note(away.settings.called, change, user=person.name, role=person.role, reach=person.reach)

    return admit(claims, away.settings, house.accounts, note)
