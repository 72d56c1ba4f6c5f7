"""Which regions there are and which site lies in which: the part of the store that says where a site is."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import AbstractContextManager
from typing import Any, Final

from sqlite_utils import Database

from controller import regions
from controller.database import now, transaction
from controller.journal import Journal
from controller.regions import RegionError
from device.wire.messages import Text

LIST: Final = "menshen region list"


class Gazetteer:
    """Tables regions and sites."""

    db: Database

    def transaction(self) -> AbstractContextManager[None]:
        """Return a block that is written whole or not at all."""
        return transaction(self.db)

    def regions(self) -> dict[str, Text]:
        """Return the titles of every region, in both languages where there is only one."""
        rows = self.db.execute("SELECT region, title_zh, title_en FROM regions ORDER BY region")
        return {region: Text(zh or en, en or zh) for region, zh, en in rows}

    def lies(self) -> dict[str, str]:
        """Return in which region each site lies; those that lie in none are not there."""
        return dict(self.db.execute("SELECT site, region FROM sites ORDER BY site").fetchall())

    def region_of(self, site: str) -> str:
        """Return in which region a site lies; empty: in none."""
        row = self.db.execute("SELECT region FROM sites WHERE site = ?", (site,)).fetchone()
        return row[0] if row else ""

    def sites_within(self, region: str) -> list[str]:
        """Return the sites that lie in a region, or somewhere below it."""
        return [site for site, each in self.lies().items() if regions.within(each, region)]

    def known_regions(self, wanted: Iterable[str]) -> None:
        """Raise RegionError for the first that is none."""
        known = self.regions()
        for region in wanted:
            if region not in known:
                raise RegionError(f"there is no region {region!r}: {regions.nearest(region, known, LIST)}")

    def add_region(self, region: str, zh: str, en: str, by: str) -> None:
        """Add a region, or change its titles. Raise RegionError."""
        with self.transaction():
            known = self.regions()
            inside = regions.above(region)
            if inside and inside not in known:
                raise RegionError(f"{region} would be in {inside}, which is not there: menshen region add {inside}")
            self.db.execute(
                "INSERT INTO regions VALUES (?, ?, ?)"
                " ON CONFLICT (region) DO UPDATE SET title_zh = excluded.title_zh, title_en = excluded.title_en",
                (region, zh, en),
            )
            self._note(by, "region_renamed" if region in known else "region_added", region=region)

    def remove_region(self, region: str, by: str) -> None:
        """Remove a region that is empty. Raise RegionError."""
        with self.transaction():
            self.known_regions([region])
            below = [each for each in self.regions() if regions.above(each) == region]
            sites = [site for site, each in self.lies().items() if each == region]
            if below or sites:
                raise RegionError(f"{region} is not empty: first remove or reassign {', '.join(below + sites)}")
            self.db.execute("DELETE FROM regions WHERE region = ?", (region,))
            self._note(by, "region_removed", region=region)

    def assign(self, site: str, region: str, by: str) -> None:
        """Let a site lie in a region, or in none where that is empty. Raise RegionError."""
        with self.transaction():
            before = self.region_of(site)
            sites = {each for (each,) in self.db.execute("SELECT DISTINCT site FROM entrances")} | set(self.lies())
            if site not in sites:
                hint = regions.nearest(site, sites, "menshen entrance list")
                raise RegionError(f"no entrance of a site {site!r} is registered: {hint}")
            if region:
                self.known_regions([region])
                self.db.execute(
                    "INSERT INTO sites VALUES (?, ?) ON CONFLICT (site) DO UPDATE SET region = excluded.region",
                    (site, region),
                )
            else:
                self.db.execute("DELETE FROM sites WHERE site = ?", (site,))
            if region != before:
                self._note(by, "site_assigned", site=site, region=region, before=before)

    def note(self, by: str, change: str, **what: Any) -> None:
        """Write into the journal what somebody does that no table here shows."""
        with self.transaction():
            self._note(by, change, **what)

    def _note(self, by: str, change: str, **what: Any) -> None:
        Journal(self.db).write(now(), by, change=change, **what)
