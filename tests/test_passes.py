"""`menshen pass`, as an operator uses it, and a gate that reads what it drew."""

from __future__ import annotations

import json
import os
import re
import shlex
import signal
import stat
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import base45
import cv2
import numpy as np
import pytest
import zxingcpp
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey
from numpy.typing import NDArray

from controller.passes import pass_
from controller.store import Store
from device import codes
from device.codes import Checked, ms1
from device.codes.trust import Trust, read_site_key
from device.sight import Code
from device.wire.messages import Place

Menshen = Callable[..., Result]

NORTH = Place("expo", "north")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A controller's configuration, with everything it names in the same folder."""
    (tmp_path / "controller.toml").write_text(
        f'[store]\npath = "{tmp_path / "controller.db"}"\n'
        f'[passes]\nissuer = "{tmp_path / "issuer"}"\nsite_key = "{tmp_path / "site.key"}"\n',
        encoding="utf-8",
    )
    return tmp_path


@pytest.fixture
def menshen(folder: Path) -> Menshen:
    """Say `menshen pass WORDS`; the keys are made already."""

    def say(*words: str, ok: bool = True, stdin: str = "") -> Result:
        environment = {"MENSHEN_CONTROLLER": str(folder / "controller.toml"), "LANG": "en_US.UTF-8", "LC_ALL": ""}
        result = CliRunner().invoke(pass_, words, input=stdin, env=environment)
        assert (result.exit_code == 0) == ok, result.output
        return result

    say("key")
    say("site-key", str(folder / "site.key"))
    return say


def issue(menshen: Menshen, *words: str) -> tuple[str, str]:
    """Issue a pass; return its text and its id."""
    printed = menshen("issue", "--subject", "Visitor 10482", "--for", "expo", *words).stdout
    found = re.search(r"^id +([0-9a-f]{16}) *$", printed, re.MULTILINE)
    assert found
    return printed.splitlines()[0], found[1]


def at_the_gate(folder: Path, data: bytes, now: float | None = None) -> Checked:
    """Judge as a gate that holds the controller's latest policy."""
    with Store(folder / "controller.db", read_only=True) as store:
        trust = Trust.from_policy(store.desired(), read_site_key(folder / "site.key"))
    code = Code(data=data, text=data.decode(), symbology="QRCode")
    return codes.verify(code, trust, NORTH, int(time.time() if now is None else now), screen_s=30, skew_s=5)


def test_an_issued_picture_opens_the_gate(menshen: Menshen, folder: Path) -> None:
    text, cti = issue(menshen, "--out", str(folder / "pass.png"))
    (read,) = zxingcpp.read_barcodes(cv2.imread(str(folder / "pass.png"), cv2.IMREAD_GRAYSCALE))
    assert read.text == text
    checked = at_the_gate(folder, read.bytes)
    assert checked.reasons == ()
    assert checked.claim
    assert (checked.claim.kind, checked.claim.subject, checked.claim.places) == ("visitor", "Visitor 10482", ("expo",))
    assert checked.identity.endswith(bytes.fromhex(cti))


def test_what_was_issued_is_said_and_remembered(menshen: Menshen) -> None:
    result = menshen(
        "issue", "--kind", "staff", "--subject", "王芳", "--for", "expo/north", "--for", "expo/south",
        "--from", "2026-09-21T08:00+08:00", "--until", "2026-09-21T18:00+08:00", "--lang", "zh",
    )  # fmt: skip
    assert "工作证" in result.stdout
    assert "expo/north, expo/south" in result.stdout
    assert re.search(r"版本 \d+-[MQH]，(\d+) × \1 模块，\d+ 字符", result.stdout)
    (row,) = json.loads(menshen("list", "--json").stdout)
    assert (row["kind"], row["subject"], row["rotating"]) == ("staff", "王芳", False)
    assert row["places"] == ["expo/north", "expo/south"]
    assert (row["not_before"], row["not_after"]) == (1789948800, 1789984800)
    assert "王芳" in menshen("list").stdout


def test_the_sizes_in_the_docs_are_what_is_issued(menshen: Menshen, folder: Path) -> None:
    page = (Path(__file__).parents[1] / "docs" / "ms1.md").read_text(encoding="utf-8")
    section = page.partition("## How large it gets")[2].partition("\n## ")[0]
    rows = re.findall(r"^\|[^|]+\| (\d+) \| (\d+) \| ([\w-]+) \| (\d+) \|$", section, re.MULTILINE)
    lines = re.findall(r"^\$ menshen pass (.+)$", section, re.MULTILINE)
    for (size, characters, version, modules), line in zip(rows, lines, strict=True):
        words = [str(folder / word) if word.endswith(".json") else word for word in shlex.split(line)]
        printed = menshen(*words).stdout
        assert f"version {version}, {modules} × {modules} modules, {characters} characters" in printed
        assert len(base45.b45decode("0" * (int(characters) - len("MS1:")))) == int(size)


