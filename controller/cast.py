"""Who walks up in the demo, what they show, and what should come of it."""

from __future__ import annotations

import time
from collections.abc import Callable
from contextlib import closing
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

import msgspec
from cryptography.hazmat.primitives.asymmetric.ed25519 import Ed25519PrivateKey

from controller.store import Store
from device.codes import ms1
from device.codes.trust import keyed_hash, make_site_key, trusted
from device.wire.link import Wire
from device.wire.messages import PassKind, Place, Text

SITE: Final = "expo"
NORTH: Final = "north"
SOUTH: Final = "south"
ENTRANCES: Final = {NORTH: Text("北门", "North gate"), SOUTH: Text("南门", "South gate")}
POWER_OFF: Final = "power off"
POWER_ON: Final = "power on"
DAY_S: Final = 86400

Line = str | Callable[[], str]  # a screen that rotates is drawn when it is shown


@dataclass(frozen=True)
class Expected:
    """Something that should be heard: a topic below the site, and some of its fields; `gone` is an empty payload."""

    topic: str
    fields: dict[str, Any] = field(default_factory=dict)
    gone: bool = False

    def met(self, topic: str, payload: dict[str, Any]) -> bool:
        """Tell whether this message is it."""
        if topic != self.topic or self.gone == bool(payload):
            return False
        return all(payload.get(name) == value for name, value in self.fields.items())

    def __str__(self) -> str:
        return f"{self.topic} {'resolved' if self.gone else self.fields or ''}".strip()


@dataclass(frozen=True)
class Step:
    """One thing done before an emulated gate, and what it should bring about."""

    line: Line
    expected: tuple[Expected, ...] = ()
    pause_s: float = 0.0  # after it


@dataclass(frozen=True)
class Act:
    """A small scene at one entrance."""

    entrance: str
    caption: Text
    steps: tuple[Step, ...]


@dataclass(frozen=True)
class Programme:
    """What is played once, and what is played again and again after it."""

    opening: tuple[Act, ...]
    round: tuple[Act, ...]


class Issuer:
    """Makes every code that is shown."""

    def __init__(self) -> None:
        self.key = Ed25519PrivateKey.generate()
        self._phone = Ed25519PrivateKey.generate()
        now = int(time.time())
        self.badge = self._issue("guard 7", kind="staff")
        self.good = self._issue("visitor 1")
        self.expired = self._issue("visitor 2", since=now - 9 * DAY_S, until=now - DAY_S)
        self.elsewhere = self._issue("visitor 3", places=(f"{SITE}/{NORTH}",))
        self.revoked_id = bytes(range(8))
        self.revoked = self._issue("visitor 4", cti=self.revoked_id)
        self.forged = self.good[:-9] + ("0" if self.good[-9] != "0" else "1") + self.good[-8:]  # one character
        self.foreign = self._issue("visitor 5", key=Ed25519PrivateKey.generate())
        self._rotating = self._issue("visitor 6", holder=self._phone)
        self.card = "member card 4711"

    def screen(self, age_s: int = 0) -> str:
        """Return what the phone with the rotating pass shows, or showed some seconds ago."""
        return ms1.present(self._rotating, self._phone, int(time.time()) - age_s)

    def _issue(
        self,
        subject: str,
        *,
        kind: PassKind = "visitor",
        since: int | None = None,
        until: int | None = None,
        places: tuple[str, ...] = (SITE,),
        key: Ed25519PrivateKey | None = None,
        cti: bytes | None = None,
        holder: Ed25519PrivateKey | None = None,
    ) -> str:
        now = int(time.time())
        return ms1.issue(
            key or self.key,
            kind=kind,
            subject=subject,
            places=places,
            not_before=now - DAY_S if since is None else since,
            not_after=now + DAY_S if until is None else until,
            cti=cti,
            holder=holder.public_key() if holder else None,
        )


