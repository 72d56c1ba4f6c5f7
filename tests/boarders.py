"""What the tests of the operators' pages share: entrances with a day behind them, the pages at work, and a visitor."""

from __future__ import annotations

import http.client
import json
import re
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from threading import Thread
from typing import Any, Final
from urllib.parse import urlencode

from controller.alerts import compare
from controller.broker import free_port
from controller.config import Config, RulesSection, StoreSection, WebSection
from controller.intake import Intake
from controller.oidc.settings import OidcSection
from controller.quarantine import Quarantine
from controller.rights import Person, Role
from controller.rules import findings
from controller.store import Store
from controller.web.process import Server
from device.wire.link import Heard
from device.wire.messages import Duty, Event, Health, Info, Message, OpenFault, Passage, Place, Status, Text, encode
from tests.bystanders import scan, state

NORTH, SOUTH, EAST, WEST = (Place("expo", name) for name in ("north", "south", "east", "west"))
DOCK: Final = Place("hall", "dock")
XIHU, HANGZHOU, NINGBO = "zhejiang/hangzhou/xihu", "zhejiang/hangzhou", "zhejiang/ningbo"
TITLES: Final = {
    "zhejiang": Text("浙江", "Zhejiang"),
    HANGZHOU: Text("杭州", "Hangzhou"),
    XIHU: Text("西湖", "Xihu"),
    NINGBO: Text("宁波", "Ningbo"),
}
PASSWORD: Final = "correct horse battery"
RULES: Final = RulesSection(offline_grace_s=0, clock_grace_s=0)


