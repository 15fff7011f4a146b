"""What the tests of the monitors share: something said, the case it is heard in, and the judging."""

from datetime import UTC, date, datetime
from itertools import count
from types import ModuleType
from typing import Any

from monitors import Case, Finding, Grade, Monitor, Source, Statement, Subject, catalogue

NOON = datetime(2026, 7, 1, 12, tzinfo=UTC)
SERIAL = "FR-000123"

_numbers = count(1)


class Stated:
    """Facts that answer None to what was not stated, like those the catalogue dresses."""

    def __init__(self, facts: dict[str, Any]) -> None:
        self.__dict__ = facts

    def __getattr__(self, name: str) -> None:
        if name.startswith("__"):
            raise AttributeError(name)


def say(
    subject: Subject | str = SERIAL,
    *,
    at: datetime = NOON,
    grade: Grade = Grade.D,
    kind: str = "reading",
    by: str = "NORDLICHT",
    mode: str | None = None,
    id: str | None = None,
    **facts: Any,
) -> Statement[Any]:
    """State facts about a subject; a text is the serial of a unit. Ids count up unless given.

    The facts are as given: `judge` checks them against the types the monitor declares. A fact that
    is None is not stated.
    """
    about = Subject("unit", subject) if isinstance(subject, str) else subject
    source = Source(kind, grade, by, mode)
    stated = Stated({name: value for name, value in facts.items() if value is not None})
    return Statement(id or f"s{next(_numbers)}", about, stated, at, at, at, source)


def case(**overrides: Any) -> Case:
    """Make a case with nothing in it but a license in force; name the parts that matter."""
    plain = {
        "license": "BX-2026-00017",
        "state": "issued",
        "granted_on": date(2026, 1, 15),
        "expires_on": date(2030, 1, 15),
        "end_use": "border_control",
        "destination_countries": frozenset({"KE"}),
        "exporter": "NORDLICHT",
    }
    return Case(**{**plain, **overrides})


def judge(
    monitor_module: ModuleType,
    terms: Any,
    *statements: Statement[Any],
    case: Case | None = None,
    moment: datetime | None = None,
) -> list[Finding]:
    """Let a monitor judge statements under terms (a dict, or its Terms).

    The moment is that of the last statement unless given. A fact of the wrong type, or one that is
    no word of the vocabulary at all, is refused: so a slip of the pen cannot make a test pass.
    """
    monitor: Monitor = monitor_module.MONITOR
    heard = [_checked(monitor, statement) for statement in statements]
    moment = moment or max((statement.observed_at for statement in heard), default=NOON)
    read = monitor.terms.model_validate(terms)
    return list(monitor.evaluate(read, heard, case or _case(), moment))


_case = case


def _checked(monitor: Monitor, statement: Statement[Any]) -> Statement[Any]:
    """Give the facts the types the monitor declares; others need only be known to somebody."""
    stated = vars(statement.facts)
    known = {name: value for name, value in stated.items() if name in monitor.fact_names}
    foreign = stated.keys() - known.keys()
    if foreign:
        catalogue().validate_facts({name: stated[name] for name in foreign})
    checked = monitor.facts.model_validate(known)
    typed = {name: getattr(checked, name) for name in known}
    return statement._replace(facts=Stated({**stated, **typed}))
