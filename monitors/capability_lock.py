"""Capability lock: what was delivered locked stays locked.

**What it means.** Much of what a system can do is in the box and switched off: the license covers
the gate, not the search over a city. A key entered later, or other software started on the same
hardware, delivers the rest without a shipment. So the license names what stays locked, and may ask
for an intact seal on the housing and for secure boot, without which a lock says little.

**Terms.** `locked_modules` (codes of the modules that stay off; capitals make no difference),
`seal_required`, `secure_boot_required` (both no unless said). One of the three at least.

**Broken** when a locked module is on (`locked_module_on`), the seal is required and broken
(`seal_broken`), or secure boot is required and off (`secure_boot_off`).

**Not assessable** when the list of modules is empty or has `other`, `unknown` or `unspecified` in it
(`module_unnamed`): a unit in use has a module on, and it has a name. A report that does not speak
of the seal or of secure boot says nothing about them.

**Source.** Unlocking a dormant function as a controlled act: "cryptographic activation", 15 CFR
772.1. Tamper-evident seals: ISO/IEC 19790. Authenticated start of a device: NIST SP 800-193.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from typing import Annotated, Self

from pydantic import model_validator

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
from monitors._facts import NAMELESS, Flag, TellingWords, Words, fact, named


class Terms(TermsModel):
    """What stays locked, and what the lock rests on."""

    locked_modules: TellingWords = ()
    """Codes of the modules that must not be on; none: not limited."""
    seal_required: Flag = False
    """Whether the seal of the housing must be intact."""
    secure_boot_required: Flag = False
    """Whether the unit may start signed software only."""

    @model_validator(mode="after")
    def _sensible(self) -> Self:
        """Refuse terms that say nothing."""
        if not (self.locked_modules or self.seal_required or self.secure_boot_required):
            raise ValueError("name a locked module, or require the seal or secure boot")
        return self


class Facts(FactsModel):
    """What it reads."""

    enabled_modules: Annotated[
        Words | None,
        fact("Which modules are switched on, the basic ones included?", unit="module codes"),
    ] = None
    seal_intact: Annotated[
        Flag | None, fact("Is the seal of the housing intact?", unit="yes or no")
    ] = None
    secure_boot: Annotated[Flag | None, fact("Is secure boot switched on?", unit="yes or no")] = (
        None
    )


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Facts]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001
) -> Iterator[Finding]:
    """Look at the modules, then at the seal and at secure boot."""
    locked = frozenset(terms.locked_modules)
    telltale = locked | NAMELESS
    seal, boot = terms.seal_required, terms.secure_boot_required
    for statement in heard:
        facts = statement.facts
        modules = facts.enabled_modules
        if locked and modules is not None and not (modules and telltale.isdisjoint(modules)):
            yield _modules(terms, statement, locked, modules)
        if seal and facts.seal_intact is False:
            yield _seal(statement)
        if boot and facts.secure_boot is False:
            yield _boot(statement)


def _modules(
    terms: Terms, statement: Statement[Facts], locked: frozenset[str], modules: Sequence[str]
) -> Finding:
    expected = f"{named(terms.locked_modules)} locked"
    if locked.isdisjoint(modules):
        return not_assessable(
            statement,
            reason="module_unnamed",
            expected=expected,
            observed="a module without a name" if modules else "an empty list of modules",
            missing=("enabled_modules",),
            clears="a report that names the modules switched on",
        )
    return broken(
        statement,
        reason="locked_module_on",
        expected=expected,
        observed=f"{named(locked.intersection(modules))} on",
        clears="a reading with the module off, and an account of how it came to be on",
    )


def _seal(statement: Statement[Facts]) -> Finding:
    return broken(
        statement,
        reason="seal_broken",
        expected="an intact seal",
        observed="the seal is broken",
        clears="an inspection of the unit, a new seal, and an account of who opened it",
    )


def _boot(statement: Statement[Facts]) -> Finding:
    return broken(
        statement,
        reason="secure_boot_off",
        expected="secure boot on",
        observed="secure boot is off",
        clears="a reading with secure boot on, and the hash of the software that ran meanwhile",
    )


MONITOR = Monitor(
    title="Capability lock",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.HIGH,
    how_to_check=(
        "Open the page of licensed functions on the unit and read which modules are on; compare "
        "the number of the seal with the file; read the secure boot state when the unit starts."
    ),
    what_to_see="Every locked module off, the seal of the file unbroken, secure boot on.",
)
