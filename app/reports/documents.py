"""Documents over HTTP: certificates, assessments, delivery proofs, and what is decided on them."""

from datetime import date, datetime
from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Response
from pydantic import Field, ValidationInfo, field_validator, model_validator
from sqlalchemy.orm import Session

from app.access.once import KeyUsedForOther, OnceDep, Replay
from app.access.router import Reader, may
from app.access.rules import Actor, Role
from app.assessments import documents
from app.assessments.documents import Paper, Verdict
from app.assessments.models import Document, DocumentDecision
from app.clock import Now
from app.database import SessionDep
from app.errors import Invalid
from app.evidence.naming import EvidenceNotHandedIn
from app.journal import Receipt, receipt_of
from app.licenses.schemas import Day, Long
from app.licenses.service import LicenseUnknown
from app.parties.schemas import Text
from app.reports.schemas import EvidenceDigest
from app.shipments import filing
from app.wire import Limit, Moment, Out, Page, Strict, problems
from app.wire.pages import page_of
from monitors import Code, Grade, Subject

router = APIRouter(prefix="/v1/licenses/{number}/documents", tags=["documents"])

Filer = Annotated[Actor, may(Role.EXPORTER, Role.INSPECTOR, Role.LICENSING_OFFICER)]
Decider = Annotated[Actor, may(Role.LICENSING_OFFICER, Role.REVIEWER, Role.SUPERVISOR)]


class DocumentSubjectIn(Strict):
    """What a document is about: exactly one of a unit, a site, a party, or the license itself."""

    serial: Code | None = None
    site: Code | None = None
    party: Code | None = None
    license: Literal[True] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "DocumentSubjectIn":
        named = (self.serial, self.site, self.party, self.license)
        if sum(value is not None for value in named) != 1:
            raise ValueError(
                'give exactly one of {"serial"}, {"site"}, {"party"} or {"license": true}'
            )
        return self


class DocumentIn(Strict):
    """A document. `reference` is its author's own name for it."""

    reference: Code
    kind: Code = Field(
        description="E.g. certificate, human_rights_impact_assessment, disposal_certificate, "
        "delivery_verification_certificate"
    )
    subject: DocumentSubjectIn
    about: Text | None = Field(
        default=None,
        description="What of the subject: a shipment's reference, a scheme, a serial number",
    )
    issuer: Text | None = None
    issued_on: Day
    valid_until: Day | None = Field(default=None, description="Its last day")
    witnessed_by: Text | None = Field(default=None, description="The office that was present")
    evidence: EvidenceDigest | None = Field(default=None, description="Digest of the file itself")

    @field_validator("valid_until")
    @classmethod
    def _in_order(cls, valid_until: date | None, info: ValidationInfo) -> date | None:
        issued_on = info.data.get("issued_on")
        if valid_until is not None and issued_on is not None and valid_until < issued_on:
            raise ValueError("the document ends before it was issued")
        return valid_until


class DocumentSubject(Out):
    """What a document is about."""

    kind: Literal["unit", "site", "party", "license"]
    reference: str


class DocumentOut(Out):
    """A document on file, and what its author's word is worth."""

    id: int
    license: str
    reference: str
    kind: str
    subject: DocumentSubject
    about: str | None
    issuer: str | None
    issued_on: date
    valid_until: date | None
    witnessed_by: str | None
    evidence: str | None
    grade: Grade
    said_by: str
    received_at: Moment
    receipt: Receipt


class DocumentDecisionIn(Strict):
    """What the authority says of a document, on what ground and from which day."""

    verdict: Verdict
    ground: Long
    effective_on: Day


class DocumentDecisionOut(Out):
    """A decision on a document."""

    verdict: Verdict
    ground: str
    effective_on: date
    decided_by: str
    decided_at: Moment


class DocumentFiled(DocumentOut):
    """A document with the decision that counts; null while nobody has decided."""

    decision: DocumentDecisionOut | None


@router.post(
    "",
    response_model=DocumentOut,
    status_code=201,
    responses=problems(
        LicenseUnknown,
        filing.ReferenceTaken,
        KeyUsedForOther,
        documents.DocumentSubjectUnknown,
        filing.NotYetCome,
        EvidenceNotHandedIn,
        Invalid,
    ),
)
def file(
    number: str,
    document: DocumentIn,
    filer: Filer,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Put a document on file. The same one again gets the same answer."""
    return once(
        lambda: _file(session, number, document, filer, now),
        session=session,
        actor=filer,
        now=now,
    )


def _file(
    session: Session, number: str, document: DocumentIn, filer: Actor, now: datetime
) -> DocumentOut:
    named = document.model_dump(exclude={"subject"})
    filed = documents.file(
        session,
        number,
        Paper(subject=_subject(number, document.subject), **named),
        sent=document.model_dump(mode="json"),
        actor=filer,
        now=now,
    )
    shown = DocumentOut(**_shown(number, filed.document))
    if filed.again:
        raise Replay(201, shown.model_dump_json().encode())
    return shown


def _subject(number: str, named: DocumentSubjectIn) -> Subject:
    if named.serial is not None:
        return Subject("unit", named.serial)
    if named.site is not None:
        return Subject("site", named.site)
    if named.party is not None:
        return Subject("party", named.party)
    return Subject("license", number)


@router.get("", responses=problems(LicenseUnknown, Invalid))
def browse(
    number: str,
    reader: Reader,
    session: SessionDep,
    after: Annotated[str | None, Query(description="The `next` of the page before")] = None,
    limit: Limit = 100,
) -> Page[DocumentFiled]:
    """List the documents of a license with the decision that counts, in the order they were filed."""
    rows = documents.listed(session, number, party=reader.reads_only, after=after, limit=limit)
    return page_of(
        rows,
        limit,
        lambda pair: _with_decision(number, *pair),
        lambda pair: (pair[0].id,),
    )


def _with_decision(
    number: str, document: Document, decision: DocumentDecision | None
) -> DocumentFiled:
    shown = None if decision is None else DocumentDecisionOut.model_validate(decision)
    return DocumentFiled(**_shown(number, document), decision=shown)


def _shown(number: str, document: Document) -> dict[str, Any]:
    """Give the fields of a document as it is shown."""
    own = DocumentOut.model_fields.keys() - {"license", "subject", "receipt"}
    return {name: getattr(document, name) for name in own} | {
        "license": number,
        "subject": DocumentSubject(kind=document.subject_kind, reference=document.subject),
        "receipt": Receipt(
            id=receipt_of(f"document:{document.id}"),
            digest=f"sha256:{document.digest.hex()}",
            received_at=document.received_at,
        ),
    }


@router.post(
    "/{id}/decisions",
    response_model=DocumentDecisionOut,
    status_code=201,
    responses=problems(
        LicenseUnknown,
        documents.DocumentUnknown,
        filing.SecondPersonNeeded,
        documents.DocumentVerdictOutOfTurn,
        KeyUsedForOther,
        documents.DecidedBeforeIssued,
        filing.NotYetCome,
        Invalid,
    ),
)
def decide(
    number: str,
    id: int,
    decision: DocumentDecisionIn,
    decider: Decider,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Accept, refuse or revoke a document, as somebody who did not file it."""
    return once(
        lambda: DocumentDecisionOut.model_validate(
            documents.decide(
                session,
                number,
                id,
                decision.verdict,
                ground=decision.ground,
                effective_on=decision.effective_on,
                actor=decider,
                now=now,
            )
        ),
        session=session,
        actor=decider,
        now=now,
    )
