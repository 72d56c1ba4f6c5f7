"""Who may do what at which entrances: four roles, each with all the one before it may. Pure."""

from __future__ import annotations

from typing import Final, Literal

from msgspec import Struct

from device.wire.messages import Place, Text

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


class Person(Struct, frozen=True, kw_only=True):
    """Somebody who may sign in. `reach` holds sites and entrances; none: every one."""

    name: str
    role: Role
    reach: tuple[str, ...] = ()

    def may(self, act: Act) -> bool:
        """Tell whether this person's role does that."""
        return ROLES.index(self.role) >= ROLES.index(NEEDS[act])

    def reaches(self, place: Place) -> bool:
        """Tell whether an entrance is this person's to see."""
        return not self.reach or place.site in self.reach or str(place) in self.reach
