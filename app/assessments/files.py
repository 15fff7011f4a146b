"""Reads what is on file about a license beside what was stated: each part as a monitor asks for it.

Everything is read as it was known at a time, so that the same serves the present and hindsight.
"""

from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

from sqlalchemy import text
from sqlalchemy.orm import Session

from app.assessments import hindsight
from app.assessments.hindsight import Then
from app.assessments.rules import Docket
from app.assessments.statements import report_statement_id
from monitors import (
    CustodyEvent,
    Delivery,
    Document,
    Grade,
    Need,
    Screening,
    ScreeningHit,
    Shipment,
    Source,
    Subject,
    Transfer,
)

FILED = frozenset({Need.LEDGER, Need.DOCUMENTS, Need.SCREENING, Need.CUSTODY, Need.SHIPMENTS})
"""What a monitor is asked again for when it changes, beside statements."""

BECAME = ("disposition", "possessor")
"""Facts of reports that say what became of a unit, and so belong to its custody."""


def read(
    session: Session, docket: Docket, needs: Iterable[Need], then: Then
) -> dict[str, tuple[Any, ...]]:
    """Read the parts of the file that are needed, named as the case names them."""
    parts: dict[str, tuple[Any, ...]] = {}
    for need in needs:
        reader = _READERS.get(need)
        if reader is not None:
            parts |= reader(session, docket, then)
    return parts


def _ledger(session: Session, docket: Docket, then: Then) -> dict[str, tuple[Any, ...]]:
    return {"ledger": hindsight.ledger(session, docket.license_id, then)}


_SHIPMENTS = text("""
SELECT s.id, s.reference, l.line, s.shipped_on, s.quantity, s.consignee, s.site, s.received_at,
       coalesce((SELECT array_agg(u.serial ORDER BY u.serial) FROM units u
                 WHERE u.shipment_id = s.id), '{}') AS serials
FROM shipments s JOIN license_lines l ON l.id = s.line_id
WHERE s.license_id = :license AND s.received_at <= :known_at
  AND s.shipped_on <= CAST(:as_of AS timestamptz)::date + 1
ORDER BY s.shipped_on, s.id
""")
_DELIVERIES = text("""
SELECT id, shipment_id, arrived_on, received_at, quantity, serials, site, grade, said_by
FROM deliveries
WHERE license_id = :license AND received_at <= :known_at
  AND arrived_on <= CAST(:as_of AS timestamptz)::date + 1
  AND milestone = (SELECT delivered_when FROM licenses WHERE id = :license)
ORDER BY arrived_on, id
""")


def _shipments(session: Session, docket: Docket, then: Then) -> dict[str, tuple[Any, ...]]:
    span = _span(docket, then)
    arrived: dict[int, list[Delivery]] = {}
    for row in session.execute(_DELIVERIES, span):
        arrived.setdefault(row.shipment_id, []).append(
            Delivery(
                id=f"delivery:{row.id}",
                arrived_on=row.arrived_on,
                received_at=row.received_at,
                quantity=None if row.quantity is None else Decimal(row.quantity),
                serials=tuple(row.serials),
                site=row.site,
                grade=Grade(row.grade),
                by=row.said_by,
            )
        )
    return {
        "shipments": tuple(
            Shipment(
                id=f"shipment:{row.reference}",
                reference=row.reference,
                line=row.line,
                shipped_on=row.shipped_on,
                quantity=Decimal(row.quantity),
                received_at=row.received_at,
                serials=tuple(row.serials),
                consignee=row.consignee,
                site=row.site,
                deliveries=tuple(arrived.get(row.id, ())),
            )
            for row in session.execute(_SHIPMENTS, span)
        )
    }


_DOCUMENTS = text("""
SELECT d.*, c.verdict, c.effective_on
FROM documents d LEFT JOIN LATERAL (
    SELECT verdict, effective_on FROM document_decisions
    WHERE document_id = d.id AND decided_at <= :known_at ORDER BY id DESC LIMIT 1
) c ON true
WHERE d.license_id = :license AND d.received_at <= :known_at
  AND d.issued_on <= CAST(:as_of AS timestamptz)::date + 1
ORDER BY d.issued_on, d.id
""")


def _documents(session: Session, docket: Docket, then: Then) -> dict[str, tuple[Any, ...]]:
    accepted = {"accepted": True, "revoked": True, "refused": False}
    return {
        "documents": tuple(
            Document(
                id=f"document:{row.id}",
                kind=row.kind,
                subject=Subject(row.subject_kind, row.subject),
                issued_on=row.issued_on,
                received_at=row.received_at,
                valid_until=row.valid_until,
                issuer=row.issuer,
                about=row.about,
                accepted=accepted.get(row.verdict),
                revoked_on=row.effective_on if row.verdict == "revoked" else None,
                witnessed_by=row.witnessed_by,
                grade=Grade(row.grade),
            )
            for row in session.execute(_DOCUMENTS, _span(docket, then))
        )
    }


