"""What is asked on site: the checklist of a license, part by part. Pure.

A part is one condition in force: its text word for word, how to check it, what you should see, and
a question for each fact its monitor reads. A condition that reads no facts is asked about by
*seen*: yes, no or not seen, with a remark that is a code; there is no free text, so there is no
room for a person in it.
"""

import hashlib
import json
import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import date, datetime
from typing import Any

from app.audits.shapes import Input, Shape, own_words, shape_of, with_words
from monitors import Fact, Monitor

SEEN = ("yes", "no", "not_seen")
REMARKS = (
    "no_access",
    "nothing_there",
    "differs_from_license",
    "document_missing",
    "document_out_of_date",
    "shown_on_screen_only",
    "copy_taken",
    "to_be_followed_up",
)
"""What may be remarked where a condition reads no facts."""


@dataclass(frozen=True, slots=True)
class Question:
    """One question. `fact` is the word of the vocabulary that the answer states, if it states one.

    `scope` is what it is asked about: each unit, each site, or the license.
    """

    name: str
    fact: str | None
    question: str
    unit: str
    scope: str
    answer: Shape


@dataclass(frozen=True, slots=True)
class Part:
    """One condition in force and what it asks. `lines` are those it covers; empty is all."""

    key: str
    version: int
    kind: str
    title: str
    text: str
    lines: tuple[int, ...]
    how_to_check: str
    what_to_see: str
    questions: tuple[Question, ...]


@dataclass(frozen=True, slots=True)
class UnitToSight:
    """A unit that was shipped, and where its papers say it is.

    One that is said to be gone is on the list too: whether it is, somebody must see.
    """

    serial: str
    line: int
    site: str | None
    shipped_on: date | None
    consignee: str | None


@dataclass(frozen=True, slots=True)
class SiteToVisit:
    """A site of the license."""

    reference: str
    name: str
    country: str


@dataclass(frozen=True, slots=True)
class Checklist:
    """What a license asks of whoever goes and looks, as of a moment."""

    license: str
    exporter: str
    state: str
    revision: int
    as_of: datetime
    sites: tuple[SiteToVisit, ...]
    parts: tuple[Part, ...]
    units: tuple[UnitToSight, ...]
    digest: str = ""

    @property
    def version(self) -> str:
        """Name this content: another revision, condition, unit or catalogue is another version."""
        return f"{self.revision}-{self.digest[:12]}"

    @property
    def form_id(self) -> str:
        """Name the form of the license; it stays while versions change."""
        return f"endwatch_{self.license}"


def sealed(checklist: Checklist) -> Checklist:
    """Give the checklist its digest: SHA-256 of all it says but the moment it was asked for."""
    said = asdict(checklist)
    del said["as_of"], said["digest"]
    text = json.dumps(said, sort_keys=True, default=str, separators=(",", ":"))
    return replace(checklist, digest=hashlib.sha256(text.encode()).hexdigest())


@dataclass(frozen=True, slots=True)
class Ground:
    """What of the license goes into its questions: references that nobody should have to type."""

    sites: tuple[str, ...] = ()
    parties: tuple[str, ...] = ()
    countries: tuple[str, ...] = ()

    def words(self, unit: str) -> tuple[str, ...]:
        """Give the references that answer a question of this unit."""
        known = {
            "site reference": self.sites,
            "party reference": self.parties,
            "party references": self.parties,
            "ISO 3166-1 alpha-2": self.countries,
        }
        return known.get(unit, ())


def part_of(
    monitor: Monitor,
    *,
    key: str,
    version: int,
    text: str,
    terms: Mapping[str, Any],
    lines: Iterable[int],
    facts: Iterable[Fact],
    ground: Ground,
) -> Part:
    """Make the part of one condition. `facts` are those its monitor reads under these terms."""
    read = sorted(facts, key=_name)
    return Part(
        key=key,
        version=version,
        kind=monitor.kind,
        title=monitor.title,
        text=text,
        lines=tuple(sorted(lines)),
        how_to_check=monitor.how_to_check,
        what_to_see=monitor.what_to_see,
        questions=_questions(read, terms, ground) or _seen(key),
    )


def _name(fact: Fact) -> str:
    return fact.name


def _questions(
    read: Sequence[Fact], terms: Mapping[str, Any], ground: Ground
) -> tuple[Question, ...]:
    shapes = {fact.name: shape_of(fact.json_schema, unit=fact.unit) for fact in read}
    return tuple(
        Question(
            name=fact.name,
            fact=fact.name,
            question=fact.question,
            unit=fact.unit,
            scope=scope_of(fact, read, has_sites=bool(ground.sites)),
            answer=with_words(
                shapes[fact.name],
                (*own_words(fact.name, terms, shapes), *ground.words(fact.unit)),
            ),
        )
        for fact in read
    )


def scope_of(fact: Fact, beside: Sequence[Fact], *, has_sites: bool) -> str:
    """Choose what a fact is asked about, where it may be said of several.

    Of the site somebody stands at, once, and not of each of 400 units; but of the unit where the
    same condition reads what is said of units alone, since its monitor reads them together.
    """
    if len(fact.scopes) == 1:
        return fact.scopes[0]
    if "unit" in fact.scopes and any(other.scopes == ("unit",) for other in beside):
        return "unit"
    order = ("site", "license", "unit") if has_sites else ("license", "unit", "site")
    return next(scope for scope in order if scope in fact.scopes)


def _seen(key: str) -> tuple[Question, ...]:
    """Ask about a condition that reads no facts."""
    name = re.sub(r"[^a-z0-9]+", "_", key.lower())
    return (
        Question(
            name=f"seen_{name}",
            fact=None,
            question="Is it as it should be?",
            unit="yes, no or not seen",
            scope="license",
            answer=Shape(Input.ONE_OF, choices=SEEN),
        ),
        Question(
            name=f"remark_{name}",
            fact=None,
            question="What is to be remarked?",
            unit="remarks",
            scope="license",
            answer=Shape(Input.SEVERAL_OF, choices=REMARKS),
        ),
    )


@dataclass(frozen=True, slots=True)
class Asked:
    """A question as a form asks it: once, however many parts want the answer."""

    question: Question
    parts: tuple[Part, ...]

    @property
    def lines(self) -> tuple[int, ...]:
        """Tell the lines whose units it is asked about; empty is all."""
        if not all(part.lines for part in self.parts):
            return ()
        return tuple(sorted({line for part in self.parts for line in part.lines}))


def asked(checklist: Checklist, scope: str) -> list[Asked]:
    """List the questions about each unit, each site or the license, each once."""
    found: dict[str, Asked] = {}
    for part in checklist.parts:
        for question in part.questions:
            if question.scope != scope:
                continue
            known = found.get(question.name)
            if known is None:
                found[question.name] = Asked(question, (part,))
            else:
                answer = with_words(known.question.answer, question.answer.choices)
                found[question.name] = Asked(
                    replace(known.question, answer=answer), (*known.parts, part)
                )
    return list(found.values())
