from datetime import timedelta
from typing import Any

from app.journal.sequencer import Sequencer
from tests.conftest import Clock, Door, MakeLicense
from tests.world import condition


def test_an_attestation_becomes_a_deviation_and_an_alert(
    make_license: MakeLicense,
    exporter: Door,
    dashboard: Door,
    sequencer: Sequencer,
    time: Clock,
) -> None:
    license = make_license(
        condition("gallery_cap", "No more than 5,000 persons per gate.", max_enrolled=5000),
        serials=("FR-1",),
    )
    answer = exporter.post("/v1/reports", attestation(license["number"], time, gallery_size=5001))
    assert answer.status_code == 201
    (id,) = answer.json()["deviations"]

    assert sequencer.tick() > 0
    (alert,) = dashboard.get("/v1/alerts").json()["items"]
    assert (alert["change"], alert["deviation"]) == ("raised", id)

    deviation = dashboard.get(f"/v1/deviations/{id}").json()
    assert deviation["condition"]["text"] == "No more than 5,000 persons per gate."
    assert deviation["observed"] == "5,001 enrolled"
    assert deviation["evidence"][0]["grade"] == "E"
    assert deviation["severity"] == "moderate"  # weak evidence alone goes no higher


def attestation(number: str, time: Clock, **facts: Any) -> dict[str, Any]:
    return {
        "kind": "attestation",
        "license": number,
        "reference": "ATT-1",
        "observed_at": (time() - timedelta(days=1)).isoformat(),
        "statements": [{"subject": {"serial": "FR-1"}, "facts": facts}],
    }
