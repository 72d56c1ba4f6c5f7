"""Signing in through an identity provider, over real HTTP: who comes in, who does not, what a provider may do wrong."""

from __future__ import annotations

import http.client
import select
import time
from collections.abc import Iterator
from html import unescape
from pathlib import Path
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest

from controller.oidc.emulated import FAULTS, Algorithm, Emulated
from controller.oidc.errands import MOST_OF_ADDRESS
from controller.oidc.settings import CALLBACK, Grant, OidcSection
from controller.rights import Person
from controller.store import Store
from controller.web.phrases import PHRASES
from controller.web.provider import HELD
from controller.web.visit import SESSION
from tests.boarders import PASSWORD, Pages, Past, running
from tests.travellers import GUARD, TROUBLES, Board, at_board, board_visitor, secret, way

LIES = tuple(each for each in FAULTS if each and each not in TROUBLES)


@pytest.fixture(scope="module")
def provider() -> Iterator[Emulated]:
    emulated = Emulated()
    emulated.start()
    yield emulated
    emulated.close()


@pytest.fixture(scope="module")
def board(provider: Emulated, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Board]:
    with at_board(tmp_path_factory.mktemp("board"), provider, contact="the duty room") as office:
        yield Board(office, provider)


def test_somebody_known_comes_in_and_goes_where_they_wanted(board: Board) -> None:
    visitor = board.visitor()
    assert 'action="/sign-in/provider"' in visitor.get("/sign-in")[1]
    sent = board.leave(visitor, "/alerts?state=")
    asked = dict(parse_qsl(urlsplit(sent).query))
    assert (asked["code_challenge_method"], asked["response_type"]) == ("S256", "code")
    assert visitor.get(board.back(sent))[0] == 303
    assert visitor.headers["location"] == "/alerts?state="
    cookie = next(each for each in visitor.set_cookies if each.startswith(f"{SESSION}="))
    assert {"HttpOnly", "SameSite=lax"} <= set(cookie.split("; "))
    status, page = visitor.get("/")
    assert (status, "guard 7" in page) == (200, True)
    assert visitor.get("/journal")[0] == 403, "rights are those given here"


@pytest.mark.parametrize("alg", ["RS256", "EdDSA"])
def test_other_signatures_are_believed_as_well(tmp_path: Path, alg: Algorithm) -> None:
    other = Emulated(alg=alg, secret="")
    other.start()
    try:
        with at_board(tmp_path, other, client_secret="") as office:
            assert Board(office, other).sign_in(board_visitor(office))[0] == 303
    finally:
        other.close()


@pytest.mark.parametrize("language", ["zh", "en"])
def test_a_stranger_is_told_whom_to_ask_and_gets_no_account(board: Board, language: str) -> None:
    before = board.office.accounts.people()
    visitor = board.visitor()
    visitor.cookies["language"] = language
    status, page = board.sign_in(visitor, subject="it's <b>me</b>", name="administrator 1", groups="administrators")
    assert status == 403
    assert getattr(PHRASES["unknown_ask"], language) in unescape(page)
    assert "the duty room" in page
    assert "<b>me" not in page
    assert """--subject 'it'"'"'s <b>me</b>'""" in unescape(page), "as a shell would take it"
    assert SESSION not in visitor.cookies
    assert board.office.accounts.people() == before


def test_a_token_that_lies_lets_nobody_in(board: Board) -> None:
    for lie in LIES:
        visitor = board.visitor()
        status, page = board.sign_in(visitor, fault=lie)
        assert (status, PHRASES["provider_odd"].en in unescape(page)) == (403, True), lie
        assert SESSION not in visitor.cookies, lie


def test_a_provider_in_trouble_holds_nobody_up(board: Board) -> None:
    for trouble in TROUBLES:
        visitor, begun = board.visitor(), time.monotonic()
        status, page = board.sign_in(visitor, fault=trouble)
        assert (status, PHRASES["provider_down"].en in page) == (503, True), trouble
        assert 'name="password"' in page, "passwords go on"
        assert time.monotonic() - begun < 10, trouble


def test_other_pages_do_not_wait_for_a_silent_provider(tmp_path: Path) -> None:
    silent, connections = Emulated(), []
    silent.fault = "slow"
    silent.start()
    with at_board(tmp_path, silent, answer_s=30.0) as office:
        for _ in range(12):
            connection = http.client.HTTPConnection("127.0.0.1", office.config.web.port, timeout=60)
            headers = {"Content-Type": "application/x-www-form-urlencoded"}
            connection.request("POST", "/sign-in/provider", "to=%2F", headers)
            connections.append(connection)
        assert office.visitor("guard 1").get("/")[0] == 200
        assert select.select([each.sock for each in connections], [], [], 0)[0] == [], "all of them still wait"
        silent.close()
        assert {connection.getresponse().status for connection in connections} == {503}
        for connection in connections:
            connection.close()


