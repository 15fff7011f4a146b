"""Puts statements before monitors: which condition version judges what, and what comes of a crash.

Pure: the service loads a docket (a license as its monitors see it) and statements, this decides.
The offline `endwatch check` builds its docket from a file and decides with the same functions.
"""

import hashlib
import json
from collections.abc import Callable, Iterable, Mapping, Sequence
from collections.abc import Set as AbstractSet
from dataclasses import dataclass, replace
from datetime import date, datetime
from typing import Any

from app.deviations.rules import Found
from app.licenses.rules import in_force
from monitors import (
    Answer,
    Case,
    Finding,
    Hears,
    Monitor,
    Need,
    Obligation,
    Party,
    Severity,
    Statement,
    StateSpan,
    Subject,
    TermsModel,
    Unit,
)


@dataclass(frozen=True, slots=True)
class Ruling:
    """A condition version with its terms read and its monitor at hand.

    A standing monitor's ruling belongs to no condition; `shadow` is the monitor's next version.
    """

    condition_id: int | None
    key: str
    version: int
    kind: str
    monitor: Monitor
    terms: TermsModel
    hears: Hears
    severity: Severity
    binds: tuple[str, ...]
    lines: frozenset[int]
    effective_from: datetime
    effective_to: datetime | None
    facts: frozenset[str]
    shadow: Monitor | None = None


@dataclass(frozen=True, slots=True)
class Docket:
    """A license as its monitors see it. `rulings` are all versions, by condition key."""

    license_id: int
    license: str
    exporter: str
    state: str
    granted_on: date
    expires_on: date | None
    time_zone: str
    end_use: str
    countries: tuple[str, ...]
    sites: frozenset[str]
    parties: tuple[Party, ...]
    rulings: Mapping[str, tuple[Ruling, ...]]
    states: tuple[StateSpan, ...] = ()

    @property
    def hears_all(self) -> bool:
        """Whether some monitor must hear every unit of the license."""
        return any(
            ruling.hears.scope == "license" and not ruling.hears.nothing
            for versions in self.rulings.values()
            for ruling in versions
        )

    def roles_of(self, party: str) -> frozenset[str]:
        """Give the roles of a party on the license."""
        return frozenset(named.role for named in self.parties if named.reference == party)


Heard = Sequence[Statement[Any]]
Context = Callable[[Ruling, Heard], Case]


def judge(docket: Docket, heard: Heard, context: Context, moment: datetime) -> list[Found]:
    """Put statements before every monitor that reads their facts, by the terms then in force.

    What a monitor finds in the file beside the statements is left to when the file is judged.
    """
    stated: set[str] = set().union(*[statement.facts.__dict__ for statement in heard])
    found: list[Found] = []
    for versions in docket.rulings.values():
        if len(versions) == 1 and not _reads(versions[0], stated):
            continue
        for ruling, chosen in _by_version(versions, heard):
            if not _reads(ruling, stated):
                continue
            if ruling.lines:
                chosen = _on_lines(ruling, chosen, context)  # noqa: PLW2901 narrowed on purpose
            if chosen:
                case = context(ruling, chosen)
                found += _shown_by(chosen, put(docket, ruling, chosen, case, moment))
    return found


def _reads(ruling: Ruling, stated: AbstractSet[str]) -> bool:
    return ruling.monitor.any_fact or not ruling.facts.isdisjoint(stated)


def _shown_by(heard: Heard, found: list[Found]) -> list[Found]:
    """Keep what these statements show."""
    if not found:
        return found
    ids = {statement.id for statement in heard}
    return [one for one in found if not ids.isdisjoint(one.finding.evidence)]


def _by_version(versions: tuple[Ruling, ...], heard: Heard) -> Iterable[tuple[Ruling, Heard]]:
    """Divide statements by the condition version in force when they were true."""
    only = versions[0]
    if len(versions) == 1 and only.effective_to is None:
        if heard[0].observed_at >= only.effective_from:
            return [(only, heard)]
        return [(only, [one for one in heard if one.observed_at >= only.effective_from])]
    groups: dict[int, tuple[Ruling, list[Statement[Any]]]] = {}
    for statement in heard:
        ruling = in_force(versions, statement.observed_at)
        if ruling is not None:
            groups.setdefault(ruling.version, (ruling, []))[1].append(statement)
    return list(groups.values())


def _on_lines(ruling: Ruling, heard: Heard, context: Context) -> Heard:
    """Keep what is about the condition's lines: their units, and everything that is no unit."""
    if not heard:
        return heard
    units = context(ruling, heard).units
    return [
        one
        for one in heard
        if one.subject.kind != "unit"
        or (one.subject.reference in units and units[one.subject.reference].line in ruling.lines)
    ]


def put(docket: Docket, ruling: Ruling, heard: Heard, case: Case, moment: datetime) -> list[Found]:
    """Let one monitor judge, and its next version beside it if there is one in shadow."""
    found = _put(docket, ruling, heard, case, moment)
    if ruling.shadow is None:
        return found
    beside = replace(ruling, monitor=ruling.shadow, shadow=None)
    shadow = _put(docket, beside, heard, case, moment)
    return found + [replace(one, shadow=True) for one in shadow]


