"""Reads the part of CEL that a condition may be written in, into a tree.

CEL is the Common Expression Language (github.com/google/cel-spec, doc/langdef.md: grammar and
precedence are from there). The library that evaluates it shows no tree, and without one nobody
could say in plain words what an expression checks, or what it may cost. What is read here is less
than CEL: no maps, bytes, null, indexing, raw texts, comments or numbers too large for exact
arithmetic.
"""

import re
from collections.abc import Iterator
from typing import NamedTuple

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
    height,
)

LONGEST = 2_000
"""Characters of an expression."""
MOST_PARTS = 300
"""Names, numbers, texts and signs of an expression."""
DEEPEST = 12
"""Brackets, calls and choices within each other."""
TALLEST = 40
"""Levels of the tree, so that walking it cannot exhaust the stack."""
LARGEST_NUMBER, SMALLEST_NUMBER = 10**15, 1e-12
MACROS = frozenset({"all", "exists", "exists_one", "filter"})
RESERVED = frozenset(
    [
        "as",
        "break",
        "const",
        "continue",
        "else",
        "false",
        "for",
        "function",
        "if",
        "import",
        "in",
        "let",
        "loop",
        "namespace",
        "null",
        "package",
        "return",
        "true",
        "var",
        "void",
        "while",
    ]
)
LEVELS = ({"||"}, {"&&"}, {"==", "!=", "<", "<=", ">", ">=", "in"}, {"+", "-"}, {"*", "/", "%"})
"""Operators, those that bind least first; all group from left to right."""
CHAINED = frozenset({"||", "&&"})


class _Token(NamedTuple):
    kind: str
    text: str
    at: int


TOKEN = re.compile(
    r"""(?P<space>[ \t\r\n]+)
    |(?P<number>[0-9]+(?:\.[0-9]+)?(?:[eE][+-]?[0-9]+)?)
    |(?P<text>"(?:[^"\\\x00-\x1f\x7f-\x9f]|\\["'\\])*"|'(?:[^'\\\x00-\x1f\x7f-\x9f]|\\["'\\])*')
    |(?P<name>[A-Za-z_][A-Za-z0-9_]*)
    |(?P<mark>\|\||&&|[=!<>]=|[-+*/%<>!?:.,()\[\]])""",
    re.VERBOSE,
)
ESCAPED = re.compile(r"\\(.)")


def tree(text: str) -> Node:
    """Read an expression; raises `Unclear` with the place and the reason."""
    if len(text) > LONGEST:
        raise Unclear(f"it has {len(text):,} characters; {LONGEST:,} are allowed")
    tokens = [*_tokens(text)]
    if len(tokens) > MOST_PARTS:
        raise Unclear(f"it has {len(tokens):,} names, numbers and signs; {MOST_PARTS} are allowed")
    read = _Parser([*tokens, _Token("end", "the end", len(text))]).whole()
    if height(read) > TALLEST:
        raise Unclear("too much of it hangs together; make several conditions of it")
    return read


def _tokens(text: str) -> Iterator[_Token]:
    at = 0
    while at < len(text):
        found = TOKEN.match(text, at)
        if not found:
            raise Unclear(f"it cannot be read from character {at + 1} on: {text[at : at + 20]!r}")
        kind, at = found.lastgroup or "", found.end()
        if kind != "space":
            yield _Token(kind, found[0], found.start() + 1)


class _Parser:
    """Goes through the tokens once, from left to right."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._next = 0
        self._depth = 0

    def whole(self) -> Node:
        """Read all there is."""
        read = self._expression()
        if self._token.kind != "end":
            raise self._surprised()
        return read

    @property
    def _token(self) -> _Token:
        return self._tokens[self._next]

    def _surprised(self) -> Unclear:
        text, at = self._token.text, self._token.at
        return Unclear(f"{text!r} was not expected at character {at}")

    def _take(self) -> _Token:
        token = self._token
        self._next += token.kind != "end"
        return token

    def _has(self, *marks: str) -> bool:
        """Say whether one of these signs is next, and pass it if so."""
        found = self._token.kind == "mark" and self._token.text in marks
        self._next += found
        return found

    def _need(self, mark: str) -> None:
        if not self._has(mark):
            raise self._surprised()

    def _deeper(self) -> None:
        self._depth += 1
        if self._depth > DEEPEST:
            raise Unclear(f"more than {DEEPEST} brackets, calls or choices lie within each other")

    def _expression(self) -> Node:
        self._deeper()
        read = self._binary(0)
        if self._has("?"):
            then = self._binary(0)
            self._need(":")
            read = Choice(read, then, self._expression())
        self._depth -= 1
        return read

    def _binary(self, level: int) -> Node:
        if level == len(LEVELS):
            return self._unary()
        read = self._binary(level + 1)
        while self._token.kind != "text" and self._token.text in LEVELS[level]:
            operator = self._take().text
            right = self._binary(level + 1)
            chain = isinstance(read, Operation) and read.operator == operator in CHAINED
            before = read.operands if chain and isinstance(read, Operation) else (read,)
            read = Operation(operator, (*before, right))
        return read

    def _unary(self) -> Node:
        for sign in ("!", "-"):
            if self._has(sign):
                return self._signed(sign)
        return self._member()

    def _signed(self, sign: str) -> Node:
        """Read what a sign stands before; signs of two kinds do not stand in a row."""
        self._deeper()
        inside = self._signed(sign) if self._has(sign) else self._member()
        self._depth -= 1
        return Operation(sign, (inside,))

    def _member(self) -> Node:
        read = self._primary()
        while self._has("."):
            name = self._name()
            if not self._has("("):
                read = Part(read, name)
            elif name in MACROS:
                read = self._each(name, read)
            else:
                read = Call(name, (read, *self._listed(")")), dotted=True)
        return read

    def _each(self, macro: str, of: Node) -> Node:
        variable = self._name()
        self._need(",")
        body = self._expression()
        self._need(")")
        return Each(macro, of, variable, body)

    def _name(self) -> str:
        if self._token.kind != "name" or self._token.text in RESERVED:
            raise self._surprised()
        return self._take().text

    def _listed(self, closing: str) -> tuple[Node, ...]:
        read: list[Node] = []
        while not self._has(closing):
            if read:
                self._need(",")
            read.append(self._expression())
        return tuple(read)

    def _primary(self) -> Node:
        if self._has("("):
            read = self._expression()
            self._need(")")
            return read
        if self._has("["):
            return Items(self._listed("]"))
        if self._token.text in {"true", "false"}:
            text = self._take().text
            return Literal(text == "true", text)
        if self._token.kind == "number":
            return _number(self._take().text)
        if self._token.kind == "text":
            text = self._take().text
            return Literal(ESCAPED.sub(r"\1", text[1:-1]), text)
        name = self._name()
        return Call(name, self._listed(")"), dotted=False) if self._has("(") else Name(name)


def _number(text: str) -> Literal:
    """Read a number; whole unless it has a point or an exponent."""
    if len(text) > 40:
        raise Unclear(f"the number {text[:10]}… is too long")
    value = int(text) if text.isdigit() else float(text)
    if value and not SMALLEST_NUMBER <= value <= LARGEST_NUMBER:
        raise Unclear(f"the number {text} is beyond {LARGEST_NUMBER:,} or too near to nothing")
    return Literal(value, text)
