"""The operators' pages in a real Chromium: what people click, hear and see, in both languages, light and dark."""

from __future__ import annotations

import re
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from controller.store import Store
from controller.web.phrases import PHRASES
from tests.boarders import DOCK, PASSWORD, SOUTH, WEST, Pages, pages, settle
from tests.browser import CONTRAST, Browser, browsing, needs_chromium

pytestmark = needs_chromium
DESK, PHONE, WALL = (1360, 850), (390, 844), (1920, 1080)
PAGES = ("/", "/?region=zhejiang", "/entrances/expo/north", "/alerts?state=", "/events", "/fleet", "/journal")
# The contrast of each piece of text with what is behind it, what is too small for a finger, and what sticks out.
MEASURE = """
const behind = (node) => { for (let at = node; at; at = at.parentElement) {
    const found = getComputedStyle(at).backgroundColor; if ((rgba(found)[3] ?? 1) > 0.99) return found; }
  return "rgb(255, 255, 255)"; };
const wrong = [];
const walk = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walk.nextNode()) {
  const node = walk.currentNode.parentElement, text = walk.currentNode.textContent.trim();
  if (!text || !node.checkVisibility() || node.closest("svg, option, .skip, .u-legend, script")) continue;
  const found = contrast(getComputedStyle(node).color, behind(node));
  if (found < 4.5) wrong.push(`${text.slice(0, 40)}: contrast ${found.toFixed(2)}`);
}
for (const node of document.querySelectorAll("a, button, input:not([type=hidden]), select, summary")) {
  if (!node.checkVisibility() || node.matches(".skip, td a, p a")) continue;
  const box = node.getBoundingClientRect();
  if (Math.min(box.width, box.height) < 24) wrong.push(`${node.outerHTML.slice(0, 80)}: ${box.width}x${box.height}`);
}
for (const node of document.querySelectorAll("input:not([type=hidden]), select, textarea"))
  if (!node.labels.length) wrong.push(`${node.name} has no label`);
const wide = document.documentElement.scrollWidth;
if (wide > innerWidth) wrong.push(`wider than the view: ${wide}`);
if (document.querySelectorAll("h1").length !== 1) wrong.push("not one h1");
const ids = [...document.querySelectorAll("[id]")].map((node) => node.id);
if (new Set(ids).size !== ids.length) wrong.push("an id twice");
return wrong;
"""


class Operator:
    """Somebody before a browser."""

    def __init__(self, browser: Browser, office: Pages) -> None:
        self.browser = browser
        self.office = office
        self.url = f"http://127.0.0.1:{office.config.web.port}"

    def open(self, path: str, size: tuple[int, int] = DESK) -> None:
        self.browser.open(self.url + path, *size)

    def look(self, language: str, theme: str) -> None:
        self.browser.run(f"document.cookie = 'language={language}; path=/'; document.cookie = 'theme={theme}; path=/'")

    def fill(self, selector: str, text: str) -> None:
        self.browser.run("document.querySelector(arguments[0]).value = arguments[1]", selector, text)

    def follow(self, name: str) -> None:
        """Click a link of what moves: found and clicked at once, before it is swapped."""
        self.browser.run("document.getElementById(arguments[0]).click()", name)

    def key(self, key: str) -> None:
        self.browser.run(
            "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: arguments[0], bubbles: true}))",
            key,
        )

    def text(self, selector: str = "main") -> str:
        return str(self.browser.run(f"return document.querySelector('{selector}').innerText"))

    def state(self, kind: str) -> str:
        with Store(Path(self.office.config.store.path), read_only=True) as store:
            return next(alert.state for alert in store.open_alerts().values() if alert.kind == kind)


