"""What holds for every kind of condition there is, and for every one there will be."""

import json
import re
from collections.abc import Iterable, Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from monitors import Answer, Awaited, Case, Duty, Finding, Hears, Statement, TermsModel, catalogue
from tests.monitors import anything, drawn

KINDS = sorted(catalogue().monitors)
STORED = sorted(file.stem for file in drawn.TERMS.iterdir())

every_kind = pytest.mark.parametrize("kind", KINDS)
many_times = settings(
    max_examples=25,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large],
)


def test_there_are_kinds_and_each_has_one_stored_example() -> None:
    assert len(KINDS) >= 28
    assert STORED == KINDS


def _judged(
    kind: str, terms: TermsModel, heard: Sequence[Statement[Any]], case: Case, moment: datetime
) -> list[Finding]:
    return list(catalogue()[kind].evaluate(terms, heard, case, moment))


def _well_formed(finding: Finding) -> bool:
    """Whether a person and the product can read it."""
    assert finding.subject.kind in {"unit", "site", "license", "party"}
    assert re.fullmatch(r"[a-z0-9_]+", finding.reason)
    assert finding.at.utcoffset() is not None
    assert all((finding.expected, finding.observed, finding.clears))
    assert all(isinstance(one, str) for one in (*finding.evidence, *finding.missing))
    assert finding.answer is Answer.BROKEN or finding.missing
    return True


@every_kind
@given(data=st.data())
@many_times
def test_no_input_whatever_makes_a_monitor_raise(kind: str, data: st.DataObject) -> None:
    terms, case = data.draw(anything.terms(kind)), data.draw(anything.cases(kind))
    case = replace(case, earlier=data.draw(anything.said(kind)))
    heard, moment = data.draw(anything.said(kind)), data.draw(drawn.MOMENTS)

    found = _judged(kind, terms, heard, case, moment)

    assert all(map(_well_formed, found))
    assert _judged(kind, terms, heard, case, moment) == found


@every_kind
@given(data=st.data())
@many_times
def test_what_it_hears_owes_and_awaits_can_always_be_said(kind: str, data: st.DataObject) -> None:
    monitor, terms = catalogue()[kind], data.draw(anything.terms(kind))

    assert isinstance(monitor.hears(terms), Hears)
    if monitor.owes is not None:
        assert isinstance(monitor.owes(terms), Duty)
    if monitor.awaits is not None:
        awaited = list(monitor.awaits(terms, data.draw(anything.cases(kind))))
        assert all(map(_in_order, awaited))
        assert len({(one.subject, one.item, one.due_at) for one in awaited}) == len(awaited)


def _in_order(awaited: Awaited) -> bool:
    """Whether it is due before its grace is over."""
    assert awaited.due_at <= awaited.grace_until
    return True


Said = tuple[object, ...]


def _told(found: Iterable[Finding]) -> set[Said]:
    return {(one.subject, one.reason, one.evidence[:1], one.answer) for one in found}


@every_kind
@given(data=st.data())
@many_times
def test_statements_one_by_one_or_all_at_once_tell_the_same(kind: str, data: st.DataObject) -> None:
    terms, case = data.draw(anything.terms(kind)), data.draw(anything.cases(kind))
    heard, moment = data.draw(anything.said(kind, least=1)), data.draw(drawn.MOMENTS)
    alone = catalogue()[kind].hears(terms).nothing

    one_by_one = [
        finding
        for index, one in enumerate(heard)
        for finding in _judged(
            kind, terms, [one], replace(case, earlier=() if alone else heard[:index]), moment
        )
    ]

    assert _told(one_by_one) == _told(_judged(kind, terms, heard, case, moment))


@pytest.mark.parametrize("kind", STORED)
def test_stored_terms_stay_readable_for_ever(kind: str) -> None:
    stored = anything.example(kind)

    terms = catalogue().terms(kind, stored)

    dumped = json.loads(json.dumps(terms.model_dump(mode="json")))
    kept = {name: dumped[name] for name in stored}
    assert catalogue().terms(kind, kept) == catalogue().terms(kind, dumped) == terms
    assert _plainly(kept) == _plainly(stored)


def _plainly(part: Any) -> Any:
    """Write numbers alike, however they were written: decimals travel as text."""
    if isinstance(part, dict):
        return {name: _plainly(one) for name, one in part.items()}
    if isinstance(part, list):
        return [_plainly(one) for one in part]
    number = isinstance(part, int | float | str) and re.fullmatch(r"-?\d+(\.\d+)?", str(part))
    return float(part) if number and not isinstance(part, bool) else part
