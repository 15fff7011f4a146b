from datetime import UTC, datetime
from typing import Any

import cel
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st

from monitors import catalogue
from monitors._cel import grammar, words
from monitors._cel.meanings import Type, type_of_fact
from monitors._cel.reading import MOST_STEPS, Reading
from monitors._cel.tree import (
    Call,
    Choice,
    Each,
    Items,
    Literal,
    Name,
    Node,
    Operation,
    Part,
    Unclear,
    children,
)
from monitors.expression import understood

MOMENT = datetime(2026, 7, 1, 12, tzinfo=UTC)


def said(text: str) -> str:
    return understood(text).words


def refusal(text: str, wanted: str = "bool") -> str:
    with pytest.raises(Unclear) as refused:
        understood(text, wanted)
    return str(refused.value)


@pytest.mark.parametrize(
    ("text", "plain"),
    [
        ("gallery_size > 5000", "gallery size is above 5,000"),
        (
            "gallery_size >= 1 && gallery_size <= 9",
            "gallery size is at least 1 and gallery size is at most 9",
        ),
        (
            "gallery_size != 2 || false_match_rate < 0.001",
            "gallery size is not 2 or false match rate is below 0.001",
        ),
        ("seal_intact", "seal intact is true"),
        ("!seal_intact", "seal intact is false"),
        ("!!seal_intact", "not (seal intact is false)"),
        ("seal_intact == false", "seal intact is false"),
        ("!(gallery_size > 5)", "not (gallery size is above 5)"),
        ("!(site in ['A', 'B'])", 'site is none of "A", "B"'),
        ("site in ['A', 'B']", 'site is one of "A", "B"'),
        ("'policing' in end_uses", 'end uses includes "policing"'),
        ("has(stated.site)", "site is stated"),
        ("!has(stated.site)", "site is not stated"),
        (
            "site.startsWith('N') || site.endsWith('1')",
            'site begins with "N" or site ends with "1"',
        ),
        (
            "site.contains('B') && site.matches('^[A-Z]+$')",
            'site contains "B" and site fits the pattern "^[A-Z]+$"',
        ),
        ("size(end_uses) > 2", "the length of end uses is above 2"),
        ("end_uses.size() > 2", "the length of end uses is above 2"),
        ("position.lat < -1.5", "lat of position is below minus 1.5"),
        (
            "gallery_size + 2 * gallery_size > 9",
            "gallery size plus (2 times gallery size) is above 9",
        ),
        ("gallery_size % 2 == 1", "the rest of gallery size divided by 2 is 1"),
        ("double(gallery_size) / 2.0 > 1.0", "gallery size divided by 2.0 is above 1.0"),
        ("int(false_match_rate) - 1 == 0", "false match rate without its decimals minus 1 is 0"),
        (
            "gallery_size > 5 && (seal_intact || !secure_boot)",
            "gallery size is above 5 and (seal intact is true or secure boot is false)",
        ),
        (
            "gallery_size > 5 || seal_intact && secure_boot",
            "gallery size is above 5 or (seal intact is true and secure boot is true)",
        ),
        (
            "end_uses.exists(u, u == 'policing') && seal_intact",
            '(some u of end uses is such that u is "policing") and seal intact is true',
        ),
        (
            "end_uses.all(u, u != 'x' || u != 'y')",
            'every u of end uses is such that (u is not "x" or u is not "y")',
        ),
        ("end_uses.exists_one(u, u == 'x')", 'exactly one u of end uses is such that u is "x"'),
        (
            "end_uses.filter(u, u != 'x').size() > 2",
            'the number of those u of end uses such that u is not "x" is above 2',
        ),
        (
            "end_uses.filter(u, u != 'x').all(u, u == 'y')",
            'every u of (those u of end uses such that u is not "x") is such that u is "y"',
        ),
        (
            "remote_sessions.exists(s, !has(s.country))",
            "some s of remote sessions is such that country of s is not stated",
        ),
        (
            "seal_intact ? gallery_size > 5 : secure_boot",
            "if seal intact is true then gallery size is above 5, otherwise secure boot",
        ),
        (
            "(seal_intact ? gallery_size : 7) > 5",
            "(if seal intact is true then gallery size, otherwise 7) is above 5",
        ),
        ("(gallery_size > 5) == seal_intact", "(gallery size is above 5) is seal intact"),
        (
            "certified_on < timestamp('2026-01-01T00:00:00Z')",
            "certified on is before 2026-01-01T00:00:00Z",
        ),
        (
            "observed_at >= certified_on + duration('24h')",
            "the time of observation is not before certified on plus 24h",
        ),
        (
            "observed_at.getMonth() == 0 && search_calls > 0",
            "the month of the time of observation (January is 0) is 0 and search calls is above 0",
        ),
        ("string(certified_on) == 'x'", 'certified on is "x"'),
    ],
)
def test_an_expression_is_said_in_plain_words(text: str, plain: str) -> None:
    assert said(text) == plain


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("galery_size > 5", "there is no fact galery_size; did you mean gallery_size?"),
        ("zzz > 5", "there is no fact zzz"),
        ("has(stated.sit)", "there is no fact sit; did you mean site?"),
        ("stated.site == 'x'", "whether a fact was stated is asked as has(stated.gallery_size)"),
        ("has(site)", "has(…) asks for a part, as in has(stated.gallery_size)"),
        ("has(site.x)", "a text has no part x"),
        ("gallery_size", "it gives a whole number, where yes or no is needed"),
        ("gallery_size > 'x'", "a whole number cannot be compared with a text by >"),
        ("true < false", "yes or no cannot be compared with yes or no by <"),
        ("end_uses == end_uses", "a list cannot be compared with a list by =="),
        (
            "gallery_size * 0.5 > 3.0",
            "* does not go with a whole number and a decimal number; write double",
        ),
        (
            "gallery_size / 2 > 3",
            "/ does not go with a whole number and a whole number: the rest would",
        ),
        ("false_match_rate / false_match_rate > 1.0", "instead of dividing by what may be zero"),
        ("false_match_rate / 0.0 > 1.0", "instead of dividing by what may be zero"),
        ("gallery_size % 0 == 1", "instead of dividing by what may be zero"),
        ("end_uses + end_uses == 1", "+ does not go with a list and a list"),
        ("-site == 'x'", "there is no negative of a text"),
        ("!gallery_size", "what stands beside ! must be yes or no, not a whole number"),
        ("seal_intact && site", "what stands beside && must be yes or no, not a text"),
        ("gallery_size ? true : false", "what stands before ? must be yes or no"),
        ("seal_intact ? 1 : 'x'", "what stands after : must be a whole number, not a text"),
        ("size(seal_intact ? end_uses : end_uses) > 1", "a list cannot be chosen by ?"),
        ("site in country", "in looks into a list, not into a text"),
        ("site in [1, 2]", "a text cannot be compared with a whole number by =="),
        ("site in []", "a list that is written out holds numbers alone, or texts alone"),
        ("site in ['x', 1]", "a list that is written out holds numbers alone, or texts alone"),
        (
            "site in ['x', country]",
            "a list that is written out holds numbers alone, or texts alone",
        ),
        (
            "position.long > 1.0",
            "something with parts has no part long; there is lat, lon, accuracy_m",
        ),
        ("site.exists(s, s == 'x')", "exists goes through a list, not a text"),
        ("end_uses.exists(u, u)", "what exists says of each item must be yes or no, not a text"),
        (
            "end_uses.exists(u, integrations.exists(i, i == u))",
            "going through a list for each item",
        ),
        (
            "end_uses.exists(site, site == 'x')",
            "site is the name of a fact; call the item otherwise",
        ),
        ("end_uses.exists(u, u == 'x') && u == 'y'", "there is no fact u"),
        ("end_uses.map(u, u) == 1", "there is no function map here"),
        ("startsWith(site, 'x')", "there is no function startsWith here"),
        ("site.int() > 1", "there is no function int here"),
        ("int(site) > 1", "int cannot be used with a text"),
        ("size() > 1", "size cannot be used with nothing"),
        ("site.matches(country)", "a pattern has 100 plain characters at most"),
        ("site.matches('a{9}')", "a pattern has 100 plain characters at most"),
        ("site.matches('\\\\\\\\w')", "a pattern has 100 plain characters at most"),
        ("certified_on < timestamp('2026-01-01')", 'a time is written with its zone: "2026-01-31T'),
        ("observed_at - certified_on > duration('1d')", "a length of time is written in hours"),
        ("disposition == 'stollen'", "disposition can never be 'stollen'; it is one of in_use"),
        ("'kenya' != country", "country can never be 'kenya'"),
        ("country in ['KE', 'kenya']", "country can never be 'kenya'"),
        ("site == '" + "x" * 65 + "'", "site can never be"),
        ("'Policing' in end_uses", "end_uses is stated in small letters: write 'policing'"),
        (
            "end_uses.exists(u, u.startsWith('Pol'))",
            "end_uses is stated in small letters: write 'pol'",
        ),
        ("changes.exists(c, c.subject == 'sites')", "that part can never be 'sites'; it is one of"),
        ("software_version < '2.10'", "texts have no order, version 10 would come before 9"),
        ("sighted_serials.filter(s, s == 'x').size() > 2", "judging it could take too long"),
        (
            "remote_sessions.filter(s, s.country != 'KE').size() > 2",
            "judging it could take too long",
        ),
        (" + ".join(["gallery_size"] * 9) + " * 2" * 13 + " > 1", "more than 12 multiplications"),
        ("site.matches('(')", "the library cannot read it: "),
        ("site.matches('[')", "unclosed character class"),
    ],
)
def test_what_could_not_be_judged_as_meant_is_refused_with_the_reason(
    text: str, reason: str
) -> None:
    assert reason in refusal(text)


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        ("", "'the end' was not expected at character 0"),
        ("gallery_size >", "'the end' was not expected at character 14"),
        ("gallery_size > 5 5", "'5' was not expected at character 18"),
        ("(seal_intact", "'the end' was not expected"),
        ("seal_intact ? true", "'the end' was not expected"),
        ("site.", "'the end' was not expected"),
        ("site.in('x')", "'in' was not expected"),
        ("end_uses.exists(1, true)", "'1' was not expected"),
        ("end_uses.exists(u)", "')' was not expected"),
        ("site in ['x' 'y']", "\"'y'\" was not expected"),
        ("site in ['x',]", "']' was not expected"),
        ("site == null", "'null' was not expected"),
        ("end_uses[0] == 'x'", "'[' was not expected"),
        ("site == r'x'", "\"'x'\" was not expected"),
        ("gallery_size == 5u", "'u' was not expected"),
        ("-!seal_intact", "'!' was not expected"),
        ("gallery_size > 5 // many", "'/' was not expected"),
        ("{'a': 1}.a == 1", "it cannot be read from character 1 on: \"{'a': 1}.a == 1\""),
        ("site == 'x\\n'", "it cannot be read from character 9 on"),
        ("site == 'x\x00'", "it cannot be read from character 9 on"),
        ("größe > 5", "it cannot be read from character 3 on"),
        ("gallery_size > 1000000000000001", "the number 1000000000000001 is beyond"),
        ("gallery_size > " + "9" * 41, "the number 9999999999… is too long"),
        ("false_match_rate > 1e-13", "too near to nothing"),
        ("false_match_rate > 1e400", "the number 1e400 is beyond"),
        ("(" * 12 + "seal_intact" + ")" * 12, "more than 12 brackets, calls or choices"),
        ("!" * 13 + "seal_intact", "more than 12 brackets, calls or choices"),
        (" + ".join(["gallery_size"] * 40) + " > 1", "too much of it hangs together"),
        (
            "seal_intact" + "||seal_intact" * 150,
            "it has 301 names, numbers and signs; 300 are allowed",
        ),
        (" " * 2001, "it has 2,001 characters; 2,000 are allowed"),
    ],
)
def test_what_cannot_be_read_is_refused_with_the_place(text: str, reason: str) -> None:
    assert reason in refusal(text)


