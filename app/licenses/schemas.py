"""Licenses as they are sent and shown. The shape of conditions comes from the monitors' files."""

from datetime import date, datetime
from decimal import Decimal
from functools import reduce
from operator import or_
from typing import TYPE_CHECKING, Annotated, Any, Literal
from zoneinfo import available_timezones

from pydantic import AfterValidator, Field, StringConstraints, create_model, model_validator

from app.licenses.rules import GIVEN_BY_A_PERSON, State, condition_key
from app.parties.schemas import NO_NUL, CountryCode, PartyIn, PositionIn, SiteIn, Text
from app.wire import Moment, Out, Strict
from monitors import Code, Severity, catalogue

Number = Annotated[
    str, StringConstraints(pattern=r"^[A-Za-z0-9][A-Za-z0-9._-]*$", min_length=3, max_length=40)
]
Day = Annotated[date, Field(ge=date(1950, 1, 1), lt=date(2200, 1, 1))]
Long = Annotated[str, StringConstraints(min_length=1, max_length=20_000, pattern=NO_NUL)]
Amount = Annotated[Decimal, Field(ge=0, max_digits=20, decimal_places=4)]
Currency = Annotated[str, StringConstraints(pattern=r"^[A-Z]{3}$")]
PartyRole = Literal[
    "exporter",
    "purchaser",
    "intermediate_consignee",
    "ultimate_consignee",
    "end_user",
    "subcontractor",
]
ConditionSource = Literal[
    "license", "rider", "application", "end_use_statement", "regulation", "contract"
]
Modality = Literal[
    "face", "finger", "iris", "voice", "gait", "palm", "vein", "dna", "multimodal", "other"
]
Milestone = Literal["arrival", "receipt_signed", "customs_cleared", "installed"]
"""What must have happened for goods to count as delivered. Each license has one definition."""


def _known_zone(name: str) -> str:
    if name not in available_timezones():
        raise ValueError("not an IANA time zone, e.g. Africa/Nairobi")
    return name


class ValueIn(Strict):
    """An amount of money; decimals travel as text."""

    amount: Amount
    currency: Currency


class LineIn(Strict):
    """An item on a license."""

    line: Annotated[int, Field(ge=1, le=9999)]
    description: Text
    classification: Annotated[str, StringConstraints(min_length=1, max_length=40, pattern=NO_NUL)]
    modality: Modality
    quantity: Annotated[Decimal, Field(gt=0, max_digits=20, decimal_places=4)]
    unit: Code
    value: ValueIn | None = None


class LicensePartyIn(PartyIn):
    """A party and its role on the license."""

    role: PartyRole


class ConditionBase(Strict):
    """What every condition has beside its kind and terms."""

    text: Long = Field(description="The condition word for word, as the license has it")
    binds: Annotated[list[PartyRole], Field(max_length=6)] = []
    lines: Annotated[list[int], Field(max_length=200)] = []
    source: ConditionSource = "license"
    severity: Severity | None = None
    effective_from: Moment | None = None
    effective_to: Moment | None = None

    @property
    def key(self) -> str:
        """Tell the conditions of a license apart."""
        return condition_key(self.kind, self.lines)

    kind: str
    terms: Any


def _condition_model(kind: str) -> Any:
    monitor = catalogue()[kind]
    name = "".join(part.title() for part in kind.split("_")) + "Condition"
    fields: Any = {"kind": (Literal[kind], ...), "terms": (monitor.terms, ...)}
    return create_model(
        name, __base__=ConditionBase, __doc__=monitor.documentation.splitlines()[0], **fields
    )


if TYPE_CHECKING:
    AnyCondition = ConditionBase
else:
    AnyCondition = Annotated[
        reduce(or_, [_condition_model(kind) for kind in catalogue().written]),
        Field(discriminator="kind"),
    ]


