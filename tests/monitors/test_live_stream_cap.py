from datetime import datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Case, Finding, Hears, Statement, Subject, Unit, live_stream_cap
from monitors.live_stream_cap import Terms, hears
from tests.monitors.amended import amended, twice
from tests.monitors.heard import NOON, SERIAL, case, judge, say

CAP: dict[str, Any] = {"max_streams": 100}
RECORDINGS: dict[str, Any] = {"retrospective_only": True}
NAIROBI, MOMBASA = Subject("site", "NBO-1"), Subject("site", "MBA-1")


def found(
    terms: dict[str, Any], *statements: Statement[Any], case: Case | None = None
) -> list[Finding]:
    return judge(live_stream_cap, terms, *statements, case=case)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def days(number: float) -> datetime:
    return NOON + timedelta(days=number)


def units(*known: Unit) -> dict[str, Unit]:
    return {unit.serial: unit for unit in known}


def unit(serial: str, site: str | None = "NBO-1", line: int = 1, *, shipped: bool = True) -> Unit:
    return Unit(serial, line, shipped_on=days(-90).date() if shipped else None, site=site)


def test_streams_up_to_the_cap_are_kept() -> None:
    said = say(concurrent_streams=100, site="NBO-1", live_matching=True)

    assert found(CAP, said, say(concurrent_streams=0, site="NBO-1")) == []


def test_what_is_not_stated_is_not_judged() -> None:
    for terms in (CAP, RECORDINGS, CAP | RECORDINGS):
        assert found(terms) == []
        assert found(terms, say(), say(site="NBO-1"), say(gallery_size=500)) == []


def test_one_stream_more_is_found() -> None:
    statement = say(concurrent_streams=1101, site="NBO-1")

    (finding,) = found({"max_streams": 1100}, statement)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "too_many_streams")
    assert finding.subject == NAIROBI
    assert finding.evidence == (statement.id,)
    assert finding.expected == "at most 1,100 camera streams at the same time per site"
    assert finding.observed == "1,101 analysed at the same time"


def test_streams_are_summed_over_a_site_by_what_is_stated_or_by_papers() -> None:
    known = case(units=units(unit("A"), unit("B", site="MBA-1"), unit("C", site=None)))
    said = [
        say("A", concurrent_streams=60),
        say("B", concurrent_streams=60),
        say("C", concurrent_streams=41, site="NBO-1"),
    ]

    (finding,) = found(CAP, *said, case=known)

    assert (finding.reason, finding.subject) == ("too_many_streams", NAIROBI)
    assert finding.observed == "101 analysed at the same time"
    assert finding.evidence == (said[2].id,)


def test_only_the_latest_number_of_each_unit_counts() -> None:
    earlier = [say("A", at=days(-3), concurrent_streams=60, site="NBO-1")]
    said = [say("B", concurrent_streams=n, site="NBO-1") for n in (40, 41, 40)]

    (finding,) = found(CAP, *said, case=case(earlier=earlier))

    assert finding.evidence == (said[1].id,)


def test_a_silent_unit_still_counts() -> None:
    earlier = [say("B", at=days(-400), concurrent_streams=95, site="NBO-1")]
    said = say("A", concurrent_streams=6, site="NBO-1")

    assert reasons(found(CAP, said, case=case(earlier=earlier))) == ["too_many_streams"]


def test_a_unit_that_moves_takes_its_streams_along() -> None:
    said = [
        say("A", concurrent_streams=60, site="NBO-1"),
        say("A", concurrent_streams=60, site="MBA-1"),
        say("B", concurrent_streams=60, site="NBO-1"),
        say("C", concurrent_streams=60, site="MBA-1"),
    ]

    (finding,) = found(CAP, *said)

    assert finding.subject == MOMBASA


def test_without_a_site_the_sum_cannot_be_assessed() -> None:
    (finding,) = found(CAP, say(concurrent_streams=5000))

    assert (finding.answer, finding.reason) == (Answer.NOT_ASSESSABLE, "site_unknown")
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.missing == ("site",)
    assert finding.observed == "5,000 on a unit at an unstated site"


def test_a_sum_without_all_its_units_is_not_kept() -> None:
    known = case(
        units=units(
            unit("A"), unit("B"), unit("C", site="MBA-1"), unit("D", shipped=False), unit("E", None)
        )
    )

    (finding,) = found(CAP, say("A", concurrent_streams=10), case=known)

    assert (finding.answer, finding.reason) == (Answer.NOT_ASSESSABLE, "streams_missing")
    assert finding.subject == NAIROBI
    assert finding.missing == ("concurrent_streams",)
    assert finding.observed == "10 analysed at the same time, without B"
    assert reasons(found(CAP, say("A", concurrent_streams=101), case=known)) == ["too_many_streams"]


def test_a_sum_is_kept_once_every_unit_shipped_by_then_has_said_its_number() -> None:
    known = case(
        units=units(unit("A"), unit("B")), earlier=[say("B", at=days(-70), concurrent_streams=5)]
    )

    assert found(CAP, say("A", concurrent_streams=10), case=known) == []
    assert found(CAP, say("A", at=days(-91), concurrent_streams=10), case=known) == []
    shipped_that_day = say("A", at=days(-90), concurrent_streams=10)
    assert reasons(found(CAP, shipped_that_day, case=known)) == ["streams_missing"]


