"""The checklist as an XLSForm, for ODK Collect and everything that reads its forms (xlsform.org).

One form a license: a group for each site, a repeat for units, a group for the license. Every
question is hinted at with how to check and what you should see. What the license already says is
there to choose; nobody types it.
"""

from collections.abc import Iterator, Sequence
from io import BytesIO
from typing import Any

from openpyxl import Workbook

from app.audits import asking, nodes
from app.audits.asking import YES_NO, Choices, Row, ask, begin, end, guidance, hint
from app.audits.nodes import YES
from app.audits.questions import Asked, Checklist, SiteToVisit, asked
from app.audits.shapes import Input
from app.audits.wording import escaped, spoken

Sheets = dict[str, list[Row]]

MEDIA_TYPE = "application/vnd.openxmlformats-officedocument.spreadsheetml.sheet"
HEADS = {
    "survey": (
        "type",
        "name",
        "label",
        "hint",
        "required",
        "relevant",
        "constraint",
        "constraint_message",
        "calculation",
        "appearance",
        "parameters",
    ),
    "choices": ("list_name", "name", "label", "line"),
    "settings": ("form_title", "form_id", "version", "allow_choice_duplicates"),
}
SERIALS, SITES, MODES, COUNTED = "serials", "sites", "modes", "counted"
ROOT = "root"
"""The element in which pyxform puts the items of a list of choices."""

LOOKED_FOR = (
    (nodes.ALL, "All of them: this is an inventory"),
    (nodes.SOME, "Some of them: a sample"),
    (nodes.NOT_ONE, "None of them"),
)


def workbook(checklist: Checklist) -> bytes:
    """Write the form as an XLSX workbook."""
    book = Workbook(write_only=True)
    for name, rows in sheets(checklist).items():
        sheet, heads = book.create_sheet(name), HEADS[name]
        sheet.append(heads)
        for row in rows:
            sheet.append([row.get(head) for head in heads])
    file = BytesIO()
    book.save(file)
    return file.getvalue()


def sheets(checklist: Checklist) -> Sheets:
    """Give the form as the rows of its three sheets."""
    form = _Form(checklist)
    survey = list(form.survey())
    return {
        "survey": survey,
        "choices": form.choices.rows,
        "settings": [
            {
                "form_title": f"Endwatch: check of {checklist.license}",
                "form_id": checklist.form_id,
                "version": checklist.version,
            }
        ],
    }