_SCREENINGS = text("""
SELECT id, party, lists, screened_at FROM screenings
WHERE party = ANY(:parties) AND received_at <= :known_at AND screened_at <= :as_of
ORDER BY screened_at, id
""")
_HITS = text("""
SELECT h.id, s.party, h.list, h.entry, h.listed_on, h.owner, s.screened_at, c.confirmed
FROM screening_hits h JOIN screenings s ON s.id = h.screening_id
LEFT JOIN LATERAL (
    SELECT confirmed FROM hit_decisions
    WHERE hit_id = h.id AND decided_at <= :known_at ORDER BY id DESC LIMIT 1
) c ON true
WHERE s.party = ANY(:parties) AND s.received_at <= :known_at AND s.screened_at <= :as_of
ORDER BY s.screened_at, h.id
""")


def _screenings(session: Session, docket: Docket, then: Then) -> dict[str, tuple[Any, ...]]:
    span = _span(docket, then) | {"parties": sorted({one.reference for one in docket.parties})}
    return {
        "screenings": tuple(
            Screening(row.party, frozenset(row.lists), row.screened_at)
            for row in session.execute(_SCREENINGS, span)
        ),
        "hits": tuple(
            ScreeningHit(
                id=f"hit:{row.id}",
                party=row.party,
                list=row.list,
                entry=row.entry,
                listed_on=row.listed_on,
                screened_at=row.screened_at,
                owner=row.owner,
                confirmed=row.confirmed,
            )
            for row in session.execute(_HITS, span)
        ),
    }


_CUSTODY = text("""
SELECT statement::text || '#0' AS id, serial, at, received_at, source_kind, grade, said_by,
       NULL AS mode, disposition, from_party, to_party, site, authorized,
       coalesce(corrected_at <= :known_at, false) AS corrected
FROM custody
WHERE license_id = :license AND received_at <= :known_at AND at <= :as_of
UNION ALL
SELECT report_id::text || '#' || number, subject, observed_at, received_at, source_kind, grade,
       said_by, mode, facts->>'disposition', NULL, facts->>'possessor', facts->>'site', NULL, false
FROM statements
WHERE license_id = :license AND received_at <= :known_at AND observed_at <= :as_of
  AND subject_kind = 'unit' AND source_kind <> 'custody' AND facts ?| CAST(:became AS text[])
  AND (superseded_at IS NULL OR superseded_at > :known_at)
ORDER BY 3, 1
""")


def _custody(session: Session, docket: Docket, then: Then) -> dict[str, tuple[Any, ...]]:
    span = _span(docket, then) | {"became": list(BECAME)}
    return {"custody": tuple(_event(row) for row in session.execute(_CUSTODY, span))}


def _event(row: Any) -> CustodyEvent:
    report, _, number = row.id.rpartition("#")
    return CustodyEvent(
        id=report_statement_id(report, int(number)),
        serial=row.serial,
        at=row.at,
        received_at=row.received_at,
        source=Source(row.source_kind, Grade(row.grade), row.said_by, row.mode),
        disposition=row.disposition,
        from_party=row.from_party,
        to_party=row.to_party,
        site=row.site,
        authorized=row.authorized,
        corrected=row.corrected,
    )


_TRANSFERS = text("""
SELECT reference, serials, to_party->>'reference' AS to_party, role, decided_at,
       acknowledgment_due_at, acknowledged_at
FROM transfers
WHERE license_id = :license AND state = 'authorized'
  AND decided_at <= :known_at AND decided_at <= :as_of
ORDER BY decided_at, id
""")


def _transfers(session: Session, docket: Docket, then: Then) -> dict[str, tuple[Any, ...]]:
    rows = session.execute(_TRANSFERS, _span(docket, then)).all()
    return {"transfers": tuple(_transfer(row, then) for row in rows)}


def _transfer(row: Any, then: Then) -> Transfer:
    acknowledged = row.acknowledged_at is not None and row.acknowledged_at <= then.known_at
    return Transfer(
        id=f"transfer:{row.reference}",
        reference=row.reference,
        serials=tuple(row.serials),
        to_party=row.to_party,
        role=row.role,
        authorized_at=row.decided_at,
        acknowledge_by=row.acknowledgment_due_at,
        acknowledged_at=row.acknowledged_at if acknowledged else None,
    )


def _span(docket: Docket, then: Then) -> dict[str, Any]:
    return {"license": docket.license_id, "as_of": then.as_of, "known_at": then.known_at}


Reader = Callable[[Session, Docket, Then], dict[str, tuple[Any, ...]]]
_READERS: Mapping[Need, Reader] = {
    Need.LEDGER: _ledger,
    Need.SHIPMENTS: _shipments,
    Need.DOCUMENTS: _documents,
    Need.SCREENING: _screenings,
    Need.CUSTODY: _custody,
    Need.TRANSFERS: _transfers,
}
