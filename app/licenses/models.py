"""What a licensing authority granted, and under which conditions."""

from datetime import date, datetime
from decimal import Decimal
from typing import Any

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, Identity, Index, Integer, Text
from sqlalchemy.orm import Mapped, mapped_column, relationship

from app.database import Base
from app.parties.models import Party, Site


class License(Base):
    """A license. `revision` goes up with every change of what it allows; `exporter` is whose it is.

    `attend_from` is set while a change waits for its consequences: duties to plan, and everything
    said since then to be judged again.
    """

    __tablename__ = "licenses"
    __table_args__ = (
        Index("ix_licenses_to_attend", "id", postgresql_where="attend_from IS NOT NULL"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    number: Mapped[str] = mapped_column(unique=True)
    exporter: Mapped[str] = mapped_column(ForeignKey(Party.reference), index=True)
    state: Mapped[str] = mapped_column(index=True)
    tier: Mapped[int]
    tier_reason: Mapped[str]
    tier_review_on: Mapped[date]
    granted_on: Mapped[date]
    expires_on: Mapped[date | None] = mapped_column(index=True)
    end_use: Mapped[str]
    destination_countries: Mapped[list[str]] = mapped_column(ARRAY(Text))
    humanitarian_track: Mapped[bool]
    time_zone: Mapped[str]
    delivered_when: Mapped[str] = mapped_column(server_default="arrival")
    decision_rationale: Mapped[str | None]
    revision: Mapped[int] = mapped_column(default=1)
    attend_from: Mapped[datetime | None]
    created_at: Mapped[datetime]

    lines: Mapped[list["Line"]] = relationship(order_by="Line.line")
    parties: Mapped[list["LicenseParty"]] = relationship(order_by="LicenseParty.id")
    sites: Mapped[list["LicenseSite"]] = relationship(order_by="LicenseSite.id")
    conditions: Mapped[list["Condition"]] = relationship(order_by="Condition.id")
    states: Mapped[list["StateChange"]] = relationship(order_by="StateChange.id")


class Line(Base):
    """An item on a license: what, how many, of what value."""

    __tablename__ = "license_lines"
    __table_args__ = (Index(None, "license_id", "line", unique=True),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    line: Mapped[int]
    description: Mapped[str]
    classification: Mapped[str]
    modality: Mapped[str]
    quantity: Mapped[Decimal]
    unit: Mapped[str]
    value_amount: Mapped[Decimal | None]
    value_currency: Mapped[str | None]


class LicenseParty(Base):
    """A party in its role on a license."""

    __tablename__ = "license_parties"
    __table_args__ = (Index(None, "license_id", "role", "party_id", unique=True),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    party_id: Mapped[int] = mapped_column(ForeignKey(Party.id), index=True)
    role: Mapped[str]

    party: Mapped[Party] = relationship(lazy="joined")


class LicenseSite(Base):
    """A site named on a license."""

    __tablename__ = "license_sites"
    __table_args__ = (Index(None, "license_id", "site_id", unique=True),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    site_id: Mapped[int] = mapped_column(ForeignKey(Site.id), index=True)

    site: Mapped[Site] = relationship(lazy="joined")


class Amendment(Base):
    """A proposed change of conditions. It takes effect when a second person approves it."""

    __tablename__ = "amendments"
    __table_args__ = (
        CheckConstraint("person_of(approved_by) <> person_of(proposed_by)", name="second_person"),
        CheckConstraint("(approved_by IS NULL) = (approved_at IS NULL)", name="whole_approval"),
    )

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id), index=True)
    ground: Mapped[str]
    conditions: Mapped[list[Any]]
    proposed_by: Mapped[str]
    proposed_at: Mapped[datetime]
    approved_by: Mapped[str | None]
    approved_at: Mapped[datetime | None]


class Condition(Base):
    """One version of a condition. In force at a time is the highest version that began before it.

    `key` tells the conditions of a license apart: the kind and the lines it covers. Rows are only
    ever added.
    """

    __tablename__ = "conditions"
    __table_args__ = (Index(None, "license_id", "key", "version", unique=True),)

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id))
    key: Mapped[str]
    version: Mapped[int]
    kind: Mapped[str]
    text: Mapped[str]
    terms: Mapped[dict[str, Any]]
    source: Mapped[str]
    binds: Mapped[list[str]] = mapped_column(ARRAY(Text))
    lines: Mapped[list[int]] = mapped_column(ARRAY(Integer))
    severity: Mapped[str]
    effective_from: Mapped[datetime]
    effective_to: Mapped[datetime | None]
    amendment_id: Mapped[int | None] = mapped_column(ForeignKey(Amendment.id))
    created_at: Mapped[datetime]


class StateChange(Base):
    """A license entered a state, on what ground and from when."""

    __tablename__ = "license_states"

    id: Mapped[int] = mapped_column(Identity(), primary_key=True)
    license_id: Mapped[int] = mapped_column(ForeignKey(License.id), index=True)
    state: Mapped[str]
    ground: Mapped[str]
    effective_on: Mapped[date]
    actor: Mapped[str]
    recorded_at: Mapped[datetime]
