"""The command `menshen trust`: whose codes the gates believe beside our own, and which admit. See docs/codes.md."""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import click
import msgspec

from controller import dsc, keyfile, telling, when
from controller.config import Config, configured
from controller.keyfile import KeyFileError
from controller.passbook import opened, spoken
from controller.tables import UNITS, Form, formed, show
from device.codes.cwt import KINDS
from device.codes.issuers import Issuers
from device.wire.messages import ID_PATTERN, SCHEMES, Admission, PassKind, Scheme, Text, TrustList
from device.wire.words import Language, say

LONGEST_NAME: Final = 64
SECONDS: Final = {"seconds": 1, "minutes": 60, "hours": 3600, "days": 86_400}
HEADS: Final[dict[str, Text]] = {
    "scheme": Text("码制", "scheme"),
    "what": Text("名称或编号", "name or number"),
    "issued": Text("签发时间", "issued"),
    "age": Text("已有", "age"),
    "good_for": Text("期限", "good for"),
    "keys": Text("密钥", "keys"),
    "taken_back": Text("吊销", "taken back"),
    "admits": Text("放行条件", "admits"),
}
ALWAYS: Final = Text("不限", "no limit")
STALE: Final = Text("（过旧）", " (too old)")
BELIEVED: Final = Text("各入口信任 {}/{}：密钥 {} 个，吊销 {} 个", "gates trust {}/{}: {} keys, {} codes taken back")
NONE_ADMITS: Final = Text(
    "尚无放行条件，见 menshen trust admit {} --help", "but none of them admits yet: see menshen trust admit {} --help"
)
EVERYTHING: Final = Text("全部", "every genuine code")


def scheme_argument(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the scheme it is about."""
    return click.argument("scheme", type=click.Choice(SCHEMES))(command)


def _duration(_context: click.Context, _option: click.Parameter, text: str | None) -> int | None:
    """Read 90s, 30m, 12h or 7d as seconds."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,5})([smhd])", text)
    if not found or not int(found[1]):
        raise click.BadParameter(f"{text!r} is no span of time; write 12h or 7d")
    return int(found[1]) * SECONDS[UNITS[found[2]]]


@click.group()
def trust() -> None:
    """Trust codes of other issuers. 信任其他签发方的码"""


@trust.command()
@configured
@spoken
@scheme_argument
@click.argument("files", nargs=-1, type=click.Path(path_type=Path), metavar="[FILE]...")
@click.option("--name", required=True, help="What to call this list; the next of its name replaces it. 名称")
@click.option("--issuer", default="", help="Whose keys: an URL, or the event of a pretix ticket. 签发方")
@click.option("--kid", "kids", multiple=True, help="Take only this key of a set, or name the one in a PEM. 密钥编号")
@click.option("--hs256", is_flag=True, help="Let shared secrets in: whoever holds one can also sign. 允许共享密钥")
@click.option("--revoked", type=click.Path(path_type=Path), multiple=True, help="A file of what was revoked. 吊销列表")
@click.option("--blocked", type=click.Path(path_type=Path), multiple=True, help="The same, for a time. 冻结列表")
@click.option("--issued", metavar="WHEN", callback=when.begin, help="Since when it says so; now. 签发时间")
@click.option("--good-for", callback=_duration, help="12h, 7d: older than that it refers to the guard. 期限")
def add(
    *,
    config: Config,
    tongue: Language,
    scheme: Scheme,
    files: tuple[Path, ...],
    name: str,
    issuer: str,
    kids: tuple[str, ...],
    hs256: bool,
    revoked: tuple[Path, ...],
    blocked: tuple[Path, ...],
    issued: int | None,
    good_for: int | None,
) -> None:
    """Believe a list: keys as a JWK set, PEM, certificates, or as pretix shows them. 信任密钥列表

    For hc1 a FILE holds signers' certificates, business rules or value sets, as states publish them. A FILE may also be
    a whole list in JSON as a policy carries it, with rules and all.
    """
    if not re.fullmatch(ID_PATTERN, name) or len(name) > LONGEST_NAME:
        raise click.UsageError(f"--name: {name!r}: use a-z and 0-9, with single hyphens inside")
    if not (files or revoked or blocked):
        raise click.UsageError("nothing to believe: give a FILE with keys, or --revoked or --blocked")
    if scheme == "shc" and files and not issuer.startswith("https://"):
        raise click.UsageError("--issuer: a health card names its issuer by an URL, such as https://issuer.example")
    moment = datetime.fromtimestamp(int(time.time()) if issued is None else issued, tz=UTC)
    made = TrustList(scheme=scheme, name=name, issued_at=moment, good_for_s=good_for)
    for path in files:
        with _about(path) as data:
            made = _with(made, data, issuer=issuer, kids=kids, hs256=hs256)
    made = msgspec.structs.replace(
        made, revoked=(*made.revoked, *_marks(scheme, revoked)), blocked=(*made.blocked, *_marks(scheme, blocked))
    )
    with opened(config) as store:
        store.trust_list(made)
        admits = any(each.scheme == scheme for each in store.admissions().values())
    click.echo(say(BELIEVED, tongue).format(scheme, name, len(made.keys), len(made.revoked) + len(made.blocked)))
    if not admits:
        click.echo(say(NONE_ADMITS, tongue).format(scheme))


