"""The visitor's screen in a real Chromium: what people see and hear of a code, in their language, on any display."""

from __future__ import annotations

import socket
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread

import pytest

from controller.broker import free_port
from device.config import ScreenSection
from device.display import Display
from device.preview import Preview
from device.retina import small
from device.screen.phrases import HINTS, STEPS, TITLES
from device.shown import Shown
from hardware.camera.drawing import draw
from hardware.scene import Scene
from tests.browser import CONTRAST, Browser, browsing, needs_chromium

pytestmark = needs_chromium
SIZES = [(480, 320), (800, 480), (480, 800), (1920, 1080)]
LONGEST = Shown(state="answer", outcome="refer", steps=("recheck", "staff"), warnings=("distance",))
FACES = {
    "ready": Shown(),
    "grant": Shown(state="answer", outcome="grant"),
    "refer": LONGEST,
    "refuse": Shown(state="answer", outcome="refuse"),
    "greeting": Shown(state="greeting"),
    "closed": Shown(state="closed"),
    "free": Shown(state="free", warnings=("queue", "distance")),
}
# The contrast of each text with what is behind it, and whether it is cut off or covered.
MEASURE = """
const button = document.getElementById("language").getBoundingClientRect();
const above = document.getElementById("warnings").getBoundingClientRect();
const meet = (a, b) => a.left < b.right && b.left < a.right && a.top < b.bottom && b.top < a.bottom;
return ["title", "lines", "other", "language"].map((id) => {
  const place = document.getElementById(id), box = place.getBoundingClientRect();
  const range = document.createRange();
  const lines = (text) => { range.selectNode(text); return [...range.getClientRects()]; };
  const texts = [...place.querySelectorAll("p"), place].map((each) => each.firstChild).filter((each) => each?.data);
  const covered = texts.flatMap(lines).some((line) => meet(line, above) || id !== "language" && meet(line, button));
  return { id, contrast: contrast(getComputedStyle(place).color, getComputedStyle(document.body).backgroundColor),
    pixels: parseFloat(getComputedStyle(place).fontSize),
    covered, inside: box.top >= 0 && box.left >= 0 && box.right <= innerWidth && box.bottom <= innerHeight,
    width: box.width, height: box.height }; });
"""


class Before:
    """Somebody before a display that shows what the gate says."""

    def __init__(self, browser: Browser, display: Display, preview: Preview, url: str) -> None:
        self.browser = browser
        self.preview = preview
        self.url = url
        self._display = display

    def show(self, shown: Shown, kind: str) -> None:
        self._display.show(shown)
        self.browser.until("document.body.dataset.kind", kind.__eq__)

    def text(self, place: str) -> str:
        return str(self.browser.run(f"return document.getElementById('{place}').innerText"))


@pytest.fixture(scope="module")
def before(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Before]:
    preview, port = Preview(), free_port()
    display = Display(ScreenSection(enabled=True, port=port), language="zh", preview=preview.name, tell=print)
    display.start()
    answers(port)
    with browsing(tmp_path_factory.mktemp("browser")) as browser:
        url = f"http://127.0.0.1:{port}/"
        made = Before(browser, display, preview, url)
        display.show(Shown())
        browser.open(url, 800, 480)
        browser.until("document.body.dataset.kind", "ready".__eq__)
        yield made
        assert browser.complaints() == []
    display.stop()
    preview.remove()


@pytest.mark.parametrize("size", SIZES, ids="{0[0]}x{0[1]}".format)
def test_everything_can_be_read_on_any_display(before: Before, size: tuple[int, int]) -> None:
    before.browser.open(before.url, *size)
    for tongue in ("zh", "en"):
        for kind, shown in FACES.items():
            before.show(shown, kind)
            for found in before.browser.run(CONTRAST + MEASURE):
                where = f"{size} {tongue} {kind} {found}"
                assert found["contrast"] >= 4.5, where
                assert found["inside"], where
                assert not found["covered"], where
                assert found["pixels"] >= 14, where
                if found["id"] == "language":
                    assert min(found["width"], found["height"]) >= 44, where  # a finger's tip
        before.browser.click("#language")
        before.browser.until("document.documentElement.lang", tongue.__ne__)
    before.browser.open(before.url, 800, 480)


def test_an_answer_is_colour_shape_text_and_sound(before: Before) -> None:
    looks: list[tuple[object, ...]] = []
    for kind in ("grant", "refer", "refuse"):
        before.show(FACES[kind], kind)
        before.browser.until("document.body.dataset.tone", kind.__eq__)
        colour = before.browser.run("return getComputedStyle(document.body).backgroundColor")
        shape = before.browser.run("return document.querySelector('#shape use').getAttribute('href')")
        looks.append((colour, shape, before.text("title"), kind))
        before.show(Shown(), "ready")
    assert all(len(set(aspect)) == 3 for aspect in zip(*looks, strict=True))


