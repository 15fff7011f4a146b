"""What a monitor is given and what it may answer.

A monitor is one file: a declaration (`MONITOR`) and a pure function (`evaluate`). It is given the
terms of one condition version, the statements it must judge in order of `observed_at`, a frozen
view of whatever else it asked for (the case), and the moment of judging. It answers with findings.
A subject that was heard and has no finding has kept the condition; nothing here reads a clock, a
file or a database.
"""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, timedelta
from decimal import Decimal
from enum import StrEnum
from typing import Any, Generic, Literal, NamedTuple, TypeVar

from isodate import Duration
from pydantic import BaseModel, ConfigDict


class Severity(StrEnum):
    """How grave a deviation is, mildest first."""

    LOW = "low"
    MODERATE = "moderate"
    HIGH = "high"
    CRITICAL = "critical"


class Grade(StrEnum):
    """How far a piece of evidence may be trusted, best first (design: "Evidence has a grade")."""

    A = "A"  # our own inspector saw it
    B = "B"  # an independent third party or the destination government
    C = "C"  # signed by the device
    D = "D"  # signed by the exporter, or a reading that arrived under its own machine key
    E = "E"  # unsigned, remote video or press
    F = "F"  # anonymous


class Need(StrEnum):
    """What a monitor needs beside facts; only what it names is loaded into its case."""

    LEDGER = "ledger"
    UNITS = "units"
    PARTIES = "parties"
    OBLIGATIONS = "obligations"
    FILINGS = "filings"
    DOCUMENTS = "documents"
    SCREENING = "screening"
    CUSTODY = "custody"
    SHIPMENTS = "shipments"
    TRANSFERS = "transfers"
    STATES = "states"


class Answer(StrEnum):
    """What a finding says. *Kept* is never a finding: it is the absence of one about a subject."""

    BROKEN = "broken"
    NOT_ASSESSABLE = "not_assessable"


SubjectKind = Literal["unit", "site", "license", "party"]


class Subject(NamedTuple):
    """What a statement or finding is about: a unit by serial, a site or a party, or the license."""

    kind: SubjectKind
    reference: str


class Source(NamedTuple):
    """Who said something, and how much that is worth."""

    kind: str  # reading, attestation, check_in, inspection, ...
    grade: Grade
    by: str  # reference of the party that said it, or the authority's role
    mode: str | None = None  # physical, remote_video, documentary


class TermsModel(BaseModel):
    """Base of every kind's terms. Later versions may gain fields with defaults, nothing else."""

    model_config = ConfigDict(extra="forbid", frozen=True, use_attribute_docstrings=True)


class FactsModel(BaseModel):
    """Base of every kind's facts: each is optional, since a report carries what its author knows."""

    model_config = ConfigDict(extra="forbid", frozen=True)


F_co = TypeVar("F_co", bound=FactsModel, covariant=True)


class Statement(NamedTuple, Generic[F_co]):
    """Facts about one subject at one time, from one source.

    `facts` offers every fact of the vocabulary by name; what was not stated is None.
    """

    id: str
    subject: Subject
    facts: F_co
    observed_at: datetime
    captured_at: datetime
    received_at: datetime
    source: Source


@dataclass(frozen=True, slots=True)
class Hears:
    """How far back a monitor must hear beside the statement itself. The default is not at all.

    `latest`: the latest statement before, of each subject (`scope="subject"`: of the same one only).
    `apart`: with `latest`, the latest of each kind of source, so that one may be set against another.
    `beyond`: with `apart`, numbers by fact: while nobody else spoke of the subject, its author's own
    reading before counts only if one of these has grown by more than that since, or a `position` lies
    farther away than both accuracies reach.
    `every`: all that reports stated before of the same subject, for a fact that is seldom stated.
    `inventories`: also inventories that name the unit, and what units said that an inventory names.
    `lag`: also the latest statement of the same subject that is at least this much older.
    `window`: no statement older than this is given.
    `stating`: only statements that state this fact count.

    Units in the case are those the statements are about, and every unit of the license when the
    scope is the license.
    """

    latest: bool = False
    apart: bool = False
    beyond: tuple[tuple[str, float], ...] | None = None
    every: bool = False
    inventories: bool = False
    lag: timedelta | None = None
    window: timedelta | None = None
    stating: str = ""
    scope: Literal["subject", "license"] = "subject"

    @property
    def nothing(self) -> bool:
        """Whether the statement alone is enough."""
        return not self.latest and not self.every and self.lag is None


