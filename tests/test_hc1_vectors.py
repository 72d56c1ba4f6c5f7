"""The member states' own EU certificates: every expectation they wrote down, step by step, as far as it is true.

Their files name 14 expectations. What each step is, their README says; where it does not, what most files mean by it.
"""

from __future__ import annotations

import base64
import json
import re
from collections import Counter
from collections.abc import Callable
from functools import cached_property
from pathlib import Path
from typing import Any, Final

import click
import cv2
import numpy as np
import pytest
import zxingcpp

from controller import dsc
from device.codes import cose, dcc, hc1
from device.codes.certlogic import CertLogicError, moment
from device.codes.cose import CoseError, Signed
from device.codes.dcc import DccError
from device.codes.foreign import weigh
from device.codes.hc1 import Hc1Error
from device.codes.issuers import NOBODY, Key
from device.codes.trust import Trust
from device.wire.messages import Admission, Desired, TrustList
from tests.vectors import unpacked

WRONG_CONTENT: Final = "its JSON is not what was signed: "
# What a file expects of itself and is not so, whoever looks.
JUDGED_WRONG: Final = {
    ("FR/2DCode/raw/test_pcr_ok.json", "EXPECTEDDECODE"): WRONG_CONTENT + "its times are two hours off",
    ("FR/2DCode/raw/test_pcr_ok.json", "EXPECTEDVALIDJSON"): WRONG_CONTENT + "its times are two hours off",
    ("PL/1.3.0/2DCode/raw/1.json", "EXPECTEDDECODE"): WRONG_CONTENT + "somebody put in another name",
    ("PL/1.3.0/2DCode/raw/1.json", "EXPECTEDVALIDJSON"): WRONG_CONTENT + "somebody put in another name",
    ("PL/1.3.0/2DCode/raw/5.json", "EXPECTEDDECODE"): WRONG_CONTENT + "somebody put in another name",
    ("PL/1.3.0/2DCode/raw/5.json", "EXPECTEDVALIDJSON"): WRONG_CONTENT + "somebody put in another name",
}
MEANS_NOTHING: Final = ("EXPECTEDRESULTS",)  # three files have it, no README does


class Step(Exception):  # noqa: N818 a step that fails is an answer here
    """The step fails."""


