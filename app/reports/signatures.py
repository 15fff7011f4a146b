"""Verifies the signature that comes with a report, before anything is stored, and keeps what it was.

Three kinds: a detached JWS of the canonical body, a PDF that was signed electronically, and the scan of
a signed paper. The first holds, or the report is refused.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime
from hashlib import sha256
from threading import BoundedSemaphore
from typing import Annotated, Literal
from uuid import UUID

from fastapi import Depends, Request
from sqlalchemy import insert
from sqlalchemy.orm import Session

from app import journal
from app.access.rules import Actor, Role
from app.evidence import naming, seals
from app.evidence import service as evidence
from app.evidence.models import File
from app.evidence.room import Room
from app.evidence.seals import SealsUnreadable
from app.evidence.service import EvidenceInQuarantine
from app.parties import detached, public_keys, signing_keys
from app.parties.detached import SignatureRefused
from app.parties.signing_keys import Held
from app.reports import attesting
from app.reports.attesting import Signer, Weighed
from app.reports.models import ReportSignature
from app.reports.schemas import ReportIn, SignatureOut, SignedPaperIn
from app.settings import Settings
from monitors import Grade


class SignatureNotYours(SignatureRefused):
    """Only exporters sign reports; officers answer for theirs by their keys."""


class SignatureFileUnfit(SignatureRefused):
    """The file that is named is no scan or PDF that could hold a signature."""


class PdfNotSigned(SignatureRefused):
    """The PDF holds no electronic signature; name it as a scan if it shows one."""


class PdfSignatureBroken(SignatureRefused):
    """The PDF was changed after it was signed, or its signature cannot be read."""


REFUSALS = (
    detached.SignatureMalformed,
    detached.SignatureAlgorithmRefused,
    detached.SigningKeyUnknown,
    detached.SigningKeyOutOfTime,
    detached.SigningKeyRevoked,
    detached.SignatureWrong,
    detached.SignedInFuture,
    detached.BodyAmbiguous,
    SignatureNotYours,
    SignatureFileUnfit,
    PdfNotSigned,
    PdfSignatureBroken,
    seals.SealsNotExamined,
    EvidenceInQuarantine,
)
"""Everything that a signature can be refused with."""


@dataclass(frozen=True, slots=True)
class Desk:
    """What verifying takes beside the database: the files, whom to trust, and some examiners.

    Each examiner keeps a thread of the API waiting, so there are fewer of them than threads.
    """

    room: Room
    roots: Sequence[str]
    examiners: BoundedSemaphore

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Take an examiner, or refuse at once. Raises SealsNotExamined."""
        if not self.examiners.acquire(blocking=False):
            raise seals.SealsNotExamined(
                "As many signatures are being read as can be at once. Send it again shortly."
            )
        try:
            yield
        finally:
            self.examiners.release()


def desk_of(settings: Settings, room: Room) -> Desk:
    """Furnish the desk. Raises RootsUnreadable."""
    many = max(1, min(settings.evidence_examiners, settings.filings_at_once - 1))
    return Desk(room, seals.roots_of(settings.signature_roots), BoundedSemaphore(many))


@dataclass(frozen=True, slots=True)
class Sent:
    """A request as it came: its very bytes, and the desk that looks at it."""

    raw: bytes
    desk: Desk


async def _sent(request: Request) -> Sent:
    return Sent(await request.body(), request.app.state.desk)


async def _desk(request: Request) -> Desk:
    desk: Desk = request.app.state.desk
    return desk


SentDep = Annotated[Sent, Depends(_sent)]
DeskDep = Annotated[Desk, Depends(_desk)]


