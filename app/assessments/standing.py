"""How a condition stands at a time: kept, broken or not assessable, since when, by which evidence.

Pure: evidence and findings come in, standings go out. Unknown never becomes kept: a subject of whom
nothing relevant was heard cannot be assessed, and one such subject is enough for the condition.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import StrEnum
from typing import Any

from monitors import (
    Answer,
    Finding,
    Grade,
    Monitor,
    Need,
    Statement,
    Subject,
    TermsModel,
    catalogue,
)

CADENCE = {1: timedelta(days=365), 2: timedelta(days=180), 3: timedelta(days=90)}
"""By tier: how long a verification holds for a kind without a duty of its own. Policy."""

SHOWN = 50
"""Subjects of a condition that are shown, worst first; all of them are counted."""

FEW = 5
"""Pieces of evidence named with a condition; each subject names its own."""


class Standing(StrEnum):
    """How a condition stands, worst first."""

    BROKEN = "broken"
    NOT_ASSESSABLE = "not_assessable"
    KEPT = "kept"


RANK = {standing: rank for rank, standing in enumerate(Standing)}


@dataclass(frozen=True, slots=True)
class Evidence:
    """What an answer rests on: a statement, a filing or an entry of the ledger, and its worth."""

    id: str
    source_kind: str
    observed_at: datetime
    grade: Grade


@dataclass(frozen=True, slots=True)
class SubjectStanding:
    """How one subject of a condition stands. `reason` is None when it kept the condition."""

    subject: Subject
    answer: Standing
    since: datetime | None
    reason: str | None = None
    expected: str | None = None
    observed: str | None = None
    clears: str | None = None
    missing: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()


@dataclass(frozen=True, slots=True)
class Stood:
    """How a whole condition stands.

    `since` is the oldest that its answer rests on, `verified_at` the newest it was assessed by.
    `grade` is the best evidence of a breach, and otherwise the weakest that was needed.
    """

    answer: Standing
    reason: str | None
    since: datetime | None
    verified_at: datetime | None
    grade: Grade | None
    evidence: tuple[Evidence, ...]
    counts: Mapping[Standing, int]
    subjects: tuple[SubjectStanding, ...]
    unstated: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Hearing:
    """What there was to judge a condition by: evidence by subject, and what the monitor found.

    `silent` are subjects that should have been heard and were not; `first` says since when a
    breach is on record, by subject and reason. `unstated` are facts nobody stated of any subject.
    `due` is when the next things are to be handed in, for a kind whose deadlines follow from the file.
    """

    basis: Mapping[Subject, Sequence[Evidence]] = field(default_factory=dict)
    findings: Sequence[Finding] = ()
    silent: Sequence[Subject] = ()
    first: Mapping[tuple[Subject, str], datetime] = field(default_factory=dict)
    unstated: tuple[str, ...] = ()
    due: tuple[datetime, ...] | None = None


def relevant(monitor: Monitor, terms: TermsModel | None = None) -> frozenset[str]:
    """Name the facts whose statement says something about a condition of this kind and these terms.

    A kind that adds up over units reads `site` only to know to which sum a number belongs.
    """
    placing = {"site"} if Need.UNITS in monitor.needs else set()
    facts = monitor.fact_names if terms is None else monitor.facts_read(terms)
    return facts - placing


def scopes(monitor: Monitor, terms: TermsModel | None = None) -> frozenset[str]:
    """Say of what the facts of a kind may be stated: of units, of sites, of the license."""
    words = catalogue().facts
    return frozenset(scope for name in relevant(monitor, terms) for scope in words[name].scopes)


def latest(heard: Iterable[Statement[Any]], facts: frozenset[str]) -> list[Statement[Any]]:
    """Keep of one subject's statements the latest that states each fact, oldest first.

    What an earlier one says of a fact that a later one states again is left out: it is the past.
    """
    words, chosen = catalogue(), []
    told: set[str] = set()
    for statement in sorted(heard, key=recency, reverse=True):
        stated = statement.facts.__dict__
        news = facts.intersection(stated) - told
        if news:
            left = {name: value for name, value in stated.items() if name not in told}
            chosen.append(statement._replace(facts=words.stated(left)))
            told |= news
    return chosen[::-1]


def recency(statement: Statement[Any]) -> tuple[Any, ...]:
    """Order what was said of one subject; of the same moment a report comes after a reading."""
    return (statement.observed_at, statement.source.kind != "reading", statement.id)


def silent(
    expected: Iterable[Subject], heard: Iterable[Subject], home: Mapping[str, str | None]
) -> list[Subject]:
    """Name the subjects nobody spoke of: not by themselves, nor by their site, nor by the license.

    `home` gives the site of each unit by its serial.
    """
    spoken = set(heard)
    if any(subject.kind == "license" for subject in spoken):
        return []
    return [
        one
        for one in expected
        if one not in spoken
        and not (one.kind == "unit" and Subject("site", home.get(one.reference) or "") in spoken)
    ]


def evidence_of(statement: Statement[Any]) -> Evidence:
    """Show a statement as evidence."""
    source = statement.source
    return Evidence(statement.id, source.kind, statement.observed_at, source.grade)


def fold(hearing: Hearing) -> Stood:
    """Put the subjects together: broken if one is, kept only if every one is."""
    subjects = sorted(_subjects(hearing), key=_worst)
    counts = dict.fromkeys(Standing, 0)
    for one in subjects:
        counts[one.answer] += 1
    answer = subjects[0].answer if subjects else Standing.NOT_ASSESSABLE
    carrying = [one for one in subjects if one.answer is answer]
    proofs = sorted({proof for one in carrying for proof in one.evidence}, key=_newest)
    seen = [proof.observed_at for proofs_ in hearing.basis.values() for proof in proofs_]
    return Stood(
        answer=answer,
        reason=carrying[0].reason if carrying else NOTHING_HEARD,
        since=min((one.since for one in carrying if one.since), default=None),
        verified_at=max(seen, default=None),
        grade=_grade(answer, proofs),
        evidence=tuple(proofs[:FEW]),
        counts=counts,
        subjects=tuple(subjects[:SHOWN]),
        unstated=hearing.unstated,
    )


NOTHING_HEARD = "nothing_heard"


def _newest(proof: Evidence) -> tuple[float, str]:
    return (-proof.observed_at.timestamp(), proof.id)


def _grade(answer: Standing, proofs: Sequence[Evidence]) -> Grade | None:
    """One good piece of evidence shows a breach; that all is kept is known as well as its weakest."""
    grades = [proof.grade for proof in proofs]
    if not grades:
        return None
    return min(grades) if answer is Standing.BROKEN else max(grades)


def _worst(one: SubjectStanding) -> tuple[Any, ...]:
    """Order subjects: broken first, then unclear; of each those it has been so for longest."""
    since = one.since.timestamp() if one.since else float("-inf")
    return (RANK[one.answer], since, one.subject)


def _subjects(hearing: Hearing) -> list[SubjectStanding]:
    """Say of each subject how it stands; a breach outweighs what could not be assessed."""
    proofs = {proof.id: proof for each in hearing.basis.values() for proof in each}
    worst: dict[Subject, Finding] = {}
    for finding in hearing.findings:
        known = worst.get(finding.subject)
        if known is None or (
            known.answer is Answer.NOT_ASSESSABLE and finding.answer is Answer.BROKEN
        ):
            worst[finding.subject] = finding
    found = [_found(hearing, finding, proofs) for finding in worst.values()]
    kept = [
        SubjectStanding(subject, Standing.KEPT, min(_times(each)), evidence=tuple(each))
        for subject, each in hearing.basis.items()
        if subject not in worst
    ]
    unheard = [
        SubjectStanding(subject, Standing.NOT_ASSESSABLE, None, NOTHING_HEARD)
        for subject in hearing.silent
        if subject not in worst
    ]
    return [*found, *kept, *unheard]


def _found(hearing: Hearing, finding: Finding, proofs: Mapping[str, Evidence]) -> SubjectStanding:
    """Show what was found of a subject, with the evidence named or else all there is of it."""
    used = tuple(proofs[id] for id in finding.evidence if id in proofs)
    times = _times(used) or [finding.at]
    broken = finding.answer is Answer.BROKEN
    first = hearing.first.get((finding.subject, finding.reason)) if broken else None
    return SubjectStanding(
        subject=finding.subject,
        answer=Standing.BROKEN if broken else Standing.NOT_ASSESSABLE,
        since=min([*times, first]) if first else min(times),
        reason=finding.reason,
        expected=finding.expected,
        observed=finding.observed,
        clears=finding.clears,
        missing=finding.missing,
        evidence=used or tuple(hearing.basis.get(finding.subject, ())),
    )


def _times(proofs: Sequence[Evidence]) -> list[datetime]:
    return [proof.observed_at for proof in proofs]


def next_due(
    *,
    tier: int,
    in_force_from: datetime,
    verified_at: datetime | None,
    owed: Sequence[datetime] | None,
) -> datetime | None:
    """Say when the condition must be verified next.

    A kind with a duty is due when the next thing owed is (`owed`, empty when nothing is any more);
    any other one a cadence after its last verification, or after it came into force.
    """
    if owed is not None:
        return min(owed, default=None)
    return (verified_at or in_force_from) + CADENCE[tier]
