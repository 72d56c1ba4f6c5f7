"""A new gate comes by its identity: over real HTTP, with a real authority, book and broker."""

from __future__ import annotations

import json
import socket
import stat
import threading
import time
from datetime import timedelta
from pathlib import Path

import msgspec
import pytest
from click.testing import CliRunner
from cryptography import x509
from cryptography.x509.oid import NameOID

from controller.authority import place_of
from controller.door import Door
from controller.enrol import EnrolError as Refused
from controller.enrol import Registrar
from controller.ledger import Ledger
from controller.roles import Roles
from device import enrol
from device.config import CameraSection, Config, DecoderSection, GateSection
from device.enrol import EnrolError, renew_if_due
from device.identity import Identity, IdentityError, request
from device.wire import enrolment
from device.wire.enrolment import ClaimCode, EnrolRequest, RenewRequest
from device.wire.messages import Place
from hardware import scene
from hardware.scene import Scene
from tests.attacker import connect, publish
from tests.guarded import HERE, Ear, guarded
from tests.office import NORTH, SOUTH, Liar, Office, asked


@pytest.fixture(autouse=True)
def _today(office: Office) -> None:
    office.ahead = timedelta()


def name(folder: Path) -> str:
    return str(Identity.load(folder).certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value)


# The way it is meant to go


def test_a_gate_enrols_and_is_heard(office: Office, tmp_path: Path) -> None:
    wire = enrol.enrol(office.claim(), tmp_path / "identity")
    assert (wire.host, wire.port) == (HERE, office.installation.doors.gates)
    ear = Ear(office.installation.wire, "menshen/#")
    gate = Ear(wire, NORTH.topic("ack"))
    assert gate.link.say(NORTH.topic("scan"), b"here")
    assert ear.until(NORTH.topic("scan"), b"here") == []
    for each in (gate, ear):
        each.link.stop()
    assert place_of(name(tmp_path / "identity")) == NORTH


def test_the_key_is_made_here_and_is_its_owners_alone(office: Office, tmp_path: Path) -> None:
    enrol.enrol(office.claim(), tmp_path / "identity")
    files = {path.name: stat.S_IMODE(path.stat().st_mode) for path in (tmp_path / "identity").iterdir()}
    assert files == {"gate.pem": 0o600, "ca.crt": 0o600, "door.json": 0o600}
    assert stat.S_IMODE((tmp_path / "identity").stat().st_mode) == 0o700


# What goes wrong


def test_a_code_is_good_once(office: Office, tmp_path: Path) -> None:
    claim = office.claim()
    enrol.enrol(claim, tmp_path / "first")
    with pytest.raises(EnrolError, match="ask for a new claim code"):
        enrol.enrol(claim, tmp_path / "second")
    assert not (tmp_path / "second").exists()


def test_a_code_is_good_for_ten_minutes(office: Office) -> None:
    request = asked(office.claim())
    office.ahead = timedelta(minutes=10, seconds=1)
    with pytest.raises(Refused, match="no code is open"):
        office.registrar.enrol(request)


def test_five_wrong_tries_close_it(office: Office) -> None:
    claim = office.claim()
    right, wrong = asked(claim), asked(claim._replace(code=enrolment.make_code()))
    for _ in range(5):
        with pytest.raises(Refused, match="wrong code"):
            office.registrar.enrol(wrong)
    with pytest.raises(Refused, match="no code is open"):
        office.registrar.enrol(right)


def test_the_fifth_try_still_counts(office: Office) -> None:
    claim = office.claim()
    for _ in range(4):
        with pytest.raises(Refused):
            office.registrar.enrol(asked(claim._replace(code=enrolment.make_code())))
    assert office.registrar.enrol(asked(claim)).certificate


def test_of_many_who_come_with_one_code_one_gets_in(office: Office) -> None:
    requests = [asked(claim := office.claim())] + [asked(claim) for _ in range(3)]
    got: list[str] = []

    def come(each: EnrolRequest) -> None:
        try:
            got.append(office.registrar.enrol(each).certificate)
        except Refused:
            got.append("")

    threads = [threading.Thread(target=come, args=(each,)) for each in requests]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert sorted(map(bool, got)) == [False, False, False, True]


def test_a_code_is_for_its_entrance_alone(office: Office) -> None:
    claim = office.claim()
    stray = asked(claim._replace(place=SOUTH))
    with pytest.raises(Refused, match="no code is open"):
        office.registrar.enrol(stray)
    with pytest.raises(Refused, match="wrong code"):
        office.registrar.enrol(msgspec.structs.replace(stray, place=str(NORTH)))


def test_a_request_that_was_changed_on_its_way_is_refused(office: Office) -> None:
    claim = office.claim()
    _, theirs = request()
    with pytest.raises(Refused, match="wrong code"):
        office.registrar.enrol(msgspec.structs.replace(asked(claim), csr=theirs))