@dataclass(frozen=True, slots=True)
class Proof:
    """A signature that was looked at, and what came of it; `signed` when it counts as one."""

    kind: Literal["jws", "scanned", "pdf"]
    payload: bytes
    signed: bool = False
    text: str | None = None
    file: str | None = None
    key_id: UUID | None = None
    kid: str | None = None
    signer: str | None = None
    signed_at: datetime | None = None
    verified: tuple[str, ...] = ()
    not_verified: tuple[str, ...] = field(default=())

    @property
    def digest(self) -> str:
        """Name the canonical body by its SHA-256."""
        return detached.digest_of(self.payload)


def looked_at(
    session: Session, report: ReportIn, sent: Sent | None, *, actor: Actor, now: datetime
) -> Proof | None:
    """Look at a scan or a signed PDF; None for any other report.

    It comes before the license is held, because an examiner takes a second. Raises a SignatureRefused.
    """
    paper = report.signature
    if paper is None:
        return None
    if actor.role is not Role.EXPORTER or actor.party is None or sent is None:
        raise SignatureNotYours(
            "Leave `signature` out: only exporters sign their reports.", pointer=detached.POINTER
        )
    if not isinstance(paper, SignedPaperIn):
        return None
    payload = detached.payload_of(sent.raw)
    if paper.scanned is not None:
        _file(session, paper.scanned, "scanned", attesting.SCANNED_TYPES, actor)
        return _scanned(paper.scanned, payload)
    assert paper.pdf is not None
    file = _file(session, paper.pdf, "pdf", frozenset({"application/pdf"}), actor)
    return _weighed(session, file, payload, sent.desk, actor.party, now)


def _file(session: Session, digest: str, kind: str, types: frozenset[str], actor: Actor) -> File:
    pointer = f"{detached.POINTER}/{kind}"
    file = naming.check(session, {pointer: digest}, actor=actor)[digest]
    if file.state == "quarantined":
        raise EvidenceInQuarantine(
            f"{digest} is being examined. Send the report again shortly.", pointer=pointer
        )
    if file.media_type not in types:
        raise SignatureFileUnfit(
            f"{digest} is of type {file.media_type}; here it may be {', '.join(sorted(types))}.",
            pointer=pointer,
        )
    return file


def _scanned(digest: str, payload: bytes) -> Proof:
    return Proof(
        kind="scanned",
        payload=payload,
        file=digest,
        verified=("the file was handed in by you and is an image or a PDF",),
        not_verified=(
            "who signed, what, and when: a picture proves none of it, so this counts as unsigned",
        ),
    )


def _weighed(
    session: Session, file: File, payload: bytes, desk: Desk, party: str, now: datetime
) -> Proof:
    """Have the PDF's signatures read, and weigh them."""
    pointer = f"{detached.POINTER}/pdf"
    content = evidence.opened(desk.room, file, 0, file.size, now)
    try:
        with desk.turn():
            found = seals.seals_of(
                content, roots=desk.roots, seconds=desk.room.answer_seconds, now=now
            )
    except SealsUnreadable as error:
        raise PdfSignatureBroken(f"{file.digest}: {error}", pointer=pointer) from error
    if not found:
        raise PdfNotSigned(
            f"{file.digest} holds no electronic signature. Sign it with a certificate, or name it "
            'as {"scanned": …}.',
            pointer=pointer,
        )
    whole = [one for one in found if attesting.is_broken(one) is None]
    if not whole:
        raise PdfSignatureBroken(
            f"{file.digest}: {attesting.is_broken(found[-1])}. Sign it anew.", pointer=pointer
        )
    signers = [_signer(one) for one in signing_keys.of_party(session, party)]
    digest, roots = detached.digest_of(payload), bool(desk.roots)
    weighed = {
        attesting.weigh(one, signers, digest=digest, roots=roots, now=now): one for one in whole
    }
    chosen = attesting.best(list(weighed))
    return _of_pdf(file, payload, chosen, weighed[chosen])


def _signer(held: Held) -> Signer:
    key, revocation = held
    public = public_keys.from_jwk(key.jwk)
    return Signer(
        key_id=key.id,
        kid=key.kid,
        key=sha256(public.spki).hexdigest(),
        fingerprint=key.fingerprint,
        names=key.names,
        valid_from=key.valid_from,
        valid_until=key.valid_until,
        revoked_at=revocation.revoked_at if revocation else None,
    )


