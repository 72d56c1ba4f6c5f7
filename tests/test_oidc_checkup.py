"""What the doctor asks an identity provider, and the emulated one as a command."""

from __future__ import annotations

import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import msgspec
import pytest

from controller.oidc import checkup
from controller.oidc.emulated import CLIENT, Emulated
from controller.oidc.settings import OidcSection
from tests.travellers import TROUBLES, secret


@pytest.fixture
def provider() -> Iterator[Emulated]:
    emulated = Emulated()
    emulated.start()
    yield emulated
    emulated.close()


def test_the_doctor_asks_the_provider(provider: Emulated, tmp_path: Path) -> None:
    settings = OidcSection(
        issuer=provider.issuer,
        client_id=CLIENT,
        client_secret=secret(tmp_path),
        url="https://board.example",
        answer_s=0.5,
    )
    assert checkup.examine(settings).state == "ok"
    wrong: dict[str, dict[str, Any]] = {
        "calls itself": {"issuer": f"{provider.issuer}/"},
        "cannot be read": {"client_secret": str(tmp_path / "nowhere")},
        "Connection refused": {"issuer": "http://127.0.0.1:1"},
        "cannot be used": {"ca": str(tmp_path / "nowhere")},
    }
    for said, change in wrong.items():
        found = checkup.examine(msgspec.structs.replace(settings, **change))
        assert (found.state, said in found.detail.en) == ("fail", True), found
    for trouble in TROUBLES:
        provider.fault = trouble
        try:
            assert checkup.examine(settings).state == "fail", trouble
        finally:
            provider.fault = ""
    provider.fast_s = 3600
    try:
        found = checkup.examine(settings)
    finally:
        provider.fast_s = 0
    assert (found.state, "apart" in found.detail.en) == ("fail", True)
    assert checkup.examine(OidcSection()).state == "skipped"


def test_the_emulated_one_is_a_command_of_its_own() -> None:
    asked = [sys.executable, "-m", "menshen", "controller", "provider", "--port", "0"]
    with subprocess.Popen(asked, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout
            issuer = process.stdout.readline().strip()
            found = checkup.examine(OidcSection(issuer=issuer, client_id=CLIENT, url="https://board.example"))
            assert found.state == "ok", found
        finally:
            process.terminate()
