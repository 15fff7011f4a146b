"""The tree of an expression: what it is made of, part within part."""

from dataclasses import dataclass


class Unclear(ValueError):
    """The expression cannot be a condition; the message says why, and what to write instead."""


@dataclass(frozen=True, slots=True)
class Literal:
    """A number, a text, or true or false; `text` as it was written."""

    value: bool | int | float | str
    text: str


@dataclass(frozen=True, slots=True)
class Name:
    """A fact, or the variable of a macro."""

    name: str


@dataclass(frozen=True, slots=True)
class Items:
    """A list that is written out."""

    items: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Part:
    """A part of something, such as the latitude of a position."""

    of: "Node"
    name: str


@dataclass(frozen=True, slots=True)
class Call:
    """A function of arguments; what stands before the dot is the first."""

    function: str
    arguments: tuple["Node", ...]
    dotted: bool


@dataclass(frozen=True, slots=True)
class Each:
    """A macro: something said of each item of a list."""

    macro: str
    of: "Node"
    variable: str
    body: "Node"


@dataclass(frozen=True, slots=True)
class Operation:
    """An operator with one operand, two, or with && and || as many as stand in a row."""

    operator: str
    operands: tuple["Node", ...]


@dataclass(frozen=True, slots=True)
class Choice:
    """One of two, depending on a condition."""

    condition: "Node"
    then: "Node"
    otherwise: "Node"


Node = Literal | Name | Items | Part | Call | Each | Operation | Choice


def children(node: Node) -> tuple[Node, ...]:
    """Give what a node is made of."""
    match node:
        case Literal() | Name():
            inside: tuple[Node, ...] = ()
        case Items(items):
            inside = items
        case Part(of):
            inside = (of,)
        case Call(_, arguments):
            inside = arguments
        case Each(_, of, _, body):
            inside = (of, body)
        case Operation(_, operands):
            inside = operands
        case _:
            inside = (node.condition, node.then, node.otherwise)
    return inside


def height(root: Node) -> int:
    """Count the levels of a tree, level by level: it may be too tall to walk down into."""
    levels, row = 0, [root]
    while row:
        levels, row = levels + 1, [child for node in row for child in children(node)]
    return levels
