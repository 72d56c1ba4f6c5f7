"""The tray of codes one may hold up before the emulated kiosk. Another one is a line here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, NamedTuple

from controller.abroad import Abroad
from controller.cast import Issuer
from device.wire.card import CARDS
from device.wire.messages import Text


class Issuers(NamedTuple):
    """Whoever made the codes on the tray."""

    ours: Issuer
    abroad: Abroad


class Item(NamedTuple):
    """One code: what people call it, and the text that is shown, made when it is."""

    title: Text
    text: Callable[[Issuers], str]


TRAY: Final[dict[str, Item]] = {
    "good": Item(Text("有效码", "a good pass"), lambda by: by.ours.good),
    "badge": Item(Text("保安工牌", "a guard's badge"), lambda by: by.ours.badge),
    "rotating": Item(Text("动态码", "a rotating screen"), lambda by: by.ours.screen()),
    "screenshot": Item(Text("动态码的旧截图", "an old screenshot of it"), lambda by: by.ours.screen(120)),
    "expired": Item(Text("过期码", "an expired pass"), lambda by: by.ours.expired),
    "forged": Item(Text("伪造码", "a forged pass"), lambda by: by.ours.forged),
    "revoked": Item(Text("已吊销的码", "a revoked pass"), lambda by: by.ours.revoked),
    "foreign": Item(Text("他人签发的码", "signed by somebody unknown"), lambda by: by.ours.foreign),
    "card": Item(Text("会员卡", "a member's card"), lambda by: by.ours.card),
    "ticket": Item(Text("pretix 门票", "a pretix ticket"), lambda by: by.abroad.ticket(1)),
    "oldticket": Item(Text("过期的门票", "an old ticket"), lambda by: by.abroad.ticket(-1)),
    "hc1": Item(Text("欧盟健康证明", "an EU health certificate"), lambda by: by.abroad.certificate(30)),
    "oldhc1": Item(Text("过期的健康证明", "an old health certificate"), lambda by: by.abroad.certificate(-1)),
    "chinese": Item(Text("语言卡：中文", "a language card: Chinese"), lambda _: CARDS["zh"]),
    "english": Item(Text("语言卡：英文", "a language card: English"), lambda _: CARDS["en"]),
    "menu": Item(Text("餐馆菜单的二维码", "a restaurant's menu"), lambda _: "https://example.com/menu"),
}
