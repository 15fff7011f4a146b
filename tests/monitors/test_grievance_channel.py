from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, grievance_channel
from monitors.grievance_channel import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import judge, say

SITE = Subject("site", "BORDER-1")
TERMS = {"languages": ["sw", "en"], "max_open_days": 90}

tags = st.lists(st.sampled_from(["sw", "SW-KE", "en", "de"]), max_size=4)
flags = st.none() | st.booleans()
ages = st.none() | st.floats(0, 1e12)


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(grievance_channel, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_a_channel_in_every_language_is_kept() -> None:
    assert (
        found(TERMS, say(SITE, channel_published=True, channel_languages=["en", "sw", "de"])) == []
    )
    assert found({}, say(SITE, channel_published=True)) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5)) == []


def test_a_channel_that_is_not_published_is_found() -> None:
    statement = say(SITE, channel_published=False, channel_languages=["de"])

    (finding,) = found(TERMS, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "not_published"
    assert finding.subject == SITE
    assert finding.evidence == (statement.id,)
    assert finding.expected == "a channel published in en, sw"
    assert finding.observed == "no channel is published"


def test_any_language_will_do_when_none_is_asked_for() -> None:
    (finding,) = found({}, say(SITE, channel_published=False))

    assert finding.expected == "a channel published in any language"
    assert found({}, say(SITE, channel_published=True, channel_languages=["de"])) == []


@pytest.mark.parametrize("published", [True, None])
def test_a_missing_language_is_found(published: bool | None) -> None:  # noqa: FBT001
    (finding,) = found(
        TERMS, say(SITE, channel_published=published, channel_languages=["en", "de"])
    )

    assert finding.answer is Answer.BROKEN
    assert (finding.reason, finding.observed) == ("language_missing", "no channel in sw")


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
    said = say(SITE, channel_published=True, channel_languages=[given])

    assert (found({"languages": [asked]}, said) == []) is kept


@pytest.mark.parametrize(
    "facts",
    [
        {"channel_published": True},
        {"channel_published": True, "channel_languages": []},
        {"channel_languages": []},
    ],
)
def test_a_channel_without_a_language_cannot_be_assessed(facts: dict[str, Any]) -> None:
    (finding,) = found(TERMS, say(SITE, **facts))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.reason, finding.missing) == ("no_language_named", ("channel_languages",))
    assert finding.observed == "a channel, but not its languages"


@pytest.mark.parametrize("terms", [TERMS, {}])
def test_languages_alone_cannot_be_assessed(terms: dict[str, Any]) -> None:
    (finding,) = found(terms, say(SITE, channel_languages=["en", "sw-KE"]))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.reason, finding.missing) == ("publication_unstated", ("channel_published",))
    assert finding.observed == "a channel, but not whether it is published"


def test_a_complaint_open_for_too_long_is_found() -> None:
    said = say(SITE, oldest_complaint_days=90.5)

    (finding,) = found(TERMS, said)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "complaint_too_old"
    assert finding.expected == "complaints open for 90 days at most"
    assert finding.observed == "the oldest has been open for 90.5 days"
    assert found({}, said) == []


def test_complaints_up_to_the_limit_are_kept() -> None:
    assert found(TERMS, say(SITE, oldest_complaint_days=90)) == []
    assert found(TERMS, say(SITE, oldest_complaint_days=0)) == []


def test_an_old_complaint_is_found_beside_the_channel() -> None:
    said = say(SITE, channel_published=False, oldest_complaint_days=91)
    unclear = say(SITE, channel_published=True, oldest_complaint_days=91)

    assert reasons(found(TERMS, said)) == ["not_published", "complaint_too_old"]
    assert reasons(found(TERMS, unclear)) == ["no_language_named", "complaint_too_old"]


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(SITE, channel_published=True, channel_languages=["en"])

    assert reasons(found(TERMS, statement)) == ["language_missing"]
    assert found({"languages": ["en"]}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(SITE, channel_published=True, channel_languages=["en"])

    assert amended(grievance_channel, TERMS, {"languages": ["en"]}, then, now) == [
        (then.id, "language_missing")
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {"languages": ["Swahili!"]},
        {"languages": ["english"]},
        {"max_open_days": -1},
        {"days": 3},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.lists(st.tuples(flags, st.none() | tags, ages), max_size=5))
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[bool | None, list[str] | None, float | None]],
) -> None:
    said = [
        say(SITE, channel_published=there, channel_languages=those, oldest_complaint_days=age)
        for there, those, age in stated
    ]

    alone = [finding for one in said for finding in found(TERMS, one)]

    assert found(TERMS, *said) == alone
    assert reasons(alone).count("not_published") == sum(one[0] is False for one in stated)


@given(st.floats(0, 1e5), st.integers(0, 36_525))
def test_a_complaint_is_found_exactly_when_it_is_older(age: float, limit: int) -> None:
    findings = found({"max_open_days": limit}, say(SITE, oldest_complaint_days=age))

    assert bool(findings) is (age > limit)
