"""Taking in reports: checked, judged and stored in one transaction, answered once."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, NamedTuple
from uuid import UUID, uuid4
from zoneinfo import ZoneInfo

from sqlalchemy import select, text, tuple_
from sqlalchemy.orm import Session

from app.access.once import Replay, difference
from app.access.rules import Actor
from app.assessments import dockets, statements
from app.assessments import service as assessments
from app.assessments.rules import Docket
from app.assessments.service import Hearing, Verdict, stated
from app.assessments.statements import Units
from app.deviations.rules import Found
from app.errors import Conflict, Invalid, Unknown
from app.evidence.schemas import NamedEvidence
from app.journal import Receipt, receipt_of
from app.licenses import service as licenses
from app.licenses.models import License
from app.licenses.schemas import start_of
from app.licenses.service import LicenseUnknown
from app.obligations import service as obligations
from app.reports import exhibits, opening, rules, signatures
from app.reports.models import Report
from app.reports.opening import Opened
from app.reports.rules import BeforeLicense, FactRefused, SubjectUnknown
from app.reports.schemas import NotAssessable, ReportIn, ReportOut, StatementIn
from app.reports.signatures import Proof, Sent
from app.wire import page_after
from monitors import Filing, Grade, Source, Statement, Subject, catalogue


class ReferenceTaken(Conflict):
    """This reference belongs to an earlier report that says something else."""


class ReportUnknown(Unknown):
    """There is no such report, or it is not yours to see."""


class CorrectionUnfit(Invalid):
    """The report to correct is not there, not yours, or corrected already."""


_STORE = text("""
WITH report AS (
    INSERT INTO reports (id, license_id, kind, reference, period_from, period_to, observed_at,
                         captured_at, received_at, mode, grade, filed_by, owner, corrects, digest,
                         body, answer)
    VALUES (:id, :license_id, :kind, :reference, :period_from, :period_to, :observed_at,
            :captured_at, :received_at, :mode, :grade, :filed_by, :owner, :corrects, :digest,
            CAST(:body AS jsonb), CAST(:answer AS jsonb))
), said AS (
    INSERT INTO statements (license_id, report_id, number, subject_kind, subject, observed_at,
                            captured_at, received_at, source_kind, grade, said_by, mode, facts)
    SELECT :license_id, :id, s.number, s.subject_kind, s.subject, s.observed_at, :captured_at,
           :received_at, :kind, :grade, :said_by, :mode, s.facts
    FROM jsonb_to_recordset(CAST(:statements AS jsonb)) AS s(number bigint, subject_kind text,
         subject text, observed_at timestamptz, facts jsonb)
)
INSERT INTO journal_pending (recorded_at, actor, action, subject, party, receipt, body)
VALUES (:received_at, :filed_by, 'report.filed', :subject, :exporter, :receipt,
        CAST(:body AS jsonb) || jsonb_build_object('digest', CAST(:text_digest AS text)))
