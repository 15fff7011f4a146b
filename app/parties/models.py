"""Organizations and places."""

from datetime import datetime

from sqlalchemy import CheckConstraint, Identity
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
