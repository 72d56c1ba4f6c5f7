"""Signing in and out, setting a password for the first time, and choosing language and light."""

from __future__ import annotations

import time
from typing import Final

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import RedirectResponse, Response

from controller.accounts import SESSION_S, AccountError
from controller.web import visit
from controller.web.pages import plain_page
from controller.web.visit import RefusedError

YEAR_S: Final = 365 * 86400


async def sign_in(request: Request) -> Response:
    """Ask for name and password, and let in whoever has them."""
    house = visit.house(request)
    if request.method == "GET":
        return asking(request, request.query_params.get("to", "/"), "set" if "set" in request.query_params else "")
    given = await visit.fields(request)
    if not visit.same_site(request):
        raise RefusedError(403, "not_our_form")
    name, to = given.get("name", "").strip(), visit.local(given.get("to", "/"))
    address = request.client.host if request.client else ""
    if house.patience.waits(name, address, time.monotonic()):
        return asking(request, to, "wait", status=429, name=name)
    person = await run_in_threadpool(house.accounts.known, name, given.get("password", ""))
    if person is None:
        house.patience.wrong(name, address, time.monotonic())
        return asking(request, to, "wrong", status=403, name=name)
    house.patience.right(name, address)
    answer = RedirectResponse(to, 303)
    token = await run_in_threadpool(house.accounts.begin, person, time.time())
    visit.cookie(answer, request, visit.SESSION, token, SESSION_S)
    return answer


def asking(request: Request, to: str, said: str, *, status: int = 200, name: str = "") -> Response:
    """Ask for name and password, or whether to go to the identity provider; say what went wrong before."""
    house = visit.house(request)
    provider = house.away.settings if house.away else None
    return plain_page(
        request,
        "sign_in.html",
        status=status,
        to=visit.local(to),
        said=said,
        name=name,
        nobody=not house.accounts.people() and not (provider and provider.grant),
        provider=provider,
    )


async def welcome(request: Request) -> Response:
    """Let somebody set a password with a one-time token."""
    house = visit.house(request)
    if request.method == "GET":
        return plain_page(request, "welcome.html", said="", name="")
    given = await visit.fields(request)
    if not visit.same_site(request):
        raise RefusedError(403, "not_our_form")
    name, address = given.get("name", "").strip(), request.client.host if request.client else ""
    if house.patience.waits(name, address, time.monotonic()):
        return plain_page(request, "welcome.html", status=429, said="wait", name=name)
    token, password = given.get("token", "").strip(), given.get("password", "")
    try:
        done = await run_in_threadpool(house.accounts.accept, name, token, password, time.time())
    except AccountError:
        return plain_page(request, "welcome.html", status=422, said="too_short", name=name)
    if not done:
        house.patience.wrong(name, address, time.monotonic())
        return plain_page(request, "welcome.html", status=403, said="wrong_token", name=name)
    await run_in_threadpool(house.note, name, "password_set", user=name)
    return RedirectResponse("/sign-in?set", 303)


async def sign_out(request: Request) -> Response:
    """End the session of this browser, and where it came through the identity provider, the one there."""
    house = visit.house(request)
    given = await visit.fields(request)
    visitor, hint = await run_in_threadpool(visit.visit, request), ""
    if visitor:
        visit.carries(request, given, visitor.form)
        hint = await run_in_threadpool(house.accounts.end, request.cookies.get(visit.SESSION, ""))
    there = await house.away.farewell(hint) if house.away and hint else ""
    answer: Response = RedirectResponse("/sign-in", 303)
    if house.away and there:
        answer = plain_page(request, "leaving.html", target=there, called=house.away.settings.called)
    answer.delete_cookie(visit.SESSION, path="/")
    return answer


def look(request: Request) -> Response:
    """Choose language or light, and go back."""
    asked = request.query_params
    answer = RedirectResponse(visit.local(asked.get("to", "/")), 303)
    if asked.get("language") in ("zh", "en"):
        visit.cookie(answer, request, visit.LANGUAGE, asked["language"], YEAR_S)
    if asked.get("theme") in visit.THEMES:
        visit.cookie(answer, request, visit.THEME, asked["theme"], YEAR_S)
    return answer
