"""How one question is asked on a form: in rows of an XLSForm, as many as its answer takes."""

from collections.abc import Iterable, Iterator

from app.audits import nodes
from app.audits.nodes import NO, YES
from app.audits.questions import REMARKS, SEEN, Asked, Part, Question
from app.audits.shapes import LISTS, Column, Input, Shape
from app.audits.wording import escaped, spoken

Row = dict[str, str]

TYPES = {
    Input.INTEGER: "integer",
    Input.NUMBER: "decimal",
    Input.CODE: "text",
    Input.CODES: "text",
    Input.DATE: "date",
    Input.TIME: "dateTime",
    Input.POSITION: "geopoint",
}
CODE_PATTERN = r"[A-Za-z0-9][A-Za-z0-9._:/+-]{0,63}"
OURS = frozenset({*SEEN, *REMARKS, nodes.NONE, nodes.OTHER})
YES_NO = "yes_no"


class Choices:
    """The lists of choices of a form; questions add those they need."""

    def __init__(self) -> None:
        self.rows: list[Row] = []
        self._lists: dict[tuple[str, ...], str] = {}
        self.offer(YES_NO, [(YES, "Yes"), (NO, "No")])

    def offer(self, name: str, choices: Iterable[tuple[str, str]]) -> None:
        """Add a list: of each choice its name and what it reads."""
        self.rows += [
            {"list_name": name, "name": word, "label": escaped(label)} for word, label in choices
        ]

    def of(self, words: tuple[str, ...]) -> str:
        """Name the list of these choices; the same words share one."""
        if words not in self._lists:
            name = self._lists[words] = f"list_{len(self._lists) + 1}"
            self.offer(name, [(word, _label(word)) for word in words])
        return self._lists[words]


def ask(one: Asked, within: str, choices: Choices, *, relevant: str = "") -> Iterator[Row]:
    """Ask one question, in as many rows as its answer takes."""
    question, answer = one.question, one.question.answer
    row = {
        "name": question.name,
        "label": escaped(question.question),
        "hint": escaped(hint(one)),
        "relevant": relevant,
    }
    if answer.input is Input.RECORDS:
        yield from _records(question, row, within, choices)
    elif answer.input is Input.YES_NO:
        yield row | {"type": f"select_one {YES_NO}"}
    elif answer.choices:
        yield from _select(question, row, choices)
    else:
        yield row | _typed(answer)


def _select(question: Question, row: Row, choices: Choices) -> Iterator[Row]:
    """Let one choose; where the words are the license's own, another may be written."""
    name, answer = question.name, question.answer
    several = answer.input in LISTS
    opened = answer.input in {Input.CODE, Input.CODES}
    ends = (nodes.NONE,) if several else ()
    words = (*answer.choices, *ends, *((nodes.OTHER,) if opened else ()))
    row = row | {"type": f"{'select_multiple' if several else 'select_one'} {choices.of(words)}"}
    if several:
        row |= {
            "constraint": f"not(selected(., '{nodes.NONE}')) or count-selected(.) = 1",
            "constraint_message": "None, or some, but not both.",
        }
    yield row
    if opened:
        yield {
            "name": f"{name}{nodes.OTHER_SUFFIX}",
            "label": "Which other? (code words, with spaces between several)"
            if several
            else "Which other? (a code word)",
            "relevant": f"selected(../{name}, '{nodes.OTHER}')",
            **_typed(answer),
        }


def _records(question: Question, row: Row, within: str, choices: Choices) -> Iterator[Row]:
    """Ask whether there are any, then for each."""
    name = question.name
    yield row | {"type": f"select_one {YES_NO}", "name": f"{name}{nodes.ANY_SUFFIX}"}
    opening = begin("repeat", nodes.records(within, name), question.unit.capitalize())
    yield opening | {"relevant": f"../{name}{nodes.ANY_SUFFIX} = '{YES}'"}
    for column in question.answer.columns:
        yield _column(column, choices)
    yield end("repeat")


def _column(column: Column, choices: Choices) -> Row:
    row = {"name": column.name, "label": column.question}
    if column.answer.choices:
        return row | {"type": f"select_one {choices.of(column.answer.choices)}"}
    return row | _typed(column.answer)


def _label(word: str) -> str:
    """Say words of ours as people do; those of licenses and of the vocabulary stand as they are."""
    return spoken(word) if word in OURS else word


def _typed(answer: Shape) -> Row:
    """Give type and limits of an answer that is typed."""
    row = {"type": TYPES[answer.input]}
    limits = [
        f". {sign} {bound:.15g}"
        for sign, bound in ((">=", answer.minimum), ("<=", answer.maximum))
        if bound is not None
    ]
    if answer.input is Input.CODE:
        pattern = answer.pattern or f"^{CODE_PATTERN}$"
        row |= _matching(pattern, answer.longest, "That is no such code.")
    elif answer.input is Input.CODES:
        word = (answer.pattern or f"^{CODE_PATTERN}$").removeprefix("^").removesuffix("$")
        listed = f"^({nodes.NONE_WRITTEN}|{word}( {word})*)$"
        row |= _matching(
            listed, None, "Code words with spaces between them, or none if there are none."
        )
    elif limits:
        row |= {"constraint": " and ".join(limits), "constraint_message": "Out of range."}
    return row


def _matching(pattern: str, longest: int | None, message: str) -> Row:
    limit = f" and string-length(.) <= {longest}" if longest else ""
    return {"constraint": f"regex(., '{pattern}'){limit}", "constraint_message": message}


def hint(one: Asked) -> str:
    """Say the unit, how to check and what you should see, for each condition that asks."""
    answer = one.question.answer
    how = " Write none if there are none." if answer.input is Input.CODES else ""
    told = [f"({one.question.unit}){how}"]
    told += [f"{part.title}: {guidance(part)}" for part in one.parts]
    return " ".join(told)


def guidance(part: Part) -> str:
    """Say how a condition is checked and what there should be to see."""
    return f"{part.how_to_check} You should see: {part.what_to_see}"


def begin(what: str, name: str, label: str) -> Row:
    """Open a group or a repeat."""
    return {"type": f"begin {what}", "name": name, "label": escaped(label)}


def end(what: str) -> Row:
    """Close a group or a repeat."""
    return {"type": f"end {what}"}
