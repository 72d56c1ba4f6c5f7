"""The command `menshen pass`: makes keys, issues and revokes signed codes, and lists plain ones. See docs/ms1.md."""

from __future__ import annotations

import secrets
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller import holder, issuer, passbook, when
from controller.config import Config, configured
from controller.drawing import Drawing, drawn
from controller.passbook import opened, spoken
from controller.policies import Pass
from device.codes import MAX_BYTES, ms1
from device.codes.cwt import KINDS, MAX_PEOPLE, MAX_USES, PassError
from device.codes.trust import CTI_BYTES, TrustError, keyed_hash, make_site_key, read_site_key, trusted
from device.wire.card import language as language_of
from device.wire.messages import PassKind, Place, Text
from device.wire.plain import harmless
from device.wire.words import Language, say

DAY_S: Final = 86_400


@click.group()
def pass_() -> None:
    """Issue, show and revoke signed codes. 签发、查看、吊销通行码"""


pass_.add_command(passbook.list_)
pass_.add_command(passbook.show)
pass_.add_command(holder.screen)


@pass_.command()
@configured
@spoken
def key(*, config: Config, tongue: Language) -> None:
    """Make the issuer's key, once, and let every gate trust it. 生成签发密钥"""
    folder = Path(config.passes.issuer)
    with opened(config) as store:
        if not (folder / issuer.FILE).exists():
            issuer.make(folder)
        public = trusted(issuer.load(folder).public_key())
        store.trust_key(public)
    said = Text("各入口信任签发密钥 {}，私钥在 {}", "gates trust the issuer's key {}; its private half is {}")
    click.echo(say(said, tongue).format(public.key, folder / issuer.FILE))


@pass_.command("site-key")
@click.argument("path", metavar="FILE", type=click.Path(path_type=Path))
def site_key(*, path: Path) -> None:
    """Make a site's secret, which keys the hash of every code. 生成站点密钥

    Every gate of a site and its controller need the same file.
    """
    try:
        make_site_key(path)
    except TrustError as error:
        raise click.ClickException(str(error)) from error
    click.echo(path)


@pass_.command()
@configured
@spoken
@drawn
@click.option(
    "--kind", type=click.Choice(list(KINDS.values())), default="visitor", show_default=True, help="What it is. 种类"
)
@click.option("--subject", required=True, help="Who or what it is for, as guards should read it. 持有人")
@click.option("--for", "places", multiple=True, required=True, help="SITE or SITE/ENTRANCE; repeat for more. 适用")
@click.option("--from", "begin", metavar="WHEN", callback=when.begin, help="2026-09-21 or 2026-09-21T18:00; now. 开始")
@click.option("--until", metavar="WHEN", callback=when.end, help="The same; a day alone is included. 截止")
@click.option("--days", type=click.IntRange(1, 36_500), help="Instead of --until; 1 if neither is said. 天数")
@click.option("--uses", type=click.IntRange(0, MAX_USES), default=0, help="How often it admits; 0: always. 可用次数")
@click.option("--people", type=click.IntRange(1, MAX_PEOPLE), default=1, help="How many go in together. 同行人数")
@click.option("--rotating", is_flag=True, help="Its screen changes: a screenshot is useless. 动态码")
@click.option(
    "--holder", "file", type=click.Path(path_type=Path), help="With --rotating: a new file, the holder's. 文件"
)
def issue(
    *,
    config: Config,
    tongue: Language,
    out: Path | None,
    kind: PassKind,
    subject: str,
    places: tuple[str, ...],
    begin: int | None,
    until: int | None,
    days: int | None,
    uses: int,
    people: int,
    rotating: bool,
    file: Path | None,
) -> None:
    """Sign a pass and print its text. 签发通行码"""
    if rotating != bool(file):
        raise click.UsageError("--rotating and --holder FILE go together: the holder's key is written into that file")
    if rotating and out:
        raise click.UsageError("a rotating pass is drawn anew for each screen: `menshen pass screen FILE --out ...`")
    if until is not None and days:
        raise click.UsageError("say --until or --days, not both")
    not_before = int(time.time()) if begin is None else begin
    issued = Pass(
        cti=secrets.token_hex(CTI_BYTES),
        kind=kind,
        subject=subject,
        places=places,
        not_before=not_before,
        not_after=not_before + (days or 1) * DAY_S if until is None else until,
        rotating=rotating,
        uses=uses,
        people=people,
        issued_at=datetime.now(tz=UTC),
    )
    phone = Ed25519PrivateKey.generate() if file else None
    with opened(config) as store:
        signer = issuer.load(Path(config.passes.issuer))
        if trusted(signer.public_key()) not in store.desired().keys:
            raise TrustError("no gate trusts this issuer's key yet; run `menshen pass key`")
        text = _sign(signer, issued, phone)
        _doubt(store.registered(), places, tongue)
        shown = holder.keep(file, text, phone).screen() if file and phone else text
        drawing = Drawing(shown)
        if out:
            drawing.save(out)
        store.record_pass(issued)
    click.echo(text)
    passbook.print_rows(passbook.explain(issued, tongue) | {"code": _measured(drawing, shown, tongue)}, tongue)


