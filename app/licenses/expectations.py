"""Which conditions a license of its tier is expected to have, and why. Pure: this is policy."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from app.licenses.advice import Advice, Clause, spoken, tier
from app.licenses.schemas import LicenseIn
from monitors import Catalogue


@dataclass(frozen=True, slots=True)
class Expectation:
    """One of these kinds is expected on licenses of this tier and above, for this reason."""

    tier: int
    kinds: tuple[str, ...]
    reason: str


EXPECTATIONS = (
    Expectation(
        1, ("permitted_sites", "permitted_countries"), "nobody would notice goods that move away"
    ),
    Expectation(
        1, ("permitted_end_use", "match_mode"), "nothing would limit what the goods are used for"
    ),
    Expectation(1, ("reporting_cadence", "heartbeat"), "silence would never be noticed"),
    Expectation(
        2, ("gallery_cap", "watchlist_control"), "nothing would limit how many persons are enrolled"
    ),
    Expectation(2, ("retention_limit",), "nothing would limit how long data about persons is kept"),
    Expectation(
        2,
        ("permitted_end_users", "no_onward_transfer"),
        "nobody would notice that somebody else operates the goods",
    ),
    Expectation(
        3, ("match_mode",), "identification among many must be allowed expressly or ruled out"
    ),
    Expectation(
        3, ("match_threshold",), "false matches harm people, and a person should confirm matches"
    ),
    Expectation(3, ("audit_log_integrity",), "searches can be examined afterwards by the log only"),
    Expectation(3, ("audit_right",), "inspectors need access that cannot be refused"),
    Expectation(
        3,
        ("human_rights_impact_assessment",),
        "the risk for people's rights should have been assessed before the goods are released",
    ),
)


def of_license(license: LicenseIn, clauses: Sequence[Clause], words: Catalogue) -> Iterator[Advice]:
    """Name what a license of this tier lacks; a kind this release does not know is not asked for."""
    found = tier(license, clauses)
    present = {clause.kind for clause in clauses}
    for expectation in EXPECTATIONS:
        known = [kind for kind in expectation.kinds if kind in words]
        if expectation.tier <= found.tier and known and present.isdisjoint(known):
            titles = " or ".join(words[kind].title.lower() for kind in known)
            yield Advice(
                "warning",
                "expected_condition_missing",
                "/conditions",
                f"The license is of tier {found.tier} ({found.reason}) and has no condition on "
                f"{titles}: {expectation.reason}.",
                f"Add {spoken([f'`{kind}`' for kind in known[:1]])}, or say in the rationale why "
                "it is not needed.",
            )
