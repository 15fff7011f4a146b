"""`endwatch import`: files of licenses, shipments and readings, all or nothing.

The file is read twice. The first time everything is checked, so that a fault in the last row costs
no more than a look; the second time it is stored, in one transaction. Neither holds more than a
portion of the file in memory. With `--partial` it is read once, and each portion is committed.
"""

import hashlib
import sys
from collections.abc import Iterable, Iterator, Sized
from contextlib import contextmanager
from datetime import datetime
from itertools import islice
from pathlib import Path

from app.cli import databases, tables
from app.cli.intakes import Intake, Tally, intake_of
from app.cli.kinds import Kind
from app.cli.progress import Bar, progress
from app.cli.tables import BadRow, FileTrouble, Row
from app.database import Sessions
from app.settings import Settings

Record = Row | BadRow


def run(
    settings: Settings,
    kind: Kind,
    file: Path,
    *,
    partial: bool,
    party: str | None,
    now: datetime,
) -> int:
    """Import a file; 1 when a row was refused."""
    intake = intake_of(kind, party=party, digest=_digest(file), now=now)
    if not partial:
        faults = _check(intake, file)
        if faults:
            return _refuse(file, faults)
    with databases.sessions(settings) as sessions:
        tally = (_store_good if partial else _store_all)(sessions, intake, file)
    if tally.faults and not partial:
        return _refuse(file, tally.faults)
    _tell(file, tally.faults)
    print(_summary(file, tally))
    return 1 if tally.faults else 0


def _check(intake: Intake, file: Path) -> list[str]:
    """Read the whole file and collect what is wrong with it."""
    faults: list[str] = []
    with _portions(intake, file, "checking") as portions:
        for portion in portions:
            faults += _faults(intake, portion)
    return faults


def _store_all(sessions: Sessions, intake: Intake, file: Path) -> Tally:
    """Store everything in one transaction, which ends in nothing when a row is refused."""
    tally = Tally()
    with sessions() as session:
        with _portions(intake, file, "storing") as portions:
            for portion in portions:
                tally.add(intake.store(session, _rows(portion)))
        if tally.faults:
            session.rollback()
        else:
            session.commit()
    return tally


def _store_good(sessions: Sessions, intake: Intake, file: Path) -> Tally:
    """Store the good rows of each portion, and keep what is wrong with the others."""
    tally = Tally()
    with _portions(intake, file, "storing") as portions:
        for portion in portions:
            tally.faults += [str(row) for row in portion if isinstance(row, BadRow)]
            good: list[Row] = []
            for row in _rows(portion):
                faults = intake.check([row])
                tally.faults += faults
                if not faults:
                    good.append(row)
            with sessions() as session:
                tally.add(intake.store(session, good))
                session.commit()
    return tally


@contextmanager
def _portions(intake: Intake, file: Path, doing: str) -> Iterator[Iterable[list[Record]]]:
    """Read a file in portions, with a progress bar."""
    with progress(f"{doing} {file.name}", tables.count_hint(file)) as bar:
        yield _divided(tables.read(file, intake.layout), intake.at_once, bar)


def _divided(records: Iterator[Record], size: int, bar: Bar) -> Iterator[list[Record]]:
    while portion := list(islice(records, size)):
        yield portion
        bar(portion[-1].offset)


def _faults(intake: Intake, portion: list[Record]) -> list[str]:
    """Tell what is wrong in a portion, in no order but that of the file for each sort."""
    unreadable = [str(row) for row in portion if isinstance(row, BadRow)]
    return unreadable + intake.check(_rows(portion))


def _rows(portion: list[Record]) -> list[Row]:
    return [row for row in portion if isinstance(row, Row)]


def _refuse(file: Path, faults: list[str]) -> int:
    _tell(file, faults)
    print(
        f"endwatch: {file.name}: {_count(faults, 'fault')}, nothing was stored; mend them, or store the good rows "
        "with --partial",
        file=sys.stderr,
    )
    return 1


def _tell(file: Path, faults: list[str]) -> None:
    for fault in faults:
        print(f"{file.name}: {' '.join(fault.split())}", file=sys.stderr)


def _summary(file: Path, tally: Tally) -> str:
    parts = [f"{tally.stored:,} stored"]
    if tally.known:
        parts.append(f"{tally.known:,} already on file")
    if tally.faults:
        parts.append(_count(tally.faults, "fault"))
    if tally.deviations:
        parts.append(f"{_count(tally.deviations, 'deviation')} found")
    return f"{file.name}: {', '.join(parts)}"


def _count(things: Sized, word: str) -> str:
    return f"{len(things):,} {word}{'' if len(things) == 1 else 's'}"


def _digest(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return f"sha256:{hashlib.file_digest(opened, 'sha256').hexdigest()}"
    except OSError as error:
        raise FileTrouble(f"{file.name}: {error.strerror}") from error
