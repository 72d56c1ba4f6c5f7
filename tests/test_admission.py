"""Who somebody is here by their claims: names and groups, and what is neither."""

from __future__ import annotations

from typing import Any

import pytest

from controller.oidc.admission import granted, name
from controller.oidc.settings import Grant, OidcSection

CHIEFS, GUARDS = Grant(group="chiefs", role="operator"), Grant(group="guards", role="guard")
SETTINGS = OidcSection(name="email", groups="roles", grant=(CHIEFS, GUARDS))


@pytest.mark.parametrize(
    ("groups", "grant"),
    [
        (["guards", "chiefs"], CHIEFS),
        (["others", "guards"], GUARDS),
        ("guards", GUARDS),
        ("guards chiefs", None),
        (["Guards"], None),
        ([["guards"]], None),
        ({"guards": True}, None),
        ([None, 7], None),
        (None, None),
    ],
)
def test_the_first_grant_that_fits_counts(groups: Any, grant: Grant | None) -> None:
    assert granted({"roles": groups}, SETTINGS) == grant
    assert granted({"groups": groups}, SETTINGS) is None


@pytest.mark.parametrize("said", [None, "true", 1, False])
def test_an_address_that_nobody_checked_is_no_name(said: Any) -> None:
    claims = {"email": "guard-7@board.example", "email_verified": True}
    assert name(claims, SETTINGS) == "guard-7@board.example"
    assert name(claims | {"email_verified": said}, SETTINGS) == ""
    assert name(claims, OidcSection()) == ""


@pytest.mark.parametrize("said", ["", " guard 7", "guard\x1b[2J", "x" * 65, "guard\u202e7", 7, None, ["guard 7"]])
def test_what_no_alert_could_carry_is_no_name(said: Any) -> None:
    assert name({"called": said}, OidcSection(name="called")) == ""
    assert name({"called": "guard 7"}, OidcSection(name="called")) == "guard 7"
