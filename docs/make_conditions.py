"""Writes docs/conditions.md from the files in `monitors/`.

Run it in the root of the repository: `.venv/bin/python -m docs.make_conditions`. A test fails while
the page is not what this would write.
"""

import json
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path
from typing import Any

from monitors import Fact, Monitor, Need, catalogue

PAGE = Path(__file__).with_name("conditions.md")

PREFACE = """\
# Condition types

This page is made from the files in `monitors/` by `python -m docs.make_conditions`; do not edit it.
A running service tells the same at `GET /v1/condition-types` and `GET /v1/facts`.

A monitor answers in one of three ways. **Kept**: the subject was heard, and nothing was found.
**Broken**: something was found; it becomes a deviation, suspected until a person decides. **Not
assessable**: what was said is not enough to judge by; it is shown, and never counts as kept."""

NEEDS: Mapping[Need, str] = {
    Need.LEDGER: "the drawdown ledger of the license",
    Need.UNITS: "the units of the license",
    Need.PARTIES: "the parties on the license",
    Need.OBLIGATIONS: "what is owed under the condition, and when it came",
    Need.FILINGS: "reports as a whole",
    Need.DOCUMENTS: "documents on file",
    Need.SCREENING: "screening hits",
    Need.CUSTODY: "custody events",
    Need.SHIPMENTS: "shipments, and what was told of their arrival",
    Need.TRANSFERS: "transfers that the authority authorized",
    Need.STATES: "the states the license went through",
}


def render() -> str:
    """Write the whole page."""
    words = catalogue()
    kinds = [f"- [`{one.kind}`](#{one.kind}): {one.title}" for one in words.monitors.values()]
    parts = [PREFACE, "\n".join(kinds)]
    for monitor in words.monitors.values():
        facts = [words.facts[name] for name in sorted(monitor.fact_names)]
        parts += _section(monitor, facts)
    parts += ["## The fact vocabulary", VOCABULARY, _vocabulary(words.facts.values())]
    return "\n\n".join(parts) + "\n"


VOCABULARY = """\
Every fact a report or a reading may state. A name means one thing and has one type everywhere; all
are optional; what is not here is refused at the door, naming the field. A *code* is up to 64
letters, digits and `. _ : / + -`; a *country code* is two capital letters of ISO 3166-1."""

NAMES = {"string": "text", "integer": "whole number", "boolean": "true or false"}
TIMES = {"date": "date", "date-time": "time with its zone"}
PATTERNS = {r"^[A-Za-z0-9][A-Za-z0-9._:/+-]*$": "code", r"^[A-Z]{2}$": "country code"}


def _section(monitor: Monitor, facts: list[Fact]) -> Iterator[str]:
    """Write what one kind means, what it demands, what it reads and how it is checked."""
    yield f"## {monitor.kind}"
    yield monitor.documentation
    yield _line_of(monitor)
    where = "the policy has them" if monitor.standing else "they are written on a license"
    yield f"**Terms, as {where}**"
    yield _terms(monitor.terms.model_json_schema())
    yield "**Facts it reads**"
    yield _questions(monitor, facts)
    yield f"**How to check on site.** {monitor.how_to_check}"
    yield f"**What you should see.** {monitor.what_to_see}"


def _line_of(monitor: Monitor) -> str:
    """Say how grave it is, which version of the rule this is, and what it looks at beside facts."""
    needs = "; ".join(NEEDS[need] for need in sorted(monitor.needs))
    otherwise = "" if monitor.standing else " unless the license says otherwise"
    parts = [
        f"**Severity** {monitor.severity}{otherwise}.",
        f"**Rule version** {monitor.version}.",
        "Applies to every license, and is never written on one." if monitor.standing else "",
        "Blocks the release of shipments until it is kept." if monitor.blocks_release else "",
        f"Looks, beside facts, at {needs}." if needs else "",
    ]
    return " ".join(part for part in parts if part)


def _terms(schema: Mapping[str, Any]) -> str:
    """List the terms with what is taken, and what counts when one is left out."""
    named = schema.get("$defs", {})
    rows = [
        _row(f"`{path}`", _type(term, named), _presence(term, required), term.get("description"))
        for path, term, required in _fields(schema, named)
    ]
    return _table("| term | type | if left out | meaning |", rows) if rows else "None."


