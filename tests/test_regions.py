"""Regions: named, filled and emptied on the command line; silences and routes of a region."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from controller import regions, routes
from controller.alarms import AlertError
from controller.config import Config, NotifySection, Route, StoreSection
from controller.health import notifiers
from controller.notifiers import Notifiers, placed
from controller.postman import Send, Type
from controller.regions import RegionError, is_one, way, within
from controller.store import Store
from device.settings import SettingsError, convert
from device.wire.messages import Text
from tests.boarders import DOCK, HANGZHOU, NINGBO, NORTH, TITLES, XIHU, pages, settle
from tests.bystanders import told, wait
from tests.test_notifiers import Scene, route
from tests.test_routes import AT, alert


@pytest.mark.parametrize("name", ["zhejiang", "33/01/06", XIHU, "aa/bb/cc/dd/ee/ff"])
def test_a_region_is_named_by_ids_from_the_top_down(name: str) -> None:
    assert is_one(name)
    assert [within(name, each) for each in way(name)] == [True] * len(way(name))


@pytest.mark.parametrize(
    "name", ["", "Zhejiang", "zhejiang/", "/zhejiang", "a", "zhe jiang", "aa\n", "a-", "x" * 33, "aa/" * 6 + "aa"]
)
def test_anything_else_is_none(name: str) -> None:
    assert not is_one(name)


def test_what_begins_alike_is_not_within() -> None:
    assert not within("zhejiang/hangzhou-bay", HANGZHOU)
    assert not within("zhejiang", HANGZHOU)
    assert not within("", "zhejiang")


def test_a_region_is_called_by_all_it_is_in() -> None:
    assert regions.title(XIHU, TITLES) == Text("浙江 › 杭州 › 西湖", "Zhejiang › Hangzhou › Xihu")
    assert regions.title(XIHU, {XIHU: Text("西湖", "")}).en == "zhejiang › hangzhou › xihu"


# The command line


@pytest.fixture
def config(tmp_path: Path) -> Path:
    path = tmp_path / "controller.toml"
    path.write_text(f'[store]\npath = "{tmp_path / "controller.db"}"\n', encoding="utf-8")
    return path


def test_regions_are_added_filled_listed_and_removed(config: Path) -> None:
    assert "is not there: menshen region add zhejiang" in told(config, "region", "add", HANGZHOU, code=1)
    told(config, "region", "add", "zhejiang", "--zh", "浙江", "--en", "Zhejiang")
    told(config, "region", "add", HANGZHOU, "--zh", "杭州")
    assert "is no region" in told(config, "region", "add", "Zhejiang/Hangzhou", code=2)
    told(config, "entrance", "add", "expo/north")
    assert "did you mean 'expo'?" in told(config, "region", "assign", "exp", HANGZHOU, code=1)
    assert "did you mean 'zhejiang/hangzhou'?" in told(config, "region", "assign", "expo", "zhejiang/hangzho", code=1)
    told(config, "region", "assign", "expo", code=2)
    told(config, "region", "assign", "expo", HANGZHOU, "--none", code=2)
    told(config, "region", "assign", "expo", HANGZHOU)
    rows = json.loads(told(config, "region", "list", "--json"))
    assert [(each["region"], each["title_en"], each["sites"], each["below"]) for each in rows] == [
        ("zhejiang", "Zhejiang", [], 1),
        (HANGZHOU, "杭州", ["expo"], 1),
    ]
    assert "not empty: first remove or reassign zhejiang/hangzhou" in told(
        config, "region", "remove", "zhejiang", code=1
    )
    assert "not empty: first remove or reassign expo" in told(config, "region", "remove", HANGZHOU, code=1)
    told(config, "region", "assign", "expo", "--none")
    told(config, "region", "remove", HANGZHOU)
    assert [each["region"] for each in json.loads(told(config, "region", "list", "--json"))] == ["zhejiang"]


def test_lists_are_of_a_region_where_one_is_said(config: Path, tmp_path: Path) -> None:
    for where in ("expo/north", "hall/dock"):
        told(config, "entrance", "add", where)
    with Store(tmp_path / "controller.db") as store:
        settle(store)
    rows = json.loads(told(config, "entrance", "list", "--region", "zhejiang/hangzhou", "--json"))
    assert [(each["site"], each["region"]) for each in rows] == [("expo", XIHU)]
    assert NINGBO in told(config, "entrance", "list")
    for words in (("entrance", "list"), ("events",), ("alerts", "list")):
        assert "did you mean 'zhejiang'?" in told(config, *words, "--region", "zhejing", code=1)


def test_nobody_is_limited_to_a_region_that_is_none(config: Path, tmp_path: Path) -> None:
    with Store(tmp_path / "controller.db") as store:
        store.register(NORTH)
        store.register(DOCK)
        settle(store)
    refused = told(config, "user", "add", "guard 7", "--for", "region:zhejiang/hangzou", code=1)
    assert "there is no region 'zhejiang/hangzou': did you mean 'zhejiang/hangzhou'?" in refused
    assert json.loads(told(config, "user", "list", "--json")) == []
    told(config, "user", "add", "guard 7", "--for", f"region:{HANGZHOU}", "--for", "hall")
    (guard,) = json.loads(told(config, "user", "list", "--json"))
    assert guard["reach"] == [f"region:{HANGZHOU}", "hall"]
    told(config, "region", "assign", "expo", "--none")
    told(config, "region", "remove", XIHU)
    assert "is still named by user guard 7" in told(config, "region", "remove", HANGZHOU, code=1)
    told(config, "user", "remove", "guard 7")
    with config.open("a", encoding="utf-8") as file:
        file.write(f'[[notify.route]]\nname = "duty-room"\nurls = "/x"\nregions = ["{HANGZHOU}"]\n')
    assert "is still named by notify.route duty-room" in told(config, "region", "remove", HANGZHOU, code=1)


# Silences and routes


def test_a_silence_of_a_region_follows_its_sites(tmp_path: Path) -> None:
    path = tmp_path / "controller.db"
    with pages(tmp_path) as office, Store(path) as store:
        assert office
        settle(store)
        later = datetime.now(tz=UTC) + timedelta(hours=1)

        def silenced() -> set[str]:
            return {each.site for each in store.open_alerts().values() if each.silenced_until}

        store.silence("guard 7", "a parade", later, region=HANGZHOU)
        assert silenced() == {"expo"}
        store.assign("hall", HANGZHOU, "chief 1")
        assert silenced() == {"expo", "hall"}
        store.assign("expo", "", "chief 1")
        assert silenced() == {"hall"}
        with pytest.raises(RegionError, match="did you mean 'zhejiang/hangzhou'"):
            store.silence("guard 7", "a parade", later, region="zhejiang/hangzho")
        with pytest.raises(AlertError, match="not both"):
            store.silence("guard 7", "a parade", later, region=HANGZHOU, site="expo")


@pytest.mark.parametrize(
    ("fields", "region", "wanted"),
    [
        ({"regions": ["zhejiang"]}, XIHU, True),
        ({"regions": [XIHU]}, XIHU, True),
        ({"regions": [NINGBO]}, XIHU, False),
        ({"regions": ["zhejiang"]}, "", False),
        ({"regions": [NINGBO], "places": ["expo"]}, XIHU, True),
        ({"regions": [NINGBO], "places": ["fair"]}, XIHU, False),
        ({"regions": ["zhejiang"], "kinds": ["tamper"]}, XIHU, False),
    ],
)
def test_a_route_is_for_its_regions_and_its_places(fields: dict[str, object], region: str, *, wanted: bool) -> None:
    zone = ZoneInfo("Asia/Shanghai")
    assert routes.wants(route(**fields), alert(), AT, zone, region) == wanted
    assert bool(routes.news(route(**fields), {}, [alert()], AT, zone, lies={"expo": region})) == wanted


def test_whoever_is_told_of_a_region_is_told_of_a_site_that_moves_into_it(tmp_path: Path) -> None:
    said: list[str] = []

    def carry(title: str, _text: str, _type: Type) -> bool:
        said.append(title)
        return True

    scene = Scene(tmp_path)
    scene.store.add_region("zhejiang", "", "", "chief 1")
    scene.postman(Send("region", carry), regions=["zhejiang"])
    everywhere = scene.postman(Send("everywhere", lambda *_: True))
    for count, kind in enumerate(("fire", "tamper"), 1):  # while the other tells both, this one has looked
        scene.open(kind)
        wait(lambda count=count: everywhere.record.sent == count)  # type: ignore[misc]
    assert said == []
    scene.store.assign("expo", "zhejiang", "chief 1")
    wait(lambda: len(said) == 2)
    scene.close()
    assert said == ["[紧急] expo/north: 消防联动", "[紧急] expo/north: 设备箱被打开"]


def test_a_route_of_a_region_that_is_none_is_refused_by_name(tmp_path: Path) -> None:
    with pytest.raises(SettingsError, match=r"notify\.route\[0\]\.regions"):
        convert(Config, {"notify": {"route": [{"name": "ab", "urls": "", "regions": ["No/Region"]}]}}, source="x")
    path = tmp_path / "controller.db"
    with Store(path) as store:
        store.add_region("zhejiang", "", "", "chief 1")
    good = NotifySection(route=(Route(name="duty-room", urls="", regions=("zhejiang",)),))
    bad = NotifySection(route=(Route(name="duty-room", urls="", regions=("zhejian",)),))
    placed(good, path)
    with pytest.raises(SettingsError, match=r"notify\.route duty-room: regions: .* did you mean 'zhejiang'"):
        Notifiers(bad, path)
    found = notifiers(Config(store=StoreSection(path=str(path)), notify=bad))
    assert (found.state, "zhejian" in found.detail.en) == ("fail", True)
