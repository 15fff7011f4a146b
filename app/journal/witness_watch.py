"""Notices a named witness that has not signed for a day, and tells when it is back."""

from datetime import datetime, timedelta

import structlog
from sqlalchemy import select, text
from sqlalchemy.orm import Session

from app.journal import rollbacks, witnesses
from app.journal.models import Cosignature, SignedCheckpoint
from app.journal.notes import Verifier
from app.journal.service import append

_log = structlog.get_logger()

PATIENCE = timedelta(days=1)
"""How long a checkpoint may wait for the signature of a witness."""
SILENT, BACK = "witness.silent", "witness.back"
LOCK = 0x7769746E  # "witn"


def look(session: Session, setting: str, *, now: datetime) -> list[str]:
    """Tell of witnesses that fell silent or are back; give the names of those that are silent."""
    session.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})
    known = {row.subject: row.action for row in rollbacks.told(session.connection())}
    silent = []
    for witness in witnesses.named(setting):
        before = known.get(f"witness:{witness.name}") == SILENT
        waits = _waiting_since(session, witness)
        gone = waits is not None and now - waits > PATIENCE
        if gone:
            silent.append(witness.name)
        if gone and waits is not None and not before:
            _log.warning("witness_silent", witness=witness.name, since=waits.isoformat())
            _tell(session, SILENT, witness, {"since": waits.isoformat()}, now)
        elif before and not gone:
            _log.info("witness_back", witness=witness.name)
            _tell(session, BACK, witness, {}, now)
    return silent


def _waiting_since(session: Session, witness: Verifier) -> datetime | None:
    """Say when the first checkpoint after the last this witness signed was made; None without one."""
    last = session.scalar(
        select(Cosignature.size)
        .where(Cosignature.witness == str(witness))
        .order_by(Cosignature.size.desc())
        .limit(1)
    )
    return session.scalar(
        select(SignedCheckpoint.signed_at)
        .where(SignedCheckpoint.size > (last or 0))
        .order_by(SignedCheckpoint.size)
        .limit(1)
    )


def _tell(
    session: Session, action: str, witness: Verifier, body: dict[str, str], now: datetime
) -> None:
    append(
        session,
        actor="system:scheduler",
        action=action,
        subject=f"witness:{witness.name}",
        body={"witness": str(witness)} | body,
        now=now,
        topic=rollbacks.TOPIC,
    )
