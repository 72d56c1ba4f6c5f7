"""If it is in the docs it runs, and if it exists it is in the docs."""

from __future__ import annotations

import os
import re
import shlex
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import NamedTuple

import click
import pytest
import segno
from click.testing import CliRunner

from controller import digest, journal, rules
from controller.alertbook import Listing
from controller.broker import free_port
from controller.installation import GuardedBroker, Installation
from controller.keyfile import thumbprint
from device.codes.trust import make_site_key
from device.wire import messages, words
from menshen import COMMANDS, main
from tests import tickets
from tests.test_keyfile import jwk, jwks, pem

ROOT = Path(__file__).parents[1]
DOCS = sorted([ROOT / "README.md", *(ROOT / "docs").glob("*.md"), *(ROOT / "hardware").glob("*.md")])
LIVE = {
    "demo",
    "kiosk",
    "test",
    "watch",
    "alerts ack",
    "alerts resolve",
    "alerts silence end",
    "bench",
    "command",
    "doctor",
    "controller broker",
    "controller provider",
    "controller run",
    "gate enrol",
    "gate run",
    "gate verifier",
    "pass screen",
}  # tested by running, elsewhere


class Command(NamedTuple):
    """One line of ours in a page."""

    page: str
    words: tuple[str, ...]


def blocks(page: Path, kind: str) -> Iterator[str]:
    yield from re.findall(rf"^```{kind}\n(.*?)^```", page.read_text(encoding="utf-8"), re.MULTILINE | re.DOTALL)


def commands() -> list[Command]:
    found = []
    for page in DOCS:
        for block in blocks(page, "console"):
            for line in block.replace("\\\n", " ").splitlines():
                match = re.match(r"\$ (?:sudo (?:-u \w+ )?)?(?:\./)?menshen (.*)", line)
                if match:
                    words_ = shlex.split(match[1], comments=True)
                    words_ = words_[: words_.index(">")] if ">" in words_ else words_
                    found.append(Command(str(page.relative_to(ROOT)), tuple(words_)))
    return found


def names(command: tuple[str, ...]) -> str:
    """Return the part of a command line that names the command."""
    group: click.Command = main
    path = []
    for word in command:
        if not isinstance(group, click.Group) or (found := group.get_command(click.Context(group), word)) is None:
            break
        path.append(word)
        group = found
    return " ".join(path)


def every_command() -> set[str]:
    found = set()
    left = [(word, main.get_command(click.Context(main), word)) for word in COMMANDS]
    for word, command in left:
        if isinstance(command, click.Group):
            left += [(f"{word} {name}", each) for name, each in command.commands.items()]
        else:
            found.add(word)
    return found


def test_every_command_is_in_the_docs() -> None:
    documented = {names(command.words) for command in commands()}
    assert every_command() - documented == set()
    assert documented - every_command() <= {"", "alerts"}  # `menshen --version`, and `menshen alerts` that lists them


@pytest.mark.parametrize("command", sorted({each.words for each in commands()}), ids=" ".join)
def test_every_command_in_the_docs_is_understood(command: tuple[str, ...]) -> None:
    """Ask each for its help with all its words in place: an option or a word it does not know fails."""
    group: click.Command = main
    context = click.Context(main, info_name="menshen")
    rest = list(command)
    while isinstance(group, click.Group) and rest and not rest[0].startswith("-"):
        found = group.get_command(context, rest[0])
        assert found is not None, f"{rest[0]!r} is no command"
        group, context = found, click.Context(found, parent=context, info_name=rest.pop(0))
    group = group.commands["list"] if isinstance(group, Listing) else group
    known = {option for parameter in group.get_params(context) for option in parameter.opts}
    for word in rest[: rest.index("--")] if "--" in rest else rest:
        assert not word.startswith("-") or word.partition("=")[0] in known


def ports() -> list[str]:
    """Return options by which an installation has ports of its own."""
    return [word for name in ("--gates", "--own", "--enrol") for word in (name, str(free_port()))]