class Case:
    """One file."""

    def __init__(self, path: Path, value_sets: dict[str, tuple[str, ...]]) -> None:
        self.file: dict[str, Any] = json.loads(path.read_text(encoding="utf-8-sig"))
        self.value_sets = value_sets

    @property
    def expected(self) -> dict[str, bool]:
        return dict(self.file.get("EXPECTEDRESULTS", {}))

    def raw(self, name: str) -> bytes | None:
        return bytes.fromhex(self.file[name]) if name in self.file else None

    @property
    def text(self) -> bytes:
        return str(self.file["PREFIX"]).encode()

    @cached_property
    def now(self) -> int:
        return int(moment(str(self.file["TESTCTX"]["VALIDATIONCLOCK"])).timestamp())

    @cached_property
    def trust(self) -> Trust:
        armoured = str(self.file["TESTCTX"]["CERTIFICATE"])
        key = dsc.issuer_key(base64.b64decode(re.sub("-----[A-Z ]+-----", "", armoured)))
        issued_at = moment("2021-01-01")
        sets = {} if self.free_text else self.value_sets
        held = TrustList(scheme="hc1", name="vectors", issued_at=issued_at, keys=(key,), value_sets=sets)
        return Trust.from_policy(Desired(version=1, lists=(held,), admit=(Admission(scheme="hc1"),)), bytes(32))

    @property
    def free_text(self) -> bool:
        """Whether its coded fields hold whatever came to mind, as do all of one state's."""
        return bool(self.expected.get("EXPECTEDSCHEMAVALIDATION", True))

    @cached_property
    def key(self) -> Key:
        ((key,),) = self.trust.of("hc1").keys.values()
        return key

    @cached_property
    def signed(self) -> Signed:
        message = self.raw("COSE")
        return hc1.unpack(self.text) if message is None else cose.read(message, cose.OTHERS)

    def content(self, message: Signed) -> Any:
        return cose.loads(message.payload, cose.OTHERS)[-260][1]

    @property
    def cbor(self) -> Any:
        raw = self.raw("CBOR")
        if raw is None:
            return self.content(self.signed)
        value = cose.loads(raw, cose.OTHERS)
        return value[-260][1] if -260 in value else value  # some give the whole message's content

    def unprefix(self) -> None:
        text = hc1.strip(self.text)
        if "BASE45" in self.file:
            hold(text == str(self.file["BASE45"]).encode())

    def decode45(self) -> None:
        data = hc1.decode(str(self.file.get("BASE45", self.file["PREFIX"][4:])).encode())
        if (compressed := self.raw("COMPRESSED")) is not None:
            hold(data == compressed)

    def inflate(self) -> None:
        compressed = self.raw("COMPRESSED")
        message = hc1.inflate(hc1.decode(hc1.strip(self.text)) if compressed is None else compressed)
        if (raw := self.raw("COSE")) is not None:
            hold(message == raw)

    def verify(self) -> None:
        hold(base64.b64encode(hc1.kid(self.signed)).decode() == self.key.kid)
        hc1.signer(self.signed, (self.key,))

    def in_time(self) -> None:
        found = hc1.genuine(self.signed, hc1.read(self.signed))
        hold("invalid_time" not in weigh(found, NOBODY, None, self.now, skew_s=0).reasons)

    def usage(self) -> None:
        hold(hc1.entitled(self.key, hc1.read(self.signed)))

    def schema(self) -> None:
        certificate = dcc.load(self.file.get("JSON") or self.content(self.signed))
        certificate.check(hc1.read(self.signed).issued_at)
        if not self.free_text:  # nine files mean a value that is in no public set
            hold(not list(certificate.unlisted(self.value_sets)))

    def valid_object(self) -> None:
        dcc.load(self.file["JSON"])

    def decode(self) -> None:
        hold(same(self.cbor, self.file["JSON"]))

    def valid_json(self) -> None:
        hold(same(self.content(hc1.unpack(self.text)), self.file["JSON"]))

    def encode(self) -> None:
        hold(same(cose.loads(cose.dumps(self.file["JSON"]), cose.OTHERS), self.cbor))

    def picture(self) -> None:
        png = np.frombuffer(base64.b64decode(self.file["2DCODE"]), np.uint8)
        picture = cv2.imdecode(png, cv2.IMREAD_GRAYSCALE)
        hold(picture is not None)
        hold([each.bytes for each in zxingcpp.read_barcodes(picture)] == [self.text])


STEPS: Final[dict[str, Callable[[Case], None]]] = {
    "EXPECTEDUNPREFIX": Case.unprefix,
    "EXPECTEDB45DECODE": Case.decode45,
    "EXPECTEDCOMPRESSION": Case.inflate,
    "EXPECTEDVERIFY": Case.verify,
    "EXPECTEDEXPIRATIONCHECK": Case.in_time,
    "EXPTECTEDEXPIRED": Case.in_time,  # seven files spell it so, and mean by true that it is not
    "EXPECTEDKEYUSAGE": Case.usage,
    "EXPECTEDSCHEMAVALIDATION": Case.schema,
    "EXPECTEDVALIDOBJECT": Case.valid_object,
    "EXPECTEDDECODE": Case.decode,
    "EXPECTEDVALIDJSON": Case.valid_json,
    "EXPECTEDENCODE": Case.encode,
}


def hold(true: bool) -> None:  # noqa: FBT001
    if not true:
        raise Step


