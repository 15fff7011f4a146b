"""Signing keys over HTTP: registered by who holds them, listed, revoked when they are lost."""

from contextlib import nullcontext
from datetime import datetime
from typing import Annotated, Any
from uuid import UUID

from fastapi import APIRouter, Depends, Response
from pydantic import Field, StringConstraints, model_validator
from sqlalchemy.orm import Session

from app.access.once import KeyUsedForOther, OnceDep
from app.access.router import May, Reader
from app.access.rules import Actor, Role
from app.clock import Now
from app.database import SessionDep
from app.errors import Invalid
from app.evidence.seals import SealsNotExamined
from app.licenses.schemas import Long
from app.parties import certificates, detached, public_keys, signing_keys
from app.parties.models import SigningKeyRevocation
from app.parties.schemas import Text
from app.parties.signing_keys import Offered
from app.reports import doubts, refusals
from app.reports.doubts import DoubtfulReport
from app.reports.signatures import Desk, DeskDep
from app.wire import Limit, Moment, Out, Page, Strict, problems
from app.wire.pages import page_of

router = APIRouter(prefix="/v1/signing-keys", tags=["signing keys"])

_signs = May(Role.EXPORTER)
Signer = Annotated[Actor, Depends(_signs)]
Revoker = Annotated[Actor, Depends(May(Role.EXPORTER, Role.LICENSING_OFFICER, Role.SUPERVISOR))]

Pem = Annotated[str, StringConstraints(min_length=1, max_length=64 * 1024)]
Jws = Annotated[str, StringConstraints(min_length=1, max_length=8 * 1024)]


class SigningKeyIn(Strict):
    """A key to register: exactly one of a JWK and a certificate, and the proof that you hold it.

    `proof` is a detached JWS, by this key, of the text `endwatch-signing-key:PARTY:KID`.
    """

    jwk: dict[str, Any] | None = Field(
        default=None, description="Public key: Ed25519, P-256, P-384, or RSA of 3072 bits or more"
    )
    certificate: Pem | None = Field(
        default=None, description="X.509, in PEM with those above it, or DER in base64"
    )
    proof: Jws
    label: Text | None = None
    valid_until: Moment | None = Field(
        default=None, description="Two years from now, or the end of the certificate, if not given"
    )

    @model_validator(mode="after")
    def _exactly_one(self) -> "SigningKeyIn":
        if (self.jwk is None) == (self.certificate is None):
            raise ValueError('give exactly one of "jwk" and "certificate"')
        return self


class RevocationIn(Strict):
    """Why a key counts no more, and from when on somebody else may have had it."""

    ground: Long
    compromised_since: Moment | None = None


class RevocationOut(Out):
    """A revocation; `doubtful` counts the reports that came while somebody else may have had the key."""

    ground: str
    compromised_since: Moment | None
    revoked_at: Moment
    revoked_by: str
    doubtful: int


class SigningKeyOut(Out):
    """A registered key. `rooted` is null when no roots were configured to look for."""

    id: UUID
    party: str
    kid: str
    algorithm: str
    jwk: dict[str, Any]
    label: str | None
    certificate: str | None
    subject: str | None
    issuer: str | None
    rooted: bool | None
    valid_from: Moment
    valid_until: Moment
    registered_at: Moment
    revoked_at: Moment | None


