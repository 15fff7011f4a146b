from collections.abc import Callable
from itertools import product
from typing import Any

import pytest

from app.access.rules import Actor, Role
from app.database import Sessions
from app.licenses import service as licenses
from app.licenses.rules import GIVEN_BY_A_PERSON, TRANSITIONS, State
from tests.conftest import Clock, Door, MakeLicense
from tests.doors.filings import pages, problem, rows, shipment
from tests.world import condition, license_body

CAP = condition("gallery_cap", "No more than 5,000 persons per gate.", max_enrolled=5000)
SYSTEM = Actor("test", Role.ADMINISTRATOR)


def test_a_license_is_read_back_as_it_was_granted(officer: Door, exporter: Door) -> None:
    sent = license_body(CAP)
    registered = officer.post("/v1/licenses", sent)
    assert registered.status_code == 201
    read = exporter.get(f"/v1/licenses/{sent['number']}")
    assert read.json() == registered.json()
    told = read.json()
    assert told["lines"][0]["value"] == {"amount": "480000.00", "currency": "EUR"}
    assert told["conditions"][0]["text"] == "No more than 5,000 persons per gate."
    assert told["conditions"][0]["in_force"] is True
    assert [state["state"] for state in told["states"]] == ["issued"]
    assert told["tier"] == 2


Change = Callable[[dict[str, Any]], object]

WRONG: dict[str, tuple[Change, str]] = {
    "a field nobody knows": (lambda body: body.update(colour="red"), "/colour"),
    "no number": (lambda body: body.pop("number"), "/number"),
    "a number with a space": (lambda body: body.update(number="BX 1"), "/number"),
    "a number that is none": (lambda body: body.update(number=17), "/number"),
    "a day that is none": (lambda body: body.update(granted_on="2026-02-30"), "/granted_on"),
    "a day before all zones": (lambda body: body.update(granted_on="0001-01-01"), "/granted_on"),
    "a day after all years": (lambda body: body.update(granted_on="9999-12-31"), "/granted_on"),
    "a zone that is none": (lambda body: body.update(time_zone="Mars/Olympus"), "/time_zone"),
    "a country that is none": (
        lambda body: body.update(destination_countries=["XX"]),
        "/destination_countries/0",
    ),
    "no lines": (lambda body: body.update(lines=[]), "/lines"),
    "a quantity that is none": (
        lambda body: body["lines"][0].update(quantity="many"),
        "/lines/0/quantity",
    ),
    "a quantity of nothing": (
        lambda body: body["lines"][0].update(quantity=0),
        "/lines/0/quantity",
    ),
    "a role nobody has": (lambda body: body["parties"][0].update(role="uncle"), "/parties/0/role"),
    "a place off the earth": (
        lambda body: body["sites"][0].update(position={"lat": 91, "lon": 0}),
        "/sites/0/position/lat",
    ),
    "a kind nobody knows": (
        lambda body: body["conditions"].append({"kind": "be_nice", "text": "x", "terms": {}}),
        "/conditions/0",
    ),
    "terms of the wrong type": (
        lambda body: body["conditions"].append(condition("gallery_cap", max_enrolled="few")),
        "/conditions/0/terms/max_enrolled",
    ),
    "a term nobody knows": (
        lambda body: body["conditions"].append(
            condition("gallery_cap", max_enrolled=1, per_moon=True)
        ),
        "/conditions/0/terms/per_moon",
    ),
    "a condition without its text": (
        lambda body: body["conditions"].append(condition("gallery_cap", text="", max_enrolled=1)),
        "/conditions/0/text",
    ),
    "a character no text may hold": (
        lambda body: body.update(decision_rationale="one\x00two"),
        "/decision_rationale",
    ),
}


def test_a_wrong_field_is_named(
    officer: Door, sessions: Sessions, subtests: pytest.Subtests
) -> None:
    for what, (change, pointer) in WRONG.items():
        body = license_body()
        change(body)
        with subtests.test(what):
            told = problem(officer.post("/v1/licenses", body), 422, "fields-invalid")
            assert told["pointer"] == pointer
            assert told["errors"][0]["pointer"] == pointer
            assert set(rows(sessions).values()) == {0}


UNFIT: dict[str, dict[str, Any]] = {
    "expires before it is granted": {"expires_on": "2026-03-01"},
    "has a line twice": {"lines": license_body()["lines"] * 2},
    "has a site twice": {"sites": license_body()["sites"] * 2},
    "has a condition twice": {"conditions": [CAP, CAP]},
    "has a condition on a line it lacks": {"conditions": [CAP | {"lines": [7]}]},
}


def test_a_license_must_fit_together(
    officer: Door, sessions: Sessions, subtests: pytest.Subtests
) -> None:
    for what, change in UNFIT.items():
        with subtests.test(what):
            answer = officer.post("/v1/licenses", license_body() | change)
            problem(answer, 422, "fields-invalid")
            assert rows(sessions, "licenses") == {"licenses": 0}


def test_a_license_number_is_taken_once(
    officer: Door, make_license: MakeLicense, sessions: Sessions
) -> None:
    license = make_license()
    before = rows(sessions)
    again = license_body(number=license["number"], end_use="civil_registry")
    told = problem(officer.post("/v1/licenses", again), 409, "number-taken")
    assert told["pointer"] == "/number"
    assert rows(sessions) == before


