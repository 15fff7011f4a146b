"""Whatever may be said and be on file, drawn at random, for tests that hold for every kind.

Cases are drawn from the contract's own annotations, so that a new part is drawn without a line here.
"""

from contextlib import suppress
from dataclasses import fields, is_dataclass
from datetime import date, datetime
from decimal import Decimal
from enum import StrEnum
from functools import cache
from itertools import chain, combinations
from types import NoneType, UnionType
from typing import Any, Literal, Union, get_args, get_origin, get_type_hints

from hypothesis import reject
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Case, Need, Source, Statement, Subject, TermsModel, Unit, catalogue
from tests.monitors import drawn
from tests.monitors.drawn import Drawn

WHOLE = Subject("license", "BX-2026-00017")
SUBJECTS = (*(Subject("unit", name) for name in drawn.NAMES[:2]), Subject("site", "NBO-T1"), WHOLE)
ON_ASKING = {
    "ledger": Need.LEDGER,
    "parties": Need.PARTIES,
    "obligations": Need.OBLIGATIONS,
    "filings": Need.FILINGS,
    "documents": Need.DOCUMENTS,
    "screenings": Need.SCREENING,
    "hits": Need.SCREENING,
    "custody": Need.CUSTODY,
    "shipments": Need.SHIPMENTS,
    "transfers": Need.TRANSFERS,
    "states": Need.STATES,
}
"""Parts of the case that are empty unless a monitor asks for them."""


def example(kind: str) -> dict[str, Any]:
    """Give the stored example of a kind's terms."""
    return drawn.example(kind)


def terms(kind: str) -> st.SearchStrategy[TermsModel]:
    """Draw terms: the stored example, with some of what may be left out left out."""
    return st.sampled_from(_variants(kind))


@cache
def _variants(kind: str) -> list[TermsModel]:
    stored, known = example(kind), catalogue()[kind].terms.model_fields
    optional = [name for name in stored if not known[name].is_required()]
    found = []
    for gone in chain.from_iterable(combinations(optional, many) for many in range(len(optional))):
        with suppress(ValidationError):  # one of those left out was needed
            left = {name: value for name, value in stored.items() if name not in gone}
            found.append(catalogue().terms(kind, left))
    return found or [catalogue().terms(kind, stored)]


@st.composite
def said(draw: st.DrawFn, kind: str, least: int = 0) -> list[Statement[Any]]:
    """Draw statements as monitors hear them, of subjects of every kind and from any source."""
    many = draw(st.integers(least, 4) | st.integers(5, 7))
    unsorted = [draw(_statement(kind, f"s{number}")) for number in range(many)]
    return sorted(unsorted, key=lambda one: (one.observed_at, one.subject.reference, one.id))


@st.composite
def _statement(draw: st.DrawFn, kind: str, id: str) -> Statement[Any]:
    vocabulary = catalogue()
    stated = draw(st.sets(st.sampled_from(_pool(kind)), max_size=6)) if _pool(kind) else set()
    try:
        facts = vocabulary.validate_facts(
            {name: draw(drawn.fact(name, kind)) for name in sorted(stated)}
        )
    except ValidationError:
        reject()
    subject = draw(st.sampled_from(SUBJECTS) | _of(Subject, kind))
    source = draw(_of(Source, kind))
    times = draw(st.tuples(drawn.MOMENTS, drawn.MOMENTS, drawn.MOMENTS))
    return Statement(id, subject, vocabulary.stated(facts), *times, source)


@cache
def _pool(kind: str) -> list[str]:
    """List the facts a kind reads, and every other if it hears of all: those seldom."""
    monitor = catalogue()[kind]
    own = frozenset[str]().union(*map(monitor.facts_read, _variants(kind)))
    others = sorted(catalogue().facts) if monitor.any_fact else []
    return sorted(own) * (1 + len(others) // max(1, len(own))) + others


@cache
def cases(kind: str) -> Drawn:
    """Draw cases in which everything the kind asks for may be anything; nothing was said earlier."""
    needs, hints = catalogue()[kind].needs, get_type_hints(Case)
    units = st.lists(_of(Unit, kind), max_size=4).map(_by_serial)
    whole, zones = st.just(WHOLE.reference), st.sampled_from(drawn.ZONES)
    parts = {"license": whole, "units": units, "time_zone": zones}
    for field in fields(Case):
        if field.name not in {"earlier", *parts} and ON_ASKING.get(field.name) in {None, *needs}:
            parts[field.name] = _field(field.name, hints[field.name], kind)
    return st.builds(Case, **parts)


def _by_serial(units: list[Unit]) -> dict[str, Unit]:
    return {one.serial: one for one in units}


@cache
def _of(hint: Any, kind: str) -> Drawn:
    """Draw what an annotation of the contract allows."""
    inside, several = [_of(one, kind) for one in _typed(hint)], get_origin(hint)
    if several in (Union, UnionType):
        return st.one_of(inside)
    if several is frozenset:
        return st.frozensets(inside[0], max_size=3)
    if several is tuple and Ellipsis in get_args(hint):
        return st.lists(inside[0], max_size=3).map(tuple)
    if several is tuple:
        return st.tuples(*inside)
    return _one(hint, kind)


def _field(name: str, hint: Any, kind: str) -> Drawn:
    """Draw a field of a record; what a text may be depends on its name."""
    if hint in (str, str | None):
        texts = drawn.texts(name, kind)
        return texts if hint is str else st.none() | texts
    return _of(hint, kind)


def _typed(hint: Any) -> list[Any]:
    literal = get_origin(hint) is Literal
    return [] if literal else [one for one in get_args(hint) if one is not Ellipsis]


def _one(hint: Any, kind: str) -> Drawn:
    """Draw one thing: a word of a few, a record with its fields, or a plain value."""
    if get_origin(hint) is Literal:
        return st.sampled_from(get_args(hint))
    if is_dataclass(hint) or hasattr(hint, "_fields"):
        typed = get_type_hints(hint).items()
        built = st.builds(hint, **{name: _field(name, one, kind) for name, one in typed})
        return st.just(WHOLE) | built if hint is Subject else built
    if isinstance(hint, type) and issubclass(hint, StrEnum):
        return st.sampled_from(sorted(hint))
    return {
        str: drawn.texts("", kind),
        int: st.integers(0, 3) | st.integers(0, 10**9),
        bool: st.booleans(),
        Decimal: drawn.AMOUNTS,
        date: drawn.DAYS,
        datetime: drawn.MOMENTS,
        NoneType: st.none(),
    }[hint]
