"""Signing in through an identity provider in a real Chromium: the button, the other side, the board, and out again."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path

import pytest

from controller.oidc.emulated import CLIENT, Emulated
from controller.oidc.settings import OidcSection
from controller.web.phrases import PHRASES
from tests.boarders import Pages, pages
from tests.browser import CONTRAST, Browser, browsing, needs_chromium
from tests.test_board_browser import DESK, MEASURE, PHONE
from tests.travellers import GUARD, secret

pytestmark = needs_chromium


class Clicking:
    """Somebody before a browser who goes there and back."""

    def __init__(self, browser: Browser, office: Pages) -> None:
        self.browser = browser
        self.settings: OidcSection = office.config.web.oidc

    def open(self, path: str, language: str = "en", size: tuple[int, int] = DESK) -> None:
        self.browser.open(f"{self.settings.url}/look?language={language}&theme=light&to={path}", *size)

    def show(self, name: str) -> None:
        """Keep a picture where somebody wants to look at them."""
        if folder := os.environ.get("PICTURES"):
            self.browser.picture(Path(folder) / f"{name}.png")

    def there(self) -> None:
        self.browser.click("#provider")
        self.browser.until("document.querySelector('[name=subject]') !== null")

    def sign_in(self, subject: str, button: str = "yes") -> None:
        self.browser.run("document.querySelector('[name=subject]').value = arguments[0]", subject)
        self.browser.click(f"button[value='{button}']")


@pytest.fixture(scope="module")
def clicking(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Clicking]:
    folder, provider = tmp_path_factory.mktemp("board"), Emulated(name="localhost")
    provider.start()
    given = {"issuer": provider.issuer, "client_id": CLIENT, "client_secret": secret(folder), "title": "Keycloak"}
    with (
        pages(folder, contact="the duty room, 8000", **given) as office,
        browsing(tmp_path_factory.mktemp("browser")) as browser,
    ):
        office.accounts.add(GUARD)
        office.accounts.bind(GUARD.name, provider.issuer, "guard-7")
        yield Clicking(browser, office)
        assert [each for each in browser.complaints() if "403" not in each] == []
    provider.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_the_button_leads_there_and_back_to_the_board_and_out_of_both(clicking: Clicking, language: str) -> None:
    browser = clicking.browser
    for size in (PHONE, DESK):
        clicking.open("/alerts", language, size)
        browser.until("document.querySelector('#provider') !== null")
        assert browser.run(CONTRAST + MEASURE) == []
        clicking.show(f"sign-in-{language}-{size[0]}")
    clicking.there()
    clicking.show("provider")
    clicking.sign_in("guard-7")
    browser.until("document.querySelector('.who')?.innerText.includes('guard 7')")
    assert browser.run("return location.href") == f"{clicking.settings.url}/alerts"
    clicking.show(f"alerts-{language}")
    browser.click("form[action='/sign-out'] button")
    browser.until("document.querySelector('#provider') !== null")
    assert browser.run("return location.href") == f"{clicking.settings.url}/sign-in"
    clicking.open("/", language)
    assert browser.run("return location.pathname") == "/sign-in"


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_stranger_reads_whom_to_ask(clicking: Clicking, language: str) -> None:
    browser = clicking.browser
    clicking.open("/", language, PHONE)
    clicking.there()
    clicking.sign_in("7f9c2ba4-e88f-827d-6160-45507605853e")
    browser.until("document.querySelector('pre') !== null")
    text = browser.run("return document.querySelector('main').innerText")
    assert getattr(PHRASES["unknown_ask"], language) in text
    assert "the duty room, 8000" in text
    assert browser.run(CONTRAST + MEASURE) == []
    clicking.show(f"unknown-{language}")


def test_who_refuses_over_there_is_asked_again(clicking: Clicking) -> None:
    clicking.open("/")
    clicking.there()
    clicking.sign_in("guard-7", button="")
    clicking.browser.until(
        "document.querySelector('[role=alert]')?.innerText", lambda said: said == PHRASES["provider_refused"].en
    )
    assert clicking.browser.run(CONTRAST + MEASURE) == []
    clicking.show("refused")