def _sign(signer: Ed25519PrivateKey, issued: Pass, phone: Ed25519PrivateKey | None) -> str:
    try:
        return ms1.issue(
            signer,
            kind=issued.kind,
            subject=issued.subject,
            places=issued.places,
            not_before=issued.not_before or 0,
            not_after=issued.not_after or 0,
            holder=phone.public_key() if phone else None,
            cti=bytes.fromhex(issued.cti),
            uses=issued.uses,
            people=issued.people,
        )
    except PassError as error:
        raise click.UsageError(str(error)) from error


def _doubt(registered: list[Place], places: tuple[str, ...], tongue: Language) -> None:
    """Say so when a place is none that is registered: it may be a slip of the pen."""
    known = {each.site for each in registered} | {str(each) for each in registered}
    for place in places:
        if known and place not in known:
            said = Text("注意：{} 未登记；已登记：{}", "note: {} is not registered; these are: {}")
            click.echo(say(said, tongue).format(place, ", ".join(sorted(known))), err=True)


def _measured(drawing: Drawing, text: str, tongue: Language) -> str:
    said = Text("版本 {}，{} × {} 模块，{} 字符", "version {}, {} × {} modules, {} characters")
    return say(said, tongue).format(drawing.version, drawing.modules, drawing.modules, len(text))


@pass_.command()
@configured
@spoken
@click.argument("cti", metavar="ID")
@click.option("--reason", default="", help="For those who look it up later. 原因")
def revoke(*, config: Config, tongue: Language, cti: str, reason: str) -> None:
    """Let every gate turn a pass away from now on. 吊销通行码"""
    with opened(config) as store:
        known = store.pass_(cti) is not None
        store.revoke(cti, harmless(reason))
    said = Text("已吊销 {}", "revoked {}") if known else Text("已吊销 {}（非此处签发）", "revoked {}, not issued here")
    click.echo(say(said, tongue).format(cti))


@pass_.command()
@configured
@spoken
@click.argument("texts", metavar="TEXT...", nargs=-1, required=True)
@click.option("--remove", is_flag=True, help="Take them off the list. 移除")
def card(*, config: Config, tongue: Language, texts: tuple[str, ...], remove: bool) -> None:
    """Let gates admit plain codes, such as membership cards; - reads one a line. 登记普通码

    Such a code is good at every entrance until it is removed. The list holds keyed hashes, never the codes.
    """
    lines = [line.rstrip("\r\n") for line in sys.stdin] if texts == ("-",) else list(texts)
    with opened(config) as store:
        secret = read_site_key(Path(config.passes.site_key))
        codes = [keyed_hash(secret, _plain(text)) for text in lines]
        changed = store.unlist_code(*codes) if remove else store.list_code(*codes)
    said = Text("移除 {} 个", "{} removed") if remove else Text("登记 {} 个", "{} added")
    unchanged = Text("，{} 个无变化", ", {} as they were")
    click.echo(say(said, tongue).format(changed) + say(unchanged, tongue).format(len(lines) - changed))


def _plain(text: str) -> bytes:
    data = text.encode(errors="surrogateescape")  # an argument that is not UTF-8 stays the bytes it was
    if not 0 < len(data) <= MAX_BYTES:
        raise click.UsageError(f"a plain code has 1 to {MAX_BYTES} bytes, not {len(data)}")
    if data.startswith(ms1.PREFIX):
        raise click.UsageError("a signed code needs no list; gates judge it by its signature")
    if language_of(data):
        raise click.UsageError("a language card turns the screens of gates to a language, and admits nobody")
    return data