def _of_pdf(file: File, payload: bytes, chosen: Weighed, seal: seals.Seal) -> Proof:
    signer = chosen.signer
    return Proof(
        kind="pdf",
        payload=payload,
        signed=chosen.signed,
        file=file.digest,
        key_id=signer.key_id if signer else None,
        kid=signer.kid if signer else None,
        signer=seal.subject,
        signed_at=seal.stamped_at if seal.stamp_trusted else seal.claimed_at,
        verified=chosen.verified,
        not_verified=chosen.not_verified,
    )


def verified(
    session: Session, report: ReportIn, sent: Sent | None, *, actor: Actor, now: datetime
) -> Proof | None:
    """Verify a detached signature; None for any other report. Raises a SignatureRefused."""
    if not isinstance(report.signature, str):
        return None
    assert sent is not None
    assert actor.party is not None
    signature = detached.read(report.signature)
    payload = detached.payload_of(sent.raw)
    key = signing_keys.named(session, actor.party, signature.kid, now=now)
    detached.verify(signature, payload, signing_keys.public_of(key), now=now)
    return Proof(
        kind="jws",
        payload=payload,
        signed=True,
        text=report.signature,
        key_id=key.id,
        kid=key.kid,
        signer=key.subject or key.label,
        signed_at=signature.signed_at,
        verified=(
            f"the signature is of this very body, by key {key.kid} ({key.algorithm})",
            f"that key is registered by {key.party}, was valid when this came, and is not revoked",
        ),
        not_verified=(
            "when it was signed: that is the signer's own word",
            "which person used the key: that is for the party to know",
        ),
    )


def kid_of(signature: object) -> str | None:
    """Give the key that a detached signature names; None for whatever is none."""
    if not isinstance(signature, str):
        return None
    try:
        return detached.read(signature).kid
    except SignatureRefused:
        return None


def out_of(proof: Proof | None, grade: Grade) -> SignatureOut | None:
    """Tell what came of a signature."""
    if proof is None:
        return None
    unsaid = proof.not_verified
    if proof.signed and grade is not Grade.D:
        unsaid = (*unsaid, "what the signer saw: remote video counts as unsigned whoever signs")
    return SignatureOut(
        kind=proof.kind,
        grade=str(grade),
        digest=proof.digest,
        key=proof.key_id,
        kid=proof.kid,
        signer=proof.signer,
        signed_at=proof.signed_at,
        verified=list(proof.verified),
        not_verified=list(unsaid),
    )


def keep(
    session: Session,
    proof: Proof,
    told: SignatureOut,
    *,
    report: UUID,
    party: str,
    actor: Actor,
    now: datetime,
) -> None:
    """Keep a signature with its report, and write to the journal what checking it again takes."""
    row = {
        "report_id": report,
        "kind": proof.kind,
        "grade": told.grade,
        "key_id": proof.key_id,
        "signature": proof.text,
        "file": proof.file,
        "payload": proof.payload.decode(),
        "digest": proof.digest,
        "signer": proof.signer,
        "signed_at": proof.signed_at,
        "verified": told.verified,
        "not_verified": told.not_verified,
        "received_at": now,
    }
    session.execute(insert(ReportSignature).values(row))
    left_out = {"report_id", "key_id", "signed_at", "received_at", "verified", "not_verified"}
    body = {name: value for name, value in row.items() if name not in left_out}
    journal.append(
        session,
        actor=actor.name,
        action="report.signed",
        subject=f"report:{report}",
        party=party,
        body=body
        | {
            "key": str(proof.key_id) if proof.key_id else None,
            "kid": proof.kid,
            "found": {"verified": told.verified, "not_verified": told.not_verified},
        },
        personal=("signer", "found"),
        now=now,
    )
