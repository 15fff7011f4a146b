"""Scans and electronically signed PDFs: what they are worth, and what is told of them."""

import time as clocks
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from fastapi import FastAPI
from pikepdf import ObjectStreamMode
from sqlalchemy import text

from app.access.rules import Role
from app.database import Sessions
from app.evidence import seals
from app.evidence.seals import RootsUnreadable, roots_of
from app.parties.detached import digest_of
from app.reports import attesting
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.doors.filings import attestation, problem, rows
from tests.evidence import good
from tests.evidence.handing_in import accepted
from tests.evidence.handing_in import digest_of as digest_of_file
from tests.signatures.signers import (
    DAY,
    Authority,
    canonical,
    letter,
    made,
    offer,
    pem,
    registered,
    renamed,
    sealed,
    stamper,
    turned,
    with_proofs,
)

STORED = ("reports", "statements", "report_signatures")
Told = dict[str, Any]
File = Callable[[bytes], Any]


@pytest.fixture
def body(make_license: MakeLicense, time: Clock) -> dict[str, Any]:
    number = make_license(serials=("FR-1",))["number"]
    return attestation(number, time() - DAY)


@pytest.fixture
def named(body: dict[str, Any]) -> bytes:
    """A PDF whose properties name the report."""
    return letter(f"Report {digest_of(canonical(body))}")


@pytest.fixture
def file(exporter: Door, body: dict[str, Any]) -> File:
    """Hands in a PDF and files the report with it."""

    def do(pdf: bytes) -> Any:
        paper = {"pdf": accepted(exporter, pdf)}
        return exporter.post("/v1/reports", body | {"signature": paper})

    return do


@pytest.fixture
def root(app: FastAPI) -> Authority:
    """Somebody the operator trusts to vouch for signers."""
    root = Authority()
    app.state.desk = replace(app.state.desk, roots=(pem(root.certificate),))
    return root


def signature(answer: Any) -> Told:
    assert answer.status_code == 201, answer.text
    told: Told = answer.json()["signature"]
    return told


def says(sentences: list[str], *words: str) -> bool:
    return any(all(word in one for word in words) for one in sentences)


def test_a_signed_pdf_that_names_the_report_is_of_grade_d(
    exporter: Door, officer: Door, root: Authority, named: bytes, file: File, body: dict[str, Any]
) -> None:
    key = made("ES256")
    certificate = root.issue("Erika Muster", key)
    id = registered(exporter, key, certificate=pem(certificate))["id"]
    told = signature(file(sealed(named, key, certificate)))
    assert (told["kind"], told["grade"], told["key"]) == ("pdf", "D", id)
    assert told["digest"] == digest_of(canonical(body))
    assert "Erika Muster" in told["signer"]
    for words in (
        ("as it was signed",),
        ("name this report", told["digest"]),
        ("Erika Muster", "registered by you"),
        ("was valid at",),
        ("trusted root", "Trusted Root"),
    ):
        assert says(told["verified"], *words), words
    for words in (("no time stamp",), ("revoked the certificate", "nobody was asked")):
        assert says(told["not_verified"], *words), words
    report = officer.get("/v1/reports").json()["items"][0]
    assert report["grade"] == "D"


def test_without_roots_the_registered_certificate_itself_is_trusted(
    exporter: Door, named: bytes, file: File
) -> None:
    key, nobody = made("PS256"), Authority("Nobody")
    certificate = nobody.issue("Erika", key)
    registered(exporter, key, certificate=pem(certificate))
    told = signature(file(sealed(named, key, certificate)))
    assert told["grade"] == "D"
    assert says(told["not_verified"], "no trusted roots are configured")


def test_a_certificate_of_a_registered_bare_key_is_known(
    exporter: Door, named: bytes, file: File
) -> None:
    key, nobody = made("ES384"), Authority("Nobody")
    registered(exporter, key)
    told = signature(file(sealed(named, key, nobody.issue("Erika", key))))
    assert told["grade"] == "D"
    assert says(told["verified"], "of a key or name registered")


def test_a_renewed_certificate_is_known_by_its_names_when_its_root_is_trusted(
    exporter: Door, root: Authority, named: bytes, file: File
) -> None:
    key, fresh = made("ES256"), made("ES256")
    registered(exporter, key, certificate=pem(root.issue("Erika", key)))
    assert signature(file(sealed(named, fresh, root.issue("Erika", fresh))))["grade"] == "D"


def unsigned(answer: Any, *words: str) -> None:
    """The report is taken, counts as unsigned, and the answer says why."""
    told = signature(answer)
    assert told["grade"] == "E"
    assert says(told["not_verified"], *words), told["not_verified"]