@contextmanager
def _about(path: Path) -> Iterator[bytes]:
    """Read a file; what is wrong with it ends the command, with its name."""
    try:
        yield path.read_bytes()
    except OSError as error:
        raise click.ClickException(f"{path}: {error.strerror}") from error
    except KeyFileError as error:
        raise click.ClickException(f"{path}: {error}") from error


def _with(made: TrustList, data: bytes, *, issuer: str, kids: tuple[str, ...], hs256: bool) -> TrustList:
    """Add what a file holds: keys, or a whole list whose age is its own."""
    if data.lstrip().startswith(b"{") and b'"scheme"' in data:
        whole = keyfile.whole(data)
        if whole.scheme != made.scheme:
            raise KeyFileError(f"a list of {whole.scheme}, not of {made.scheme}")
        keys = (*made.keys, *whole.keys)
        return msgspec.structs.replace(whole, name=made.name, keys=keys, good_for_s=made.good_for_s or whole.good_for_s)
    if made.scheme == "hc1":
        return dsc.read(data).added(made)
    keys = keyfile.read(data, made.scheme, issuer=issuer, kids=kids, hs256=hs256)
    return msgspec.structs.replace(made, keys=(*made.keys, *keys))


def _marks(scheme: Scheme, paths: tuple[Path, ...]) -> tuple[str, ...]:
    found: list[str] = []
    for path in paths:
        with _about(path) as data:
            found += keyfile.revocations(data, scheme)
    return tuple(found)


@trust.command()
@configured
@spoken
@scheme_argument
@click.option("--claim", "claims", multiple=True, metavar="NAME=VALUE", help="It must say this; repeat for more. 条件")
@click.option(
    "--kind", type=click.Choice(list(KINDS.values())), default="visitor", show_default=True, help="What it is. 种类"
)
@click.option("--for", "places", multiple=True, help="SITE or SITE/ENTRANCE; everywhere if not said. 适用")
@click.option("--uses", type=click.IntRange(0, 10_000), default=0, help="How often each admits; 0: always. 可用次数")
def admit(
    *,
    config: Config,
    tongue: Language,
    scheme: Scheme,
    claims: tuple[str, ...],
    kind: PassKind,
    places: tuple[str, ...],
    uses: int,
) -> None:
    """Let genuine codes of a scheme admit; without --claim, every one of them. 设定放行条件

    Of several values for one name, one will do; of several names, all must fit.
    """
    wanted: dict[str, tuple[str | int | bool, ...]] = {}
    for claim in claims:
        name, equals, value = claim.partition("=")
        if not name or not equals:
            raise click.UsageError(f"--claim: {claim!r} is not NAME=VALUE")
        wanted[name] = (*wanted.get(name, ()), *_values(value))
    admission = Admission(scheme=scheme, claims=wanted, kind=kind, places=places, uses=uses)
    with opened(config) as store:
        new = store.admit(admission)
    said = Text("已放行：{} {}", "these admit: {} {}") if new else Text("早已放行：{} {}", "these admit already: {} {}")
    click.echo(say(said, tongue).format(scheme, _claims(admission, tongue)))