def test_a_reference_means_one_organization_and_one_place(
    officer: Door, make_license: MakeLicense, sessions: Sessions
) -> None:
    make_license()
    other = license_body()
    other["exporter"] = other["exporter"] | {"name": "Somebody else"}
    told = problem(officer.post("/v1/licenses", other), 409, "party-differs")
    assert told["on_file"]["name"] == "Nordlicht Biometrics GmbH"
    moved = license_body()
    moved["sites"] = [moved["sites"][0] | {"position": {"lat": 0, "lon": 0}}]
    problem(officer.post("/v1/licenses", moved), 409, "site-differs")
    assert rows(sessions, "licenses") == {"licenses": 1}


WAYS: dict[State, tuple[State, ...]] = {
    State.DRAFT: (),
    State.ISSUED: (),
    State.SUSPENDED: (State.SUSPENDED,),
    State.REINSTATED: (State.SUSPENDED, State.REINSTATED),
    State.REVOKED: (State.REVOKED,),
    State.SURRENDERED: (State.SURRENDERED,),
    State.EXHAUSTED: (),
    State.EXPIRED: (),
    State.CANCELLED: (State.CANCELLED,),
}


def test_a_license_goes_only_where_its_life_allows(
    officer: Door, exporter: Door, sessions: Sessions, time: Clock, subtests: pytest.Subtests
) -> None:
    for before, after in product(State, sorted(GIVEN_BY_A_PERSON)):
        number = _license_in(before, officer, exporter, sessions, time)
        with subtests.test(f"{before} to {after}"):
            _check_step(officer, number, before, after)


def _check_step(officer: Door, number: str, before: State, after: State) -> None:
    answer = _enter(officer, number, after)
    read = officer.get(f"/v1/licenses/{number}").json()
    if after in TRANSITIONS[before]:
        assert answer.status_code == 200, answer.text
        assert answer.json()["state"] == read["state"] == after
        assert read["states"][-1]["ground"] == "as decided"
    else:
        told = problem(answer, 409, "transition-illegal")
        assert (told["state"], told["pointer"]) == (before, "/state")
        assert read["state"] == before


def _enter(officer: Door, number: str, state: str) -> Any:
    body = {"state": state, "ground": "as decided"}
    return officer.post(f"/v1/licenses/{number}/state", body)


def _license_in(
    state: State, officer: Door, exporter: Door, sessions: Sessions, time: Clock
) -> str:
    more: dict[str, Any] = {"state": "draft"} if state is State.DRAFT else {}
    if state is State.EXPIRED:
        more = {"expires_on": "2026-03-03"}
    license = officer.post("/v1/licenses", license_body(**more)).json()
    number: str = license["number"]
    for step in WAYS[state]:
        assert _enter(officer, number, step).status_code == 200
    if state is State.EXHAUSTED:
        filed = exporter.post("/v1/shipments", shipment(number, quantity=40))
        assert filed.status_code == 201
    if state is State.EXPIRED:
        with sessions.begin() as session:
            assert licenses.lapse(session, number, actor=SYSTEM, now=time())
    assert officer.get(f"/v1/licenses/{number}").json()["state"] == state
    return number


def test_no_person_gives_a_state_that_follows_by_itself(
    officer: Door, make_license: MakeLicense
) -> None:
    number = make_license()["number"]
    for state in sorted(set(State) - GIVEN_BY_A_PERSON):
        answer = _enter(officer, number, state)
        assert problem(answer, 422, "fields-invalid")["pointer"] == "/state"


def test_a_state_of_no_license_is_unknown(officer: Door) -> None:
    problem(_enter(officer, "BX-0", "revoked"), 404, "license-unknown")


def test_pages_of_licenses_are_complete_and_do_not_overlap(
    officer: Door, make_license: MakeLicense
) -> None:
    numbers = sorted(make_license()["number"] for _ in range(7))
    found = pages(officer, "/v1/licenses", limit=3)
    assert [len(page) for page in found] == [3, 3, 1]
    assert [row["number"] for page in found for row in page] == numbers
    assert [len(page) for page in pages(officer, "/v1/licenses", limit=7)] == [7]


def test_licenses_are_chosen_by_state_exporter_country_and_tier(
    officer: Door, make_license: MakeLicense
) -> None:
    watched = make_license(end_use="law_enforcement", destination_countries=["KE", "UG"])["number"]
    plain = make_license()["number"]
    assert _enter(officer, plain, "suspended").status_code == 200
    for query, expected in {
        "tier=3": [watched],
        "country=UG": [watched],
        "state=suspended": [plain],
        "exporter=NORDLICHT": [watched, plain],
        "exporter=NOBODY": [],
    }.items():
        items = officer.get(f"/v1/licenses?{query}").json()["items"]
        assert [row["number"] for row in items] == expected, query
    problem(officer.get("/v1/licenses?tier=4"), 422, "fields-invalid")
    problem(officer.get("/v1/licenses?state=lost"), 422, "fields-invalid")
    problem(officer.get("/v1/licenses?exporter=%00"), 422)
