"""Recording what monitors found: one deviation a fingerprint, one occurrence a time it was shown."""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any
from uuid import UUID, uuid4

from sqlalchemy import bindparam, func, select, tuple_, update
from sqlalchemy.dialects.postgresql import distinct_on, insert
from sqlalchemy.orm import Session

from app import journal
from app.alerts import service as alerts
from app.alerts.models import Alert
from app.alerts.schemas import AlertState
from app.deviations import rules
from app.deviations.models import Deviation, Occurrence
from app.deviations.rules import Found
from app.errors import Unknown
from app.wire import page_after
from monitors import Grade, Severity, Subject

SYSTEM = "system:assessments"
SEEN_ANEW = [
    column.key
    for column in Occurrence.__table__.columns
    if column.key not in {"deviation_id", "source", "recorded_at"}
]


class DeviationUnknown(Unknown):
    """There is no such deviation, or it is not yours to see."""


def record(session: Session, found: Sequence[Found], *, now: datetime) -> list[UUID]:
    """Record findings: new deviations, further occurrences of open ones, and what cleared.

    The caller holds the license, so nobody else records about it meanwhile. Answers with the ids of
    all deviations the findings belong to, in order and once each.
    """
    if not found:
        return []
    groups: dict[tuple[int, bytes], list[Found]] = {}
    for one in found:
        groups.setdefault((one.license_id, one.fingerprint), []).append(one)
    known = _open(session, groups)
    episodes = _episodes(session, set(groups) - set(known))
    fresh = [
        _begin(key, members, episodes.get(key, 0) + 1, now)
        for key, members in groups.items()
        if key not in known
    ]
    session.add_all(deviation.alert for deviation in fresh)
    session.flush()
    session.add_all(fresh)
    session.flush()
    known |= {(deviation.license_id, deviation.fingerprint): deviation for deviation in fresh}
    added = _add_occurrences(session, groups, known, now)
    touched = [deviation for deviation in known.values() if deviation.id in added]
    refresh(session, touched, fresh={deviation.id for deviation in fresh}, now=now)
    return list(dict.fromkeys(known[key].id for key in groups))


def _open(
    session: Session, keys: Iterable[tuple[int, bytes]]
) -> dict[tuple[int, bytes], Deviation]:
    """Find the deviations that are not closed."""
    rows = session.scalars(
        select(Deviation).where(
            tuple_(Deviation.license_id, Deviation.fingerprint).in_(list(keys)),
            Deviation.closed_at.is_(None),
        )
    )
    return {(row.license_id, row.fingerprint): row for row in rows}


def _episodes(session: Session, keys: set[tuple[int, bytes]]) -> dict[tuple[int, bytes], int]:
    """Count the closed deviations of the same fingerprints."""
    if not keys:
        return {}
    rows = session.execute(
        select(Deviation.license_id, Deviation.fingerprint, func.max(Deviation.episode))
        .where(tuple_(Deviation.license_id, Deviation.fingerprint).in_(list(keys)))
        .group_by(Deviation.license_id, Deviation.fingerprint)
    )
    return {(license_id, fingerprint): episode for license_id, fingerprint, episode in rows}


def _begin(key: tuple[int, bytes], members: list[Found], episode: int, now: datetime) -> Deviation:
    """Open a deviation with its alert; the figures are filled in by `refresh`."""
    one = members[0]
    id = rules.deviation_id(one.fingerprint, episode)
    title = f"{one.title}: {one.finding.subject.kind} {one.finding.subject.reference}"
    alert = Alert(
        id=uuid4(),
        deviation=id,
        license=one.license,
        party=one.exporter,
        kind=one.kind,
        country=one.country,
        obligation=None,
        severity=Severity.LOW,
        rank=0,
        state=AlertState.OPEN,
        title=title,
        raised_at=now,
        changed_at=now,
    )
    return Deviation(
        id=id,
        license_id=key[0],
        license=one.license,
        exporter=one.exporter,
        kind=one.kind,
        subject_kind=one.finding.subject.kind,
        subject=one.finding.subject.reference,
        reason=one.finding.reason,
        fingerprint=key[1],
        episode=episode,
        state="suspected",
        severity=Severity.LOW,
        title=title,
        sentence="",
        condition_id=one.condition_id,
        alert_id=alert.id,
        alert=alert,
        first_observed_at=one.finding.at,
        last_observed_at=one.finding.at,
        occurrences=0,
        raised_at=now,
        changed_at=now,
    )


