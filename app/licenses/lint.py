"""The linter: tells a licensing officer what is wrong with conditions before they are granted.

Pure: no database and no clock, so `endwatch lint` works offline. An error cannot work as it is
written, a warning is probably a mistake, a note is good to know.
"""

from collections.abc import Iterable, Iterator, Sequence

from app.licenses import conflicts, duties, expectations, sources, whereabouts, wording
from app.licenses.advice import WEIGHTS, Advice, Clause, clauses
from app.licenses.schemas import AnyCondition, ConditionBase, LicenseIn
from app.wire import Strict
from monitors import Catalogue, catalogue


class ConditionAlone(Strict):
    """One condition, to be looked at by itself."""

    condition: AnyCondition


def lint(license: LicenseIn, words: Catalogue | None = None) -> list[Advice]:
    """Look at a license, gravest first; `words` are the kinds there are."""
    known = words or catalogue()
    laid_out = clauses(license, known)
    found = [advice for clause in laid_out for advice in _of_condition(clause, laid_out, known)]
    found += conflicts.between(laid_out)
    found += whereabouts.of_license(license)
    found += whereabouts.of_conditions(license, laid_out)
    found += expectations.of_license(license, laid_out, known)
    return _gravest_first(found)


def lint_condition(condition: ConditionBase, words: Catalogue | None = None) -> list[Advice]:
    """Look at one condition by itself, as `{"condition": …}`: what needs no license to be seen."""
    known = words or catalogue()
    clause = Clause(condition, known[condition.kind], "/condition", None)
    return _gravest_first(_of_condition(clause, [clause], known))


def _of_condition(clause: Clause, among: Sequence[Clause], words: Catalogue) -> Iterator[Advice]:
    yield from sources.of_condition(clause, words)
    yield from conflicts.of_condition(clause)
    yield from duties.of_condition(clause)
    yield from wording.of_condition(clause, among)


def _gravest_first(found: Iterable[Advice]) -> list[Advice]:
    return sorted(found, key=_rank)


def _rank(advice: Advice) -> int:
    return WEIGHTS.index(advice.severity)