def test_without_roots_the_names_of_a_certificate_prove_nothing(
    exporter: Door, named: bytes, file: File
) -> None:
    key, forged = made("ES256"), made("ES256")
    registered(exporter, key, certificate=pem(Authority().issue("Erika", key)))
    unsigned(file(sealed(named, forged, Authority().issue("Erika", forged))), "is not registered")


def test_a_pdf_that_names_another_report_or_none_counts_as_unsigned(
    exporter: Door, root: Authority, file: File, body: dict[str, Any]
) -> None:
    key = made("ES256")
    certificate = root.issue("Erika", key)
    registered(exporter, key, certificate=pem(certificate))
    other = digest_of(canonical(body | {"reference": "ATT-9"}))
    unsigned(file(sealed(letter(f"Report {other}"), key, certificate)), "speaks of this report")


def test_a_signer_nobody_registered_counts_for_nothing(
    exporter: Door, door: OpenDoor, root: Authority, named: bytes, file: File
) -> None:
    key = made("ES256")
    certificate = root.issue("Erika", key)
    registered(door(Role.EXPORTER, "OTHER"), key, certificate=pem(certificate))
    unsigned(file(sealed(named, key, certificate)), "Erika", "is not registered")


def test_a_wrong_root_and_no_root_count_for_nothing(
    exporter: Door, root: Authority, named: bytes, file: File
) -> None:
    key, other = made("ES256"), Authority("Other Root")
    registered(exporter, key)
    unsigned(
        file(sealed(named, key, other.issue("Erika", key), other.certificate)), "somebody trusted"
    )


def test_a_certificate_signed_by_itself_counts_for_nothing_where_roots_are_asked_for(
    exporter: Door, root: Authority, named: bytes, file: File
) -> None:
    alone = Authority("Erika")
    registered(exporter, alone.key)
    own = alone.issue("Erika", alone.key)
    unsigned(file(sealed(named, alone.key, own)), "somebody trusted")
    body = offer(alone.key, certificate=pem(own))
    told = problem(exporter.post("/v1/signing-keys", body), 422, "certificate-unfit")
    assert "no root that is trusted" in told["detail"]


def test_a_certificate_that_ran_out_counts_with_a_trusted_time_stamp_only(
    exporter: Door,
    root: Authority,
    named: bytes,
    body: dict[str, Any],
    make_license: MakeLicense,
    file: File,
    time: Clock,
) -> None:
    key = made("ES256")
    certificate = root.issue("Erika", key, (-1, 3))
    registered(exporter, key, certificate=pem(certificate))
    then = time() + DAY
    time.forward(days=10)
    stamped = sealed(named, key, certificate, stamper=stamper(root, then))
    told = signature(file(stamped))
    assert told["grade"] == "D"
    assert says(told["verified"], "trusted time stamp", then.date().isoformat())

    again = body | {"reference": "ATT-2"}
    pdf = letter(f"Report {digest_of(canonical(again))}")
    nobody = Authority("Nobody")
    for stamps in (None, stamper(nobody, then)):
        late = sealed(pdf, key, certificate, stamper=stamps)
        paper = {"pdf": accepted(exporter, late)}
        answer = exporter.post("/v1/reports/preflight", again | {"signature": paper}).json()[
            "signature"
        ]
        assert answer["grade"] == "E"
        assert says(answer["not_verified"], "only the signer's word")


def test_a_revoked_key_signs_no_pdf(
    exporter: Door, root: Authority, named: bytes, file: File
) -> None:
    key = made("ES256")
    certificate = root.issue("Erika", key)
    id = registered(exporter, key, certificate=pem(certificate))["id"]
    exporter.post(f"/v1/signing-keys/{id}/revocation", {"ground": "Lost."})
    unsigned(file(sealed(named, key, certificate)), "you revoked it")


def _altered(pdf: bytes) -> bytes:
    """One letter of the page's content, in the part that was signed."""
    at = pdf.index(b"ReportLab")
    return pdf[:at] + b"r" + pdf[at + 1 :]


def test_a_pdf_that_was_changed_after_signing_is_refused(
    exporter: Door,
    root: Authority,
    named: bytes,
    file: File,
    body: dict[str, Any],
    sessions: Sessions,
) -> None:
    key = made("ES256")
    certificate = root.issue("Erika", key)
    registered(exporter, key, certificate=pem(certificate))
    whole = sealed(named, key, certificate)
    for pdf in (_altered(whole), turned(whole), turned(with_proofs(whole, root))):
        told = problem(file(pdf), 422, "pdf-signature-broken")
        assert told["pointer"] == "/signature/pdf"
    assert rows(sessions, *STORED) == dict.fromkeys(STORED, 0)
    assert signature(file(whole))["grade"] == "D"


