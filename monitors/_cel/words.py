"""Says in plain words what an expression checks, with brackets wherever they could be misheard."""

from monitors._cel.reading import OBSERVED_AT, STATED
from monitors._cel.tree import Call, Choice, Each, Items, Literal, Name, Node, Operation, Part

CHOOSING, JOINING, SAYING, COUNTING, NAMING = range(5)
"""How loosely words hang together, loosest first."""
COMPARED = {
    "==": "is",
    "!=": "is not",
    ">": "is above",
    ">=": "is at least",
    "<": "is below",
    "<=": "is at most",
}
IN_TIME = {">": "is after", ">=": "is not before", "<": "is before", "<=": "is not after"}
COUNTED = {
    "+": "{} plus {}",
    "-": "{} minus {}",
    "*": "{} times {}",
    "/": "{} divided by {}",
    "%": "the rest of {} divided by {}",
}
JOINED = {"&&": " and ", "||": " or "}
SAID = {
    "contains": "contains",
    "startsWith": "begins with",
    "endsWith": "ends with",
    "matches": "fits the pattern",
}
OF_IT = {
    "size": "the length of {}",
    "int": "{} without its decimals",
    "double": "{}",
    "string": "{}",
    "timestamp": "{}",
    "duration": "{}",
    "getFullYear": "the year of {}",
    "getMonth": "the month of {} (January is 0)",
    "getDate": "the day of the month of {}",
    "getDayOfWeek": "the weekday of {} (Sunday is 0)",
    "getHours": "the hour of {} (UTC)",
}
EACH = {
    "all": "every {} of {} is such that {}",
    "exists": "some {} of {} is such that {}",
    "exists_one": "exactly one {} of {} is such that {}",
    "filter": "those {} of {} such that {}",
}


def plainly(node: Node) -> str:
    """Say what a condition checks."""
    return f"{_value(node)} is true" if isinstance(node, Name | Part) else _value(node)


def _value(node: Node) -> str:
    match node:
        case Literal():
            said = _literal(node)
        case Name(name):
            said = "the time of observation" if name == OBSERVED_AT else name.replace("_", " ")
        case Items(items):
            said = ", ".join(map(_value, items))
        case Part(of, name):
            said = f"{name.replace('_', ' ')} of {_held(of, NAMING)}"
        case Call():
            said = _call(node)
        case Each(macro, of, variable, body):
            said = EACH[macro].format(variable, _held(of, NAMING), _joined(body))
        case Operation(operator, operands):
            said = _operation(operator, operands)
        case _:
            then, otherwise = _held(node.then, JOINING), _held(node.otherwise, JOINING)
            said = f"if {_joined(node.condition)} then {then}, otherwise {otherwise}"
    return said


def _literal(node: Literal) -> str:
    if isinstance(node.value, str):
        return f'"{node.value}"'
    return node.text if isinstance(node.value, bool) else f"{node.value:,}"


def _joined(node: Node) -> str:
    """Say a condition among others; what is joined itself stands in brackets."""
    return plainly(node) if _looseness(node) >= SAYING else f"({plainly(node)})"


def _held(node: Node, at_least: int) -> str:
    """Say a value, in brackets if it hangs together more loosely than what is around it."""
    return _value(node) if _looseness(node) >= at_least else f"({plainly(node)})"


def _looseness(node: Node) -> int:
    match node:
        case Choice():
            return CHOOSING
        case Each(macro):
            return COUNTING if macro == "filter" else CHOOSING
        case Operation(operator, (_,)):
            return SAYING if operator == "!" else COUNTING
        case Operation(operator):
            return JOINING if operator in JOINED else COUNTING if operator in COUNTED else SAYING
        case Call(function):
            return SAYING if function in SAID or function == "has" else NAMING
        case _:
            return NAMING


def _call(node: Call) -> str:
    match node.arguments:
        case (Part(Name(whole), name),) if node.function == "has" and whole == STATED:
            return f"{name.replace('_', ' ')} is stated"
        case (first, second):
            return f"{_held(first, COUNTING)} {SAID[node.function]} {_held(second, COUNTING)}"
        case (Literal(value),):
            return OF_IT[node.function].format(value)
        case (Each() as those,) if node.function == "size":
            return f"the number of {_value(those)}"
    (only,) = node.arguments
    if node.function == "has":
        return f"{_value(only)} is stated"
    return OF_IT[node.function].format(_held(only, NAMING))


def _operation(operator: str, operands: tuple[Node, ...]) -> str:
    if operator in JOINED:
        return JOINED[operator].join(map(_joined, operands))
    if len(operands) == 1:
        return _denied(operands[0]) if operator == "!" else f"minus {_held(operands[0], NAMING)}"
    return _related(operator, *operands)


def _related(operator: str, left: Node, right: Node) -> str:
    if operator in COUNTED:
        return COUNTED[operator].format(_held(left, NAMING), _held(right, NAMING))
    one, other = _held(left, COUNTING), _held(right, COUNTING)
    if operator == "in":
        several = isinstance(right, Items)
        return f"{one} is one of {other}" if several else f"{other} includes {one}"
    words = COMPARED | IN_TIME if _in_time(left) or _in_time(right) else COMPARED
    return f"{one} {words[operator]} {other}"


def _denied(of: Node) -> str:
    """Deny a fact, that it was stated, or that it is in a list; anything else as a whole."""
    match of:
        case Name() | Part():
            return f"{_value(of)} is false"
        case Call("has"):
            return _value(of).removesuffix("is stated") + "is not stated"
        case Operation("in", (one, Items() as several)):
            return f"{_held(one, COUNTING)} is none of {_value(several)}"
        case _:
            return f"not ({plainly(of)})"


def _in_time(node: Node) -> bool:
    match node:
        case Call(function):
            return function == "timestamp"
        case Name(name):
            return name == OBSERVED_AT
        case _:
            return False
