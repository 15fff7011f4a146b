"""How a party stands with the authority. Pure."""

from collections.abc import Iterable
from enum import StrEnum


class Standing(StrEnum):
    """In good standing, not verifiable, or so long not verifiable that listing is recommended."""

    GOOD = "good"
    UNVERIFIED = "unverified"
    LISTING_RECOMMENDED = "listing_recommended"


RANK = {standing: rank for rank, standing in enumerate(Standing)}
CHECKED = ("end_user", "ultimate_consignee")
ON_THE_WAY = ("intermediate_consignee", "purchaser")


def worse(before: Standing, after: Standing) -> bool:
    """Say whether a standing is a step down."""
    return RANK[after] > RANK[before]


def concerned(parties: Iterable[tuple[str, str]]) -> list[str]:
    """Choose whom a check at the destination is about, of pairs of role and reference.

    That is who uses the goods or received them; where the license names none, who was on the way.
    """
    named = list(parties)
    for roles in (CHECKED, ON_THE_WAY):
        chosen = sorted({reference for role, reference in named if role in roles})
        if chosen:
            return chosen
    return []
