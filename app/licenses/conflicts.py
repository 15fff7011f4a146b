"""Terms that cannot all hold, within a condition and between conditions. Pure; works offline."""

from collections.abc import Iterator, Sequence
from datetime import date
from itertools import combinations

from app.licenses.advice import Advice, Clause, of_kind, roles, spoken
from app.licenses.schemas import LicenseIn

IDENTIFYING = frozenset({"identify_1_n", "search_n_n"})
A_DAY = date(2001, 1, 1)
PARTY_TERMS = {
    "permitted_end_users": "parties",
    "subcontractor_control": "approved",
    "no_onward_transfer": "exempt_parties",
}
"""Terms that name parties by reference, by kind."""


def of_condition(clause: Clause) -> Iterator[Advice]:
    """Look for terms of one condition that cannot all hold."""
    if clause.kind == "retention_limit":
        yield from _retention(clause)
    if clause.license is not None:
        yield from _end_use(clause, clause.license)
        yield from _parties(clause, clause.license)


def _retention(clause: Clause) -> Iterator[Advice]:
    """Logs that must be kept, of what must not."""
    logs, probes = clause.term("log_days"), clause.term("probe_days")
    nothing = [name for name in ("probe_days", "non_match_hours", "template_days")
               if clause.term(name) == 0]  # fmt: skip
    if logs and nothing:
        yield clause.say(
            "error",
            "nothing_kept_but_logs",
            f"/terms/{nothing[0]}",
            f"By {spoken([f'`{name}`' for name in nothing])} = 0 nothing may be kept, and logs must "
            f"be kept for {logs:,} days: a log that holds any of it breaks one term or the other.",
            "Allow the shortest time the system needs, or say in the text that logs hold neither "
            "probes nor references.",
        )
    elif logs and probes is not None and logs > probes:
        yield clause.say(
            "note",
            "logs_outlive_probes",
            "/terms/log_days",
            f"Logs are kept for {logs:,} days, probes for {probes:,} at most.",
            "Make sure that logs hold no probes; otherwise the two terms contradict each other.",
        )


def _end_use(clause: Clause, license: LicenseIn) -> Iterator[Advice]:
    """An end use the license is granted for and its condition rules out."""
    if clause.kind != "permitted_end_use":
        return
    allowed, denied = clause.term("allowed"), clause.term("denied")
    use = license.end_use.lower()
    if use in denied or (allowed and use not in allowed):
        yield clause.say(
            "error",
            "end_use_not_permitted",
            "/terms",
            f"The license is granted for {spoken([license.end_use])}, which the {clause.name} does "
            "not permit.",
            "Allow the end use of the license, or correct the license's own.",
        )


def _parties(clause: Clause, license: LicenseIn) -> Iterator[Advice]:
    """Parties named that the license does not know, and end users that are not named."""
    name = PARTY_TERMS.get(clause.kind)
    if name is None:
        return
    held = roles(license)
    known, named = set().union(*held.values()), clause.term(name)
    strange = sorted(set(named) - known)
    if strange:
        yield clause.say(
            "warning",
            "party_unknown",
            f"/terms/{name}",
            f"The {clause.name} names {', '.join(strange)}, and the license knows no such party.",
            "Check the reference, or name the party on the license with its role.",
        )
    left_out = sorted(held.get("end_user", set()) - set(named))
    if left_out and clause.kind == "permitted_end_users":
        yield clause.say(
            "error",
            "end_user_not_permitted",
            f"/terms/{name}",
            f"{', '.join(left_out)} is the end user on the license, and the {clause.name} does not "
            "permit it to operate the goods.",
            "Name every end user of the license in the condition.",
        )


def between(clauses: Sequence[Clause]) -> Iterator[Advice]:
    """Look for conditions about the same line that cannot all hold."""
    yield from _uses_apart(clauses)
    for mode in of_kind(clauses, "match_mode"):
        met = [clause for clause in clauses if clause.meets(mode)]
        if IDENTIFYING.isdisjoint(mode.term("allowed")):
            yield from _no_identification(mode, met)
        else:
            yield from _identifying_nobody(mode, met)
    for limit in of_kind(clauses, "retention_limit"):
        yield from _empty_gallery(limit, [one for one in clauses if one.meets(limit)])
        yield from _logs_of_nothing(limit, [one for one in clauses if one.meets(limit)])
    yield from _slow_hearts(clauses)


