"""The command `menshen purge`: forgets people before their time is over. A running controller goes on meanwhile."""

from __future__ import annotations

import re
import sys
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Final

import click
from rich.console import Console
from rich.progress import Progress

from controller import tables
from controller.config import Config, configured
from controller.database import BUSY_S
from controller.installation import opened as identified
from controller.passbook import opened
from controller.retention import ROWS, Chosen, Eraser
from controller.store import Store
from controller.tables import Form, formed, place, show
from device.codes import ms1
from device.codes.cwt import PassError
from device.codes.trust import HASH_CHARS, keyed_hash, read_id, read_site_key
from device.wire.messages import Place, Text
from device.wire.words import say

PAUSE_S: Final = 0.02  # after each small transaction: a controller that waits for its turn gets it
HASH: Final = re.compile(rf"[0-9a-f]{{{HASH_CHARS}}}")
HEADS: Final[dict[str, Text]] = {"what": Text("内容", "what"), "count": Text("条数", "rows")}
WORDS: Final[dict[str, Text]] = {
    "events": Text("事件（个人信息已覆盖）", "events, what names people overwritten"),
    "dropped": Text("其中整行删除", "of these, deleted whole"),
    "quarantine": Text("隔离的消息", "messages in quarantine"),
    "passes": Text("通行码记录", "passes issued"),
    "revocations": Text("吊销原因", "reasons of revocations"),
    "entrances": Text("在岗人员", "guards last on duty"),
    "alerts": Text("告警备注", "notes on alerts"),
    "silences": Text("静音原因", "reasons of silences"),
    "passings": Text("入场记录（防重复）", "codes let in, kept against coming twice"),
    "listed_codes": Text("名单上的普通码", "plain codes on the list"),
    "refusals": Text("被拒绝的连接和消息", "what the broker refused"),
}


def _age(_context: click.Context, _option: click.Parameter, text: str | None) -> datetime | None:
    """Read `14d` back from now."""
    if text is None:
        return None
    found = re.fullmatch(r"(\d{1,5})([smhd])", text)
    if not found:
        raise click.BadParameter(f"{text!r} is no age; write 14d, 36h, 90m or 30s")
    return datetime.now(tz=UTC) - timedelta(**{tables.UNITS[found[2]]: int(found[1])})


@click.command()
@configured
@click.option("--older", "before", callback=_age, metavar="AGE", help="Received longer ago than this: 14d, 36h. 早于")
@click.option("--entrance", callback=place, metavar="SITE/ENTRANCE", help="Only of this entrance. 只清除一个入口")
@click.option("--code", metavar="TEXT|HASH", help="Of this code; - reads its text from standard input. 某个码")
@click.option("--pass", "cti", metavar="ID", help="Of this pass. 某张通行码")
@click.option("--dry-run", is_flag=True, help="Only count. 只统计，不清除")
@formed
def purge(
    *, config: Config, before: datetime | None, entrance: Place | None, code: str | None, cti: str | None,
    dry_run: bool, form: Form,
) -> None:  # fmt: skip
    """Overwrite what names people: by age, entrance, code or pass. 清除个人信息，不可恢复

    What is asked for together must be true together. Events stay counted; nothing in them tells who it was.
    """
    if not (before or entrance or code or cti):
        raise click.UsageError("say what to forget: --older, --entrance, --code or --pass")
    with opened(config) as store:
        site_key = Path(config.passes.site_key)
        chosen = _chosen(store, site_key, before=before, entrance=entrance, code=code, cti=cti)
        eraser = Eraser(store)
        rows = eraser.find(chosen)
        count = {"events": len(rows), "dropped": 0}
        if not dry_run:
            for done in _with_progress(_overwritten(eraser, rows.tolist()), len(rows)):
                count["events"] = done
            count["dropped"] = sum(_dropped(eraser, chosen))
        count |= eraser.small(chosen, dry=dry_run) | _refusals(config, chosen, dry=dry_run)
        left = not dry_run and not eraser.empty_log(wait_s=BUSY_S)
    cells = [[say(WORDS[name], form.tongue), str(number)] for name, number in count.items()]
    show(form, HEADS, [{"what": name, "count": number} for name, number in count.items()], cells)
    if left:
        raise click.ClickException(
            f"{config.store.path}-wal still holds what was overwritten, while another program reads the database: "
            "end that program, then purge again"
        )


def _chosen(
    store: Store, site_key: Path, *, before: datetime | None, entrance: Place | None, code: str | None, cti: str | None
) -> Chosen:
    """Find by which hashes and names a code or a pass may stand in the database."""
    subject, hashes = "", list(_hashes(sys.stdin.readline().rstrip("\r\n") if code == "-" else code or "", site_key))
    if cti:
        number = read_id(cti)
        issued = store.pass_(cti)
        subject = issued.subject if issued and issued.kind == "staff" else ""
        secret = read_site_key(site_key)
        keys = [bytes.fromhex(key.key) for key in store.desired().keys]
        hashes += [keyed_hash(secret, ms1.identity(kid, number)) for kid in keys]
        if not issued and not store.revocation(cti):
            raise PassError(f"no pass {cti} was issued or revoked here; `menshen pass list` names those that were")
    return Chosen(before=before, place=entrance, codes=tuple(hashes), cti=cti or "", subject=subject)


def _refusals(config: Config, chosen: Chosen, *, dry: bool) -> dict[str, int]:
    """Forget what the broker refused, where gates have identities; it names addresses and gates, never a code."""
    if chosen.somebody or not config.identity.folder:
        return {}
    before = int(chosen.before.timestamp()) if chosen.before else None
    with identified(config) as installation:
        return {"refusals": installation.ledger.forget_refusals(before, chosen.place, dry=dry)}


def _hashes(code: str, site_key: Path) -> Iterator[str]:
    if not code or HASH.fullmatch(code):
        yield from [code] if code else []
        return
    secret, data = read_site_key(site_key), code.encode(errors="surrogateescape")
    yield keyed_hash(secret, data)
    if data.startswith(ms1.PREFIX):
        shown = ms1.read(data)
        yield keyed_hash(secret, ms1.identity(shown.key, shown.body.id))


def _overwritten(eraser: Eraser, rows: list[int]) -> Iterator[int]:
    done = 0
    for start in range(0, len(rows), ROWS):
        done += eraser.overwrite(rows[start : start + ROWS])
        yield done
        time.sleep(PAUSE_S)


def _dropped(eraser: Eraser, chosen: Chosen) -> Iterator[int]:
    while chosen.before and not (chosen.place or chosen.somebody) and (count := eraser.drop(chosen.before)):
        yield count
        time.sleep(PAUSE_S)


def _with_progress(work: Iterator[int], of: int) -> Iterator[int]:
    """Do the work, with a bar on a terminal's standard error."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as bar:
        task = bar.add_task("purge", total=of)
        for done in work:
            bar.update(task, advance=ROWS)
            yield done
