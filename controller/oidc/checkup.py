"""What the doctor asks the identity provider: is it there, is it the one that is meant, and has it the time."""

from __future__ import annotations

import time
from datetime import UTC, datetime

from controller.oidc.call import CallError
from controller.oidc.idtoken import LEEWAY_S
from controller.oidc.provider import Provider
from controller.oidc.settings import OidcSection
from device.wire.checkup import Finding, both
from device.wire.messages import Text


def examine(settings: OidcSection) -> Finding:
    """Ask for the discovery document and the keys, and read the client's secret."""
    if not settings.issuer:
        return Finding("provider", "skipped", Text("未设置", "there is none"))
    provider = Provider(settings)
    try:
        provider.secret()
        looked = provider.look(time.monotonic() + settings.answer_s)
    except CallError as error:
        fix = Text(
            "检查 [web.oidc] 与到身份提供方的网络；在此期间请用密码登录",
            "see [web.oidc] and the network to the provider; meanwhile people sign in with passwords",
        )
        return Finding("provider", "fail", both(error), fix)
    apart_s = abs((looked.clock - datetime.now(tz=UTC)).total_seconds()) if looked.clock else 0.0
    if apart_s > LEEWAY_S:
        apart = Text(f"两边时钟相差 {apart_s:.0f} 秒", f"its clock and ours are {apart_s:.0f} s apart")
        return Finding("provider", "fail", apart, Text("让两边都用 NTP 对时", "let NTP keep both"))
    return Finding("provider", "ok", both(f"{settings.issuer}, {settings.redirect}"))
