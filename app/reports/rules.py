"""Who may report what, how much it is worth, and what is refused at the door."""

import re
from collections.abc import Mapping
from datetime import datetime, timedelta

from app.access.rules import Role
from app.errors import Invalid, NotAllowed
from monitors import Grade

CLOCKS_DIFFER = timedelta(minutes=10)

MAY_REPORT: Mapping[Role, frozenset[str]] = {
    Role.EXPORTER: frozenset({"attestation", "check_in", "delivery_verification", "incident"}),
    Role.INSPECTOR: frozenset(
        {"inspection", "check_in", "delivery_verification", "incident", "third_party"}
    ),
    Role.LICENSING_OFFICER: frozenset({"incident", "third_party", "delivery_verification"}),
    Role.REVIEWER: frozenset({"incident", "third_party"}),
    Role.SUPERVISOR: frozenset({"incident", "third_party"}),
}

SEEN_BY_OTHERS = frozenset({"inspection", "third_party"})
"""Reports of somebody who looked: what they saw counts even where the license knows nothing of it."""

PERSONAL = re.compile(
    r"template|image|photo|picture|face|iris|finger|voice|embedding|vector|feature|probe_data"
    r"|name|person|birth|passport|identity|biometric",
    re.IGNORECASE,
)


class KindNotYours(NotAllowed):
    """This role does not file reports of this kind."""


class InFuture(Invalid):
    """Nothing can be observed in the future."""


class BeforeLicense(Invalid):
    """The license did not exist yet when this was observed."""


class FactRefused(Invalid):
    """A fact is unknown, of the wrong type, or may not be said of this subject."""


class SubjectUnknown(Invalid):
    """The license has no such unit or site."""


def check_kind(role: Role, kind: str) -> None:
    """Refuse a kind of report that a role does not file."""
    allowed = MAY_REPORT.get(role, frozenset())
    if kind not in allowed:
        raise KindNotYours(
            f"A key of role {role} files {', '.join(sorted(allowed)) or 'no reports'}, not {kind}.",
            pointer="/kind",
        )


def grade_of(role: Role, kind: str, mode: str, *, signed: bool = False) -> Grade:
    """Grade a report by who says it and how it was seen. An exporter's words are D when signed, or E.

    `signed`: the exporter's signature was verified. What remote video shows is E whoever signs.
    """
    if mode == "remote_video":
        return Grade.E
    if role is Role.INSPECTOR and kind in {"inspection", "check_in", "delivery_verification"}:
        return Grade.A if mode == "physical" else Grade.E
    if kind == "third_party":
        return Grade.B
    if role is Role.EXPORTER and signed:
        return Grade.D
    return Grade.E


def check_time(moment: datetime, now: datetime, pointer: str) -> None:
    """Refuse the future; clocks may differ by ten minutes."""
    if moment > now + CLOCKS_DIFFER:
        raise InFuture(
            f"{moment.isoformat()} has not come yet; the time here is {now.isoformat()}. "
            "Check the clock and its time zone.",
            pointer=pointer,
        )


def refusal_of(fact: str) -> str:
    """Say why a fact that is not in the vocabulary is refused."""
    if PERSONAL.search(fact):
        return (
            f"{fact[:60]!r} is not a fact of the vocabulary. Biometric data and data about persons "
            "are never taken: only counts, ages, hashes, settings and positions."
        )
    return f"{fact[:60]!r} is not a fact of the vocabulary; see GET /v1/facts."