@router.post(
    "",
    response_model=SigningKeyOut,
    status_code=201,
    responses=problems(
        signing_keys.SigningKeyTaken,
        KeyUsedForOther,
        public_keys.KeyUnfit,
        public_keys.PrivateKeySent,
        certificates.CertificateUnfit,
        signing_keys.ValidityUnfit,
        detached.SignatureMalformed,
        detached.SignatureAlgorithmRefused,
        detached.SigningKeyUnknown,
        detached.SignatureWrong,
        detached.SignedInFuture,
        SealsNotExamined,
        Invalid,
    ),
    dependencies=[refusals.telling(_signs)],
)
def register(
    key: SigningKeyIn,
    signer: Signer,
    session: SessionDep,
    desk: DeskDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Register a key that your party signs with, showing that you hold its private part."""
    return once(
        lambda: _register(session, key, desk, signer, now), session=session, actor=signer, now=now
    )


def _register(
    session: Session, key: SigningKeyIn, desk: Desk, signer: Actor, now: datetime
) -> SigningKeyOut:
    certificate = certificates.read(key.certificate, now=now) if key.certificate else None
    offered = Offered(
        key=certificate.key if certificate else public_keys.from_jwk(key.jwk or {}),
        certificate=certificate,
        label=key.label,
        valid_until=key.valid_until,
        proof=key.proof,
    )
    with desk.turn() if certificate and desk.roots else nullcontext():
        made = signing_keys.register(
            session,
            offered,
            roots=desk.roots,
            seconds=desk.room.answer_seconds,
            actor=signer,
            now=now,
        )
    return _shown((made, None))


def _shown(held: signing_keys.Held) -> SigningKeyOut:
    key, revocation = held
    fields = SigningKeyOut.model_fields.keys() - {"revoked_at"}
    return SigningKeyOut.model_validate(
        {name: getattr(key, name) for name in fields}
        | {"revoked_at": revocation.revoked_at if revocation else None}
    )


def _keys(held: signing_keys.Held) -> tuple[Any, ...]:
    return held[0].registered_at.isoformat(), str(held[0].id)


@router.get("", responses=problems(Invalid))
def browse(
    reader: Reader,
    session: SessionDep,
    party: str | None = None,
    after: str | None = None,
    limit: Limit = 100,
) -> Page[SigningKeyOut]:
    """List signing keys, latest first: your party's own, or for the authority everybody's."""
    rows = signing_keys.listed(
        session, only=reader.reads_only, party=party, after=after, limit=limit
    )
    return page_of(rows, limit, _shown, _keys)


@router.get("/{id}", responses=problems(signing_keys.SigningKeyNotFound))
def read(id: UUID, reader: Reader, session: SessionDep) -> SigningKeyOut:
    """Read a signing key."""
    return _shown(signing_keys.find(session, id, party=reader.reads_only))


@router.post(
    "/{id}/revocation",
    response_model=RevocationOut,
    status_code=201,
    responses=problems(
        signing_keys.SigningKeyNotFound,
        signing_keys.SigningKeyRevokedBefore,
        KeyUsedForOther,
        signing_keys.CompromiseInFuture,
        Invalid,
    ),
)
def revoke(
    id: UUID,
    revocation: RevocationIn,
    revoker: Revoker,
    session: SessionDep,
    now: Now,
    once: OnceDep,
) -> Response:
    """Revoke a signing key, at once and for good.

    Reports it signed before stand as they were judged. Those that came since `compromised_since` are
    listed as doubtful; to say otherwise, their exporter files corrections signed with another key.
    """
    return once(
        lambda: _revoke(session, id, revocation, revoker, now),
        session=session,
        actor=revoker,
        now=now,
    )


def _revoke(
    session: Session, id: UUID, given: RevocationIn, revoker: Actor, now: datetime
) -> RevocationOut:
    key, revocation = signing_keys.revoke(
        session,
        id,
        ground=given.ground,
        compromised_since=given.compromised_since,
        actor=revoker,
        now=now,
    )
    return _told(revocation, doubts.tell(session, key, revocation, actor=revoker, now=now))


def _told(revocation: SigningKeyRevocation, doubtful: int) -> RevocationOut:
    return RevocationOut(
        ground=revocation.ground,
        compromised_since=revocation.compromised_since,
        revoked_at=revocation.revoked_at,
        revoked_by=revocation.revoked_by,
        doubtful=doubtful,
    )


@router.get("/{id}/doubtful", responses=problems(signing_keys.SigningKeyNotFound, Invalid))
def browse_doubtful(
    id: UUID,
    reader: Reader,
    session: SessionDep,
    after: str | None = None,
    limit: Limit = 100,
) -> Page[DoubtfulReport]:
    """List the reports signed with a key while somebody else may have had it, latest first."""
    key, revocation = signing_keys.find(session, id, party=reader.reads_only)
    rows = doubts.listed(session, key, revocation, after=after, limit=limit)
    return page_of(rows, limit, doubts.show, doubts.keys)