def test_properties_that_were_changed_after_signing_name_nothing(
    exporter: Door, root: Authority, file: File, body: dict[str, Any]
) -> None:
    key = made("ES256")
    certificate = root.issue("Erika", key)
    registered(exporter, key, certificate=pem(certificate))
    old = sealed(letter("Report of last year"), key, certificate)
    forged = renamed(old, f"Report {digest_of(canonical(body))}")
    unsigned(file(forged), "speaks of this report")


def test_revocations_that_are_embedded_are_looked_at(
    exporter: Door, root: Authority, named: bytes, file: File, body: dict[str, Any]
) -> None:
    key = made("ES256")
    certificate = root.issue("Erika", key)
    registered(exporter, key, certificate=pem(certificate))
    whole = sealed(named, key, certificate, root.certificate)
    good_one = with_proofs(whole, root, root.issue("Somebody", key))
    revoked = with_proofs(whole, root, certificate)
    answer = exporter.post(
        "/v1/reports/preflight", body | {"signature": {"pdf": accepted(exporter, revoked)}}
    )
    assert answer.status_code == 200, answer.text
    told = answer.json()["signature"]
    assert told["grade"] == "E"
    assert says(told["not_verified"], "says it was revoked")
    told = signature(file(good_one))
    assert told["grade"] == "D"
    assert says(told["verified"], "was not revoked")


def test_a_pdf_of_packed_objects_is_read_as_well(
    exporter: Door, root: Authority, named: bytes, file: File
) -> None:
    """As most programs write it since PDF 1.5: cross references and objects in streams."""
    key = made("Ed25519")
    certificate = root.issue("Erika", key)
    registered(exporter, key, certificate=pem(certificate))
    packed = good.saved_again(named, object_stream_mode=ObjectStreamMode.generate)
    assert b"/ObjStm" in packed
    whole = sealed(packed, key, certificate, md_algorithm="sha512")
    told = signature(file(with_proofs(whole, root)))
    assert (told["grade"], "Erika" in told["signer"]) == ("D", True)


def test_a_second_signature_covers_the_first(
    exporter: Door, root: Authority, named: bytes, file: File
) -> None:
    first, second = made("ES256"), made("ES256")
    one, two = root.issue("Erika", first), root.issue("Max", second)
    registered(exporter, second, certificate=pem(two))
    twice = sealed(sealed(named, first, one), second, two, field="Signature2")
    told = signature(file(twice))
    assert (told["grade"], "Max" in told["signer"]) == ("D", True)


def test_a_weak_hash_signs_nothing(
    exporter: Door, root: Authority, named: bytes, file: File
) -> None:
    key = made("PS256")
    certificate = root.issue("Erika", key)
    registered(exporter, key, certificate=pem(certificate))
    answer = file(sealed(named, key, certificate, md_algorithm="sha1"))
    problem(answer, 422, "pdf-signature-broken")


def test_a_pdf_without_a_signature_is_refused(file: File, named: bytes) -> None:
    told = problem(file(named), 422, "pdf-not-signed")
    assert "scanned" in told["detail"]


def test_a_scan_counts_as_unsigned(exporter: Door, officer: Door, body: dict[str, Any]) -> None:
    for number, scan in enumerate((good.pdf("A scan."), good.picture())):
        report = body | {
            "reference": f"ATT-{number}",
            "signature": {"scanned": accepted(exporter, scan)},
        }
        answer = exporter.post("/v1/reports", report)
        told = signature(answer)
        assert (told["kind"], told["grade"], told["kid"]) == ("scanned", "E", None)
        assert says(told["not_verified"], "who signed")
        shown = officer.get(f"/v1/reports/{answer.json()['id']}").json()
        assert shown["signature"] == told | {"doubtful": None}


def test_only_own_files_that_could_hold_a_signature_are_named(
    exporter: Door, door: OpenDoor, body: dict[str, Any], sessions: Sessions
) -> None:
    foreign = accepted(door(Role.EXPORTER, "OTHER"), good.pdf("Not yours."))
    table = accepted(exporter, b"a,b\n1,2\n", name="table.csv")
    nowhere = f"sha256:{'0' * 64}"
    for paper, slug, pointer in (
        ({"scanned": foreign}, "evidence-not-handed-in", "/signature/scanned"),
        ({"pdf": foreign}, "evidence-not-handed-in", "/signature/pdf"),
        ({"pdf": nowhere}, "evidence-not-handed-in", "/signature/pdf"),
        ({"scanned": table}, "signature-file-unfit", "/signature/scanned"),
        ({"pdf": table}, "signature-file-unfit", "/signature/pdf"),
        ({"pdf": "x"}, "fields-invalid", "/signature/pdf"),
        ({}, "fields-invalid", "/signature"),
        ({"pdf": nowhere, "scanned": nowhere}, "fields-invalid", "/signature"),
        (5, "fields-invalid", "/signature"),
    ):
        answer = exporter.post("/v1/reports", body | {"signature": paper})
        assert problem(answer, 422, slug)["pointer"] == pointer
    assert rows(sessions, *STORED) == dict.fromkeys(STORED, 0)