def prepare(folder: Path, wire: Wire, authority: Path | None = None) -> Programme:
    """Write the configurations into the folder, fill the database, and return what to play.

    `wire` is the gates'. With an authority theirs is TLS, each with the identity it is going to have; see Troupe.enrol.
    """
    issuer = Issuer()
    broker = f'[identity]\nfolder = "{authority}"\n' if authority else wired(wire)
    furnish(folder, issuer, broker, ENTRANCES)
    for entrance in ENTRANCES:
        own = _identified(wire, folder / entrance / "identity") if authority else wire
        mode = "require" if entrance == SOUTH else "advise"
        (folder / f"{entrance}.toml").write_text(gate(folder, entrance, wired(own), mode=mode), encoding="utf-8")
    return _programme(issuer)


def furnish(folder: Path, issuer: Issuer, broker: str, entrances: dict[str, Text]) -> None:
    """Write the controller's configuration, `broker` being how it finds that, and let it know entrances and issuer."""
    site_key = make_site_key(folder / "site.key")
    database = folder / "controller.db"
    (folder / "controller.toml").write_text(
        f'[store]\npath = "{database}"\n{broker}'
        f'[passes]\nissuer = "{folder / "issuer"}"\nsite_key = "{folder / "site.key"}"\n'
        "[rules]\nabnormal_hold_s = 5\noffline_grace_s = 3\n",
        encoding="utf-8",
    )
    with closing(Store(database)) as store:
        for entrance, title in entrances.items():
            store.register(Place(SITE, entrance), zh=title.zh, en=title.en)
        store.trust_key(trusted(issuer.key.public_key()))
        store.list_code(keyed_hash(site_key, issuer.card.encode()))
        store.revoke(issuer.revoked_id.hex())


def _identified(wire: Wire, identity: Path) -> Wire:
    return msgspec.structs.replace(wire, ca=str(identity / "ca.crt"), certificate=str(identity / "gate.pem"))


def wired(wire: Wire) -> str:
    """Return the section that says where the broker is."""
    tls = f'ca = "{wire.ca}"\ncertificate = "{wire.certificate}"\n' if wire.ca else ""
    return f'[wire]\nhost = "{wire.host}"\nport = {wire.port}\n{tls}'


def gate(
    folder: Path, entrance: str, broker: str, *, mode: str, pins: str = "", grace_s: int = 2, language: str = "zh"
) -> str:
    """Return the configuration of a gate on emulated parts; `mode` is its thermometer's."""
    scene = folder / f"{entrance}.scene"
    return (
        f'[gate]\nsite = "{SITE}"\nentrance = "{entrance}"\ndata = "{folder / entrance}"\n'
        f'site_key = "{folder / "site.key"}"\nclock = "battery"\nlanguage = "{language}"\n'
        f"{broker}"
        f'[camera]\ndriver = "emulated"\nsource = "{scene}"\nfps = 15\n'
        "[decoder]\ngone_s = 0.4\n"
        f'[thermometer]\ndriver = "emulated"\nsource = "{scene}"\nmode = "{mode}"\n'
        f'[pins]\ndriver = "mock"\nbeam_outer = 25\nbeam_inner = 16\n{pins}'
        f'[duty]\nhours = [{{ days = "mon-sun", from = "00:00", to = "00:00" }}]\ngrace_s = {grace_s}\n'
    )


def _scan(entrance: str, outcome: str, *reasons: str) -> Expected:
    return Expected(f"{entrance}/scan", {"event_type": outcome, "reasons": list(reasons)})


def _event(entrance: str, kind: str, event_type: str) -> Expected:
    return Expected(f"{entrance}/{kind}", {"event_type": event_type})


def _raised(entrance: str, kind: str) -> Expected:
    return Expected(f"{entrance}/alert/{kind}", {"kind": kind})


def _resolved(entrance: str, kind: str) -> Expected:
    return Expected(f"{entrance}/alert/{kind}", gone=True)