@pytest.fixture(scope="module")
def operator(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Operator]:
    folder = tmp_path_factory.mktemp("board")
    with pages(folder) as office, browsing(tmp_path_factory.mktemp("browser")) as browser:
        with Store(folder / "controller.db") as store:
            settle(store)
        made = Operator(browser, office)
        made.open("/")
        made.fill("[name=name]", "administrator 1")
        made.fill("[name=password]", PASSWORD)
        made.browser.click("button.main")
        made.browser.until("document.querySelector('#live') !== null")
        made.look("en", "light")
        yield made
        assert browser.complaints() == []


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["desk", "phone"])
@pytest.mark.parametrize("theme", ["light", "dark"])
def test_every_page_can_be_read_and_used(operator: Operator, size: tuple[int, int], theme: str) -> None:
    for language in ("zh", "en"):
        operator.look(language, theme)
        for path in PAGES:
            operator.open(path, size)
            where = f"{path} {size} {theme} {language}"
            assert operator.browser.run(CONTRAST + MEASURE) == [], where
            assert operator.browser.run("return document.documentElement.lang") == (
                "zh-CN" if language == "zh" else "en"
            )
    operator.look("en", "light")


def test_language_and_light_are_chosen_by_clicking(operator: Operator) -> None:
    operator.open("/")
    operator.browser.click(".tool[hreflang='zh-CN']")
    operator.browser.until("document.querySelector('h1').innerText", PHRASES["board"].zh.__eq__)
    operator.browser.click(".tool.only-light")
    operator.browser.until("document.documentElement.dataset.theme", "dark".__eq__)
    operator.browser.click(".tool.only-dark")
    operator.browser.click(".tool[hreflang='en']")
    operator.browser.until("document.querySelector('h1').innerText", PHRASES["board"].en.__eq__)


def test_a_rank_is_a_shape_and_a_word_beside_its_colour(operator: Operator) -> None:
    operator.open("/")
    shapes = operator.browser.run(
        "return [...document.querySelectorAll('.tally li')]"
        ".map((li) => [li.querySelector('.fill').outerHTML, li.innerText])"
    )
    assert len({shape for shape, _ in shapes}) == len({text.split()[-1] for _, text in shapes}) == 4


def test_regions_lead_down_and_up_and_stay_when_the_board_moves(operator: Operator) -> None:
    operator.open("/")
    operator.follow("r/zhejiang")
    operator.browser.until("document.querySelector('h1').innerText === 'Board · Zhejiang'")
    operator.follow("r/zhejiang/hangzhou")
    operator.browser.until("document.querySelectorAll('.entrance').length === 4")
    operator.browser.run("document.getElementById('r/zhejiang').focus()")
    operator.browser.run("document.activeElement.dataset.before = 'yes'")
    operator.office.past.online(WEST, at=datetime.now(tz=UTC))
    operator.browser.until("document.activeElement.id === 'r/zhejiang' && !document.activeElement.dataset.before")
    assert operator.browser.run("return document.querySelectorAll('.entrance').length") == 4
    operator.follow("r/")
    operator.browser.until("document.querySelectorAll('.entrance').length === 5")


def test_what_is_acknowledged_in_a_region_leaves_the_region_in_view(operator: Operator) -> None:
    operator.open("/?region=zhejiang/hangzhou")
    operator.browser.run("document.querySelector('#e-expo-east button.acknowledge').click()")
    operator.browser.until("document.querySelector('#e-expo-east').innerText.includes('taken on by administrator 1')")
    assert operator.browser.run("return document.querySelector('#e-hall-dock')") is None


def test_an_alert_begins_like_a_sentence_in_english_too(operator: Operator) -> None:
    operator.look("en", "light")
    for path, where in (("/", ".entrance .told"), ("/alerts", ".alerts.list .told")):
        operator.open(path)
        first = f"getComputedStyle(document.querySelector('{where}'), '::first-letter').textTransform"
        assert operator.browser.run(f"return {first}") == "uppercase"


def test_the_keyboard_moves_and_acknowledges(operator: Operator) -> None:
    operator.open("/")
    for key in "jjk":
        operator.key(key)
    assert operator.browser.run("return document.activeElement.closest('.entrance').id") == "e-hall-dock"
    assert operator.state("gate_offline") == "raised"
    operator.key("a")
    operator.browser.until("document.querySelector('#e-hall-dock').innerText.includes('taken on by administrator 1')")
    assert operator.state("gate_offline") == "acknowledged"


