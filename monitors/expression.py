"""Expression: the rule nobody foresaw, written in CEL over the facts.

**What it means.** A license may hold a condition that no other kind covers: that nobody searches at
night, that a site without its own key keeps no gallery. It is written as an expression in CEL, the
Common Expression Language, over the fact vocabulary: `gallery_size > 5000 && !secure_boot`. What is
expected is the opposite of it, and every finding says in plain words what that is. Use another kind
where there is one: it knows more than an expression can say.

**Terms.** `when` (the expression; 2,000 characters at most, yes or no; the condition is broken when
it is true), `message` (the sentence shown then, itself an expression that gives a text: in quotes
`"Searched at night."`, or with facts, `"Gallery of " + string(gallery_size) + " persons."`).

Numbers, texts and facts are compared by `== != < <= > >= in` and joined by `&& || !` and `? :`;
`+ - *` count, `/` and `%` by a number that is written out. Lists have `all`, `exists`, `exists_one`,
`filter`, as in `end_uses.exists(u, u == "policing")`, and `size`; texts `contains`, `startsWith`,
`endsWith`, `matches`; parts follow a dot, as in `position.lat`. Whole numbers and decimals are only
added or multiplied with their like: `double(gallery_size) * 0.5`. A day is midnight UTC at its
beginning: `certified_on < timestamp("2026-01-01T00:00:00Z")`. `observed_at` is when the statement
was observed: `observed_at - certified_on > duration("8760h")`, `observed_at.getHours() < 6` (UTC).

**Broken** when the expression is true of a statement (`expression_true`). A statement that states
none of the facts it names is not about it. `has(stated.site)` asks whether a fact was stated.

**Not assessable** when a fact that it depends on was not stated (`fact_not_stated`); it may still
be decided without: `a || b` is true when one is, `a && b` false when one is. Or when it cannot be
worked out (`expression_failed`), as when a session names no country, or a product is too large.
All three codes end in eight signs taken from the expression, so that two conditions of this kind on
one license stay apart.

**Refused** when it is registered, with the reason: an unknown fact (with the nearest there are), a
word that a fact cannot be, kinds of value that do not go together, one that is the same whatever
the facts, and one that could cost too much. At most 300 names, numbers and signs, 12 brackets
within each other, no list gone through for each item of another, and a million steps of about
0.1 µs on the largest facts there may be: the costliest expression let through takes about a tenth
of a second on lists of 1,000, an ordinary one a few microseconds.

**Source.** Conditions written for one license alone, which the licensee must tell those they bind:
15 CFR 750.7(d). The language: CEL, github.com/google/cel-spec.
"""

import hashlib
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, date, datetime, time
from functools import cache, lru_cache
from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, Field, ValidationError

from monitors._catalogue import Catalogue, catalogue
from monitors._cel import grammar, words
from monitors._cel.meanings import SPOKEN, Type, type_of_fact
from monitors._cel.reading import OBSERVED_AT, STATED, Reading
from monitors._cel.tree import Unclear
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
from monitors._facts import named

LONGEST_SENTENCE = 500
"""Characters of a message that are shown."""
PLAIN = frozenset({bool, int, float, str})
JUDGING = re.compile("violat|guilt", re.IGNORECASE)
"""Words that are for people's decisions alone."""
CLEARS = "a report in which this is not so, and an account of how it came about"


@dataclass(frozen=True, slots=True)
class Expression:
    """An expression as it was understood: compiled, with the facts it names, in plain words.

    `names` are all of those, `read` the ones whose values count; `asks` is whether it asks which
    were stated, `moment` whether it looks at the time of observation.
    """

    run: Callable[[dict[str, Any]], Any]
    names: tuple[str, ...]
    read: frozenset[str]
    asks: bool
    moment: bool
    words: str
    mark: str

    def of(self, stated: Mapping[str, Any], observed_at: datetime) -> Any:
        """Work it out from what was stated; None if it cannot be.

        Whatever the library or a strange fact brings up, it means no more than that.
        """
        try:
            given = {
                name: value if type(value) in PLAIN else _given(value)
                for name, value in stated.items()
            }
            if self.asks:
                given[STATED] = dict.fromkeys(stated, True)
            if self.moment:
                given[OBSERVED_AT] = observed_at.astimezone(UTC)
            return self.run(given)
        except Exception:
            return None


@lru_cache(maxsize=4096)
def understood(text: str, wanted: str = "bool") -> Expression:
    """Read, check and compile an expression, once for each text; raises `Unclear`."""
    import cel  # late: it brings a command line along, which takes long to import

    root = grammar.tree(text)
    reading = Reading(_vocabulary(catalogue()))
    found = reading.type(root)
    if found.name != wanted:
        raise Unclear(f"it gives {SPOKEN[found.name]}, where {SPOKEN[wanted]} is needed")
    try:
        program = cel.compile(text)
        for pattern in reading.patterns:
            cel.evaluate(f'"".matches({pattern})')
    except (ValueError, RuntimeError) as reason:
        raise Unclear(f"the library cannot read it: {reason}") from reason
    mark = hashlib.sha256(text.encode()).hexdigest()[:8]
    return Expression(
        run=program.execute,
        names=tuple(sorted(reading.read | reading.asked)),
        read=frozenset(reading.read),
        asks=bool(reading.asked),
        moment=reading.moment,
        words=words.plainly(root),
        mark=mark,
    )


