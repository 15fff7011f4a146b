"""Keeping documents on file, and the authority's decisions on them."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import date, datetime
from enum import StrEnum
from typing import Any, NamedTuple

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from app import journal
from app.access import service as access
from app.access.rules import Actor
from app.assessments.models import Document, DocumentDecision
from app.errors import Conflict, Invalid, Unknown
from app.evidence import naming as evidence
from app.licenses import service as licenses
from app.licenses.models import License, LicenseParty, LicenseSite
from app.parties.models import Party, Site
from app.shipments import filing
from app.shipments.models import Unit
from app.wire import page_after
from monitors import Subject


class DocumentUnknown(Unknown):
    """There is no such document on this license, or it is not yours to see."""


class DocumentSubjectUnknown(Invalid):
    """The license has no such unit, site or party."""


class DocumentVerdictOutOfTurn(Conflict):
    """The document is not in a state that allows this verdict."""


class DecidedBeforeIssued(Invalid):
    """A decision on a document cannot take effect before it was issued."""


class Verdict(StrEnum):
    """What the authority says of a document."""

    ACCEPTED = "accepted"
    REFUSED = "refused"
    REVOKED = "revoked"


ALLOWED: Mapping[Verdict | None, frozenset[Verdict]] = {
    None: frozenset({Verdict.ACCEPTED, Verdict.REFUSED}),
    Verdict.REFUSED: frozenset({Verdict.ACCEPTED}),
    Verdict.ACCEPTED: frozenset({Verdict.REVOKED}),
    Verdict.REVOKED: frozenset(),
}
"""Which verdicts may follow which. A refusal may be thought over; what was accepted is revoked, so
that it is seen to have counted; what was revoked is filed anew."""


@dataclass(frozen=True, slots=True)
class Paper:
    """What a document says of itself."""

    reference: str
    kind: str
    subject: Subject
    issued_on: date
    about: str | None = None
    issuer: str | None = None
    valid_until: date | None = None
    witnessed_by: str | None = None
    evidence: str | None = None


class Filed(NamedTuple):
    """A document with its license; `again` when it was on file before."""

    license: License
    document: Document
    again: bool


def file(
    session: Session,
    number: str,
    paper: Paper,
    *,
    sent: dict[str, Any],
    actor: Actor,
    now: datetime,
) -> Filed:
    """Put a document on file; it counts once it is accepted, if its kind must be."""
    license = licenses.locked(session, number, party=actor.reads_only)
    earlier = session.scalar(
        select(Document).where(
            Document.license_id == license.id, Document.reference == paper.reference
        )
    )
    if earlier is not None:
        filing.check_same(paper.reference, earlier.sent, sent, by=earlier.said_by, actor=actor)
        return Filed(license, earlier, again=True)
    filing.check_day(paper.issued_on, now, "/issued_on")
    _check_subject(session, license, paper.subject)
    if paper.evidence is not None:
        evidence.check(session, {"/evidence": paper.evidence}, actor=actor)
    row = _row(license, paper, sent, actor, now)
    session.add(row)
    licenses.attend(license, now)
    session.flush()
    _tell(session, license, row, "filed", sent, actor, now)
    return Filed(license, row, again=False)


def _row(
    license: License, paper: Paper, sent: dict[str, Any], actor: Actor, now: datetime
) -> Document:
    return Document(
        license_id=license.id,
        reference=paper.reference,
        kind=paper.kind,
        subject_kind=paper.subject.kind,
        subject=paper.subject.reference,
        about=paper.about,
        issuer=paper.issuer,
        issued_on=paper.issued_on,
        valid_until=paper.valid_until,
        witnessed_by=paper.witnessed_by,
        evidence=paper.evidence,
        grade=filing.grade_of(actor.role),
        said_by=filing.author(actor),
        filed_by=actor.name,
        digest=filing.digest(sent),
        sent=sent,
        received_at=now,
    )


def _check_subject(session: Session, license: License, subject: Subject) -> None:
    """Refuse a document about what the license does not know."""
    if subject.kind == "license":
        return
    query, field, remedy = {
        "unit": (_unit, "serial", "Units become known by filing their shipment."),
        "site": (_site, "site", "Name a site of the license."),
        "party": (_party, "party", "Name a party that stands on the license."),
    }[subject.kind]
    if session.scalar(query(license, subject.reference)) is None:
        raise DocumentSubjectUnknown(
            f"{subject.reference!r} is not a {subject.kind} of {license.number}. {remedy}",
            pointer=f"/subject/{field}",
        )


def _unit(license: License, serial: str) -> Select[int]:
    return select(Unit.id).where(Unit.license_id == license.id, Unit.serial == serial)


def _site(license: License, reference: str) -> Select[int]:
    return (
        select(LicenseSite.id)
        .join(Site, Site.id == LicenseSite.site_id)
        .where(LicenseSite.license_id == license.id, Site.reference == reference)
    )


def _party(license: License, reference: str) -> Select[int]:
    return (
        select(LicenseParty.id)
        .join(Party, Party.id == LicenseParty.party_id)
        .where(LicenseParty.license_id == license.id, Party.reference == reference)
        .limit(1)
    )


def decide(
    session: Session,
    number: str,
    id: int,
    verdict: Verdict,
    *,
    ground: str,
    effective_on: date,
    actor: Actor,
    now: datetime,
) -> DocumentDecision:
    """Accept, refuse or revoke a document, as somebody who did not file it."""
    license = licenses.locked(session, number, party=actor.reads_only)
    document = _to_decide(session, license, id, verdict, effective_on, actor)
    filing.check_day(effective_on, now, "/effective_on")
    row = DocumentDecision(
        document_id=id,
        verdict=verdict,
        ground=ground,
        effective_on=effective_on,
        decided_by=actor.name,
        decided_at=now,
    )
    session.add(row)
    licenses.attend(license, now)
    session.flush()
    said = {"ground": ground, "effective_on": effective_on.isoformat()}
    _tell(session, license, document, str(verdict), said, actor, now)
    return row


def _to_decide(
    session: Session,
    license: License,
    id: int,
    verdict: Verdict,
    effective_on: date,
    actor: Actor,
) -> Document:
    """Find the document, and refuse a decision that cannot be made on it, or not by this person."""
    document = session.get(Document, id)
    if document is None or document.license_id != license.id:
        raise DocumentUnknown(f"{license.number} has no document {id}.")
    if access.is_same_person(session, document.filed_by, actor):
        raise filing.SecondPersonNeeded("Ask somebody else to decide on it.")
    _check_turn(document, standing(session, [id]).get(id), verdict)
    if effective_on < document.issued_on:
        raise DecidedBeforeIssued(
            f"{document.reference} was issued on {document.issued_on}. Give that day or a later one.",
            pointer="/effective_on",
        )
    return document


def _check_turn(document: Document, standing: DocumentDecision | None, verdict: Verdict) -> None:
    """Refuse a verdict that cannot follow the one before."""
    allowed = ALLOWED[Verdict(standing.verdict) if standing else None]
    if verdict not in allowed:
        state = standing.verdict if standing else "undecided"
        remedy = (
            f"It can be {' or '.join(sorted(allowed))}."
            if allowed
            else "File it again under a new reference."
        )
        raise DocumentVerdictOutOfTurn(
            f"{document.reference} is {state}. {remedy}", pointer="/verdict"
        )


def _tell(
    session: Session,
    license: License,
    document: Document,
    what: str,
    said: dict[str, Any],
    actor: Actor,
    now: datetime,
) -> None:
    journal.append(
        session,
        actor=actor.name,
        action=f"document.{what}",
        subject=f"document:{document.id}",
        party=license.exporter,
        receipt=journal.receipt_of(f"document:{document.id}") if what == "filed" else None,
        body={"license": license.number, "reference": document.reference} | said,
        now=now,
    )


def standing(session: Session, ids: Iterable[int]) -> dict[int, DocumentDecision]:
    """Give the decision that counts, the latest, of each document that has one."""
    rows = session.scalars(
        select(DocumentDecision)
        .where(DocumentDecision.document_id.in_(list(ids)))
        .order_by(DocumentDecision.id)
    )
    return {row.document_id: row for row in rows}


def listed(
    session: Session, number: str, *, party: str | None, after: str | None, limit: int
) -> list[tuple[Document, DocumentDecision | None]]:
    """List the documents of a license with the decision that counts, in the order they were filed.

    One more than `limit` tells that there is a further page.
    """
    license = filing.seen(session, number, party=party)
    query = (
        select(Document)
        .where(Document.license_id == license.id)
        .order_by(Document.id)
        .limit(limit + 1)
    )
    keys = page_after(after, int)
    if keys is not None:
        query = query.where(Document.id > keys[0])
    rows = session.scalars(query).all()
    decisions = standing(session, [row.id for row in rows])
    return [(row, decisions.get(row.id)) for row in rows]