def _values(text: str) -> tuple[str | int | bool, ...]:
    """Return what a claim may be: text, and the number or truth it may also be meant as."""
    if text in ("true", "false"):
        return text, text == "true"
    return (text, int(text)) if re.fullmatch(r"-?(0|[1-9][0-9]{0,17})", text) else (text,)


@trust.command()
@configured
@spoken
@scheme_argument
@click.argument("name")
def remove(*, config: Config, tongue: Language, scheme: Scheme, name: str) -> None:
    """Believe a list no longer, or let what has this number no longer admit. 取消信任或放行条件"""
    with opened(config) as store:
        admissions = {number for number, each in store.admissions().items() if each.scheme == scheme}
        gone = name.isdecimal() and int(name) in admissions and store.withdraw(int(name))
        if not (gone or store.distrust_list(scheme, name)):
            raise click.ClickException(f"{scheme} has no list or number {name!r}; `menshen trust list` shows them")
    click.echo(say(Text("已取消：{} {}", "gone: {} {}"), tongue).format(scheme, name))


@trust.command("list")
@configured
@formed
def list_(*, config: Config, form: Form) -> None:
    """List what is believed, how old it is, and what admits. 信任列表"""
    with opened(config, read_only=True) as store:
        lists, admissions = store.trust_lists(), store.admissions()
    now = int(time.time())
    rows = [_row(each, now) for each in lists] + [_admits(number, each) for number, each in admissions.items()]
    cells = [_list_cells(each, now, form.tongue) for each in lists]
    cells += [[each.scheme, str(number), *[""] * 5, _claims(each, form.tongue)] for number, each in admissions.items()]
    show(form, HEADS, rows, cells)


def _row(each: TrustList, now: int) -> dict[str, Any]:
    held = Issuers.by_scheme([msgspec.structs.replace(each, rules=())], ())[each.scheme]  # another may hold their sets
    return {
        "scheme": each.scheme,
        "name": each.name,
        "issued_at": each.issued_at.isoformat(),
        "age_s": held.age(now),
        "good_for_s": each.good_for_s,
        "stale": bool(held.stale(now)),
        "keys": [{"kid": key.kid, "alg": key.alg, "issuer": key.issuer, "country": key.country} for key in each.keys],
        "revoked": len(each.revoked),
        "blocked": len(each.blocked),
        "rules": len(each.rules),
    }


def _admits(number: int, each: Admission) -> dict[str, Any]:
    return {"number": number, **msgspec.to_builtins(each)}


def _list_cells(each: TrustList, now: int, tongue: Language) -> list[str]:
    stale = say(STALE, tongue) if _row(each, now)["stale"] else ""
    return [
        each.scheme,
        each.name,
        telling.clock(each.issued_at),
        _span(now - int(each.issued_at.timestamp())) + stale,
        say(ALWAYS, tongue) if each.good_for_s is None else _span(each.good_for_s),
        f"{len(each.keys)} {', '.join(sorted({key.issuer for key in each.keys if key.issuer}))}".strip(),
        str(len(each.revoked) + len(each.blocked)),
        "",
    ]


def _span(seconds: int) -> str:
    """Write a span of time in its largest unit."""
    unit = next((letter for letter in "dhm" if abs(seconds) >= SECONDS[UNITS[letter]]), "s")
    return f"{seconds // SECONDS[UNITS[unit]]}{unit}"


def _claims(each: Admission, tongue: Language) -> str:
    asked = "; ".join(
        f"{name} = {' | '.join(dict.fromkeys(str(value) for value in values))}" for name, values in each.claims.items()
    )
    where = f" @ {', '.join(each.places)}" if each.places else ""
    often = f" x{each.uses}" if each.uses else ""
    return f"{asked or say(EVERYTHING, tongue)} -> {each.kind}{often}{where}"