def test_a_board_starts_without_its_provider_and_takes_it_when_it_comes(tmp_path: Path) -> None:
    gone = Emulated()
    gone.start()
    gone.close()
    with at_board(tmp_path, gone) as office:
        status, page = board_visitor(office).post("/sign-in/provider")
        assert (status, PHRASES["provider_down"].en in page) == (503, True)
        assert office.visitor("guard 1").get("/")[0] == 200
        again = Emulated(urlsplit(gone.issuer).port or 0)
        again.start()
        try:
            assert Board(office, again).sign_in(board_visitor(office))[0] == 303
        finally:
            again.close()


def test_nobody_comes_back_twice_or_with_another_browser(board: Board) -> None:
    visitor, other = board.visitor(), board.visitor()
    back = board.back(board.leave(visitor))
    status, page = other.get(back)
    assert (status, PHRASES["start_again"].en in page) == (403, True), "signed in as somebody else unasked"
    mine, theirs = board.back(board.leave(visitor)), board.back(board.leave(other))
    assert visitor.get(theirs)[0] == 403
    held = visitor.cookies[HELD]
    assert visitor.get(mine)[0] == 303
    visitor.cookies = {"language": "en", HELD: held}
    assert visitor.get(mine)[0] == 403
    for wrong in ("", "?code=x", "?state=made-up&code=x", "?state=%00&code=x", f"?state={'x' * 9000}"):
        assert visitor.get(CALLBACK + wrong)[0] == 403, wrong
    assert SESSION not in visitor.cookies
    assert SESSION not in other.cookies


def test_a_way_back_of_another_provider_is_refused(board: Board) -> None:
    visitor = board.visitor()
    back = board.back(board.leave(visitor))
    issuer = urlencode({"iss": board.provider.issuer})
    assert issuer in back
    assert visitor.get(back.replace(issuer, "iss=https%3A%2F%2Felsewhere.example"))[0] == 403
    back = board.back(board.leave(visitor)).replace(f"&{issuer}", "")
    assert visitor.get(back)[0] == 403, "it says that it always names itself"
    assert SESSION not in visitor.cookies


def test_who_gives_up_over_there_can_begin_again(board: Board) -> None:
    status, page = board.sign_in(board.visitor(), go="")
    assert (status, PHRASES["provider_refused"].en in page) == (403, True)


def test_only_a_page_of_ours_sends_somebody_there(board: Board) -> None:
    connection = http.client.HTTPConnection("127.0.0.1", board.office.config.web.port, timeout=20)
    for headers in ({"Origin": "https://elsewhere.example"}, {"Sec-Fetch-Site": "cross-site"}):
        connection.request("POST", "/sign-in/provider", "to=/", headers)
        answer = connection.getresponse()
        assert (answer.status, answer.getheader("set-cookie")) == (403, None)
        answer.read()
    connection.request("POST", "/sign-in/provider", "to=/", {"Host": "localhost"})
    answer = connection.getresponse()
    assert (answer.status, board.office.config.web.oidc.url in answer.read().decode()) == (409, True)
    connection.close()
    assert board.visitor().get("/sign-in/provider")[0] == 405


def test_a_new_key_is_found_when_it_is_needed(board: Board) -> None:
    assert board.sign_in(board.visitor())[0] == 303
    board.provider.rotate()
    assert board.sign_in(board.visitor())[0] == 303
    asked = len(board.provider.asked)
    assert board.sign_in(board.visitor())[0] == 303
    assert board.provider.asked[asked:] == ["/authorize", "/token"], "and is not asked for again"


def test_whoever_leaves_and_never_returns_has_to_wait(provider: Emulated, tmp_path: Path) -> None:
    with at_board(tmp_path, provider) as office:
        answers = [board_visitor(office).post("/sign-in/provider")[0] for _ in range(MOST_OF_ADDRESS + 1)]
        assert answers == [200] * MOST_OF_ADDRESS + [429]


def test_whoever_is_removed_is_out_at_once_and_a_stranger_again(provider: Emulated, tmp_path: Path) -> None:
    with at_board(tmp_path, provider) as office:
        board, visitor = Board(office, provider), board_visitor(office)
        assert board.sign_in(visitor)[0] == 303
        assert visitor.get("/")[0] == 200
        assert office.accounts.remove(GUARD.name)
        assert visitor.get("/")[0] == 303
        assert board.sign_in(visitor)[0] == 403
        office.accounts.add(Person(name=GUARD.name, role="administrator"))
        assert board.sign_in(visitor)[0] == 403, "somebody new with an old name"


def test_signing_out_ends_both(board: Board) -> None:
    visitor = board.visitor()
    board.sign_in(visitor)
    before = dict(visitor.cookies)
    status, page = visitor.post("/sign-out", form=visitor.form())
    assert status == 200
    there = urlsplit(way(page))
    asked = dict(parse_qsl(there.query))
    assert f"{there.scheme}://{there.netloc}{there.path}" == f"{board.provider.issuer}/logout"
    assert asked["post_logout_redirect_uri"] == f"{board.office.config.web.oidc.url}/sign-in"
    assert asked["id_token_hint"].count(".") == 2
    visitor.cookies = before
    assert visitor.get("/")[0] == 303
    by_password = board.office.visitor("viewer 1")
    assert by_password.post("/sign-out", form=by_password.form())[0] == 303, "the provider knows nothing of it"


