"""Text that somebody may show, send or type to do harm: to a terminal, a log, a table, a page, a topic, a reader."""

from __future__ import annotations

from typing import Final

CORPUS: Final = {
    "NUL": "a\x00b",
    "bell and backspace": "a\x07\x08\x08b",
    "line of its own": "x\n2026-11-24 09:00:00,000 INFO device.entrance: grant: ms1",
    "carriage return": "refuse\rgrant ",
    "vertical tab, form feed": "a\x0b\x0cb",
    "delete": "a\x7fb",
    "ANSI clear": "\x1b[2J\x1b[Hall is well",
    "ANSI colour": "\x1b[32mgrant\x1b[0m",
    "ANSI title": "\x1b]0;owned\x07",
    "ANSI hyperlink": "\x1b]8;;https://example.com\x1b\\click\x1b]8;;\x1b\\",
    "ANSI clipboard": "\x1b]52;c;cm0gLXJmIC8=\x07",
    "C1 control": "\x9b2J\x90q\x9c\x85",
    "bidi override": "\u202egnp.exe\u202c",
    "bidi isolate": "\u2066a\u2067b\u2069",
    "zero width": "gu\u200bard\u200d\ufeff",
    "separators": "a\u2028b\u2029c",
    "tag characters": "a\U000e0041\U000e007f",
    "private use": "\ue000\U0010ffff",
    "combining": "a" + "\u0301" * 40,
    "lone surrogate": "a\ud800b",
    "escaped byte": "a\udcffb",
    "HTML": "<script>alert(1)</script><img src=x onerror=alert(1)>",
    "markup of the terminal": "[bold red]x[/] [link=https://example.com]y[/link]",
    "formula": '=HYPERLINK("https://example.com","x")',
    "formula of a command": "=cmd|'/c calc'!A0",
    "formula behind spaces": " \t=1+1",
    "wide formula": "＝1+1",
    "plus": "+1",
    "minus": "-1+2",
    "at": "@SUM(1)",
    "CSV": '","=1","\r\n',
    "SQL": "'; DROP TABLE events; --",
    "format": "%s%n{0}{x}$(id)`id`",
    "wildcards": "+/#/$SYS/../../etc",
    "another branch": "south/../../other/gate",
    "homoglyph": "ехро",  # Cyrillic
    "wide id": "ｅｘｐｏ",
    "long": "x" * 5000,
}