def test_an_answer_from_somebody_else_is_refused(office: Office, tmp_path: Path) -> None:
    """Someone in between passes the question on, and answers with an authority of their own."""
    claim = office.claim()
    with guarded(tmp_path) as other:
        false = Door(Registrar.at(other.installation), 0, host=HERE)
        false.start()
        other.installation.ledger.offer(NORTH, b"x" * 32, until=2**40, tries=5)
        with pytest.raises(EnrolError, match="refused"):
            enrol.enrol(claim._replace(port=false.port), tmp_path / "identity")
        false.stop()
    assert not (tmp_path / "identity").exists()


def test_an_answer_without_the_code_is_refused(office: Office, tmp_path: Path) -> None:
    """Whoever answers with a certificate, but cannot prove that they have the code, is no controller of ours."""
    claim = office.claim()
    answer = office.registrar.enrol(asked(claim))
    forged = msgspec.structs.replace(answer, host="evil.example")
    with Liar(msgspec.json.encode(forged)) as liar, pytest.raises(EnrolError, match="does not know the code"):
        enrol.enrol(claim._replace(port=liar.port), tmp_path / "identity")
    assert not (tmp_path / "identity").exists()


@pytest.mark.parametrize("answer", [b"", b"{}", b"[" * 5000, b"x" * 100_000, b'{"certificate":1}'])
def test_an_answer_that_makes_no_sense_is_told_so(answer: bytes, tmp_path: Path) -> None:
    claim = ClaimCode(HERE, 1, NORTH, enrolment.make_code())
    with Liar(answer) as liar, pytest.raises(EnrolError, match="is no menshen controller"):
        enrol.enrol(claim._replace(port=liar.port), tmp_path / "identity")


def test_nobody_there_is_told_so(tmp_path: Path) -> None:
    with socket.socket() as taken:
        taken.bind((HERE, 0))
        claim = ClaimCode(HERE, taken.getsockname()[1], NORTH, enrolment.make_code())
        with pytest.raises(EnrolError, match="is the controller running there"):
            enrol.enrol(claim, tmp_path)


# Renewing


def test_a_certificate_is_renewed_at_sixty_days_and_not_before(office: Office, tmp_path: Path) -> None:
    enrol.enrol(office.claim(), tmp_path)
    before = Identity.load(tmp_path)
    assert not renew_if_due(tmp_path, office.now + timedelta(days=59))
    office.ahead = timedelta(days=61)
    assert renew_if_due(tmp_path, office.now)
    after = Identity.load(tmp_path)
    assert after.certificate.subject == before.certificate.subject
    assert after.key.public_key() != before.key.public_key()
    assert after.until - before.until > timedelta(days=60)
    with office.attacker(tmp_path / "gate.pem") as gate:  # its certificate began before today
        assert gate.ask(connect()) == "closed"  # not yet: sixty days are only the test's


def test_the_renewed_certificate_is_the_same_gate_to_the_broker(office: Office, tmp_path: Path) -> None:
    enrol.enrol(office.claim(), tmp_path)
    assert renew_if_due(tmp_path, office.now + timedelta(days=61))  # the gate's clock is wrong, the controller's is not
    with office.attacker(tmp_path / "gate.pem") as gate:
        assert gate.ask(connect(), publish(NORTH.topic("scan"))) == "puback 0x10"


def test_a_revoked_gate_renews_nothing_and_keeps_what_it_has(office: Office, tmp_path: Path) -> None:
    enrol.enrol(office.claim(), tmp_path)
    kept = (tmp_path / "gate.pem").read_bytes()
    office.registrar.revoke(NORTH)
    with pytest.raises(EnrolError, match="refused"):
        renew_if_due(tmp_path, office.now + timedelta(days=61))
    assert (tmp_path / "gate.pem").read_bytes() == kept


def test_a_gate_that_was_replaced_renews_nothing(office: Office, tmp_path: Path) -> None:
    enrol.enrol(office.claim(), tmp_path / "old")
    enrol.enrol(office.claim(), tmp_path / "new")
    with pytest.raises(EnrolError, match="refused"):
        renew_if_due(tmp_path / "old", office.now + timedelta(days=61))
    assert renew_if_due(tmp_path / "new", office.now + timedelta(days=61))


def test_after_ninety_days_only_a_new_code_helps(office: Office, tmp_path: Path) -> None:
    enrol.enrol(office.claim(), tmp_path)
    office.ahead = timedelta(days=91)
    with pytest.raises(EnrolError, match="refused"):
        renew_if_due(tmp_path, office.now)


def test_only_the_holder_of_the_key_renews(office: Office, tmp_path: Path) -> None:
    enrol.enrol(office.claim(), tmp_path)
    mine = Identity.load(tmp_path)
    thief, csr = request()
    stranger = Identity(thief, mine.certificate)
    for signature in (stranger.sign(csr), mine.sign(csr + "x"), "", "zz", mine.sign(csr)[:-2]):
        with pytest.raises(Refused, match="no renewal"):
            office.registrar.renew(RenewRequest(certificate=mine.pem, csr=csr, signature=signature))


