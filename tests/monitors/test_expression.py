import threading
import time
from contextlib import suppress
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Severity, Statement, Subject, catalogue, expression
from monitors.expression import LONGEST_SENTENCE, Terms, facts_named, plain_words, understood
from tests.monitors import anything
from tests.monitors.heard import NOON, SERIAL, case, judge, say

LARGE = "gallery_size > 5000"
TERMS = {"when": LARGE, "message": '"Gallery of " + string(gallery_size) + " persons."'}
MESSAGE = '"It is so."'
SITE = Subject("site", "NBO-1")


def found(when: str, *statements: Statement[Any], message: str = MESSAGE) -> list[Finding]:
    return judge(expression, {"when": when, "message": message}, *statements)


def state(at: datetime = NOON, **facts: Any) -> Statement[Any]:
    """State facts as the product hands them over: checked, with the types of the vocabulary."""
    checked = catalogue().stated(catalogue().validate_facts(facts))
    return say(at=at)._replace(facts=checked)


def reasons(when: str, *statements: Statement[Any]) -> list[str]:
    """Give the reason codes without the signs taken from the expression."""
    mark = understood(when).mark
    codes = [finding.reason for finding in found(when, *statements)]
    assert all(code.endswith(f"_{mark}") for code in codes)
    return [code.removesuffix(f"_{mark}") for code in codes]


def refusal(**terms: str) -> str:
    with pytest.raises(ValidationError) as refused:
        Terms.model_validate(TERMS | terms)
    (error,) = refused.value.errors()
    assert error["loc"] == tuple(terms)
    return error["msg"]


def test_what_is_not_so_is_kept() -> None:
    assert found(LARGE, say(gallery_size=0), say(gallery_size=5000)) == []


