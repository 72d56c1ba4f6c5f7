"""The command `menshen command`: an operator tells one gate to do something, now, and hears what became of it."""

from __future__ import annotations

import json
import queue
import secrets
import time
from datetime import timedelta
from typing import Final, Literal, NamedTuple

import click

from controller.config import Config, configured
from controller.database import now
from controller.tables import place
from device.wire import words
from device.wire.link import Heard, Link, LinkChanged, LinkSaid, Wire
from device.wire.messages import (
    COMMAND,
    COMMAND_S,
    REPLY,
    VERBS,
    Command,
    MessageError,
    Place,
    Reply,
    Text,
    Verb,
    decode,
    encode,
)
from device.wire.words import Language, language, say

PATIENCE_S: Final = 5.0  # for the broker to let us speak
LINGER_S: Final = 2.0  # after it expired: the gate's clock may be so far behind ours

OUTCOMES: Final[dict[str, Text]] = {
    "done": Text("已执行", "done"),
    "refused": Text("未执行", "refused"),
    "unknown": Text(
        "没有回复：不知道是否已执行。指令现已失效，不会再执行；重发前请查看现场，或 `menshen events --kind command`",
        "no answer: not known whether it was done. It has expired and will not be done any more; look at the gate, or "
        "at `menshen events --kind command`, before you say it again",
    ),
    "unsaid": Text(
        "无法送达消息代理，指令没有发出",
        "no MQTT broker lets us speak: nothing was said; see [wire], or start mosquitto",
    ),
}


class Answer(NamedTuple):
    """What became of a command."""

    outcome: Literal["done", "refused", "unknown", "unsaid"]
    reason: str = ""

    def text(self, tongue: Language) -> str:
        """Return it for people."""
        colon = "：" if tongue == "zh" else ": "
        reason = f"{colon}{words.reason(self.reason, tongue)}" if self.reason else ""
        return say(OUTCOMES[self.outcome], tongue) + reason


def ask(
    wire: Wire, where: Place, verb: Verb, *, mark: str, by: str, valid_s: float, patience_s: float = PATIENCE_S
) -> Answer:
    """Say a command with the id `mark` that is good for `valid_s`, and wait that long for its answer."""
    inbox: queue.SimpleQueue[LinkSaid] = queue.SimpleQueue()
    link = Link(wire, name=f"command-{mark}", hear=(where.topic(f"{REPLY}{verb}"),), put=inbox.put)
    link.start()
    try:
        if not _connected(inbox, time.monotonic() + patience_s):
            return Answer("unsaid")
        payload = encode(_command(mark, where, by, valid_s))
        if not link.say(where.topic(f"{COMMAND}{verb}"), payload, qos=1, expires_s=max(1, round(valid_s))):
            return Answer("unsaid")
        return _answered(inbox, mark, time.monotonic() + valid_s + LINGER_S)
    finally:
        link.stop()


def _command(mark: str, where: Place, by: str, valid_s: float) -> Command:
    return Command(id=mark, to=str(where), by=by, expires_at=now() + timedelta(seconds=valid_s))


def _connected(inbox: queue.SimpleQueue[LinkSaid], deadline: float) -> bool:
    return _next(inbox, deadline) == LinkChanged(up=True)


def _answered(inbox: queue.SimpleQueue[LinkSaid], mark: str, deadline: float) -> Answer:
    """Wait for the answer to our command, among those to others."""
    while (said := _next(inbox, deadline)) is not None:
        if isinstance(said, Heard) and not said.retained:
            try:
                reply = decode(Reply, said.payload)
            except MessageError:
                continue
            if reply.id == mark:
                return Answer(reply.outcome, reply.reason)
    return Answer("unknown")


def _next(inbox: queue.SimpleQueue[LinkSaid], deadline: float) -> LinkSaid | None:
    try:
        return inbox.get(timeout=max(0.0, deadline - time.monotonic()))
    except queue.Empty:
        return None


def _by(_context: click.Context, _option: click.Parameter, text: str) -> str:
    """Refuse a name that no gate would take, by the message's own rules."""
    try:
        decode(Command, encode(_command("0" * 16, Place("aa", "bb"), text, 1.0)))
    except MessageError as error:
        raise click.BadParameter(f"{error}; such as 'guard 7'") from error
    return text


@click.command()
@configured
@click.argument("where", metavar="SITE/ENTRANCE", callback=place)
@click.argument("verb", type=click.Choice(VERBS))
@click.option("--by", required=True, callback=_by, help="Who wants it; it is recorded. 谁下的指令，会记录在案")
@click.option(
    "--wait",
    "wait_s",
    type=click.FloatRange(1, COMMAND_S),
    default=COMMAND_S,
    show_default=True,
    help="Seconds it is good for, and to wait. 有效并等待的秒数",
)
@click.option("--json", "as_json", is_flag=True, help="JSON, for programs. JSON 格式")
@click.option("--lang", type=click.Choice(["zh", "en"]), help="Language of what is shown. 显示语言")
def command(
    *, config: Config, where: Place, verb: Verb, by: str, wait_s: float, as_json: bool, lang: str | None
) -> None:
    """Tell a gate to do something now: open, identify. 远程指令：放行一人、声光定位

    The exit code is 0 only when the gate says that it is done.
    """
    mark = secrets.token_hex(8)
    answer = ask(config.wire, where, verb, mark=mark, by=by, valid_s=wait_s)
    if as_json:
        click.echo(json.dumps({"entrance": str(where), "verb": verb, "id": mark, "by": by, **answer._asdict()}))
    else:
        click.echo(f"{where}: {say(words.VERBS[verb], language(lang))}: {answer.text(language(lang))}")
    click.get_current_context().exit(0 if answer.outcome == "done" else 1)
