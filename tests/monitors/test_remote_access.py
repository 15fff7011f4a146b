import json
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, catalogue, remote_access
from monitors.remote_access import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import SERIAL, judge, say

TERMS = {"countries": ["KE", "DE"], "accounts": ["maint-1"], "log_days": 365}

sessions = st.lists(
    st.fixed_dictionaries(
        {},
        optional={
            "country": st.sampled_from(["KE", "AE", "XX"]),
            "account": st.sampled_from(["maint-1", "guest", "Unknown"]),
        },
    ),
    max_size=4,
)


def session(country: str | None = None, account: str | None = None) -> dict[str, str | None]:
    return {"country": country, "account": account}


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(remote_access, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_sessions_by_named_accounts_from_named_countries_are_kept() -> None:
    said = say(remote_sessions=[session("KE", "maint-1"), session("DE", "maint-1")])

    assert found(TERMS, said) == []


def test_no_session_is_kept() -> None:
    assert found(TERMS, say(remote_sessions=[])) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5)) == []


def test_a_session_from_elsewhere_is_found() -> None:
    statement = say(remote_sessions=[session("AE", "maint-1"), session("XX", "maint-1")])

    (finding,) = found(TERMS, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "session_from_elsewhere"
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.expected == "remote sessions only from Germany (DE), Kenya (KE)"
    assert finding.observed == (
        "a session from United Arab Emirates (AE), no assigned country (XX)"
    )


def test_a_session_by_another_account_is_found() -> None:
    said = say(remote_sessions=[session("KE", "guest"), session("KE", "maint-1")])

    (finding,) = found(TERMS, said)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "session_by_other_account"
    assert finding.expected == "remote sessions only by maint-1"
    assert finding.observed == "a session by guest"


def test_a_list_left_empty_in_the_terms_sets_no_limit() -> None:
    said = say(remote_sessions=[session("AE", "guest"), session()])

    assert reasons(found({"countries": ["AE"]}, said)) == ["session_country_unknown"]
    assert reasons(found({"accounts": ["guest"]}, said)) == ["session_account_unknown"]


@pytest.mark.parametrize("account", [None, "unknown", "Other"])
def test_a_session_of_unstated_origin_cannot_be_assessed(account: str | None) -> None:
    findings = found(TERMS, say(remote_sessions=[session(None, account)]))

    assert {finding.answer for finding in findings} == {Answer.NOT_ASSESSABLE}
    assert {finding.missing for finding in findings} == {("remote_sessions",)}
    assert reasons(findings) == ["session_country_unknown", "session_account_unknown"]


def test_a_session_of_unstated_origin_hides_no_other() -> None:
    assert reasons(found(TERMS, say(remote_sessions=[session(), session("AE", "guest")]))) == [
        "session_from_elsewhere",
        "session_country_unknown",
        "session_by_other_account",
        "session_account_unknown",
    ]


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(remote_sessions=[session("AE", "maint-1")])

    assert reasons(found(TERMS, statement)) == ["session_from_elsewhere"]
    assert found({"countries": ["AE"]}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(remote_sessions=[session("AE", "maint-1")])

    assert amended(remote_access, TERMS, {"countries": ["AE"]}, then, now) == [
        (then.id, "session_from_elsewhere")
    ]


@pytest.mark.parametrize(
    "stated",
    [
        [{"country": "Kenya"}],
        [{"account": "a person's name"}],
        [{"country": "KE", "image": "AAAA"}],
        [{}] * 1001,
        [7],
    ],
)
def test_a_session_has_no_room_for_anything_else(stated: list[Any]) -> None:
    with pytest.raises(ValidationError):
        catalogue().validate_facts({"remote_sessions": stated})
    with pytest.raises(ValidationError):
        catalogue().facts_of(json.dumps({"remote_sessions": stated}))


def test_sessions_are_read_from_json_as_from_python() -> None:
    stated = {"remote_sessions": [{"country": "KE"}, {"account": "maint-1"}, {}]}

    assert catalogue().facts_of(json.dumps(stated)) == catalogue().validate_facts(stated)


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"log_days": 30},
        {"countries": ["XX"]},
        {"countries": [], "accounts": []},
        {"accounts": ["two words"]},
        {"accounts": ["unknown"]},
        {"countries": ["KE"], "log_days": 0},
        {"countries": ["KE"], "days": 3},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.lists(st.none() | sessions, max_size=5))
def test_statements_alone_or_together_give_the_same(
    stated: list[list[dict[str, str]] | None],
) -> None:
    said = [say(remote_sessions=those) for those in stated]

    alone = [finding for one in said for finding in found(TERMS, one)]

    assert found(TERMS, *said) == alone
    kept = [s for s in said if not found(TERMS, s)]
    right = [
        s
        for s, those in zip(said, stated, strict=True)
        if all(
            one.get("country") == "KE" and one.get("account") == "maint-1" for one in those or ()
        )
    ]
    assert kept == right
