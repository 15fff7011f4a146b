"""`endwatch restore`: brings a backup back where nothing is, checks it, and says what is missing.

Nothing is changed before every file was found to be what the manifest says. The database comes back
in one transaction; in a data folder of our own it stands aside until it is whole. Then the journal is
verified, and signs nothing until people have said how it goes on.
"""

import tempfile
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from app.cli import (
    backup,
    backup_folder,
    evidence_copies,
    export,
    key_copies,
    restored_database,
    resuming,
    verify,
)
from app.cli.backup_folder import (
    DUMP,
    EVIDENCE_LIST,
    MANIFEST,
    BackupDamaged,
    BackupFolder,
    Manifest,
)
from app.cli.erasing import ACTOR
from app.cli.key_copies import Keys
from app.cli.progress import progress
from app.cli.restored_database import MOST_TOLD, few
from app.cli.resuming import Decision
from app.cli.troubles import WrongUse
from app.database import connect
from app.evidence.models import File
from app.evidence.room import Room, room_of
from app.journal import rollbacks
from app.journal.sequencer import Sequencer
from app.settings import Settings


@dataclass(frozen=True, slots=True)
class Wish:
    """What to restore, with which keys, and what people say of the log."""

    source: Path
    keys: Path | None
    decision: Decision
    leave_damaged: bool = False


@dataclass(frozen=True, slots=True)
class Found:
    """A backup that was found to be good, but for these files of evidence."""

    folder: BackupFolder
    place: Path
    manifest: Manifest
    lacking: frozenset[str]


def run(settings: Settings, wish: Wish, *, now: datetime) -> int:
    """Restore a backup, and say what is missing; 1 when something is, or the journal is not well."""
    folder, place = backup_folder.found(wish.source)
    manifest = Manifest.read(place)
    restored_database.refuse_newer(manifest)
    print(f"restoring {place}, made at {manifest.made_at:%Y-%m-%d %H:%M:%S} UTC")
    with restored_database.empty(settings) as target:
        found = _checked(folder, place, manifest, leave_damaged=wish.leave_damaged)
        room = room_of(settings)
        keys = _keys(wish.keys, room, manifest, now)
        _evidence(room, found)
        restored_database.fill(target, place / DUMP, manifest)
        troubles = _missing(target, room, found)
        code = _log(target, settings, found, keys, wish.decision, now)
    lacking = _lacking_keys(settings, room, manifest, wish, now)
    for one in [*troubles, *lacking]:
        print(f"MISSING: {one}")
    print("the database, and all that is not named above, is restored")
    return max(code, int(bool(troubles or lacking)))


def _checked(
    folder: BackupFolder, place: Path, manifest: Manifest, *, leave_damaged: bool
) -> Found:
    """Compare every file with its digest before anything is changed. Raises BackupDamaged."""
    listed, kept = place / EVIDENCE_LIST, manifest.evidence
    damaged = [
        str(path)
        for path, told in ((place / DUMP, manifest.database), (listed, kept.listing))
        if not backup_folder.fits(path, told)
    ]
    if damaged:
        raise BackupDamaged(
            f"damaged or missing: {', '.join(damaged)}; restore another backup. Nothing was changed"
        )
    if not kept.copied:
        return Found(folder, place, manifest, frozenset())
    with progress("checking evidence", kept.files) as bar:
        looked = evidence_copies.look(folder, listed, bar)
    if looked.damaged and not leave_damaged:
        raise BackupDamaged(
            f"damaged files of evidence: {few(looked.damaged, folder.copy_of)}. Nothing was changed; "
            "--leave-damaged restores all but these"
        )
    for one in looked.damaged:
        print(f"DAMAGED: {folder.copy_of(one)} is left out")
    return Found(folder, place, manifest, frozenset([*looked.damaged, *looked.missing]))