def test_a_day_alone_is_meant_to_its_end(menshen: Menshen) -> None:
    issue(menshen, "--from", "2026-09-21", "--until", "2026-09-22")
    issue(menshen, "--from", "2026-09-21", "--days", "3")
    rows = json.loads(menshen("list", "--json").stdout)
    assert [row["not_after"] - row["not_before"] for row in rows] == [3 * 86_400, 2 * 86_400]


def test_a_revoked_pass_is_turned_away(menshen: Menshen, folder: Path) -> None:
    text, cti = issue(menshen)
    assert menshen("show", cti).stdout.rstrip().endswith("good")
    assert menshen("revoke", cti, "--reason", "lost phone").stdout == f"revoked {cti}\n"
    assert at_the_gate(folder, text.encode()).reasons == ("revoked",)
    assert re.search(r"revoked .*lost phone", menshen("show", cti).stdout)
    assert menshen("show", text).stdout.rstrip().endswith("revoked")
    assert "revoked" in menshen("list").stdout
    menshen("revoke", cti, "--reason", "again")
    assert "lost phone" in menshen("show", cti).stdout


def test_a_pass_from_elsewhere_can_be_revoked_by_its_id(menshen: Menshen) -> None:
    assert "not issued here" in menshen("revoke", "00" * 8, "--lang", "en").stdout
    assert "00" * 8 in menshen("show", "00" * 8).stdout
    assert "is no pass id" in menshen("revoke", "1234", ok=False).stderr


def test_a_rotating_pass_is_shown_by_its_holder(menshen: Menshen, folder: Path) -> None:
    phone = folder / "phone.json"
    text, cti = issue(menshen, "--rotating", "--holder", str(phone))
    assert stat.S_IMODE(phone.stat().st_mode) == 0o600
    assert at_the_gate(folder, text.encode()).reasons == ("screen_expired",)
    screen = menshen("screen", str(phone)).stdout.splitlines()[0]
    assert at_the_gate(folder, screen.encode()).reasons == ()
    assert at_the_gate(folder, screen.encode(), time.time() + 60).reasons == ("screen_expired",)
    menshen("screen", str(phone), "--out", str(folder / "screen.png"))
    (read,) = zxingcpp.read_barcodes(cv2.imread(str(folder / "screen.png"), cv2.IMREAD_GRAYSCALE))
    assert at_the_gate(folder, read.bytes).reasons == ()
    assert re.search(r"screen +\d{4}-.* \(\d s\)", menshen("show", screen).stdout)
    bare = menshen("show", text).stdout
    assert "not good without its screen" in bare
    assert bare.rstrip().endswith("good")
    (row,) = json.loads(menshen("list", "--json").stdout)
    assert (row["cti"], row["rotating"]) == (cti, True)
    assert "exists already" in menshen(
        "issue", "--subject", "B", "--for", "expo", "--rotating", "--holder", str(phone), ok=False
    ).stderr  # fmt: skip


def as_picture(lines: list[str]) -> NDArray[np.uint8]:
    """Turn half blocks back into light and dark."""
    light = {"█": (255, 255), "▀": (255, 0), "▄": (0, 255), " ": (0, 0)}
    rows = [[light[block][half] for block in line] for line in lines for half in (0, 1)]
    return np.array(rows, dtype=np.uint8).repeat(4, axis=0).repeat(4, axis=1)


def test_a_live_screen_changes_until_it_is_interrupted(menshen: Menshen, folder: Path) -> None:
    phone = folder / "phone.json"
    issue(menshen, "--rotating", "--holder", str(phone))
    words = [sys.executable, "-m", "menshen", "pass", "screen", str(phone), "--live", "--every", "1"]
    environment = os.environ | {"PYTHONIOENCODING": "utf-8", "PYTHONUNBUFFERED": "1"}
    with subprocess.Popen(words, stdout=subprocess.PIPE, env=environment, text=True, encoding="utf-8") as live:
        assert live.stdout
        rows = (65 + 8 + 1) // 2  # version 12 and its quiet zone, two modules a line
        texts = []
        for _ in range(2):
            (read,) = zxingcpp.read_barcodes(as_picture([live.stdout.readline().rstrip("\n") for _ in range(rows)]))
            texts.append(read.bytes)
        live.send_signal(signal.SIGINT)
        assert live.wait(10) == 0
    assert texts[0] != texts[1]
    for text in texts:
        assert at_the_gate(folder, text).reasons == ()


def test_an_svg_can_be_drawn(menshen: Menshen, folder: Path) -> None:
    issue(menshen, "--out", str(folder / "pass.svg"))
    assert "<svg" in (folder / "pass.svg").read_text()


def test_plain_cards_are_listed_by_their_hash_alone(menshen: Menshen, folder: Path) -> None:
    assert menshen("card", "M-0001", "M-0002").stdout == "2 added, 0 as they were\n"
    assert menshen("card", "-", stdin="M-0002\nM-0003\n").stdout == "1 added, 1 as they were\n"
    assert at_the_gate(folder, b"M-0003").scheme == "listed"
    assert "on the list" in menshen("show", "M-0003").stdout
    assert menshen("card", "--remove", "M-0003", "M-0004").stdout == "1 removed, 1 as they were\n"
    assert at_the_gate(folder, b"M-0003").scheme == "unknown"
    assert not any(b"M-000" in path.read_bytes() for path in folder.glob("controller.db*"))
    assert "neither a pass nor its id" in menshen("show", "M-0003", ok=False).stderr


