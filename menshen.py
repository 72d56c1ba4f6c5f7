"""The command line: which room answers which word."""

from __future__ import annotations

import difflib
import importlib
import io
import logging
import os
import sqlite3
import sys
from typing import Any, Final

import click

from device.wire.plain import Plain

Word = tuple[str, str]  # where its click command lives, and what it does

CHAPTERS: Final[dict[str, dict[str, Word]]] = {
    "Try it 先试一试": {
        "demo": ("controller.demo:demo", "See it all at work: broker, controller, two emulated gates. 现场演示"),
        "kiosk": ("controller.kiosk:kiosk", "Play with an emulated gate on a page. 体验模拟门机"),
        "scan": ("device.scan:scan", "Read codes from photos or a video and judge them. 读码并判断"),
    },
    "One entrance 一个入口": {
        "gate": ("device.__main__:gate", "Run one entrance. 运行一个入口"),
        "doctor": ("device.doctor:doctor", "Look whether a gate has all it needs, and name the fix. 安装自检"),
    },
    "All entrances 控制端": {
        "controller": ("controller.__main__:controller", "Run the operators' side. 运行控制端"),
        "entrance": ("controller.registry:entrance", "Register entrances. 登记入口"),
        "region": ("controller.regionbook:region", "Say which regions there are, and what lies in them. 区域"),
        "user": ("controller.users:user", "Say who may sign in at the board. 看板用户"),
        "notify": ("controller.notifiers:notify", "Where alerts go beside MQTT. 通知渠道"),
    },
    "Codes and guards 码与值守": {
        "pass": ("controller.passes:pass_", "Issue, show and revoke signed codes. 签发、查看、吊销通行码"),
        "trust": ("controller.trust:trust", "Trust codes of other issuers. 信任其他签发方的码"),
        "roster": ("controller.roster:roster", "Say which guards are expected. 排班表"),
    },
    "Day and night 日常值班": {
        "watch": ("controller.watch:watch", "Follow events and alerts live. 实时查看"),
        "alerts": ("controller.alertbook:alerts", "List alerts, take them on, silence them. 告警列表与处理"),
        "events": ("controller.tables:events", "List stored events. 事件列表"),
        "command": ("controller.command:command", "Tell a gate to do something now. 远程指令"),
        "journal": ("controller.alertbook:journal", "Read and check what was done, and by whom. 操作日志"),
        "rules": ("controller.replay:rules", "Try rules on what was, before they are in force. 试用规则"),
        "purge": ("controller.purge:purge", "Overwrite what names people. 清除个人信息"),
    },
    "Check it 检查": {
        "bench": ("device.bench:bench", "Measure the straight path on this machine. 测量性能"),
        "test": ("tests.command:test", "Check everything. 运行全部检查"),
    },
}
COMMANDS: Final = {word: found for chapter in CHAPTERS.values() for word, found in chapter.items()}


SERVICE: Final = "INVOCATION_ID"  # systemd sets it: whoever reads its journal was not there, and wants to know where


class Rooms(click.Group):
    """Commands are imported when they are asked for, so that a gate needs nothing of the controller's."""

    def list_commands(self, ctx: click.Context) -> list[str]:  # noqa: ARG002
        """Return the words in the order a newcomer meets them."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:  # noqa: ARG002
        """Import the command that answers this word."""
        if cmd_name not in COMMANDS:
            return None
        module, _, name = COMMANDS[cmd_name][0].partition(":")
        try:
            command: click.Command = getattr(importlib.import_module(module), name)
        except ModuleNotFoundError as error:
            if module == "tests.command" and error.name in ("tests", module):
                raise click.ClickException(
                    "the tests are not part of an installed menshen: clone it, then ./menshen test"
                ) from error
            raise
        return command

    def resolve_command(
        self, ctx: click.Context, args: list[str]
    ) -> tuple[str | None, click.Command | None, list[str]]:
        """Find the command; for a word that is none, name the nearest that is."""
        try:
            return super().resolve_command(ctx, args)
        except click.UsageError as error:
            near = difflib.get_close_matches(args[0], COMMANDS, n=1)
            hint = f" Did you mean {near[0]!r}?" if near else f" There are {', '.join(COMMANDS)}."
            raise click.UsageError(error.format_message() + hint, ctx) from error

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:  # noqa: ARG002
        """List the words, in the order of a day, without importing what answers them."""
        widest = max(map(len, COMMANDS))
        for title, chapter in CHAPTERS.items():
            with formatter.section(title):
                formatter.write_dl([(word.ljust(widest), said) for word, (_, said) in chapter.items()])

    def main(self, *args: Any, **more: Any) -> Any:
        """Run a command; what no command foresaw ends in one line as well, and with its origin where -v asks for it."""
        if isinstance(sys.stdout, io.TextIOWrapper):
            sys.stdout.reconfigure(errors="backslashreplace")  # a terminal of another encoding loses no word
        try:
            return super().main(*args, **more)
        except (OSError, sqlite3.Error) as error:
            level = logging.ERROR if SERVICE in os.environ else logging.DEBUG
            logging.getLogger(__name__).log(level, "ended by", exc_info=error)
            click.ClickException(_unforeseen(error)).show()
            sys.exit(1)


def _unforeseen(error: OSError | sqlite3.Error) -> str:
    if isinstance(error, sqlite3.Error):
        return f"a database cannot be used: {error}; is its disk full, and does this user own it? menshen -v says more"
    where = f"{error.filename}: " if error.filename else ""
    return f"{where}{error.strerror or error}; menshen -v says more"


@click.group(cls=Rooms, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="menshen")
@click.option("-v", "--verbose", is_flag=True, help="Log what happens in detail. 详细日志")
def main(*, verbose: bool) -> None:
    """Guard entrances: gates that decide on the spot, a controller that watches them all. 门神：守好每一个入口

    Begin with `menshen demo`, or `menshen kiosk` for one gate on a page. 先运行 menshen demo
    """
    level = logging.DEBUG if verbose else logging.INFO
    handler = logging.StreamHandler()
    handler.setFormatter(Plain("%(asctime)s %(levelname)s %(name)s: %(message)s"))
    logging.basicConfig(level=level, handlers=[handler])


if __name__ == "__main__":
    main()
