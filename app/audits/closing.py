"""When a check may be rated and closed, and who may waive what it lacks. Pure."""

from dataclasses import dataclass

from app.audits.rules import Outcome
from app.errors import Conflict


class OutcomeUnfounded(Conflict):
    """Only a check that was made and reported can be favorable."""


def check_outcome(number: str, outcome: Outcome, *, reported: bool) -> None:
    """Refuse a favorable outcome of a check nobody reported: unknown is not compliant."""
    if outcome is Outcome.FAVORABLE and not reported:
        raise OutcomeUnfounded(
            f"No report of {number} is on file. Link one, or rate it inconclusive or unfavorable.",
            pointer="/outcome",
        )


class ActionsOpen(Conflict):
    """Recommended actions are neither done nor waived."""


class EvidenceUnrated(Conflict):
    """A report came in after the last rating."""


class NotWhole(Conflict):
    """Mode, coverage or evidence of receipt is missing, and nobody waived it."""


class SecondPersonNeeded(Conflict):
    """Whoever did the first part cannot waive the rest; a second person must."""


@dataclass(frozen=True, slots=True)
class Found:
    """What a check brought to its closing."""

    mode: str | None
    units_expected: int | None
    units_sighted: int | None
    receipt: str | None
    open_actions: tuple[int, ...] = ()
    rated_version: int = 0
    unrated_reports: int = 0

    @property
    def lacks(self) -> list[str]:
        """What is still missing, in words."""
        parts = {
            "mode": self.mode,
            "coverage": self.units_sighted,
            "evidence of receipt": self.receipt,
        }
        return [name for name, value in parts.items() if value is None]


def check_closing(number: str, found: Found, *, waived: bool) -> None:
    """Refuse to close what is not finished. A waiver stands for missing parts, not for actions."""
    if found.open_actions:
        numbers = ", ".join(map(str, found.open_actions))
        raise ActionsOpen(
            f"Actions {numbers} of {number} are open. Have them done, or waived by a second person.",
            actions=list(found.open_actions),
        )
    if found.unrated_reports:
        raise EvidenceUnrated(
            f"{found.unrated_reports} report(s) of {number} came in after rating "
            f"{found.rated_version}. Rate it again, also if the outcome stays."
        )
    if found.lacks and not waived:
        raise NotWhole(
            f"{number} lacks {', '.join(found.lacks)}. Give it, or have a second person waive it "
            "with a ground.",
            missing=found.lacks,
        )


def check_second_person(what: str, *, same: bool) -> None:
    """Refuse that the same person does both halves."""
    if same:
        raise SecondPersonNeeded(f"You had a hand in {what} yourself. Ask a second person.")
