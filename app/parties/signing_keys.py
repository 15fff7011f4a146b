"""Keys that parties sign with: registered by whoever shows to hold them, revoked when they are lost.

Nothing is edited. A key that was revoked is refused from then on; what was signed with it before stands
as it was judged, and what came while somebody else may have had the key is listed as doubtful.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from uuid import UUID, uuid4

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from app import journal
from app.access.rules import Actor
from app.errors import Conflict, Invalid, Unknown
from app.evidence import seals
from app.evidence.seals import SealsUnreadable
from app.parties import certificates, detached
from app.parties.certificates import Certificate, CertificateUnfit
from app.parties.models import SigningKey, SigningKeyRevocation
from app.parties.public_keys import PublicKey
from app.wire import page_after

LONGEST = timedelta(days=5 * 366)
"""How long a key may be valid; NIST SP 800-57 part 1 advises one to three years for signing."""
USUAL = timedelta(days=2 * 365)


class SigningKeyTaken(Conflict):
    """This key is registered already; a key is registered once, and never again once revoked."""


class SigningKeyNotFound(Unknown):
    """There is no such signing key, or it is not yours to see."""


class SigningKeyRevokedBefore(Conflict):
    """The key was revoked before."""


class ValidityUnfit(Invalid):
    """A key is valid for five years at most, and until a time to come."""


class CompromiseInFuture(Invalid):
    """A key cannot have been lost at a time that has not come."""


@dataclass(frozen=True, slots=True)
class Offered:
    """A key that a party wants to register: by itself, or in a certificate."""

    key: PublicKey
    certificate: Certificate | None
    label: str | None
    valid_until: datetime | None
    proof: str


Held = tuple[SigningKey, SigningKeyRevocation | None]
"""A key, and what revoked it."""


def challenge(party: str, kid: str) -> bytes:
    """Give the text whose detached signature shows that a party holds a key."""
    return f"endwatch-signing-key:{party}:{kid}".encode()


def register(
    session: Session,
    offered: Offered,
    *,
    roots: Sequence[str],
    seconds: float,
    actor: Actor,
    now: datetime,
) -> SigningKey:
    """Register a key for the actor's party, which shows that it holds the private part.

    Raises a SignatureRefused, SigningKeyTaken, ValidityUnfit, CertificateUnfit, SealsNotExamined.
    """
    assert actor.party is not None
    _check_proof(offered, actor.party, now)
    rooted = _rooted(offered.certificate, roots, seconds, now)
    key = _row(offered, actor.party, rooted=rooted, registered_by=actor.name, now=now)
    known = session.scalar(
        select(SigningKey.id).where(SigningKey.party == key.party, SigningKey.kid == key.kid)
    )
    if known is not None:
        raise SigningKeyTaken(
            f"Key {key.kid} is registered already, as {known}. For a new validity or certificate, "
            "make a new key.",
            pointer="/jwk" if offered.certificate is None else "/certificate",
        )
    session.add(key)
    session.flush()
    _tell_registered(session, key, actor, now)
    return key


def _check_proof(offered: Offered, party: str, now: datetime) -> None:
    proof = detached.read(offered.proof, pointer="/proof")
    if proof.kid != offered.key.kid:
        raise detached.SigningKeyUnknown(
            f"The proof is signed by {proof.kid}, and the key offered is {offered.key.kid}.",
            pointer="/proof",
        )
    text = challenge(party, offered.key.kid)
    try:
        detached.verify(proof, text, offered.key, now=now, pointer="/proof")
    except detached.SignatureWrong as error:
        raise detached.SignatureWrong(
            f"The proof is no signature by this key of the text {text.decode()!r}.",
            pointer="/proof",
        ) from error


def _rooted(
    certificate: Certificate | None, roots: Sequence[str], seconds: float, now: datetime
) -> bool | None:
    """See whether a certificate leads to a root; with none configured, nobody can say."""
    if certificate is None or not roots:
        return None
    moment = max(now, certificate.valid_from)
    try:
        why = seals.leads_to_root(certificate.bundle, roots=roots, seconds=seconds, now=moment)
    except SealsUnreadable as error:
        raise CertificateUnfit(str(error), pointer=certificates.POINTER) from error
    if why is not None:
        raise CertificateUnfit(
            f"The certificate leads to no root that is trusted here: {why} Send those above it "
            "along, or ask the authority which issuers it trusts.",
            pointer=certificates.POINTER,
        )
    return True


def _row(
    offered: Offered, party: str, *, rooted: bool | None, registered_by: str, now: datetime
) -> SigningKey:
    """Work out from when to when the key counts: within its certificate's time."""
    given = offered.certificate
    valid_from = max(now, given.valid_from) if given else now
    most = min(valid_from + LONGEST, given.valid_until) if given else valid_from + LONGEST
    valid_until = offered.valid_until or min(most, valid_from + (LONGEST if given else USUAL))
    if not valid_from < valid_until <= most:
        raise ValidityUnfit(
            f"The key may be valid until {most:%Y-%m-%dT%H:%M:%SZ} at most, and must be so for a "
            "while.",
            pointer="/valid_until",
        )
    return SigningKey(
        id=uuid4(),
        party=party,
        kid=offered.key.kid,
        algorithm=offered.key.algorithm,
        jwk=offered.key.jwk,
        label=offered.label,
        certificate=given.bundle if given else None,
        subject=given.subject if given else None,
        issuer=given.issuer if given else None,
        fingerprint=given.fingerprint if given else None,
        names=given.names if given else None,
        rooted=rooted,
        valid_from=valid_from,
        valid_until=valid_until,
        registered_at=now,
        registered_by=registered_by,
        proof=offered.proof,
    )


