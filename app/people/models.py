"""People, how they prove who they are, and where they are signed in.

Of every secret only a hash is stored: Argon2id of passwords, SHA-256 of what has chance enough.
"""

from datetime import datetime

from sqlalchemy import (
    CheckConstraint,
    ForeignKey,
    Identity,
    Index,
    LargeBinary,
    PrimaryKeyConstraint,
)
from sqlalchemy.orm import Mapped, mapped_column

from app.database import Base


class Person(Base):
    """Somebody who signs in. `sign_in` is case-folded; an exporter's person belongs to one party."""

    __tablename__ = "people"
    __table_args__ = (
        CheckConstraint("(role = 'exporter') = (party IS NOT NULL)", name="party_of_exporter"),
        CheckConstraint("role = 'exporter' OR NOT administers_party", name="administers_own"),
        CheckConstraint("(state = 'ended') = (ended_at IS NOT NULL)", name="whole_end"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    sign_in: Mapped[str] = mapped_column(unique=True)
    name: Mapped[str]
    role: Mapped[str]
    party: Mapped[str | None] = mapped_column(index=True)
    administers_party: Mapped[bool]
    state: Mapped[str]
    password: Mapped[str | None]
    password_changed_at: Mapped[datetime | None]
    made_at: Mapped[datetime]
    made_by: Mapped[str]
    ended_at: Mapped[datetime | None]


class PersonSession(Base):
    """A browser in which a person is signed in, or half-way: `level` says what is still needed.

    `seen_at` is written at most once a minute; `ends_at` is the absolute limit.
    """

    __tablename__ = "person_sessions"

    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    person_id: Mapped[str] = mapped_column(ForeignKey(Person.id), index=True)
    level: Mapped[str]
    method: Mapped[str]
    browser: Mapped[str]
    made_at: Mapped[datetime]
    authenticated_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    ends_at: Mapped[datetime] = mapped_column(index=True)
    ended_at: Mapped[datetime | None]
    end_reason: Mapped[str | None]


class Passkey(Base):
    """A WebAuthn credential. `sign_count` only grows; what was removed is never taken again."""

    __tablename__ = "passkeys"

    id: Mapped[str] = mapped_column(primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey(Person.id), index=True)
    credential_id: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    public_key: Mapped[bytes] = mapped_column(LargeBinary)
    sign_count: Mapped[int]
    name: Mapped[str]
    backed_up: Mapped[bool]
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    removed_at: Mapped[datetime | None]


class RecoveryCode(Base):
    """A code that stands once for a passkey that was lost. New codes end all older ones."""

    __tablename__ = "recovery_codes"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    person_id: Mapped[str] = mapped_column(ForeignKey(Person.id), index=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    made_at: Mapped[datetime]
    used_at: Mapped[datetime | None]
    ended_at: Mapped[datetime | None]


class Challenge(Base):
    """What an authenticator was asked to sign. It is answered once, within minutes."""

    __tablename__ = "challenges"

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    purpose: Mapped[str]
    session_id: Mapped[str | None] = mapped_column(ForeignKey(PersonSession.id), index=True)
    expires_at: Mapped[datetime] = mapped_column(index=True)
    used_at: Mapped[datetime | None]


class Invitation(Base):
    """A one-time token to become a person, or, with `person_id`, to begin anew after a loss."""

    __tablename__ = "invitations"
    __table_args__ = (
        CheckConstraint("(role = 'exporter') = (party IS NOT NULL)", name="party_of_exporter"),
    )

    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    person_id: Mapped[str | None] = mapped_column(ForeignKey(Person.id), index=True)
    sign_in: Mapped[str]
    name: Mapped[str | None]
    role: Mapped[str]
    party: Mapped[str | None] = mapped_column(index=True)
    administers_party: Mapped[bool]
    made_at: Mapped[datetime]
    made_by: Mapped[str]
    expires_at: Mapped[datetime]
    accepted_at: Mapped[datetime | None]
    revoked_at: Mapped[datetime | None]


class Device(Base):
    """A browser in which somebody signed in before: failures elsewhere do not slow it down."""

    __tablename__ = "devices"

    id: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[bytes] = mapped_column(LargeBinary, unique=True)
    person_id: Mapped[str] = mapped_column(ForeignKey(Person.id), index=True)
    made_at: Mapped[datetime]
    expires_at: Mapped[datetime] = mapped_column(index=True)
    revoked_at: Mapped[datetime | None]


class SignInCounter(Base):
    """Failed sign-ins by one name, address or device, which is stored as a hash."""

    __tablename__ = "sign_in_counters"
    __table_args__ = (Index(None, "last_failed_at"),)

    digest: Mapped[bytes] = mapped_column(LargeBinary, primary_key=True)
    failures: Mapped[int]
    last_failed_at: Mapped[datetime]
    wait_until: Mapped[datetime | None]


class PersonIdentity(Base):
    """Who somebody is to the authority's identity provider, and which person that is here.

    `subject` stays the same when a name or an address changes. Rows are only ever added.
    """

    __tablename__ = "person_identities"
    __table_args__ = (PrimaryKeyConstraint("issuer", "subject"),)

    issuer: Mapped[str]
    subject: Mapped[str]
    person_id: Mapped[str] = mapped_column(ForeignKey(Person.id), index=True)
    made_at: Mapped[datetime]