def _keys(given: Path | None, room: Room, manifest: Manifest, now: datetime) -> Keys:
    """Bring the keys back that the backup needs, where a folder of keys is given."""
    if given is None:
        return Keys(None, frozenset(), frozenset())
    keys = given.expanduser().absolute()
    if not keys.is_dir():
        raise WrongUse(f"{keys} is no folder of keys")
    last = manifest.journal.keys[-1] if manifest.journal.keys else None
    return key_copies.bring(room, keys, last, now)


def _evidence(room: Room, found: Found) -> None:
    """Put evidence back before the database tells of it."""
    kept = found.manifest.evidence
    if not kept.copied:
        return
    with progress("restoring evidence", kept.files) as bar:
        put = evidence_copies.put_back(
            room, found.folder, found.place / EVIDENCE_LIST, set(found.lacking), bar
        )
    print(f"{put:,} files of evidence put back")


def _missing(settings: Settings, room: Room, found: Found) -> list[str]:
    """Compare what the database tells of evidence with what is in the store."""
    standing = {name for name, _ in room.shelf.names()}
    removed = set(found.manifest.evidence.removed_meanwhile)
    told = []
    with restored_database.session(settings) as session:
        rows = session.query(File.object, File.digest).where(File.object.is_not(None))
        for object, digest in rows.order_by(File.object).yield_per(5_000):
            if object not in standing | removed:
                told.append(f"evidence {digest} (file {object}): no copy of it is in the store")
    if len(told) > MOST_TOLD:
        print(f"MISSING: {len(told):,} files of evidence, of which the first {MOST_TOLD}:")
    return told[:MOST_TOLD]


def _log(
    target: Settings,
    settings: Settings,
    found: Found,
    keys: Keys,
    decision: Decision,
    now: datetime,
) -> int:
    """Verify the journal, tell it that it was restored, and see how its log goes on."""
    manifest = found.manifest
    _number(target)
    code = _verified(target, manifest)
    others = [one / MANIFEST for one in found.folder.whole() if one != found.place]
    known = Decision(decision.seen, decision.accept, decision.unchanged, others)
    with restored_database.session(target) as session:
        body = {"backup": manifest.sha256, "made_at": manifest.made_at.isoformat()}
        rollbacks.restored(session, body, actor=ACTOR.name, now=now)
        session.commit()
        if keys.log is not None:
            key_copies.put_log_key(settings, keys.log)
        waits = resuming.decide(session, settings, known, now=now)
        session.commit()
        said = decision.accept or decision.unchanged
        return max(code, waits if said or _behind(session) else 0)


def _number(target: Settings) -> None:
    """Number what waited for its number, signing for nothing: every row has its entry then."""
    engine = connect(target, pool_size=2)
    sequencer = Sequencer(engine)
    try:
        while sequencer.tick():
            pass
    finally:
        sequencer.close()
        engine.dispose()


def _behind(session: Any) -> bool:
    return rollbacks.standing(session.connection()).found is not None


def _verified(target: Settings, manifest: Manifest) -> int:
    """Check the journal that came back: its tree, its signatures, its root in the manifest."""
    with tempfile.TemporaryDirectory(prefix="endwatch-") as folder:
        file = Path(folder, "journal.export")
        export.save(target, file, tables=True)
        findings = verify.verify(str(file), keys=manifest.journal.keys)
    root = manifest.journal.root
    with restored_database.session(target) as session:
        if backup.root_of(session, manifest.journal.sealed) != root:
            findings.faults.append((0, "the root of the tree is not the one in the manifest"))
    for line in findings.told():
        print(line)
    return int(bool(findings.faults))


def _lacking_keys(
    settings: Settings, room: Room, manifest: Manifest, wish: Wish, now: datetime
) -> list[str]:
    """Say which keys are not on this machine, and what cannot be done without them."""
    found = key_copies.here(settings, room, now)
    last = manifest.journal.keys[-1] if manifest.journal.keys else None
    return found.lacking(None if wish.decision.accept else last, manifest.evidence_keys)