def test_signing_out_works_without_the_provider(tmp_path: Path) -> None:
    mine = Emulated()
    mine.start()
    with at_board(tmp_path, mine) as office:
        visitor = board_visitor(office)
        assert Board(office, mine).sign_in(visitor)[0] == 303
        mine.close()
        before = dict(visitor.cookies)
        assert visitor.post("/sign-out", form=visitor.form())[0] in (200, 303)
        visitor.cookies = before
        assert visitor.get("/")[0] == 303


def noted(office: Pages) -> list[tuple[str, str]]:
    """Return what the journal has of the provider's doing."""
    with Store(Path(office.config.store.path)) as store:
        entries = store.journal_entries()
    return [(each["what"]["change"], each["what"]["user"]) for each in reversed(entries) if each["who"] == "127.0.0.1"]


def test_a_group_makes_an_account_and_ends_it(provider: Emulated, tmp_path: Path) -> None:
    grants = (Grant(group="chiefs", role="operator"), Grant(group="guards", role="guard", reach=("expo",)))
    with at_board(tmp_path, provider, name="preferred_username", grant=grants) as office:
        board, visitor = Board(office, provider), board_visitor(office)
        seven = {"subject": "s-8", "name": "guard 8"}
        assert board.sign_in(visitor, **seven, groups="others")[0] == 403
        assert board.sign_in(visitor, **seven, groups="others guards")[0] == 303
        assert office.accounts.person("guard 8") == Person(name="guard 8", role="guard", reach=("expo",))
        assert board.sign_in(visitor, **seven, groups="guards chiefs")[0] == 303
        assert office.accounts.person("guard 8") == Person(name="guard 8", role="operator")
        taken = {"subject": "s-9", "groups": "chiefs"}
        for name in ("guard 8", "administrator 1", "", "x" * 65, "guard\n9"):
            assert board.sign_in(board_visitor(office), **taken, name=name)[0] == 403, name
        assert board.sign_in(board_visitor(office), subject="s-9", name="administrator 1")[0] == 403, "in no group"
        assert board.sign_in(board_visitor(office), name="somebody", groups="chiefs")[0] == 303
        assert office.accounts.person(GUARD.name) == GUARD, "what was given by hand stays"
        assert board.sign_in(board_visitor(office), **seven, groups="others")[0] == 403
        assert office.accounts.person("guard 8") is None
        assert visitor.get("/")[0] == 303
        assert noted(office) == [
            ("user_added", "guard 8"),
            ("user_changed", "guard 8"),
            ("user_removed", "guard 8"),
        ]


def test_a_name_is_recognized_once(provider: Emulated, tmp_path: Path) -> None:
    with at_board(tmp_path, provider, name="preferred_username") as office:
        board = Board(office, provider)
        office.accounts.add(Person(name="guard 8", role="viewer"))
        assert board.sign_in(board_visitor(office), subject="s-8", name="guard 9")[0] == 403
        assert board.sign_in(board_visitor(office), subject="s-8", name="guard 8")[0] == 303
        assert board.sign_in(board_visitor(office), subject="s-9", name="guard 8")[0] == 403
        assert board.sign_in(board_visitor(office), subject="s-8", name="another name now")[0] == 303
        assert noted(office) == [("user_bound", "guard 8")]
        assert board.sign_in(board_visitor(office), subject="s-9", name=GUARD.name)[0] == 403, "bound by hand"


def test_a_secret_that_others_may_read_is_not_used(provider: Emulated, tmp_path: Path) -> None:
    with at_board(tmp_path, provider) as office:
        board = Board(office, provider)
        secret(tmp_path, mode=0o644)
        assert board.sign_in(board_visitor(office))[0] == 503
        secret(tmp_path, "not the one")
        assert board.sign_in(board_visitor(office))[0] == 503
        secret(tmp_path)
        assert board.sign_in(board_visitor(office))[0] == 303


def test_without_a_provider_there_is_no_button_and_no_way(tmp_path: Path) -> None:
    with Store(tmp_path / "controller.db"):
        pass
    with running(tmp_path, Past(tmp_path / "controller.db")) as office:
        visitor = board_visitor(office)
        assert "/sign-in/provider" not in visitor.get("/sign-in")[1]
        assert visitor.post("/sign-in/provider")[0] == visitor.get(f"{CALLBACK}?state=x&code=y")[0] == 404
        assert visitor.post("/sign-in", name="guard 1", password=PASSWORD)[0] == 303


@pytest.mark.parametrize(
    ("url", "host", "same"),
    [
        ("https://board.example", "board.example", True),
        ("https://Board.example/", "board.EXAMPLE:443", True),
        ("https://board.example:443", "board.example", True),
        ("https://board.example", "board.example:80", False),
        ("https://board.example", "board.example.elsewhere.example", False),
        ("http://[::1]:8471", "[::1]:8471", True),
        ("https://board.example", "board.example:x", False),
        ("https://board.example", "[", False),
        ("https://board.example", "", False),
    ],
)
def test_the_boards_own_address_is_told_from_others(url: str, host: str, *, same: bool) -> None:
    assert OidcSection(url=url).is_at(host) is same