""")


@dataclass(frozen=True, slots=True)
class _Intake:
    """A report on its way in."""

    report: ReportIn
    docket: Docket
    actor: Actor
    grade: Grade
    proof: Proof | None
    captured_at: datetime
    now: datetime
    id: UUID


class _Gone(NamedTuple):
    """A report or statement that is corrected: its id, when it was true, of whom."""

    id: str
    observed_at: datetime
    subject: str


def file(
    session: Session,
    report: ReportIn,
    *,
    actor: Actor,
    now: datetime,
    received: Sent | None = None,
) -> ReportOut:
    """Take in a report: the same one again gets the same answer, another of its name is refused.

    `received` is the request as it came, which a signature is of.
    """
    rules.check_kind(actor.role, report.kind)
    proof = signatures.looked_at(session, report, received, actor=actor, now=now)
    sent = report.model_dump(mode="json", by_alias=True, exclude_none=True)
    body = json.dumps(sent, sort_keys=True, separators=(",", ":")).encode()
    digest = hashlib.sha256(body).digest()
    docket, opened = _open(session, report, digest, body, actor, now)
    proof = proof or signatures.verified(session, report, received, actor=actor, now=now)
    signed = proof is not None and proof.signed
    intake = _Intake(
        report=report,
        docket=docket,
        actor=actor,
        grade=rules.grade_of(actor.role, report.kind, report.mode, signed=signed),
        proof=proof,
        captured_at=report.captured_at or now,
        now=now,
        id=uuid4(),
    )
    _check_times(intake)
    units = statements.units_from(opened.units or ())
    said = _statements(intake, units)
    named = exhibits.check(session, sent, actor=actor)
    gone = _supersede(session, intake)
    hearing = Hearing(docket, sorted(said, key=statements.order), units)
    late = bool(gone) or _late(session, hearing, known=opened.later)
    verdict = assessments.judge(session, [replace(hearing, late=late)], now=now)
    verdict.deviations += obligations.filed(session, docket, _filing(intake), now=now)
    if late:
        _store_statements(session, intake, said, sent)
        verdict.deviations += _judge_again(session, intake, hearing, gone)
    answer = _answer(intake, verdict, digest, named)
    _store(session, intake, body, digest, answer, () if late else _rows(said, sent))
    if gone or assessments.touches_file(docket, said):
        licenses.attend_soon(session, docket.license_id, now)
    return answer


def _open(
    session: Session,
    report: ReportIn,
    digest: bytes,
    body: bytes,
    actor: Actor,
    now: datetime,
) -> tuple[Docket, Opened]:
    """Hold the license, replay or refuse a known reference, and look at what is due."""
    serials = {one.subject.serial for one in report.statements if one.subject.serial}
    moments = [one.observed_at for one in report.statements if one.observed_at]
    opened = opening.hold(
        session,
        number=report.license,
        party=actor.reads_only,
        reference=report.reference,
        serials=serials,
        since=min([report.observed_at, *moments]),
        now=now,
    )
    if opened is None:
        raise LicenseUnknown(f"There is no license {report.license!r} here.", pointer="/license")
    if opened.digest == digest:
        raise Replay(201, ReportOut.model_validate(opened.answer).model_dump_json().encode())
    if opened.digest is not None:
        if _signed_again(opened.body, body):
            raise Replay(201, ReportOut.model_validate(opened.answer).model_dump_json().encode())
        raise ReferenceTaken(
            f"{report.reference} is on file for {report.license} with other content. "
            "Use a new reference; to correct it, name it in `corrects`.",
            pointer="/reference",
            diff=difference((opened.body or "").encode(), body),
        )
    id = opened.license_id
    if opened.unattended:
        obligations.attend(session, session.get_one(License, id), now=now)
    docket = dockets.load(session, [(id, opened.revision)])[id]
    if opened.look or opened.unattended:  # what was planned just now may be overdue already
        obligations.look_at_licenses(session, {id: docket}, now=now)
    return docket, opened


def _signed_again(before: str | None, body: bytes) -> bool:
    """Say whether two bodies differ in nothing but the text of a signature by the same key.

    Most algorithms sign the same twice with two texts, and who sends again may sign again.
    """
    first, second = json.loads(before or "{}"), json.loads(body)
    kids = [signatures.kid_of(one.pop("signature", None)) for one in (first, second)]
    return kids[0] is not None and kids[0] == kids[1] and bool(first == second)


def _check_times(intake: _Intake) -> None:
    """Refuse what lies in the future or before the license."""
    report, now = intake.report, intake.now
    rules.check_time(report.observed_at, now, "/observed_at")
    rules.check_time(intake.captured_at, now, "/captured_at")
    granted = start_of(intake.docket.granted_on, ZoneInfo(intake.docket.time_zone))
    for index, statement in enumerate(report.statements):
        moment, pointer = report.observed_at, "/observed_at"
        if statement.observed_at is not None:
            moment, pointer = statement.observed_at, f"/statements/{index}/observed_at"
            rules.check_time(moment, now, pointer)
        if moment < granted:
            raise BeforeLicense(
                f"{report.license} was granted on {intake.docket.granted_on}; nothing observed "
                "before can be judged by it.",
                pointer=pointer,
            )


def _statements(intake: _Intake, units: Units) -> list[Statement[Any]]:
    """Dress what the report says as statements, refusing subjects and facts that do not fit."""
    report, words = intake.report, catalogue()
    source = Source(
        report.kind, intake.grade, intake.actor.party or str(intake.actor.role), report.mode
    )
    said = []
    for index, one in enumerate(report.statements):
        subject = _subject(
            intake.docket, one, units, index, sees_strangers=report.kind in rules.SEEN_BY_OTHERS
        )
        _check_scopes(one, subject, index)
        said.append(
            Statement(
                id=statements.report_statement_id(intake.id, index),
                subject=subject,
                facts=words.stated(one.facts),
                observed_at=one.observed_at or report.observed_at,
                captured_at=intake.captured_at,
                received_at=intake.now,
                source=source,
            )
        )
    return said


def _subject(
    docket: Docket, one: StatementIn, units: Units, index: int, *, sees_strangers: bool
) -> Subject:
    """Find what a statement is about on the license.

    Who looks for himself may see what the license does not know; everybody else has mistyped.
    """
    named = one.subject
    if named.serial is not None:
        if named.serial not in units and not sees_strangers:
            raise SubjectUnknown(
                f"{named.serial!r} is not a unit of {docket.license}. Check the serial number; "
                "units become known by filing their shipment.",
                pointer=f"/statements/{index}/subject/serial",
            )
        return Subject("unit", named.serial)
    if named.site is not None:
        if named.site not in docket.sites and not sees_strangers:
            raise SubjectUnknown(
                f"{named.site!r} is not a site of {docket.license}; "
                f"there are {', '.join(sorted(docket.sites)) or 'none'}.",
                pointer=f"/statements/{index}/subject/site",
            )
        return Subject("site", named.site)
    return Subject("license", docket.license)


def _check_scopes(one: StatementIn, subject: Subject, index: int) -> None:
    """Refuse a fact that may not be said of this kind of subject."""
    vocabulary = catalogue().facts
    for name in one.facts:
        scopes = vocabulary[name].scopes
        if subject.kind not in scopes:
            raise FactRefused(
                f"{name!r} is said of a {' or '.join(scopes)}, not of a {subject.kind}.",
                pointer=f"/statements/{index}/facts/{name}",
            )


def _supersede(session: Session, intake: _Intake) -> list[_Gone]:
    """Set aside a corrected report and its statements."""
    corrects = intake.report.corrects
    if corrects is None:
        return []
    earlier = session.get(Report, corrects)
    if (
        earlier is None
        or earlier.license_id != intake.docket.license_id
        or earlier.filed_by.partition(":")[0] != intake.actor.role
    ):
        raise CorrectionUnfit(f"{corrects} is not a report of yours here.", pointer="/corrects")
    if session.scalar(select(Report.id).where(Report.corrects == corrects)) is not None:
        raise CorrectionUnfit(
            f"{corrects} is corrected already; correct the correction.", pointer="/corrects"
        )
    rows = statements.supersede(session, corrects, now=intake.now)
    said = [
        _Gone(statements.report_statement_id(corrects, row.number), row.observed_at, row.subject)
        for row in rows
    ]
    return [_Gone(_filing_id(corrects), earlier.observed_at, intake.docket.license), *said]


def _late(session: Session, hearing: Hearing, *, known: bool) -> bool:
    """Say whether verdicts hang on statements that came before this report but are younger."""
    if hearing.docket.hears_all:
        return assessments.interrupts(session, hearing)
    return known and assessments.listens(hearing.docket, hearing.said)


def _judge_again(
    session: Session, intake: _Intake, hearing: Hearing, gone: Sequence[_Gone]
) -> list[UUID]:
    """Judge history again where it is now seen otherwise."""
    return assessments.rejudge(
        session,
        intake.docket,
        since=min([hearing.said[0].observed_at, *(one.observed_at for one in gone)]),
        now=intake.now,
        only_listening=True,
        facts=None if gone else stated(hearing.said),
        subjects=sorted(assessments.touched(hearing.said) | {one.subject for one in gone}),
        gone=[one.id for one in gone],
    ).deviations


def _store_statements(
    session: Session, intake: _Intake, said: Sequence[Statement[Any]], sent: dict[str, Any]
) -> None:
    pairs = [(one, part["facts"]) for one, part in zip(said, sent["statements"], strict=True)]
    statements.store(session, intake.docket.license_id, intake.id, pairs)


def _rows(said: Sequence[Statement[Any]], sent: dict[str, Any]) -> list[dict[str, Any]]:
    """Write statements as rows of the storing query."""
    return [
        {
            "number": number,
            "subject_kind": one.subject.kind,
            "subject": one.subject.reference,
            "observed_at": one.observed_at.isoformat(),
            "facts": part["facts"],
        }
        for number, (one, part) in enumerate(zip(said, sent["statements"], strict=True))
    ]


def _filing_id(report: UUID) -> str:
    return f"report:{report}"


def _filing(intake: _Intake) -> Filing:
    """Show the report as a whole to the monitors that judge filings."""
    report, docket = intake.report, intake.docket
    party = intake.actor.party
    return Filing(
        id=_filing_id(intake.id),
        kind=report.kind,
        by_roles=docket.roles_of(party) if party else frozenset(),
        facts=frozenset(name for one in report.statements for name in one.facts),
        observed_at=report.observed_at,
        received_at=intake.now,
        period=(report.period.from_, report.period.to) if report.period else None,
    )


def _answer(
    intake: _Intake, verdict: Verdict, digest: bytes, named: list[NamedEvidence]
) -> ReportOut:
    return ReportOut(
        id=intake.id,
        deviations=list(dict.fromkeys(verdict.deviations)),
        not_assessable=[show_unclear(one) for one in verdict.unclear],
        evidence=named,
        signature=signatures.out_of(intake.proof, intake.grade),
        receipt=Receipt(
            id=receipt_of(_filing_id(intake.id)),
            digest=f"sha256:{digest.hex()}",
            received_at=intake.now,
        ),
    )


def show_unclear(one: Found) -> NotAssessable:
    """Show what could not be judged."""
    finding = one.finding
    return NotAssessable(
        condition=one.kind,
        subject=finding.subject.reference,
        reason=finding.reason,
        detail=f"{one.title}: {finding.observed}; {finding.expected} expected.",
        missing=list(finding.missing),
    )


def _store(
    session: Session,
    intake: _Intake,
    body: bytes,
    digest: bytes,
    answer: ReportOut,
    rows: Sequence[dict[str, Any]],
) -> None:
    """Store the report with its answer and statements, and write it to the journal."""
    report = intake.report
    session.execute(
        _STORE,
        {
            "id": intake.id,
            "license_id": intake.docket.license_id,
            "kind": report.kind,
            "reference": report.reference,
            "period_from": report.period.from_ if report.period else None,
            "period_to": report.period.to if report.period else None,
            "observed_at": report.observed_at,
            "captured_at": intake.captured_at,
            "received_at": intake.now,
            "mode": report.mode,
            "grade": str(intake.grade),
            "filed_by": intake.actor.name,
            "owner": intake.actor.owner,
            "corrects": report.corrects,
            "digest": digest,
            "body": body.decode(),
            "answer": answer.model_dump_json(),
            "subject": _filing_id(intake.id),
            "receipt": answer.receipt.id,
            "exporter": intake.docket.exporter,
            "text_digest": answer.receipt.digest,
            "statements": json.dumps(rows),
            "said_by": intake.actor.party or str(intake.actor.role),
        },
    )
    if intake.proof is not None and answer.signature is not None:
        signatures.keep(
            session,
            intake.proof,
            answer.signature,
            report=intake.id,
            party=intake.docket.exporter,
            actor=intake.actor,
            now=intake.now,
        )


def listed(
    session: Session, *, party: str | None, license: str | None, after: str | None, limit: int
) -> list[Report]:
    """List reports, latest first; one more than `limit` tells that there is a further page."""
    query = (
        select(Report)
        .join(License, License.id == Report.license_id)
        .order_by(Report.received_at.desc(), Report.id.desc())
        .limit(limit + 1)
    )
    if party is not None:
        query = query.where(License.exporter == party)
    if license is not None:
        query = query.where(License.number == license)
    keys = page_after(after, datetime, UUID)
    if keys is not None:
        query = query.where(tuple_(Report.received_at, Report.id) < tuple_(*keys))
    return list(session.scalars(query))


def read(session: Session, id: UUID, *, party: str | None) -> Report:
    """Read a report."""
    row = session.get(Report, id)
    if row is None or (
        party is not None and session.get_one(License, row.license_id).exporter != party
    ):
        raise ReportUnknown(f"There is no report {id} here.")
    return row
