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

from app.assessments import rules, statements
from app.assessments.models import Unassessed
from app.assessments.rules import Docket, Ruling
from app.assessments.statements import INSTANT, LONGEST, Probe, Units
from app.deviations import service as deviations
from app.deviations.rules import Found
from app.licenses.models import License
from app.licenses.rules import in_force
from app.shipments import service as shipments
from app.wire import page_after
from monitors import Case, Filing, Line, Need, Obligation, Statement

Said = Sequence[Statement[Any]]


@dataclass(slots=True)
class Verdict:
    """What came of judging: deviations by id, and what could not be assessed."""

    deviations: list[UUID] = field(default_factory=list)
    unclear: list[Found] = field(default_factory=list)


@dataclass(frozen=True, slots=True)
class Hearing:
    """Statements about one license, to be judged together, in order of when they were true.

    With `late`, monitors that must hear other statements are left out: they judge history again
    once everything is stored.
    """

    docket: Docket
    said: Said
    units: Units
    late: bool = False


def judge(session: Session, hearings: Sequence[Hearing], *, now: datetime) -> Verdict:
    """Judge new statements, about any number of licenses, and store what is found."""
    return _store(session, found_in(session, hearings, now=now), now=now)


def found_in(session: Session, hearings: Sequence[Hearing], *, now: datetime) -> list[Found]:
    """Judge statements without storing anything."""
    heard = [
        replace(hearing, docket=_narrowed(hearing.docket, listening=False))
        if hearing.late
        else hearing
        for hearing in hearings
        if hearing.said
    ]
    files = _Files(session, heard)
    found: list[Found] = []
    for hearing in heard:
        found += rules.judge(hearing.docket, hearing.said, files.context(hearing), now)
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


class _Files:
    """What monitors asked for beside the statements, fetched once for all hearings together."""

    def __init__(self, session: Session, hearings: Sequence[Hearing]) -> None:
        self._session = session
        self._whole: dict[int, Units] = {}
        self._earlier = self._hear(hearings)

    def _hear(self, hearings: Sequence[Hearing]) -> dict[tuple[int, str], list[Statement[Any]]]:
        """Ask once for each fact that some monitor must hear back."""
        probes: dict[str, dict[Probe, None]] = {}
        for hearing in hearings:
            for ruling in _listening(hearing):
                stating = ruling.hears.stating
                probes.setdefault(stating, {}).update(dict.fromkeys(self._probes(hearing, ruling)))
        earlier: dict[tuple[int, str], list[Statement[Any]]] = {}
        for stating, wanted in probes.items():
            for license_id, found in statements.before(
                self._session, list(wanted), stating
            ).items():
                earlier[license_id, stating] = sorted(found, key=statements.order)
        return earlier

    def _probes(self, hearing: Hearing, ruling: Ruling) -> Iterable[Probe]:
        """Say which earlier statements a monitor must hear."""
        hears, license_id = ruling.hears, hearing.docket.license_id
        window = hears.window or LONGEST
        first = hearing.said[0].observed_at
        if hears.latest:
            subjects: Iterable[str] = (
                self._units(hearing)
                if hears.scope == "license"
                else {one.subject.reference for one in hearing.said}
            )
            for serial in subjects:
                yield Probe(license_id, serial, first - window, first - INSTANT)
        if hears.lag is not None:
            for one in hearing.said:
                until = one.observed_at - hears.lag
                yield Probe(license_id, one.subject.reference, one.observed_at - window, until)

    def _units(self, hearing: Hearing) -> Units:
        """Read every unit of the license, once."""
        license_id = hearing.docket.license_id
        if license_id not in self._whole:
            self._whole |= statements.units_of(self._session, [license_id]) or {license_id: {}}
        return self._whole.get(license_id, {})

    def _before(self, hearing: Hearing, ruling: Ruling, said: Said) -> Said:
        """Give what was stored, and what stands in the same hearing under other terms or lines."""
        stored = self._earlier.get((hearing.docket.license_id, ruling.hears.stating), [])
        judged = {one.id for one in said}
        beside = hearing.said if len(said) < len(hearing.said) else ()
        both = [one for one in (*stored, *beside) if one.id not in judged]
        return sorted(both, key=statements.order) if beside else both

    def context(self, hearing: Hearing) -> rules.Context:
        """Make the function that gives a monitor its case."""

        def case(ruling: Ruling, said: Said) -> Case:
            whole = ruling.hears.scope == "license" and not ruling.hears.nothing
            return rules.case_of(
                hearing.docket,
                ruling,
                units=self._units(hearing) if whole else hearing.units,
                earlier=() if ruling.hears.nothing else self._before(hearing, ruling, said),
            )

        return case