@dataclass(frozen=True, slots=True)
class Duty:
    """What a condition makes somebody owe, again and again.

    A `reading` is owed within `every` of the last one, per unit; a `report` once in each calendar
    period of length `every`, counted from `starts` (or the day the condition takes effect).
    `grace` runs after the due time; silence beyond it is a finding. With `working_days` a report that
    would fall due on a day off where the goods are may still come on the next working day.
    """

    what: Literal["reading", "report"]
    per: Literal["unit", "license"]
    every: timedelta | Duration
    grace: timedelta
    by: str | None = None
    starts: date | None = None
    working_days: bool = False


@dataclass(frozen=True, slots=True)
class Party:
    """A party in its role on the license."""

    reference: str
    role: str
    name: str
    country: str


@dataclass(frozen=True, slots=True)
class Line:
    """What a line authorizes and what was drawn from it; amounts in the line's own currency."""

    line: int
    unit: str
    authorized_quantity: Decimal
    authorized_value: Decimal | None
    currency: str | None
    shipped_quantity: Decimal = Decimal(0)
    shipped_value: Decimal = Decimal(0)
    last_shipped_on: date | None = None
    shipments: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Unit:
    """One serial number on a license and what its papers say of it."""

    serial: str
    line: int
    shipped_on: date | None = None
    site: str | None = None
    consignee: str | None = None
    disposition: str | None = None


@dataclass(frozen=True, slots=True)
class Obligation:
    """Something owed under this condition. `met_at` is None while it is still owed.

    `last_heard_at` is what the party or device last gave before `due_at`. `steps` is how many steps
    graver its absence has become by lasting; the finding need not say so.
    """

    subject: Subject
    slot: int
    due_at: datetime
    grace_until: datetime
    met_at: datetime | None = None
    last_heard_at: datetime | None = None
    period: tuple[date, date] | None = None
    item: str = ""
    steps: int = 0


