"""Signing in through a provider that others wrote, where OIDC_PROVIDER_MOCK names the program of one.

python3 -m venv /tmp/oidc && /tmp/oidc/bin/pip install oidc-provider-mock==0.3.4
OIDC_PROVIDER_MOCK=/tmp/oidc/bin/oidc-provider-mock ./menshen test -- tests/test_oidc_others.py
"""

from __future__ import annotations

import http.client
import json
import os
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path
from urllib.parse import urlencode, urlsplit

import pytest

from controller.broker import free_port
from controller.oidc import checkup
from tests.boarders import PASSWORD, Visitor, pages
from tests.travellers import GUARD, secret, way

PROGRAM = os.environ.get("OIDC_PROVIDER_MOCK", "")
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
CLAIMS = {"sub": "guard-7", "preferred_username": "guard 7"}


def ask(url: str, form: dict[str, str] | None = None) -> http.client.HTTPResponse:
    parts = urlsplit(url)
    connection = http.client.HTTPConnection(parts.netloc, timeout=20)
    connection.request(
        "POST" if form else "GET", f"{parts.path}?{parts.query}", urlencode(form) if form else None, FORM
    )
    answer = connection.getresponse()
    answer.read()
    connection.close()
    return answer


@pytest.fixture
def issuer(tmp_path: Path) -> Iterator[str]:
    port = free_port()
    with (tmp_path / "provider.log").open("wb") as log:
        asked = [PROGRAM, "--port", str(port), "--require-nonce", "true", "--user-claims", json.dumps(CLAIMS)]
        process = subprocess.Popen(asked, stdout=log, stderr=log)
    try:
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            try:
                ask(f"http://127.0.0.1:{port}/.well-known/openid-configuration")
                break
            except OSError:
                time.sleep(0.05)
        yield f"http://127.0.0.1:{port}"
    finally:
        process.terminate()
        process.wait(timeout=10)


@pytest.mark.skipif(not PROGRAM, reason="OIDC_PROVIDER_MOCK names no provider that others wrote")
def test_a_provider_that_others_wrote_is_understood(issuer: str, tmp_path: Path) -> None:
    with pages(tmp_path, issuer=issuer, client_id="menshen", client_secret=secret(tmp_path)) as office:
        assert checkup.examine(office.config.web.oidc).state == "ok"
        office.accounts.add(GUARD)
        office.accounts.bind(GUARD.name, issuer, "guard-7")
        visitor = Visitor(office.config.web.port)
        sent = way(visitor.post("/sign-in/provider")[1])
        assert ask(sent).status == 200
        answer = ask(sent, {"sub": "guard-7"})
        back = answer.headers["Location"].removeprefix(office.config.web.oidc.url)
        assert visitor.get(back)[0] == 303
        assert "guard 7" in visitor.get("/")[1]
        assert ask(way(visitor.post("/sign-out", form=visitor.form())[1])).status == 200
        stranger = Visitor(office.config.web.port)
        answer = ask(way(stranger.post("/sign-in/provider")[1]), {"sub": "somebody"})
        assert stranger.get(answer.headers["Location"].removeprefix(office.config.web.oidc.url))[0] == 403
        denied = Visitor(office.config.web.port)
        answer = ask(way(denied.post("/sign-in/provider")[1]), {"action": "deny"})
        status = denied.get(answer.headers["Location"].removeprefix(office.config.web.oidc.url))[0]
        assert (status, denied.post("/sign-in", name="guard 1", password=PASSWORD)[0]) == (403, 303)