def interrupts(session: Session, hearing: Hearing) -> bool:
    """Say whether statements that are stored already come after the first of these.

    Then monitors that hear other statements must judge history again.
    """
    listening = _listening(hearing)
    if not listening:
        return False
    whole = any(ruling.hears.scope == "license" for ruling in listening)
    subjects = None if whole else {one.subject.reference for one in hearing.said}
    return statements.any_since(
        session, hearing.docket.license_id, hearing.said[0].observed_at, subjects
    )


def listens(docket: Docket, said: Said) -> bool:
    """Say whether the verdict on what was said depends on other statements."""
    return bool(_listening(Hearing(docket, said, {})))


def _listening(hearing: Hearing) -> list[Ruling]:
    """Find the rulings that must hear more than the statements themselves."""
    stated: set[str] = set().union(*[one.facts.__dict__ for one in hearing.said])
    return [
        ruling
        for versions in hearing.docket.rulings.values()
        for ruling in versions
        if not ruling.hears.nothing and not ruling.monitor.fact_names.isdisjoint(stated)
    ]


def _store(session: Session, found: Sequence[Found], *, now: datetime) -> Verdict:
    """Store findings: deviations where something is broken, a note where it cannot be judged."""
    if not found:
        return Verdict()
    broken, unclear = rules.divided(found)
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
    subjects: Sequence[str] | None = None,
    gone: Sequence[str] = (),
) -> Verdict:
    """Judge history again from a time on, because something about it has become known.

    `only_listening` limits it to monitors whose answer depends on other statements (late evidence);
    otherwise every monitor judges again (an amendment that reaches back). `gone` are statements
    that were corrected. Findings that are no longer made are withdrawn, not deleted.
    """
    narrowed = _narrowed(docket, listening=True) if only_listening else docket
    rulings = narrowed.rulings
    whole = not only_listening or any(
        ruling.hears.scope == "license" for versions in rulings.values() for ruling in versions
    )
    said = statements.since(session, docket.license_id, since, None if whole else subjects)
    units = statements.units_of(session, [docket.license_id]).get(docket.license_id, {})
    found = found_in(session, [Hearing(narrowed, said, units)], now=now)
    verdict = _store(session, found, now=now)
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
    again = {(one.fingerprint, one.source) for one in found}
    stale = [
        (id, source)
        for id, source, fingerprint in deviations.occurrences_of(
            session, docket.license_id, kinds, judged
        )
        if (fingerprint, source) not in again
    ]
    deviations.withdraw(session, stale, now=now)


def judge_ledger(session: Session, license: License, docket: Docket, *, now: datetime) -> Verdict:
    """Judge the conditions that look at the drawdown ledger."""
    rulings = _needing(docket, Need.LEDGER, now)
    if not rulings:
        return Verdict()
    units = statements.units_of(session, [license.id]).get(license.id, {})
    ledger = tuple(
        _line(balance) for balance in shipments.balances(session, [license.id])[license.id]
    )
    found = [
        one
        for ruling in rulings
        for one in rules.put(
            docket, ruling, (), rules.case_of(docket, ruling, units=units, ledger=ledger), now
        )
    ]
    return _store(session, found, now=now)


def judge_obligations(
    session: Session,
    docket: Docket,
    ruling: Ruling,
    *,
    obligations: Sequence[Obligation] = (),
    filings: Sequence[Filing] = (),
    now: datetime,
) -> Verdict:
    """Judge one condition by what is owed under it and what was filed."""
    case = rules.case_of(
        docket, ruling, units={}, obligations=tuple(obligations), filings=tuple(filings)
    )
    return _store(session, rules.put(docket, ruling, (), case, now), now=now)


def take_back(
    session: Session, docket: Docket, ruling: Ruling, owed: Obligation, *, now: datetime
) -> None:
    """Withdraw the finding about something owed that by amended terms is not overdue after all."""
    standing = deviations.occurrences_of(
        session, docket.license_id, {ruling.kind}, [f"obligation:{owed.slot}"], owed.subject
    )
    deviations.withdraw(session, [(id, source) for id, source, _ in standing], now=now)


def _needing(docket: Docket, need: Need, moment: datetime) -> list[Ruling]:
    chosen = [in_force(versions, moment) for versions in docket.rulings.values()]
    return [ruling for ruling in chosen if ruling is not None and need in ruling.monitor.needs]


def _line(balance: shipments.Balance) -> Line:
    line = balance.line
    return Line(
        line=line.line,
        unit=line.unit,
        authorized_quantity=balance.quantity,
        authorized_value=balance.value,
        currency=line.value_currency,
        shipped_quantity=balance.shipped_quantity,
        shipped_value=balance.shipped_value,
        last_shipped_on=balance.last_shipped_on,
        shipments=tuple(balance.shipments),
    )


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
        query = query.where(License.exporter == party)
    if license is not None:
        query = query.where(License.number == license)
    if keys is not None:
        query = query.where(tuple_(*key) > tuple_(*keys))
    return [(row, number) for row, number in session.execute(query)]