@dataclass(frozen=True, slots=True)
class Filing:
    """A whole report as handed in: who filed it, for which period, naming which facts."""

    id: str
    kind: str
    by_roles: frozenset[str]
    facts: frozenset[str]
    observed_at: datetime
    received_at: datetime
    period: tuple[date, date] | None = None
    source: Source | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A document in the file: a certificate, an assessment, a delivery proof.

    `accepted` is None while nobody has decided. `about` tells what of the subject it is about: the
    reference of a shipment, the scheme of a certificate. `id` is `document:` and a number.
    """

    id: str
    kind: str
    subject: Subject
    issued_on: date
    received_at: datetime
    valid_until: date | None = None
    issuer: str | None = None
    about: str | None = None
    accepted: bool | None = None
    revoked_on: date | None = None
    witnessed_by: str | None = None
    grade: Grade = Grade.E


@dataclass(frozen=True, slots=True)
class ScreeningHit:
    """A possible match of a party, or of an owner of it, against an entry of a published list.

    `confirmed` is None while nobody has decided, False when it is somebody else. `id` is
    `hit:` and a number.
    """

    id: str
    party: str
    list: str
    entry: str
    listed_on: date | None
    screened_at: datetime
    owner: str | None = None
    confirmed: bool | None = None


@dataclass(frozen=True, slots=True)
class Screening:
    """A party was compared with lists at a time; hits, if there were any, are apart."""

    party: str
    lists: frozenset[str]
    screened_at: datetime


@dataclass(frozen=True, slots=True)
class Delivery:
    """What arrived of a shipment, as told. `serials` may be empty: then only the quantity is known."""

    id: str
    arrived_on: date
    received_at: datetime
    quantity: Decimal | None = None
    serials: tuple[str, ...] = ()
    site: str | None = None
    grade: Grade = Grade.E
    by: str = ""


@dataclass(frozen=True, slots=True)
class Shipment:
    """An export declaration with what was told of its arrival. `id` is `shipment:` and reference."""

    id: str
    reference: str
    line: int
    shipped_on: date
    quantity: Decimal
    received_at: datetime
    serials: tuple[str, ...] = ()
    consignee: str | None = None
    site: str | None = None
    deliveries: tuple[Delivery, ...] = ()


@dataclass(frozen=True, slots=True)
class CustodyEvent:
    """A unit changed hands, place or state; told by a custody event, or by a report's statement.

    `disposition` is what became of it (a word of `DispositionFact`), `authorized` whether a transfer
    was authorized beforehand (None: nobody said). `id` is that of the statement by which monitors
    hear of it too; `received_at` is when it reached us.
    """

    id: str
    serial: str
    at: datetime
    received_at: datetime
    source: Source
    disposition: str | None = None
    from_party: str | None = None
    to_party: str | None = None
    site: str | None = None
    authorized: bool | None = None
    corrected: bool = False


@dataclass(frozen=True, slots=True)
class Transfer:
    """Units that may pass to a party, as the authority said. `id` is `transfer:` and reference.

    The party has `role` on the license from `authorized_at` on, and confirms by `acknowledge_by` that
    it was told the conditions; `acknowledged_at` is when that reached us.
    """

    id: str
    reference: str
    serials: tuple[str, ...]
    to_party: str
    role: str
    authorized_at: datetime
    acknowledge_by: datetime
    acknowledged_at: datetime | None = None


@dataclass(frozen=True, slots=True)
class StateSpan:
    """The license was in a state from a time on, until the next span begins."""

    state: str
    since: datetime


@dataclass(frozen=True, slots=True)
class Awaited:
    """Something that must be handed in, given what is on file: about whom, which, and until when.

    `item` tells several about one subject apart (a shipment's reference, a scheme). `by` is the role
    that owes it, where that follows from the file too. What is no longer awaited, or awaited for a
    later time, has come.
    """

    subject: Subject
    due_at: datetime
    grace_until: datetime
    item: str = ""
    since: datetime | None = None
    by: str | None = None


@dataclass(frozen=True, slots=True)
class Case:
    """The frozen view a monitor is given beside the statements. Parts it did not ask for are empty.

    Days of deadlines begin and end in `time_zone`, that of the license.
    """

    license: str
    state: str
    granted_on: date
    expires_on: date | None
    end_use: str | None
    destination_countries: frozenset[str] = frozenset()
    exporter: str = ""
    sites: frozenset[str] = frozenset()
    in_force_from: datetime | None = None
    binds: tuple[str, ...] = ()
    lines: frozenset[int] = frozenset()
    earlier: Sequence["Statement[Any]"] = ()
    ledger: tuple[Line, ...] = ()
    units: Mapping[str, Unit] = field(default_factory=dict)
    parties: tuple[Party, ...] = ()
    obligations: tuple[Obligation, ...] = ()
    filings: tuple[Filing, ...] = ()
    documents: tuple[Document, ...] = ()
    screenings: tuple[Screening, ...] = ()
    hits: tuple[ScreeningHit, ...] = ()
    custody: tuple[CustodyEvent, ...] = ()
    shipments: tuple[Shipment, ...] = ()
    transfers: tuple[Transfer, ...] = ()
    states: tuple[StateSpan, ...] = ()
    time_zone: str = "UTC"


@dataclass(frozen=True, slots=True)
class Finding:
    """One thing a monitor has to say: about whom, since when, why, and what would clear it.

    `reason` is a stable code in words_with_underscores: with license, kind and subject it is the
    fingerprint of a deviation. `evidence` are ids of statements, filings or obligations used.
    """

    answer: Answer
    subject: Subject
    reason: str
    at: datetime
    expected: str
    observed: str
    clears: str
    evidence: tuple[str, ...] = ()
    missing: tuple[str, ...] = ()
    severity: Severity | None = None
    grade: Grade | None = None
    cleared_at: datetime | None = None


def _nothing_else(_terms: Any) -> Hears:
    return Hears()


Evaluate = Callable[[Any, Sequence[Statement[Any]], Case, datetime], Iterator[Finding]]


@dataclass(frozen=True, slots=True)
class Monitor:
    """The declaration of one kind of condition; `kind` and `documentation` come from its file.

    `how_to_check` is what an inspector does on site, `what_to_see` what there should be to see.
    `hears` may depend on the terms. `version` goes up with every change of the rule.

    A kind with a rhythm of its own says what it `owes`; one whose deadlines follow from what is on
    file says what it `awaits`: each is stored as an obligation, and the monitor is asked again with
    it in the case when its grace is over. `reads` names the facts that given terms read, for a kind
    whose terms name them. A `standing` kind applies to every license without being
    written on it, by the defaults of its terms; with `any_fact` it hears statements of any fact.
    While one that `blocks_release` is broken or not assessable, nothing more may be shipped. What a
    `confidential` kind finds is for the authority alone.

    `ladder` says what lasting silence leads to: a device's, that of somebody who must hand something
    in (who is reminded before), or that of a check at the destination, after which its parties count
    as unverified. `owed_by` are the roles that owe when the condition binds nobody. What a kind that
    `outlives_units` makes somebody owe is owed also when the last unit is gone.
    """

    title: str
    terms: type[TermsModel]
    facts: type[FactsModel]
    evaluate: Evaluate
    severity: Severity
    how_to_check: str
    what_to_see: str
    version: int = 1
    needs: frozenset[Need] = frozenset()
    hears: Callable[[Any], Hears] = _nothing_else
    owes: Callable[[Any], Duty] | None = None
    awaits: Callable[[Any, Case], Iterator[Awaited]] | None = None
    reads: Callable[[Any], frozenset[str]] | None = None
    standing: bool = False
    any_fact: bool = False
    blocks_release: bool = False
    confidential: bool = False
    ladder: Literal["device", "hand_in", "check"] = "hand_in"
    owed_by: tuple[str, ...] = ("exporter",)
    outlives_units: bool = False
    kind: str = ""
    documentation: str = ""

    fact_names: frozenset[str] = field(init=False)

    def __post_init__(self) -> None:
        """Name the facts it reads, once."""
        object.__setattr__(self, "fact_names", frozenset(self.facts.model_fields))

    def facts_read(self, terms: Any) -> frozenset[str]:
        """Name the facts that are read under these terms."""
        return self.fact_names if self.reads is None else self.reads(terms)


def broken(
    statement: Statement[Any],
    *,
    reason: str,
    expected: str,
    observed: str,
    clears: str,
    subject: Subject | None = None,
    severity: Severity | None = None,
    also: Sequence[Statement[Any]] = (),
) -> Finding:
    """Find the condition broken by what this statement says; `also` names further statements used."""
    return Finding(
        answer=Answer.BROKEN,
        subject=subject or statement.subject,
        reason=reason,
        at=statement.observed_at,
        expected=expected,
        observed=observed,
        clears=clears,
        evidence=(statement.id, *(other.id for other in also)),
        severity=severity,
        grade=min([statement.source.grade, *(other.source.grade for other in also)]),
    )


def not_assessable(
    statement: Statement[Any],
    *,
    reason: str,
    expected: str,
    observed: str,
    missing: Sequence[str],
    clears: str,
    subject: Subject | None = None,
) -> Finding:
    """Say that this statement is not enough to judge by, and what is missing."""
    return Finding(
        answer=Answer.NOT_ASSESSABLE,
        subject=subject or statement.subject,
        reason=reason,
        at=statement.observed_at,
        expected=expected,
        observed=observed,
        clears=clears,
        evidence=(statement.id,),
        missing=tuple(missing),
        grade=statement.source.grade,
    )


def by_subject(statements: Sequence[Statement[F_co]]) -> dict[Subject, list[Statement[F_co]]]:
    """Group statements by subject, keeping their order."""
    groups: dict[Subject, list[Statement[F_co]]] = {}
    for statement in statements:
        groups.setdefault(statement.subject, []).append(statement)
    return groups