def test_a_button_changes_the_language_and_the_other_stays_readable(before: Before) -> None:
    before.show(FACES["refuse"], "refuse")
    zh, en = TITLES["refuse"].zh, TITLES["refuse"].en
    assert (before.text("title"), zh in before.text("other"), en in before.text("other")) == (zh, False, True)
    before.browser.click("#language")
    before.browser.until("document.getElementById('title').innerText", en.__eq__)
    assert STEPS["staff"].zh in before.text("other")
    before.browser.click("#language")
    before.browser.until("document.getElementById('title').innerText", zh.__eq__)


def test_a_card_changes_the_language_until_the_gate_says_otherwise_and_what_was_asked_last_counts(
    before: Before,
) -> None:
    def speaks(tongue: str) -> None:
        before.browser.until("document.documentElement.lang", tongue.__eq__)

    before.show(Shown(), "ready")
    before.show(Shown(state="greeting", language="en"), "greeting")
    speaks("en")
    assert (before.text("title"), before.text("other").split("\n")[0]) == (TITLES["greeting"].en, TITLES["greeting"].zh)
    before.show(Shown(language="en"), "ready")
    speaks("en")
    before.browser.click("#language")
    speaks("zh")
    before.show(Shown(state="answer", outcome="grant", language="en"), "grant")
    speaks("zh")
    before.show(Shown(state="greeting", language="en"), "greeting")
    speaks("en")
    before.show(Shown(), "ready")
    speaks("zh")


def test_what_has_not_changed_is_not_read_out_again(before: Before) -> None:
    before.show(FACES["refuse"], "refuse")
    again = (
        "const seen = new MutationObserver(() => {}); seen.observe(document.body, { childList: true, subtree: true });"
    )
    assert before.browser.run(f"{again} repaint(); return seen.takeRecords().length") == 0
    changed = "chosen = 'en'; chosenAt = Date.now(); repaint(); const length = seen.takeRecords().length; chosen = '';"
    assert before.browser.run(f"{again} {changed} repaint(); return length") > 0


def test_guidance_and_the_live_picture(before: Before, keep: Callable[[], None]) -> None:
    before.show(Shown(), "ready")
    keep()
    before.browser.until("document.body.classList.contains('watched')")
    before.show(Shown(hint="too_far"), "ready")
    before.browser.until("document.getElementById('title').innerText", HINTS["too_far"].zh.__eq__)
    assert before.browser.run("return getComputedStyle(document.getElementById('hint')).display") != "none"
    before.show(FACES["grant"], "grant")
    assert before.browser.run("return getComputedStyle(document.getElementById('live')).display") == "none"


@pytest.fixture
def keep(before: Before) -> Iterator[Callable[[], None]]:
    """Keep pictures coming, as the camera's process does."""
    jpeg, over = small(draw(Scene(code="HELLO"), 640, 360)), Event()

    def write() -> None:
        while not over.wait(0.02):
            if before.preview.wanted():
                before.preview.write(jpeg)

    camera = Thread(target=write)
    yield camera.start
    over.set()
    camera.join()


def test_movement_is_left_out_where_people_ask_for_that(before: Before) -> None:
    moving = "return getComputedStyle(document.getElementById('shape')).animationName"
    assert before.browser.run(moving) == "arrive"
    before.browser.media("prefers-reduced-motion", "reduce")
    assert before.browser.run(moving) == "none"
    before.browser.media("prefers-reduced-motion", "")


def test_a_gate_that_is_gone_is_said_in_neutral_words_until_it_is_back(before: Before) -> None:
    section = ScreenSection(enabled=True, port=free_port())
    for _ in range(2):
        display = Display(section, language="en", preview="", tell=print)
        display.start()
        display.show(Shown())
        if not before.browser.run("return location.port").endswith(str(section.port)):
            answers(section.port)
            before.browser.open(f"http://127.0.0.1:{section.port}/", 800, 480)
        before.browser.until("document.body.dataset.kind", "ready".__eq__)
        display.stop()
        before.browser.until("document.body.dataset.kind", "closed".__eq__)
        assert before.text("title") == TITLES["closed"].en
    assert all("ERR_CONNECTION" in said or "ERR_INCOMPLETE" in said for said in before.browser.complaints())


def answers(port: int) -> None:
    """Wait until somebody listens."""
    deadline = time.monotonic() + 20
    while True:
        try:
            socket.create_connection(("127.0.0.1", port)).close()
        except OSError:
            assert time.monotonic() < deadline
            time.sleep(0.02)
        else:
            return