def test_what_is_so_is_found_with_the_message() -> None:
    statement = say(gallery_size=5001)

    (finding,) = judge(expression, TERMS, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == f"expression_true_{understood(LARGE).mark}"
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.at == NOON
    assert finding.severity is None
    assert expression.MONITOR.severity is Severity.MODERATE
    assert finding.expected == "not: gallery size is above 5,000"
    assert finding.observed == "Gallery of 5001 persons."


def test_a_statement_that_states_none_of_its_facts_is_not_about_it() -> None:
    assert found(LARGE) == []
    assert found(LARGE, say(), say(SITE, site="NBO-1"), say(search_calls=9)) == []


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(gallery_size=5500)

    assert reasons(LARGE, statement) == ["expression_true"]
    assert found("gallery_size > 6000", statement) == []


def test_two_expressions_on_one_license_stay_apart() -> None:
    statement = say(gallery_size=5500, secure_boot=False)

    (one,), (other,) = found(LARGE, statement), found("!secure_boot", statement)

    assert one.reason != other.reason


@pytest.mark.parametrize(
    ("facts", "expected"),
    [
        ({"seal_intact": False, "secure_boot": False}, ["expression_true"]),
        ({"seal_intact": False, "secure_boot": True}, ["expression_true"]),
        ({"seal_intact": True, "secure_boot": True}, []),
        ({"seal_intact": False}, ["expression_true"]),
        ({"secure_boot": False}, ["expression_true"]),
        ({"seal_intact": True}, ["fact_not_stated"]),
        ({"secure_boot": True}, ["fact_not_stated"]),
    ],
)
def test_one_of_two_decides_when_it_is_so(facts: dict[str, Any], expected: list[str]) -> None:
    assert reasons("!seal_intact || !secure_boot", say(**facts)) == expected
    both = [] if expected == ["fact_not_stated"] else expected
    assert reasons("!(seal_intact && secure_boot)", say(**facts)) == (both or expected)


def test_one_of_two_decides_when_it_is_not_so() -> None:
    when = "gallery_size > 5000 && !secure_boot"

    assert found(when, say(gallery_size=5000), say(secure_boot=True)) == []
    assert reasons(when, say(gallery_size=5001), say(secure_boot=False)) == ["fact_not_stated"] * 2


def test_what_was_not_stated_is_named() -> None:
    when = "gallery_size > 5000 && (!secure_boot || site == 'NBO-1')"
    statement = say(gallery_size=6000)

    (finding,) = found(when, statement)

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert finding.missing == ("secure_boot", "site")
    assert finding.evidence == (statement.id,)
    assert finding.expected.startswith("not: gallery size is above 5,000 and (")
    assert finding.observed == "nothing stated of secure_boot, site"
    assert finding.clears == "a report that states secure_boot, site in full"


def test_whether_a_fact_was_stated_can_be_asked() -> None:
    when = "has(stated.gallery_size) && !has(stated.site)"

    assert reasons(when, say(gallery_size=5)) == ["expression_true"]
    assert found(when, say(gallery_size=5, site="NBO-1"), say(site="NBO-1")) == []
    assert found("has(stated.site) && site == 'X'", say(site="NBO-1"), say(gallery_size=5)) == []


@pytest.mark.parametrize(
    ("when", "facts"),
    [
        ("gallery_size * gallery_size > 5", {"gallery_size": 10**12}),
        (
            "remote_sessions.exists(s, s.country != 'KE')",
            {"remote_sessions": [{"account": "maint-1"}]},
        ),
        ("certified_on + duration('9999999h') > observed_at", {"certified_on": date.max}),
    ],
)
def test_what_cannot_be_worked_out_is_not_assessable(when: str, facts: dict[str, Any]) -> None:
    statement = state(**facts)

    (finding,) = found(when, statement)

    assert reasons(when, statement) == ["expression_failed"]
    assert finding.answer is Answer.NOT_ASSESSABLE
    assert finding.missing == tuple(facts)
    assert finding.observed == f"what is stated of {next(iter(facts))} does not allow an answer"


def test_a_time_beyond_the_calendar_is_not_assessable() -> None:
    early = datetime.min.replace(tzinfo=timezone(timedelta(hours=14)))

    assert reasons("has(stated.site) && observed_at.getHours() < 6", say(at=early, site="X")) == [
        "expression_failed"
    ]


@pytest.mark.parametrize(
    ("size", "answer"),
    [
        ("many", Answer.NOT_ASSESSABLE),
        (True, Answer.NOT_ASSESSABLE),
        (object(), Answer.NOT_ASSESSABLE),
        ([1, {2: 3}], Answer.NOT_ASSESSABLE),
        (datetime(9999, 1, 1), Answer.NOT_ASSESSABLE),  # noqa: DTZ001 - as strange as the rest
        (Decimal(6000), Answer.BROKEN),
        (10**30, Answer.BROKEN),
    ],
)
def test_facts_of_the_wrong_kind_never_make_it_raise(size: Any, answer: Answer) -> None:
    statement = say()._replace(facts=SimpleNamespace(gallery_size=size))
    terms = Terms.model_validate(TERMS)

    (finding,) = expression.evaluate(terms, [statement], case(), NOON)

    assert finding.answer is answer


@pytest.mark.parametrize(
    ("when", "facts"),
    [
        ("position.lat > 5.0 && position.accuracy_m == 0.0", {"position": {"lat": 6, "lon": 1.5}}),
        ("certified_on == timestamp('2026-06-30T00:00:00Z')", {"certified_on": date(2026, 6, 30)}),
        ("observed_at - certified_on == duration('36h')", {"certified_on": date(2026, 6, 30)}),
        ("observed_at.getHours() == 12 && seal_intact", {"seal_intact": True}),
        ("oldest_log_days > 3", {"oldest_log_days": 3.5}),
        ("'policing' in end_uses", {"end_uses": ["policing"]}),
        ("remote_sessions.exists(s, s.country == 'KP')", {"remote_sessions": [{"country": "KP"}]}),
        (
            "changes.exists(c, c.subject == 'site' && c.effective_on < observed_at)",
            {"changes": [{"subject": "site", "effective_on": "2026-06-30"}]},
        ),
        (
            "size(end_uses.filter(u, u.startsWith('police'))) >= 2",
            {"end_uses": ["police_patrol", "border_control", "police_station"]},
        ),
    ],
)
def test_facts_of_every_shape_can_be_named(when: str, facts: dict[str, Any]) -> None:
    assert reasons(when, state(**facts)) == ["expression_true"]


def test_the_hour_is_that_of_utc() -> None:
    nairobi = timezone(timedelta(hours=3))
    evening = datetime(2026, 7, 1, 2, 30, tzinfo=nairobi)

    assert reasons("observed_at.getHours() == 23 && seal_intact", say(at=evening, seal_intact=True))


def test_a_message_that_needs_an_unstated_fact_gives_way_to_plain_words() -> None:
    message = '"At " + site + " in " + country'

    (without,) = found(LARGE, say(gallery_size=6000, site="NBO-1"), message=message)
    (whole,) = found(LARGE, say(gallery_size=6000, site="NBO-1", country="KE"), message=message)

    assert without.observed == "gallery size is above 5,000"
    assert whole.observed == "At NBO-1 in KE"


def test_a_message_is_cut_to_what_can_be_shown() -> None:
    (finding,) = found(LARGE, say(gallery_size=6000), message=f'"{"a" * 900}"')

    assert finding.observed == "a" * LONGEST_SENTENCE


def test_a_message_that_comes_to_nothing_gives_way_to_plain_words() -> None:
    message = 'has(stated.site) ? site : " "'

    (finding,) = found(LARGE, say(gallery_size=6000), message=message)

    assert finding.observed == "gallery size is above 5,000"


def test_an_unknown_fact_is_refused_with_the_nearest() -> None:
    assert "there is no fact galery_size; did you mean gallery_size?" in refusal(
        when="galery_size > 5"
    )
    assert "there is no fact sit; did you mean site" in refusal(message="'At ' + sit")


@pytest.mark.parametrize(
    ("when", "reason"),
    [
        ("", "at least 1 character"),
        ("x" * 2001, "at most 2000 characters"),
        ("gallery_size >", "was not expected"),
        ("gallery_size", "it gives a whole number, where yes or no is needed"),
        ("1 > 2", "it names no fact"),
        ("observed_at.getHours() < 6", "it names no fact"),
        ("gallery_size > 5 || true", "it is the same whatever the facts are"),
        ("seal_intact && 1 > 2", "it is the same whatever the facts are"),
        ("site == '\ud800'", "unicode"),
    ],
)
def test_what_could_not_judge_is_refused(when: str, reason: str) -> None:
    assert reason in refusal(when=when)


@pytest.mark.parametrize(
    ("message", "reason"),
    [
        ("", "at least 1 character"),
        ("Gallery too large.", "A sentence is written in quotes"),
        ("gallery_size", "it gives a whole number, where a text is needed. A sentence is written"),
        ("''", "the message says nothing"),
        ("' '", "the message says nothing"),
        ("'A violation.'", "what it amounts to is for people to decide"),
        ("'Guilty.'", "what it amounts to is for people to decide"),
    ],
)
def test_a_message_that_could_not_be_shown_is_refused(message: str, reason: str) -> None:
    assert reason in refusal(message=message)


@pytest.mark.parametrize("terms", [{}, {"when": LARGE}, {"message": MESSAGE}, TERMS | {"x": 1}])
def test_terms_that_are_incomplete_or_more_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


def test_it_says_what_it_checks_and_which_facts_it_depends_on() -> None:
    terms = Terms(when="gallery_size > 5000 && !has(stated.site)", message=MESSAGE)

    assert plain_words(terms) == "broken when gallery size is above 5,000 and site is not stated"
    assert facts_named(terms) == {"gallery_size", "site"}


def test_it_reads_what_its_terms_name_and_nothing_from_before() -> None:
    terms = Terms(when=LARGE, message="'At ' + site")
    monitor = catalogue()["expression"]

    assert monitor.facts_read(terms) == {"gallery_size"}
    assert not monitor.fact_names
    assert monitor.hears(terms).nothing


def test_an_expression_is_compiled_once() -> None:
    terms = [Terms(when="gallery_size > 4999", message=MESSAGE) for _ in range(3)]
    before = understood.cache_info().misses

    for one in terms:
        list(expression.evaluate(one, [say(gallery_size=6000)], case(), NOON))

    assert understood.cache_info().misses == before
    assert understood("gallery_size > 4999") is understood("gallery_size > 4999")


def test_the_costliest_that_is_let_through_ends_soon() -> None:
    long = [f"x{number:063}" for number in range(1000)]
    serials = [f"x{number:063}" for number in range(10_000)]
    costly: list[tuple[str, dict[str, Any]]] = [
        ("end_uses.filter(u, u != 'z').size() > 1000", {"end_uses": long}),
        ("end_uses.all(u, " + "u in end_uses && " * 7 + "u != 'z')", {"end_uses": long}),
        (
            "sighted_serials.all(s, " + " && ".join(["s != 'z'"] * 13) + ")",
            {"sighted_serials": serials},
        ),
    ]
    for when, facts in costly:
        terms = Terms(when=when, message=MESSAGE)
        statement = say(**facts)
        begun = time.thread_time()
        list(expression.evaluate(terms, [statement], case(), NOON))
        assert time.thread_time() - begun < 1.0, when


def test_threads_get_the_same_answers() -> None:
    texts = [f"gallery_size > {number} && end_uses.exists(u, u == 'x')" for number in range(40)]
    said = [say(gallery_size=size, end_uses=["y", "x"]) for size in range(40)]
    counts: list[list[int]] = []

    def count() -> None:
        terms = [Terms(when=text, message=MESSAGE) for text in texts]
        counts.append([len(list(expression.evaluate(one, said, case(), NOON))) for one in terms])

    threads = [threading.Thread(target=count) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()

    assert counts == [[39 - number for number in range(40)]] * 6


def test_the_stored_example_says_what_it_checks() -> None:
    terms = Terms.model_validate(anything.example("expression"))

    assert plain_words(terms) == (
        "broken when gallery size is above 5,000 and (secure boot is false or (some use of end uses "
        'is such that use is one of "policing", "crowd_control"))'
    )


@given(st.text(max_size=80), st.text(max_size=80))
@settings(max_examples=200, deadline=None)
def test_whatever_is_written_is_refused_as_terms_are(when: str, message: str) -> None:
    for terms in ({"when": when}, {"message": message}):
        with suppress(ValidationError):
            assert Terms.model_validate(TERMS | terms).model_dump() == TERMS | terms


CLAUSES = [
    "gallery_size > 5",
    "search_calls == 0",
    "!secure_boot",
    "seal_intact",
    "site == 'NBO-1'",
    "'x' in end_uses",
    "end_uses.all(u, u != 'y')",
    "position.lat > 0.0",
    "remote_sessions.exists(s, s.country == 'KE')",
    "certified_on < observed_at",
    "has(stated.site)",
    "gallery_size * search_calls > 7",
]
WRITTEN = st.recursive(
    st.sampled_from(CLAUSES),
    lambda inner: (
        st.builds("({} {} {})".format, inner, st.sampled_from(["&&", "||"]), inner)
        | st.builds("!({})".format, inner)
    ),
    max_leaves=6,
)
READING_SOME = [
    "gallery_cap",
    "match_mode",
    "capability_lock",
    "permitted_sites",
    "permitted_end_use",
]
READING_MORE = ["remote_access", "physical_security", "match_mode"]


def together(some: list[Statement[Any]], more: list[Statement[Any]]) -> list[Statement[Any]]:
    """Let each of some statements also say what one of the others does."""
    return [
        one._replace(facts=catalogue().stated(vars(other.facts) | vars(one.facts)))
        for one, other in zip(some, more * len(some), strict=False)
    ]


ANYTHING = st.builds(
    together,
    st.one_of([anything.said(kind, least=1) for kind in READING_SOME]),
    st.one_of([anything.said(kind, least=1) for kind in READING_MORE]),
)


@given(WRITTEN, ANYTHING)
@settings(max_examples=100, deadline=None)
def test_whatever_is_stated_it_answers_and_never_raises(
    when: str, statements: list[Statement[Any]]
) -> None:
    all_at_once = found(when, *statements)

    assert all_at_once == [finding for one in statements for finding in found(when, one)]
    named = facts_named(Terms(when=when, message=MESSAGE))
    about = {one.id for one in statements if named & vars(one.facts).keys()}
    assert {finding.evidence[0] for finding in all_at_once} <= about
    for finding in all_at_once:
        assert finding.answer is Answer.BROKEN or finding.missing


@given(WRITTEN, ANYTHING)
@settings(max_examples=100, deadline=None)
def test_what_is_decided_with_few_facts_stays_decided_with_more(
    when: str, statements: list[Statement[Any]]
) -> None:
    rule = understood(when)
    for one in statements:
        stated = {n: v for n, v in vars(one.facts).items() if n in rule.read and v is not None}
        whole = rule.of(stated, one.observed_at)
        for left_out in () if rule.asks else stated:
            fewer = {name: value for name, value in stated.items() if name != left_out}
            assert rule.of(fewer, one.observed_at) in {None, whole}
