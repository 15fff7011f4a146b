from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, purpose_notice
from monitors.purpose_notice import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import judge, say

SITE = Subject("site", "BORDER-1")
TERMS = {"languages": ["sw", "en"]}

tags = st.lists(st.sampled_from(["sw", "SW-KE", "en", "de"]), max_size=4)
flags = st.none() | st.booleans()


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(purpose_notice, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_a_notice_in_every_language_is_kept() -> None:
    assert found(TERMS, say(SITE, notice_published=True, notice_languages=["en", "sw", "de"])) == []
    assert found({}, say(SITE, notice_published=True)) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5)) == []


def test_a_notice_that_is_not_published_is_found() -> None:
    statement = say(SITE, notice_published=False, notice_languages=["de"])

    (finding,) = found(TERMS, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "not_published"
    assert finding.subject == SITE
    assert finding.evidence == (statement.id,)
    assert finding.expected == "a notice published in en, sw"
    assert finding.observed == "no notice is published"


def test_any_language_will_do_when_none_is_asked_for() -> None:
    (finding,) = found({}, say(SITE, notice_published=False))

    assert finding.expected == "a notice published in any language"
    assert found({}, say(SITE, notice_published=True, notice_languages=["de"])) == []


@pytest.mark.parametrize("published", [True, None])
def test_a_missing_language_is_found(published: bool | None) -> None:  # noqa: FBT001
    (finding,) = found(TERMS, say(SITE, notice_published=published, notice_languages=["en", "de"]))

    assert finding.answer is Answer.BROKEN
    assert (finding.reason, finding.observed) == ("language_missing", "no notice in sw")


@pytest.mark.parametrize(
    ("asked", "given", "kept"),
    [
        ("pt", "pt-BR", True),
        ("PT-br", "pt-BR", True),
        ("pt-BR", "pt", False),
        ("zh-Hant", "zh-Hant-TW", True),
        ("fi", "fil", False),
    ],
)
def test_a_language_of_a_region_is_that_language(asked: str, given: str, kept: bool) -> None:  # noqa: FBT001
    said = say(SITE, notice_published=True, notice_languages=[given])

    assert (found({"languages": [asked]}, said) == []) is kept


@pytest.mark.parametrize(
    "facts",
    [
        {"notice_published": True},
        {"notice_published": True, "notice_languages": []},
        {"notice_languages": []},
    ],
)
def test_a_notice_without_a_language_cannot_be_assessed(facts: dict[str, Any]) -> None:
    (finding,) = found(TERMS, say(SITE, **facts))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.reason, finding.missing) == ("no_language_named", ("notice_languages",))
    assert finding.observed == "a notice, but not its languages"


@pytest.mark.parametrize("terms", [TERMS, {}])
def test_languages_alone_cannot_be_assessed(terms: dict[str, Any]) -> None:
    (finding,) = found(terms, say(SITE, notice_languages=["en", "sw-KE"]))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.reason, finding.missing) == ("publication_unstated", ("notice_published",))
    assert finding.observed == "a notice, but not whether it is published"


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(SITE, notice_published=True, notice_languages=["en"])

    assert reasons(found(TERMS, statement)) == ["language_missing"]
    assert found({"languages": ["en"]}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(SITE, notice_published=True, notice_languages=["en"])

    assert amended(purpose_notice, TERMS, {"languages": ["en"]}, then, now) == [
        (then.id, "language_missing")
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {"languages": ["Swahili!"]},
        {"languages": ["sw_KE"]},
        {"languages": ["english"]},
        {"tags": []},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.lists(st.tuples(flags, st.none() | tags), max_size=5))
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[bool | None, list[str] | None]],
) -> None:
    said = [say(SITE, notice_published=there, notice_languages=those) for there, those in stated]

    alone = [finding for one in said for finding in found(TERMS, one)]

    assert found(TERMS, *said) == alone
    assert reasons(alone).count("not_published") == sum(there is False for there, _ in stated)
