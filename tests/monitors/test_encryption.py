from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, encryption
from monitors.encryption import TLS, Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import SERIAL, judge, say

TERMS: dict[str, Any] = {
    "at_rest": ["AES-256-GCM", "aes-256-xts"],
    "min_tls": "1.2",
    "key_custodians": ["KE-BCA"],
}

algorithms = st.none() | st.sampled_from(["aes-256-gcm", "none", "des", "unknown"])
versions = st.none() | st.sampled_from([*TLS, "ssl3", "1.4", "unknown"])
custodians = st.none() | st.sampled_from(["KE-BCA", "ACME", "Unknown"])


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(encryption, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_a_listed_algorithm_the_lowest_version_and_the_named_party_are_kept() -> None:
    said = say(encryption_at_rest="Aes-256-Gcm", tls_min_version="1.2", key_custodian="KE-BCA")

    assert found(TERMS, said) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5)) == []


@pytest.mark.parametrize(
    ("algorithm", "reason", "observed"),
    [
        ("des", "algorithm_not_listed", "encrypted with des"),
        ("None", "not_encrypted", "stored data not encrypted"),
    ],
)
def test_stored_data_not_protected_as_agreed_are_found(
    algorithm: str, reason: str, observed: str
) -> None:
    statement = say(encryption_at_rest=algorithm)

    (finding,) = found(TERMS, statement)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, reason)
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.expected == "stored data encrypted with aes-256-gcm, aes-256-xts"
    assert finding.observed == observed


@pytest.mark.parametrize("lowest", TLS[1:])
@pytest.mark.parametrize("stated", TLS)
def test_tls_versions_are_compared_in_their_order(lowest: str, stated: str) -> None:
    low = TLS.index(stated) < TLS.index(lowest)

    assert reasons(found({"min_tls": lowest}, say(tls_min_version=stated))) == (
        ["tls_too_low"] if low else []
    )


def test_a_lower_tls_version_is_told() -> None:
    findings = [
        *found(TERMS, say(tls_min_version="1.1")),
        *found(TERMS, say(tls_min_version="none")),
        *found(TERMS, say(tls_min_version="SSL3.0")),
    ]

    assert {(one.answer, one.reason) for one in findings} == {(Answer.BROKEN, "tls_too_low")}
    assert {one.expected for one in findings} == {"TLS 1.2 or higher"}
    assert [one.observed for one in findings] == ["1.1 accepted", "no TLS", "ssl3.0 accepted"]


def test_a_key_held_by_another_is_found() -> None:
    (finding,) = found(TERMS, say(key_custodian="ACME-CLOUD"))

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "key_held_elsewhere")
    assert finding.expected == "key held by KE-BCA"
    assert finding.observed == "key held by ACME-CLOUD"


def test_words_that_name_nothing_cannot_be_assessed() -> None:
    said = say(encryption_at_rest="Unknown", tls_min_version="1.9", key_custodian="Other")

    findings = found(TERMS, said)

    assert {finding.answer for finding in findings} == {Answer.NOT_ASSESSABLE}
    assert reasons(findings) == ["algorithm_unnamed", "tls_unreadable", "custodian_unnamed"]
    assert [finding.missing for finding in findings] == [
        ("encryption_at_rest",),
        ("tls_min_version",),
        ("key_custodian",),
    ]


def test_what_the_terms_leave_open_is_not_limited() -> None:
    said = say(encryption_at_rest="none", tls_min_version="none", key_custodian="ACME")

    assert reasons(found({"at_rest": ["aes"]}, said)) == ["not_encrypted"]
    assert reasons(found({"min_tls": "1.0"}, said)) == ["tls_too_low"]
    assert reasons(found({"key_custodians": ["KE-BCA"]}, said)) == ["key_held_elsewhere"]


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(tls_min_version="1.2")

    assert found(TERMS, statement) == []
    assert reasons(found(TERMS | {"min_tls": "1.3"}, statement)) == ["tls_too_low"]


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(tls_min_version="1.2")

    assert amended(encryption, TERMS, TERMS | {"min_tls": "1.3"}, then, now) == [
        (now.id, "tls_too_low")
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"at_rest": ["None"]},
        {"at_rest": ["unknown"]},
        {"min_tls": "none"},
        {"min_tls": "1.4"},
        {"key_custodians": ["Unknown"]},
        TERMS | {"tls": "1.2"},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.lists(st.tuples(algorithms, versions, custodians), max_size=5))
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[str | None, str | None, str | None]],
) -> None:
    said = [
        say(encryption_at_rest=algorithm, tls_min_version=tls, key_custodian=custodian)
        for algorithm, tls, custodian in stated
    ]

    alone = [finding for one in said for finding in found(TERMS, one)]

    assert found(TERMS, *said) == alone
    assert len(alone) == sum(
        (algorithm not in {None, "aes-256-gcm"})
        + (tls not in {None, "1.2", "1.3"})
        + (custodian not in {None, "KE-BCA"})
        for algorithm, tls, custodian in stated
    )