class _Form:
    """A form in the making: its rows, and the lists of choices they need."""

    def __init__(self, checklist: Checklist) -> None:
        self.checklist = checklist
        self.choices = Choices()
        self.choices.offer(MODES, [(mode, spoken(mode)) for mode in nodes.MODES])
        if checklist.sites and checklist.units:
            self.choices.offer(COUNTED, LOOKED_FOR)

    def survey(self) -> Iterator[Row]:
        """Give the rows of the survey."""
        yield from ({"type": kind, "name": kind} for kind in ("start", "end", "deviceid"))
        yield from self._visit()
        if self.checklist.parts:
            yield from self._conditions()
        for number, site in enumerate(self.checklist.sites, 1):
            yield from self._site(number, site)
        yield from self._units()
        questions = asked(self.checklist, "license")
        if questions:
            label = f"The license {self.checklist.license}"
            yield from self._group(nodes.LICENSE, label, questions)
        yield from _evidence()

    def _visit(self) -> Iterator[Row]:
        yield begin("group", nodes.VISIT, f"Check of license {self.checklist.license}")
        yield {
            "type": f"select_one {MODES}",
            "name": nodes.MODE,
            "label": "How do you look?",
            "hint": "Physical: you stand there. Remote video: you are shown. Documentary: you read.",
            "required": "yes",
        }
        yield end("group")

    def _group(self, name: str, label: str, questions: Sequence[Asked]) -> Iterator[Row]:
        yield begin("group", name, label)
        for one in questions:
            yield from ask(one, name, self.choices)
        yield end("group")

    def _conditions(self) -> Iterator[Row]:
        """Show every condition word for word, once, on one page."""
        yield begin("group", nodes.CONDITIONS, "The conditions") | {"appearance": "field-list"}
        for number, part in enumerate(self.checklist.parts, 1):
            yield {
                "type": "note",
                "name": f"condition_{number}",
                "label": escaped(f"{number}. {part.title}: {part.text}"),
                "hint": escaped(guidance(part)),
            }
        yield end("group")

    def _site(self, number: int, site: SiteToVisit) -> Iterator[Row]:
        name, questions = f"{nodes.SITE}{number}", asked(self.checklist, "site")
        counted = [one for one in questions if one.question.answer.input is Input.SERIALS]
        if not questions and not self.checklist.units:
            return
        yield begin("group", name, f"Site {site.reference}: {site.name}")
        yield {
            "type": "calculate",
            "name": nodes.REFERENCE,
            "calculation": f"'{site.reference}'",
        }
        for one in questions:
            if one not in counted:
                yield from ask(one, name, self.choices)
        if self.checklist.units:
            yield _counted(site, counted)
        yield end("group")

    def _units(self) -> Iterator[Row]:
        checklist, questions = self.checklist, asked(self.checklist, "unit")
        if not checklist.units and not questions:
            return
        yield begin("repeat", nodes.UNIT, "Units")
        yield from self._serial()
        yield {
            "type": f"select_one {YES_NO}",
            "name": nodes.SIGHTED,
            "label": "Did you see the unit and read its serial number off it?",
        }
        if checklist.sites:
            yield self._where([one for one in questions if one.question.name == nodes.WHERE])
        for one in questions:
            if one.question.name != nodes.WHERE or not checklist.sites:
                yield from ask(one, nodes.UNIT, self.choices, relevant=_of_lines(one.lines))
        yield end("repeat")

    def _serial(self) -> Iterator[Row]:
        """Ask for the serial number: scan it, or choose it."""
        scanned, chosen = f"../{nodes.SCANNED}", f"../{nodes.CHOSEN}"
        units = self.checklist.units
        yield {
            "type": "barcode",
            "name": nodes.SCANNED,
            "label": "Scan the serial number",
            "hint": "Of a unit that is not on the list too. Swipe on to choose it from the list.",
            "constraint": f"regex(., '^{asking.CODE_PATTERN}$')",
            "constraint_message": "That is no serial number.",
        }
        if units:
            self.choices.rows += [
                {
                    "list_name": SERIALS,
                    "name": unit.serial,
                    "label": unit.serial,
                    "line": str(unit.line),
                }
                for unit in units
            ]
            yield {
                "type": f"select_one {SERIALS}",
                "name": nodes.CHOSEN,
                "label": "Or choose the serial number",
                "appearance": "minimal autocomplete",
                "relevant": f"{scanned} = ''",
            }
        both = f"if({scanned} != '', {scanned}, {chosen})" if units else scanned
        yield {"type": "calculate", "name": nodes.SERIAL, "calculation": both}
        if units:
            serial = f"current()/../{nodes.SERIAL}"
            yield {
                "type": "calculate",
                "name": nodes.LINE,
                "calculation": f"instance('{SERIALS}')/{ROOT}/item[name={serial}]/line",
            }

    def _where(self, wanted: Sequence[Asked]) -> Row:
        """Ask where a unit was seen; it stands for the fact `site`, for whoever reads that."""
        known = [(one.reference, f"{one.reference}: {one.name}") for one in self.checklist.sites]
        self.choices.offer(SITES, [*known, (nodes.ELSEWHERE, "At none of these")])
        return {
            "type": f"select_one {SITES}",
            "name": nodes.WHERE,
            "label": "At which site did you see it?",
            "hint": escaped(" ".join(map(hint, wanted))),
            "relevant": f"../{nodes.SIGHTED} = '{YES}'",
        }


def _counted(site: SiteToVisit, wanted: Sequence[Asked]) -> Row:
    """Ask whether the units entered for a site are all that are there."""
    how = (
        "The serial numbers you saw there, you enter below under Units. Say *all* only if you "
        "looked for every one: then those you do not enter count as missing."
    )
    return {
        "type": f"select_one {COUNTED}",
        "name": nodes.COUNTED,
        "label": escaped(
            f"How many of the units that should be at {site.reference} did you look for?"
        ),
        "hint": escaped(" ".join([how, *map(hint, wanted)])),
        "required": "yes",
    }


def _of_lines(lines: tuple[int, ...]) -> str:
    """Ask about units of these lines, and about one that no list knows."""
    if not lines:
        return ""
    line = f"../{nodes.LINE}"
    return " or ".join([f"{line} = ''", *(f"{line} = '{number}'" for number in lines)])


def _evidence() -> Iterator[Row]:
    yield begin("repeat", nodes.EVIDENCE, "Evidence")
    yield {
        "type": "image",
        "name": nodes.PICTURE,
        "label": "Take a picture of a nameplate, a setting or a document",
        "hint": "Never of a person, a face, a fingerprint or an enrolled record.",
        "parameters": "max-pixels=2048",
    }
    yield end("repeat")


def plain(checklist: Checklist) -> dict[str, list[dict[str, Any]]]:
    """Give the sheets without empty cells and with their heads, as pyxform takes them."""
    rows: dict[str, list[dict[str, Any]]] = {
        name: [{head: cell for head, cell in row.items() if cell} for row in rows]
        for name, rows in sheets(checklist).items()
    }
    return rows | {f"{name}_header": [dict.fromkeys(heads)] for name, heads in HEADS.items()}