def _questions(monitor: Monitor, facts: list[Fact]) -> str:
    """List what an inspector or exporter is asked."""
    if not facts:
        return "Any of the vocabulary." if monitor.any_fact else "None of its own."
    rows = [
        _row(f"`{fact.name}`", fact.unit, ", ".join(fact.scopes), fact.question) for fact in facts
    ]
    table = _table("| fact | unit | said of | question |", rows)
    return f"{table}\n\nIt hears statements of any other fact too." if monitor.any_fact else table


def _vocabulary(facts: Iterable[Fact]) -> str:
    rows = [
        _row(
            f"`{fact.name}`",
            _type(fact.json_schema, fact.json_schema.get("$defs", {})),
            fact.unit,
            ", ".join(fact.scopes),
            ", ".join(f"[`{kind}`](#{kind})" for kind in fact.read_by),
        )
        for fact in facts
    ]
    return _table("| fact | type | unit | said of | read by |", rows)


def _row(*cells: str | None) -> str:
    """Write a row; a bar within a cell would end it."""
    return " | ".join(["", *(_cell(cell or "") for cell in cells), ""]).strip()


def _table(head: str, rows: list[str]) -> str:
    ruler = "| --- " * (head.count("|") - 1) + "|"
    return "\n".join([head, ruler, *rows])


Field = tuple[str, Mapping[str, Any], bool]


def _fields(
    schema: Mapping[str, Any], named: Mapping[str, Any], prefix: str = ""
) -> Iterator[Field]:
    """List the fields of a JSON Schema by dotted path, nested ones after their parent."""
    for name, field in schema.get("properties", {}).items():
        path = f"{prefix}{name}"
        yield path, field, name in schema.get("required", ())
        inner, many = field, ""
        if field.get("type") == "array":
            inner, many = field["items"], "[]"
        if "$ref" in inner:
            below = named[inner["$ref"].rpartition("/")[2]]
            yield from _fields(below, named, f"{path}{many}.")


def _type(field: Mapping[str, Any], named: Mapping[str, Any]) -> str:
    """Say in words what a JSON Schema allows; `named` are the definitions it refers to."""
    choices = [one for one in field.get("anyOf", ()) if one.get("type") != "null"]
    if len(choices) == 1:
        return _type(choices[0], named)
    if choices:
        return "decimal, as text or number" + _range(choices[0])
    if field.get("type") == "array":
        return f"list of {_type(field['items'], named)}"
    if "$ref" in field:
        inner = named[field["$ref"].rpartition("/")[2]]["properties"]
        return "{" + ", ".join(f"`{name}`" for name in inner) + "}"
    return _plain_type(field)


def _plain_type(field: Mapping[str, Any]) -> str:
    """Say in words what a JSON Schema allows that has no schema within."""
    if "enum" in field:
        return " or ".join(f"`{value}`" for value in field["enum"])
    if field.get("format") in TIMES:
        return TIMES[field["format"]]
    if "pattern" in field:
        return PATTERNS.get(field["pattern"], f"text, `{field['pattern']}`")
    name = str(field["type"])
    return NAMES.get(name, name) + _range(field)


def _range(field: Mapping[str, Any]) -> str:
    """Say which numbers are taken."""
    least, above, most = (field.get(name) for name in ("minimum", "exclusiveMinimum", "maximum"))
    if most is None:
        return ""
    if above is not None:
        return f", above {above:,g} to {most:,g}"
    return f", {least or 0:,g} to {most:,.0f}"


def _presence(field: Mapping[str, Any], required: bool) -> str:  # noqa: FBT001 a row's column
    """Say what counts when a term is left out."""
    if required:
        return "required"
    default = field.get("default")
    if default in (None, []):
        return "none"
    return f"`{default if isinstance(default, str) else json.dumps(default)}`"


def _cell(text: str) -> str:
    """Keep a text from ending its table cell."""
    return " ".join(text.split()).replace("|", "\\|")


if __name__ == "__main__":
    PAGE.write_text(render(), encoding="utf-8")
    print(f"wrote {PAGE.name}")
