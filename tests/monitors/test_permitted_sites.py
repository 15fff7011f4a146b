from math import cos, hypot, inf, radians
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Position, Statement, Subject, permitted_sites
from monitors.permitted_sites import METRES_PER_DEGREE, Terms, distance_m
from tests.monitors.amended import amended, twice
from tests.monitors.heard import SERIAL, judge, say


def site(reference: str, lat: float, lon: float, radius_m: float) -> dict[str, Any]:
    return {"reference": reference, "position": {"lat": lat, "lon": lon}, "radius_m": radius_m}


NAIROBI = site("NBO-1", -1.3192, 36.9278, 1500)
MOMBASA = site("MBA-1", -4.0348, 39.5942, 800)
TERMS = {"sites": [NAIROBI, MOMBASA]}

latitudes = st.floats(-90, 90)
longitudes = st.floats(-180, 180)


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(permitted_sites, terms, *statements)


def at(
    north_m: float, east_m: float = 0, accuracy_m: float = 0, middle: dict[str, Any] = NAIROBI
) -> dict[str, float]:
    """Give the position so many metres from the middle of a site."""
    lat = middle["position"]["lat"] + north_m / METRES_PER_DEGREE
    east = METRES_PER_DEGREE * cos(radians(lat))
    return {
        "lat": lat,
        "lon": middle["position"]["lon"] + east_m / east,
        "accuracy_m": accuracy_m,
    }


def test_a_position_surely_inside_a_site_is_kept() -> None:
    assert found(TERMS, say(position=at(0))) == []
    assert found(TERMS, say(position=at(700, 700, accuracy_m=20))) == []
    assert found(TERMS, say(position=at(1000, 1000, accuracy_m=5))) == []
    assert found(TERMS, say(position=at(10, middle=MOMBASA), site="MBA-1")) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(TERMS) == []
    assert found(TERMS, say(), say(gallery_size=5)) == []


def test_a_position_surely_outside_every_site_is_found() -> None:
    statement = say(position=at(1600, accuracy_m=50))

    (finding,) = found(TERMS, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "outside_sites"
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.expected == "at MBA-1, NBO-1"
    assert finding.observed == (
        "at -1.30481, 36.92780, known to 50 m; nearest is NBO-1, 1,600 m away"
    )


@pytest.mark.parametrize(("north", "accuracy"), [(1400, 200), (1600, 200), (0, 1600), (5000, 4000)])
def test_an_accuracy_that_crosses_the_border_cannot_be_assessed(
    north: float, accuracy: float
) -> None:
    (finding,) = found(TERMS, say(position=at(north, accuracy_m=accuracy)))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert finding.reason == "accuracy_crosses_border"
    assert finding.missing == ("position",)


def test_exactly_on_the_border_is_kept() -> None:
    position = Position(lat=1.0, lon=0.0)
    middle = Terms.model_validate({"sites": [site("X", 0.9, 0.0, 1)]}).circles[0]
    distance = distance_m(position, middle)
    upto = {"sites": [site("X", 0.9, 0.0, distance)]}
    under = {"sites": [site("X", 0.9, 0.0, distance - 0.001)]}

    assert found(upto, say(position=position)) == []
    assert [one.reason for one in found(under, say(position=position))] == ["outside_sites"]


def test_a_site_that_is_not_named_is_found() -> None:
    (finding,) = found(TERMS, say(site="KIS-1"))

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "site_not_permitted"
    assert finding.observed == "stated to be at KIS-1"
    assert found(TERMS, say(site="NBO-1")) == []


def test_site_and_position_are_found_separately() -> None:
    said = say(site="KIS-1", position=at(50_000))

    assert [one.reason for one in found(TERMS, said)] == ["site_not_permitted", "outside_sites"]
    assert [one.reason for one in found(TERMS, say(site="KIS-1", position=at(0)))] == [
        "site_not_permitted"
    ]


def test_a_site_may_be_several_circles() -> None:
    terms = {"sites": [NAIROBI, site("NBO-1", -1.34, 36.9278, 1500)]}

    assert found(terms, say(position={"lat": -1.34, "lon": 36.9278})) == []
    assert found(terms, say(position=at(0))) == []


def test_the_date_line_and_the_poles_are_no_border() -> None:
    terms = {"sites": [site("FJ-1", -16.8, 179.999, 1000), site("POLE", 90, 0, 1000)]}

    assert found(terms, say(position={"lat": -16.8, "lon": -179.999})) == []
    assert found(terms, say(position={"lat": 89.999, "lon": 137})) == []


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(position=at(0, middle=MOMBASA))

    assert len(found({"sites": [NAIROBI]}, statement)) == 1
    assert found(TERMS, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(position=at(0, middle=MOMBASA))

    assert amended(permitted_sites, {"sites": [NAIROBI]}, TERMS, then, now) == [
        (then.id, "outside_sites")
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"sites": []},
        {"sites": [site("A", 91, 0, 10)]},
        {"sites": [site("A", 0, 0, 0)]},
        {"sites": [site("A", 0, 0, inf)]},
        {"sites": [site("A", 0, 0, 100_001)]},
        {"sites": [site("A site", 0, 0, 10)]},
        {"sites": [NAIROBI | {"name": "Nairobi"}]},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(latitudes, longitudes, st.floats(0, 1e6), latitudes, longitudes, st.floats(0.1, 1e5))
def test_wherever_it_is_the_answer_follows_the_exact_distance(
    lat: float, lon: float, accuracy: float, site_lat: float, site_lon: float, radius: float
) -> None:
    terms = {"sites": [site("A", site_lat, site_lon, radius)]}
    position = Position(lat=lat, lon=lon, accuracy_m=accuracy)
    distance = distance_m(position, Terms.model_validate(terms).circles[0])

    reasons = [one.reason for one in found(terms, say(position=position))]

    if distance - radius + accuracy <= 0:
        assert reasons == []
    elif distance - radius - accuracy > 0:
        assert reasons == ["outside_sites"]
    else:
        assert reasons == ["accuracy_crosses_border"]


@given(st.floats(-1400, 1400), st.floats(-1400, 1400), st.floats(0, 200))
def test_near_a_site_the_plane_agrees(north: float, east: float, accuracy: float) -> None:
    reasons = [one.reason for one in found(TERMS, say(position=at(north, east, accuracy)))]

    if hypot(north, east) + accuracy < 1499:
        assert reasons == []
    elif hypot(north, east) - accuracy > 1501:
        assert reasons == ["outside_sites"]
    elif hypot(north, east) + accuracy > 1501 and hypot(north, east) - accuracy < 1499:
        assert reasons == ["accuracy_crosses_border"]


def test_distances_are_great_circles() -> None:
    middle = Terms.model_validate({"sites": [site("CDG", 49.0097, 2.5479, 1)]}).circles[0]

    assert distance_m(Position(lat=40.6413, lon=-73.7781), middle) == pytest.approx(5.834e6, 1e-3)
    assert distance_m(Position(lat=-49.0097, lon=-177.4521), middle) == pytest.approx(2.00151e7)
