"""All pages together: which path leads where, and what is said of what goes wrong."""

from __future__ import annotations

import logging
import sqlite3
from pathlib import Path
from typing import Final

from starlette.applications import Starlette
from starlette.exceptions import HTTPException
from starlette.middleware import Middleware
from starlette.requests import Request
from starlette.responses import Response
from starlette.routing import Mount, Route
from starlette.staticfiles import StaticFiles

from controller.database import StoreError
from controller.oidc.settings import CALLBACK
from controller.web import acts, alerts, api, board, entrance, events, fleet, journal, openapi, provider, sign, stream
from controller.web.headers import Headers
from controller.web.pages import plain_page
from controller.web.visit import House, RefusedError, signed_in

log = logging.getLogger(__name__)

STATIC: Final = Path(__file__).parent / "static"


def app(house: House) -> Starlette:
    """Return the pages over one database and its accounts."""
    built = Starlette(
        routes=[
            Route("/", signed_in(board.board)),
            Route("/board", signed_in(board.entrances)),
            Route("/changes", stream.changes),
            Route("/entrances/{site}/{entrance}", signed_in(entrance.entrance)),
            Route("/entrances/{site}/{entrance}/day", signed_in(entrance.day)),
            Route("/alerts", signed_in(alerts.alerts)),
            Route("/alerts/{number:int}/acknowledge", acts.acknowledged, methods=["POST"]),
            Route("/alerts/{number:int}/resolve", acts.resolved, methods=["POST"]),
            Route("/silences", acts.silenced, methods=["POST"]),
            Route("/silences/{number:int}/end", acts.unsilenced, methods=["POST"]),
            Route("/journal", signed_in(journal.journal)),
            Route("/events", signed_in(events.events)),
            Route("/events.csv", signed_in(events.exported)),
            Route("/fleet", signed_in(fleet.fleet)),
            Route("/sign-in", sign.sign_in, methods=["GET", "POST"]),
            Route("/sign-in/provider", provider.leave, methods=["POST"]),
            Route(CALLBACK, provider.arrive),
            Route("/welcome", sign.welcome, methods=["GET", "POST"]),
            Route("/sign-out", sign.sign_out, methods=["POST"]),
            Route("/look", sign.look),
            Route(f"{api.ROOT}/openapi.json", openapi.described),
            *api.routes(),
            Mount("/static", StaticFiles(directory=STATIC)),
        ],
        middleware=[Middleware(Headers)],
        exception_handlers={
            RefusedError: _refused,
            HTTPException: _missing,
            StoreError: _no_database,
            sqlite3.OperationalError: _no_database,
        },
    )
    built.state.house = house
    built.state.pulse = stream.Pulse(house.config.store.path)
    return built


def _refused(request: Request, error: Exception) -> Response:
    assert isinstance(error, RefusedError)  # noqa: S101 what this handler is for
    return plain_page(request, "refused.html", status=error.status, why=error.word, detail=error.detail)


def _missing(request: Request, error: Exception) -> Response:
    status = error.status_code if isinstance(error, HTTPException) else 500
    return plain_page(request, "refused.html", status=status, why="not_found", detail="")


def _no_database(request: Request, error: Exception) -> Response:
    log.warning("%s: %s", request.url.path, error)
    return plain_page(request, "refused.html", status=503, why="no_database", detail="")
