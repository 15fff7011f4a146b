"""When a check may be rated and closed."""

from typing import Any

import pytest

from app.audits import closing
from app.audits.closing import (
    ActionsOpen,
    EvidenceUnrated,
    Found,
    NotWhole,
    OutcomeUnfounded,
    SecondPersonNeeded,
)
from app.audits.rules import Outcome

WHOLE: dict[str, Any] = {
    "mode": "physical",
    "units_expected": 3,
    "units_sighted": 0,
    "receipt": "DEL-1",
}
NUMBER = "CHK-2026-00001"


def found(**more: Any) -> Found:
    return Found(**WHOLE | more)


def test_a_whole_check_closes_also_if_nothing_was_sighted() -> None:
    closing.check_closing(NUMBER, found(), waived=False)
    closing.check_closing(NUMBER, found(units_expected=0), waived=False)


@pytest.mark.parametrize(
    ("missing", "named"),
    [
        ({"mode": None}, ["mode"]),
        ({"units_sighted": None, "units_expected": None}, ["coverage"]),
        ({"receipt": None}, ["evidence of receipt"]),
        ({"mode": None, "receipt": None}, ["mode", "evidence of receipt"]),
    ],
)
def test_what_is_missing_is_named_and_may_be_waived(
    missing: dict[str, Any], named: list[str]
) -> None:
    with pytest.raises(NotWhole) as refused:
        closing.check_closing(NUMBER, found(**missing), waived=False)
    assert refused.value.more == {"missing": named}
    closing.check_closing(NUMBER, found(**missing), waived=True)


def test_no_waiver_stands_for_open_actions_or_an_unread_report() -> None:
    with pytest.raises(ActionsOpen, match=r"2, 5") as refused:
        closing.check_closing(NUMBER, found(open_actions=(2, 5)), waived=True)
    assert refused.value.more == {"actions": [2, 5]}
    with pytest.raises(EvidenceUnrated, match="after rating 1"):
        closing.check_closing(NUMBER, found(unrated_reports=1, rated_version=1), waived=True)


@pytest.mark.parametrize("outcome", Outcome)
def test_only_a_reported_check_is_favorable(outcome: Outcome) -> None:
    closing.check_outcome(NUMBER, outcome, reported=True)
    if outcome is Outcome.FAVORABLE:
        with pytest.raises(OutcomeUnfounded) as refused:
            closing.check_outcome(NUMBER, outcome, reported=False)
        assert refused.value.pointer == "/outcome"
    else:
        closing.check_outcome(NUMBER, outcome, reported=False)


def test_a_second_person_is_another() -> None:
    closing.check_second_person("it", same=False)
    with pytest.raises(SecondPersonNeeded):
        closing.check_second_person("it", same=True)
