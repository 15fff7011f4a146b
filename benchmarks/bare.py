"""What the service is compared with: the least that FastAPI and SQLAlchemy can do."""

import os
from collections.abc import Iterator
from typing import Annotated, Any

from fastapi import Depends, FastAPI
from pydantic import BaseModel
from sqlalchemy import BigInteger, Identity, Text, create_engine
from sqlalchemy.dialects.postgresql import JSONB
from sqlalchemy.orm import DeclarativeBase, Mapped, Session, mapped_column, sessionmaker


class Base(DeclarativeBase):
    """Base of the one table."""


class Row(Base):
    """A row with a body."""

    __tablename__ = "bare_rows"

    id: Mapped[int] = mapped_column(BigInteger, Identity(), primary_key=True)
    reference: Mapped[str] = mapped_column(Text)
    body: Mapped[dict[str, Any]] = mapped_column(JSONB)


class RowIn(BaseModel):
    """What is sent."""

    reference: str
    statements: list[dict[str, Any]]


def make() -> FastAPI:
    """Make the bare application."""
    engine = create_engine(os.environ["ENDWATCH_DATABASE_URL"], pool_size=12, max_overflow=0)
    Base.metadata.create_all(engine)
    sessions = sessionmaker(engine)
    app = FastAPI()

    def session_of() -> Iterator[Session]:
        with sessions() as session:
            yield session
            session.commit()

    @app.post("/rows", status_code=201)
    def insert(
        row: RowIn, session: Annotated[Session, Depends(session_of, scope="function")]
    ) -> dict[str, int]:
        stored = Row(reference=row.reference, body=row.model_dump())
        session.add(stored)
        session.flush()
        return {"id": stored.id}

    @app.get("/plain")
    async def plain() -> dict[str, str]:
        return {"status": "unchanged"}

    return app