def test_another_installations_gate_renews_nothing(office: Office, tmp_path: Path) -> None:
    with guarded(tmp_path) as other:
        _, pair = other.admit(NORTH)
        theirs = Identity(pair.key, x509.load_pem_x509_certificate(pair.path.read_bytes()))
        _, csr = request()
        with pytest.raises(Refused, match="not one of ours"):
            office.registrar.renew(RenewRequest(certificate=theirs.pem, csr=csr, signature=theirs.sign(csr)))


@pytest.mark.parametrize(
    ("damage", "said"),
    [("gate.pem", "menshen gate enrol"), ("door.json", "enrol this gate again"), ("ca.crt", "enrol this gate again")],
)
def test_a_folder_that_is_not_whole_says_what_to_do(damage: str, said: str, office: Office, tmp_path: Path) -> None:
    enrol.enrol(office.claim(), tmp_path)
    (tmp_path / damage).unlink()
    with pytest.raises((EnrolError, IdentityError), match=said):
        renew_if_due(tmp_path, office.now + timedelta(days=61))


# The book and the broker


def test_the_code_is_nowhere_on_disk(office: Office) -> None:
    claim = office.claim()
    for path in office.installation.folder.glob("ledger.db*"):
        data = path.read_bytes()
        assert claim.code.encode() not in data
        assert claim.code.replace("-", "").encode() not in data


def test_an_enrolment_while_the_broker_is_away_counts_when_it_is_back(office: Office) -> None:
    office.broker.stop()
    try:
        wire = office.installation.wire
        patient = Registrar(
            authority=office.authority,
            ledger=office.installation.ledger,
            doors=office.installation.doors,
            roles=lambda: Roles(wire, wait_s=0.2),
        )
        claim = patient.claim(NORTH)
        request = asked(claim)
        assert patient.enrol(request).certificate
        assert not patient.revoke(SOUTH)
        assert not patient.agree()
    finally:
        office.broker.start()
    assert patient.agree()


def test_a_book_outlives_its_program(tmp_path: Path) -> None:
    book = Ledger(tmp_path / "ledger.db")
    book.enrolled(NORTH, "expo.north.7k3m9", at=1, until=2)
    book.offer(SOUTH, b"k" * 32, until=100, tries=5)
    book.close()
    again = Ledger(tmp_path / "ledger.db")
    assert again.names() == ["expo.north.7k3m9"]
    assert again.attempt(SOUTH, 99) == b"k" * 32
    assert again.attempt(SOUTH, 100) is None
    assert again.revoked(NORTH, at=3)
    assert again.names() == []
    again.close()


# The commands


def configured(folder: Path, place: Place, **camera: object) -> Path:
    path = folder / "gate.toml"
    lines = [f'site = "{place.site}"', f'entrance = "{place.entrance}"', "[camera]"]
    lines += [f"{key} = {json.dumps(value)}" for key, value in camera.items()]
    path.write_text("[gate]\n" + "\n".join(lines), encoding="utf-8")
    return path


def test_the_command_asks_for_the_code(office: Office, tmp_path: Path) -> None:
    claim, config = office.claim(), str(configured(tmp_path, NORTH))
    folder = ["--folder", str(tmp_path / "identity"), "--config", config]
    typed = ["--host", HERE, "--port", str(office.door.port)]
    done = CliRunner().invoke(enrol.command, [*folder, *typed], input=claim.code.lower() + "\n")
    assert done.exit_code == 0, done.output
    assert f'certificate = "{tmp_path}/identity/gate.pem"' in done.output
    assert claim.code not in done.stdout
    pasted = CliRunner().invoke(enrol.command, folder, input=office.claim().text + "\n")
    assert pasted.exit_code == 0, pasted.output


def test_the_command_refuses_a_code_for_another_entrance(office: Office, tmp_path: Path) -> None:
    arguments = ["--folder", str(tmp_path / "identity"), "--config", str(configured(tmp_path, SOUTH))]
    done = CliRunner().invoke(enrol.command, arguments, input=office.claim().text + "\n")
    assert done.exit_code == 1
    assert "the code is for expo/north, but by its settings this gate stands at expo/south" in done.output


def test_the_gates_own_camera_reads_the_claim(tmp_path: Path) -> None:
    claim = ClaimCode("controller.example", 8470, NORTH, enrolment.make_code())
    scene.save(tmp_path / "scene.json", Scene(code=claim.text, noise=6, angle=7))
    config = Config(
        gate=GateSection(site="expo", entrance="north"),
        camera=CameraSection(driver="emulated", source=str(tmp_path / "scene.json")),
        decoder=DecoderSection(),
    )
    begun = time.monotonic()
    assert enrol.watch(config) == claim
    print(f"read after {time.monotonic() - begun:.1f} s, most of it the start of the eye's process")
