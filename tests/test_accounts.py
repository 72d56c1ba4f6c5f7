"""Who may sign in: invited once, kept as hashes, forgotten at once; and what each role may."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner

from controller.accounts import FILE, INVITE_S, SESSION_S, AccountError, Accounts
from controller.rights import NEEDS, ROLES, Person
from controller.web.patience import TRIES, TRIES_OF_ADDRESS, WINDOW_S, Patience
from device.wire.messages import Place
from menshen import main

GUARD = Person(name="guard 7", role="guard", reach=("expo", "hall/dock"))
PASSWORD = "correct horse battery"
NOW = 1_000_000.0


@pytest.fixture
def accounts(tmp_path: Path) -> Iterator[Accounts]:
    with Accounts.beside(str(tmp_path / "controller.db")) as opened:
        opened.add(GUARD)
        yield opened


def ready(accounts: Accounts) -> None:
    assert accounts.accept(GUARD.name, accounts.invite(GUARD.name, NOW), PASSWORD, NOW)


def test_an_invitation_sets_a_password_once_and_in_time(accounts: Accounts) -> None:
    token = accounts.invite(GUARD.name, NOW)
    assert not accounts.accept(GUARD.name, "something else", PASSWORD, NOW)
    assert not accounts.accept("guard 8", token, PASSWORD, NOW)
    assert not accounts.accept(GUARD.name, token, PASSWORD, NOW + INVITE_S + 1)
    with pytest.raises(AccountError, match="10 to 200 characters"):
        accounts.accept(GUARD.name, token, "short", NOW)
    assert accounts.known(GUARD.name, PASSWORD) is None
    assert accounts.accept(GUARD.name, token, PASSWORD, NOW)
    assert not accounts.accept(GUARD.name, token, "another password", NOW)
    assert accounts.known(GUARD.name, PASSWORD) == GUARD
    assert accounts.known(GUARD.name, "another password") is None
    assert accounts.known("nobody", PASSWORD) is None


def test_a_session_ends_by_itself_by_hand_and_with_a_new_password(accounts: Accounts) -> None:
    ready(accounts)
    first, second, third = (accounts.begin(GUARD, NOW) for _ in range(3))
    found = accounts.session(first, NOW)
    assert found is not None
    assert found.person == GUARD
    assert accounts.session(first, NOW + SESSION_S) is None
    accounts.end(first)
    assert accounts.session(first, NOW) is None
    assert accounts.session(second, NOW)
    ready(accounts)
    assert accounts.session(second, NOW) is accounts.session(third, NOW) is None


def test_whoever_is_removed_is_out_at_once_and_their_programs_too(accounts: Accounts) -> None:
    ready(accounts)
    session, token = accounts.begin(GUARD, NOW), accounts.token(GUARD.name, "a screen", NOW)
    assert accounts.bearer(token) == GUARD
    accounts.add(Person(name=GUARD.name, role="viewer"))
    changed = accounts.bearer(token)
    assert changed is not None
    assert changed.role == "viewer"
    assert accounts.remove(GUARD.name)
    assert accounts.session(session, NOW) is None
    assert accounts.bearer(token) is accounts.known(GUARD.name, PASSWORD) is None
    assert not accounts.remove(GUARD.name)
    with pytest.raises(AccountError, match="nobody is called"):
        accounts.token(GUARD.name, "", NOW)


def test_the_file_is_its_owners_and_holds_no_secret(accounts: Accounts, tmp_path: Path) -> None:
    invited = accounts.invite(GUARD.name, NOW)
    assert accounts.accept(GUARD.name, invited, PASSWORD, NOW)
    secrets = [invited, PASSWORD, accounts.begin(GUARD, NOW), accounts.token(GUARD.name, "", NOW)]
    kept = (tmp_path / FILE).read_bytes()
    assert b"$argon2id$" in kept
    assert not [secret for secret in secrets if secret.encode() in kept]
    assert (tmp_path / FILE).stat().st_mode & 0o777 == 0o600


@pytest.mark.parametrize("act", sorted(NEEDS))
def test_each_role_may_what_the_one_before_may(act: str) -> None:
    may = [Person(name="somebody", role=role).may(act) for role in ROLES]  # type: ignore[arg-type]
    assert may == sorted(may)
    assert may[-1]


def test_a_reach_is_sites_and_entrances() -> None:
    reached = [
        GUARD.reaches(Place(*each.split("/")), "") for each in ("expo/north", "hall/dock", "hall/north", "exp/north")
    ]
    assert reached == [True, True, False, False]
    assert Person(name="somebody", role="viewer").reaches(Place("any", "where"), "")


def test_who_is_wrong_too_often_waits_and_nobody_else_does() -> None:
    patience = Patience()
    for number in range(TRIES):
        assert patience.waits("guard 7", "10.0.0.1", NOW + number) == 0
        patience.wrong("guard 7", "10.0.0.1", NOW + number)
    assert 0 < patience.waits("guard 7", "10.0.0.1", NOW + TRIES) <= WINDOW_S
    assert patience.waits("guard 7", "10.0.0.2", NOW + TRIES) == 0
    assert patience.waits("guard 8", "10.0.0.1", NOW + TRIES) == 0
    assert patience.waits("guard 7", "10.0.0.1", NOW + WINDOW_S + TRIES) == 0
    for number in range(TRIES_OF_ADDRESS):
        patience.wrong(f"somebody {number}", "10.0.0.1", NOW)
    assert patience.waits("guard 8", "10.0.0.1", NOW) > 0


def test_the_command_adds_lists_and_removes(tmp_path: Path) -> None:
    config = tmp_path / "controller.toml"
    config.write_text(f'[store]\npath = "{tmp_path}/controller.db"\n[web]\nenabled = true\n', encoding="utf-8")

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, ["user", *words, "--config", str(config)])
        assert result.exit_code == code, result.output
        return result.output

    assert "http://127.0.0.1:8471/welcome" in run("add", "guard 7", "--role", "guard", "--for", "expo")
    assert "one-time token" in run("password", "guard 7")
    assert "已修改" in run("add", "guard 7", "--role", "operator", "--for", "expo/north")
    rows = json.loads(run("list", "--json"))
    assert rows == [{"name": "guard 7", "role": "operator", "reach": ["expo/north"], "password": False, "subject": ""}]
    with Accounts.beside(str(tmp_path / "controller.db")) as accounts:
        found = accounts.bearer(run("token", "guard 7").strip())
        assert found is not None
        assert found.name == "guard 7"
    assert "characters that print" in run("add", "guard\x1b[2J", code=2)
    assert "neither SITE nor" in run("add", "guard 8", "--for", "EXPO", code=2)
    run("remove", "guard 7")
    assert "nobody is called" in run("remove", "guard 7", code=1)
    assert "nobody is called" in run("password", "guard 7", code=1)


def test_the_command_says_who_somebody_is_to_an_identity_provider(tmp_path: Path) -> None:
    config = tmp_path / "controller.toml"
    config.write_text(f'[store]\npath = "{tmp_path}/controller.db"\n', encoding="utf-8")

    def run(*words: str, code: int = 0) -> str:
        result = CliRunner().invoke(main, ["user", *words, "--config", str(config)])
        assert result.exit_code == code, result.output
        return result.output

    assert "set web.oidc.issuer first" in run("add", "guard 7", "--subject", "s-7", code=1)
    with config.open("a", encoding="utf-8") as file:
        file.write(
            '[web.oidc]\nissuer = "https://login.example"\nclient_id = "menshen"\nurl = "https://board.example"\n'
        )
    said = run("add", "guard 7", "--role", "guard", "--subject", "s-7")
    assert "is added" in said
    assert "one-time token" not in said, "they have no need of a password"
    assert json.loads(run("list", "--json"))[0]["subject"] == "s-7"
    assert "'guard 7' already" in run("add", "guard 8", "--subject", "s-7", code=1)
    assert [row["name"] for row in json.loads(run("list", "--json"))] == ["guard 7"], "and nobody was added"
    run("add", "guard 7", "--role", "guard", "--subject", "")
    assert json.loads(run("list", "--json"))[0]["subject"] == ""


def test_whoever_becomes_somebody_else_over_there_is_out(accounts: Accounts) -> None:
    issuer = "https://login.example"
    assert accounts.bound(issuer, "s-7") is None
    accounts.bind(GUARD.name, issuer, "s-7")
    session = accounts.begin(GUARD, NOW, "a hint")
    accounts.bind(GUARD.name, issuer, "s-7")
    assert accounts.session(session, NOW), "the same again changes nothing"
    assert accounts.bound("https://elsewhere.example", "s-7") is None
    accounts.bind(GUARD.name, issuer, "s-8")
    assert accounts.session(session, NOW) is None
    assert accounts.bound(issuer, "s-7") is None
    assert accounts.bound(issuer, "s-8") == (GUARD, False)


def test_a_hint_lives_as_long_as_its_session(accounts: Accounts, tmp_path: Path) -> None:
    first, second = accounts.begin(GUARD, NOW, "the first hint"), accounts.begin(GUARD, NOW)
    assert accounts.end(second) == ""
    assert accounts.end(first) == "the first hint"
    assert accounts.end(first) == ""
    accounts.begin(GUARD, NOW, "the last hint")
    accounts.begin(GUARD, NOW + SESSION_S)
    kept = (tmp_path / FILE).read_bytes()
    assert b"hint TEXT" in kept
    assert b"the first hint" not in kept
    assert b"the last hint" not in kept
