"""The command `menshen controller datasette`: metadata for people who look into the database with Datasette."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any, Final

import click

from controller.config import Config, configured

TABLES: Final[dict[str, dict[str, Any]]] = {
    "timeline": {"description": "Every event, the newest first; `at` is mended where `clock` says so. 全部事件"},
    "scans": {"description": "Codes read and judged; `code_hash` is keyed, never the code. 扫码"},
    "passages": {"description": "Who went through, and whether they had a grant. 通行"},
    "duties": {"description": "Guards who came and went. 值守"},
    "faults": {"description": "What went wrong at a gate, and works again. 故障"},
    "commands": {"description": "What gates were told from afar, and whether they did it. 指令"},
    "open_alerts": {"description": "What is wrong now. 未解除告警"},
    "alerts": {"description": "Alerts open and past. 告警", "sort_desc": "since", "label_column": "kind"},
    "entrances": {"description": "Entrances, and what their gates said last. 入口", "label_column": "name"},
    "regions": {"description": "What sites lie in, named from the top down. 区域"},
    "sites": {"description": "Which site lies in which region. 场所所在区域"},
    "events": {"description": "Events as stored; `timeline` reads better. 原始事件", "hidden": True},
    "spools": {"description": "How far each gate's file of events has come. 上传进度", "sort_desc": "id"},
    "quarantine": {"description": "The heads of messages nobody could read. 隔离消息", "sort_desc": "id"},
    "passes": {"description": "Passes issued here. 已签发通行码", "sort_desc": "issued_at"},
}
QUERIES: Final[dict[str, dict[str, Any]]] = {
    "scans_by_hour": {
        "title": "Scans of the last day by hour 近一天每小时扫码",
        "sql": "SELECT strftime('%Y-%m-%d %H:00', e.received_at) AS hour, n.site, n.name AS entrance,\n"
        " sum(e.event_type = 'grant') AS granted, sum(e.event_type = 'refer') AS referred,\n"
        " sum(e.event_type = 'refuse') AS refused\n"
        "FROM events e JOIN entrances n ON n.id = e.entrance_id\n"
        "WHERE e.kind = 'scan' AND e.received_at >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day')\n"
        "GROUP BY hour, n.id ORDER BY hour DESC, n.site, n.name",
    },
    "scan_rate": {
        "title": "Of those who went through lately, how many had a grant 逢进必扫率",
        "sql": "SELECT n.site, n.name AS entrance, sum(e.event_type = 'passed') AS with_a_grant,\n"
        " sum(e.event_type IN ('forced', 'tailgated')) AS without,\n"
        " round(100.0 * sum(e.event_type = 'passed')\n"
        "  / max(1, sum(e.event_type IN ('passed', 'forced', 'tailgated'))), 1) AS percent\n"
        "FROM events e JOIN entrances n ON n.id = e.entrance_id\n"
        "WHERE e.kind = 'passage' AND e.received_at >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-1 day')\n"
        "GROUP BY n.id ORDER BY percent",
    },
    "alerts_by_kind": {
        "title": "Alerts by entrance and kind, of 30 days 近三十天告警",
        "sql": "SELECT n.site, n.name AS entrance, a.kind, count(*) AS times,\n"
        " round(avg(julianday(a.resolved_at) - julianday(a.since)) * 1440, 1) AS minutes_on_average\n"
        "FROM alerts a JOIN entrances n ON n.id = a.entrance_id\n"
        "WHERE a.updated >= strftime('%Y-%m-%dT%H:%M:%fZ', 'now', '-30 days')\n"
        "GROUP BY n.id, a.kind ORDER BY times DESC",
    },
}


def metadata(database: Path) -> dict[str, Any]:
    """Return it: titles, descriptions, and questions worth asking. The database is known by its file's name."""
    return {
        "title": "menshen 门神",
        "description": "What the controller keeps. Read only; nothing here is in anybody's way.",
        "databases": {database.stem: {"tables": TABLES, "queries": QUERIES}},
    }


@click.command("datasette")
@configured
def command(*, config: Config) -> None:
    """Print metadata for Datasette, in JSON, which is YAML as well. 打印 Datasette 元数据"""
    click.echo(json.dumps(metadata(Path(config.store.path)), indent=1, ensure_ascii=False))
