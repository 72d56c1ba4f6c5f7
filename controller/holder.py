"""What the holder of a rotating pass keeps, the pass and the private key that signs its screens, and shows from it."""

from __future__ import annotations

import time
from pathlib import Path
from typing import Annotated, Final

import click
import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from msgspec import Meta, Struct, field

from controller.drawing import Drawing, drawn
from device.codes import ms1
from device.codes.cwt import PassError
from device.codes.trust import KEY_BYTES, TrustError, read_secret, write_secret

SCREEN_S: Final = 30  # how long a screen is shown; gates believe it as long: rules.screen_s


class Holder(Struct, frozen=True, kw_only=True, forbid_unknown_fields=True):
    """A rotating pass and its holder's private key, in base64."""

    text: str = field(name="pass")
    private: Annotated[bytes, Meta(min_length=KEY_BYTES, max_length=KEY_BYTES)]

    def screen(self) -> str:
        """Return the text to show now; raise PassError where the key is not the pass's."""
        return ms1.present(self.text, Ed25519PrivateKey.from_private_bytes(self.private), int(time.time()))


def keep(path: Path, text: str, key: Ed25519PrivateKey) -> Holder:
    """Write the file for its owner only; raise TrustError where one exists already."""
    held = Holder(text=text, private=key.private_bytes_raw())
    write_secret(path, msgspec.json.format(msgspec.json.encode(held)) + b"\n")
    return held


def load(path: Path) -> Holder:
    """Read the file; raise TrustError naming what is wrong with it."""
    data = read_secret(path, "the holder's file", "`menshen pass issue --rotating --holder FILE` makes one")
    try:
        return msgspec.json.decode(data, type=Holder)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise TrustError(f"{path}: not a holder's file: {error}") from error


@click.command()
@drawn
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
@click.option("--live", is_flag=True, help="Keep showing it, ever changing, until Ctrl-C. 持续显示")
@click.option("--every", type=click.IntRange(1, 300), default=SCREEN_S, show_default=True, help="Seconds. 每屏秒数")
def screen(*, path: Path, out: Path | None, live: bool, every: int) -> None:
    """Show what the holder of a rotating pass holds up now. 显示动态码"""
    if live and out:
        raise click.UsageError("--live shows it here; a picture in a file cannot change")
    try:
        held = load(path)
        if live:
            _keep_showing(held, every)
            return
        text = held.screen()
    except (TrustError, PassError) as error:
        raise click.ClickException(str(error)) from error
    click.echo(text)
    drawing = Drawing(text)
    if out:
        drawing.save(out)
    else:
        drawing.show()


def _keep_showing(held: Holder, every: int) -> None:
    try:
        while True:
            click.clear()
            Drawing(held.screen()).show()
            time.sleep(every)
    except KeyboardInterrupt:
        click.clear()