def test_as_much_as_is_allowed_is_read() -> None:
    assert understood("(" * 11 + "seal_intact" + ")" * 11)
    assert understood("!" * 11 + "seal_intact")
    assert understood(" + ".join(["gallery_size"] * 38) + " > 1")
    assert understood("seal_intact" + "||seal_intact" * 149)
    assert understood("gallery_size > 1000000000000000 || false_match_rate == 0.0")
    assert understood("seal_intact" + " " * (2000 - 11))


def test_texts_may_hold_quotes_and_any_script() -> None:
    spoken = understood("'Größe: \"' + site + '\\' \\\\ 大小'", "string")

    assert spoken.of({"site": "NBO-1"}, MOMENT) == "Größe: \"NBO-1' \\ 大小"
    assert spoken.words == '("Größe: "" plus site) plus "\' \\ 大小"'


def test_every_fact_of_the_vocabulary_can_be_read() -> None:
    facts = catalogue().facts
    assert len(facts) > 40
    for name, fact in facts.items():
        assert type_of_fact(name, fact.json_schema) is not None, name


@pytest.mark.parametrize(
    "schema",
    [
        {},
        {"type": "array", "items": {"type": "string"}},
        {"type": "array", "maxItems": 5, "items": {}},
        {"anyOf": [{"type": "number"}, {"type": "string"}, {"type": "null"}]},
    ],
)
def test_a_fact_of_another_shape_is_none_an_expression_reads(schema: dict[str, Any]) -> None:
    assert type_of_fact("odd", schema) is None
    assert type_of_fact("odd", {"type": "object", "properties": {"x": schema}}) == Type("map")


