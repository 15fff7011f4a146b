"""Terms that change between two statements: each is judged by those in force when it was true."""

from collections.abc import Mapping, Sequence
from datetime import UTC, date, datetime, timedelta
from types import ModuleType
from typing import Any

from app.assessments import dockets, rules
from app.assessments.rules import Docket, Ruling
from monitors import Case, Severity, Statement, Subject, Unit, catalogue
from tests.monitors.heard import NOON, SERIAL, say

GRANTED = datetime(2026, 1, 15, tzinfo=UTC)


def twice(subject: Subject | str = SERIAL, **facts: Any) -> tuple[Statement[Any], Statement[Any]]:
    """State the same a day before an amendment and at the moment it takes effect, which is noon."""
    checked = catalogue().validate_facts(facts)
    return (
        say(subject, at=NOON - timedelta(days=1), **checked),
        say(subject, at=NOON, **checked),
    )


def amended(
    monitor_module: ModuleType,
    old: Any,
    new: Any,
    *said: Statement[Any],
    units: Mapping[str, Unit] | None = None,
) -> list[tuple[str, str]]:
    """Judge statements as the product does, by terms amended at noon: evidence and reason of each.

    What was said under the old terms is heard by the new ones where the monitor asks for it.
    """
    kind = monitor_module.__name__.rpartition(".")[2]
    docket = _docket(_ruling(kind, 1, old, None), _ruling(kind, 2, new, NOON))

    def context(ruling: Ruling, heard: Sequence[Statement[Any]]) -> Case:
        earlier = [] if ruling.hears.nothing else [one for one in said if one not in heard]
        return rules.case_of(docket, ruling, units=units or {}, earlier=earlier)

    found = rules.judge(docket, said, context, NOON)
    return [(one.finding.evidence[0], one.finding.reason) for one in found]


def _ruling(kind: str, version: int, terms: Any, since: datetime | None) -> Ruling:
    return dockets.ruling_of(
        kind=kind,
        terms=catalogue().terms(kind, terms),
        condition_id=version,
        key=kind,
        version=version,
        severity=Severity.MODERATE,
        binds=(),
        lines=frozenset(),
        effective_from=since or GRANTED,
        effective_to=None if since else NOON,
    )


def _docket(*versions: Ruling) -> Docket:
    return Docket(
        license_id=1,
        license="BX-2026-00017",
        exporter="NORDLICHT",
        state="issued",
        granted_on=GRANTED.date(),
        expires_on=date(2030, 1, 15),
        time_zone="UTC",
        end_use="border_control",
        countries=("KE",),
        sites=frozenset(),
        parties=(),
        rulings={versions[0].key: versions},
    )
