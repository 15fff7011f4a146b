"""Quantity limit: no more is shipped than each line of the license authorizes.

**What it means.** A line authorizes a quantity and, as a rule, a value. Every shipment draws on
it. Customs systems only warn when the value passes the license by more than a tenth, so that
shipping more than was granted has to be noticed here.

**Terms.** `tolerance_percent` (how far the quantity shipped may pass the quantity authorized, in
percent of it, default 0), `value_tolerance_percent` (the same for the value, default 0). The
arithmetic is exact; at the limit is kept.

**Broken**, for each line by its number, when the quantity shipped is above the quantity authorized
with its tolerance (`quantity_exceeded_line_1`), when the value shipped is above the value
authorized with its tolerance (`value_exceeded_line_1`), or when the line counts pieces and more
serial numbers are known on it than pieces were shipped (`units_exceed_shipped_line_1`).

**Not assessable** when value was shipped on a line that names no authorized value
(`value_unknown_line_1`), and when the condition names a line that the license does not have
(`line_unknown_line_1`).

**Source.** Drawdown of licenses; shipping tolerances as in 15 CFR 750.11. Codes for pieces after
UN/ECE Recommendation 20.
"""

from collections import Counter
from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, time
from decimal import Decimal
from fractions import Fraction
from typing import Annotated

from pydantic import Field

from monitors._contract import (
    Answer,
    Case,
    FactsModel,
    Finding,
    Hears,
    Line,
    Monitor,
    Need,
    Severity,
    Statement,
    Subject,
    TermsModel,
)

PIECES = frozenset(
    {"piece", "pieces", "pcs", "pce", "unit", "units", "each", "ea", "number", "h87", "c62"}
)
Percent = Annotated[Decimal, Field(ge=0, le=100)]


class Terms(TermsModel):
    """How far a shipment may pass what its line authorizes."""

    tolerance_percent: Percent = Decimal(0)
    """How far above the authorized quantity is still let pass, in percent of it."""
    value_tolerance_percent: Percent = Decimal(0)
    """How far above the authorized value is still let pass, in percent of it."""


class Facts(FactsModel):
    """It reads none: the ledger says what was shipped."""


def hears(terms: Terms) -> Hears:  # noqa: ARG001 - whatever the tolerance
    """Counting units needs every unit of the license, not those somebody speaks of."""
    return Hears(scope="license")


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],  # noqa: ARG001 - the ledger is judged, not what was said
    case: Case,
    moment: datetime,
) -> Iterator[Finding]:
    """Compare what was drawn from each line with what the line authorizes."""
    units = Counter(unit.line for unit in case.units.values())
    for line in case.ledger:
        if not case.lines or line.line in case.lines:
            at = _last_shipped(line) or moment
            yield from _quantity(terms, case, line, at)
            yield from _value(terms, case, line, at)
            yield from _units(case, line, units[line.line], at)
    for number in sorted(case.lines.difference(line.line for line in case.ledger)):
        yield _finding(
            case,
            f"line_unknown_line_{number}",
            at=moment,
            expected=f"line {number} on the license",
            observed=f"the license has no line {number}",
            clears="an amendment that names the line meant",
            missing=("line",),
        )


def _quantity(terms: Terms, case: Case, line: Line, at: datetime) -> Iterator[Finding]:
    if _above(line.shipped_quantity, line.authorized_quantity, terms.tolerance_percent):
        yield _finding(
            case,
            f"quantity_exceeded_line_{line.line}",
            at=at,
            expected=(
                f"at most {_plain(line.authorized_quantity)} {line.unit} shipped on line "
                f"{line.line}{_extra(terms.tolerance_percent)}"
            ),
            observed=f"{_plain(line.shipped_quantity)} {line.unit} shipped",
            clears="an amended license, or proof that a declaration was wrong and is corrected",
            evidence=line.shipments,
        )


def _value(terms: Terms, case: Case, line: Line, at: datetime) -> Iterator[Finding]:
    """Without an authorized value a shipped one cannot be compared."""
    shipped, currency = line.shipped_value, line.currency or "of unstated currency"
    if line.authorized_value is None:
        if shipped:
            yield _finding(
                case,
                f"value_unknown_line_{line.line}",
                at=at,
                expected=f"an authorized value on line {line.line}",
                observed=f"{_plain(shipped)} {currency} shipped",
                clears="an amendment that states the value of the line",
                evidence=line.shipments,
                missing=("authorized_value",),
            )
    elif _above(shipped, line.authorized_value, terms.value_tolerance_percent):
        yield _finding(
            case,
            f"value_exceeded_line_{line.line}",
            at=at,
            expected=(
                f"at most {_plain(line.authorized_value)} {currency} shipped on line "
                f"{line.line}{_extra(terms.value_tolerance_percent)}"
            ),
            observed=f"{_plain(shipped)} {currency} shipped",
            clears="an amended license, or proof that a declaration was wrong and is corrected",
            evidence=line.shipments,
        )


def _units(case: Case, line: Line, known: int, at: datetime) -> Iterator[Finding]:
    if line.unit.casefold() in PIECES and known > line.shipped_quantity:
        yield _finding(
            case,
            f"units_exceed_shipped_line_{line.line}",
            at=at,
            expected=(
                f"at most {_plain(line.shipped_quantity)} units on line {line.line}, as shipped"
            ),
            observed=f"{known:,} units known by serial number",
            clears="the declaration of the shipment the further units came with",
            evidence=line.shipments,
        )


def _above(shipped: Decimal, authorized: Decimal, percent: Decimal) -> bool:
    """Compare in fractions: decimals are rounded to 28 digits, and the limit itself is kept."""
    return Fraction(shipped) * 100 > Fraction(authorized) * (100 + Fraction(percent))


def _last_shipped(line: Line) -> datetime | None:
    day = line.last_shipped_on
    return datetime.combine(day, time(), UTC) if day else None


def _plain(amount: Decimal) -> str:
    text = f"{amount:,f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _extra(percent: Decimal) -> str:
    return f" (with {_plain(percent)} % tolerance)" if percent else ""


def _finding(
    case: Case,
    reason: str,
    *,
    at: datetime,
    expected: str,
    observed: str,
    clears: str,
    evidence: tuple[str, ...] = (),
    missing: tuple[str, ...] = (),
) -> Finding:
    """Speak of the license; the line stands in the reason, so that each has its own deviation."""
    return Finding(
        answer=Answer.NOT_ASSESSABLE if missing else Answer.BROKEN,
        subject=Subject("license", case.license),
        reason=reason,
        at=at,
        expected=expected,
        observed=observed,
        clears=clears,
        evidence=evidence,
        missing=missing,
    )


MONITOR = Monitor(
    title="Quantity limit",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    hears=hears,
    needs=frozenset({Need.LEDGER, Need.UNITS}),
    how_to_check=(
        "Count the units on site by serial number, line by line, and compare the count and the "
        "invoices with the export declarations."
    ),
    what_to_see="No more units than were declared, and no serial number that was never declared.",
)