@cache
def _vocabulary(known: Catalogue) -> dict[str, Type]:
    """Say of each fact what it is; of those an expression cannot read, nothing."""
    types = {
        name: type_of_fact(name, fact.json_schema, small=_small(known, name))
        for name, fact in known.facts.items()
    }
    return {name: found for name, found in types.items() if found}


def _small(known: Catalogue, name: str) -> bool:
    """Try whether capitals in a fact become small letters when it is stated."""
    for shape in ("Ab", ["Ab"]):
        try:
            return str(known.validate_facts({name: shape})[name]) == str(shape).lower()
        except ValidationError:
            continue
    return False


def _judges(text: str) -> str:
    """Refuse an expression that says nothing of the facts."""
    rule = understood(text)
    if not rule.names:
        raise Unclear("it names no fact, so it would say the same of everything")
    if _constant(rule) is not None:
        raise Unclear("it is the same whatever the facts are")
    return text


def _constant(rule: Expression) -> Any:
    """Give what it comes to without any fact; None if it depends on one."""
    try:
        return rule.run({})
    except Exception:  # a fact it names is not there, as it should be
        return None


def _speaks(text: str) -> str:
    """Refuse a message that is no text, or that says what only people may decide."""
    if JUDGING.search(text):
        raise Unclear("a message says what was seen; what it amounts to is for people to decide")
    try:
        spoken = understood(text, "string")
    except Unclear as reason:
        raise Unclear(f'{reason}. A sentence is written in quotes: "…"') from reason
    if not str(_constant(spoken) or spoken.names or "").strip():
        raise Unclear("the message says nothing")
    return text


class Terms(TermsModel):
    """What must not be so, and what is said when it is."""

    when: Annotated[str, Field(min_length=1, max_length=grammar.LONGEST), AfterValidator(_judges)]
    """A CEL expression over the facts: the condition is broken when it is true."""
    message: Annotated[
        str, Field(min_length=1, max_length=grammar.LONGEST), AfterValidator(_speaks)
    ]
    """The sentence shown when it is: a CEL expression that gives a text, such as "Too many."."""


class Facts(FactsModel):
    """None of its own: it reads those the expression names."""


def plain_words(terms: Terms) -> str:
    """Say in plain English what the condition checks, for people, checklists and the linter."""
    return f"broken when {understood(terms.when).words}"


def facts_named(terms: Terms) -> frozenset[str]:
    """Name the facts the condition depends on: those somebody must be able to report.

    Those that only its message names are not among them: what they say decides nothing.
    """
    return frozenset(understood(terms.when).names)


def evaluate(
    terms: Terms,
    heard: Sequence[Statement[Any]],
    case: Case,  # noqa: ARG001 - each statement is judged by itself
    moment: datetime,  # noqa: ARG001 - the expression looks at what was observed, not at today
) -> Iterator[Finding]:
    """Work the expression out for each statement that states a fact it names."""
    rule = understood(terms.when)
    names = rule.names
    for statement in heard:
        facts = statement.facts
        stated = {
            name: value for name in names if (value := getattr(facts, name, None)) is not None
        }
        if not stated:
            continue
        so = rule.of(stated, statement.observed_at)
        if so is True:
            yield broken(
                statement,
                reason=f"expression_true_{rule.mark}",
                expected=f"not: {rule.words}",
                observed=_sentence(terms, rule, statement),
                clears=CLEARS,
            )
        elif so is not False:
            yield _unknown(rule, statement, sorted(rule.read - stated.keys()))


def _unknown(rule: Expression, statement: Statement[Any], missing: Sequence[str]) -> Finding:
    """Say that the expression could not be worked out: for want of facts, or in spite of them."""
    return not_assessable(
        statement,
        reason=f"{'fact_not_stated' if missing else 'expression_failed'}_{rule.mark}",
        expected=f"not: {rule.words}",
        observed=(
            f"nothing stated of {named(missing)}"
            if missing
            else f"what is stated of {named(rule.names)} does not allow an answer"
        ),
        missing=missing or rule.names,
        clears=f"a report that states {named(missing or rule.names)} in full",
    )


def _sentence(terms: Terms, rule: Expression, statement: Statement[Any]) -> str:
    """Give the message; the expression in words if it needs a fact that was not stated."""
    spoken = understood(terms.message, "string")
    facts = {name: getattr(statement.facts, name, None) for name in spoken.names}
    stated = {name: value for name, value in facts.items() if value is not None}
    said = str(spoken.of(stated, statement.observed_at) or "").strip()
    return said[:LONGEST_SENTENCE] or rule.words


def _given(value: Any) -> Any:
    """Hand a fact over as CEL knows it: parts as a map, days as midnight UTC, lists as lists."""
    if isinstance(value, list | tuple | set | frozenset):
        plain = PLAIN.issuperset(map(type, value))
        return list(value) if plain else [_given(one) for one in value]
    if isinstance(value, BaseModel):
        return {name: _given(part) for name, part in value if part is not None}
    if isinstance(value, date) and not isinstance(value, datetime):
        return datetime.combine(value, time(), UTC)
    return value


MONITOR = Monitor(
    title="Expression",
    terms=Terms,
    facts=Facts,
    evaluate=evaluate,
    severity=Severity.MODERATE,
    reads=facts_named,
    how_to_check=(
        "Read the condition in plain words; on site, find out each fact it names as the condition "
        "type that reads the fact says, and see whether all of it together is so."
    ),
    what_to_see="Facts of which, taken together, the expression is not true.",
)
