"""Regions: a tree that sites lie in, such as province, city and county. Pure, but for the tables they are kept in.

A region is named by the ids on the way to it from the top, as `zhejiang/hangzhou/xihu`: what is in what can be read off
its name, and it does not change when a list of codes does. Whoever counts by official codes makes them the ids, as
`33/01/06`.
"""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Mapping
from typing import Annotated, Final

from msgspec import Meta

from device.wire.messages import Text

PREFIX: Final = "region:"  # before a region where sites and entrances may stand as well
LEVELS: Final = 6
ID: Final = r"(?=[a-z0-9-]{2,32}(?:/|\Z))[a-z0-9]+(?:-[a-z0-9]+)*"  # as those of sites and entrances
PATTERN: Final = rf"^{ID}(?:/{ID}){{0,{LEVELS - 1}}}\Z"
Path = Annotated[str, Meta(pattern=PATTERN)]
STEP: Final = " › "

TABLES: Final = """
CREATE TABLE regions (
    region TEXT PRIMARY KEY, -- ids from the top down, with slashes; what is above it is here as well
    title_zh TEXT NOT NULL,
    title_en TEXT NOT NULL
) WITHOUT ROWID;
CREATE TABLE sites ( -- those that lie in a region
    site TEXT PRIMARY KEY,
    region TEXT NOT NULL REFERENCES regions (region)
) WITHOUT ROWID;
CREATE INDEX sites_of_region ON sites (region);
ALTER TABLE silences ADD COLUMN region TEXT NOT NULL DEFAULT ''; -- empty: any, as the others
"""


class RegionError(ValueError):
    """A region, or a site, with which this cannot be done; the text names the fix."""


def is_one(text: str) -> bool:
    """Tell whether a region can be named so."""
    return re.search(PATTERN, text) is not None


def within(region: str, whole: str) -> bool:
    """Tell whether a region is another, or somewhere below it."""
    return region == whole or region.startswith(f"{whole}/")


def above(region: str) -> str:
    """Return the region that one is in; empty at the top."""
    return region.rpartition("/")[0]


def way(region: str) -> list[str]:
    """Return the regions on the way to one from the top, itself included."""
    ids = region.split("/") if region else []
    return ["/".join(ids[: number + 1]) for number in range(len(ids))]


def title(region: str, titles: Mapping[str, Text]) -> Text:
    """Return what people call a region, with all it is in."""
    steps = [titles.get(each) or Text("", "") for each in way(region)]
    ids = region.split("/")
    return Text(
        STEP.join(step.zh or name for step, name in zip(steps, ids, strict=False)),
        STEP.join(step.en or name for step, name in zip(steps, ids, strict=False)),
    )


def nearest(name: str, known: Iterable[str], command: str) -> str:
    """Return what to say beside a name that nobody knows."""
    found = difflib.get_close_matches(name, list(known), n=1, cutoff=0.5)
    return f"did you mean {found[0]!r}?" if found else f"`{command}` shows what there is"
