"""Every example that GS1 publishes is accepted or refused for a stated reason."""

import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pytest

from app.database import Sessions
from tests.conftest import Door, MakeLicense
from tests.doors.filings import rows

SAMPLES = sorted(Path(__file__).with_name("gs1").glob("*.jsonld"))

NO_SERIAL = "it names no unit by serial number"
NOT_YOURS = "it names no unit of a license of yours"
TRANSFORMED = "a transformation does not say what became of a unit"
ON_THE_WAY = "it only tells of a place on the way"
NOT_ON_FILE = "the event it declares wrong is not on file"

OF_STRANGERS: dict[str, Sequence[str | None]] = {
    "AssociationEvent-a": [NO_SERIAL],
    "AssociationEvent-b": [NO_SERIAL],
    "AssociationEvent-c": [NO_SERIAL],
    "Example-TransactionEvents-2020_07_03y": [NO_SERIAL, NO_SERIAL],
    "Example-Type-sourceOrDestination,measurement,bizTransaction": [NO_SERIAL],
    "Example_9.6.1-ObjectEvent": [NOT_YOURS, NOT_YOURS],
    "Example_9.6.1-ObjectEvent-with-error-declaration": [NOT_YOURS, NOT_YOURS],
    "Example_9.6.1-ObjectEvent-with-pseudo-SBDH-headers": [NOT_YOURS, NOT_YOURS],
    "Example_9.6.1-ObjectEventWithDigitalLink": [NOT_YOURS, NOT_YOURS],
    "Example_9.6.1-with-comment": [NOT_YOURS, NOT_YOURS],
    "Example_9.6.2-ObjectEvent": [NO_SERIAL],
    "Example_9.6.2-ObjectEventWithDigitalLink": [NO_SERIAL],
    "Example_9.6.3-AggregationEvent": [NOT_YOURS],
    "Example_9.6.3-AggregationEventWithDigitalLink": [NOT_YOURS],
    "Example_9.6.4-TransformationEvent": [TRANSFORMED],
    "Example_9.6.4-TransformationEventWithDigitalLink": [TRANSFORMED],
    "PersistentDisposition-example": [NOT_YOURS, NOT_YOURS],
    "SensorDataExample1": [NOT_YOURS],
    "SensorDataExample2": [NOT_YOURS],
}

OURS = ("2017", "2018", "9876", "25", *(f"1000000100{at}" for at in range(1, 10)), "10000001010")
OF_US: Mapping[str, Sequence[str | None]] = OF_STRANGERS | {
    "Example_9.6.1-ObjectEvent": [ON_THE_WAY, None],
    "Example_9.6.1-ObjectEvent-with-error-declaration": [NOT_ON_FILE, None],
    "Example_9.6.1-ObjectEvent-with-pseudo-SBDH-headers": [ON_THE_WAY, None],
    "Example_9.6.1-ObjectEventWithDigitalLink": [ON_THE_WAY, None],
    "Example_9.6.1-with-comment": [ON_THE_WAY, None],
    "Example_9.6.3-AggregationEvent": [None],
    "Example_9.6.3-AggregationEventWithDigitalLink": [None],
    "PersistentDisposition-example": [None, None],
    "SensorDataExample1": [ON_THE_WAY],
    "SensorDataExample2": [ON_THE_WAY],
}
"""The same when their serial numbers are units of ours; None: captured."""


def test_there_is_a_verdict_on_every_sample() -> None:
    assert [sample.stem for sample in SAMPLES] == sorted(
        OF_STRANGERS, key=lambda name: f"{name}.jsonld"
    )
    assert set(OF_US) == set(OF_STRANGERS)


def _sent(door: Door, sample: Path) -> list[dict[str, Any]]:
    answer = door.post("/epcis/capture", json.loads(sample.read_text()))
    assert answer.status_code == 202, answer.text
    assert answer.json()["success"] is True
    events: list[dict[str, Any]] = answer.json()["events"]
    return events


def test_samples_of_goods_of_nobody_here_are_ignored_for_a_reason(
    exporter: Door, sessions: Sessions, subtests: pytest.Subtests
) -> None:
    kept = 0
    for sample in SAMPLES:
        with subtests.test(sample.stem):
            events = _sent(exporter, sample)
            kept += len(events)
            for told, reason in zip(events, OF_STRANGERS[sample.stem], strict=True):
                assert told["verdict"] == "ignored"
                assert told["reason"].startswith(str(reason))
    assert rows(sessions, "custody", "custody_events") == {"custody": 0, "custody_events": kept}


def test_samples_of_our_units_are_captured_or_ignored_for_a_reason(
    exporter: Door, make_license: MakeLicense, sessions: Sessions, subtests: pytest.Subtests
) -> None:
    make_license(granted_on="2005-01-03", serials=OURS)
    for sample in SAMPLES:
        with subtests.test(sample.stem):
            events = _sent(exporter, sample)
            for told, reason in zip(events, OF_US[sample.stem], strict=True):
                assert told["verdict"] == ("captured" if reason is None else "ignored")
                assert reason is None or told["reason"].startswith(reason)
                assert told["units"] >= 1 or reason is not None
    assert rows(sessions, "custody")["custody"] > 0