def _add_occurrences(
    session: Session,
    groups: dict[tuple[int, bytes], list[Found]],
    known: dict[tuple[int, bytes], Deviation],
    now: datetime,
) -> set[UUID]:
    """Add occurrences, each source once.

    A known one may have cleared, be shown again, or be seen otherwise by what came late.
    """
    rows = {
        (known[key].id, one.source): _occurrence(known[key].id, one, now)
        for key, members in groups.items()
        for one in members
    }
    statement = insert(Occurrence)
    added = session.execute(
        statement.on_conflict_do_update(
            index_elements=[Occurrence.deviation_id, Occurrence.source],
            set_={name: statement.excluded[name] for name in SEEN_ANEW},
            where=Occurrence.withdrawn_at.is_not(None)
            | Occurrence.cleared_at.is_distinct_from(statement.excluded.cleared_at)
            | (Occurrence.digest != statement.excluded.digest)
            | (Occurrence.observed != statement.excluded.observed)
            | (Occurrence.expected != statement.excluded.expected)
            | (Occurrence.severity != statement.excluded.severity),
        ).returning(Occurrence.deviation_id),
        [rows[key] for key in sorted(rows)],
    )
    return set(added.scalars())


def _occurrence(id: UUID, one: Found, now: datetime) -> dict[str, Any]:
    finding = one.finding
    return {
        "deviation_id": id,
        "source": one.source,
        "observed_at": finding.at,
        "condition_id": one.condition_id,
        "monitor_version": one.monitor_version,
        "severity": one.own_severity,
        "grade": finding.grade,
        "sources": [f"{grade}:{by}" for grade, by in one.sources],
        "expected": finding.expected,
        "observed": finding.observed,
        "sentence": rules.sentence(one.title, finding.subject, finding),
        "clears": finding.clears,
        "evidence": list(finding.evidence),
        "missing": list(finding.missing),
        "digest": one.digest,
        "recorded_at": now,
        "cleared_at": finding.cleared_at,
        "withdrawn_at": None,
    }


def withdraw(session: Session, pairs: Sequence[tuple[UUID, str]], *, now: datetime) -> list[UUID]:
    """Withdraw occurrences whose evidence was corrected or judged otherwise; nothing is deleted."""
    if not pairs:
        return []
    session.execute(
        update(Occurrence)
        .where(
            tuple_(Occurrence.deviation_id, Occurrence.source).in_(pairs),
            Occurrence.withdrawn_at.is_(None),
        )
        .values(withdrawn_at=now)
    )
    ids = {id for id, _ in pairs}
    rows = session.scalars(select(Deviation).where(Deviation.id.in_(ids))).all()
    refresh(session, rows, fresh=set(), now=now)
    return sorted(ids)


def clear(session: Session, pairs: Sequence[tuple[UUID, str]], *, now: datetime) -> None:
    """Mark occurrences as over: what is on file no longer shows them; that it did stays."""
    if not pairs:
        return
    session.execute(
        update(Occurrence)
        .where(
            tuple_(Occurrence.deviation_id, Occurrence.source).in_(pairs),
            Occurrence.withdrawn_at.is_(None),
            Occurrence.cleared_at.is_(None),
        )
        .values(cleared_at=now)
    )
    ids = {id for id, _ in pairs}
    rows = session.scalars(select(Deviation).where(Deviation.id.in_(ids))).all()
    refresh(session, rows, fresh=set(), now=now)


