"""How much a visit to a place is expected to show, in points. Pure.

Points add up what is unverified, risky or delinquent at the place. The country has no part in them: a
country score alone would send inspectors where nothing speaks against anybody.
"""

from collections.abc import Mapping
from typing import Annotated

from pydantic import BaseModel, ConfigDict, Field

Points = Annotated[int, Field(ge=0, le=10_000)]
Days = Annotated[int, Field(ge=0, le=36_500)]


class Weights(BaseModel):
    """What counts how much, in points. Policy: the defaults are a beginning, not a finding.

    `stretched` says how evidence of a grade ages: 2 makes 100 days count as 200. A grade without it
    verifies nothing.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tier: dict[int, Points] = {1: 5, 2: 15, 3: 40}
    unverified_per_100_days: Points = 10
    unverified_most_days: Days = 730
    stretched: dict[str, Annotated[int, Field(ge=1, le=100)]] = {"A": 1, "B": 1, "C": 2, "D": 3}
    overdue_each: Points = 4
    overdue_most: Points = 40
    overdue_per_10_days: Points = 2
    overdue_most_days: Days = 120
    deviation: dict[str, Points] = {"low": 2, "moderate": 6, "high": 20, "critical": 40}
    deviations_most: Points = 120
    mandatory_overdue_days: Days | None = Field(
        default=60,
        description="A place with something overdue for so long must be visited; null: never",
    )
    mandatory_within_days: Days = Field(
        default=90, description="By when it must be visited, counted from the plan's first day"
    )


class Known(BaseModel):
    """What is on file about a place on the day of the plan.

    `verified_days` is the age in days of the newest evidence of each grade. `overdue_days` is how long
    the oldest open obligation is overdue.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    tier: Annotated[int, Field(ge=1, le=3)] | None = None
    overdue: Annotated[int, Field(ge=0, le=10_000_000)] = 0
    overdue_days: Days = 0
    deviations: dict[str, Annotated[int, Field(ge=0, le=10_000_000)]] = {}
    verified_days: dict[str, Days] = {}


def points(known: Known, weights: Weights) -> dict[str, int]:
    """Give the points of a place by what they are for; together they are its score."""
    late = min(known.overdue_days, weights.overdue_most_days) // 10
    return {
        "tier": weights.tier.get(known.tier or 0, 0),
        "unverified": _unverified(known.verified_days, weights),
        "overdue": min(known.overdue * weights.overdue_each, weights.overdue_most)
        + late * weights.overdue_per_10_days,
        "deviations": min(
            sum(
                many * weights.deviation.get(severity, 0)
                for severity, many in known.deviations.items()
            ),
            weights.deviations_most,
        ),
    }


def _unverified(verified_days: Mapping[str, int], weights: Weights) -> int:
    """Count how long nobody has verified the place, by the evidence that has aged least."""
    ages = [
        days * weights.stretched[grade]
        for grade, days in verified_days.items()
        if grade in weights.stretched
    ]
    age = min([weights.unverified_most_days, *ages])
    return age * weights.unverified_per_100_days // 100


def must_be_visited(known: Known, weights: Weights) -> bool:
    """Tell whether something is overdue there for so long that somebody must go."""
    limit = weights.mandatory_overdue_days
    return limit is not None and known.overdue > 0 and known.overdue_days >= limit