def test_the_cost_grows_with_the_lists_it_goes_through() -> None:
    def steps(text: str) -> int:
        reading = Reading(FACTS)
        reading.type(grammar.tree(text))
        return reading.steps

    assert steps("long.all(u, u != 'x')") > 9 * steps("short.all(u, u != 'x')")
    assert steps("short.all(u, u in long)") > 9 * steps("short.all(u, u in ['x'])")
    assert steps("short.filter(u, u != 'x').size() > 1") > 2 * steps("short.all(u, u != 'x')")
    assert steps("size(long) > 1") > MOST_STEPS // 100


FACTS = {
    "long": Type("list", item=Type("string"), most=1000),
    "short": Type("list", item=Type("string"), most=100),
    "n": Type("int"),
    "m": Type("int"),
    "f": Type("double"),
    "b": Type("bool"),
    "c": Type("bool"),
    "s": Type("string"),
    "t": Type("timestamp"),
    "p": Type("map", parts={"lat": Type("double"), "name": Type("string")}),
}
VALUES = st.fixed_dictionaries(
    {},
    optional={
        "n": st.integers(-3, 3),
        "m": st.integers(-3, 3) | st.integers(-(2**62), 2**62),
        "f": st.sampled_from([-1.0, 0.0, 0.5, 2.0]),
        "b": st.booleans(),
        "c": st.booleans(),
        "s": st.sampled_from(["", "a", "b", "ab"]),
        "t": st.just(MOMENT),
        "short": st.lists(st.sampled_from(["", "a", "b", "ab"]), max_size=3),
        "p": st.fixed_dictionaries({"lat": st.just(1.0)}, optional={"name": st.just("a")}),
    },
)

