"""`endwatch journal resume`: people say how the log goes on after a restore."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path

from sqlalchemy.orm import Session

from app.cli import databases
from app.cli.erasing import ACTOR
from app.cli.troubles import WrongUse
from app.journal import rollbacks, seen, signing, witnesses
from app.journal.notes import Checkpoint, Note, NoteUnfit, Signer, Verifier
from app.journal.seen import CheckpointUnfit
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Decision:
    """What people say of a restored log, and what they have seen of it."""

    seen: Sequence[Path] = ()
    accept: str | None = None
    """The ground on which a rollback is accepted."""
    unchanged: str | None = None
    """What makes sure that nothing was signed after the copy was made."""
    siblings: Sequence[Path] = field(default=())
    """Manifests of other backups, which know checkpoints too."""


def run(settings: Settings, decision: Decision, *, now: datetime) -> int:
    """Say how the log stands, or how it goes on; 1 when it signs nothing."""
    with databases.sessions(settings) as sessions, sessions() as session:
        code = decide(session, settings, decision, now=now)
        session.commit()
    return code


def decide(session: Session, settings: Settings, decision: Decision, *, now: datetime) -> int:
    """Compare with what was seen, and do what was decided. Prints it; 1 when nothing is signed.

    What is found is committed at once. Raises CheckpointUnfit, LogNotHeld, WrongUse; LogRolledBack
    when the log is said to be unchanged and is not.
    """
    if decision.accept and decision.unchanged:
        raise WrongUse("a log was rolled back or it was not: give one of the two options")
    behind = _behind(session, settings, decision)
    if behind is not None and not decision.accept:
        print(_rolled_back(session, behind))
        rollbacks.found(session, behind, actor=ACTOR.name, now=now)
        session.commit()
        if not decision.unchanged:
            return 1
    if decision.accept:
        return _accept(session, settings, behind, decision.accept, now)
    if decision.unchanged:
        rollbacks.resume(session, ground=decision.unchanged, actor=ACTOR.name, now=now)
        print(
            "the log goes on as it was: it is signed for again as soon as a scheduler has its key"
        )
        return 0
    return _told(session)


def _told(session: Session) -> int:
    told = rollbacks.standing(session.connection())
    if told.found is not None:
        print(
            f"ROLLED BACK: it is known that {told.found['origin']} signed for {told.found['size']:,} "
            "entries; nothing is signed until you --accept-rollback with a ground"
        )
    elif told.held:
        print(
            "signing waits for you: entries are numbered and hashed meanwhile. Compare with what "
            "witnesses and others have seen (--seen FILE), then say --nothing-later or "
            "--accept-rollback with a ground"
        )
    else:
        print("the log is not held, and holds every checkpoint that was given")
    return int(told.held)


def _rolled_back(session: Session, behind: Checkpoint) -> str:
    sealed = session.connection().exec_driver_sql("SELECT sealed FROM journal_head").scalar()
    return (
        f"ROLLED BACK: {behind.origin} signed for {behind.size:,} entries, and this database does not "
        f"hold that checkpoint (it has {sealed:,} sealed entries): the log was rolled back by a "
        "restore behind it. Nothing is signed until you decide"
    )


def _behind(session: Session, settings: Settings, decision: Decision) -> Checkpoint | None:
    """Find the largest checkpoint that the log signed and does not hold any more."""
    trusted = [*rollbacks.known_keys(session), *_witnesses(settings)]
    known = [one for path in decision.seen for one in seen.read(_text(path), trusted)]
    for path in decision.siblings:
        try:
            known += seen.read(_text(path), trusted)
        except CheckpointUnfit:
            continue  # of another log, or of a later key: not ours to judge by
    place = signing.key_file(databases.data_folder(settings), settings.log_key_file)
    mark = signing.mark_file(place)
    if mark.exists():
        known += _of_mark(mark)
    return rollbacks.beyond(session, known)


def _of_mark(mark: Path) -> list[Checkpoint]:
    try:
        return [Checkpoint.read(Note.read(_text(mark)).text)]
    except NoteUnfit:
        return []


def _witnesses(settings: Settings) -> list[Verifier]:
    try:
        return witnesses.named(settings.log_witnesses)
    except NoteUnfit as error:
        raise WrongUse(f"ENDWATCH_LOG_WITNESSES: {error}") from error


def _text(path: Path) -> str:
    return path.read_text(encoding="utf-8", errors="replace")


def _accept(
    session: Session, settings: Settings, behind: Checkpoint | None, ground: str, now: datetime
) -> int:
    """Go on under another name: a new key, the old one put aside, and the journal tells."""
    known = rollbacks.known_keys(session)
    if not known:
        raise WrongUse(
            "this log has signed nothing yet, so that it cannot be rolled back: say --nothing-later"
        )
    place = signing.key_file(databases.data_folder(settings), settings.log_key_file)
    aside = signing.put_aside(place)
    made: Signer = signing.make(place, rollbacks.name_after(known[-1].name, now))
    rollbacks.accept(session, made.verifier, behind, ground=ground, actor=ACTOR.name, now=now)
    if aside:
        print(f"the key before is in {aside}")
    print(
        f"the log goes on as {made.name}; copy {place} to every machine that runs a scheduler, and tell "
        "everybody who verifies and every witness its key:"
    )
    print(made.verifier)
    return 0
