"""What a command says when it cannot do its work: one line, and no trace of the program."""

import traceback

import psycopg
from pydantic import ValidationError
from sqlalchemy.exc import ArgumentError, DBAPIError, NoSuchModuleError

from app.cli.postgres import PostgresTrouble
from app.cli.tables import FileTrouble
from app.database import trouble_of
from app.errors import Invalid, Trouble
from app.evidence.seals import RootsUnreadable

FAILED = 1
USAGE = 2


class CannotListen(Exception):
    """The address and port cannot be used; the message says why."""


class WrongUse(Exception):
    """A command was called, or set up, in a way that cannot work."""


class BackupTrouble(Exception):
    """A backup is not what it says, or did not come back as it was; the message says what to do."""


class NoDatabase(WrongUse):
    """This command works on a database that is given to it."""


class TooManyConnections(WrongUse):
    """The processes asked for want more connections than the database has."""


def told(error: Exception) -> str:
    """Put an error into one line, with what to do where that is known."""
    return " ".join(_told(error).split())


def _told(error: Exception) -> str:  # noqa: PLR0911 a table of meanings
    match error:
        case (
            PostgresTrouble()
            | FileTrouble()
            | CannotListen()
            | WrongUse()
            | RootsUnreadable()
            | BackupTrouble()
        ):
            return str(error)
        case Trouble():
            return error.detail or error.title()
        case ValidationError():
            return "; ".join(_setting(one) for one in error.errors(include_input=False))
        case ArgumentError() | NoSuchModuleError():
            return f"ENDWATCH_DATABASE_URL is not the address of a PostgreSQL ({error})"
        case DBAPIError():
            return _of_database(error)
        case psycopg.Error():
            return f"the database refused: {error}"
        case OSError():
            where = f": {error.filename}" if error.filename else ""
            return f"{error.strerror or error}{where}"
        case _:
            *_, last = traceback.extract_tb(error.__traceback__)
            place = f"{last.filename.rpartition('/')[2]}, line {last.lineno}"
            return f"a fault of ours, please report it: {type(error).__name__}: {error} ({place})"


def _setting(error: object) -> str:
    """Name the environment variable that a setting came from."""
    assert isinstance(error, dict)
    name = "_".join(str(part) for part in error["loc"]).upper()
    return f"ENDWATCH_{name.removeprefix('ENDWATCH_')}: {error['msg']}"


def _of_database(error: DBAPIError) -> str:
    first = str(error.orig).splitlines()[0] if error.orig else str(error)
    if isinstance(error.orig, psycopg.errors.UndefinedTable | psycopg.errors.UndefinedColumn):
        return f"the database has not the form of this release; run `migrate` first ({first})"
    trouble = trouble_of(error)
    return f"{trouble.detail} ({first})" if trouble else f"the database refused: {first}"


def code_of(error: Exception) -> int:
    """Give the exit code: 2 where the command or its settings were wrong, else 1."""
    wrong = isinstance(
        error,
        ValidationError | WrongUse | ArgumentError | Invalid | FileTrouble | RootsUnreadable,
    )
    return USAGE if wrong else FAILED