def same(one: Any, other: Any) -> bool:
    """Compare what CBOR and JSON say: the same time may be written in two ways."""
    match one, other:
        case dict(), dict():
            return one.keys() == other.keys() and all(same(one[name], other[name]) for name in one)
        case list(), list():
            return len(one) == len(other) and all(map(same, one, other))
        case str(), str() if one != other:
            try:
                return moment(one) == moment(other)
            except CertLogicError:
                return False
    return bool(one == other)


def holds(step: Callable[[Case], None], case: Case) -> bool:
    try:
        step(case)
    except (Step, Hc1Error, CoseError, DccError):
        return False
    return True


def public_value_sets(folder: Path) -> dict[str, tuple[str, ...]]:
    """Return the value sets that the public rules are tested with."""
    found: dict[str, set[str]] = {}
    for path in folder.glob("*/*/tests/*.json"):
        for name, values in json.loads(path.read_text())["external"].get("valueSets", {}).items():
            found.setdefault(name, set()).update(values)
    return {name: tuple(sorted(values)) for name, values in found.items()}


@pytest.fixture(scope="module")
def cases(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Case]:
    """Return every file by its path."""
    folder = tmp_path_factory.mktemp("dcc")
    value_sets = public_value_sets(unpacked("dgc-business-rules.tar.xz", folder / "rules"))
    data = unpacked("dgc-testdata-noimg.tar.xz", folder / "data")
    return {path.relative_to(data).as_posix(): Case(path, value_sets) for path in sorted(data.rglob("*.json"))}


def test_every_expectation_of_the_member_states_is_met(cases: dict[str, Case]) -> None:
    met: Counter[str] = Counter()
    wrong, otherwise, files, left = set(), [], 0, Counter[str]()
    for path, case in cases.items():
        files += bool(case.expected)
        for name, expected in case.expected.items():
            where = path, name
            if name not in STEPS:
                left[name] += 1
            elif holds(STEPS[name], case) == expected:
                met[name] += 1
            elif where in JUDGED_WRONG:
                wrong.add(where)
            else:
                otherwise.append(where)
    assert not otherwise
    assert wrong == set(JUDGED_WRONG)
    assert set(left) <= {*MEANS_NOTHING, "EXPECTEDPICTUREDECODE"}
    click.echo(
        f"hc1: {files} files, {met.total()} expectations met, {len(wrong)} judged wrong, {left.total()} left out "
        f"({dict(left)}); " + ", ".join(f"{name} {count}" for name, count in sorted(met.items()))
    )
    assert met.total()


def test_the_whole_check_believes_what_they_believe(cases: dict[str, Case]) -> None:
    outcomes: Counter[str] = Counter()
    for path, case in cases.items():
        about_the_text = {name: true for name, true in case.expected.items() if name != "EXPECTEDPICTUREDECODE"}
        if not about_the_text or "PREFIX" not in case.file:
            continue
        checked = hc1.check(case.text, case.trust, None, case.now, skew_s=0)
        if not all(about_the_text.values()):
            assert checked is None or checked.reasons, path
            outcomes["refused"] += 1
        elif checked and checked.claim:
            outcomes["believed"] += 1
        elif case.key.not_after is not None and case.key.not_after <= case.now:
            outcomes["of keys that have expired"] += 1
        else:
            assert "EXPECTEDKEYUSAGE" not in case.expected, (path, checked)
            assert not holds(Case.usage, case), (path, checked)
            outcomes["of keys for something else"] += 1
    click.echo(f"hc1: {dict(outcomes)}")
    assert outcomes


def test_the_pictures_are_read(tmp_path: Path) -> None:
    folder = unpacked("dgc-testdata-img-sample.tar.xz", tmp_path)
    read: Counter[bool] = Counter()
    for path in sorted(folder.rglob("*.json")):
        case = Case(path, {})
        expected = case.expected.get("EXPECTEDPICTUREDECODE")
        if expected is not None and "2DCODE" in case.file:
            assert holds(Case.picture, case) == expected, path
            read[expected] += 1
    click.echo(f"hc1: {read[True]} pictures read, {read[False]} that cannot be read")
    assert read
