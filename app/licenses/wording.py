"""Whether the verbatim text of a condition and its terms name the same numbers. Pure.

People are bound by the text, monitors judge by the terms.
"""

from collections.abc import Iterator, Sequence
from decimal import Decimal

from app.licenses import numbers
from app.licenses.advice import Advice, Clause, spoken
from app.licenses.numbers import Figure

SHOWN = 5


def of_condition(clause: Clause, clauses: Sequence[Clause]) -> Iterator[Advice]:
    """Compare the numbers of a text with those of its terms, both ways."""
    said = numbers.in_text(clause.condition.text)
    meant = list(numbers.in_terms(clause.condition.terms.model_dump()))
    yield from _unmeant(clause, said, meant, [*_elsewhere(clause, clauses), *_beside(clause)])
    yield from _unsaid(clause, said)


def _elsewhere(clause: Clause, clauses: Sequence[Clause]) -> Iterator[Figure]:
    """A paragraph that was divided into several conditions stands in each of them."""
    for other in clauses:
        if other is not clause and other.condition.text == clause.condition.text:
            for _, figure in numbers.in_terms(other.condition.terms.model_dump()):
                yield figure


def _beside(clause: Clause) -> Iterator[Figure]:
    """What a text may count that stands elsewhere on the license: goods, their value, the sites."""
    license = clause.license
    if license is None:
        return
    for line in license.lines:
        yield Figure("", line.quantity)
        if line.value is not None:
            yield Figure("", line.value.amount)
    yield Figure("", Decimal(len(license.sites)))
    for site in license.sites:
        if site.position is not None:
            for _, figure in numbers.in_terms(site.position.model_dump()):
                yield figure


def _unmeant(
    clause: Clause,
    said: Sequence[Figure],
    meant: Sequence[tuple[str, Figure]],
    beside: Sequence[Figure],
) -> Iterator[Advice]:
    known = dict.fromkeys([*(figure for _, figure in meant), *beside])
    lost = [one for one in said if one.surely and not any(map(one.agrees, known))]
    if not lost:
        return
    terms = [figure.written for name, figure in meant if name not in numbers.COORDINATES]
    yield clause.say(
        "warning",
        "text_number_not_in_terms",
        "/text",
        f"The text of the {clause.name} says {_quoted(lost)}, and its terms "
        + (f"say {spoken(terms[:SHOWN])}." if terms else "hold no number."),
        "Correct the terms or the text, or add a condition that holds the number: what stands in "
        "the text alone is verified by nobody.",
    )


def _quoted(figures: Sequence[Figure]) -> str:
    return spoken([f"“{written}”" for written in dict.fromkeys(one.written for one in figures)])


def _unsaid(clause: Clause, said: Sequence[Figure]) -> Iterator[Advice]:
    """Find numbers somebody put into the terms that the text does not hold."""
    given = clause.condition.terms.model_dump(exclude_unset=True)
    silent: dict[str, str] = {}
    for name, figure in numbers.in_terms(given):
        if figure.surely and figure.value and not any(one.agrees(figure) for one in said):
            silent.setdefault(name, f"`{name}` {figure.written}")
    if silent:
        yield clause.say(
            "note",
            "term_not_in_text",
            "/terms",
            f"The terms of the {clause.name} hold {', '.join(list(silent.values())[:SHOWN])}, which "
            "the text does not say.",
            "Put it into the text, if somebody is to be held to it.",
        )
