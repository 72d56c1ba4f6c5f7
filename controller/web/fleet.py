"""The fleet: what runs at each entrance, whether it holds what it should, and until when its certificate is good."""

from __future__ import annotations

import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from starlette.responses import Response

from controller import ledger, overview
from controller.database import now
from controller.store import Store
from controller.web.pages import page
from controller.web.visit import House, Visit

PAGE: Final = 100
SOON_S: Final = 14 * 86400  # before a certificate's end


def fleet(visit: Visit) -> Response:
    """The page of all gates."""
    with visit.house.readers.lent() as store:
        found = sorted(overview.entrances(store, now(), visit.person), key=lambda each: str(each.place))
        version, lost = store.version(), _lost(store)
    ends = certificates(visit.house)
    after = visit.request.query_params.get("after", "")
    left = [each for each in found if str(each.place) > after]
    return page(
        visit,
        "fleet.html",
        found=left[:PAGE],
        total=len(found),
        older=str(left[PAGE - 1].place) if len(left) > PAGE else "",
        version=version,
        lost=lost,
        identities=bool(visit.house.config.identity.folder),
        ends={place: datetime.fromtimestamp(until, tz=UTC) for place, until in ends.items()},
        soon={place for place, until in ends.items() if until - time.time() < SOON_S},
    )


def certificates(house: House) -> dict[str, int]:
    """Return until when the newest certificate of each gate in force is good, in seconds since 1970."""
    folder = house.config.identity.folder
    return ledger.certified(Path(folder)) if folder else {}


def _lost(store: Store) -> dict[str, int]:
    rows = store.db.execute(
        "SELECT n.site || '/' || n.name, sum(s.lost) FROM spools s JOIN entrances n ON n.id = s.entrance_id GROUP BY 1"
    )
    return {place: int(lost) for place, lost in rows}