def test_a_file_that_is_still_examined_is_asked_for_again(
    exporter: Door, body: dict[str, Any], sessions: Sessions
) -> None:
    scan = good.pdf("A scan.")
    digest = accepted(exporter, scan)
    with sessions() as session:
        session.execute(text("UPDATE evidence SET state = 'quarantined'"))
        session.commit()
    report = body | {"signature": {"scanned": digest}}
    answer = exporter.post("/v1/reports", report)
    problem(answer, 503, "evidence-in-quarantine")
    assert answer.headers["Retry-After"]


def test_hostile_files_are_refused_in_a_process_of_its_own(root: Authority) -> None:
    key = made("ES256")
    whole = sealed(letter("x"), key, root.issue("Erika", key))
    now = root.now
    at = whole.index(b"/ByteRange")
    hostile = [
        whole[: len(whole) // 2],
        whole[:at] + b"/ByteRange [0 1 2 9999999999999 ]" + whole[at + 33 :],
        whole.replace(b"/Contents <30", b"/Contents <ff"),
        b"%PDF-1.7\n" + b"[" * 200_000,
        b"%PDF-1.7\ntrailer<</Root 1 0 R/Prev 0>>\nstartxref\n9\n%%EOF",
        b"",
        bytes(range(256)) * 1000,
    ]
    for data in hostile:
        try:
            found = seals.seals_of([data], roots=[], seconds=20, now=now)
        except seals.SealsUnreadable:
            continue
        assert all(attesting.is_broken(one) for one in found), data[:100]


def test_an_examination_that_takes_too_long_is_broken_off() -> None:
    def slowly() -> Any:
        yield b"%PDF-"
        clocks.sleep(1.5)
        yield b"1.7"

    with pytest.raises(seals.SealsNotExamined):
        seals.seals_of(slowly(), roots=[], seconds=0.3, now=Authority().now)


def test_no_more_files_are_read_at_once_than_threads_can_be_spared_for(
    exporter: Door, root: Authority, named: bytes, file: File, app: FastAPI
) -> None:
    key = made("ES256")
    certificate = root.issue("Erika", key)
    body = offer(key, certificate=pem(certificate))
    while app.state.desk.examiners.acquire(blocking=False):
        pass
    busy = file(sealed(named, key, certificate))
    problem(busy, 503, "seals-not-examined")
    assert busy.headers["Retry-After"]
    problem(exporter.post("/v1/signing-keys", body), 503, "seals-not-examined")
    app.state.desk.examiners.release()
    assert exporter.post("/v1/signing-keys", body).status_code == 201
    assert file(sealed(named, key, certificate)).status_code == 201


def test_roots_are_a_file_or_a_folder(tmp_path: Path) -> None:
    one, two = Authority("One"), Authority("Two")
    both = tmp_path / "both.pem"
    both.write_text(pem(one.certificate, two.certificate))
    folder = tmp_path / "roots"
    folder.mkdir()
    (folder / "one.pem").write_text(pem(one.certificate))
    (folder / "two.pem").write_text(pem(two.certificate))
    assert roots_of(both) == roots_of(folder) == (pem(one.certificate), pem(two.certificate))
    assert roots_of(None) == ()
    both.write_text("junk")
    for wrong in (both, tmp_path / "nowhere"):
        with pytest.raises(RootsUnreadable, match="ENDWATCH_SIGNATURE_ROOTS"):
            roots_of(wrong)


def test_the_file_that_was_weighed_is_named_in_the_journal_and_no_person_is(
    exporter: Door, root: Authority, named: bytes, file: File, sessions: Sessions
) -> None:
    key = made("ES256")
    certificate = root.issue("Erika Muster", key)
    registered(exporter, key, certificate=pem(certificate))
    pdf = sealed(named, key, certificate)
    assert signature(file(pdf))["grade"] == "D"
    with sessions() as session:
        entries = session.execute(text("SELECT action, body FROM journal_pending")).all()
    assert "Erika" not in str(entries)
    (told,) = [one.body for one in entries if one.action == "report.signed"]
    assert (told["file"], told["kind"]) == (digest_of_file(pdf), "pdf")
