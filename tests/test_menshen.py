"""The command line as a whole: its help tells a day, and whatever goes wrong ends in one line that people can read."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from tempfile import TemporaryDirectory

import click
import pytest
from click.testing import CliRunner, Result

from controller.database import StoreError, open_to_read, open_to_write
from controller.store import Store
from device.wire.messages import Place
from menshen import CHAPTERS, COMMANDS, main

FULL = Path("/dev/full")


@pytest.fixture
def config(tmp_path: Path) -> Path:
    """A database of one entrance with a name in Chinese, in a folder that has one as well."""
    folder = tmp_path / "数 据"
    folder.mkdir()
    path = folder / "controller.toml"
    path.write_text(f'[store]\npath = "{folder}/controller.db"\n', encoding="utf-8")
    with Store(folder / "controller.db") as store:
        store.register(Place("expo", "north"), "北门", "North gate")
    return path


def run(*words: str, charset: str = "utf-8") -> Result:
    return CliRunner(charset=charset).invoke(main, words)


def test_help_names_every_command_once_in_the_order_of_a_day() -> None:
    said = CliRunner().invoke(main, ["--help"]).output
    places = [said.index(f"\n  {word} ") for word in COMMANDS]
    assert places == sorted(places)
    assert [said.index(f"\n{title}:") for title in CHAPTERS] == sorted(said.index(f"\n{title}:") for title in CHAPTERS)


def described(command: click.Command, *words: str) -> Iterator[tuple[str, str]]:
    """Yield what a command and all below it say of themselves and of each option."""
    yield " ".join(words), command.help or ""
    for option in command.params:
        if isinstance(option, click.Option):
            yield " ".join((*words, *option.opts)), option.help or ""
    if isinstance(command, click.Group):
        for word in command.list_commands(click.Context(command)):
            below = command.get_command(click.Context(command), word)
            assert below
            yield from described(below, *words, word)


def test_every_command_and_option_is_explained_in_both_languages() -> None:
    said = dict(described(main))
    assert len(said) > 200
    ours = {where: help_ for where, help_ in said.items() if not where.endswith(("--help", "--version"))}
    lacking = [
        where for where, help_ in ours.items() if not re.search(r"[A-Za-z]{2}.*[\u4e00-\u9fff]", help_, re.DOTALL)
    ]
    assert lacking == []


@pytest.mark.parametrize("form", [(), ("--csv",)], ids=["table", "csv"])
def test_a_terminal_of_another_encoding_is_no_reason_to_fail(config: Path, form: tuple[str, ...]) -> None:
    done = run("entrance", "list", "--lang", "zh", *form, "--config", str(config), charset="latin-1")
    assert done.exit_code == 0, done.exception
    assert r"\u5317\u95e8" in done.output.replace("\n", ""), "nothing is lost"


@pytest.mark.skipif(not FULL.exists(), reason="no /dev/full here")
@pytest.mark.parametrize("form", [(), ("--csv",)], ids=["table", "csv"])
def test_output_that_cannot_be_written_is_one_line(config: Path, form: tuple[str, ...]) -> None:
    words = [sys.executable, "-m", "menshen", "entrance", "list", *form, "--config", str(config)]
    with FULL.open("w") as full:
        done = subprocess.run(words, stdout=full, stderr=subprocess.PIPE, text=True, timeout=60, check=False)
    assert (done.returncode, done.stderr) == (1, "Error: No space left on device; menshen -v says more\n")


def test_a_database_that_fails_midway_is_one_line(config: Path) -> None:
    with Store(config.with_name("controller.db")) as store:
        stop = "SELECT RAISE(ABORT, 'database or disk is full')"
        store.db.execute(f"CREATE TRIGGER full BEFORE INSERT ON entrances BEGIN {stop}; END")
    done = run("entrance", "add", "expo/south", "--config", str(config))
    assert (done.exit_code, type(done.exception)) == (1, SystemExit)
    assert done.output.startswith("Error: a database cannot be used: database or disk is full")
    assert done.output.count("\n") == 1


@pytest.mark.skipif(os.getuid() != 0, reason="only root can be somebody else for a moment")
def test_a_database_of_somebody_else_says_whose() -> None:
    with TemporaryDirectory() as folder:  # one that everybody may enter, unlike pytest's own
        Path(folder).chmod(0o755)
        database = Path(folder) / "controller.db"
        Store(database).close()
        os.seteuid(65534)
        try:
            with pytest.raises(StoreError, match=r"Permission denied; it is root's: sudo -u root menshen"):
                open_to_write(database)
            with pytest.raises(StoreError, match=r"it is root's: sudo -u root menshen"):
                open_to_read(database)
        finally:
            os.seteuid(0)
