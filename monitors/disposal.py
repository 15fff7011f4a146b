"""Disposal: a unit that is done with ends as the license says, with a certificate to prove it.

**What it means.** A discarded unit may still hold biometric references and still works. A unit that
is said to be scrapped, and that nobody saw scrapped, may as well have been sold. The license lists
the methods by which a unit may be disposed of, and asks for a certificate for each.

**Terms.** `methods` (codes of the methods allowed, capitals make no difference; one at least),
`certificate_within_days` (days after the day of the disposal within which the certificate must be
there, default 30; the last day ends at midnight in the license's time zone), `witness_required`
(whether somebody other than the issuer must have witnessed it, default no).

The certificate is a document of the kind `disposal_certificate` about the unit, or about the site or
license with the serial number as what it is `about`: one certificate for each unit. Only one that
the authority accepted counts; a refused or revoked one is none, and after a revocation the days are
counted again. A disposal told more than once counts from the first; one from before the condition
took effect counts from then. That a unit disposed of is later said to be elsewhere does not lift
the duty; a correction does.

**Broken** when a unit was disposed of or destroyed by another method (`method_not_allowed`); when
there was no accepted certificate at the end of the last day (`certificate_missing`; one that comes
later ends that from then on, the miss stays in history); or when no accepted certificate of a unit
names a witness, where one is required (`witness_missing`).

**Not assessable** when a unit was disposed of or destroyed and no method was told: not in this
report, not in an earlier one, or not by name (`method_unknown`). A custody event cannot tell the
method; a report of the same disposal must.

**Source.** Disposal at the end of use, with demilitarization verified: DSCA Security Assistance
Management Manual, C8.7 and C8.8. Certificate that names the item, the method and who verified it:
NIST SP 800-88 Rev. 1, appendix G. Thirty days is policy, not law.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from typing import Annotated

from pydantic import Field

from monitors._contract import (
    Answer,
    Awaited,
    Case,
    CustodyEvent,
    Document,
    FactsModel,
    Finding,
    Hears,
    Monitor,
    Need,
    Obligation,
    Severity,
    Statement,
    Subject,
    TermsModel,
    broken,
    not_assessable,
)
from monitors._deadlines import day_of, days_after, end_of
from monitors._facts import NAMELESS, DispositionFact, TellingWords, Word, fact, named

GONE = frozenset({"disposed", "destroyed"})
CERTIFICATE = "disposal_certificate"
TELL_THE_METHOD = "a report that states the disposal and its method"
FIRST, LAST = datetime(2, 1, 1, tzinfo=UTC), datetime(9998, 12, 31, tzinfo=UTC)
"""Beyond these the calendar of some time zone has ended: they stand for all that lies beyond."""

CUSTODY = "custody"


class Terms(TermsModel):
    """How a unit may be disposed of, and what must prove it."""

    methods: Annotated[TellingWords, Field(min_length=1)]
    """Codes of the methods allowed."""
    certificate_within_days: Annotated[int, Field(ge=0, le=36_525)] = 30
    """Days after the day of the disposal within which an accepted certificate must be there."""
    witness_required: bool = False
    """Whether somebody other than the issuer must have witnessed it."""


class Facts(FactsModel):
    """What it reads."""

    disposition: DispositionFact = None
    disposal_method: Annotated[
        Word | None,
        fact("By which method was the unit disposed of or destroyed?", unit="method code"),
    ] = None


def hears(terms: Terms) -> Hears:  # noqa: ARG001 - whatever the terms, a method is told once
    """Hear the method that was told before: a report that repeats the disposal may not repeat it."""
    return Hears(latest=True, stating="disposal_method")


def awaits(terms: Terms, case: Case) -> Iterator[Awaited]:
    """Await a certificate for every unit disposed of, once, until one is accepted."""
    papers = _certificates(case)
    first: dict[str, datetime] = {}
    for event in _disposals(case):
        first[event.serial] = min(event.at, first.get(event.serial, event.at))
    for serial, at in first.items():
        certificates = papers.get(serial, ())
        if any(map(_valid, certificates)):
            continue
        since = max(at, case.in_force_from or at)
        revoked = [one.revoked_on for one in certificates if one.revoked_on is not None]
        counted_from = max([_day(since, case), *revoked])
        due = end_of(days_after(counted_from, terms.certificate_within_days), case)
        yield Awaited(Subject("unit", serial), due, due, item=CERTIFICATE, since=since)


def evaluate(
    terms: Terms, heard: Sequence[Statement[Facts]], case: Case, moment: datetime
) -> Iterator[Finding]:
    """Judge the methods told, then what is on file, then what was owed."""
    yield from _methods(terms, heard, case)
    yield from _untold(terms, case)
    if terms.witness_required:
        yield from _unwitnessed(case)
    for obligation in case.obligations:
        if (obligation.met_at or moment) > obligation.grace_until:
            yield _missing(terms, obligation)


def _methods(terms: Terms, heard: Sequence[Statement[Facts]], case: Case) -> Iterator[Finding]:
    """Compare each method told; one that was told holds for the reports that follow."""
    allowed = frozenset(terms.methods)
    told = {one.subject for one in case.earlier if _names_method(one.facts)}
    for statement in heard:
        facts = statement.facts
        disposition, method = facts.disposition, facts.disposal_method
        if disposition not in GONE and (disposition is not None or method is None):
            continue
        if method is not None and method not in NAMELESS:
            told.add(statement.subject)
            if method not in allowed:
                yield _other_method(terms, statement, method)
        elif statement.subject not in told:
            yield not_assessable(
                statement,
                reason="method_unknown",
                expected=_expected(terms),
                observed="disposed of, and no method told",
                missing=("disposal_method",),
                clears=TELL_THE_METHOD,
            )


def _names_method(facts: Facts) -> bool:
    """Say whether it tells by which method a unit was disposed of; a plan for one in use is not it."""
    if facts.disposition is not None and facts.disposition not in GONE:
        return False
    return facts.disposal_method is not None and facts.disposal_method not in NAMELESS


def _other_method(terms: Terms, statement: Statement[Facts], method: str) -> Finding:
    return broken(
        statement,
        reason="method_not_allowed",
        expected=_expected(terms),
        observed=f"disposed of by {method}",
        clears="proof that the unit and what it held are destroyed, and an account of the method",
    )


def _untold(terms: Terms, case: Case) -> Iterator[Finding]:
    """Find the disposals that custody events alone tell of: no report could have told the method."""
    disposals = list(_disposals(case))
    reported = {event.serial for event in disposals if event.source.kind != CUSTODY}
    for event in disposals:
        before = case.in_force_from is not None and event.at < case.in_force_from
        if before or event.serial in reported:
            continue
        yield Finding(
            answer=Answer.NOT_ASSESSABLE,
            subject=Subject("unit", event.serial),
            reason="method_unknown",
            at=event.at,
            expected=_expected(terms),
            observed="disposed of, and no method told",
            clears=TELL_THE_METHOD,
            evidence=(event.id,),
            missing=("disposal_method",),
            grade=event.source.grade,
        )


def _unwitnessed(case: Case) -> Iterator[Finding]:
    """Find accepted certificates without a witness, unless another of the unit names one."""
    in_force = case.in_force_from
    since = date.min if in_force is None else _day(in_force, case)
    for serial, papers in _certificates(case).items():
        valid = [one for one in papers if _valid(one)]
        if any(map(_witnessed, valid)):
            continue
        for document in valid:
            if document.issued_on >= since:
                yield _no_witness(serial, document)


def _no_witness(serial: str, document: Document) -> Finding:
    return Finding(
        answer=Answer.BROKEN,
        subject=Subject("unit", serial),
        reason="witness_missing",
        at=document.received_at,
        expected="a certificate of disposal that names a witness other than its issuer",
        observed=f"the certificate of {document.issued_on} names none",
        clears="a certificate that names who witnessed the disposal",
        evidence=(document.id,),
        missing=("witness",),
        grade=document.grade,
    )


def _missing(terms: Terms, obligation: Obligation) -> Finding:
    """Say until when there was none; that does not change while it stays away."""
    until = obligation.grace_until
    return Finding(
        answer=Answer.BROKEN,
        subject=obligation.subject,
        reason="certificate_missing",
        at=until,
        expected=f"a certificate of disposal within {terms.certificate_within_days:,} days, accepted",
        observed=f"no accepted certificate until {until.astimezone(UTC):%Y-%m-%d %H:%M} UTC",
        clears="an accepted certificate of disposal of the unit",
        evidence=(f"obligation:{obligation.slot}",),
        missing=(CERTIFICATE,),
        cleared_at=obligation.met_at,
    )


def _disposals(case: Case) -> Iterator[CustodyEvent]:
    """Give what is on file of units disposed of, on the lines of the condition."""
    for event in case.custody:
        if event.disposition in GONE and not event.corrected and _on_lines(event.serial, case):
            yield event


def _certificates(case: Case) -> dict[str, list[Document]]:
    """Collect certificates of disposal by the serial of the unit they name, whatever they are worth."""
    papers: dict[str, list[Document]] = {}
    for document in case.documents:
        if document.kind != CERTIFICATE:
            continue
        kind, reference = document.subject
        serial = reference if kind == "unit" else document.about
        if serial and kind != "party" and _on_lines(serial, case):
            papers.setdefault(serial, []).append(document)
    return papers


def _valid(document: Document) -> bool:
    return document.accepted is True and document.revoked_on is None


def _witnessed(document: Document) -> bool:
    """Say whether it names a witness; nobody witnesses what he certifies himself."""
    witness = (document.witnessed_by or "").strip().lower()
    return witness not in {"", *NAMELESS, (document.issuer or "").strip().lower()}


def _on_lines(serial: str, case: Case) -> bool:
    unit = case.units.get(serial)
    return not case.lines or (unit is not None and unit.line in case.lines)


def _day(moment: datetime, case: Case) -> date:
    return day_of(min(max(moment, FIRST), LAST), case)


def _expected(terms: Terms) -> str:
    return f"disposed of by {named(terms.methods)}"


MONITOR = Monitor(
    title="Disposal",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    hears=hears,
    awaits=awaits,
    outlives_units=True,
    needs=frozenset({Need.CUSTODY, Need.DOCUMENTS, Need.UNITS, Need.OBLIGATIONS}),
    how_to_check=(
        "Ask for the remains or for pictures of them with the serial number, call the firm that "
        "issued the certificate, and compare serial, method, date and witness with the file."
    ),
    what_to_see=(
        "An accepted certificate for each unit, with an allowed method, its serial number and, where "
        "required, a witness; nothing left that works or holds data."
    ),
)
