from typing import Any

import pytest
from sqlalchemy import text

from app.database import Sessions
from app.models import Base
from tests.conftest import Door
from tests.doors.filings import problem
from tests.world import condition, license_body


def test_a_draft_is_looked_at_and_nothing_is_stored(officer: Door, sessions: Sessions) -> None:
    before = _counted(sessions)
    draft = license_body(condition("gallery_cap", "At most 6,000.", max_enrolled=5000))

    answer = officer.post("/v1/licenses/lint", draft)

    assert answer.status_code == 200, answer.text
    found = answer.json()
    weights = [one["severity"] for one in found["advice"]]
    assert found["errors"] == weights.count("error") == 0
    assert found["warnings"] == weights.count("warning") > 0
    first = next(one for one in found["advice"] if one["code"] == "text_number_not_in_terms")
    assert set(first) == {"severity", "code", "pointer", "detail", "advice"}
    assert first["pointer"] == "/conditions/0/text"
    assert _counted(sessions) == before
    assert officer.get(f"/v1/licenses/{draft['number']}").status_code == 404


def _counted(sessions: Sessions) -> dict[str, int | None]:
    with sessions() as session:
        return {
            table: session.scalar(text(f"SELECT count(*) FROM {table}"))
            for table in Base.metadata.tables
        }


def test_a_condition_is_looked_at_by_itself(officer: Door) -> None:
    cadence = condition("reporting_cadence", "Quarterly.", every="P3M")

    answer = officer.post("/v1/licenses/lint", {"condition": cadence})

    assert answer.status_code == 200, answer.text
    assert [(one["code"], one["pointer"]) for one in answer.json()["advice"]] == [
        ("nobody_bound", "/condition/binds")
    ]


def test_a_license_on_file_can_be_looked_at_again(officer: Door, make_license: Any) -> None:
    body = license_body(condition("permitted_countries", "In Uganda.", countries=["UG"]))
    assert officer.post("/v1/licenses", body).status_code == 201
    answer = officer.post("/v1/licenses/lint", body)
    assert answer.json()["errors"] == 1


@pytest.mark.parametrize(
    ("body", "pointer"),
    [
        ({}, "/number"),
        ({"condition": {}}, "/condition"),
        ({"condition": condition("gallery_cap", max_enrolled=-1)}, "/condition/terms/max_enrolled"),
        (license_body(condition("gallery_cap")), "/conditions/0/terms/max_enrolled"),
        ([], "/"),
    ],
)
def test_what_is_no_license_is_refused_like_anywhere(
    officer: Door, body: Any, pointer: str
) -> None:
    told = problem(officer.post("/v1/licenses/lint", body), 422, "fields-invalid")
    assert (told["pointer"] or "/") == pointer


def test_an_exporter_does_not_draft_licenses(exporter: Door) -> None:
    problem(exporter.post("/v1/licenses/lint", license_body()), 403, "role-not-allowed")
