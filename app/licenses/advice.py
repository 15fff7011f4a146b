"""What the linter says, and a condition as the linter looks at it. Pure; works offline."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from app.licenses.rules import Tier, tier_of
from app.licenses.schemas import ConditionBase, LicenseIn, LineIn
from monitors import Catalogue, Monitor

Weight = Literal["error", "warning", "note"]
WEIGHTS: tuple[Weight, ...] = ("error", "warning", "note")


@dataclass(frozen=True, slots=True)
class Advice:
    """One thing a licensing officer should know before granting.

    `code` is stable, `pointer` a JSON Pointer into what was sent; `detail` says what is the matter,
    `advice` what to do.
    """

    severity: Weight
    code: str
    pointer: str
    detail: str
    advice: str


@dataclass(frozen=True, slots=True)
class Clause:
    """A condition with its monitor, where it stands, and the license around it, if there is one."""

    condition: ConditionBase
    monitor: Monitor
    pointer: str
    license: LicenseIn | None

    @property
    def kind(self) -> str:
        """The kind of the condition."""
        return self.condition.kind

    @property
    def name(self) -> str:
        """What the condition is called in a sentence."""
        return self.monitor.title.lower()

    @property
    def facts(self) -> frozenset[str]:
        """The facts it reads."""
        return self.monitor.facts_read(self.condition.terms)

    @property
    def covered(self) -> list[LineIn]:
        """The lines of the license it is about."""
        lines = self.license.lines if self.license else []
        return [
            one for one in lines if not self.condition.lines or one.line in self.condition.lines
        ]

    def term(self, name: str) -> Any:
        """Give a term by name; None when this kind has no such term."""
        return getattr(self.condition.terms, name, None)

    def meets(self, other: "Clause") -> bool:
        """Whether both are about the same line."""
        mine, theirs = set(self.condition.lines), set(other.condition.lines)
        return not mine or not theirs or bool(mine & theirs)

    def say(self, weight: Weight, code: str, at: str, detail: str, advice: str) -> Advice:
        """Give advice on a place within the condition."""
        return Advice(weight, code, self.pointer + at, detail, advice)


def clauses(license: LicenseIn, words: Catalogue) -> list[Clause]:
    """Lay out the conditions of a license."""
    return [
        Clause(condition, words[condition.kind], f"/conditions/{index}", license)
        for index, condition in enumerate(license.conditions)
    ]


def of_kind(all_clauses: Sequence[Clause], kind: str) -> Iterator[Clause]:
    """Pick the conditions of a kind."""
    return (clause for clause in all_clauses if clause.kind == kind)


def tier(license: LicenseIn, all_clauses: Sequence[Clause]) -> Tier:
    """Compute the tier the license will have."""
    modes = {
        mode for clause in of_kind(all_clauses, "match_mode") for mode in clause.term("allowed")
    }
    return tier_of(
        end_use=license.end_use,
        kinds=[clause.kind for clause in all_clauses],
        match_modes=modes,
        granted_on=license.granted_on,
    )


def roles(license: LicenseIn) -> dict[str, set[str]]:
    """Say who has which role: references by role; the exporter has one too."""
    held: dict[str, set[str]] = {"exporter": {license.exporter.reference}}
    for party in license.parties:
        held.setdefault(party.role, set()).add(party.reference)
    return held


def spoken(words: Sequence[str]) -> str:
    """Join words as in a sentence; codes are made readable, quoted names stay as they are."""
    plain = [word if word.startswith("`") else word.replace("_", " ") for word in words]
    return " and ".join([", ".join(plain[:-1]), plain[-1]] if len(plain) > 1 else plain)