Written = st.SearchStrategy[str]
SPACE = st.sampled_from(["", " ", "\n"])


def either(*ways: Written | str) -> Written:
    return st.one_of([st.just(one) if isinstance(one, str) else one for one in ways])


def joined(left: Written, signs: list[str], right: Written) -> Written:
    """Write an operator between two, sometimes in brackets, so that precedence is put to the test."""
    plain = st.builds(
        "{}{}{}{}{}".format,
        left,
        SPACE.map(lambda gap: gap + " "),
        st.sampled_from(signs),
        st.just(" "),
        right,
    )
    return plain | plain.map("({})".format)


def deeper(leaf: Written, grow: Any) -> Written:
    return st.recursive(leaf, grow, max_leaves=5)


WHOLE = deeper(
    either("n", "m", "0", "1", "2", "size(s)", "short.size()", "t.getFullYear()"),
    lambda inner: (
        joined(inner, ["+", "-", "*"], inner)
        | inner.map("-({})".format)
        | st.builds("({} % 2)".format, inner)
    ),
)
DECIMAL = deeper(
    either("f", "0.5", "2.0", "p.lat", "double(n)"),
    lambda inner: joined(inner, ["+", "-", "*"], inner) | inner.map("{} / 2.0".format),
)
TEXT = deeper(
    either("s", "'a'", '"b"', "p.name", "string(n)", "string(f)"),
    lambda inner: joined(inner, ["+"], inner),
)
COMPARING = ["==", "!=", "<", ">", "<=", ">="]
LEAF = either(
    "b",
    "c",
    "true",
    "has(p.name)",
    "has(stated.n)",
    "short.exists(x, x == s)",
    "short.all(x, x != 'a' || b)",
    "short.filter(x, x != s).size() > 1",
    "t < observed_at",
    joined(WHOLE, COMPARING, WHOLE),
    joined(DECIMAL, COMPARING, DECIMAL),
    joined(WHOLE, COMPARING, DECIMAL),
    joined(TEXT, ["==", "!="], TEXT),
    joined(TEXT, ["in"], st.just("['a', 'ab']")),
    joined(TEXT, ["in"], st.just("short")),
    st.builds("{}.startsWith({})".format, st.just("s"), TEXT),
)
CONDITION = deeper(
    LEAF,
    lambda inner: (
        joined(inner, ["&&", "||"], inner)
        | inner.map("!({})".format)
        | st.builds("({} ? {} : {})".format, inner, inner, inner)
    ),
)


