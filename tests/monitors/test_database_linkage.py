from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, database_linkage
from monitors.database_linkage import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import SERIAL, judge, say

TERMS = {"allowed_integrations": ["passport_register", "visa_system"]}
ALONE: dict[str, Any] = {}

systems = st.lists(st.sampled_from(["Visa_System", "telecom", "civil_register", "other"]))
counts = st.none() | st.integers(0, 10**12)


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(database_linkage, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_agreed_systems_and_no_bulk_export_are_kept() -> None:
    assert found(TERMS, say(integrations=["Visa_System"], bulk_exports=0)) == []
    assert found(TERMS, say(integrations=["visa_system", "passport_register"])) == []
    assert found(ALONE, say(integrations=[])) == []


def test_what_is_not_stated_is_not_judged() -> None:
    for terms in (TERMS, ALONE):
        assert found(terms) == []
        assert found(terms, say(), say(gallery_size=5)) == []


def test_a_system_that_is_not_allowed_is_found() -> None:
    statement = say(integrations=["telecom", "visa_system", "Civil_Register"])

    (finding,) = found(TERMS, statement)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "integration_not_allowed")
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.expected == "linked only to passport_register, visa_system"
    assert finding.observed == "linked to civil_register, telecom"


def test_a_unit_that_must_stand_alone_is_linked_to_nothing() -> None:
    (finding,) = found(ALONE, say(integrations=["visa_system"]))

    assert finding.reason == "integration_not_allowed"
    assert finding.expected == "linked to no other system"


def test_one_bulk_export_is_found_unless_allowed() -> None:
    statement = say(bulk_exports=1)

    (finding,) = found(TERMS, statement)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "bulk_export")
    assert finding.observed == "1 made since the reading before"
    assert found(TERMS | {"bulk_export_allowed": True}, statement) == []


def test_a_system_that_is_not_named_cannot_be_assessed_and_hides_nothing() -> None:
    (unclear,) = found(TERMS, say(integrations=["visa_system", "Unknown"]))

    assert (unclear.answer, unclear.reason) == (Answer.NOT_ASSESSABLE, "integration_unnamed")
    assert unclear.missing == ("integrations",)
    assert unclear.observed == "an integration given as unknown"
    said = say(integrations=["other", "telecom"], bulk_exports=2)
    assert reasons(found(TERMS, said)) == [
        "integration_not_allowed",
        "integration_unnamed",
        "bulk_export",
    ]


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(integrations=["telecom"])

    assert reasons(found(TERMS, statement)) == ["integration_not_allowed"]
    assert found({"allowed_integrations": ["Telecom"]}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(integrations=["telecom"])

    assert amended(database_linkage, TERMS, {"allowed_integrations": ["telecom"]}, then, now) == [
        (then.id, "integration_not_allowed")
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {"allowed_integrations": ["other"]},
        {"allowed_integrations": ["visa system"]},
        {"allowed_integrations": ["a"] * 101},
        {"bulk_export_allowed": "perhaps"},
        {"allowed": ["visa_system"]},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(
    st.sampled_from([TERMS, ALONE]),
    st.lists(st.tuples(st.none() | systems, counts), max_size=5),
)
def test_statements_alone_or_together_give_the_same(
    terms: dict[str, Any], stated: list[tuple[list[str] | None, int | None]]
) -> None:
    said = [say(integrations=linked, bulk_exports=exports) for linked, exports in stated]

    alone = [finding for one in said for finding in found(terms, one)]

    assert found(terms, *said) == alone
    assert reasons(alone).count("bulk_export") == sum(bool(exports) for _, exports in stated)
