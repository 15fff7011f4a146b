"""What `endwatch check` prints: a paragraph for each deviation there would be."""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from app.assessments import rules
from app.cli import offline
from app.cli.offline import Papers
from app.deviations.rules import Found, sentence, weighed

EVIDENCE_SHOWN = 3


@dataclass(frozen=True, slots=True)
class Verdict:
    """What came of judging one license: findings told once each, with all their occurrences."""

    license: str
    conditions: int
    statements: int
    flagged: list[dict[str, Any]]
    unclear: list[dict[str, Any]]
    unspoken: list[dict[str, Any]]


def _wording(papers: Papers, condition: int | None) -> str | None:
    """Give the words of a condition; what a standing monitor finds is written in none."""
    return None if condition is None else papers.license.conditions[condition].text


def of(papers: Papers, now: datetime) -> Verdict:
    """Judge a license."""
    broken, unclear = rules.divided(offline.judge(papers, now))
    return Verdict(
        license=papers.license.number,
        conditions=len(papers.license.conditions),
        statements=len(papers.said),
        flagged=[_shown(papers, group) for group in _grouped(broken)],
        unclear=[_shown(papers, group) for group in _grouped(unclear)],
        unspoken=[
            {"kind": ruling.kind, "title": ruling.monitor.title, "why": why}
            for ruling, why in offline.unspoken(papers)
        ],
    )


def _grouped(found: Iterable[Found]) -> list[list[Found]]:
    """Put the occurrences of one deviation together, oldest first."""
    groups: dict[bytes, list[Found]] = {}
    for one in found:
        groups.setdefault(one.fingerprint, []).append(one)
    return [sorted(group, key=_when) for group in groups.values()]


def _when(one: Found) -> datetime:
    return one.finding.at


def _shown(papers: Papers, group: Sequence[Found]) -> dict[str, Any]:
    last = group[-1]
    finding = last.finding
    grades = {one.id: str(one.source.grade) for one in papers.said}
    weights = [(one.own_severity, one.finding.grade) for one in group]
    return {
        "kind": last.kind,
        "title": last.title,
        "severity": str(weighed(weights, episode=1)),
        "subject": {"kind": finding.subject.kind, "reference": finding.subject.reference},
        "reason": finding.reason,
        "sentence": sentence(last.title, finding.subject, finding),
        "condition": _wording(papers, last.condition_id),
        "expected": finding.expected,
        "observed": finding.observed,
        "evidence": [{"id": id, "grade": grades.get(id)} for id in finding.evidence],
        "missing": list(finding.missing),
        "clears": finding.clears,
        "occurrences": len(group),
        "first_observed_at": _utc(group[0].finding.at),
        "last_observed_at": _utc(finding.at),
    }


def _utc(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")


def as_json(verdicts: Sequence[Verdict], faults: Sequence[str]) -> str:
    """Write verdicts for machines."""
    whole = {
        "licenses": [
            {
                "license": one.license,
                "statements": one.statements,
                "flagged": one.flagged,
                "not_assessable": one.unclear,
                "not_judged": one.unspoken,
            }
            for one in verdicts
        ],
        "unreadable": list(faults),
    }
    return json.dumps(whole, indent=1, ensure_ascii=False)


def as_text(verdicts: Sequence[Verdict]) -> str:
    """Write verdicts for people."""
    return "\n\n".join(_text(one) for one in verdicts) or "nothing to judge"


def _text(verdict: Verdict) -> str:
    heading = (
        f"{verdict.license}: {verdict.statements:,} statements judged by "
        f"{verdict.conditions:,} conditions; {len(verdict.flagged):,} would be flagged."
    )
    parts = [heading, *(_paragraph(number, one) for number, one in enumerate(verdict.flagged, 1))]
    unclear = [_unclear(one) for one in verdict.unclear]
    unclear += [f"- {one['title']}: {one['why']}." for one in verdict.unspoken]
    if unclear:
        parts.append("\n".join(["Could not be assessed:", *unclear]))
    return "\n\n".join(parts)


def _paragraph(number: int, one: dict[str, Any]) -> str:
    evidence = [f"{each['id']} (grade {each['grade'] or '-'})" for each in one["evidence"]]
    more = len(evidence) - EVIDENCE_SHOWN
    shown = ", ".join(evidence[:EVIDENCE_SHOWN]) + (f" and {more} more" if more > 0 else "")
    times = f"once, {one['last_observed_at']}"
    if one["occurrences"] > 1:
        times = (
            f"{one['occurrences']} times, {one['first_observed_at']} to {one['last_observed_at']}"
        )
    # The sentence itself tells what was observed and what is expected.
    return (
        f"{number}. {one['sentence']} Severity {one['severity']}; seen {times}. "
        f"The condition says: “{one['condition']}” "
        + (f"Evidence: {shown}. " if evidence else "")
        + f"What clears it: {one['clears']}."
    )


def _unclear(one: dict[str, Any]) -> str:
    subject = one["subject"]
    times = f" ({one['occurrences']} times)" if one["occurrences"] > 1 else ""
    missing = f"; missing: {', '.join(one['missing'])}" if one["missing"] else ""
    return (
        f"- {one['title']}, {subject['kind']} {subject['reference']}: {one['observed']}{times}"
        f"{missing}. What clears it: {one['clears']}."
    )
