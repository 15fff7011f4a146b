"""How obligations are shown: by whom they are owed, under what title, on which rung."""

from collections.abc import Sequence
from typing import NamedTuple

from app.obligations.models import Obligation
from app.obligations.schemas import ObligationOut
from monitors import catalogue

MADE = frozenset({"license", "condition", "title", "by"})


class Listed(NamedTuple):
    """An obligation with its license's number and the roles its condition binds."""

    row: Obligation
    license: str
    binds: Sequence[str]


def show(listed: Listed) -> ObligationOut:
    """Show an obligation."""
    row, number, binds = listed
    columns = {name: getattr(row, name) for name in ObligationOut.model_fields if name not in MADE}
    return ObligationOut(
        **columns, license=number, condition=row.key, title=title(row), by=owed_by(row, binds)
    )


def title(row: Obligation) -> str:
    """Name what is owed as its kind is called; one no longer in the catalogue goes by its key."""
    kind = row.key.partition(":")[0]
    return catalogue()[kind].title if kind in catalogue() else row.key


def owed_by(row: Obligation, binds: Sequence[str]) -> list[str]:
    """Name who owes it: the role the terms name, else whom the condition binds, else by kind."""
    if row.by is not None:
        return [row.by]
    kind = row.key.partition(":")[0]
    default = catalogue()[kind].owed_by if kind in catalogue() else ()
    return list(binds) or list(default)
