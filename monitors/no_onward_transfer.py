"""No onward transfer: the units stay with the parties on the license.

**What it means.** A license is granted for parties that somebody examined. A unit that is sold, lent
or given on ends up with somebody whom nobody examined; most diversion begins so. Whoever holds a
unit must be on the license or exempt, and a unit may change hands only if that was authorized
before. Both are judged by what reports say and by custody events.

**Terms.** `exempt_parties` (references of parties outside the license that may hold a unit, such as
a repair depot; none by default). A transfer to an exempt party needs no authorization: the license
has given it.

**Broken** when a unit is held by a party that is neither on the license nor exempt
(`possessor_unlisted`); or when a unit was transferred and no custody event of it says, for that time
or an earlier one, that this was authorized (`transfer_unauthorized`). Where both the authorization
and the transfer name the receiving party, it must be the same. Where it is said of a transfer itself
that it was not authorized, only an authorization that names its receiving party counts. What was
authorized afterwards was not authorized. That nobody said whether a transfer was authorized is no
authorization either. A transfer that was asked for and authorized beforehand puts the receiving party
on the license; a custody event that is merely told as authorized does not. Corrected custody events
count for nothing.

**Not assessable** when it is said that a unit is held by somebody, and not by whom: `other`,
`unknown` or `unspecified` (`possessor_unnamed`).

**Source.** No transfer of title or possession without prior written consent: DSCA Security
Assistance Management Manual, C8.1.1 and C8.7. A change of end user within a country is a retransfer:
22 CFR 120.52. Nontransfer and use certificate: 22 CFR 123.10.
"""

from collections.abc import Iterator, Mapping, Sequence
from datetime import datetime
from typing import Annotated

from pydantic import AfterValidator, Field

from monitors._contract import (
    Answer,
    Case,
    CustodyEvent,
    FactsModel,
    Finding,
    Monitor,
    Need,
    Severity,
    Statement,
    Subject,
    TermsModel,
)
from monitors._facts import NAMELESS, Code, DispositionFact, PossessorFact, named, telling

TRANSFERRED = "transferred"

Authorizations = Mapping[str, Sequence[CustodyEvent]]


class Terms(TermsModel):
    """Who may hold a unit beside the parties on the license."""

    exempt_parties: Annotated[
        tuple[Annotated[Code, AfterValidator(telling)], ...], Field(max_length=1000)
    ] = ()
    """References of parties that may hold a unit and receive it without further authorization."""


class Facts(FactsModel):
    """What it reads."""

    possessor: PossessorFact = None
    disposition: DispositionFact = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,
    moment: datetime,  # noqa: ARG001 - who held a unit then does not change with time
) -> Iterator[Finding]:
    """Judge what statements say, then what is on file of custody and was not among them."""
    listed = frozenset((case.exporter, *(party.reference for party in case.parties)))
    permitted = listed.union(terms.exempt_parties)
    authorizations = _authorizations(case)
    judged: set[str] = set()
    for statement in heard:
        facts = statement.facts
        party, disposition = facts.possessor, facts.disposition
        if disposition != TRANSFERRED and (party is None or party in permitted):
            continue
        judged.add(statement.id)
        yield from _judge(terms, _told(statement), permitted, authorizations)
    for event in case.custody:
        if event.id not in judged and _counts(event, case):
            yield from _judge(terms, event, permitted, authorizations)


def _told(statement: Statement[Facts]) -> CustodyEvent:
    """Read a statement as the custody event it tells of, under the same id."""
    return CustodyEvent(
        id=statement.id,
        serial=statement.subject.reference,
        at=statement.observed_at,
        received_at=statement.received_at,
        source=statement.source,
        disposition=statement.facts.disposition,
        to_party=statement.facts.possessor,
    )


def _counts(event: CustodyEvent, case: Case) -> bool:
    """Say whether these terms judge it: not corrected, in their time, on their lines."""
    if event.corrected or (case.in_force_from is not None and event.at < case.in_force_from):
        return False
    unit = case.units.get(event.serial)
    return not case.lines or (unit is not None and unit.line in case.lines)


def _authorizations(case: Case) -> Authorizations:
    """Collect by serial what was authorized, whatever terms were in force then."""
    given: dict[str, list[CustodyEvent]] = {}
    for event in case.custody:
        if event.authorized and not event.corrected:
            given.setdefault(event.serial, []).append(event)
    return given


def _judge(
    terms: Terms, event: CustodyEvent, permitted: frozenset[str], authorizations: Authorizations
) -> Iterator[Finding]:
    """Look at who holds the unit, then at how it came there."""
    name = _name(event.to_party)
    if event.to_party and name is None:
        yield _unnamed(terms, event)
    elif name is not None and name not in permitted:
        yield _unlisted(terms, event, name)
    if event.disposition != TRANSFERRED or name in terms.exempt_parties:
        return
    before = authorizations.get(event.serial, ())
    if not any(_covers(authorization, event, name) for authorization in before):
        yield _unauthorized(event, name)


def _name(party: str | None) -> str | None:
    """Give the party if it is named at all."""
    return None if not party or party.lower() in NAMELESS else party


def _covers(authorization: CustodyEvent, event: CustodyEvent, name: str | None) -> bool:
    """Say whether it was given in time, and for this receiving party as far as both name one."""
    if authorization.at > event.at:
        return False
    given_to = _name(authorization.to_party)
    if given_to is not None and name is not None:
        return given_to == name
    return event.authorized is not False


def _unlisted(terms: Terms, event: CustodyEvent, name: str) -> Finding:
    return Finding(
        answer=Answer.BROKEN,
        subject=Subject("unit", event.serial),
        reason="possessor_unlisted",
        at=event.at,
        expected=_holders(terms),
        observed=f"held by {name}",
        clears="proof that a party on the license holds it again, or an amendment that names this one",
        evidence=(event.id,),
        grade=event.source.grade,
    )


def _unnamed(terms: Terms, event: CustodyEvent) -> Finding:
    return Finding(
        answer=Answer.NOT_ASSESSABLE,
        subject=Subject("unit", event.serial),
        reason="possessor_unnamed",
        at=event.at,
        expected=_holders(terms),
        observed="held by a party without a name",
        clears="a report that names the party that holds it",
        evidence=(event.id,),
        missing=("possessor",),
        grade=event.source.grade,
    )


def _unauthorized(event: CustodyEvent, name: str | None) -> Finding:
    to = f" to {name}" if name else ""
    return Finding(
        answer=Answer.BROKEN,
        subject=Subject("unit", event.serial),
        reason="transfer_unauthorized",
        at=event.at,
        expected="a transfer only after it was authorized",
        observed=f"transferred{to} without an authorization on file",
        clears="the authorization given before the transfer, or proof that the unit was taken back",
        evidence=(event.id,),
        missing=("authorization",),
        grade=event.source.grade,
    )


def _holders(terms: Terms) -> str:
    also = f", or by {named(terms.exempt_parties)}" if terms.exempt_parties else ""
    return f"held by a party on the license{also}"


MONITOR = Monitor(
    title="No onward transfer",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.CRITICAL,
    needs=frozenset({Need.PARTIES, Need.CUSTODY, Need.UNITS}),
    how_to_check=(
        "Find each unit by its serial number and ask whose it is; read the asset register, the "
        "delivery notes, loan and lease papers and the insurance policy for another owner or holder."
    ),
    what_to_see=(
        "Every unit in the hands of a party on the license or exempt, and for each change of hands "
        "an authorization dated before it."
    ),
)