def _uses_apart(clauses: Sequence[Clause]) -> Iterator[Advice]:
    for one, other in combinations(of_kind(clauses, "permitted_end_use"), 2):
        for allowing, denying in ((one, other), (other, one)):
            both = sorted(set(allowing.term("allowed")) & set(denying.term("denied")))
            if both and one.meets(other):
                yield denying.say(
                    "error",
                    "allowed_and_denied",
                    "/terms/denied",
                    f"{spoken(both)} is denied here and allowed in {allowing.pointer} for the same "
                    "goods.",
                    "Decide on one of the two.",
                )


def _no_identification(mode: Clause, met: Sequence[Clause]) -> Iterator[Advice]:
    """Watchlists and live video need what the match modes rule out."""
    for clause in met:
        wanting = (clause.kind == "watchlist_control" and clause.term("max_entries") != 0) or (
            clause.kind == "live_stream_cap"
            and clause.term("max_streams") != 0
            and not clause.term("retrospective_only")
        )
        if wanting:
            yield clause.say(
                "warning",
                "identification_ruled_out",
                "/kind",
                f"The {clause.name} supposes that one is found among many, and {mode.pointer} "
                "allows one-to-one verification only.",
                "Set the cap to 0, leave the condition out, or allow identification.",
            )


def _identifying_nobody(mode: Clause, met: Sequence[Clause]) -> Iterator[Advice]:
    for clause in met:
        if clause.kind == "gallery_cap" and clause.term("max_enrolled") == 0:
            yield clause.say(
                "error",
                "gallery_zero_with_identification",
                "/terms/max_enrolled",
                f"Nobody may be enrolled, and {mode.pointer} allows identification among those "
                "enrolled.",
                "Give a cap above 0, or allow one-to-one verification only.",
            )


def _empty_gallery(limit: Clause, met: Sequence[Clause]) -> Iterator[Advice]:
    """References that may not be kept, and galleries made of them."""
    for clause in met:
        enrolled = clause.term("max_enrolled") or clause.term("max_entries")
        if limit.term("template_days") == 0 and enrolled:
            yield limit.say(
                "error",
                "gallery_without_references",
                "/terms/template_days",
                f"References may not be kept at all, and {clause.pointer} lets {enrolled:,} be "
                "enrolled.",
                "Allow references for as long as somebody is enrolled, or set the cap to 0.",
            )


def _logs_of_nothing(limit: Clause, met: Sequence[Clause]) -> Iterator[Advice]:
    """Other conditions that want logs, where probes may not be kept and nothing says of logs."""
    wanting = [
        clause
        for clause in met
        if clause.kind == "audit_log_integrity"
        or (clause.kind == "remote_access" and clause.term("log_days"))
    ]
    if limit.term("probe_days") == 0 and not limit.term("log_days") and wanting:
        yield limit.say(
            "warning",
            "nothing_kept_but_logs",
            "/terms/probe_days",
            f"Probes may not be kept at all, and {wanting[0].pointer} demands logs of what was done.",
            "Say in `log_days` how long logs are kept, and in the text that they hold no probes.",
        )


def _slow_hearts(clauses: Sequence[Clause]) -> Iterator[Advice]:
    """Units that may be silent for a whole reporting period."""
    for heart in of_kind(clauses, "heartbeat"):
        for cadence in of_kind(clauses, "reporting_cadence"):
            period = A_DAY + cadence.term("length") - A_DAY
            hours = int(period.total_seconds() // 3600)
            if heart.term("every_hours") > hours and heart.meets(cadence):
                yield heart.say(
                    "warning",
                    "heartbeat_slower_than_reports",
                    "/terms/every_hours",
                    f"A unit may be silent for {heart.term('every_hours'):,} hours, longer than the "
                    f"{hours:,} hours a report speaks of: a report would be made of units unheard.",
                    "Ask for a sign of life at least once in each reporting period.",
                )
