"""The command `menshen entrance language`: draws the card that turns a visitor's screen to a language."""

from __future__ import annotations

from pathlib import Path
from typing import Final, get_args

import click

from controller.drawing import Drawing, drawn
from device.wire.card import CARDS
from device.wire.messages import Text
from device.wire.words import Language, say

HINTS: Final = Text("印好后挂在镜头旁，供访客取用", "print it and hang it beside the lens, for whoever wants it")


@click.command("language")
@click.argument("tongue", metavar="zh|en", type=click.Choice(get_args(Language)))
@drawn
def command(*, tongue: Language, out: Path | None) -> None:
    """Draw a card that turns the screen to a language. 语言卡：出示后屏幕切换语言

    Whoever holds it up reads that language for a minute. It is no pass, and nothing is recorded of it.
    """
    drawing = Drawing(CARDS[tongue])
    if out:
        drawing.save(out)
        click.echo(out)
    else:
        drawing.show()
    click.echo(say(HINTS, tongue), err=True)
