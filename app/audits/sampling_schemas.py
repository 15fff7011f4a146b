"""What a draw of units looks like from outside."""

from typing import Annotated
from uuid import UUID

from pydantic import AfterValidator, Field

from app.audits import sampling
from app.errors import Invalid
from app.wire import Moment, Out, Strict


def _chance(text: str) -> str:
    try:
        sampling.chance(text)
    except Invalid as error:
        raise ValueError(error.detail) from error
    return text


class SampleIn(Strict):
    """For how many missing units the sample must be large enough, and how surely.

    The list is of the units that should be at the site of the check; of the whole license if the
    check has no site, or `whole_license` says so.
    """

    missing: Annotated[int, Field(ge=1, le=1_000_000)]
    probability: Annotated[str, AfterValidator(_chance)] = Field(
        description='Of seeing at least one of the missing: "0.95", "95%" or "19/20"; never a float'
    )
    whole_license: bool = False


class SampleOut(Out):
    """A draw of units. It is bound by its commitment before its seed is known to anybody.

    Once it is revealed this is the receipt that `endwatch sample verify` checks: `serials` is the
    whole list in its order, `drawn` are the units to sight in the order drawn. Hashes are in hex; how
    they are made stands in `docs/sampling.md`.
    """

    audit: UUID
    site: str | None
    units: int
    missing: int
    probability: str
    size: int
    commitment: str
    committed_at: Moment
    revealed_at: Moment | None = None
    seed: str | None = None
    list_digest: str | None = None
    serials: list[str] | None = None
    drawn: list[str] | None = None
