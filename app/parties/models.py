"""Organizations and places."""

from datetime import date, datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Identity, Index, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class Party(Base):
    """An organization, known by the authority's own reference for it."""

    __tablename__ = "parties"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    country: Mapped[str]
    created_at: Mapped[datetime]


class Site(Base):
    """A place where licensed units may be, with its position (WGS 84) where that is known."""

    __tablename__ = "sites"
    __table_args__ = (
        CheckConstraint("(lat IS NULL) = (lon IS NULL)", name="whole_position"),
        CheckConstraint("lat BETWEEN -90 AND 90 AND lon BETWEEN -180 AND 180", name="on_earth"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    reference: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    country: Mapped[str]
    lat: Mapped[float | None]
    lon: Mapped[float | None]
    created_at: Mapped[datetime]


class Screening(Base):
    """A party was compared with published lists at a time."""

    __tablename__ = "screenings"
    __table_args__ = (Index(None, "party", "screened_at"),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    party: Mapped[str] = mapped_column(ForeignKey(Party.reference))
    lists: Mapped[list[str]] = mapped_column(ARRAY(Text))
    screened_at: Mapped[datetime]
    screened_by: Mapped[str]
    received_at: Mapped[datetime]


class ScreeningHit(Base):
    """A possible match of a party, or of an owner of it, with an entry of a list."""

    __tablename__ = "screening_hits"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    screening_id: Mapped[int] = mapped_column(ForeignKey(Screening.id), index=True)
    list: Mapped[str]
    entry: Mapped[str]
    listed_on: Mapped[date | None]
    owner: Mapped[str | None]


class HitDecision(Base):
    """Somebody looked at a hit and said whether it is the party. The latest one counts."""

    __tablename__ = "hit_decisions"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    hit_id: Mapped[int] = mapped_column(ForeignKey(ScreeningHit.id), index=True)
    confirmed: Mapped[bool]
    ground: Mapped[str]
    decided_by: Mapped[str]
    decided_at: Mapped[datetime]


class PartyStanding(Base):
    """A party came to stand so with the authority, on what ground. The latest row counts.

    `source` is what showed it: `obligation:` or `audit:` and an id. Rows are only ever added.
    """

    __tablename__ = "party_standings"
    __table_args__ = (
        CheckConstraint(
            "standing IN ('good', 'unverified', 'listing_recommended')", name="standing"
        ),
        Index(None, "party", "id"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    party: Mapped[str] = mapped_column(ForeignKey(Party.reference))
    standing: Mapped[str]
    since: Mapped[datetime]
    ground: Mapped[str]
    source: Mapped[str]
    decided_by: Mapped[str]
    recorded_at: Mapped[datetime]


class PartyCause(Base):
    """Something lets a party stand worse for as long as it lasts; whoever raised it says when it ends.

    `source` is `obligation:` or `audit:` and an id. A cause that comes back begins anew.
    """

    __tablename__ = "party_causes"
    __table_args__ = (Index(None, "source"),)

    party: Mapped[str] = mapped_column(ForeignKey(Party.reference), primary_key=True)
    source: Mapped[str] = mapped_column(primary_key=True)
    standing: Mapped[str]
    since: Mapped[datetime]
    ended_at: Mapped[datetime | None]


class SigningKey(Base):
    """A public key that a party signs with, itself or in a certificate. Rows are only ever added.

    `kid` is the RFC 7638 thumbprint. Of a certificate there are `fingerprint` (SHA-256 of it), `names`
    (SHA-256 of issuer and subject) and `certificate`, it and those above it in PEM; `rooted` says
    whether it led to a trusted root then, null when none was configured. `proof` is the signature by
    which the party showed that it holds the private key.
    """

    __tablename__ = "signing_keys"
    __table_args__ = (
        Index(None, "party", "kid", unique=True),
        CheckConstraint("algorithm IN ('Ed25519', 'ES256', 'ES384', 'PS256')", name="algorithm"),
        CheckConstraint("valid_until > valid_from", name="in_order"),
        CheckConstraint(
            "(certificate IS NULL) = (fingerprint IS NULL) AND (certificate IS NULL) ="
            " (names IS NULL) AND (certificate IS NOT NULL OR rooted IS NULL)",
            name="whole_certificate",
        ),
    )

    id: Mapped[UUID] = mapped_column(primary_key=True)
    party: Mapped[str]
    kid: Mapped[str]
    algorithm: Mapped[str]
    jwk: Mapped[dict[str, Any]]
    label: Mapped[str | None]
    certificate: Mapped[str | None]
    subject: Mapped[str | None]
    issuer: Mapped[str | None]
    fingerprint: Mapped[str | None]
    names: Mapped[str | None]
    rooted: Mapped[bool | None]
    valid_from: Mapped[datetime]
    valid_until: Mapped[datetime]
    registered_at: Mapped[datetime]
    registered_by: Mapped[str]
    proof: Mapped[str]


class SigningKeyRevocation(Base):
    """A signing key counts no more, from when this was recorded. Rows are only ever added.

    `compromised_since` is from when on somebody else may have had it, as the party says.
    """

    __tablename__ = "signing_key_revocations"

    key_id: Mapped[UUID] = mapped_column(ForeignKey(SigningKey.id), primary_key=True)
    ground: Mapped[str]
    compromised_since: Mapped[datetime | None]
    revoked_at: Mapped[datetime]
    revoked_by: Mapped[str]
