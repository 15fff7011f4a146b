from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from pydantic import ValidationError

from monitors import (
    Answer,
    Awaited,
    Case,
    Finding,
    Obligation,
    Severity,
    Subject,
    Transfer,
    transfer_acknowledgment,
)
from monitors.transfer_acknowledgment import MONITOR, Facts, Terms, awaits
from tests.monitors.heard import case, judge

POLICE = Subject("party", "KE-POL")
GIVEN = datetime(2026, 4, 1, 9, tzinfo=UTC)
DUE = datetime(2026, 5, 2, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def transfer(reference: str = "TR-1", **more: Any) -> Transfer:
    plain = Transfer(
        f"transfer:{reference}", reference, ("FR-1",), "KE-POL", "end_user", GIVEN, DUE
    )
    return replace(plain, **more)


def awaited(*transfers: Transfer) -> list[Awaited]:
    return list(awaits(Terms(), case(transfers=transfers)))


def found(at: datetime, met_at: datetime | None = None, *, slot: int = 3) -> list[Finding]:
    owed = Obligation(POLICE, slot, DUE, DUE, met_at=met_at, item="TR-1")
    file: Case = case(obligations=(owed,))
    return judge(transfer_acknowledgment, Terms(), case=file, moment=at)


def test_an_authorized_transfer_awaits_one_acknowledgment_by_who_receives_the_units() -> None:
    owed = Awaited(POLICE, DUE, DUE, item="TR-1", since=GIVEN, by="end_user")

    assert awaited(transfer()) == [owed]
    assert awaited(transfer(acknowledged_at=DUE)) == []
    assert awaited() == []


def test_each_transfer_to_the_same_party_is_awaited_for_itself() -> None:
    assert [one.item for one in awaited(transfer(), transfer("TR-2"))] == ["TR-1", "TR-2"]


@pytest.mark.parametrize(
    ("at", "met_at", "expected"),
    [
        (DUE, None, []),
        (DUE + SECOND, None, ["not_acknowledged"]),
        (DUE + SECOND, DUE, []),
        (DUE + 2 * SECOND, DUE + SECOND, ["not_acknowledged"]),
    ],
)
def test_what_had_not_come_when_its_day_was_over_is_found(
    at: datetime, met_at: datetime | None, expected: list[str]
) -> None:
    assert [one.reason for one in found(at, met_at)] == expected


def test_the_finding_names_party_transfer_and_day_and_a_late_one_ends_it() -> None:
    late = DUE + timedelta(days=9)
    (once,), (again,) = found(DUE + SECOND), found(late)
    (ended,) = found(late + SECOND, late)

    assert once == again
    assert (once.answer, once.subject, once.at) == (Answer.BROKEN, POLICE, DUE)
    assert once.evidence == ("obligation:3",)
    assert once.expected == ("the conditions of transfer TR-1 acknowledged by 2026-05-02 00:00 UTC")
    assert once.observed == "no acknowledgment by KE-POL by 2026-05-02 00:00 UTC"
    assert ended == replace(once, cleared_at=late)


def test_it_stands_on_every_license_without_terms_or_facts() -> None:
    assert (MONITOR.standing, MONITOR.severity, MONITOR.ladder) == (
        True,
        Severity.MODERATE,
        "hand_in",
    )
    assert not Facts.model_fields
    with pytest.raises(ValidationError):
        Terms.model_validate({"within_days": 30})