def _put(docket: Docket, ruling: Ruling, heard: Heard, case: Case, moment: datetime) -> list[Found]:
    """Let one monitor judge. If it crashes, each statement is tried alone, and the crash shown."""
    monitor = ruling.monitor
    try:
        findings = list(monitor.evaluate(ruling.terms, heard, case, moment))
    except Exception as crash:
        if len(heard) > 1:
            return _one_by_one(docket, ruling, heard, case, moment)
        findings = [_crashed(docket, ruling, heard, crash, moment)]
    if not findings:
        return []
    said = {statement.id: statement for statement in (*case.earlier, *heard)}
    return [_found(docket, ruling, finding, said, case) for finding in findings]


def _one_by_one(
    docket: Docket, ruling: Ruling, heard: Heard, case: Case, moment: datetime
) -> list[Found]:
    found: list[Found] = []
    for index, statement in enumerate(heard):
        earlier = (*case.earlier, *heard[:index])
        found += _put(docket, ruling, [statement], replace(case, earlier=earlier), moment)
    return found


def _crashed(
    docket: Docket, ruling: Ruling, heard: Heard, crash: Exception, moment: datetime
) -> Finding:
    """Make a finding for a person to see of a monitor's own failure."""
    subject = heard[0].subject if heard else Subject("license", docket.license)
    return Finding(
        answer=Answer.NOT_ASSESSABLE,
        subject=subject,
        reason="monitor_failed",
        at=heard[0].observed_at if heard else moment,
        expected="a verdict",
        observed=f"a failure of monitor {ruling.kind} version {ruling.monitor.version}",
        clears="a corrected monitor, and a replay",
        evidence=tuple(statement.id for statement in heard),
        missing=(f"{type(crash).__name__} in {ruling.kind}",),
    )


def _found(
    docket: Docket,
    ruling: Ruling,
    finding: Finding,
    said: Mapping[str, Statement[Any]],
    case: Case,
) -> Found:
    """Name the condition version, the monitor version and the inputs of a finding."""
    inputs = {
        "condition": [docket.license, ruling.key, ruling.version],
        "monitor": [ruling.kind, ruling.monitor.version],
        "terms": ruling.terms.model_dump(mode="json"),
        "evidence": [_input(said.get(id), id) for id in finding.evidence],
        "obligations": [str(one) for one in case.obligations],
        "ledger": [str(line) for line in case.ledger],
        "file": _filed(case, finding),
    }
    if not inputs["file"]:
        del inputs["file"]
    text = json.dumps(inputs, sort_keys=True, default=_plain, separators=(",", ":"))
    return Found(
        license_id=docket.license_id,
        license=docket.license,
        exporter=AUTHORITY_ALONE if ruling.monitor.confidential else docket.exporter,
        country=docket.countries[0] if docket.countries else "",
        condition_id=ruling.condition_id,
        kind=ruling.kind,
        title=ruling.monitor.title,
        monitor_version=ruling.monitor.version,
        severity=ruling.severity,
        finding=finding,
        sources=tuple(sorted({_source(said[id]) for id in finding.evidence if id in said})),
        digest=f"sha256:{hashlib.sha256(text.encode()).hexdigest()}",
    )


AUTHORITY_ALONE = ""
"""The party that may read a confidential finding: none."""


def _source(statement: Statement[Any]) -> tuple[str, str]:
    return (statement.source.grade, statement.source.by)


def _filed(case: Case, finding: Finding) -> list[str]:
    """Name what of the file a finding rests on."""
    filed: tuple[Any, ...] = (*case.documents, *case.hits, *case.custody, *case.shipments)
    return [str(one) for one in filed if one.id in finding.evidence]


def _input(statement: Statement[Any] | None, id: str) -> list[Any]:
    return [id] if statement is None else [id, statement.observed_at, statement.facts.__dict__]


def _plain(value: Any) -> Any:
    return value.model_dump(mode="json") if hasattr(value, "model_dump") else str(value)


def case_of(
    docket: Docket,
    ruling: Ruling,
    *,
    units: Mapping[str, Unit],
    earlier: Heard = (),
    **parts: Any,
) -> Case:
    """Make the frozen view a monitor asked for."""
    needs = ruling.monitor.needs
    return Case(
        license=docket.license,
        state=docket.state,
        granted_on=docket.granted_on,
        expires_on=docket.expires_on,
        end_use=docket.end_use,
        destination_countries=frozenset(docket.countries),
        exporter=docket.exporter,
        sites=docket.sites,
        in_force_from=ruling.effective_from,
        binds=ruling.binds,
        lines=ruling.lines,
        earlier=earlier,
        units=units,
        parties=docket.parties if Need.PARTIES in needs else (),
        states=docket.states if Need.STATES in needs else (),
        time_zone=docket.time_zone,
        **parts,
    )


def graver(one: Found, owed: Sequence[Obligation]) -> Found:
    """Add to the severity of a finding the steps by which its obligation has become graver."""
    steps = max((each.steps for each in owed if _about(one.finding, each)), default=0)
    if steps == 0:
        return one
    grave = list(Severity)
    worse = min(grave.index(one.own_severity) + steps, len(grave) - 1)
    return replace(one, finding=replace(one.finding, severity=grave[worse]))


def _about(finding: Finding, owed: Obligation) -> bool:
    return finding.subject == owed.subject and f"obligation:{owed.slot}" in finding.evidence


def divided(found: Iterable[Found]) -> tuple[list[Found], list[Found]]:
    """Divide findings into broken and not assessable ones."""
    broken: list[Found] = []
    unclear: list[Found] = []
    for one in found:
        (broken if one.finding.answer is Answer.BROKEN else unclear).append(one)
    return broken, unclear
