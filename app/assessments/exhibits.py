"""How a condition stood that is judged by what was handed in: proofs, certificates, screenings."""

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, time
from typing import Any

from app.assessments import rules, standing
from app.assessments.archive import File
from app.assessments.rules import Ruling
from app.assessments.standing import Evidence, Hearing
from app.assessments.statements import order
from monitors import Awaited, Case, Grade, Obligation, Statement, Subject

Said = Mapping[Subject, Sequence[Statement[Any]]]


def hearing(file: File, ruling: Ruling, said: Said) -> Hearing:
    """Let the monitor judge what was handed in, what was said, and what was awaited and not there."""
    heard = sorted((one for each in said.values() for one in each), key=order)
    case = rules.case_of(
        file.docket, ruling, units=file.units_of(ruling), earlier=heard, **file.parts(ruling)
    )
    awaited = _awaited(ruling, case)
    excused = file.excused.get(ruling.key, ())
    overdue = tuple(
        _owed(one)
        for one in awaited
        if one.grace_until < file.then.as_of and (one.subject, one.item) not in excused
    )
    found = rules.put(
        file.docket, ruling, heard, replace(case, obligations=overdue), file.then.as_of
    )
    expected = _expected(file, ruling, awaited)
    basis = _basis(case, said, expected)
    stated = set[str]().union(*[one.facts.__dict__ for one in heard])
    return Hearing(
        basis=basis,
        findings=[one.finding for one in found if not one.shadow],
        silent=[one for one in expected if one not in basis],
        first=file.first_shown.get(ruling.kind, {}),
        unstated=tuple(sorted(standing.relevant(ruling.monitor, ruling.terms) - stated)),
        due=None if ruling.monitor.awaits is None else tuple(one.due_at for one in awaited),
    )


def _awaited(ruling: Ruling, case: Case) -> list[Awaited]:
    """Ask the monitor what is awaited; one that fails shows in its verdict."""
    if ruling.monitor.awaits is None:
        return []
    try:
        return list(ruling.monitor.awaits(ruling.terms, case))
    except Exception:
        return []


def _owed(one: Awaited) -> Obligation:
    return Obligation(one.subject, 0, one.due_at, one.grace_until, item=one.item)


def _expected(file: File, ruling: Ruling, awaited: Sequence[Awaited]) -> list[Subject]:
    """Say who should have handed something in; else the license, or its units, to be heard of."""
    if awaited:
        return list(dict.fromkeys(one.subject for one in awaited))
    if "unit" in standing.scopes(ruling.monitor, ruling.terms):
        return [Subject("unit", serial) for serial in file.units_of(ruling)]
    return [Subject("license", file.docket.license)]


def _basis(
    case: Case, said: Said, expected: Sequence[Subject]
) -> dict[Subject, tuple[Evidence, ...]]:
    """Put together what there was to judge by, of those who were spoken of or should have been."""
    basis = {subject: [standing.evidence_of(one) for one in each] for subject, each in said.items()}
    for subject, proof in _handed_in(case):
        if subject in basis or subject in expected:
            basis.setdefault(subject, []).append(proof)
    return {subject: tuple(proofs) for subject, proofs in basis.items()}


def _handed_in(case: Case) -> Iterator[tuple[Subject, Evidence]]:
    """Show documents, deliveries, screenings and custody events as evidence."""
    license = Subject("license", case.license)
    for document in case.documents:
        if document.accepted is not False:
            at = _noon(document.issued_on)
            yield document.subject, Evidence(document.id, document.kind, at, document.grade)
    for shipment in case.shipments:
        for delivery in shipment.deliveries:
            at = _noon(delivery.arrived_on)
            yield license, Evidence(delivery.id, "delivery", at, delivery.grade)
    for screening in case.screenings:
        name = f"screening:{screening.party}@{screening.screened_at.isoformat()}"
        proof = Evidence(name, "screening", screening.screened_at, Grade.A)
        yield Subject("party", screening.party), proof
    for event in case.custody:
        if not event.corrected:
            proof = Evidence(event.id, event.source.kind, event.at, event.source.grade)
            yield Subject("unit", event.serial), proof


def _noon(day: date) -> datetime:
    return datetime.combine(day, time(12), UTC)
