"""One party floods the service with readings; nobody else notices, and nothing is lost."""

from benchmarks import drills


def test_a_flood_of_readings_stops_neither_filings_nor_dashboards() -> None:
    figures = drills.flood(3)
    print(figures)
    assert figures["lost"] == 0
    assert figures["readings taken"] > 0
    assert figures["reports"] > 0
    assert set(figures["statuses of the flood"]) <= {200, 429, 503}
    assert {429, 503} & set(figures["statuses of the flood"])
