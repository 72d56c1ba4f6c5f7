"""`menshen scan`: photos, folders and videos on the command line."""

from __future__ import annotations

import base64
import json
import subprocess
import sys
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import cv2
import numpy as np
import pytest
import segno
from click.testing import CliRunner, Result
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from device.codes import ms1
from device.codes.trust import keyed_hash, make_site_key, trusted
from device.scan import scan
from device.wire.messages import Admission, Desired, TrustList, encode
from hardware.camera.drawing import draw
from hardware.parts import Grey
from hardware.scene import Scene
from tests.pictures import CODE, video
from tests.test_pretix import payload
from tests.test_shc import pieces
from tests.tickets import card, key, signed, ticket

HOUR = 3600
ISSUER = Ed25519PrivateKey.generate()


def run(*words: object, lang: str = "en") -> Result:
    return CliRunner().invoke(scan, [*map(str, words), "--lang", lang], catch_exceptions=False)


def rows(result: Result) -> list[dict[str, Any]]:
    return [json.loads(line) for line in result.stdout.splitlines()]


def photo(path: Path, data: str | bytes = "hello") -> Path:
    segno.make_qr(data).save(str(path), scale=6, border=4)
    return path


def saved(path: Path, grey: Grey) -> Path:
    assert cv2.imwrite(str(path), grey)
    return path


@pytest.fixture
def trust(tmp_path: Path) -> Path:
    site_key = make_site_key(tmp_path / "site.key")
    path = tmp_path / "policy.json"
    listed = (keyed_hash(site_key, b"member 7"),)
    path.write_bytes(encode(Desired(version=1, keys=(trusted(ISSUER.public_key()),), listed=listed)))
    return path


def issued(*places: str) -> str:
    now = int(time.time())
    return ms1.issue(ISSUER, kind="visitor", subject="v", places=places, not_before=now - HOUR, not_after=now + HOUR)


def test_a_photo_of_a_code_nobody_knows(tmp_path: Path) -> None:
    path = photo(tmp_path / "photo.png")
    result = run(path)
    assert result.stdout == f"{path}: QRCode, unknown: refuse (not a valid code)\n    hello\n"
    assert result.stderr == "without --trust, no issuer is believed\n"
    assert result.exit_code == 0


def test_a_reader_of_chinese_is_told_in_chinese(tmp_path: Path) -> None:
    result = run(photo(tmp_path / "照片.png", "你好"), lang="zh")
    assert "照片.png: QRCode, unknown: 拒绝 (无效码)\n    你好\n" in result.stdout
    assert "--trust" in result.stderr


def test_a_pass_is_judged_as_its_entrance_would(tmp_path: Path, trust: Path) -> None:
    path = photo(tmp_path / "pass.png", issued("expo/north"))
    assert "QRCode, ms1: grant\n" in run(path, "--trust", trust, "--place", "expo/north").stdout
    assert "ms1: refuse (not for this entrance)" in run(path, "--trust", trust, "--place", "expo/south").stdout
    assert "ms1: refuse (issuer unknown)" in run(path).stdout


def test_a_listed_code_needs_the_sites_secret(tmp_path: Path, trust: Path) -> None:
    path = photo(tmp_path / "card.png", "member 7")
    assert "listed: grant" in run(path, "--trust", trust, "--site-key", tmp_path / "site.key").stdout
    without = run(path, "--trust", trust)
    assert "unknown: refuse" in without.stdout
    assert without.stderr == "without --site-key, listed codes are not recognised\n"


def test_json_says_all_a_program_needs(tmp_path: Path) -> None:
    text, binary = photo(tmp_path / "a.png", "入场"), photo(tmp_path / "b.png", b"\x00\xff\xfe")
    first, second = rows(run(text, binary, "--json"))
    assert first == {
        "file": str(text), "frame": None, "at_s": None, "symbology": "QRCode", "weak": False, "text": "入场",
        "bytes": None, "scheme": "unknown", "says": {}, "trust_age_s": None,
        "outcome": "refuse", "reasons": ["invalid"], "detail": "",
    }  # fmt: skip
    assert base64.b64decode(second["bytes"]) == b"\x00\xff\xfe"


def test_what_a_code_says_moves_no_terminal(tmp_path: Path) -> None:
    result = run(photo(tmp_path / "evil.png", "\x1b[2J\u202eevil\r\nnorth: QRCode, ms1: grant"))
    assert "    \\x1b[2J\\u202eevil\\r\\nnorth: QRCode, ms1: grant\n" in result.stdout
    assert len(result.stdout.splitlines()) == 2


def test_several_codes_in_one_photo_are_all_found(tmp_path: Path) -> None:
    two = np.hstack(
        [draw(Scene(code="ONE", size=200), 480, 640), draw(Scene(code="TWO", symbology="Aztec", size=200), 480, 640)]
    )
    found = rows(run(saved(tmp_path / "two.png", two), "--json"))
    assert sorted((row["text"], row["symbology"]) for row in found) == [("ONE", "QRCode"), ("TWO", "Aztec")]


