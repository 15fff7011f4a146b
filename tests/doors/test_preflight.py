"""Pre-flight tells what filing finds, and leaves nothing behind."""

from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text

from app.assessments import dockets
from app.models import Base
from tests.conftest import Clock, Door, MakeLicense
from tests.doors.filings import attestation, problem
from tests.journeys.telling import day, heartbeat, report, stated
from tests.world import condition

NUMBER = "BX-SAME"
UNITS = ("FR-1", "FR-2")
KEPT = {"keys", "journal_head"}
TABLES = ", ".join(
    name for name in Base.metadata.tables if name not in KEPT and not name.startswith("journal")
)
CONDITIONS = (
    condition("gallery_cap", max_enrolled=5000, per="license"),
    condition("permitted_countries", countries=["KE"]),
    condition("operator_training"),
    condition("reporting_cadence", every="P1W", by="exporter", required_facts=["gallery_size"]),
    heartbeat(),
)


def contents(owner: Engine) -> dict[str, Any]:
    """Everything that is stored, row by row."""
    with owner.connect() as connection:
        return {
            name: sorted(map(str, connection.execute(text(f"SELECT t.* FROM {name} t"))))
            for name in Base.metadata.tables
        }


unit_facts = st.fixed_dictionaries(
    {},
    optional={
        "gallery_size": st.sampled_from([0, 2400, 2600, 5001]),
        "country": st.sampled_from(["KE", "UG"]),
        "position": st.sampled_from(
            [{"lat": -1.319, "lon": 36.928}, {"lat": 0.464, "lon": 34.1, "accuracy_m": 900}]
        ),
    },
)
site_facts = st.fixed_dictionaries(
    {}, optional={"operators_active": st.just(9), "operators_trained": st.integers(7, 10)}
)
statement = st.builds(
    lambda serial, facts: stated(serial, **facts),
    st.sampled_from([*UNITS, *UNITS, "STRANGE"]),
    unit_facts,
) | st.builds(lambda facts: {"subject": {"site": "NBO-T1"}, "facts": facts}, site_facts)
told = st.tuples(st.integers(0, 60), st.lists(statement, min_size=1, max_size=3), st.booleans())


@settings(
    max_examples=8,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(story=st.lists(told, min_size=1, max_size=4))
def test_preflight_and_filing_agree_and_preflight_stores_nothing(
    story: list[tuple[int, list[dict[str, Any]], bool]],
    owner: Engine,
    time: Clock,
    make_license: MakeLicense,
    exporter: Door,
) -> None:
    with owner.begin() as connection:
        connection.execute(text(f"TRUNCATE {TABLES}"))
    dockets.forget()
    time.now = day(0)
    make_license(*CONDITIONS, serials=UNITS, number=NUMBER)
    last = None
    for hours, statements, correcting in story:
        time.forward(days=2)
        observed_at = max(day(0), time.now - timedelta(hours=hours))
        body = report(NUMBER, observed_at, *statements)
        if correcting and last is not None:
            body["corrects"] = last
        last = _agreed(exporter, body, owner) or last


def _agreed(exporter: Door, body: dict[str, Any], owner: Engine) -> str | None:
    """Ask before, file, compare; answers the id of the report when it was taken."""
    before = contents(owner)
    foreseen = exporter.post("/v1/reports/preflight", body)
    assert contents(owner) == before
    filed = exporter.post("/v1/reports", body)
    if filed.status_code != 201:
        assert (foreseen.status_code, foreseen.json()) == (filed.status_code, filed.json())
        return None
    assert foreseen.status_code == 200, foreseen.text
    first, real = foreseen.json(), filed.json()
    assert [one["id"] for one in first["deviations"]] == real["deviations"]
    assert first["not_assessable"] == real["not_assessable"]
    for one in first["deviations"]:
        stored = exporter.get(f"/v1/deviations/{one['id']}").json()
        assert {name: stored[name] for name in _SAME} == {name: one[name] for name in _SAME}
        assert (one["expected"], one["observed"]) in {
            (past["expected"], past["observed"]) for past in stored["history"]
        }
    number: str = real["id"]
    return number


_SAME = ("id", "kind", "subject_kind", "subject", "reason", "severity")


def test_it_shows_what_would_be_flagged_and_what_would_clear_it(
    exporter: Door, make_license: MakeLicense, time: Clock
) -> None:
    license = make_license(condition("gallery_cap", max_enrolled=4000), serials=("FR-1",))
    body = attestation(license["number"], time.now)

    answer = exporter.post("/v1/reports/preflight", body)

    assert answer.status_code == 200, answer.text
    (flagged,) = answer.json()["deviations"]
    assert flagged["reason"] == "over_cap"
    assert "4,210" in flagged["observed"]
    assert "4,210" in flagged["sentence"]
    assert flagged["clears"]
    assert exporter.get("/v1/reports").json()["items"] == []
    assert exporter.get("/v1/deviations").json()["items"] == []


def test_a_report_on_file_is_answered_as_it_was(
    exporter: Door, make_license: MakeLicense, time: Clock
) -> None:
    license = make_license(condition("gallery_cap", max_enrolled=4000), serials=("FR-1",))
    body = attestation(license["number"], time.now)
    filed = exporter.post("/v1/reports", body).json()

    again = exporter.post("/v1/reports/preflight", body)

    assert [one["id"] for one in again.json()["deviations"]] == filed["deviations"]
    changed = body | {"mode": "physical"}
    problem(exporter.post("/v1/reports/preflight", changed), 409, "reference-taken")


def test_what_filing_refuses_is_refused(
    exporter: Door, dashboard: Door, make_license: MakeLicense, time: Clock
) -> None:
    license = make_license(serials=("FR-1",))
    body = attestation(license["number"], time.now)
    later = datetime.fromisoformat(body["observed_at"]) + timedelta(days=1)
    wrong = [
        body | {"license": "BX-NONE"},
        body | {"kind": "inspection"},
        body | {"observed_at": later.isoformat()},
        body | {"statements": [stated("FR-9", gallery_size=1)]},
        body | {"statements": [stated("FR-1", face_template="aGVsbG8=")]},
        body | {"statements": []},
    ]
    for one in wrong:
        foreseen = exporter.post("/v1/reports/preflight", one)
        filed = exporter.post("/v1/reports", one)
        assert filed.status_code >= 400
        assert (foreseen.status_code, foreseen.json()) == (filed.status_code, filed.json())
    problem(dashboard.post("/v1/reports/preflight", body), 403, "role-not-allowed")
