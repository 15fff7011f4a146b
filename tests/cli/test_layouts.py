from datetime import date, datetime

import pytest
from pydantic import BaseModel

from app.cli.layouts import Column, Layout, converter, layout_from_model
from tests.cli.readings import LAYOUT, Position, Session


def test_the_layout_follows_the_model() -> None:
    kinds = {path: column.kind for path, column in LAYOUT.columns.items()}
    assert kinds == {
        "license": "str",
        "serial": "str",
        "observed_at": "datetime",
        "facts.gallery_size": "int",
        "facts.false_match_rate": "number",
        "facts.seal_intact": "bool",
        "facts.match_modes": "list",
        "facts.oldest_days": "list",
        "facts.certified_on": "date",
        "facts.position.lat": "number",
        "facts.position.lon": "number",
        "facts.remote_sessions": "json",
        "facts.software_version": "str",
        "amount": "decimal",
        "period.from": "date",
        "terms": "json",
        "unit": "str",
        "followed_by": "json",
    }
    assert LAYOUT.columns["facts.oldest_days"].element == "int"
    required = {path for path, column in LAYOUT.columns.items() if column.required}
    assert required == {"license", "serial", "observed_at"}


class Unions(BaseModel):
    rate: int | float
    size: int | str
    day: date | datetime
    places: Position | list[int]
    grid: list[list[int]]
    loose: list  # type: ignore[type-arg]
    either: Position | Session
    itself: "list[Unions]"


def test_unions_and_nested_lists_have_a_kind() -> None:
    columns = layout_from_model(Unions).columns
    assert [column.kind for column in columns.values()] == [
        "number",
        "str",
        "str",
        "json",
        "json",
        "json",
        "json",
        "json",
    ]


@pytest.mark.parametrize(
    ("column", "cell", "value"),
    [
        ("facts.match_modes", "verify_1_1; identify_1_n;", ["verify_1_1", "identify_1_n"]),
        ("facts.oldest_days", "3;4", [3, 4]),
        ("facts.gallery_size", "40.0", 40),
        ("facts.false_match_rate", "1e-4", 0.0001),
        ("facts.seal_intact", "Yes", True),
        ("facts.seal_intact", "0", False),
        ("facts.certified_on", "2026-03-02", "2026-03-02"),
        ("facts.remote_sessions", '[{"country": "KE"}]', [{"country": "KE"}]),
        ("amount", "480000.00", "480000.00"),
        ("observed_at", "2026-03-02 13:00+03:00", "2026-03-02T13:00:00+03:00"),
        ("serial", "=1+1", "=1+1"),
        ("facts.certified_on", date(2026, 3, 2), "2026-03-02"),
        ("amount", 480000.5, "480000.5"),
        ("amount", 480000, "480000"),
        ("terms", 5, 5),
    ],
)
def test_text_becomes_the_value_its_column_takes(column: str, cell: object, value: object) -> None:
    assert converter(LAYOUT.columns[column])(cell) == value


def test_a_bare_name_never_hides_another_column() -> None:
    columns = {"a.size": Column(), "b.size": Column(), "unit": Column(), "a.unit": Column()}
    names = Layout(columns, bare=("a", "b")).names()
    assert "size" not in names
    assert names["unit"] == "unit"