def standing_of(
    session: Session, license_id: int, kinds: set[str]
) -> list[tuple[UUID, str, bytes]]:
    """List occurrences of kinds that neither cleared nor were withdrawn: id, source, fingerprint."""
    rows = session.execute(
        select(Occurrence.deviation_id, Occurrence.source, Deviation.fingerprint)
        .join(Deviation, Deviation.id == Occurrence.deviation_id)
        .where(
            Deviation.license_id == license_id,
            Deviation.kind.in_(kinds),
            Occurrence.withdrawn_at.is_(None),
            Occurrence.cleared_at.is_(None),
        )
        .order_by(Occurrence.deviation_id, Occurrence.source)
    )
    return [(id, source, fingerprint) for id, source, fingerprint in rows]


def refresh(
    session: Session, deviations: Sequence[Deviation], *, fresh: set[UUID], now: datetime
) -> None:
    """Bring deviations and their alerts in line with their standing occurrences, and tell of it."""
    if not deviations:
        return
    standing = _standing(session, [deviation.id for deviation in deviations])
    told: list[tuple[Alert, str]] = []
    for deviation in deviations:
        change = _refresh(deviation, standing.get(deviation.id), now)
        if deviation.id in fresh:
            change = "raised"
        if change is not None:
            deviation.alert.changed_at = now
            told.append((deviation.alert, change))
    session.flush()
    _journal(session, deviations, fresh, now)
    alerts.tell(session, told, actor=SYSTEM, now=now)


def _standing(session: Session, ids: list[UUID]) -> dict[UUID, Any]:
    """Sum up the occurrences that are not withdrawn, and fetch the latest of each deviation."""
    weights = func.array_agg(
        func.concat(Occurrence.severity, ":", func.coalesce(Occurrence.grade, "-")).distinct()
    )
    standing = (
        select(
            Occurrence.deviation_id.label("id"),
            func.count().label("occurrences"),
            func.min(Occurrence.observed_at).label("first"),
            func.max(Occurrence.observed_at).label("last"),
            func.count().filter(Occurrence.cleared_at.is_(None)).label("uncleared"),
            func.max(Occurrence.cleared_at).label("cleared_at"),
            weights.label("weights"),
        )
        .where(Occurrence.deviation_id.in_(ids), Occurrence.withdrawn_at.is_(None))
        .group_by(Occurrence.deviation_id)
        .subquery()
    )
    latest = (
        select(Occurrence.deviation_id, Occurrence.sentence, Occurrence.condition_id)
        .where(Occurrence.deviation_id.in_(ids), Occurrence.withdrawn_at.is_(None))
        .ext(distinct_on(Occurrence.deviation_id))
        .order_by(Occurrence.deviation_id, Occurrence.observed_at.desc(), Occurrence.source.desc())
        .subquery()
    )
    rows = session.execute(
        select(standing, latest.c.sentence, latest.c.condition_id).join(
            latest, latest.c.deviation_id == standing.c.id
        )
    )
    return {row.id: row for row in rows}


def _refresh(deviation: Deviation, standing: Any, now: datetime) -> str | None:
    """Bring one deviation in line; answer the change its alert has to tell, if any."""
    alert = deviation.alert
    before = (alert.state, alert.severity)
    deviation.changed_at = now
    if standing is None:
        deviation.withdrawn_at, deviation.occurrences = now, 0
        alert.state = AlertState.WITHDRAWN
        return "withdrawn" if before[0] != AlertState.WITHDRAWN else None
    deviation.withdrawn_at = None
    deviation.occurrences = standing.occurrences
    deviation.first_observed_at, deviation.last_observed_at = standing.first, standing.last
    deviation.sentence, deviation.condition_id = standing.sentence, standing.condition_id
    deviation.cleared_at = standing.cleared_at if standing.uncleared == 0 else None
    deviation.severity = rules.weighed(map(_weight, standing.weights), episode=deviation.episode)
    alert.severity, alert.rank = deviation.severity, alerts.RANK[Severity(deviation.severity)]
    alert.state = AlertState.CLEARED if deviation.cleared_at else AlertState.OPEN
    return _change(before, alert)


def _weight(text: str) -> tuple[Severity, Grade | None]:
    severity, _, grade = text.partition(":")
    return Severity(severity), None if grade == "-" else Grade(grade)


