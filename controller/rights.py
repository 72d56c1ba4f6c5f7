"""Who may do what at which entrances: four roles, each with all the one before it may. Pure.

Where an entrance is, its region, comes in as an argument, asked for anew each time: a site that is moved is at once
within the reach of others.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Final, Literal, NamedTuple

from msgspec import Struct

from controller.regions import PREFIX, is_one, within
from device.wire.messages import MessageError, Place, Text

Role = Literal["viewer", "guard", "operator", "administrator"]
Act = Literal["see", "acknowledge", "note", "silence", "resolve", "export", "journal"]

ROLES: Final[tuple[Role, ...]] = ("viewer", "guard", "operator", "administrator")
NEEDS: Final[dict[Act, Role]] = {
    "see": "viewer",
    "acknowledge": "guard",
    "note": "guard",
    "silence": "operator",
    "resolve": "operator",
    "export": "operator",
    "journal": "administrator",
}
TITLES: Final[dict[Role, Text]] = {
    "viewer": Text("查看者", "viewer"),
    "guard": Text("保安", "guard"),
    "operator": Text("值班员", "operator"),
    "administrator": Text("管理员", "administrator"),
}


WHOLE: Final[tuple[Act, ...]] = ("journal",)  # tells of everything, so whoever does it reaches everything


def can_be_reach(text: str) -> bool:
    """Tell whether it names a region, as `region:...`, a site, or an entrance; not whether there is one."""
    if text.startswith(PREFIX):
        return is_one(text.removeprefix(PREFIX))
    try:
        Place.parse(text if "/" in text else f"{text}/any")
    except MessageError:
        return False
    return True


class Scope(NamedTuple):
    """Some entrances: of a region, of a site, or one; nothing named: every one."""

    region: str = ""
    site: str = ""
    entrance: str = ""


class Person(Struct, frozen=True, kw_only=True):
    """Somebody who may sign in. `reach` holds regions, as `region:...`, sites and entrances; none: every one."""

    name: str
    role: Role
    reach: tuple[str, ...] = ()

    def may(self, act: Act) -> bool:
        """Tell whether this person does that."""
        if act in WHOLE and self.reach:
            return False
        return ROLES.index(self.role) >= ROLES.index(NEEDS[act])

    def reaches(self, place: Place, region: str) -> bool:
        """Tell whether an entrance is this person's to see; `region` is where its site lies, empty: in none."""
        return not self.reach or any(_holds(each, Scope(region, *place)) for each in self.reach)

    def has(self, scope: Scope, regions: Mapping[str, str]) -> bool:
        """Tell whether all of that is this person's; `regions` says where sites lie."""
        return not self.reach or any(_holds(each, _placed(scope, regions)) for each in self.reach)

    def touches(self, scope: Scope, regions: Mapping[str, str]) -> bool:
        """Tell whether some of that may be this person's."""
        scope = _placed(scope, regions)
        if not self.reach or scope == Scope():
            return True
        return any(_holds(each, scope) or _is_in(_scope(each, regions), scope) for each in self.reach)


def _holds(reach: str, scope: Scope) -> bool:
    """Tell whether all of that is within one part of somebody's reach."""
    if reach.startswith(PREFIX):
        return within(scope.region, reach.removeprefix(PREFIX))
    site, _, entrance = reach.partition("/")
    return scope.site == site and (not entrance or scope.entrance == entrance)


def _is_in(mine: Scope, other: Scope) -> bool:
    """Tell whether what is mine is a part of something larger."""
    if not other.site:
        return within(mine.region, other.region)
    return mine.site == other.site and other.entrance in ("", mine.entrance)


def _scope(reach: str, regions: Mapping[str, str]) -> Scope:
    if reach.startswith(PREFIX):
        return Scope(reach.removeprefix(PREFIX))
    site, _, entrance = reach.partition("/")
    return Scope(regions.get(site, ""), site, entrance)


def _placed(scope: Scope, regions: Mapping[str, str]) -> Scope:
    """Say of a site or an entrance in which region it is; nothing else says so."""
    return scope._replace(region=regions.get(scope.site, "")) if scope.site else scope
