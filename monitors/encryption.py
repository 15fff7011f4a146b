"""Encryption: stored and sent data are unreadable to others, and the right party holds the key.

**What it means.** Whoever carries away an unprotected disk carries away a gallery of people who
cannot change their faces. And whoever holds the key holds the data, wherever the box stands.

**Terms.** `at_rest`: the algorithms that may protect stored data, such as `aes-256-gcm` or
`aes-256-xts` (capitals make no difference). `min_tls`: the lowest TLS version the unit may accept
on the network, one of `1.0`, `1.1`, `1.2`, `1.3`. `key_custodians`: references of the parties that
may hold the key. Each may be left out; one at least is given.

**Broken** when nothing protects stored data (`not_encrypted`; the report says `none`) or an
algorithm does that is not listed (`algorithm_not_listed`); when the unit accepts a lower TLS
version, an SSL version or `none` (`tls_too_low`; exactly the lowest allowed is kept); or when the
key is held by a party that is not named (`key_held_elsewhere`).

**Not assessable** when the algorithm (`algorithm_unnamed`) or the custodian (`custodian_unnamed`)
is given as `other`, `unknown` or `unspecified`; or when the TLS version stated is none of those
known (`tls_unreadable`).

**Source.** Security of processing: Regulation (EU) 2016/679, article 32(1)(a). TLS 1.0 and 1.1 are
deprecated by RFC 8996. Whether a transfer is encrypted end to end, and who holds the means to
decrypt, decides on export in 15 CFR 734.18(a)(5).
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Literal, Self

from pydantic import AfterValidator, Field, model_validator

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
from monitors._facts import NAMELESS, Code, TellingWords, Word, fact, named, telling

NONE = "none"
TLS = (NONE, "1.0", "1.1", "1.2", "1.3")
"""What may be stated of TLS, weakest first."""


def _protecting(algorithms: tuple[str, ...]) -> tuple[str, ...]:
    """Refuse terms that would let unencrypted data pass."""
    if NONE in algorithms:
        raise ValueError("none is no algorithm")
    return algorithms


class Terms(TermsModel):
    """How data must be protected, and who may hold the key."""

    at_rest: Annotated[TellingWords, AfterValidator(_protecting)] = ()
    """Codes of the algorithms that may protect stored data; none: not limited."""
    min_tls: Literal["1.0", "1.1", "1.2", "1.3"] | None = None
    """Lowest TLS version the unit may accept; none: not limited."""
    key_custodians: Annotated[
        tuple[Annotated[Code, AfterValidator(telling)], ...], Field(max_length=100)
    ] = ()
    """References of the parties that may hold the key; none: not limited."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        """Refuse terms that say nothing."""
        if not self.at_rest and self.min_tls is None and not self.key_custodians:
            raise ValueError("name an algorithm, a TLS version or a key custodian")
        return self


class Facts(FactsModel):
    """What it reads."""

    encryption_at_rest: Annotated[
        Word | None,
        fact("Which algorithm protects the data stored on the unit, or none?", unit="algorithm"),
    ] = None
    tls_min_version: Annotated[
        Word | None,
        fact(
            "What is the lowest TLS version the unit accepts (1.0 to 1.3), or none?",
            unit="TLS version",
        ),
    ] = None
    key_custodian: Annotated[
        Code | None, fact("Which party holds the encryption key?", unit="party reference")
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at what is stored, then at what is sent, then at who holds the key."""
    listed, custodians = frozenset(terms.at_rest), frozenset(terms.key_custodians)
    enough = frozenset(TLS[TLS.index(terms.min_tls) :]) if terms.min_tls else frozenset()
    for statement in heard:
        facts = statement.facts
        algorithm, tls, custodian = (
            facts.encryption_at_rest,
            facts.tls_min_version,
            facts.key_custodian,
        )
        if listed and algorithm is not None and algorithm not in listed:
            yield _stored(listed, statement, algorithm)
        if enough and tls is not None and tls not in enough:
            yield _sent(terms, statement, tls)
        if custodians and custodian is not None and custodian not in custodians:
            yield _held(custodians, statement, custodian)


def _stored(listed: frozenset[str], statement: Statement[Facts], algorithm: str) -> Finding:
    expected = f"stored data encrypted with {named(listed)}"
    if algorithm in NAMELESS:
        return not_assessable(
            statement,
            reason="algorithm_unnamed",
            expected=expected,
            observed=f"an algorithm given as {algorithm}",
            missing=("encryption_at_rest",),
            clears="a report that names the algorithm",
        )
    bare = algorithm == NONE
    return broken(
        statement,
        reason="not_encrypted" if bare else "algorithm_not_listed",
        expected=expected,
        observed="stored data not encrypted" if bare else f"encrypted with {algorithm}",
        clears="a reading with a listed algorithm, and an account of the data stored before",
    )


def _sent(terms: Terms, statement: Statement[Facts], tls: str) -> Finding:
    expected = f"TLS {terms.min_tls} or higher"
    if tls not in TLS and not tls.startswith("ssl"):
        return not_assessable(
            statement,
            reason="tls_unreadable",
            expected=expected,
            observed=f"{tls}, which is no TLS version known",
            missing=("tls_min_version",),
            clears=f"a report of the version as one of {', '.join(TLS)}",
        )
    return broken(
        statement,
        reason="tls_too_low",
        expected=expected,
        observed="no TLS" if tls == NONE else f"{tls} accepted",
        clears="a reading in which the unit accepts no lower version",
    )


def _held(custodians: frozenset[str], statement: Statement[Facts], custodian: str) -> Finding:
    expected = f"key held by {named(custodians)}"
    if custodian.lower() in NAMELESS:
        return not_assessable(
            statement,
            reason="custodian_unnamed",
            expected=expected,
            observed=f"a custodian given as {custodian}",
            missing=("key_custodian",),
            clears="a report that names the party that holds the key",
        )
    return broken(
        statement,
        reason="key_held_elsewhere",
        expected=expected,
        observed=f"key held by {custodian}",
        clears="proof of new keys held by a named party, or an amendment that names this one",
    )


MONITOR = Monitor(
    title="Encryption",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Read the storage and network settings on the unit; connect to it with a TLS scanner of "
        "your own; ask who can unlock the data after a restart, and see it done."
    ),
    what_to_see=(
        "A listed algorithm on every disk and backup, lower TLS versions refused, and a named "
        "party unlocking the data."
    ),
)