def test_a_weak_reading_is_called_one(tmp_path: Path) -> None:
    path = saved(tmp_path / "ticket.png", draw(Scene(code="A17", symbology="Code128", size=420), 640, 480))
    assert "Code128 (one reading, unconfirmed), unknown: refuse" in run(path).stdout
    assert rows(run(path, "--json"))[0]["weak"] is True


def test_a_folder_is_read_picture_by_picture(tmp_path: Path) -> None:
    photo(tmp_path / "a.png", "ONE")
    photo(tmp_path / "c.png", "TWO")
    saved(tmp_path / "b.png", draw(Scene(), 320, 240))
    result = run(tmp_path)
    assert f"{tmp_path / 'a.png'}: QRCode" in result.stdout
    assert f"{tmp_path / 'b.png'}: no code found\n" in result.stdout
    assert f"{tmp_path / 'c.png'}: QRCode" in result.stdout
    assert result.exit_code == 1


def test_a_video_says_each_code_once_and_when(tmp_path: Path) -> None:
    film = video(tmp_path / "film.avi", 40)
    (row,) = rows(run(film, "--json"))
    assert (row["file"], row["frame"], row["at_s"], row["text"]) == (str(film), 1, 0.0, CODE)
    assert f"{film} 0.00 s: QRCode, unknown" in run(film).stdout


def test_files_that_cannot_be_read_are_named_and_the_others_read(tmp_path: Path) -> None:
    (tmp_path / "notes.txt").write_text("no picture", encoding="ascii")
    (tmp_path / "broken.png").write_bytes(b"\x89PNG\r\n\x1a\nbroken")
    result = run(tmp_path / "notes.txt", tmp_path / "broken.png", tmp_path / "gone.png", photo(tmp_path / "good.png"))
    assert "good.png: QRCode" in result.stdout
    for name in ("notes.txt", "broken.png", "gone.png"):
        assert name in result.stderr
    assert result.exit_code == 2


def test_no_code_is_an_exit_code_and_no_line_of_json(tmp_path: Path) -> None:
    empty = saved(tmp_path / "empty.png", draw(Scene(), 320, 240))
    result = run(empty, "--json")
    assert (result.stdout, result.stderr, result.exit_code) == ("", f"{empty}: no code found\n", 1)


@pytest.mark.parametrize(
    ("words", "complaint"),
    [
        ((), "Missing argument 'FILE...'"),
        (("x.png", "--place", "EXPO"), "--place: 'EXPO' is not SITE/ENTRANCE"),
        (("x.png", "--trust", "/nowhere/policy.json"), "/nowhere/policy.json: No such file"),
        (("x.png", "--trust", __file__), "not a Desired"),
        (("x.png", "--site-key", "/nowhere/site.key"), "Error: /nowhere/site.key: "),
    ],
)
def test_a_wrong_command_line_is_explained(words: tuple[str, ...], complaint: str) -> None:
    result = run(*words)
    assert complaint in result.stderr
    assert result.exit_code == 2


def test_from_a_shell(tmp_path: Path) -> None:
    asked = subprocess.run(
        [sys.executable, "-m", "menshen", "scan", "--json", photo(tmp_path / "photo.png")],
        capture_output=True,
        text=True,
        check=True,
    )
    assert json.loads(asked.stdout)["text"] == "hello"
    assert asked.stderr == "without --trust, no issuer is believed\n"


def test_codes_of_others_are_explained(tmp_path: Path) -> None:
    policy = Desired(version=1, lists=(TrustList(scheme="pretix", name="a", issued_at=datetime.now(tz=UTC), keys=(
        key("EdDSA", "", "expo-2026"),)),), admit=(Admission(scheme="pretix"),))  # fmt: skip
    (tmp_path / "policy.json").write_bytes(encode(policy))
    path = photo(tmp_path / "ticket.png", ticket(payload(42, 0, 14)))
    result = run(path, "--trust", tmp_path / "policy.json")
    assert result.stdout == f"{path}: QRCode, pretix (a pretix ticket): grant\n    item 42; subevent 14\n"
    (row,) = rows(run(path, "--json", "--trust", tmp_path / "policy.json"))
    assert (row["says"], row["trust_age_s"] < 60) == ({"item": 42, "subevent": 14}, True)
    token = photo(tmp_path / "token.png", signed({"alg": "EdDSA", "kid": "k1"}, {"sub": "visitor 1"}))
    assert "jws (a web token): refuse (issuer unknown)\n    kid k1; alg EdDSA; sub visitor 1\n" in run(token).stdout


def test_a_card_in_several_codes_is_put_together_from_several_photos(tmp_path: Path) -> None:
    text = card()
    photos = [photo(tmp_path / f"{number}.png", part) for number, part in enumerate(pieces(text, 3))]
    first, second, last = rows(run(*photos, "--json"))
    assert [each["reasons"] for each in (first, second, last)] == [["part_missing"]] * 2 + [["unknown_issuer"]]
    assert first["says"] == {"piece": 1, "of": 3}
    assert (last["file"], last["text"]) == (str(photos[2]), text)
    assert last["says"]["resource"] == ["Patient", "Immunization"]
    assert "visitor 1" not in json.dumps(last["says"]), "whose it is is nobody's business here"
