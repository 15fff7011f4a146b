"""The way back: what was answered in the form of a license, as a report of kind *inspection*.

Only what was answered is stated. A form that was filled before the license changed is understood
too, since its answers are called as the facts they state.
"""

from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from xml.etree.ElementTree import Element

from pydantic import ValidationError

from app.audits import nodes, reading
from app.audits.questions import Checklist, Question
from app.audits.reading import AnswerRefused, children, text_of
from app.audits.shapes import shape_of
from app.reports.schemas import ReportIn
from monitors import catalogue


@dataclass(frozen=True, slots=True)
class Observation:
    """What was seen of a condition that reads no facts; it is for the audit, not for monitors."""

    condition: str
    seen: str | None
    remarks: tuple[str, ...]


@dataclass(slots=True)
class _Said:
    """Statements in the making, each with the place in the form that it came from."""

    statements: list[dict[str, Any]] = field(default_factory=list)
    places: list[str] = field(default_factory=list)

    def add(self, subject: dict[str, Any], facts: dict[str, Any], place: str) -> None:
        """State what was answered about a subject, if anything was."""
        if facts:
            self.statements.append({"subject": subject, "facts": facts})
            self.places.append(place)


def report_of(
    instance: Element,
    checklist: Checklist,
    *,
    reference: str,
    observed_at: datetime,
    captured_at: datetime,
) -> ReportIn:
    """Make the report of a filled form.

    `instance` is the root of the submitted XML, read by defusedxml. Serial numbers that were
    sighted become the inventory of their site where all its units were looked for; where only some
    were, each unit is stated to be at the site and nothing is said of the others. Pictures are not
    in the report: their file names are in `pictures_of`, and the digests under which they were
    kept belong in its `evidence`. Raises AnswerRefused, naming the place in the form.
    """
    said = _said(instance)
    body = {
        "kind": "inspection",
        "license": checklist.license,
        "reference": reference,
        "observed_at": observed_at,
        "captured_at": captured_at,
        "mode": _mode(instance),
        "statements": said.statements,
    }
    try:
        return ReportIn.model_validate(body)
    except ValidationError as refused:
        raise _refusal(refused, said.places) from refused


def _said(instance: Element) -> _Said:
    """Read the groups of the form: sites, units, the license."""
    said = _Said()
    units = [_unit(place, unit) for place, unit in _repeated(instance, nodes.UNIT)]
    for site in _sites(instance):
        reference = text_of(site, nodes.REFERENCE)
        if reference is None:
            continue
        facts, place = _facts(site, f"/{reading.tag(site)}"), f"/{reading.tag(site)}"
        if text_of(site, nodes.COUNTED) == nodes.ALL:
            facts["sighted_serials"] = [
                unit.serial for unit in units if unit.sighted and unit.site == reference
            ]
        said.add({"site": reference}, facts, place)
    for unit in units:
        if unit.serial:
            said.add({"serial": unit.serial}, unit.facts, unit.place)
    for license in children(instance, nodes.LICENSE):
        said.add({"license": True}, _facts(license, "/license"), "/license")
    if not said.statements:
        raise NothingAnswered("No question was answered that states anything.", pointer="/")
    return said


class NothingAnswered(AnswerRefused):
    """The form came back without an answer."""


@dataclass(frozen=True, slots=True)
class _Unit:
    serial: str
    sighted: bool
    site: str | None
    facts: dict[str, Any]
    place: str


def _unit(place: str, unit: Element) -> _Unit:
    """Read one unit; where it was seen is the fact `site` too, unless that was nowhere known."""
    serial = text_of(unit, nodes.SERIAL)
    serial = serial or text_of(unit, nodes.SCANNED) or text_of(unit, nodes.CHOSEN) or ""
    sighted = text_of(unit, nodes.SIGHTED) == nodes.YES
    where = text_of(unit, nodes.WHERE)
    facts = _facts(unit, place)
    if where == nodes.ELSEWHERE:
        facts.pop(nodes.WHERE, None)
    if not serial and (facts or sighted):
        raise AnswerRefused(
            "Say which unit this is: scan its serial number, or choose it.",
            pointer=f"{place}/{nodes.SERIAL}",
        )
    return _Unit(serial, sighted, where, facts, place)


def _facts(group: Element, place: str) -> dict[str, Any]:
    """Read the facts that were answered in a group."""
    found: dict[str, Any] = {}
    for name, fact in catalogue().facts.items():
        shape = shape_of(fact.json_schema, unit=fact.unit)
        answer = reading.answer(group, name, shape, place)
        if answer is not None:
            found[name] = answer
    return found


def _sites(instance: Element) -> Iterator[Element]:
    for child in instance:
        if reading.tag(child).startswith(nodes.SITE):
            yield child


def _repeated(within: Element, name: str) -> Iterator[tuple[str, Element]]:
    """Give the entries of a repeat, each with its place, counted from 1."""
    for number, entry in enumerate(children(within, name), 1):
        yield f"/{name}[{number}]", entry


def _mode(instance: Element) -> str:
    """Read how the inspector looked; the least is assumed where nobody said."""
    for visit in children(instance, nodes.VISIT):
        mode = text_of(visit, nodes.MODE)
        if mode is not None:
            return mode
    return "documentary"


def _refusal(refused: ValidationError, places: list[str]) -> AnswerRefused:
    """Name the place in the form instead of that in the report."""
    errors = []
    for error in refused.errors():
        where: list[Any] = list(error["loc"])
        place = ""
        if where[:1] == ["statements"] and len(where) > 1:
            place, where = places[where[1]], [part for part in where[2:] if part != "facts"]
        elif where == ["mode"]:
            place = f"/{nodes.VISIT}"
        pointer = "/".join([place, *(str(part) for part in where)])
        errors.append({"pointer": pointer, "type": error["type"], "detail": error["msg"]})
    first = errors[0]
    return AnswerRefused(
        f"{first['pointer']}: {first['detail']}", pointer=first["pointer"], errors=errors[:50]
    )


def observations_of(instance: Element, checklist: Checklist) -> tuple[Observation, ...]:
    """Read what was seen of conditions that read no facts, for the file of the audit.

    Raises AnswerRefused for what is none of the codes: there is no free text.
    """
    found = []
    for group in children(instance, nodes.LICENSE):
        for part in checklist.parts:
            if all(question.fact is None for question in part.questions):
                seen, remark = part.questions
                found.append(
                    Observation(
                        part.key,
                        next(iter(_codes(group, seen)), None),
                        tuple(_codes(group, remark)),
                    )
                )
    return tuple(one for one in found if one.seen or one.remarks)


def _codes(group: Element, question: Question) -> list[str]:
    """Read the codes that were chosen."""
    chosen = (text_of(group, question.name) or "").split()
    if not {*chosen} <= {*question.answer.choices, nodes.NONE}:
        raise AnswerRefused(
            f"Choose from {', '.join(question.answer.choices)}.",
            pointer=f"/{nodes.LICENSE}/{question.name}",
        )
    return [code for code in chosen if code != nodes.NONE]


def pictures_of(instance: Element) -> tuple[str, ...]:
    """List the file names of the pictures that were taken."""
    names = [text_of(entry, nodes.PICTURE) for _, entry in _repeated(instance, nodes.EVIDENCE)]
    return tuple(name for name in names if name)
