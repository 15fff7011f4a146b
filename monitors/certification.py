"""Certification: what the license wants certified is certified, by somebody it recognizes.

**What it means.** The authority cannot test a presentation attack detector or audit a data center
itself; it relies on certificates of those who can. One is worth something as long as it runs, was
not withdrawn, and was issued by a body whose word counts. Each is handed in, and the authority
accepts it or does not.

**Terms.** `schemes` (codes of the schemes, one at least: a certificate of each is needed),
`recognized_issuers` (codes of the bodies that may issue them; none: any), `of` (what is certified:
the `product`, which is the default, every `site` of the license, or every `party` that is an end
user or ultimate consignee of it). Capitals make no difference in codes.

**Broken** when no valid certificate of a scheme is on file (`none_valid`): none was accepted, or the
last one ran out or was revoked; its last day still counts, and one without a last day runs until it
is revoked. Also when one was revoked before it ran out (`revoked`), or was issued by a body that is
not recognized (`issuer_not_recognized`), unless another valid one of that scheme stands.

**Not assessable** when nobody has decided about a certificate (`not_decided`), or it does not say
who issued it (`issuer_unknown`), and no other valid one stands; or when the license names no site,
or no such party, that could be certified (`nothing_to_certify`).

A certificate *stands* beside another if it runs out, if at all, no sooner than the day the other was
revoked or reached us.

**Source.** Certificates are kept up, suspended and withdrawn by the body that issued them, which
must make that known: ISO/IEC 17065, 7.11. Presentation attack detection is tested after
ISO/IEC 30107-3, and certified by bodies that rely on such tests.
"""

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime
from functools import cached_property
from typing import Annotated, Literal

from pydantic import Field

from monitors._contract import (
    Answer,
    Awaited,
    Case,
    Document,
    FactsModel,
    Finding,
    Monitor,
    Need,
    Obligation,
    Severity,
    Statement,
    Subject,
    TermsModel,
)
from monitors._deadlines import day_of, end_of
from monitors._facts import TellingWords, named

CERTIFIED_ROLES = frozenset({"end_user", "ultimate_consignee"})
"""Roles of those who hold the goods in the end."""

Certificates = dict[tuple[Subject, str], list[Document]]


class Terms(TermsModel):
    """Which certificates are needed, whose word counts, and what they are about."""

    schemes: Annotated[TellingWords, Field(min_length=1)]
    """Codes of the schemes; a certificate of each is needed."""
    recognized_issuers: TellingWords = ()
    """Codes of the bodies that may issue them; none: any."""
    of: Literal["site", "product", "party"] = "product"
    """What is certified: each site, the product, or each end user and ultimate consignee."""

    @cached_property
    def issuers(self) -> frozenset[str]:
        """Those recognized, to look an issuer up in."""
        return frozenset(self.recognized_issuers)


class Facts(FactsModel):
    """It reads none: certificates are on file."""


def awaits(terms: Terms, case: Case) -> Iterator[Awaited]:
    """A certificate of each scheme is awaited of each subject when the last valid one ends.

    Where the license names nothing that could be certified, the name itself is awaited at once.
    """
    start, certificates = _start(case), _certificates(terms, case)
    if not certificates:
        yield Awaited(Subject("license", case.license), start, start)
    for (subject, scheme), documents in certificates.items():
        lives = [_last_day(one) for one in documents if _valid(terms, one)]
        last = max(lives, default=None)
        if last != date.max:
            due_at = start if last is None else max(end_of(last, case), start)
            yield Awaited(subject, due_at, due_at, item=scheme)


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],  # noqa: ARG001 - certificates are on file, nobody states them
    case: Case,
    moment: datetime,
) -> Iterator[Finding]:
    """Find what was not certified in time, then certificates that do not count."""
    for obligation in case.obligations:
        if (obligation.met_at or moment) > obligation.grace_until:
            yield _none_valid(obligation) if obligation.item else _nothing(terms, obligation)
    for (_, scheme), documents in _certificates(terms, case).items():
        longest = max((_last_day(one) for one in documents if _valid(terms, one)), default=None)
        for document in documents:
            finding = _doubt(terms, case, scheme, document)
            if finding is not None and (longest is None or longest < _doubted_on(document, case)):
                yield finding


def _certificates(terms: Terms, case: Case) -> Certificates:
    """Gather the certificates on file for each subject and scheme that needs one."""
    needed: Certificates = {
        (subject, scheme): [] for subject in _subjects(terms, case) for scheme in terms.schemes
    }
    for one in case.documents:
        if one.kind == "certificate" and one.about is not None:
            documents = needed.get((one.subject, one.about.lower()))
            if documents is not None:
                documents.append(one)
    return needed


def _subjects(terms: Terms, case: Case) -> list[Subject]:
    if terms.of == "product":
        return [Subject("license", case.license)]
    if terms.of == "site":
        return [Subject("site", site) for site in sorted(case.sites)]
    holders = {party.reference for party in case.parties if party.role in CERTIFIED_ROLES}
    return [Subject("party", reference) for reference in sorted(holders)]


