"""Keeps what monitors' next versions find beside the present ones: nobody is told of it."""

from collections.abc import Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.assessments.models import ShadowFinding
from app.deviations.rules import Found

SEEN_ANEW = ("answer", "observed_at", "expected", "observed", "recorded_at")


def store(session: Session, found: Sequence[Found], *, now: datetime) -> None:
    """Store findings made in shadow, each once a version, subject, reason and source."""
    rows = {_key(one): _row(one, now) for one in found}
    if not rows:
        return
    statement = insert(ShadowFinding)
    session.execute(
        statement.on_conflict_do_update(
            index_elements=list(ShadowFinding.__table__.primary_key),
            set_={name: statement.excluded[name] for name in SEEN_ANEW},
        ),
        [rows[key] for key in sorted(rows)],
    )


def _key(one: Found) -> tuple[Any, ...]:
    finding = one.finding
    return (
        one.license_id,
        one.kind,
        one.monitor_version,
        *finding.subject,
        finding.reason,
        one.source,
    )


def _row(one: Found, now: datetime) -> dict[str, Any]:
    finding = one.finding
    return {
        "license_id": one.license_id,
        "kind": one.kind,
        "version": one.monitor_version,
        "subject_kind": finding.subject.kind,
        "subject": finding.subject.reference,
        "reason": finding.reason,
        "source": one.source,
        "answer": finding.answer,
        "observed_at": finding.at,
        "expected": finding.expected,
        "observed": finding.observed,
        "recorded_at": now,
    }


def listed(session: Session, kind: str, version: int) -> Sequence[ShadowFinding]:
    """List what a version found in shadow, in order."""
    return session.scalars(
        select(ShadowFinding)
        .where(ShadowFinding.kind == kind, ShadowFinding.version == version)
        .order_by(*ShadowFinding.__table__.primary_key)
    ).all()