class Past:
    """Writes what gates say into a store, as the desk does."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self._seq: dict[Place, int] = {}

    def say(self, at: datetime, *said: tuple[Place, str, Message]) -> None:
        """Take messages in at some moment, and let the rules judge them."""
        with Store(self.path) as store, store.transaction():
            intake = Intake(store, Quarantine(store), rules=RULES, at=at)
            for place, word, message in said:
                intake.hear(Heard(topic=place.topic(word), payload=encode(message)))
            intake.keep()
            found = {
                (entrance, kind): finding
                for entrance, facts in store.facts(at).items()
                for kind, finding in findings(facts, RULES).items()
            }
            store.save(compare(store.open_alerts(), found), at)

    def seq(self, place: Place) -> dict[str, Any]:
        """Return what the next event of a place begins with."""
        self._seq[place] = self._seq.get(place, 0) + 1
        return {"spool": "a1b2c3", "seq": self._seq[place], "boot": "b0", "mono": 1.5, "clock": "synced"}

    def online(self, *places: Place, at: datetime, **other: Any) -> None:
        """Let gates come online with their documents."""
        faults = other.pop("faults", ())
        info = Info(version="0.1.0", python="3.11", parts={"camera": "picamera2", "thermometer": "mlx90614"})
        documents = {
            "status": Status(state="online"),
            "state": state(**({"at": at, "staffing_since": at} | other)),
            "health": Health(faults=faults),
            "info": info,
        }
        self.say(at, *((place, word, document) for place in places for word, document in documents.items()))


def fill(path: Path, now: datetime) -> Past:
    """Make five entrances with a morning behind them: one of each rank, and one that is fine."""
    past = Past(path)
    with Store(path) as store:
        for place, zh, en in (
            (NORTH, "北门", "North gate"), (SOUTH, "南门", "South gate"), (EAST, "东门", "East gate"),
            (WEST, "西门", "West gate"), (DOCK, "装卸口", "Loading dock"),
        ):  # fmt: skip
            store.register(place, zh, en)
    begins = now - timedelta(hours=4)
    duty: dict[str, Any] = {"by": "badge", "since": begins, "on_duty": ("guard 7",), "who": "guard 7"}
    past.online(NORTH, at=begins)
    past.say(begins, (NORTH, "duty", Duty(at=begins, event_type="check_in", **duty, **past.seq(NORTH))))
    events: list[tuple[Place, str, Message]] = []
    for number in range(120):
        at = begins + timedelta(minutes=2 * number)
        warm: dict[str, Any] = {
            "celsius": round(36.2 + (number * 7 % 10) / 10, 1),
            "temperature": "normal",
            "kind": "visitor",
        }
        for place in (NORTH, SOUTH):
            reasons = ("invalid_time",) if number % 11 == 4 else ()
            event: Event = scan(at=at, **past.seq(place), **warm) if not reasons else _refused(past, place, at, reasons)
            events.append((place, "scan", event))
            if not reasons:
                events.append(
                    (place, "passage", Passage(at=at, event_type="passed", direction="in", **past.seq(place)))
                )
    for start in range(0, len(events), 40):
        past.say(_at(events[start][2]), *events[start : start + 40])
    past.online(
        SOUTH, at=now - timedelta(hours=3), staffing="unstaffed", on_duty=(), staffing_since=now - timedelta(minutes=12)
    )
    past.online(EAST, at=now - timedelta(hours=3), grants=310, faults=(
        OpenFault("thermometer_lost", now - timedelta(minutes=30), "no answer on i2c bus 1"),
    ))  # fmt: skip
    past.online(WEST, at=now - timedelta(hours=3), on_duty=("guard 2", "guard 9"), grants=97)
    past.say(now - timedelta(minutes=3), (DOCK, "status", Status(state="online")))
    past.say(now - timedelta(minutes=2), (DOCK, "status", Status(state="offline", reason="lost")))
    past.say(now, (NORTH, "scan", scan(at=now, **past.seq(NORTH))))
    return past


def settle(store: Store) -> None:
    """Let the site `expo` lie in a county, and `hall` in another city."""
    for region, title in TITLES.items():
        store.add_region(region, title.zh, title.en, "chief 1")
    store.assign("expo", XIHU, "chief 1")
    store.assign("hall", NINGBO, "chief 1")


def _refused(past: Past, place: Place, at: datetime, reasons: tuple[str, ...]) -> Event:
    fields = past.seq(place)
    return scan(fields.pop("seq"), *reasons, at=at, **fields)


def _at(message: Message) -> datetime:
    assert isinstance(message, Event)
    return message.at


class Pages:
    """The pages over one folder, with somebody of each role."""

    def __init__(self, folder: Path, past: Past, oidc: Mapping[str, Any]) -> None:
        self.past = past
        port = free_port()
        provider = OidcSection(url=f"http://127.0.0.1:{port}", **oidc)
        self.config = Config(
            store=StoreSection(path=str(folder / "controller.db")),
            web=WebSection(enabled=True, port=port, oidc=provider),
        )
        self.server = Server(self.config)
        self.accounts = self.server.accounts
        for role in ROLES:
            self.add(Person(name=f"{role} 1", role=role))
        self._thread = Thread(target=self.server.serve)
        self._thread.start()

    def add(self, person: Person) -> None:
        """Let somebody sign in with the password."""
        self.accounts.add(person)
        assert self.accounts.accept(person.name, self.accounts.invite(person.name, time.time()), PASSWORD, time.time())

    def visitor(self, name: str) -> Visitor:
        """Return somebody who has signed in."""
        visitor = Visitor(self.config.web.port)
        status, _ = visitor.post("/sign-in", name=name, password=PASSWORD)
        assert status == 303
        return visitor

    def stop(self) -> None:
        """End them."""
        self.server.end()
        self._thread.join(timeout=10)


ROLES: Final[tuple[Role, ...]] = ("viewer", "guard", "operator", "administrator")


class Visitor:
    """A browser without a window: keeps cookies, follows nothing."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.cookies: dict[str, str] = {"language": "en"}
        self.headers: dict[str, str] = {}
        self.set_cookies: list[str] = []

    def get(self, path: str, **headers: str) -> tuple[int, str]:
        """Ask for a page."""
        return self._ask("GET", path, None, headers)

    def post(self, path: str, /, **fields: str) -> tuple[int, str]:
        """Send a form."""
        return self._ask("POST", path, urlencode(fields), {"Content-Type": "application/x-www-form-urlencoded"})

    def json(self, path: str) -> Any:
        """Ask for something programs read."""
        status, text = self.get(path)
        assert status == 200, text
        return json.loads(text)

    def form(self) -> str:
        """Return what a form of this session carries."""
        found = re.search(r'name="form" value="([^"]+)"', self.get("/events")[1])
        assert found
        return found[1]

    def _ask(self, method: str, path: str, body: str | None, headers: dict[str, str]) -> tuple[int, str]:
        connection = http.client.HTTPConnection("127.0.0.1", self._port, timeout=20)
        cookies = "; ".join(f"{name}={value}" for name, value in self.cookies.items())
        connection.request(method, path, body, {"Cookie": cookies, **headers})
        answer = connection.getresponse()
        self.headers = {name.lower(): value for name, value in answer.getheaders()}
        self.set_cookies = answer.headers.get_all("set-cookie", [])
        for name, value in answer.getheaders():
            if name.lower() == "set-cookie":
                key, _, kept = value.partition(";")[0].partition("=")
                self.cookies[key] = kept.strip('"')
        text = answer.read().decode()
        connection.close()
        return answer.status, text


@contextmanager
def running(folder: Path, past: Past, **oidc: Any) -> Iterator[Pages]:
    """Run the pages over what is in a folder; with an issuer people may come in through an identity provider."""
    office = Pages(folder, past, oidc)
    try:
        yield office
    finally:
        office.stop()


@contextmanager
def pages(folder: Path, **oidc: Any) -> Iterator[Pages]:
    """Run the pages over a morning at five entrances."""
    with running(folder, fill(folder / "controller.db", datetime.now(tz=UTC)), **oidc) as office:
        yield office
