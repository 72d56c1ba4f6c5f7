"""The journal: every change of an alert, an entrance, a region or a user, and who made it."""

from __future__ import annotations

from typing import Any, Final

from starlette.responses import Response

from controller import deeds
from controller.history import LARGEST
from controller.web.pages import page
from controller.web.visit import Visit

PAGE: Final = 100


def journal(visit: Visit) -> Response:
    """A page of the journal, the newest entry first."""
    visit.need("journal")
    asked = visit.request.query_params.get("before", "")
    before = int(asked) if asked.isdecimal() and int(asked) < LARGEST else None
    with visit.house.readers.lent() as store:
        rows = store.journal_entries(limit=PAGE, before=before)
        head = store.journal_head()
    return page(
        visit,
        "journal.html",
        rows=[_row(row, visit) for row in rows],
        head=head,
        older=rows[-1]["seq"] if len(rows) == PAGE else 0,
    )


def _row(row: dict[str, Any], visit: Visit) -> dict[str, Any]:
    what = row["what"]
    return {
        **row,
        "change": deeds.change(what, visit.tongue),
        "about": deeds.subject(what, visit.tongue),
        "details": deeds.details(what, visit.tongue),
    }