def _tell_registered(session: Session, key: SigningKey, actor: Actor, now: datetime) -> None:
    """Write the key to the journal: whoever reads it there can check signatures without us."""
    journal.append(
        session,
        actor=actor.name,
        action="signing_key.registered",
        subject=f"signing_key:{key.id}",
        party=key.party,
        body={
            "party": key.party,
            "kid": key.kid,
            "algorithm": key.algorithm,
            "jwk": key.jwk,
            "fingerprint": key.fingerprint,
            "valid_from": key.valid_from.isoformat(),
            "valid_until": key.valid_until.isoformat(),
            "proof": key.proof,
            "label": key.label,
            "subject": key.subject,
            "certificate": key.certificate,
        },
        personal=("label", "subject", "certificate"),
        now=now,
    )


def listed(
    session: Session, *, only: str | None, party: str | None, after: str | None, limit: int
) -> list[Held]:
    """List signing keys, latest first; one more than `limit` tells that there is a further page.

    `only` is the one party whose keys the caller may see, `party` the one asked for.
    """
    query = (
        select(SigningKey, SigningKeyRevocation)
        .outerjoin(SigningKeyRevocation, SigningKeyRevocation.key_id == SigningKey.id)
        .order_by(SigningKey.registered_at.desc(), SigningKey.id.desc())
        .limit(limit + 1)
    )
    for one in (only, party):
        if one is not None:
            query = query.where(SigningKey.party == one)
    keys = page_after(after, datetime, UUID)
    if keys is not None:
        query = query.where(tuple_(SigningKey.registered_at, SigningKey.id) < tuple_(*keys))
    return [(key, revocation) for key, revocation in session.execute(query)]


def find(session: Session, id: UUID, *, party: str | None) -> Held:
    """Find a key that the caller may see. Raises SigningKeyNotFound."""
    key = session.get(SigningKey, id)
    if key is None or (party is not None and key.party != party):
        raise SigningKeyNotFound(f"There is no signing key {id} here.")
    return key, session.get(SigningKeyRevocation, id)


def of_party(session: Session, party: str) -> list[Held]:
    """Give all keys of a party."""
    query = (
        select(SigningKey, SigningKeyRevocation)
        .outerjoin(SigningKeyRevocation, SigningKeyRevocation.key_id == SigningKey.id)
        .where(SigningKey.party == party)
        .order_by(SigningKey.registered_at, SigningKey.id)
    )
    return [(key, revocation) for key, revocation in session.execute(query)]


def named(session: Session, party: str, kid: str, *, now: datetime) -> SigningKey:
    """Find the key of a party that a signature names, if it counts now.

    A revocation waits for reports under way, and they for it: so each is before or after the other.
    Raises SigningKeyUnknown, SigningKeyRevoked, SigningKeyOutOfTime.
    """
    key = session.scalars(
        select(SigningKey).where(SigningKey.party == party, SigningKey.kid == kid)
    ).first()
    if key is None:
        raise detached.SigningKeyUnknown(
            f"You have registered no signing key {kid}. Register it with POST /v1/signing-keys, or "
            "name the one that signed.",
            pointer=detached.POINTER,
        )
    hold(session, key.id)
    revocation = session.get(SigningKeyRevocation, key.id)
    if revocation is not None:
        raise detached.SigningKeyRevoked(
            f"Key {kid} was revoked at {revocation.revoked_at.isoformat()}. Sign with another.",
            pointer=detached.POINTER,
        )
    if not key.valid_from <= now < key.valid_until:
        raise detached.SigningKeyOutOfTime(
            f"Key {kid} is valid from {key.valid_from.isoformat()} until "
            f"{key.valid_until.isoformat()}; the time here is {now.isoformat()}. Sign with another.",
            pointer=detached.POINTER,
        )
    return key


def hold(session: Session, id: UUID) -> None:
    """Keep a key from being revoked until this transaction ends; many may do so at once.

    An advisory lock, because locking the row takes the right to change it, which nobody has.
    """
    session.execute(select(func.pg_advisory_xact_lock_shared(_lock_of(id))))


def _lock_of(id: UUID) -> int:
    return int.from_bytes(id.bytes[:8], "big", signed=True)


def public_of(key: SigningKey) -> PublicKey:
    """Give the public key of a row for checking with."""
    return PublicKey(key.kid, key.algorithm, {k: str(v) for k, v in key.jwk.items()}, b"")


def revoke(
    session: Session,
    id: UUID,
    *,
    ground: str,
    compromised_since: datetime | None,
    actor: Actor,
    now: datetime,
) -> tuple[SigningKey, SigningKeyRevocation]:
    """Revoke a key, for good. The caller tells the journal, with what is in doubt by it.

    Raises SigningKeyNotFound, SigningKeyRevokedBefore, CompromiseInFuture.
    """
    session.execute(select(func.pg_advisory_xact_lock(_lock_of(id))))
    key, before = find(session, id, party=actor.reads_only)
    if before is not None:
        raise SigningKeyRevokedBefore(f"It was revoked at {before.revoked_at.isoformat()}.")
    if compromised_since is not None and compromised_since > now + detached.CLOCKS_DIFFER:
        raise CompromiseInFuture(
            f"{compromised_since.isoformat()} has not come yet.", pointer="/compromised_since"
        )
    revocation = SigningKeyRevocation(
        key_id=key.id,
        ground=ground,
        compromised_since=compromised_since,
        revoked_at=now,
        revoked_by=actor.name,
    )
    session.add(revocation)
    session.flush()
    return key, revocation
