"""Reports and readings as they are sent, and what is answered."""

from datetime import date
from typing import TYPE_CHECKING, Annotated, Any, Literal
from uuid import UUID

from pydantic import Discriminator, Field, StringConstraints, Tag, model_validator

from app.evidence.schemas import NamedEvidence
from app.journal import Receipt
from app.licenses.schemas import Number
from app.wire import Moment, Out, Strict
from monitors import Code, catalogue

if TYPE_CHECKING:
    StatedFacts = dict[str, Any]
else:
    StatedFacts = catalogue().typed_facts

ReportKind = Literal[
    "attestation", "check_in", "delivery_verification", "inspection", "incident", "third_party"
]
Mode = Literal["physical", "remote_video", "documentary"]
EvidenceDigest = Annotated[str, StringConstraints(pattern=r"^sha256:[0-9a-f]{64}$")]


class PeriodIn(Strict):
    """The days a report speaks of, first and last."""

    from_: date = Field(alias="from")
    to: date

    @model_validator(mode="after")
    def _in_order(self) -> "PeriodIn":
        if self.to < self.from_:
            raise ValueError("the period ends before it begins")
        return self


class SubjectIn(Strict):
    """What a statement is about: exactly one of a unit, a site, or the license itself."""

    serial: Code | None = None
    site: Code | None = None
    license: Literal[True] | None = None

    @model_validator(mode="after")
    def _exactly_one(self) -> "SubjectIn":
        if sum(value is not None for value in (self.serial, self.site, self.license)) != 1:
            raise ValueError('give exactly one of {"serial"}, {"site"} or {"license": true}')
        return self


class StatementIn(Strict):
    """Facts about one subject. What is not in the fact vocabulary is refused."""

    subject: SubjectIn
    facts: StatedFacts
    observed_at: Moment | None = Field(default=None, description="If not that of the report")


class SignedPaperIn(Strict):
    """A file handed in before that holds the signature: exactly one of a scan and a signed PDF."""

    scanned: EvidenceDigest | None = Field(
        default=None, description="Picture of a signed paper; it counts as unsigned"
    )
    pdf: EvidenceDigest | None = Field(
        default=None,
        description="PDF with an electronic signature whose properties name the report",
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> "SignedPaperIn":
        if (self.scanned is None) == (self.pdf is None):
            raise ValueError('give exactly one of {"scanned"} and {"pdf"}')
        return self


def _sort_of_signature(given: Any) -> str:
    return "text" if isinstance(given, str) else "paper"


SignatureIn = Annotated[
    Annotated[
        str,
        Tag("text"),
        Field(description="Detached JWS (RFC 7515, appendix F) of the body without `signature`"),
    ]
    | Annotated[SignedPaperIn, Tag("paper")],
    Discriminator(_sort_of_signature),
]


class ReportIn(Strict):
    """A report. `reference` is its author's own name for it."""

    kind: ReportKind
    license: Number
    reference: Code
    period: PeriodIn | None = None
    observed_at: Moment
    captured_at: Moment | None = None
    mode: Mode = "documentary"
    statements: Annotated[list[StatementIn], Field(min_length=1, max_length=5000)]
    evidence: Annotated[list[EvidenceDigest], Field(max_length=200)] = []
    signature: SignatureIn | None = None
    corrects: UUID | None = None


class NotAssessable(Out):
    """A condition that this could not settle, and why."""

    condition: str
    subject: str
    reason: str
    detail: str
    missing: list[str]


class SignatureOut(Out):
    """What came of the signature on a report: exactly what was verified, and what was not.

    `digest` is the SHA-256 of the canonical body (RFC 8785, without `signature`) as it was received.
    `signed_at` is the signer's own word, unless `verified` tells of a time stamp.
    """

    kind: Literal["jws", "scanned", "pdf"]
    grade: str
    digest: str
    key: UUID | None = Field(description="The registered key or certificate, where one was found")
    kid: str | None
    signer: str | None
    signed_at: Moment | None
    verified: list[str]
    not_verified: list[str]


class SignatureRead(SignatureOut):
    """A signature as it stands now. `doubtful` says why it is in doubt since it was verified."""

    doubtful: str | None


class ReportOut(Out):
    """The answer to a report."""

    id: UUID
    deviations: list[UUID]
    not_assessable: list[NotAssessable]
    receipt: Receipt
    evidence: list[NamedEvidence] = Field(
        default=[], description="The files named, as they stood when the report was filed"
    )
    signature: SignatureOut | None = None


class Rejected(Out):
    """A line that was not taken, and why; lines are counted from 1."""

    line: int
    type: str
    detail: str
    pointer: str | None = None


class ReadingsOut(Out):
    """The answer to a batch of readings: every line is accepted, a duplicate or rejected."""

    accepted: int
    duplicates: int
    rejected: list[Rejected]
    deviations: list[UUID]
    receipt: Receipt


class ReadingIn(Strict):
    """One device reading, one a line."""

    id: Code | None = None
    license: Number
    serial: Code
    observed_at: Moment
    facts: StatedFacts
