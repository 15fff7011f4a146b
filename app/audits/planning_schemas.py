"""What is asked of a plan of visits, what the solver is given, and what is told of it."""

from collections import Counter
from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Literal
from uuid import UUID

from pydantic import BaseModel, ConfigDict, Field, model_validator

from app.audits.scoring import Days, Known, Weights
from app.audits.travel import STEPS
from app.parties.schemas import CountryCode, PositionIn
from app.wire import Moment, Out, Strict
from monitors._facts import Code

YEAR = timedelta(days=366)
Languages = Annotated[list[Annotated[str, Field(pattern="^[a-z]{2,3}$")]], Field(max_length=50)]


class SpanIn(Strict):
    """Days from one to another, both included."""

    model_config = ConfigDict(populate_by_name=True)

    first: date = Field(alias="from")
    last: date = Field(alias="to")

    @model_validator(mode="after")
    def _in_order(self) -> "SpanIn":
        if self.last < self.first:
            raise ValueError("`to` lies before `from`")
        return self


class PeriodIn(SpanIn):
    """The time that is planned, a year at most."""

    @model_validator(mode="after")
    def _a_year(self) -> "PeriodIn":
        if self.last - self.first >= YEAR:
            raise ValueError("a plan covers 366 days at most")
        return self


class InspectorIn(Strict):
    """Somebody who can be sent, and from where. Without countries or languages: any."""

    reference: Code
    position: PositionIn
    countries: Annotated[list[CountryCode], Field(max_length=250)] | None = None
    languages: Languages | None = None
    days_per_week: Annotated[int, Field(ge=1, le=7)] = 5
    away: Annotated[list[SpanIn], Field(max_length=100)] = []


class PlaceIn(Strict):
    """A place and what is known of it. One without a position cannot be planned, and is told so."""

    reference: Code
    country: CountryCode
    position: PositionIn | None = None
    languages: Languages = []
    known: Known = Known()


class MandatoryIn(Strict):
    """A place that must be visited by a day, and why."""

    place: Code
    by: date
    ground: Annotated[str, Field(min_length=1, max_length=500)]


class KnownWayIn(Strict):
    """Working days an inspector loses there and back to a country, known better than by distance."""

    inspector: Code
    country: CountryCode
    days: Annotated[int, Field(ge=0, le=30)]


Step = tuple[Annotated[int, Field(ge=0, le=20_100)], Annotated[int, Field(ge=0, le=30)]]


class TravelIn(Strict):
    """How travel is reckoned. `steps` are pairs: up to so many km, so many days there and back."""

    steps: Annotated[list[Step], Field(min_length=1, max_length=20)] = list(STEPS)
    region_km: Annotated[int, Field(ge=0, le=1_000)] = 150
    longest_trip_days: Annotated[int, Field(ge=1, le=60)] = 10
    visit_days: Annotated[int, Field(ge=1, le=10)] = 1
    given: Annotated[list[KnownWayIn], Field(max_length=2_000)] = []

    @model_validator(mode="after")
    def _rising(self) -> "TravelIn":
        limits = [limit for limit, _ in self.steps]
        if limits != sorted(set(limits)):
            raise ValueError("steps must rise in kilometres")
        return self


class PlanIn(Strict):
    """An order for a plan. Without `places` it is of the sites of all licenses in force."""

    period: PeriodIn
    inspectors: Annotated[list[InspectorIn], Field(min_length=1, max_length=200)]
    places: Annotated[list[PlaceIn], Field(min_length=1, max_length=5_000)] | None = None
    mandatory: Annotated[list[MandatoryIn], Field(max_length=5_000)] = []
    travel: TravelIn = TravelIn()
    weights: Weights = Weights()
    random_percent: Annotated[int, Field(ge=0, le=100)] = Field(
        default=10, description="Of the most visits the days allow: places drawn by chance"
    )
    gap_percent: Annotated[Decimal, Field(ge=0, le=50, decimal_places=2)] = Field(
        default=Decimal(2), description="How near to the best the solver must come before it stops"
    )

    @model_validator(mode="after")
    def _each_once(self) -> "PlanIn":
        for what, names in (
            ("inspector", [one.reference for one in self.inspectors]),
            ("place", [one.reference for one in self.places or ()]),
            ("mandatory place", [one.place for one in self.mandatory]),
        ):
            twice = sorted(name for name, count in Counter(names).items() if count > 1)
            if twice:
                raise ValueError(f"{what} {', '.join(twice[:5])} is given twice")
        return self


class PlaceGiven(BaseModel):
    """A place as the solver is given it."""

    reference: str
    country: str
    position: PositionIn | None
    languages: list[str]
    known: Known
    parts: dict[str, int]
    due_by: date | None = None
    ground: str | None = None


class Inputs(BaseModel):
    """All the solver is given, but the seed."""

    period: PeriodIn
    inspectors: list[InspectorIn]
    places: list[PlaceGiven]
    travel: TravelIn
    weights: Weights
    random_percent: int
    gap_percent: Decimal
    seconds: Days = 55


PlanState = Literal["planned", "solving", "solved", "failed"]


class PlanOut(Out):
    """A plan. Its commitment is told at once; the seed and all figures when it is solved.

    `points` is what the visits bring; no plan that makes as many mandatory and drawn visits brings more
    than `bound`, so it is at most `gap` (a share) below the best. `stopped`: the time ran out, and the
    same order may give another plan.
    """

    id: UUID
    state: PlanState
    period_from: date
    period_to: date
    repeats: UUID | None
    inspectors: int
    places: int
    inputs_digest: str
    commitment: str
    ordered_at: Moment
    solved_at: Moment | None
    trouble: str | None
    seed: str | None
    solver: str | None
    seconds: Decimal | None
    visits: int | None
    mandatory: int | None
    mandatory_made: int | None
    mandatory_bound: int | None
    drawn: int | None
    drawn_made: int | None
    points: int | None
    bound: int | None
    gap: Decimal | None
    stopped: bool | None


class VisitOut(Out):
    """A place the plan considered: the visit there, or none; and why."""

    place: str
    country: str
    score: int
    parts: dict[str, int]
    due_by: date | None
    ground: str | None
    why: str
    detail: str
    inspector: str | None
    first_on: date | None
    last_on: date | None
    leaves_on: date | None
    back_on: date | None
