from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Grade, permitted_countries
from monitors._borders import MAP_ACCURACY_KM, locate
from monitors._countries import ALPHA2
from monitors.permitted_countries import MONITOR, Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import judge, say

KENYA = Terms(countries=("KE",))
NAIROBI = {"lat": -1.319, "lon": 36.928, "accuracy_m": 12}
ARUSHA = {"lat": -3.37, "lon": 36.68, "accuracy_m": 12}
NAMANGA = {"lat": -2.567, "lon": 36.79, "accuracy_m": 12}  # the border of Kenya and Tanzania
ATLANTIC = {"lat": 0, "lon": -30, "accuracy_m": 12}
REUNION = {"lat": -21.1, "lon": 55.5, "accuracy_m": 12}

codes = st.sampled_from(sorted(ALPHA2))
positions = st.fixed_dictionaries(
    {
        "lat": st.floats(-90, 90),
        "lon": st.floats(-180, 180),
        "accuracy_m": st.floats(0, 1_000_000),
    }
)


def reasons(terms: Terms, **facts: Any) -> list[str]:
    return [finding.reason for finding in judge(permitted_countries, terms, say(**facts))]


@pytest.mark.parametrize(
    "facts",
    [{"country": "KE"}, {"position": NAIROBI}, {"country": "KE", "position": NAIROBI}, {}],
)
def test_a_unit_in_a_permitted_country_or_not_spoken_of_is_kept(facts: dict[str, Any]) -> None:
    assert reasons(KENYA, **facts) == []


def test_a_stated_country_that_is_not_permitted_is_found() -> None:
    (finding,) = judge(permitted_countries, KENYA, say(country="TZ"))

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "country_not_permitted"
    assert finding.expected == "in Kenya (KE)"
    assert finding.observed == "stated to be in Tanzania (TZ)"


def test_a_code_that_is_no_country_is_not_permitted_either() -> None:
    (finding,) = judge(permitted_countries, KENYA, say(country="ZZ"))

    assert finding.reason == "country_not_permitted"
    assert finding.observed == "stated to be in no assigned country (ZZ)"


def test_a_position_surely_in_another_country_is_found_and_the_country_named() -> None:
    (finding,) = judge(permitted_countries, Terms(countries=("UG", "KE")), say(position=ARUSHA))

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "position_outside_countries"
    assert finding.expected == "in Kenya (KE) or Uganda (UG)"
    assert finding.observed == "at -3.37000, 36.68000, known to 12 m, in Tanzania (TZ)"


def test_a_position_on_the_high_seas_is_outside_every_country() -> None:
    (finding,) = judge(permitted_countries, KENYA, say(position=ATLANTIC))

    assert finding.reason == "position_outside_countries"
    assert finding.observed.endswith("outside every permitted country")


@pytest.mark.parametrize(
    ("position", "permitted"),
    [
        (NAMANGA, "KE"),
        (NAMANGA, "TZ"),
        ({**NAIROBI, "accuracy_m": 400_000}, "KE"),
        ({"lat": 45.0, "lon": 34.1}, "UA"),  # Crimea
        (REUNION, "FR"),
    ],
)
def test_a_position_that_does_not_settle_it_is_not_assessable(
    position: dict[str, float], permitted: str
) -> None:
    (finding,) = judge(permitted_countries, Terms(countries=(permitted,)), say(position=position))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert finding.reason == "border_too_near"
    assert finding.missing == ("position",)


def test_a_position_is_found_until_its_accuracy_reaches_the_border_exactly() -> None:
    reach = (locate(-3.0, 37.0).border_km - MAP_ACCURACY_KM) * 1000  # Tanzania; Kenya lies north

    def at(accuracy_m: float) -> list[str]:
        return reasons(KENYA, position={"lat": -3.0, "lon": 37.0, "accuracy_m": accuracy_m})

    assert at(reach - 0.01) == ["position_outside_countries"]
    assert at(reach + 0.01) == ["border_too_near"]


def test_a_border_between_two_permitted_countries_is_none() -> None:
    assert reasons(Terms(countries=("KE", "TZ")), position=NAMANGA) == []


def test_a_named_territory_is_permitted() -> None:
    assert reasons(Terms(countries=("FR", "RE")), country="RE", position=REUNION) == []


def test_country_and_position_are_each_looked_at() -> None:
    assert reasons(KENYA, country="TZ", position=NAIROBI) == ["country_not_permitted"]
    assert reasons(KENYA, country="KE", position=ARUSHA) == ["position_outside_countries"]
    assert reasons(KENYA, country="TZ", position=NAMANGA) == [
        "country_not_permitted",
        "border_too_near",
    ]


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(country="TZ")

    assert amended(permitted_countries, KENYA, {"countries": ["KE", "TZ"]}, then, now) == [
        (then.id, "country_not_permitted")
    ]


def test_nothing_heard_is_nothing_found() -> None:
    assert judge(permitted_countries, KENYA) == []


@given(st.lists(codes, min_size=1, max_size=4), st.none() | codes, st.none() | positions)
def test_whatever_is_stated_an_answer_is_given_that_does_not_depend_on_company(
    permitted: list[str], country: str | None, position: dict[str, float] | None
) -> None:
    terms = Terms(countries=tuple(permitted))
    both = [say(country=country, position=position), say(country="KE", position=NAIROBI)]

    alone = [
        finding for statement in both for finding in judge(permitted_countries, terms, statement)
    ]

    assert judge(permitted_countries, terms, *both) == alone
    stated = [finding.reason == "country_not_permitted" for finding in alone]
    assert sum(stated) == sum(code not in (None, *permitted) for code in (country, "KE"))


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"countries": []},
        {"countries": ["UK"]},
        {"countries": ["ke"]},
        {"countries": ["Kenya"]},
        {"countries": ["KE"] * 250},
        {"countries": ["KE"], "sites": ["NBO-T1"]},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


def test_a_finding_is_worth_what_its_source_is_worth() -> None:
    seen, told = (say(country="TZ", grade=grade) for grade in (Grade.A, Grade.F))

    found = judge(permitted_countries, KENYA, seen, told)

    assert [(finding.grade, finding.evidence) for finding in found] == [
        (Grade.A, (seen.id,)),
        (Grade.F, (told.id,)),
    ]
    assert MONITOR.fact_names == {"country", "position"}
    assert MONITOR.hears(KENYA).nothing
