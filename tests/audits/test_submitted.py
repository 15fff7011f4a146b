"""What is decided of a filled form without a database: its check, what it may hold."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from uuid import UUID, uuid4

import pytest
from defusedxml.ElementTree import fromstring

from app.audits import asked_for, openrosa, xform
from app.audits.matching import Candidate, choose
from benchmarks.checklists import checklist
from tests.audits.forms import filled

SEEN_AT = datetime(2026, 5, 11, 9, tzinfo=UTC)
FORM = xform.made_of(checklist(3))


def candidate(number: str, **more: Any) -> Candidate:
    fields: dict[str, Any] = {
        "id": uuid4(),
        "number": number,
        "site": None,
        "planned_for": SEEN_AT.date(),
        "created_at": SEEN_AT - timedelta(days=7),
        "closed": False,
        "theirs": True,
    }
    return Candidate(**(fields | more))


def chosen(*candidates: Candidate) -> str:
    id: UUID = choose(candidates, sites={"NBO-T1", None}, seen_at=SEEN_AT)
    assert id == choose(candidates[::-1], sites={"NBO-T1", None}, seen_at=SEEN_AT)
    return next(one.number for one in candidates if one.id == id)


@pytest.mark.parametrize(
    "worse",
    [
        {"created_at": SEEN_AT + timedelta(minutes=11)},
        {"theirs": False},
        {"closed": True},
        {"site": "EBB-1"},
        {"planned_for": date(2026, 5, 13)},
        {"planned_for": date(2026, 5, 9)},
    ],
)
def test_the_check_that_fits_better_is_meant(worse: dict[str, Any]) -> None:
    assert chosen(candidate("CHK-1", **worse), candidate("CHK-2", site="NBO-T1")) == "CHK-2"


def test_of_two_that_fit_alike_the_first_is_meant_and_one_is_always() -> None:
    assert chosen(candidate("CHK-2"), candidate("CHK-1")) == "CHK-1"
    late = candidate("CHK-3", created_at=SEEN_AT + timedelta(minutes=10))
    assert chosen(late, candidate("CHK-4")) == "CHK-3"  # clocks differ by that much
    assert chosen(candidate("CHK-5", closed=True, theirs=False, site="X")) == "CHK-5"


def test_a_form_as_it_was_handed_out_holds_nothing_that_was_not_asked() -> None:
    unit = {"serial": "FR-0001", "gallery_size": "7"}
    asked_for.check(filled(FORM, {}), FORM)
    asked_for.check(filled(FORM, {"unit": [unit, unit]}), FORM)
    several = {"site_1_changes": [{"subject": "use"}, {"subject": "site"}]}
    asked_for.check(filled(FORM, {"site_1": several}), FORM)


def test_a_second_entry_of_a_repeat_is_named_where_it_is_wrong() -> None:
    instance = filled(FORM, {"unit": [{"serial": "FR-0001"}, {"serial": "FR-0002"}]})
    instance.findall("unit")[1].append(fromstring("<iris_image/>"))
    with pytest.raises(asked_for.NotAsked) as refused:
        asked_for.check(instance, FORM)
    assert refused.value.pointer == "/unit[2]/iris_image"


def test_what_a_client_adds_about_the_form_itself_is_no_answer() -> None:
    instance = filled(FORM, {})
    (meta,) = instance.findall("meta")
    meta.append(fromstring("<instanceName>x</instanceName>"))
    asked_for.check(instance, FORM)


@pytest.mark.parametrize(
    ("start", "end", "expected"),
    [
        (-2, -1, (-2, -1)),
        (None, None, (0, 0)),
        (None, -1, (-1, -1)),
        (-1, None, (-1, 0)),
        (-1, -2, (-2, -2)),  # the clock was set back meanwhile
        (5, 6, (0, 0)),
        (5, -1, (-1, -1)),
    ],
)
def test_a_form_was_filled_in_before_it_came(
    start: int | None, end: int | None, expected: tuple[int, int]
) -> None:
    def at(hours: int | None) -> datetime | None:
        return None if hours is None else SEEN_AT + timedelta(hours=hours)

    instance = filled(FORM, {})
    sent = openrosa.Submission("uuid:x", "X", "1", at(start), at(end), instance)
    assert sent.times(SEEN_AT) == tuple(at(hours) for hours in expected)
    assert sent.ahead(SEEN_AT) == (5 in {start, end})
