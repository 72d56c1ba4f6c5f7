"""What a pass says, for people: one pass explained, and all that were issued here."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Final

import click
import msgspec
from rich.console import Console
from rich.table import Table
from rich.text import Text as Literally

from controller import tables
from controller.config import Config, configured
from controller.database import StoreError
from controller.holder import SCREEN_S
from controller.policies import Pass
from controller.store import Store
from controller.tables import Form, formed, reading
from controller.when import written
from device.codes import ms1
from device.codes.cwt import PassError
from device.codes.trust import Trust, TrustError, keyed_hash, read_site_key
from device.wire.messages import PassKind, Text
from device.wire.plain import harmless
from device.wire.words import Language, language, reason, say

SKEW_S: Final = 5.0
ID: Final = re.compile(r"[0-9a-f]{16}")

LABELS: Final[dict[str, Text]] = {
    "id": Text("编号", "id"),
    "kind": Text("种类", "kind"),
    "subject": Text("持有人", "subject"),
    "places": Text("适用", "good for"),
    "from": Text("开始", "from"),
    "until": Text("截止", "until"),
    "uses": Text("可用次数", "uses"),
    "people": Text("同行人数", "people"),
    "screen": Text("画面", "screen"),
    "issuer": Text("签发密钥", "issuer's key"),
    "code": Text("二维码", "QR code"),
    "state": Text("状态", "state"),
}
KIND_WORDS: Final[dict[PassKind, Text]] = {
    "visitor": Text("访客证", "visitor pass"),
    "staff": Text("工作证", "staff badge"),
    "entrance": Text("入口码", "entrance code"),
}
GOOD: Final = Text("有效", "good")
NOT_YET: Final = Text("未生效", "not yet good")
EXPIRED: Final = Text("已过期", "expired")
REVOKED: Final = Text("已吊销", "revoked")
ROTATING: Final = Text("动态，每屏重签", "rotates; not good without its screen")


def spoken(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command `--lang`; it receives the language of what it prints as `tongue`."""
    return click.option(
        "--lang",
        "tongue",
        type=click.Choice(["zh", "en"]),
        callback=lambda _context, _option, asked: language(asked),
        help="Language of what is shown. 显示语言",
    )(command)


@contextmanager
def opened(config: Config, *, read_only: bool = False) -> Iterator[Store]:
    """Open the store; whatever is wrong with it, a key or a pass ends the command with its own words."""
    try:
        with Store(Path(config.store.path), read_only=read_only) as store:
            yield store
    except (StoreError, TrustError, PassError) as error:
        raise click.ClickException(str(error)) from error


def explain(issued: Pass, tongue: Language) -> dict[str, str]:
    """Return what a pass says of itself, by the keys of LABELS."""
    rows = {
        "id": issued.cti,
        "kind": say(KIND_WORDS[issued.kind], tongue),
        "subject": issued.subject,
        "places": ", ".join(issued.places),
        "from": written(issued.not_before),
        "until": written(issued.not_after),
    }
    rows |= {"uses": str(issued.uses)} if issued.uses else {}
    rows |= {"people": str(issued.people)} if issued.people > 1 else {}
    return rows | ({"screen": say(ROTATING, tongue)} if issued.rotating else {})


def print_rows(rows: Mapping[str, str], tongue: Language) -> None:
    """Print rows under their labels; what a pass holds is neither taken for markup nor moves the cursor."""
    grid = Table.grid(padding=(0, 2))
    for key, value in rows.items():
        grid.add_row(Literally(say(LABELS[key], tongue)), Literally(harmless(value)))
    Console().print(grid)


def state(issued: Pass) -> Text:
    """Say how a pass stands now, as far as the controller knows."""
    now = time.time()
    if issued.revoked_at:
        return REVOKED
    if issued.not_before is not None and now < issued.not_before:
        return NOT_YET
    if issued.not_after is not None and now >= issued.not_after:
        return EXPIRED
    return GOOD


@click.command("list")
@configured
@formed
def list_(*, config: Config, form: Form) -> None:
    """List the passes issued here, the newest first. 通行码列表"""
    with reading(config) as store:
        issued = store.passes()
    heads = {name: LABELS[name] for name in ("id", "kind", "subject", "places", "until", "state")}
    said = [explain(each, form.tongue) | {"state": say(state(each), form.tongue)} for each in issued]
    tables.show(form, heads, msgspec.to_builtins(issued), [[row[name] for name in heads] for row in said])


@click.command()
@configured
@spoken
@click.argument("text")
def show(*, config: Config, tongue: Language, text: str) -> None:
    """Explain a pass, by its TEXT (in single quotes) or its id; - reads standard input. 查看通行码"""
    text = sys.stdin.readline().rstrip("\r\n") if text == "-" else text
    data = text.encode(errors="surrogateescape")
    with opened(config, read_only=True) as store:
        if ID.fullmatch(text):
            rows = _issued(store, text, tongue)
        elif data.startswith(ms1.PREFIX):
            rows = _signed(store, data, tongue)
        else:
            rows = _plain(store, data, tongue, Path(config.passes.site_key))
    print_rows(rows, tongue)


def _issued(store: Store, cti: str, tongue: Language) -> dict[str, str]:
    issued, revocation = store.pass_(cti), store.revocation(cti)
    if not issued and not revocation:
        raise PassError(f"no pass {cti} was issued or revoked here; `menshen pass list` names those that were")
    rows = explain(issued, tongue) if issued else {"id": cti}
    if revocation:
        at, why = revocation
        return rows | {"state": f"{say(REVOKED, tongue)} {written(int(at.timestamp()))} {why}".rstrip()}
    return rows | ({"state": say(state(issued), tongue)} if issued else {})


def _signed(store: Store, data: bytes, tongue: Language) -> dict[str, str]:
    """Explain a text as a gate would judge it now, at an entrance it is good for."""
    shown, now = ms1.read(data), int(time.time())
    trust = Trust.from_policy(store.desired(), site_key=b"")
    checked = ms1.check(data, trust, None, now, screen_s=SCREEN_S, skew_s=SKEW_S)
    reasons = checked.reasons if checked else ()
    body = shown.body
    said = {
        "id": body.id.hex(),
        "kind": say(KIND_WORDS[body.kind], tongue),
        "subject": body.subject,
        "places": ", ".join(body.places),
        "from": written(body.not_before),
        "until": written(body.not_after),
        "issuer": shown.key.hex(),
    }
    if shown.screen:
        said["screen"] = f"{written(shown.screen.at)} ({now - shown.screen.at} s)"
    elif body.holder:
        said["screen"] = say(ROTATING, tongue)
        reasons = tuple(each for each in reasons if each != "screen_expired")
    return said | {"state": ", ".join(reason(each, tongue) for each in reasons) or say(GOOD, tongue)}


def _plain(store: Store, data: bytes, tongue: Language, site_key: Path) -> dict[str, str]:
    if keyed_hash(read_site_key(site_key), data) not in store.desired().listed:
        raise PassError("neither a pass nor its id, nor a plain code on the list of `menshen pass card`")
    return {"state": say(Text("名单上的普通码", "a plain code on the list"), tongue)}