def test_what_was_said_later_does_not_count_yet() -> None:
    later = say("B", at=days(1), concurrent_streams=95, site="NBO-1")
    first = say("A", concurrent_streams=50, site="NBO-1")
    last = say("A", at=days(2), concurrent_streams=50, site="NBO-1")

    (finding,) = found(CAP, first, last, case=case(earlier=[later]))

    assert finding.at == last.observed_at


def test_what_was_said_at_the_same_moment_counts() -> None:
    beside = say("B", concurrent_streams=95, site="NBO-1")
    said = say("A", concurrent_streams=6, site="NBO-1")

    assert reasons(found(CAP, said, case=case(earlier=[beside]))) == ["too_many_streams"]


def test_only_units_on_the_lines_of_the_condition_count() -> None:
    known = case(
        lines=frozenset({1}),
        units=units(unit("A"), unit("B", line=2), unit("C", line=2)),
        earlier=[
            say("B", at=days(-1), concurrent_streams=95),
            say("STRAY", at=days(-1), concurrent_streams=95, site="NBO-1"),
            say("A", at=days(-1)),
        ],
    )

    assert found(CAP, say("A", concurrent_streams=90), case=known) == []
    assert found(CAP, say("B", concurrent_streams=900), case=known) == []
    assert reasons(found(CAP, say("A", concurrent_streams=101), case=known)) == ["too_many_streams"]


def test_statements_about_anything_but_a_unit_are_no_part_of_a_sum() -> None:
    assert found(CAP, say(NAIROBI, concurrent_streams=500)) == []


def test_live_matching_is_found_where_only_recordings_may_be_searched() -> None:
    statement = say(live_matching=True, concurrent_streams=500)

    (finding,) = found(RECORDINGS, statement)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "live_matching_on")
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.expected == "only recordings searched"
    assert found(RECORDINGS, say(live_matching=False)) == []


def test_both_are_found_when_both_are_so() -> None:
    said = say(live_matching=True, concurrent_streams=101, site="NBO-1")

    assert reasons(found(CAP | RECORDINGS, said)) == ["live_matching_on", "too_many_streams"]
    assert reasons(found(CAP | RECORDINGS, say(live_matching=True))) == ["live_matching_on"]


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(concurrent_streams=150, site="NBO-1", live_matching=True)

    assert reasons(found(CAP, statement)) == ["too_many_streams"]
    assert found({"max_streams": 150}, statement) == []
    assert reasons(found(RECORDINGS, statement)) == ["live_matching_on"]


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(concurrent_streams=150, site="NBO-1")

    assert amended(live_stream_cap, CAP, {"max_streams": 150}, then, now) == [
        (then.id, "too_many_streams")
    ]


def test_streams_said_under_the_old_terms_count_in_the_sum_of_the_new() -> None:
    first, _ = twice("A", concurrent_streams=60, site="NBO-1")
    _, second = twice("B", concurrent_streams=60, site="NBO-1")

    over = [(second.id, "too_many_streams")]
    assert amended(live_stream_cap, CAP, {"max_streams": 119}, first, second) == over
    assert amended(live_stream_cap, CAP, {"max_streams": 120}, first, second) == []


def test_it_hears_back_what_a_sum_needs() -> None:
    assert hears(Terms.model_validate(RECORDINGS)) == Hears()
    assert hears(Terms.model_validate(CAP)) == Hears(
        latest=True, stating="concurrent_streams", scope="license"
    )


@pytest.mark.parametrize(
    "terms",
    [{}, {"retrospective_only": False}, {"max_streams": -1}, CAP | {"streams": 3}],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


SAID = st.tuples(
    st.sampled_from("ABC"),
    st.integers(0, 900),
    st.none() | st.integers(0, 120) | st.just(10**12),
    st.none() | st.sampled_from(["NBO-1", "MBA-1"]),
    st.none() | st.booleans(),
)


@given(
    st.lists(SAID, max_size=12, unique_by=lambda said: said[1]),
    st.sampled_from([CAP, RECORDINGS, CAP | RECORDINGS]),
    st.sampled_from([frozenset[int](), frozenset({1})]),
)
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[str, int, int | None, str | None, bool | None]],
    terms: dict[str, Any],
    lines: frozenset[int],
) -> None:
    known = units(unit("A"), unit("B", line=2), unit("C", site=None))
    said = [
        say(
            serial,
            at=NOON + timedelta(hours=hour),
            concurrent_streams=streams,
            site=site,
            live_matching=live,
        )
        for serial, hour, streams, site, live in sorted(stated, key=lambda one: one[1])
    ]

    alone = [
        finding
        for index, one in enumerate(said)
        for finding in found(
            terms, one, case=case(units=known, lines=lines, earlier=latest(said[:index]))
        )
    ]

    assert found(terms, *said, case=case(units=known, lines=lines)) == alone


def latest(before: list[Statement[Any]]) -> list[Statement[Any]]:
    """Hear what the monitor asks for: the latest statement of each unit that states its streams."""
    return list(
        {one.subject: one for one in before if one.facts.concurrent_streams is not None}.values()
    )
