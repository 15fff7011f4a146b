"""Software version: the unit runs the software and the matching model the license was granted for.

**What it means.** An update can turn a licensed matcher into another product. A model that was not
licensed is a transfer of technology, even when the box and its serial number stay the same.

**Terms.** `versions`: a version specifier such as `>=4.2,<5` or `==4.2.*` (none: not limited).
`model_hashes`: SHA-256 of the model files that may be used (empty: not limited). One of the two at
least. A pre-release counts by its place in the order: `4.3rc1` is within `>=4.2`.

**Broken** when the version is outside the specifier (`version_outside`), or the hash of the model
is not listed (`model_not_listed`).

**Not assessable** when the version stated cannot be read as a version (`version_unreadable`).

**Source.** Version specifiers of PEP 440. Release of software and technology as an export: 15 CFR
734.13 and 734.15.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from functools import cached_property, lru_cache
from typing import Annotated, Self

from packaging.specifiers import SpecifierSet
from packaging.version import InvalidVersion, Version
from pydantic import AfterValidator, Field, StringConstraints, model_validator

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
from monitors._facts import Sha256, SoftwareVersionFact, fact

PREFIX = "sha256:"


def _specifier(text: str) -> str:
    """Refuse what is no PEP 440 specifier, or limits nothing."""
    if not len(SpecifierSet(text)):
        raise ValueError("a version specifier names at least one limit")
    return text


class Terms(TermsModel):
    """Which software and which models may run."""

    versions: (
        Annotated[
            str,
            StringConstraints(min_length=1, max_length=200),
            AfterValidator(_specifier),
        ]
        | None
    ) = None
    """PEP 440 specifier of the software versions; none: not limited."""
    model_hashes: Annotated[tuple[Sha256, ...], Field(max_length=1000)] = ()
    """SHA-256 of the models, in hexadecimal; none: not limited."""

    @cached_property
    def listed(self) -> frozenset[str]:
        """The hashes without their prefix; made once, since a list may be long."""
        return frozenset(one.removeprefix(PREFIX) for one in self.model_hashes)

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        """Refuse terms that say nothing."""
        if self.versions is None and not self.model_hashes:
            raise ValueError("limit the versions or list the hashes of the models")
        return self


class Facts(FactsModel):
    """What it reads."""

    software_version: SoftwareVersionFact = None
    model_hash: Annotated[
        Sha256 | None, fact("What is the SHA-256 of the matching model in use?", unit="SHA-256")
    ] = None


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at the version, then at the model."""
    versions = terms.versions
    listed = terms.listed
    for statement in heard:
        facts = statement.facts
        version, model = facts.software_version, facts.model_hash
        if versions is not None and version is not None:
            within = _within(versions, version)
            if within is None:
                yield _unreadable(versions, statement, version)
            elif not within:
                yield _outside(versions, statement, version)
        if listed and model is not None and model.removeprefix(PREFIX) not in listed:
            yield _unlisted(listed, statement, model)


@lru_cache(maxsize=16_384)
def _within(versions: str, version: str) -> bool | None:
    """Say whether a version is within a specifier; None when it cannot be read."""
    try:
        return _set(versions).contains(Version(version), prereleases=True)
    except InvalidVersion:
        return None


@lru_cache(maxsize=4_096)
def _set(versions: str) -> SpecifierSet:
    return SpecifierSet(versions)


def _outside(versions: str, statement: Statement[Facts], version: str) -> Finding:
    return broken(
        statement,
        reason="version_outside",
        expected=f"software version {versions}",
        observed=f"software version {version}",
        clears="a reading with a licensed version, or an amendment that includes this one",
    )


def _unreadable(versions: str, statement: Statement[Facts], version: str) -> Finding:
    return not_assessable(
        statement,
        reason="version_unreadable",
        expected=f"software version {versions}",
        observed=f"{version}, which does not read as a version",
        missing=("software_version",),
        clears="a report of the version in digits and dots, such as 4.2.1",
    )


def _unlisted(listed: frozenset[str], statement: Statement[Facts], model: str) -> Finding:
    return broken(
        statement,
        reason="model_not_listed",
        expected=f"one of {len(listed):,} listed models",
        observed=f"a model with SHA-256 {model.removeprefix(PREFIX)}",
        clears="a reading with a listed model, or an amendment that lists this one",
    )


MONITOR = Monitor(
    title="Software version",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Read the version on the unit's own information page, and compute the SHA-256 of the "
        "model file with your own tool; compare both with the license."
    ),
    what_to_see="A version within the license, and a listed model.",
)