def spelled(node: Node) -> str:
    """Write a tree with brackets around everything, so that nothing hangs on precedence."""
    inside = [spelled(child) for child in children(node)]
    match node:
        case Literal(_, text) | Name(text):
            written = text
        case Items():
            written = f"[{', '.join(inside)}]"
        case Part(_, name):
            written = f"{inside[0]}.{name}"
        case Call(function, _, dotted):
            first = f"{inside[0]}.{function}" if dotted else function
            written = f"{first}({', '.join(inside[dotted:])})"
        case Each(macro, _, variable):
            written = f"{inside[0]}.{macro}({variable}, {inside[1]})"
        case Operation(operator, operands):
            sign = operator if len(operands) == 1 else ""
            written = f"({sign}{f' {operator} '.join(inside)})"
        case Choice():
            written = "({} ? {} : {})".format(*inside)
    return written


def answer(text: str, given: dict[str, Any]) -> Any:
    try:
        return cel.compile(text).execute(given)
    except Exception:
        return None


@given(CONDITION, VALUES)
@settings(max_examples=300, deadline=None)
def test_it_is_read_as_the_library_reads_it(text: str, values: dict[str, Any]) -> None:
    reading, refused = Reading(FACTS), ""
    try:
        root = grammar.tree(text)
        kind = reading.type(root)
    except Unclear as reason:
        refused = str(reason)
    assert not refused or "more than 12" in refused
    assume(not refused)
    given = values | {"stated": dict.fromkeys(values, True), "observed_at": MOMENT}

    assert kind.name == "bool"
    assert words.plainly(root)
    assert answer(text, given) is answer(spelled(root), given)
    assert answer(text, given) in {True, False, None}
    named = cel.compile(text).variables()
    assert reading.read | {"stated", "observed_at", "x"} >= set(named) - {"@result"}


@given(
    st.text(max_size=60) | st.text("gallery_size n=<>&|!?:()[]{}'\"\\.,+-*/%0159eau\n", max_size=60)
)
@settings(max_examples=500, deadline=None)
def test_whatever_is_written_is_read_or_refused(text: str) -> None:
    try:
        found = understood(text)
    except Unclear:
        return
    assert found.words