def test_keys_are_made_once(menshen: Menshen, folder: Path) -> None:
    path = folder / "issuer" / "issuer.pem"
    before = path.read_bytes()
    assert stat.S_IMODE(path.stat().st_mode) == 0o600
    assert str(path) in menshen("key").stdout
    assert path.read_bytes() == before
    assert "exists already" in menshen("site-key", str(folder / "site.key"), ok=False).stderr


def test_an_expired_a_future_an_unknown_and_a_forged_pass_are_explained(menshen: Menshen) -> None:
    past, past_id = issue(menshen, "--from", "2020-01-01", "--days", "1")
    assert "outside its time" in menshen("show", past).stdout
    assert "expired" in menshen("show", past_id).stdout
    _, future_id = issue(menshen, "--from", "2999-01-01", "--days", "1")
    assert "not yet good" in menshen("show", future_id).stdout
    stranger: dict[str, Any] = {
        "kind": "visitor",
        "subject": "A",
        "places": ("expo",),
        "not_before": 0,
        "not_after": 2**33,
    }
    unknown = ms1.issue(Ed25519PrivateKey.generate(), **stranger)
    assert "issuer unknown" in menshen("show", unknown).stdout
    with_another_signature = base45.b45decode(past[4:])[:-64] + base45.b45decode(unknown[4:])[-64:]
    forged = f"MS1:{base45.b45encode(with_another_signature).decode()}"
    assert menshen("show", forged).stdout.rstrip().endswith("not a valid code")


@pytest.mark.parametrize(
    ("words", "code", "problem"),
    [
        (["issue", "--subject", "A"], 2, "--for"),
        (["issue", "--for", "expo"], 2, "--subject"),
        (["issue", "--subject", "A", "--for", "Expo"], 2, "neither SITE nor SITE/ENTRANCE"),
        (["issue", "--subject", "A\x1b[2J", "--for", "expo"], 2, "printable"),
        (["issue", "--subject", "A", "--for", "expo", "--from", "tomorrow"], 2, "write 2026-09-21"),
        (["issue", "--subject", "A", "--for", "expo", "--until", "2020-01-01"], 2, "ends after it begins"),
        (["issue", "--subject", "A", "--for", "expo", "--until", "2999-01-01", "--days", "1"], 2, "not both"),
        (["issue", "--subject", "A", "--for", "expo", "--out", "a.gif"], 2, ".png or .svg"),
        (["issue", "--subject", "A", "--for", "expo", "--out", "no/such/folder.png"], 1, "cannot be written"),
        (["issue", "--subject", "A", "--for", "expo", "--rotating"], 2, "--holder FILE"),
        (["issue", "--subject", "A", "--for", "expo", "--rotating", "--holder", "h", "--out", "a.png"], 2, "screen"),
        (["screen", "no-such-file"], 1, "makes one"),
        (["show", "MS1:FORGED"], 1, "no ms1 code"),
        (["show", "0123456789abcdef"], 1, "no pass 0123456789abcdef"),
        (["card", ""], 2, "1 to 4296 bytes"),
        (["card", "MS1:AB"], 2, "needs no list"),
        (["card", "menshen:en"], 2, "admits nobody"),
    ],
)
def test_what_cannot_be_done_says_why(menshen: Menshen, words: list[str], code: int, problem: str) -> None:
    result = menshen(*words, ok=False)
    assert result.exit_code == code
    assert problem in result.stderr


def test_a_place_that_is_not_registered_is_doubted(menshen: Menshen, folder: Path) -> None:
    with Store(folder / "controller.db") as store:
        store.register(NORTH)
    assert menshen("issue", "--subject", "A", "--for", "expo/north").stderr == ""
    doubt = menshen("issue", "--subject", "A", "--for", "expo/nroth").stderr
    assert doubt == "note: expo/nroth is not registered; these are: expo, expo/north\n"


def test_a_key_that_no_gate_trusts_signs_nothing(menshen: Menshen, folder: Path) -> None:
    (folder / "issuer" / "issuer.pem").unlink()
    assert "menshen pass key" in menshen("issue", "--subject", "A", "--for", "expo", ok=False).stderr
    (folder / "controller.db").rename(folder / "old.db")
    menshen("key")
    (folder / "old.db").rename(folder / "controller.db")
    assert "run `menshen pass key`" in menshen("issue", "--subject", "A", "--for", "expo", ok=False).stderr
    menshen("key")
    issue(menshen)


@pytest.mark.parametrize("content", [b"", b"{}", b'{"pass": "MS1:", "private": "AAAA"}', b"\xff", b"[" * 10_000])
def test_a_file_that_is_no_holders_is_refused(menshen: Menshen, folder: Path, content: bytes) -> None:
    path = folder / "phone.json"
    path.write_bytes(content)
    assert f"chmod 600 {path}" in menshen("screen", str(path), ok=False).stderr
    path.chmod(0o600)
    assert "not a holder's file" in menshen("screen", str(path), ok=False).stderr