class LicenseIn(Strict):
    """A license as it was granted."""

    number: Number
    exporter: PartyIn
    granted_on: Day
    expires_on: Day | None = None
    end_use: Code
    destination_countries: Annotated[list[CountryCode], Field(min_length=1, max_length=50)]
    humanitarian_track: bool = False
    time_zone: Annotated[str, AfterValidator(_known_zone)] = "UTC"
    delivered_when: Milestone = Field(
        default="arrival", description="What must have happened for goods to count as delivered"
    )
    state: Literal["draft", "issued"] = "issued"
    parties: Annotated[list[LicensePartyIn], Field(max_length=200)] = []
    sites: Annotated[list[SiteIn], Field(max_length=2000)] = []
    lines: Annotated[list[LineIn], Field(min_length=1, max_length=200)]
    conditions: Annotated[list[AnyCondition], Field(max_length=200)] = []
    decision_rationale: Long | None = None

    @model_validator(mode="after")
    def _fits_together(self) -> "LicenseIn":
        if self.expires_on is not None and self.expires_on < self.granted_on:
            raise ValueError("expires_on lies before granted_on")
        _each_once("line", [line.line for line in self.lines])
        _each_once("condition", [condition.key for condition in self.conditions])
        _each_once("site", [site.reference for site in self.sites])
        known = {line.line for line in self.lines}
        check_lines(self.conditions, known)
        return self


def check_lines(conditions: list[Any], known: set[int]) -> None:
    """Refuse a condition on a line that the license does not have."""
    for condition in conditions:
        strange = sorted(set(condition.lines) - known)
        if strange:
            raise ValueError(
                f"condition {condition.kind} names lines {strange}; the license has {sorted(known)}"
            )


def _each_once(what: str, values: list[Any]) -> None:
    twice = sorted({str(value) for value in values if values.count(value) > 1})
    if twice:
        raise ValueError(f"{what} {', '.join(twice)} is given twice")


class StateIn(Strict):
    """A state a person gives a license."""

    state: Literal[tuple(sorted(GIVEN_BY_A_PERSON))]  # type: ignore[valid-type]
    ground: Long
    effective_on: date | None = None


class AmendmentIn(Strict):
    """New versions of conditions. `effective_from` in the past re-judges what was reported since."""

    ground: Long
    effective_from: Moment
    conditions: Annotated[list[AnyCondition], Field(max_length=200)] = []
    ends: Annotated[list[Code], Field(max_length=200)] = Field(
        default=[], description="Keys of conditions that end at `effective_from`"
    )
    delivered_when: Milestone | None = Field(
        default=None,
        description="Another definition of delivered; it holds for all shipments once approved",
    )

    @model_validator(mode="after")
    def _says_something(self) -> "AmendmentIn":
        if not self.conditions and not self.ends and self.delivered_when is None:
            raise ValueError(
                "give new conditions, conditions that end, or when goods are delivered"
            )
        return self


class ConditionOut(Out):
    """One version of a condition."""

    id: int
    key: str
    version: int
    kind: str
    title: str
    text: str
    terms: dict[str, Any]
    source: str
    binds: list[str]
    lines: list[int]
    severity: str
    effective_from: Moment
    effective_to: Moment | None
    in_force: bool


class StateOut(Out):
    """A state the license has been in."""

    state: State
    ground: str
    effective_on: date
    actor: str
    recorded_at: Moment


class ValueOut(Out):
    """An amount of money."""

    amount: str
    currency: str


class LineOut(Out):
    """An item on the license."""

    line: int
    description: str
    classification: str
    modality: str
    quantity: str
    unit: str
    value: ValueOut | None


class PartyOut(Out):
    """A party in its role."""

    role: str
    reference: str
    name: str
    country: str


class SiteOut(Out):
    """A site on the license."""

    reference: str
    name: str
    country: str
    position: PositionIn | None


class LicenseSummary(Out):
    """A license in a list."""

    number: str
    state: State
    exporter: str
    tier: int
    granted_on: date
    expires_on: date | None
    end_use: str
    destination_countries: list[str]


class LicenseOut(LicenseSummary):
    """A license, whole."""

    humanitarian_track: bool
    time_zone: str
    delivered_when: str
    tier_reason: str
    tier_review_on: date
    parties: list[PartyOut]
    sites: list[SiteOut]
    lines: list[LineOut]
    conditions: list[ConditionOut]
    states: list[StateOut]
    decision_rationale: str | None


class AmendmentOut(Out):
    """An amendment; `state` is proposed until a second person approves it."""

    id: int
    license: str
    state: Literal["proposed", "approved"]
    ground: str
    proposed_by: str
    proposed_at: Moment
    approved_by: str | None
    approved_at: Moment | None
    conditions: list[Any]
    ends: list[str]
    delivered_when: str | None


def start_of(day: date, zone: Any) -> datetime:
    """Give the first moment of a day in a time zone."""
    return datetime(day.year, day.month, day.day, tzinfo=zone)
