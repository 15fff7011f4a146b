from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, data_localization
from monitors.data_localization import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import SERIAL, judge, say

TERMS = {"storage_countries": ["KE"], "processing_countries": ["KE", "DE"]}

countries = st.lists(st.sampled_from(["KE", "DE", "XX", "AE"]), max_size=4)


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(data_localization, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_data_in_the_named_countries_are_kept() -> None:
    assert found(TERMS, say(storage_countries=["KE"], processing_countries=["DE", "KE"])) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5)) == []
    assert found(TERMS, say(storage_countries=["KE"])) == []


def test_data_stored_elsewhere_are_found() -> None:
    statement = say(storage_countries=["KE", "AE", "XX"])

    (finding,) = found(TERMS, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "stored_elsewhere"
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.expected == "stored only in Kenya (KE)"
    assert finding.observed == "stored in United Arab Emirates (AE), no assigned country (XX)"


def test_data_processed_elsewhere_are_found() -> None:
    (finding,) = found(TERMS, say(processing_countries=["AE"]))

    assert finding.reason == "processed_elsewhere"
    assert finding.expected == "processed only in Germany (DE), Kenya (KE)"
    assert finding.observed == "processed in United Arab Emirates (AE)"


def test_both_are_found_when_both_are_elsewhere() -> None:
    said = say(storage_countries=["DE"], processing_countries=["AE"])

    assert reasons(found(TERMS, said)) == ["stored_elsewhere", "processed_elsewhere"]


def test_an_empty_list_cannot_be_assessed() -> None:
    findings = found(TERMS, say(storage_countries=[], processing_countries=[]))

    assert {finding.answer for finding in findings} == {Answer.NOT_ASSESSABLE}
    assert reasons(findings) == ["no_storage_named", "no_processing_named"]
    assert [finding.missing for finding in findings] == [
        ("storage_countries",),
        ("processing_countries",),
    ]


def test_a_list_left_empty_in_the_terms_sets_no_limit() -> None:
    everywhere = say(storage_countries=["AE"], processing_countries=["AE"])

    assert reasons(found({"storage_countries": ["KE"]}, everywhere)) == ["stored_elsewhere"]
    assert reasons(found({"processing_countries": ["KE"]}, everywhere)) == ["processed_elsewhere"]
    assert found({"processing_countries": ["KE"]}, say(storage_countries=[])) == []


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(storage_countries=["DE"])

    assert len(found(TERMS, statement)) == 1
    assert found({"storage_countries": ["KE", "DE"]}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(storage_countries=["DE"])

    assert amended(data_localization, TERMS, {"storage_countries": ["KE", "DE"]}, then, now) == [
        (then.id, "stored_elsewhere")
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"storage_countries": [], "processing_countries": []},
        {"storage_countries": ["XX"]},
        {"processing_countries": ["Kenya"]},
        {"countries": ["KE"]},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.lists(st.tuples(st.none() | countries, st.none() | countries), max_size=5))
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[list[str] | None, list[str] | None]],
) -> None:
    said = [say(storage_countries=kept, processing_countries=used) for kept, used in stated]

    alone = [finding for one in said for finding in found(TERMS, one)]

    assert found(TERMS, *said) == alone