def _change(before: tuple[str, str], alert: Alert) -> str | None:
    """Name the change of an alert."""
    if alert.state != before[0]:
        return "cleared" if alert.state == AlertState.CLEARED else "raised"
    if alert.severity == before[1]:
        return None
    worse = alerts.RANK[Severity(alert.severity)] > alerts.RANK[Severity(before[1])]
    return "escalated" if worse else "changed"


def _journal(
    session: Session, deviations: Sequence[Deviation], fresh: set[UUID], now: datetime
) -> None:
    journal.append_all(
        session,
        [
            {
                "recorded_at": now,
                "actor": SYSTEM,
                "action": "deviation.recorded" if row.id in fresh else "deviation.changed",
                "subject": f"deviation:{row.id}",
                "party": row.exporter,
                "topic": None,
                "body": {
                    "license": row.license,
                    "kind": row.kind,
                    "subject": {row.subject_kind: row.subject},
                    "reason": row.reason,
                    "state": row.state,
                    "severity": row.severity,
                    "occurrences": row.occurrences,
                    "cleared_at": row.cleared_at.isoformat() if row.cleared_at else None,
                    "withdrawn_at": row.withdrawn_at.isoformat() if row.withdrawn_at else None,
                },
            }
            for row in deviations
        ],
    )


def occurrences_of(
    session: Session,
    license_id: int,
    kinds: set[str],
    sources: Sequence[str],
    subject: Subject | None = None,
) -> list[tuple[UUID, str, bytes]]:
    """Find standing occurrences by what shows them: deviation id, source, fingerprint."""
    query = (
        select(Occurrence.deviation_id, Occurrence.source, Deviation.fingerprint)
        .join(Deviation, Deviation.id == Occurrence.deviation_id)
        .where(
            Deviation.license_id == license_id,
            Deviation.kind.in_(kinds),
            Occurrence.source == func.any(bindparam("sources", list(sources))),
            Occurrence.withdrawn_at.is_(None),
        )
    )
    if subject is not None:
        query = query.where(
            Deviation.subject_kind == subject.kind, Deviation.subject == subject.reference
        )
    rows = session.execute(query)
    return [(id, source, fingerprint) for id, source, fingerprint in rows]


def listed(
    session: Session,
    *,
    party: str | None,
    state: str | None,
    severity: Severity | None,
    license: str | None,
    kind: str | None,
    after: str | None,
    limit: int,
) -> list[Deviation]:
    """List deviations, newest first; one more than `limit` tells that there is a further page."""
    query = (
        select(Deviation).order_by(Deviation.raised_at.desc(), Deviation.id.desc()).limit(limit + 1)
    )
    wanted = {
        Deviation.exporter: party,
        Deviation.state: state,
        Deviation.severity: severity,
        Deviation.license: license,
        Deviation.kind: kind,
    }
    for column, value in wanted.items():
        if value is not None:
            query = query.where(column == value)
    keys = page_after(after, datetime, UUID)
    if keys is not None:
        query = query.where(tuple_(Deviation.raised_at, Deviation.id) < tuple_(*keys))
    return list(session.scalars(query))


def read(session: Session, id: UUID, *, party: str | None) -> Deviation:
    """Read a deviation."""
    row = session.get(Deviation, id)
    if row is None or (party is not None and row.exporter != party):
        raise DeviationUnknown(f"There is no deviation {id} here.")
    return row


def sources(session: Session, id: UUID) -> list[tuple[str, str]]:
    """List who shows a deviation: the grade and the author of each standing piece of evidence."""
    rows = session.scalars(
        select(func.jsonb_array_elements_text(Occurrence.sources))
        .where(Occurrence.deviation_id == id, Occurrence.withdrawn_at.is_(None))
        .distinct()
    )
    pairs = (row.partition(":") for row in rows)
    return sorted((grade, by) for grade, _, by in pairs)


def occurrences(session: Session, id: UUID, *, limit: int) -> list[Occurrence]:
    """List the occurrences of a deviation, latest first."""
    return list(
        session.scalars(
            select(Occurrence)
            .where(Occurrence.deviation_id == id)
            .order_by(Occurrence.observed_at.desc(), Occurrence.source.desc())
            .limit(limit)
        )
    )
