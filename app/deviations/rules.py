"""What a deviation is called, how grave it is, and when it is the same one again."""

import hashlib
from collections.abc import Iterable
from dataclasses import dataclass
from uuid import UUID

from monitors import Finding, Grade, Severity, Subject

STEPS = list(Severity)
WEAK = frozenset({Grade.E, Grade.F})


@dataclass(frozen=True, slots=True)
class Found:
    """A finding with everything a deviation must name about it.

    `sources` are the grade and the author of each piece of evidence. What a monitor found in shadow
    becomes no deviation.
    """

    license_id: int
    license: str
    exporter: str
    country: str
    condition_id: int | None
    kind: str
    title: str
    monitor_version: int
    severity: Severity
    finding: Finding
    digest: str
    sources: tuple[tuple[str, str], ...] = ()
    shadow: bool = False

    @property
    def source(self) -> str:
        """What shows it: the first piece of evidence."""
        return self.finding.evidence[0] if self.finding.evidence else self.finding.reason

    @property
    def fingerprint(self) -> bytes:
        """Name what is wrong, apart from when and how often."""
        return fingerprint(self.license, self.kind, self.finding.subject, self.finding.reason)

    @property
    def own_severity(self) -> Severity:
        """How grave the finding is, before its evidence is weighed."""
        return self.finding.severity or self.severity


def fingerprint(license: str, kind: str, subject: Subject, reason: str) -> bytes:
    """Hash license, kind, subject and reason."""
    text = f"{license}\0{kind}\0{subject.kind}\0{subject.reference}\0{reason}"
    return hashlib.sha256(text.encode()).digest()


def deviation_id(fingerprint: bytes, episode: int) -> UUID:
    """Make the id of a deviation: the same inputs give the same id, whenever they come."""
    return UUID(bytes=hashlib.sha256(fingerprint + episode.to_bytes(4, "big")).digest()[:16])


def weighed(weights: Iterable[tuple[Severity, Grade | None]], *, episode: int) -> Severity:
    """Weigh severities by evidence: weak evidence alone stays at moderate; coming back adds a step."""
    pairs = list(weights)
    worst = max((STEPS.index(severity) for severity, _ in pairs), default=0)
    worst = min(worst + episode - 1, len(STEPS) - 1)
    if all(grade in WEAK for _, grade in pairs):
        worst = min(worst, STEPS.index(Severity.MODERATE))
    return STEPS[worst]


def conclusive(sources: Iterable[tuple[str, str]]) -> bool:
    """Whether evidence is enough to conclude: one of grade A, or two independent sources.

    Sources are independent when different parties speak; an anonymous one counts for nothing.
    """
    pairs = [(grade, by) for grade, by in sources if grade != Grade.F]
    return any(grade == Grade.A for grade, _ in pairs) or len({by for _, by in pairs}) > 1


def lacking(sources: Iterable[tuple[str, str]]) -> str | None:
    """Say which further evidence a conclusion needs, or nothing when there is enough."""
    pairs = sorted(set(sources))
    if conclusive(pairs):
        return None
    known = ", ".join(sorted({by for grade, by in pairs if grade != Grade.F}))
    beside = f"independent of {known}" if known else "with a name"
    return f"an inspection by the authority (grade A), or another source {beside}"


def sentence(title: str, subject: Subject, finding: Finding) -> str:
    """Say in one sentence what is suspected."""
    return (
        f"{title}, {subject.kind} {subject.reference}: {finding.observed}; "
        f"expected: {finding.expected}."
    )
