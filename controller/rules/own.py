"""Rules about the controller itself, which is a place like any other: a site of its own, of which no gate speaks."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from controller.config import RulesSection
from controller.facts import Facts, Finding
from device.wire.messages import Text

FAILING: Final = timedelta(seconds=30)  # for which a notifier may fail before that is an alert


def notifier_failed(facts: Facts, rules: RulesSection) -> Finding | None:  # noqa: ARG001 every rule is asked alike
    """An address that alerts go to has not been reached for a while; the other routes tell it."""
    since, name = facts.failing_since, facts.place.entrance
    if since is None or facts.now - since < FAILING:
        return None
    return Finding(
        severity="critical",
        since=since,
        what=Text(f"通知渠道 {name} 无法送达", f"the notifier {name} does not get through"),
        next_step=Text("请查看 menshen notify list", "see menshen notify list"),
    )
