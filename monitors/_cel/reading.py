"""Reads a tree with the facts in mind: what it is, which facts it names, what it may cost.

So it refuses, before it is ever registered, what could not be judged or not be judged as meant:
a name that is no fact, a number compared with a text, a division by what may be zero (CEL would
answer "not a number", and that is above no limit), and what would take too long on long lists.
"""

from collections.abc import Iterable, Mapping, Sequence
from difflib import get_close_matches

from monitors._cel.grammar import RESERVED
from monitors._cel.meanings import (
    BOOL,
    COMPARED,
    DOTTED,
    DOUBLE,
    FUNCTIONS,
    INT,
    NUMBERS,
    OF_TEXTS,
    ORDERED,
    SPOKEN,
    STRING,
    SUMS,
    TIME,
    UNDOTTED,
    WRITTEN,
    Type,
    possible,
)
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
)

MOST_STEPS = 1_000_000
"""What an expression may cost on the largest facts there may be; a step takes about 0.1 µs."""
STEPS_TO_HAND_OVER = 30
"""For each item of a list that is a fact."""
STEPS_OF_PARTS = 10
"""How many times what an item costs that has parts."""
STEPS_OF_A_PATTERN = 10_000
"""A pattern is read anew each time it is used."""
MOST_PRODUCTS = 12
"""Multiplications and divisions: with so many no decimal can grow beyond what can be counted."""
STATED, OBSERVED_AT = "stated", "observed_at"


def nearest(name: str, known: Iterable[str]) -> str:
    """Suggest the nearest words there are."""
    near = get_close_matches(name, sorted(known))
    return f"; did you mean {' or '.join(near)}?" if near else ""


