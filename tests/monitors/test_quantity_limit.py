from dataclasses import replace
from datetime import UTC, date, datetime
from decimal import Decimal
from fractions import Fraction

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Line, Need, Subject, Unit, quantity_limit
from monitors.quantity_limit import MONITOR, Facts, Terms
from tests.monitors import heard
from tests.monitors.heard import NOON, case

LINE = Line(1, "piece", Decimal(40), Decimal("480000.00"), "EUR")
TERMS = Terms()

amounts = st.decimals(0, 10**15, places=6)
percents = st.decimals(0, 100, places=8)


def judge(
    *ledger: Line,
    terms: Terms = TERMS,
    lines: frozenset[int] = frozenset(),
    units: int = 0,
) -> list[Finding]:
    known = {f"FR-{n}": Unit(f"FR-{n}", line=1) for n in range(units)}
    return heard.judge(quantity_limit, terms, case=case(ledger=ledger, lines=lines, units=known))


def drawn(quantity: str = "0", value: str = "0", line: Line = LINE) -> Line:
    return replace(line, shipped_quantity=Decimal(quantity), shipped_value=Decimal(value))


def reasons(found: list[Finding]) -> list[str]:
    return [finding.reason for finding in found]


def test_shipments_up_to_the_limit_are_kept() -> None:
    assert judge(LINE) == []
    assert judge(drawn("39", "479999.99")) == []
    assert judge(drawn("40", "480000.00"), units=40) == []


def test_a_quantity_above_the_line_is_found_with_its_shipments() -> None:
    line = replace(drawn("41"), last_shipped_on=date(2026, 5, 3), shipments=("S-1", "S-2"))

    (finding,) = judge(line)

    assert finding.answer is Answer.BROKEN
    assert finding.subject == Subject("license", case().license)
    assert finding.reason == "quantity_exceeded_line_1"
    assert finding.at == datetime(2026, 5, 3, tzinfo=UTC)
    assert finding.expected == "at most 40 piece shipped on line 1"
    assert finding.observed == "41 piece shipped"
    assert finding.evidence == ("S-1", "S-2")


def test_a_value_above_the_line_is_found() -> None:
    (finding,) = judge(drawn("40", "480000.01"), terms=Terms(tolerance_percent=Decimal(5)))

    assert finding.reason == "value_exceeded_line_1"
    assert finding.expected == "at most 480,000 EUR shipped on line 1"
    assert finding.observed == "480,000.01 EUR shipped"
    assert finding.at == NOON


def test_the_tolerance_stands_in_what_was_expected() -> None:
    terms = Terms(tolerance_percent=Decimal("2.50"), value_tolerance_percent=Decimal(10))

    assert judge(drawn("41", "528000"), terms=terms) == []
    quantity, value = judge(drawn("41.1", "528000.01"), terms=terms)
    assert quantity.expected == "at most 40 piece shipped on line 1 (with 2.5 % tolerance)"
    assert value.expected == "at most 480,000 EUR shipped on line 1 (with 10 % tolerance)"


def test_each_line_has_a_deviation_of_its_own() -> None:
    second = replace(drawn("41", "480001"), line=2)

    assert reasons(judge(drawn("41"), second)) == [
        "quantity_exceeded_line_1",
        "quantity_exceeded_line_2",
        "value_exceeded_line_2",
    ]


def test_more_serial_numbers_than_pieces_shipped_are_found() -> None:
    assert judge(drawn("3"), units=3) == []
    (finding,) = judge(drawn("3"), units=4)
    assert finding.reason == "units_exceed_shipped_line_1"
    assert finding.expected == "at most 3 units on line 1, as shipped"
    assert finding.observed == "4 units known by serial number"


def test_serial_numbers_are_counted_against_pieces_of_their_line_only() -> None:
    assert judge(replace(LINE, unit="kilogram"), units=4) == []
    assert judge(replace(LINE, line=2), units=4) == []
    assert reasons(judge(replace(LINE, unit="H87"), units=4)) == ["units_exceed_shipped_line_1"]


def test_value_shipped_without_an_authorized_value_is_not_assessable() -> None:
    unpriced = replace(LINE, authorized_value=None, currency=None)

    assert judge(drawn("1", "0", unpriced)) == []
    (finding,) = judge(drawn("1", "12000", unpriced))
    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.reason, finding.missing) == ("value_unknown_line_1", ("authorized_value",))
    assert finding.observed == "12,000 of unstated currency shipped"


def test_only_the_lines_a_condition_names_are_judged() -> None:
    ledger = (drawn("41"), replace(drawn("41"), line=2))

    assert reasons(judge(*ledger, lines=frozenset({2}))) == ["quantity_exceeded_line_2"]


def test_a_line_the_license_does_not_have_is_not_assessable() -> None:
    (finding,) = judge(LINE, lines=frozenset({1, 3}))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.reason, finding.missing) == ("line_unknown_line_3", ("line",))


def test_terms_that_change_judge_the_same_ledger_anew() -> None:
    assert reasons(judge(drawn("41"))) == ["quantity_exceeded_line_1"]
    assert judge(drawn("41"), terms=Terms(tolerance_percent=Decimal(5))) == []


def test_nothing_shipped_is_nothing_found() -> None:
    assert judge() == judge(LINE) == []
    assert heard.judge(quantity_limit, TERMS, heard.say(gallery_size=3)) == []


def test_it_asks_for_the_ledger_and_every_unit_of_the_license() -> None:
    assert MONITOR.hears(TERMS).scope == "license"
    assert MONITOR.needs == {Need.LEDGER, Need.UNITS}
    assert Facts.model_fields == {}


@given(amounts, percents)
def test_the_tolerance_is_exact_at_the_border(authorized: Decimal, percent: Decimal) -> None:
    """The limit has up to 14 decimals, so every limit can be written down exactly as a decimal."""
    terms = Terms(tolerance_percent=percent, value_tolerance_percent=percent)
    limit = Fraction(authorized) * (100 + Fraction(percent)) / 100
    steps = limit * 10**16
    assert steps.denominator == 1
    at, above = (Decimal(f"{steps.numerator + more}E-16") for more in (0, 1))
    line = replace(
        LINE, unit="kilogram", authorized_quantity=authorized, authorized_value=authorized
    )

    assert judge(replace(line, shipped_quantity=at, shipped_value=at), terms=terms) == []
    assert reasons(judge(replace(line, shipped_quantity=above, shipped_value=at), terms=terms)) == [
        "quantity_exceeded_line_1"
    ]
    assert reasons(judge(replace(line, shipped_quantity=at, shipped_value=above), terms=terms)) == [
        "value_exceeded_line_1"
    ]


@given(amounts, amounts, st.none() | amounts, amounts, percents, st.integers(0, 5))
def test_whatever_the_ledger_holds_an_answer_is_given(
    authorized: Decimal,
    shipped: Decimal,
    priced: Decimal | None,
    value: Decimal,
    percent: Decimal,
    units: int,
) -> None:
    line = Line(1, "piece", authorized, priced, "EUR", shipped, value)

    found = judge(line, terms=Terms(tolerance_percent=percent), units=units)

    assert len(set(reasons(found))) == len(found) <= 3
    assert ("units_exceed_shipped_line_1" in reasons(found)) == (units > shipped)


@pytest.mark.parametrize(
    "terms",
    [
        {"tolerance_percent": -1},
        {"tolerance_percent": 101},
        {"value_tolerance_percent": "NaN"},
        {"value_tolerance_percent": "Infinity"},
        {"tolerance": 1},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)