def _showing(entrance: str, zh: str, en: str, code: Line, *expected: Expected, then: tuple[Step, ...] = ()) -> Act:
    """Hold up a code, see what comes of it, take it away."""
    show: Line = f"show {code}" if isinstance(code, str) else (lambda: f"show {code()}")
    return Act(entrance, Text(zh, en), (Step(show, expected), Step("hide"), *then))


def _programme(issuer: Issuer) -> Programme:
    walk_in = (Step("walk in", (_event(NORTH, "passage", "passed"),)),)
    north_guard = _showing(
        NORTH, "保安出示工牌签到", "a guard shows her badge", issuer.badge,
        _event(NORTH, "duty", "check_in"), _resolved(NORTH, "unstaffed_entrance"),
    )  # fmt: skip
    opening = (
        Act(NORTH, Text("还没有人值守", "nobody is on guard yet"), (
            Step("heat 36.5", (_raised(NORTH, "unstaffed_entrance"), _raised(SOUTH, "unstaffed_entrance"))),
        )),
        Act(SOUTH, Text("保安按下签到按钮", "a guard presses the button"), (
            Step("heat 36.5"),
            Step("press", (_event(SOUTH, "duty", "check_in"), _resolved(SOUTH, "unstaffed_entrance"))),
        )),
    )  # fmt: skip
    acts = (
        north_guard,
        _showing(NORTH, "访客出示有效码，走进去", "a visitor with a good pass walks in", issuer.good,
                 _scan(NORTH, "grant"), then=walk_in),
        _showing(NORTH, "过期码", "a pass that has expired", issuer.expired,
                 _scan(NORTH, "refuse", "invalid_time"), _raised(NORTH, "abnormal_code")),
        _showing(NORTH, "伪造码", "a forged pass", issuer.forged, _scan(NORTH, "refuse", "invalid")),
        _showing(SOUTH, "他人签发的码", "a pass signed by somebody we do not know", issuer.foreign,
                 _scan(SOUTH, "refuse", "unknown_issuer"), _raised(SOUTH, "abnormal_code")),
        _showing(NORTH, "别家的二维码", "a code of somebody else's", "https://example.com/menu",
                 _scan(NORTH, "refuse", "invalid")),
        _showing(SOUTH, "只适用于北门的码", "a pass for the north gate only", issuer.elsewhere,
                 _scan(SOUTH, "refuse", "wrong_entrance")),
        _showing(SOUTH, "已吊销的码", "a revoked pass", issuer.revoked, _scan(SOUTH, "refuse", "revoked")),
        _showing(SOUTH, "动态码", "a screen that rotates", issuer.screen, _scan(SOUTH, "grant")),
        _showing(SOUTH, "动态码的旧截图", "an old screenshot of it", lambda: issuer.screen(120),
                 _scan(SOUTH, "refuse", "screen_expired")),
        Act(SOUTH, Text("发热访客，码有效", "a feverish visitor with a good card"), (
            Step("heat 38.4", pause_s=0.6),  # it is measured five times a second
            Step(f"show {issuer.card}", (_scan(SOUTH, "refer", "temperature_high"),)),
            Step("hide"),
            Step("heat 36.5"),
        )),
        Act(NORTH, Text("有人未扫码直接走入", "somebody walks in unscanned"), (
            Step("walk in", (_event(NORTH, "passage", "forced"),)),
        )),
        Act(SOUTH, Text("南门断电，又恢复", "the south gate loses power, and has it again"), (
            Step(POWER_OFF, (_raised(SOUTH, "gate_offline"),)),
            Step(POWER_ON, (_resolved(SOUTH, "gate_offline"), _raised(SOUTH, "unstaffed_entrance"))),
            Step("press", (_event(SOUTH, "duty", "check_in"), _resolved(SOUTH, "unstaffed_entrance"))),
        )),
        _showing(NORTH, "保安签退离岗", "the guard signs out and leaves", issuer.badge,
                 _event(NORTH, "duty", "check_out"), _raised(NORTH, "unstaffed_entrance")),
    )  # fmt: skip
    return Programme(opening, acts)
