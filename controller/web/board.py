"""The live board: every entrance, the worst first."""

from __future__ import annotations

from typing import Final

from starlette.responses import Response

from controller import overview
from controller.database import now
from controller.web.pages import page
from controller.web.visit import Visit

CARDS: Final = 60  # in full; more than anybody takes in, and quick to write


def board(visit: Visit) -> Response:
    """The whole board; `?wall=1` leaves out what nobody can click from afar."""
    return page(visit, "board.html", wall="wall" in visit.request.query_params, **_standing(visit))


def entrances(visit: Visit) -> Response:
    """Only what moves, for a board that is shown already."""
    return page(visit, "entrances.html", **_standing(visit))


def _standing(visit: Visit) -> dict[str, object]:
    at = now()
    with visit.house.readers.lent() as store:
        found = overview.entrances(store, at, visit.person)
    alerts = [alert for each in found for alert in each.alerts]
    return {
        "found": found[:CARDS],
        "rest": found[CARDS:],
        "count": {rank: sum(each.rank == rank for each in found) for rank in overview.RANKS},
        "newest": max(alerts, key=lambda alert: alert.since, default=None),
        "at": at,
    }
