"""Licenses as callers see them."""

from datetime import datetime
from decimal import Decimal

from app.licenses import rules
from app.licenses.models import Amendment, Condition, License, Line
from app.licenses.schemas import (
    AmendmentOut,
    ConditionOut,
    LicenseOut,
    LicenseSummary,
    LineOut,
    PartyOut,
    SiteOut,
    StateOut,
    ValueOut,
)
from app.parties.schemas import PositionIn
from monitors import catalogue

CONDITION_COLUMNS = [column.key for column in Condition.__table__.columns]


def show_summary(license: License) -> LicenseSummary:
    """Show a license in a list."""
    return LicenseSummary.model_validate(license)


def show(license: License, now: datetime) -> LicenseOut:
    """Show a license whole."""
    ruling = {version.id for version in _ruling(license.conditions, now)}
    return LicenseOut(
        **LicenseSummary.model_validate(license).model_dump(),
        humanitarian_track=license.humanitarian_track,
        time_zone=license.time_zone,
        delivered_when=license.delivered_when,
        tier_reason=license.tier_reason,
        tier_review_on=license.tier_review_on,
        parties=[
            PartyOut(
                role=named.role,
                reference=named.party.reference,
                name=named.party.name,
                country=named.party.country,
            )
            for named in license.parties
        ],
        sites=[
            SiteOut(
                reference=named.site.reference,
                name=named.site.name,
                country=named.site.country,
                position=(
                    PositionIn(lat=named.site.lat, lon=named.site.lon)
                    if named.site.lat is not None and named.site.lon is not None
                    else None
                ),
            )
            for named in license.sites
        ],
        lines=[_show_line(line) for line in license.lines],
        conditions=[_show_condition(row, row.id in ruling) for row in license.conditions],
        states=[StateOut.model_validate(change) for change in license.states],
        decision_rationale=license.decision_rationale,
    )


def _ruling(conditions: list[Condition], now: datetime) -> list[Condition]:
    """Choose the versions in force now."""
    keys = {condition.key for condition in conditions}
    chosen = [rules.in_force([c for c in conditions if c.key == key], now) for key in sorted(keys)]
    return [condition for condition in chosen if condition is not None]


def _show_condition(condition: Condition, in_force: bool) -> ConditionOut:  # noqa: FBT001
    columns = {name: getattr(condition, name) for name in CONDITION_COLUMNS}
    return ConditionOut(
        **columns,
        title=catalogue()[condition.kind].title if condition.kind in catalogue() else "unknown",
        in_force=in_force,
    )


def _show_line(line: Line) -> LineOut:
    value = None
    if line.value_amount is not None and line.value_currency is not None:
        value = ValueOut(amount=decimal(line.value_amount), currency=line.value_currency)
    return LineOut(
        line=line.line,
        description=line.description,
        classification=line.classification,
        modality=line.modality,
        quantity=decimal(line.quantity),
        unit=line.unit,
        value=value,
    )


def decimal(number: Decimal) -> str:
    """Write a decimal without an exponent, e.g. `480000.00`."""
    return f"{number:f}"


def show_amendment(number: str, row: Amendment) -> AmendmentOut:
    """Show an amendment."""
    return AmendmentOut(
        id=row.id,
        license=number,
        state="approved" if row.approved_at else "proposed",
        ground=row.ground,
        proposed_by=row.proposed_by,
        proposed_at=row.proposed_at,
        approved_by=row.approved_by,
        approved_at=row.approved_at,
        conditions=row.conditions[0]["conditions"],
        ends=row.conditions[0]["ends"],
        delivered_when=row.conditions[0].get("delivered_when"),
    )
