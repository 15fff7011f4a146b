from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.licenses import rules
from app.licenses.rules import State

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
INSTANT = timedelta(microseconds=1)
LEGAL = {
    ("draft", "issued"),
    ("draft", "cancelled"),
    ("issued", "suspended"),
    ("issued", "exhausted"),
    ("issued", "cancelled"),
    ("issued", "revoked"),
    ("issued", "surrendered"),
    ("issued", "expired"),
    ("suspended", "reinstated"),
    ("suspended", "revoked"),
    ("suspended", "surrendered"),
    ("suspended", "expired"),
    ("reinstated", "suspended"),
    ("reinstated", "exhausted"),
    ("reinstated", "revoked"),
    ("reinstated", "surrendered"),
    ("reinstated", "expired"),
    ("exhausted", "suspended"),
    ("exhausted", "revoked"),
    ("exhausted", "surrendered"),
    ("exhausted", "expired"),
    ("expired", "revoked"),
}


@dataclass(frozen=True)
class Version:
    version: int
    effective_from: datetime
    effective_to: datetime | None = None


@pytest.mark.parametrize(("before", "after"), list(product(State, State)))
def test_a_license_goes_only_where_its_life_allows(before: State, after: State) -> None:
    if (before, after) in LEGAL:
        rules.check_transition("BX-1", before, after)
        return
    with pytest.raises(
        rules.TransitionIllegal, match=f"BX-1 is {before}; it cannot become {after}"
    ):
        rules.check_transition("BX-1", before, after)


def test_a_refused_change_says_what_would_be_possible() -> None:
    with pytest.raises(rules.TransitionIllegal, match="From here: revoked") as refused:
        rules.check_transition("BX-1", State.EXPIRED, State.ISSUED)
    assert refused.value.more == {"state": "expired"}
    with pytest.raises(rules.TransitionIllegal, match="this state is final"):
        rules.check_transition("BX-1", State.REVOKED, State.ISSUED)


def test_the_state_that_lapses_can_expire_and_no_person_gives_it() -> None:
    assert all(State.EXPIRED in rules.TRANSITIONS[state] for state in rules.LAPSES)
    assert State.EXPIRED not in rules.GIVEN_BY_A_PERSON


def test_the_highest_version_that_has_begun_is_in_force() -> None:
    first, second = Version(1, NOON), Version(2, NOON + DAY)
    for versions in ([first, second], [second, first]):
        assert rules.in_force(versions, NOON - INSTANT) is None
        assert rules.in_force(versions, NOON) is first
        assert rules.in_force(versions, NOON + DAY - INSTANT) is first
        assert rules.in_force(versions, NOON + DAY) is second
    assert rules.in_force([], NOON) is None


def test_an_amendment_that_reaches_back_overrules_what_began_after_it() -> None:
    first, second = Version(1, NOON), Version(2, NOON - DAY)
    assert rules.in_force([first, second], NOON) is second


def test_a_version_that_has_ended_rules_no_more_and_the_one_before_does_not_come_back() -> None:
    first, second = Version(1, NOON), Version(2, NOON + DAY, NOON + 2 * DAY)
    assert rules.in_force([first, second], NOON + 2 * DAY - INSTANT) is second
    assert rules.in_force([first, second], NOON + 2 * DAY) is None


def test_a_condition_ends_by_a_version_that_is_over_as_it_begins() -> None:
    first, ending = Version(1, NOON), Version(2, NOON + DAY, NOON + DAY)
    assert rules.in_force([first, ending], NOON + DAY - INSTANT) is first
    assert rules.in_force([first, ending], NOON + DAY) is None


@given(st.lists(st.integers(-5, 5), min_size=1, max_size=6), st.integers(-6, 6))
def test_what_is_in_force_had_begun_and_no_later_version_had(begins: list[int], at: int) -> None:
    versions = [Version(number, NOON + begin * DAY) for number, begin in enumerate(begins)]
    moment = NOON + at * DAY
    chosen = rules.in_force(versions, moment)
    begun = [version for version in versions if version.effective_from <= moment]
    assert chosen == (begun[-1] if begun else None)


def test_conditions_of_a_kind_are_told_apart_by_their_lines() -> None:
    assert rules.condition_key("gallery_cap", []) == "gallery_cap"
    assert rules.condition_key("gallery_cap", [12, 2]) == "gallery_cap:2,12"


@pytest.mark.parametrize(
    ("end_use", "kinds", "modes", "tier"),
    [
        ("access_control", set(), {"verify_1_1"}, 1),
        ("banking_kyc", {"gallery_cap"}, {"verify_1_1"}, 1),
        ("access_control", set(), {"verify_1_1", "dedup_1_n"}, 2),
        ("border_control", set(), {"verify_1_1"}, 2),
        ("access_control", set(), set(), 2),
        ("access_control", set(), {"verify_1_1", "identify_1_n"}, 3),
        ("access_control", {"watchlist_control"}, {"verify_1_1"}, 3),
        ("law_enforcement", set(), {"verify_1_1"}, 3),
    ],
)
def test_how_closely_a_license_is_watched_follows_from_what_it_allows(
    end_use: str, kinds: set[str], modes: set[str], tier: int
) -> None:
    found = rules.tier_of(
        end_use=end_use, kinds=kinds, match_modes=modes, granted_on=date(2026, 3, 2)
    )
    assert (found.tier, found.review_on) == (tier, date(2027, 3, 2))
    assert found.reason


def test_a_license_of_a_leap_day_is_looked_at_again_on_the_last_of_february() -> None:
    granted = date(2028, 2, 29)
    tier = rules.tier_of(end_use="x", kinds=[], match_modes=[], granted_on=granted)
    assert tier.review_on == date(2029, 2, 28)
