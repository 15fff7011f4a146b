"""Loads what monitors asked for, lets them judge, stores what they found.

Callers hold the licenses (`licenses.service.locked`), so that two reports about one license are
judged one after the other and each hears the other.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import func, select, tuple_
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app.assessments import files, rules, shadows, statements
from app.assessments.hindsight import Then
from app.assessments.listening import (
    CLOCKS_DIFFER,
    Hearing,
    Loaded,
    Said,
    interrupts,
    listens,
    stated,
    touched,
    touches_file,
)
from app.assessments.models import Unassessed
from app.assessments.rules import Docket, Ruling
from app.assessments.statements import LONGEST, Probe
from app.deviations import service as deviations
from app.deviations.rules import Found
from app.licenses.models import License
from app.licenses.rules import in_force
from app.wire import page_after
from monitors import Case, Filing, Obligation, Subject, catalogue


@dataclass(slots=True)
class Verdict:
    """What came of judging: deviations by id, and what could not be assessed."""

    deviations: list[UUID] = field(default_factory=list)
    unclear: list[Found] = field(default_factory=list)


def judge(session: Session, hearings: Sequence[Hearing], *, now: datetime) -> Verdict:
    """Judge new statements, about any number of licenses, and store what is found."""
    return store(session, found_in(session, hearings, now=now), now=now)


def found_in(session: Session, hearings: Sequence[Hearing], *, now: datetime) -> list[Found]:
    """Judge statements without storing anything."""
    heard = [
        replace(hearing, docket=_narrowed(hearing.docket, listening=False))
        if hearing.late
        else hearing
        for hearing in hearings
        if hearing.said
    ]
    loaded = Loaded(session, heard, now)
    found: list[Found] = []
    for hearing in heard:
        found += rules.judge(hearing.docket, hearing.said, loaded.context(hearing), now)
    return found


def _narrowed(docket: Docket, *, listening: bool) -> Docket:
    """Keep only the conditions whose monitors hear other statements, or only the rest."""
    return replace(
        docket,
        rulings={
            key: versions
            for key, versions in docket.rulings.items()
            if any(not ruling.hears.nothing for ruling in versions) == listening
        },
    )


def _reading(docket: Docket, facts: frozenset[str]) -> Docket:
    """Keep only the conditions whose monitors read one of these facts."""
    return replace(
        docket,
        rulings={
            key: versions
            for key, versions in docket.rulings.items()
            if any(one.monitor.any_fact or not one.facts.isdisjoint(facts) for one in versions)
        },
    )


def store(session: Session, found: Sequence[Found], *, now: datetime) -> Verdict:
    """Store findings: deviations where something is broken, a note where it cannot be judged.

    What was found in shadow is kept apart, and nobody is told.
    """
    if not found:
        return Verdict()
    shadows.store(session, [one for one in found if one.shadow], now=now)
    broken, unclear = rules.divided(one for one in found if not one.shadow)
    _note(session, unclear, now)
    return Verdict(deviations.record(session, broken, now=now), unclear)


def _note(session: Session, unclear: Sequence[Found], now: datetime) -> None:
    """Note what could not be judged: one row a condition, subject and reason."""
    rows: dict[tuple[Any, ...], dict[str, Any]] = {}
    for one in unclear:
        finding = one.finding
        key = (one.license_id, one.kind, *finding.subject, finding.reason)
        known = rows.get(key)
        first = min(known["first_at"], finding.at) if known else finding.at
        if known and known["last_at"] > finding.at:
            known["first_at"] = first
            continue
        rows[key] = {
            "license_id": one.license_id,
            "kind": one.kind,
            "subject_kind": finding.subject.kind,
            "subject": finding.subject.reference,
            "reason": finding.reason,
            "condition_id": one.condition_id,
            "first_at": first,
            "last_at": finding.at,
            "expected": finding.expected,
            "observed": finding.observed,
            "missing": list(finding.missing),
            "clears": finding.clears,
            "recorded_at": now,
        }
    if rows:
        statement = insert(Unassessed)
        new = statement.excluded
        session.execute(
            statement.on_conflict_do_update(
                index_elements=list(Unassessed.__table__.primary_key),
                set_={
                    "first_at": func.least(Unassessed.first_at, new.first_at),
                    "last_at": func.greatest(Unassessed.last_at, new.last_at),
                    "observed": new.observed,
                    "condition_id": new.condition_id,
                },
            ),
            [rows[key] for key in sorted(rows, key=str)],
        )


def rejudge(
    session: Session,
    docket: Docket,
    *,
    since: datetime,
    now: datetime,
    only_listening: bool,
    subjects: Iterable[str] | None = None,
    facts: Iterable[str] | None = None,
    gone: Sequence[str] = (),
) -> Verdict:
    """Judge history again from a time on, because something about it has become known.

    `only_listening` limits it to monitors whose answer depends on other statements (late evidence);
    otherwise every monitor judges again (an amendment that reaches back). `facts` limits it further
    to monitors that read one of them. `gone` are statements that were corrected. Findings that are no longer made are withdrawn, not deleted.
    """
    narrowed = _narrowed(docket, listening=True) if only_listening else docket
    if facts is not None:
        narrowed = _reading(narrowed, frozenset(facts))
    rulings = narrowed.rulings
    whole = not only_listening or any(
        ruling.hears.scope == "license" for versions in rulings.values() for ruling in versions
    )
    said = statements.since(session, docket.license_id, since, None if whole else subjects)
    units = statements.units_of(session, [docket.license_id]).get(docket.license_id, {})
    found = found_in(session, [Hearing(narrowed, said, units)], now=now)
    verdict = store(session, found, now=now)
    judged = [one.id for one in said]
    kinds = {versions[0].kind for versions in rulings.values()}
    _withdraw(session, docket, kinds, judged, found, now)
    if gone:
        everything = {versions[0].kind for versions in docket.rulings.values()}
        _withdraw(session, docket, everything, list(gone), [], now)
    return verdict


def _withdraw(
    session: Session,
    docket: Docket,
    kinds: set[str],
    judged: Sequence[str],
    found: Sequence[Found],
    now: datetime,
) -> None:
    """Withdraw occurrences about judged statements that were not found again."""
    if not judged or not kinds:
        return
    again = {(one.fingerprint, one.source) for one in found if not one.shadow}
    stale = [
        (id, source)
        for id, source, fingerprint in deviations.occurrences_of(
            session, docket.license_id, kinds, judged
        )
        if (fingerprint, source) not in again
    ]
    deviations.withdraw(session, stale, now=now)


def judge_file(session: Session, docket: Docket, *, now: datetime) -> Verdict:
    """Judge what is on file: ledger, shipments, documents, screenings, custody.

    What reports said is judged again where the file bears on it. What the file showed and shows no
    longer is over; that it did stays on record.
    """
    filed = {
        key: versions
        for key, versions in docket.rulings.items()
        if versions[0].monitor.needs & files.FILED
    }
    if not filed:
        return Verdict()
    found = []
    for versions in filed.values():
        ruling = in_force(versions, now)
        if ruling is not None:
            found += rules.put(docket, ruling, (), file_case(session, docket, ruling, now), now)
    written = {key: some for key, some in filed.items() if not some[0].monitor.standing}
    verdict = store(session, found, now=now)
    _end(session, docket, {versions[0].kind for versions in filed.values()}, found, now)
    again = _judge_reported(session, replace(docket, rulings=written), now)
    return Verdict([*verdict.deviations, *again.deviations], [*verdict.unclear, *again.unclear])


def _judge_reported(session: Session, docket: Docket, now: datetime) -> Verdict:
    """Judge again what reports stated of the facts these conditions read."""
    facts = {name for some in docket.rulings.values() for one in some for name in one.facts}
    said = statements.reported(session, docket.license_id, facts)
    if not said:
        return Verdict()
    units = statements.units_of(session, [docket.license_id]).get(docket.license_id, {})
    found = found_in(session, [Hearing(docket, said, units)], now=now)
    verdict = store(session, found, now=now)
    kinds = {versions[0].kind for versions in docket.rulings.values()}
    _withdraw(session, docket, kinds, [one.id for one in said], found, now)
    return verdict


def _end(
    session: Session, docket: Docket, kinds: set[str], found: Sequence[Found], now: datetime
) -> None:
    """Clear what the file showed and does not show any more."""
    again = {one.fingerprint for one in found if not one.shadow}
    over = [
        (id, source)
        for id, source, fingerprint in deviations.standing_of(session, docket.license_id, kinds)
        if fingerprint not in again and source.partition(":")[0] not in NO_FILE
    ]
    deviations.clear(session, over, now=now)


NO_FILE = frozenset({"report", "reading", "obligation"})
"""What shows a finding that is not about the file: statements, filings, obligations."""


def file_case(session: Session, docket: Docket, ruling: Ruling, now: datetime) -> Case:
    """Make the case in which a condition is judged by what is on file now."""
    units = statements.units_of(session, [docket.license_id]).get(docket.license_id, {})
    parts = files.read(session, docket, ruling.monitor.needs, Then(now + CLOCKS_DIFFER, now))
    hears, earlier = ruling.hears, []
    if ruling.monitor.awaits is not None and hears.latest:
        subjects = [Subject("site", site) for site in sorted(docket.sites)]
        probes = [Probe(docket.license_id, one, now - LONGEST, now) for one in subjects]
        asked = [statements.before(probes, hears.stating, apart=hears.apart)] if probes else []
        for heard in statements.answers(session, asked):
            earlier = sorted(heard.get(docket.license_id, ()), key=statements.order)
    return rules.case_of(docket, ruling, units=units, earlier=earlier, **parts)


def judge_obligations(
    session: Session,
    docket: Docket,
    ruling: Ruling,
    *,
    obligations: Sequence[Obligation] = (),
    filings: Sequence[Filing] = (),
    now: datetime,
) -> Verdict:
    """Judge one condition by what is owed under it and what was filed.

    What has been owed for long weighs more, by as many steps as its obligation says.
    """
    owed = tuple(obligations)
    if ruling.monitor.awaits is None:
        case = rules.case_of(docket, ruling, units={}, obligations=owed, filings=tuple(filings))
    else:
        case = replace(file_case(session, docket, ruling, now), obligations=owed)
    found = rules.put(docket, ruling, (), case, now)
    return store(session, [rules.graver(one, owed) for one in found], now=now)


def take_back(
    session: Session, docket: Docket, ruling: Ruling, owed: Obligation, *, now: datetime
) -> None:
    """Withdraw the finding about something owed that by amended terms is not overdue after all."""
    standing = deviations.occurrences_of(
        session, docket.license_id, {ruling.kind}, [f"obligation:{owed.slot}"], owed.subject
    )
    deviations.withdraw(session, [(id, source) for id, source, _ in standing], now=now)


def excuse(
    session: Session, docket: Docket, ruling: Ruling, owed: Obligation, *, now: datetime
) -> None:
    """Clear the finding about something owed that is not asked for now; that it was missed stays."""
    standing = deviations.occurrences_of(
        session, docket.license_id, {ruling.kind}, [f"obligation:{owed.slot}"], owed.subject
    )
    deviations.clear(session, [(id, source) for id, source, _ in standing], now=now)


def unassessed(
    session: Session, *, party: str | None, license: str | None, after: str | None, limit: int
) -> list[tuple[Unassessed, str]]:
    """List what could not be judged, with the license's number; one more than `limit` rows."""
    keys = page_after(after, int, str, str, str, str)
    key = list(Unassessed.__table__.primary_key)
    query = (
        select(Unassessed, License.number)
        .join(License, License.id == Unassessed.license_id)
        .order_by(*key)
        .limit(limit + 1)
    )
    if party is not None:
        secret = Unassessed.kind.in_(catalogue().confidential)
        query = query.where(License.exporter == party, ~secret)
    if license is not None:
        query = query.where(License.number == license)
    if keys is not None:
        query = query.where(tuple_(*key) > tuple_(*keys))
    return [(row, number) for row, number in session.execute(query)]


__all__ = ["Hearing", "Said", "interrupts", "listens", "stated", "touched", "touches_file"]