def test_the_operators_page_can_be_followed(tmp_path: Path) -> None:
    """Run, in order and for real, every command of docs/operating.md that comes to an end."""
    place = tmp_path / "controller.toml"
    place.write_text(
        f'[store]\npath = "{tmp_path}/controller.db"\n'
        f'[passes]\nissuer = "{tmp_path}/issuer"\nsite_key = "{tmp_path}/site.key"\n',
        encoding="utf-8",
    )
    make_site_key(tmp_path / "site.key")
    before, ran = Path.cwd(), 0
    os.chdir(tmp_path)
    os.environ["MENSHEN_CONTROLLER"] = str(place)
    segno.make_qr("hello").save(str(tmp_path / "photo.png"), scale=8, border=4)
    (tmp_path / "id").write_text("", encoding="ascii")
    (tmp_path / "event.txt").write_bytes(pem(tickets.ED.public_key()))
    (tmp_path / "revoked.txt").write_text(tickets.ticket(b""), encoding="ascii")
    (tmp_path / "jwks.json").write_bytes(jwks(jwk("ES256", kid=thumbprint(jwk("ES256")))))
    issued = ""
    with ExitStack() as running:
        running.callback(os.chdir, before)
        running.callback(os.environ.pop, "MENSHEN_CONTROLLER")
        for command in commands():
            if command.page != "docs/operating.md":
                continue
            if names(command.words) == "controller broker":
                broker = GuardedBroker(running.enter_context(Installation(tmp_path / "authority")))
                broker.start()
                running.callback(broker.stop)
            if names(command.words) in LIVE or "/" in command.words[-1][:1]:
                continue
            arguments = [issued if word == "ID" else word for word in command.words]
            first = names(command.words) == "controller init"
            result = CliRunner().invoke(main, [*arguments, *(ports() if first else [])], catch_exceptions=False)
            assert result.exit_code == 0, f"{command}: {result.output}"
            if first:
                with place.open("a", encoding="utf-8") as file:
                    file.write(result.output[result.output.index("[identity]") :])
            if command.words[:2] == ("pass", "issue"):
                issued = re.findall(r"\b[0-9a-f]{16}\b", result.output)[0]
            ran += 1
    print(f"{ran} commands of docs/operating.md ran")
    assert ran >= 8


def examples() -> list[tuple[str, str]]:
    page = (ROOT / "docs/messages.md").read_text(encoding="utf-8")
    return re.findall(r"^```json (\w+)\n(.*?)^```", page, re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize(("name", "payload"), examples(), ids=lambda value: value if value.isalpha() else "")
def test_every_example_of_a_message_is_one(name: str, payload: str) -> None:
    kind = next(getattr(room, name) for room in (messages, digest, journal) if hasattr(room, name))
    message = messages.decode(kind, payload.encode())
    assert set(re.findall(r'"(\w+)":', messages.encode(message).decode())) == set(re.findall(r'"(\w+)":', payload))


def test_every_message_has_an_example_and_a_topic() -> None:
    def kinds(parent: type[messages.Message]) -> Iterator[str]:
        for kind in parent.__subclasses__():
            if kind is not messages.Event:
                yield kind.__name__
            yield from kinds(kind)

    page = (ROOT / "docs/messages.md").read_text(encoding="utf-8")
    assert {name for name, _ in examples()} == set(kinds(messages.Message))
    for name in kinds(messages.Message):
        assert f"| {name} |" in page


def test_every_reason_fault_and_alert_is_explained() -> None:
    page = (ROOT / "docs/operating.md").read_text(encoding="utf-8")
    alerts = {*rules.RULES, *rules.OWN}
    missing = [
        name
        for name in {*words.REASONS, *words.FAULTS, *words.COMMANDS, *words.VERBS, *alerts}
        if f"`{name}`" not in page
    ]
    assert missing == []


def test_every_file_and_function_of_the_path_exists() -> None:
    page = (ROOT / "docs/path.md").read_text(encoding="utf-8")
    for name in re.findall(r"`([\w/]+\.(?:py|md)|(?:device|controller|hardware|tests)/[\w/]*)`", page):
        assert (ROOT / name).exists(), name
    source = "\n".join(path.read_text(encoding="utf-8") for room in ("device", "controller", "hardware")
                       for path in (ROOT / room).rglob("*.py"))  # fmt: skip
    for name in re.findall(r"`(?:\w+\.)?(\w+)`", page):
        assert re.search(rf"\b{name}\b", source), name


def test_links_between_pages_lead_somewhere() -> None:
    for page in DOCS:
        for target in re.findall(r"\]\((?!https?:)([^)#]+)", page.read_text(encoding="utf-8")):
            assert (page.parent / target).exists(), f"{page.name}: {target}"
