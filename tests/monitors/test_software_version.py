from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from packaging.version import Version
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, software_version
from monitors.software_version import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import SERIAL, judge, say

FOUR = {"versions": ">=4.2,<5"}
LISTED, OTHER = "a" * 64, "b" * 64
MODEL = {"model_hashes": [f"sha256:{LISTED}"]}


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(software_version, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


@pytest.mark.parametrize("version", ["4.2", "4.2.0", "v4.10", "4.999", "4.3rc1", "4.2+build.7"])
def test_a_version_within_the_specifier_is_kept(version: str) -> None:
    assert found(FOUR, say(software_version=version)) == []


@pytest.mark.parametrize("version", ["4.1.9", "5", "5.0.1", "4.2rc1", "3", "2026.1"])
def test_a_version_outside_is_found(version: str) -> None:
    statement = say(software_version=version)

    (finding,) = found(FOUR, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "version_outside"
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.expected == "software version >=4.2,<5"
    assert finding.observed == f"software version {version}"


@pytest.mark.parametrize("version", ["latest", "build-77", "4.x", "4/2"])
def test_a_version_that_does_not_read_as_one_cannot_be_assessed(version: str) -> None:
    (finding,) = found(FOUR, say(software_version=version))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.reason, finding.missing) == ("version_unreadable", ("software_version",))


def test_a_hash_counts_with_and_without_its_prefix() -> None:
    for terms in (MODEL, {"model_hashes": [LISTED]}):
        assert found(terms, say(model_hash=LISTED)) == []
        assert found(terms, say(model_hash=f"sha256:{LISTED}")) == []


def test_a_model_that_is_not_listed_is_found() -> None:
    (finding,) = found(MODEL, say(model_hash=f"sha256:{OTHER}"))

    assert finding.reason == "model_not_listed"
    assert finding.expected == "one of 1 listed models"
    assert finding.observed == f"a model with SHA-256 {OTHER}"


def test_version_and_model_are_found_separately() -> None:
    said = say(software_version="6", model_hash=OTHER)

    assert reasons(found(FOUR | MODEL, said)) == ["version_outside", "model_not_listed"]


def test_what_is_not_limited_or_not_stated_is_not_judged() -> None:
    assert found(FOUR | MODEL) == []
    assert found(FOUR | MODEL, say(), say(gallery_size=5)) == []
    assert found(MODEL, say(software_version="latest")) == []
    assert found(FOUR, say(model_hash=OTHER)) == []


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(software_version="5.1")

    assert reasons(found(FOUR, statement)) == ["version_outside"]
    assert found({"versions": ">=4.2,<6"}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(software_version="5.1")

    assert amended(software_version, FOUR, {"versions": ">=4.2,<6"}, then, now) == [
        (then.id, "version_outside")
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"versions": None, "model_hashes": []},
        {"versions": ""},
        {"versions": " , "},
        {"versions": "four"},
        {"versions": "~=4"},
        {"versions": ">=4," * 60},
        {"model_hashes": ["abc"]},
        {"version": "==4"},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.from_regex(r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}", fullmatch=True))
def test_no_version_whatever_raises(version: str) -> None:
    assert len(found(FOUR, say(software_version=version))) <= 1


@given(st.lists(st.integers(0, 99), min_size=1, max_size=4))
def test_order_decides_and_not_the_text(parts: list[int]) -> None:
    version = ".".join(map(str, parts))

    kept = not found(FOUR, say(software_version=version))

    assert kept is (Version("4.2") <= Version(version) < Version("5"))
