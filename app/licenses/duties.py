"""Who owes what by when, and whether a condition is in force while the license is. Pure.

Only the exporter of a license holds a key for it, so what another party owes is filed by the
exporter or not at all.
"""

from collections.abc import Iterator
from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

from app.licenses.advice import Advice, Clause, roles, spoken
from app.licenses.schemas import LicenseIn, start_of
from monitors import Duty


def of_condition(clause: Clause) -> Iterator[Advice]:
    """Look at who is bound, and at the times of a condition."""
    owes = clause.monitor.owes
    duty = owes(clause.condition.terms) if owes is not None else None
    yield from _unbound(clause, duty)
    yield from _order(clause)
    if clause.license is not None:
        yield from _absent(clause, clause.license, duty)
        yield from _filing(clause, clause.license, duty)
        yield from _beginning(clause, clause.license)
        yield from _ending(clause, clause.license)
        yield from _starts(clause, clause.license)
        if duty is not None:
            yield from _first(clause, clause.license, duty)


def _unbound(clause: Clause, duty: Duty | None) -> Iterator[Advice]:
    if duty is None or duty.what != "report" or duty.by or clause.condition.binds:
        return
    yield clause.say(
        "warning",
        "nobody_bound",
        "/binds",
        f"A report is owed under the {clause.name}, and nobody is bound to file it.",
        'Name who files it: `"binds": ["exporter"]`, or `by` in the terms.',
    )


def _absent(clause: Clause, license: LicenseIn, duty: Duty | None) -> Iterator[Advice]:
    """Find roles that nobody has."""
    held = roles(license)
    by = duty.by if duty is not None else None
    named = {f"/binds/{at}": role for at, role in enumerate(clause.condition.binds)}
    for at, role in (named | ({"/terms/by": by} if by else {})).items():
        if role not in held:
            yield clause.say(
                "error" if role == by else "warning",
                "role_without_party",
                at,
                f"The {clause.name} binds the {spoken([role])}, and nobody on the license has "
                "that role.",
                f"Name the {spoken([role])} among the parties, or bind somebody who is there.",
            )


def _filing(clause: Clause, license: LicenseIn, duty: Duty | None) -> Iterator[Advice]:
    """Find reports owed by those who cannot file them."""
    held, by = roles(license), duty.by if duty is not None else None
    owing = [by] if by else clause.condition.binds
    if duty is None or duty.what != "report" or not owing:
        return
    filing = set().union(*(held.get(role, set()) for role in owing))
    if filing and license.exporter.reference not in filing:
        yield clause.say(
            "warning",
            "bound_cannot_file",
            "/terms/by" if by else "/binds",
            f"The report is owed by the {spoken(owing)}, and only the exporter holds a key to "
            "file reports under the license.",
            "Bind the exporter, who files what the other party states.",
        )


def _order(clause: Clause) -> Iterator[Advice]:
    begins, ends = clause.condition.effective_from, clause.condition.effective_to
    if begins is not None and ends is not None and ends <= begins:
        yield clause.say(
            "error",
            "never_in_force",
            "/effective_to",
            f"The {clause.name} ends before it begins.",
            "Give an end after the beginning, or none.",
        )


def _beginning(clause: Clause, license: LicenseIn) -> Iterator[Advice]:
    """Compare when it begins with the license's own time, in its time zone."""
    begins, zone = clause.condition.effective_from, ZoneInfo(license.time_zone)
    over = _end(license, zone)
    if begins is not None and begins < start_of(license.granted_on, zone):
        yield clause.say(
            "warning",
            "in_force_before_grant",
            "/effective_from",
            f"The {clause.name} begins before the license is granted on {license.granted_on}; "
            "nothing observed before is judged.",
            "Leave `effective_from` out: it then begins with the license.",
        )
    if over is not None and begins is not None and begins >= over:
        yield clause.say(
            "error",
            "never_in_force",
            "/effective_from",
            f"The {clause.name} begins after the license has expired on {license.expires_on}.",
            "Give an earlier beginning, or none.",
        )


def _ending(clause: Clause, license: LicenseIn) -> Iterator[Advice]:
    """Compare when it ends with the license's own time, in its time zone."""
    ends, zone = clause.condition.effective_to, ZoneInfo(license.time_zone)
    over = _end(license, zone)
    if ends is not None and ends <= start_of(license.granted_on, zone):
        yield clause.say(
            "error",
            "never_in_force",
            "/effective_to",
            f"The {clause.name} ends before the license is granted on {license.granted_on}.",
            "Give a later end, or none.",
        )
    if over is not None and ends is not None and ends > over:
        yield clause.say(
            "note",
            "in_force_after_expiry",
            "/effective_to",
            f"The {clause.name} ends after the license expires on {license.expires_on}.",
            "Keep it if the duty outlives the license; without an end it does so anyway.",
        )


def _end(license: LicenseIn, zone: ZoneInfo) -> datetime | None:
    """Give the moment the license is over; it counts its last day in."""
    return start_of(license.expires_on + timedelta(days=1), zone) if license.expires_on else None


def _starts(clause: Clause, license: LicenseIn) -> Iterator[Advice]:
    starts = clause.term("starts")
    if starts is not None and starts < license.granted_on:
        yield clause.say(
            "warning",
            "starts_before_grant",
            "/terms/starts",
            f"The first period of the {clause.name} begins on {starts}, before the license is "
            f"granted on {license.granted_on}.",
            "Let it begin on the day of the grant or later.",
        )


def _first(clause: Clause, license: LicenseIn, duty: Duty) -> Iterator[Advice]:
    """Find a license that is over before anything falls due under it."""
    zone = ZoneInfo(license.time_zone)
    over, begins = _end(license, zone), clause.condition.effective_from
    if license.expires_on is None or over is None or (begins is not None and begins >= over):
        return
    granted = start_of(license.granted_on, zone)
    own = max(begins or granted, granted).astimezone(zone).date()
    first = duty.starts or own
    due: date = first + duty.every if first <= license.expires_on else first
    if due > license.expires_on:
        yield clause.say(
            "warning",
            "expires_before_first_due",
            "/terms",
            f"The license expires on {license.expires_on}, and no {duty.what} falls due under the "
            f"{clause.name} before {due}.",
            "Shorten the period, let it start earlier, or ask for a final report by a day.",
        )
