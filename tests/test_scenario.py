"""Scenarios: what they can say, what is wrong with a line, and what is expected of the world."""

from __future__ import annotations

import re
from pathlib import Path
from typing import Any

import pytest

from controller.scenario import ScenarioError, play, read
from controller.tray import TRAY
from controller.world import World
from hardware.stage import Stage

SCENARIOS = sorted((Path(__file__).parents[1] / "docs/scenarios").glob("*.txt"))


@pytest.fixture
def world(tmp_path: Path) -> World:
    """Make a world in which nothing is at work: what happens is noted by hand."""
    return World(tmp_path)


def scan(world: World, seq: int, outcome: str, *reasons: str) -> None:
    payload: dict[str, Any] = {"spool": "s", "seq": seq, "event_type": outcome, "reasons": list(reasons)}
    world._heard("scan", payload)


def told(world: World, text: str) -> str:
    """Play lines of `expect`; return what is wrong, empty when they come true."""
    try:
        play(world, read(text, "a.txt"), "a.txt", lambda _: None)
    except ScenarioError as error:
        return str(error)
    return ""


@pytest.mark.parametrize("path", SCENARIOS, ids=lambda path: path.stem)
def test_scenarios_that_ship_can_be_read_and_speak_both_languages(path: Path) -> None:
    text = path.read_text(encoding="utf-8")
    assert any(line.expected for line in read(text, path.name))
    title = text.partition("\n\n")[0]
    assert any(ord(letter) > 0x3000 for letter in title)
    assert any(letter.isascii() and letter.isalpha() for letter in title)


def test_comments_and_blank_lines_are_for_people() -> None:
    assert [line.text for line in read("# all\n\nshow A # b\n  wait 1\nshow https://x/#here\n", "a")] == [
        "show A",
        "wait 1",
        "show https://x/#here",
    ]


@pytest.mark.parametrize(
    ("line", "fix"),
    [
        ("wait long", "'long' is no number"),
        ("wait 0", "more than 0"),
        ("expect", "expect what?"),
        ("expect lamp purple", "a lamp is off, green"),
        ("expect relay open", "a pin is on or off"),
        ("expect alert fire gone", "'gone' is neither"),
        ("expect lamp red within soon", "'soon' is no number"),
    ],
)
def test_a_line_that_makes_no_sense_is_named_before_anything_is_played(line: str, fix: str) -> None:
    with pytest.raises(ScenarioError, match=r"b\.txt:2: ") as caught:
        read(f"press\n{line}", "b.txt")
    assert fix in str(caught.value)


def test_what_happened_since_the_last_act_counts_and_what_was_before_does_not(world: World) -> None:
    scan(world, 1, "refuse", "invalid_time", "rules")
    assert told(world, "expect event scan refuse") == ""
    assert told(world, "expect event scan refuse rules invalid_time") == ""
    wrong = told(world, "expect event scan grant within 0.01")
    assert wrong.startswith("a.txt:1: expect event scan grant within 0.01: did not happen within 0.01 s")
    assert "scan refuse invalid_time rules" in wrong


def test_an_event_that_is_said_again_happened_once(world: World) -> None:
    scan(world, 1, "grant")
    scan(world, 1, "grant")
    assert [each.name for each in world.past] == ["scan"]


def test_lamp_and_pins_may_be_so_or_have_been_so(world: World) -> None:
    world._pins_are(1.0, {"lamp_red": True, "lamp_green": True, "lamp_blue": True, "relay": True})
    world._pins_are(2.0, {"lamp_red": False, "lamp_blue": False, "relay": False})
    assert told(world, "expect lamp green\nexpect lamp white\nexpect relay on\nexpect relay off") == ""
    assert "now: green" in told(world, "expect lamp red within 0.01")
    assert told(world, "expect no buzzer on within 0.01\nexpect no lamp red within 0.01") == ""
    assert "happened" in told(world, "expect no relay on within 0.01")


def test_alerts_are_open_or_over(world: World) -> None:
    assert told(world, "expect alert fire over\nexpect no alert fire within 0.01") == ""
    world._heard("alert/fire", {"kind": "fire"})
    assert told(world, "expect alert fire\nexpect no alert tamper within 0.01") == ""
    assert "now: fire" in told(world, "expect alert tamper within 0.01")
    world._heard("alert/fire", {})
    assert told(world, "expect alert fire over") == ""


def test_the_screen_may_show_guidance(world: World) -> None:
    world._screen_is({"kind": "ready", "hint": "too_far"})
    assert told(world, "expect screen ready too_far") == ""
    assert told(world, "expect screen ready within 0.01")


def test_an_act_that_cannot_be_done_names_the_line_and_why(world: World) -> None:
    assert told(world, "\nshow @nothing") == "a.txt:2: show @nothing: show: no @nothing on the tray; there are " + (
        ", ".join(f"@{name}" for name in ("good", "badge", "rotating", "screenshot", "expired", "forged", "revoked"))
        + ", @foreign, @card, @ticket, @oldticket, @hc1, @oldhc1, @chinese, @english, @menu"
    )
    assert told(world, "press") == "a.txt:1: press: the gate has no power: power on first"
    assert told(world, "power maybe") == "a.txt:1: power maybe: power on or off? 'maybe' is neither"


def test_everything_one_can_do_is_on_the_page_about_it(tmp_path: Path) -> None:
    page = (SCENARIOS[0].parents[1] / "kiosk.md").read_text(encoding="utf-8")
    acts = set(Stage(None, tmp_path / "scene")._acts) - {"passed", "poster", "waiting", "near"}  # not in the kiosk
    missing = [name for name in (*(f"@{name}" for name in TRAY), *acts) if not re.search(rf"{name}\b", page)]
    assert missing == []
