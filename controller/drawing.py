"""Draws a text as a QR code: into a PNG or SVG file, or into a terminal."""

from __future__ import annotations

import io
from collections.abc import Callable
from pathlib import Path
from typing import Any, Final

import click
import segno

SUFFIXES: Final = (".png", ".svg")
PIXELS: Final = 10  # to a module


class Drawing:
    """One QR code, error level M or better. Never a Micro QR code: not every reader knows them."""

    def __init__(self, text: str) -> None:
        self._code = segno.make_qr(text, error="m")
        self.version = str(self._code.designator)  # such as 8-M
        self.modules = int(self._code.symbol_size(border=0)[0])  # along one side

    def save(self, path: Path) -> None:
        """Write the picture in the format its suffix names; end the command where it cannot be written."""
        try:
            self._code.save(str(path), scale=PIXELS)
        except OSError as error:
            raise click.ClickException(f"{path}: cannot be written: {error.strerror}") from error

    def show(self) -> None:
        """Print it in half blocks, white on black whatever the terminal's own colours are."""
        lines = io.StringIO()
        self._code.terminal(lines, compact=True)
        for line in lines.getvalue().splitlines():
            click.secho(line, fg="bright_white", bg="black")


def drawn(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--out FILE.png|.svg`; it receives a path or None as `out`."""
    return click.option(
        "--out",
        type=click.Path(path_type=Path, dir_okay=False),
        callback=_picture,
        help="Draw the QR code into this .png or .svg file. 输出图片",
    )(command)


def _picture(_context: click.Context, _option: click.Parameter, path: Path | None) -> Path | None:
    if path and path.suffix.lower() not in SUFFIXES:
        raise click.BadParameter(f"{path}: a picture's name ends in {' or '.join(SUFFIXES)}")
    return path
