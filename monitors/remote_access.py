"""Remote access: nobody works on the unit from outside but those the license names.

**What it means.** A unit that stands where it should can be operated from anywhere. Whoever logs in
from abroad uses the technology there, and maintenance by a foreign technician may release it. So
the license names the countries sessions may come from and the accounts that may open them.

**Terms.** `countries` (ISO 3166-1 alpha-2 codes) and `accounts` (codes of the accounts, as they
stand on the license); one of the two at least, and a list that is left empty sets no limit.
`log_days` (how long the log of remote sessions is kept; none: not required) is a requirement on
evidence: it is what an inspector may ask for on site. It is not judged from sessions reported; the
age of logs is judged by a retention limit.

**Broken** when a session came from a country that is not named (`session_from_elsewhere`), or was
opened by an account that is not named (`session_by_other_account`). One session is enough.

**Not assessable** when a session is reported without its country while countries are limited
(`session_country_unknown`), or without its account while accounts are (`session_account_unknown`):
left out, or given as `other`, `unknown` or `unspecified`. A report that gives an empty list says
that there was no session.

**Source.** Release of technology and transfer of access information: 15 CFR 734.15 and 734.19.
Remote access as a control: NIST SP 800-53, AC-17.
"""

from collections.abc import Iterable, Iterator, Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, model_validator

from monitors._contract import (
    Case,
    FactsModel,
    Finding,
    Monitor,
    Severity,
    Statement,
    TermsModel,
    broken,
    not_assessable,
)
from monitors._countries import ALPHA2, NAMES
from monitors._facts import NAMELESS, Code, Country, fact, known_country, named, telling


class RemoteSession(BaseModel):
    """A session from outside the site: where it came from, and by which account."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    country: Country | None = None
    account: Code | None = None


class Terms(TermsModel):
    """From where and by whom a unit may be reached."""

    countries: Annotated[
        tuple[Annotated[Country, AfterValidator(known_country)], ...],
        Field(max_length=len(ALPHA2)),
    ] = ()
    """ISO 3166-1 alpha-2 codes of the countries sessions may come from; none: no limit."""
    accounts: Annotated[
        tuple[Annotated[Code, AfterValidator(telling)], ...], Field(max_length=1000)
    ] = ()
    """Codes of the accounts that may open a session; none: no limit."""
    log_days: Annotated[int, Field(ge=1, le=36_525)] | None = None
    """Days the log of sessions is kept as evidence; none: not required. Not judged from facts."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        """Refuse terms that no session could break."""
        if not self.countries and not self.accounts:
            raise ValueError("name a country or an account")
        return self


class Facts(FactsModel):
    """What it reads."""

    remote_sessions: Annotated[
        Annotated[list[RemoteSession], Field(max_length=1000)] | None,
        fact(
            "Which remote sessions were there since the reading before (country and account of "
            "each; an empty list if none)?",
            unit="sessions",
        ),
    ] = None


Known = frozenset[str | None]


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at where the sessions came from, then at who opened them."""
    countries: Known = frozenset(terms.countries)
    accounts: Known = frozenset(terms.accounts)
    for statement in heard:
        sessions = statement.facts.remote_sessions
        if not sessions:
            continue
        if countries:
            others = {session.country for session in sessions} - countries
            if others:
                yield from _countries(terms, statement, others)
        if accounts:
            others = {session.account for session in sessions} - accounts
            if others:
                yield from _accounts(terms, statement, others)


def _countries(
    terms: Terms, statement: Statement[Facts], others: set[str | None]
) -> Iterator[Finding]:
    expected = f"remote sessions only from {_told(terms.countries)}"
    elsewhere = [code for code in others if code is not None]
    if elsewhere:
        yield broken(
            statement,
            reason="session_from_elsewhere",
            expected=expected,
            observed=f"a session from {_told(elsewhere)}",
            clears="an account of who logged in and why, and proof that this way in is closed",
        )
    if None in others:
        yield not_assessable(
            statement,
            reason="session_country_unknown",
            expected=expected,
            observed="a session from an unstated country",
            missing=("remote_sessions",),
            clears="a report that names the country of each session",
        )


def _accounts(
    terms: Terms, statement: Statement[Facts], others: set[str | None]
) -> Iterator[Finding]:
    expected = f"remote sessions only by {named(terms.accounts)}"
    foreign = [one for one in others if one is not None and one.lower() not in NAMELESS]
    if foreign:
        yield broken(
            statement,
            reason="session_by_other_account",
            expected=expected,
            observed=f"a session by {named(foreign)}",
            clears="an account of who logged in and why, and proof that the account is closed",
        )
    if len(foreign) < len(others):
        yield not_assessable(
            statement,
            reason="session_account_unknown",
            expected=expected,
            observed="a session by an unstated account",
            missing=("remote_sessions",),
            clears="a report that names the account of each session",
        )


def _told(codes: Iterable[str]) -> str:
    return named(f"{NAMES.get(code, 'no assigned country')} ({code})" for code in codes)


MONITOR = Monitor(
    title="Remote access",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Read the log of remote sessions on the unit and on the gateway before it, back to the "
        "first day it must be kept; look up the addresses, and see which ways in are open."
    ),
    what_to_see="Sessions by named accounts from named countries only, in a log without holes.",
)
