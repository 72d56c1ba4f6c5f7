"""Rules about who speaks with a gate's key."""

from __future__ import annotations

from datetime import timedelta
from typing import Final

from controller.config import RulesSection
from controller.facts import LONGEST_REASON, Facts, Finding, held
from device.wire.messages import Text
from device.wire.plain import harmless

# What the broker refuses to a name that is, or was, a gate's: see controller/refusals.py.
REFUSED: Final[dict[str, Text]] = {
    "publish": Text("发布到不属于它的主题", "it said something on a topic that is not its own"),
    "subscribe": Text("订阅不属于它的主题", "it wanted to hear a topic that is not its own"),
    "will": Text("遗嘱指向不属于它的主题", "it left a will on a topic that is not its own"),
    "protocol": Text("发送了本系统不会发送的报文", "it sent what no program of ours sends"),
    "revoked": Text("已吊销的门机再次连接", "a gate that was revoked or replaced came back"),
}
CLONED: Final = 5  # takeovers with no long pause; fewer are a gate that came back before its old connection was missed
FLOOD: Final = 5000  # messages too many; fewer are a gate's whose controller stood still, so that it repeated itself


def flooding(facts: Facts, rules: RulesSection) -> Finding | None:
    """A gate says more than an entrance has. What is too much is not taken, and no other gate waits for it."""
    run = facts.flood
    if run is None or run.count < FLOOD or not held(run, facts, rules.flood_hold_s):
        return None
    return Finding(
        severity="warning",
        since=run.since,
        count=run.count,
        what=Text(
            f"消息泛滥：超出正常数量 {run.count} 条", f"it floods: {run.count} messages more than an entrance has"
        ),
        next_step=Text(
            f"请检查门机；仍不停止则吊销：menshen entrance revoke {facts.place}",
            f"look at the gate; where it goes on, revoke it: menshen entrance revoke {facts.place}",
        ),
    )


def cloned_gate(facts: Facts, rules: RulesSection) -> Finding | None:
    """Two devices push each other off the broker, again and again: both have the key of this gate."""
    run = facts.takeovers
    if run is None or run.count < CLONED or facts.now - run.last >= timedelta(seconds=rules.refused_hold_s):
        return None
    commands = f"menshen entrance revoke {facts.place}, menshen entrance claim {facts.place}"
    return Finding(
        severity="critical",
        since=run.since,
        count=run.count,
        what=Text("同一门机密钥在两处反复连接，可能已被复制", "two devices connect with the key of this gate"),
        next_step=Text(
            f"请检查门机，吊销后重新入网：{commands}", f"look after the gate, then give it a new key: {commands}"
        ),
    )


def unauthorized_client(facts: Facts, rules: RulesSection) -> Finding | None:
    """Somebody with a key of this entrance, in force or revoked, tries what the broker refuses."""
    run = facts.refused
    if run is None or facts.now - run.last >= timedelta(seconds=rules.refused_hold_s):
        return None
    last = REFUSED.get(run.reason, Text(*2 * (harmless(run.reason, LONGEST_REASON),)))
    times = "once" if run.count == 1 else f"{run.count} times, the last"
    return Finding(
        severity="warning",
        since=run.since,
        count=run.count,
        what=Text(f"被消息代理拒绝 {run.count} 次，最近一次：{last.zh}", f"refused by the broker {times}: {last.en}"),
        next_step=Text(
            "请查看 menshen controller refusals，并核实持有该密钥的设备",
            "see menshen controller refusals, and find the device that has this key",
        ),
    )


def unknown_entrance(facts: Facts, rules: RulesSection) -> Finding | None:  # noqa: ARG001 every rule is asked alike
    """An entrance speaks that nobody registered. What it says is kept all the same."""
    if facts.registered_at is not None or facts.heard_at is None:
        return None
    command = f"menshen entrance add {facts.place}"
    return Finding(
        severity="warning",
        since=facts.heard_at,
        what=Text("未登记的入口在发送消息", "an entrance that nobody registered is speaking"),
        next_step=Text(f"如果是自己的入口：{command}", f"if it is one of yours: {command}"),
    )