class Reading:
    """One walk over a tree: what it is, which facts it reads, what it costs at most.

    `read` are the facts whose values count, `asked` those it asks of whether they were stated,
    `patterns` those of `matches` as they were written, for the library to read.
    """

    def __init__(self, facts: Mapping[str, Type]) -> None:
        self.read: set[str] = set()
        self.asked: set[str] = set()
        self.patterns: list[str] = []
        self.steps = 0
        self.moment = False
        self._facts = facts
        self._times = 1
        self._products = 0
        self._bound: dict[str, Type] = {}

    def type(self, node: Node) -> Type:
        """Say what a node is; raises `Unclear` when it cannot be, or would cost too much."""
        self._spend(1)
        match node:
            case Literal(value):
                made = {bool: BOOL, int: INT, float: DOUBLE, str: STRING}[type(value)]
            case Name(name):
                made = self._named(name)
            case Items(items):
                made = self._items(items)
            case Part(of, name):
                made = self._part(of, name)
            case Call(function, arguments, dotted):
                made = self._call(function, arguments, dotted=dotted)
            case Each():
                made = self._each(node)
            case Operation(operator, operands):
                made = self._operation(operator, operands)
            case _:
                made = self._choice(node)
        return made

    def _spend(self, steps: int) -> None:
        self.steps += steps * self._times
        if self.steps > MOST_STEPS:
            raise Unclear("judging it could take too long on long lists; make it simpler")

    def _want(self, wanted: Type, node: Node, where: str) -> None:
        found = self.type(node)
        if found.name != wanted.name:
            raise Unclear(f"{where} must be {SPOKEN[wanted.name]}, not {SPOKEN[found.name]}")

    def _named(self, name: str) -> Type:
        if name in self._bound:
            return self._bound[name]
        if name == OBSERVED_AT:
            self.moment = True
            return TIME
        if name == STATED:
            raise Unclear("whether a fact was stated is asked as has(stated.gallery_size)")
        found = self._facts[self._fact(name)]
        if name not in self.read:
            self.read.add(name)
            self.steps += STEPS_TO_HAND_OVER * _weight(found.item) * found.most
            self._spend(0)
        return found

    def _fact(self, name: str) -> str:
        if name not in self._facts:
            raise Unclear(f"there is no fact {name}{nearest(name, self._facts)}")
        return name

    def _items(self, items: Sequence[Node]) -> Type:
        types = {self.type(item).name for item in items if isinstance(item, Literal)}
        if len(types) != 1 or not all(isinstance(item, Literal) for item in items):
            raise Unclear("a list that is written out holds numbers alone, or texts alone")
        return Type("list", item=Type(types.pop()), most=len(items))

    def _part(self, of: Node, name: str) -> Type:
        whole = self.type(of)
        if name not in whole.parts:
            known = f"; there is {', '.join(whole.parts)}" if whole.parts else ""
            raise Unclear(f"{SPOKEN[whole.name]} has no part {name}{known}")
        return whole.parts[name]

    def _has(self, arguments: Sequence[Node]) -> Type:
        match arguments:
            case (Part(Name("stated"), name),):
                self.asked.add(self._fact(name))
            case (Part(of, name),):
                self._part(of, name)
            case _:
                raise Unclear("has(…) asks for a part, as in has(stated.gallery_size)")
        return BOOL

    def _call(self, name: str, arguments: Sequence[Node], *, dotted: bool) -> Type:
        if name not in (DOTTED if dotted else UNDOTTED):
            known = DOTTED if dotted else UNDOTTED
            raise Unclear(f"there is no function {name} here{nearest(name, known)}")
        if name == "has":
            return self._has(arguments)
        found = [self.type(argument) for argument in arguments]
        types = tuple(one.name for one in found)
        if (name, types) not in FUNCTIONS:
            given = ", ".join(SPOKEN[one] for one in types) or "nothing"
            raise Unclear(f"{name} cannot be used with {given}")
        if name in WRITTEN:
            self._as_written(name, arguments[-1])
        elif name in OF_TEXTS:
            possible(found[0], arguments[1], whole=False)
        return FUNCTIONS[name, types]

    def _as_written(self, name: str, argument: Node) -> None:
        """Refuse what is not written out, and what the library would misread or read for long."""
        form, advice = WRITTEN[name]
        if not isinstance(argument, Literal) or not form.fullmatch(str(argument.value)):
            raise Unclear(advice)
        if name == "matches":
            self.patterns.append(argument.text)
            self._spend(STEPS_OF_A_PATTERN)

    def _choice(self, node: Choice) -> Type:
        self._want(BOOL, node.condition, "what stands before ?")
        made = self.type(node.then)
        self._want(made, node.otherwise, "what stands after :")
        if made.name not in COMPARED:
            raise Unclear(f"{SPOKEN[made.name]} cannot be chosen by ?")
        return Type(made.name)

    def _each(self, node: Each) -> Type:
        over = self.type(node.of)
        if over.item is None:
            raise Unclear(f"{node.macro} goes through a list, not {SPOKEN[over.name]}")
        if self._bound:
            raise Unclear("going through a list for each item of another is not allowed")
        if node.variable in RESERVED | {*self._facts, STATED, OBSERVED_AT}:
            raise Unclear(f"{node.variable} is the name of a fact; call the item otherwise")
        self._bound, self._times = {node.variable: over.item}, over.most
        self._want(BOOL, node.body, f"what {node.macro} says of each item")
        self._bound, self._times = {}, 1
        if node.macro != "filter":
            return BOOL
        # The library copies what it kept so far whenever it keeps one more.
        self._spend(over.most**2 // 2 * _weight(over.item))
        return over

    def _operation(self, operator: str, operands: Sequence[Node]) -> Type:
        if operator in {"&&", "||", "!"}:
            for one in operands:
                self._want(BOOL, one, f"what stands beside {operator}")
            return BOOL
        types = [self.type(one) for one in operands]
        if operator == "-" and len(operands) == 1:
            return self._negative(types[0])
        left, right = types
        if operator == "in":
            return self._within(left, right, operands)
        if operator in {"==", "!=", "<", "<=", ">", ">="}:
            return self._compared(operator, left, right, operands)
        return self._sum(operator, left, right, operands[1])

    def _negative(self, of: Type) -> Type:
        if of.name not in NUMBERS:
            raise Unclear(f"there is no negative of {SPOKEN[of.name]}")
        return of

    def _within(self, left: Type, right: Type, operands: Sequence[Node]) -> Type:
        if right.item is None:
            raise Unclear(f"in looks into a list, not into {SPOKEN[right.name]}")
        self._compared("==", left, right.item, operands)
        self._spend(right.most // 10)
        for item in operands[1].items if isinstance(operands[1], Items) else ():
            possible(left, item)
        return BOOL

    def _compared(self, operator: str, left: Type, right: Type, operands: Sequence[Node]) -> Type:
        same = left.name == right.name or {left.name, right.name} <= NUMBERS
        equal = operator in {"==", "!="}
        if not same or left.name not in (COMPARED if equal else ORDERED):
            ordering = same and left.name == "string"
            why = ": texts have no order, version 10 would come before 9" if ordering else ""
            raise Unclear(
                f"{SPOKEN[left.name]} cannot be compared with {SPOKEN[right.name]} by {operator}{why}"
            )
        for one, other in ((left, operands[1]), (right, operands[0])):
            possible(one, other)
        return BOOL

    def _sum(self, operator: str, left: Type, right: Type, divisor: Node) -> Type:
        made = SUMS.get((operator, left.name, right.name))
        if made is None:
            mixed = "; write double(…) around the whole number, or 2.0 for 2"
            advice = mixed if {left.name, right.name} == NUMBERS else ""
            if operator == "/" and left.name == right.name == "int":
                advice = ": the rest would be lost; multiply the other side, or write double(…)"
            raise Unclear(
                f"{operator} does not go with {SPOKEN[left.name]} and {SPOKEN[right.name]}{advice}"
            )
        if operator in {"/", "%"} and not (isinstance(divisor, Literal) and divisor.value):
            raise Unclear("instead of dividing by what may be zero, multiply the other side by it")
        self._products += operator in {"*", "/"}
        if self._products > MOST_PRODUCTS:
            raise Unclear(f"more than {MOST_PRODUCTS} multiplications and divisions")
        return made


def _weight(item: Type | None) -> int:
    return STEPS_OF_PARTS if item is not None and item.parts else 1