def test_what_moves_leaves_the_keyboard_where_it_is(operator: Operator) -> None:
    operator.open("/")
    operator.key("j")
    operator.browser.run("document.activeElement.dataset.before = 'yes'")
    operator.office.past.online(WEST, at=datetime.now(tz=UTC))
    operator.browser.until("document.activeElement.id === 't-hall-dock' && !document.activeElement.dataset.before")


def test_what_happens_shows_by_itself_and_sounds(operator: Operator) -> None:
    operator.open("/")
    operator.browser.click("#sound")
    operator.browser.until("document.body.dataset.chimes === '1'")
    assert operator.browser.run("return document.querySelector('.entrance').id") == "e-hall-dock"
    now = datetime.now(tz=UTC)
    operator.office.past.online(
        WEST, at=now, staffing="unstaffed", on_duty=(), staffing_since=now + timedelta(seconds=5)
    )
    operator.browser.until("document.querySelector('#e-expo-west.rank-warning') !== null")
    operator.browser.until("document.body.dataset.chimes === '2'")
    said = operator.browser.run("return document.getElementById('news').innerText")
    assert said == f"New alert: {WEST}: nobody guards the entrance"
    operator.office.past.online(WEST, at=now)
    operator.browser.until("document.querySelector('#e-expo-west.rank-fine') !== null")
    assert operator.browser.run("return document.body.dataset.chimes") == "2"


def test_an_alert_is_noted_silenced_and_resolved(operator: Operator) -> None:
    operator.open("/alerts")
    card = f"li:has(a[href='/entrances/{SOUTH}'])"
    operator.fill(f"{card} [name=note]", "someone is on the way")
    operator.browser.click(f"{card} button.acknowledge")
    operator.browser.until("document.body.innerText.includes('someone is on the way')")
    operator.browser.click(f"{card} summary")
    operator.fill(f"{card} [name=reason]", "a parade at the south gate")
    operator.browser.click(f"{card} form[action='/silences'] button")
    operator.browser.until("document.querySelector('.silence')?.innerText.includes('a parade at the south gate')")
    operator.open(f"/entrances/{SOUTH}")
    assert "silenced until" in operator.text()
    operator.open("/alerts")
    operator.browser.click(".silence button")
    operator.browser.until("document.querySelector('.silence') === null")
    operator.browser.click(f"{card} button[formaction$=resolve]")
    operator.browser.until(f'document.querySelector("{card}") === null')
    operator.open("/journal")
    assert len(re.findall("administrator 1", operator.text("table"))) >= 4


def test_events_are_searched_and_exported(operator: Operator) -> None:
    operator.open("/events")
    assert operator.browser.run("return document.querySelectorAll('tbody tr').length") == 50
    operator.fill("[name=text]", "invalid_time")
    operator.fill("[name=entrance]", "expo/north")
    operator.browser.click("form.filter button")
    operator.browser.until("document.querySelectorAll('tbody tr').length", (11).__eq__)
    assert set(operator.browser.run("return [...document.querySelectorAll('.what')].map((td) => td.innerText)")) == {
        "refuse"
    }
    assert "text=invalid_time" in operator.browser.run("return document.querySelector('a[href^=\"/events.csv\"]').href")


def test_a_day_is_drawn(operator: Operator) -> None:
    operator.open("/entrances/expo/north")
    operator.browser.until("document.body.dataset.drawn")
    for chart in ("scans", "warmth"):
        drawn = operator.browser.run(
            f"const c = document.querySelector('#{chart} canvas'); const d = c.getContext('2d')"
            ".getImageData(0, 0, c.width, c.height).data; return d.filter((v, i) => i % 4 === 3 && v > 0).length"
        )
        assert drawn > 1000, chart


def test_a_wall_has_only_the_entrances(operator: Operator) -> None:
    operator.open("/?wall=1", WALL)
    assert operator.browser.run("return document.querySelector('nav')") is None
    assert operator.browser.run("return document.querySelector('.entrance h2').innerText") == "Loading dock"
    assert operator.browser.run("return parseFloat(getComputedStyle(document.querySelector('h2')).fontSize)") >= 24
    assert str(DOCK) in operator.text()