def _recognized(terms: Terms, document: Document) -> bool:
    return not terms.issuers or (document.issuer or "").lower() in terms.issuers


def _valid(terms: Terms, document: Document) -> bool:
    """Say whether it counted for a day at least."""
    return (
        document.accepted is True
        and _recognized(terms, document)
        and _last_day(document) >= document.issued_on
    )


def _last_day(document: Document) -> date:
    """Give the last day it is good for, the last of the calendar when it has none."""
    last = document.valid_until or date.max
    return min(last, _day_before(document.revoked_on)) if document.revoked_on else last


def _doubted_on(document: Document, case: Case) -> date:
    """Say on which day another one would have to be good for this one not to matter."""
    return document.revoked_on or day_of(document.received_at, case)


def _doubt(terms: Terms, case: Case, scheme: str, document: Document) -> Finding | None:
    """Say why a certificate does not count, if it does not; one that was refused says nothing."""
    if document.accepted is False:
        return None
    if document.revoked_on is not None:
        running = document.valid_until is None or document.valid_until >= document.revoked_on
        return _revoked(case, scheme, document) if document.accepted and running else None
    if not _recognized(terms, document):
        return _issuer(terms, case, scheme, document)
    if document.accepted is None:
        return _finding(
            case,
            document,
            "not_decided",
            expected=f"an accepted certificate of {scheme}",
            observed=f"one issued on {document.issued_on} that nobody has decided about",
            clears="a decision whether the certificate is accepted",
            missing="decision",
        )
    return None


def _revoked(case: Case, scheme: str, document: Document) -> Finding:
    return _finding(
        case,
        document,
        "revoked",
        expected=f"a valid certificate of {scheme}",
        observed=f"the one issued on {document.issued_on} was revoked on {document.revoked_on}",
        clears="another valid certificate of the scheme, and an account of why this one was revoked",
    )


def _issuer(terms: Terms, case: Case, scheme: str, document: Document) -> Finding:
    unknown = document.issuer is None
    by = "somebody it does not name" if unknown else document.issuer
    return _finding(
        case,
        document,
        "issuer_unknown" if unknown else "issuer_not_recognized",
        expected=f"a certificate of {scheme} issued by {named(terms.issuers)}",
        observed=f"one issued on {document.issued_on} by {by}",
        clears="a certificate of the scheme by a recognized body",
        missing="issuer" if unknown else "",
    )


def _finding(
    case: Case,
    document: Document,
    reason: str,
    *,
    expected: str,
    observed: str,
    clears: str,
    missing: str = "",
) -> Finding:
    """Say something about a certificate; where something is missing it cannot be assessed."""
    revoked_on = document.revoked_on
    at = end_of(_day_before(revoked_on), case) if revoked_on else document.received_at
    return Finding(
        answer=Answer.NOT_ASSESSABLE if missing else Answer.BROKEN,
        subject=document.subject,
        reason=reason,
        at=max(at, _start(case)),
        expected=expected,
        observed=observed,
        clears=clears,
        evidence=(document.id,),
        missing=(missing,) if missing else (),
        grade=document.grade,
    )


def _none_valid(obligation: Obligation) -> Finding:
    """Name the time it ended; that does not change while there is none."""
    return Finding(
        answer=Answer.BROKEN,
        subject=obligation.subject,
        reason="none_valid",
        at=obligation.grace_until,
        expected=f"a valid certificate of {obligation.item}",
        observed=f"none valid from {obligation.due_at.astimezone(UTC):%Y-%m-%d %H:%M} UTC on",
        clears="a valid certificate of the scheme, accepted",
        evidence=(f"obligation:{obligation.slot}",),
        missing=("certificate",),
        cleared_at=obligation.met_at,
    )


def _nothing(terms: Terms, obligation: Obligation) -> Finding:
    """Say that there is nothing that could be certified: that is not the same as certified."""
    what = "end user or ultimate consignee" if terms.of == "party" else terms.of
    return Finding(
        answer=Answer.NOT_ASSESSABLE,
        subject=obligation.subject,
        reason="nothing_to_certify",
        at=obligation.grace_until,
        expected=f"a valid certificate of {named(terms.schemes)} for each {what}",
        observed=f"the license names no {what}",
        clears=f"an amendment that names the {what}",
        evidence=(f"obligation:{obligation.slot}",),
        missing=(terms.of,),
        cleared_at=obligation.met_at,
    )


def _day_before(day: date) -> date:
    """Give the day before; there is none before the first of the calendar."""
    return date.fromordinal(max(day.toordinal() - 1, 1))


def _start(case: Case) -> datetime:
    """Say from when the condition counts."""
    return case.in_force_from or end_of(_day_before(case.granted_on), case)


MONITOR = Monitor(
    title="Certification",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    awaits=awaits,
    needs=frozenset({Need.DOCUMENTS, Need.PARTIES, Need.OBLIGATIONS}),
    how_to_check=(
        "Ask for each certificate, compare its number, holder, scope and last day with what you see, "
        "and look it up in the register of the body that issued it."
    ),
    what_to_see="Certificates of the site, product or party before you, listed there as valid.",
)
