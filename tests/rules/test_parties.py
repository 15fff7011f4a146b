"""How parties stand, and whom a check is about."""

import pytest

from app.parties.rules import Standing, concerned, worse


def test_a_standing_only_falls_a_step_down() -> None:
    steps = list(Standing)
    falls = [(a, b) for a in steps for b in steps if worse(a, b)]
    assert falls == [
        (Standing.GOOD, Standing.UNVERIFIED),
        (Standing.GOOD, Standing.LISTING_RECOMMENDED),
        (Standing.UNVERIFIED, Standing.LISTING_RECOMMENDED),
    ]


@pytest.mark.parametrize(
    ("parties", "about"),
    [
        ([("exporter", "A"), ("end_user", "C"), ("ultimate_consignee", "B")], ["B", "C"]),
        ([("end_user", "C"), ("ultimate_consignee", "C")], ["C"]),
        ([("exporter", "A"), ("purchaser", "P"), ("intermediate_consignee", "I")], ["I", "P"]),
        ([("exporter", "A"), ("subcontractor", "S")], []),
        ([], []),
    ],
)
def test_a_check_is_about_who_has_the_goods(
    parties: list[tuple[str, str]], about: list[str]
) -> None:
    assert concerned(parties) == about
