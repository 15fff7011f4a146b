"""The files that come with a filled form: handed in as evidence, and noted under their names.

No form is refused for its files: what the inspector saw counts without them, and a phone keeps a
form that was refused, and sends it again and again. The answer tells what became of each file.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import journal
from app.access.rules import Actor
from app.audits.forms import FormAttachment, FormSubmission
from app.errors import Conflict
from app.evidence import models
from app.evidence import service as evidence
from app.evidence.arrivals import EvidenceEmpty, EvidenceTooLarge
from app.evidence.room import Room
from app.evidence.schemas import EvidenceOut

MEDIA_TYPE = "application/octet-stream"
"""What files are said to be until they are examined; what a phone says of them counts for nothing."""


class AttachmentTaken(Conflict):
    """Another file of this name came with the form before."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it came."""

    name: str
    content: bytes

    @property
    def digest(self) -> str:
        """Name the content as evidence is named."""
        return f"sha256:{hashlib.sha256(self.content).hexdigest()}"


@dataclass(frozen=True, slots=True)
class HandedIn:
    """What became of the files of a post, by name; `refused` says why there is nothing to keep."""

    kept: dict[str, EvidenceOut] = field(default_factory=dict)
    refused: dict[str, str] = field(default_factory=dict)

    @property
    def digests(self) -> list[str]:
        """The files that a report may name."""
        return sorted({one.digest for one in self.kept.values() if one.state != "rejected"})


def hand_in(
    session: Session,
    instance_id: str,
    files: Mapping[str, File],
    *,
    room: Room,
    actor: Actor,
    now: datetime,
) -> HandedIn:
    """Hand in as evidence what is new of a post, in the sender's name.

    Before the license is held, so that nobody waits for an examination to touch it; in the order
    of digests, so that two posts never wait for each other. Raises StorageFull, EvidenceOutOfReach.
    """
    known, done = _known(session, instance_id), HandedIn()
    for file in sorted(files.values(), key=lambda one: one.digest):
        if known.get(file.name) == file.digest:
            continue
        try:
            done.kept[file.name] = evidence.keep(
                session,
                [file.content],
                room=room,
                name=file.name,
                media_type=MEDIA_TYPE,
                actor=actor,
                now=now,
            )
        except EvidenceEmpty:
            done.refused[file.name] = "It is empty."
        except EvidenceTooLarge as refused:
            done.refused[file.name] = refused.detail
    return done


def enter(
    session: Session,
    submission: FormSubmission,
    files: Mapping[str, File],
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Note which files came with a form; one that is noted must be the same.

    The caller holds the license of the submission, so that nobody adds to it meanwhile, and has
    handed in the files. Raises AttachmentTaken.
    """
    known = _known(session, submission.instance_id)
    for name, file in files.items():
        if name not in known:
            _note(session, submission.instance_id, file, actor, now)
        elif known[name] != file.digest:
            raise AttachmentTaken(
                f"{name[:100]} of this form is on file with other content. What was taken stays."
            )
    session.flush()


def _known(session: Session, instance_id: str) -> dict[str, str]:
    query = select(FormAttachment.name, FormAttachment.digest)
    rows = session.execute(query.where(FormAttachment.instance_id == instance_id))
    return {row.name: row.digest for row in rows}


def _note(session: Session, instance_id: str, file: File, actor: Actor, now: datetime) -> None:
    session.add(
        FormAttachment(instance_id=instance_id, name=file.name, digest=file.digest, received_at=now)
    )
    journal.append(
        session,
        actor=actor.name,
        action="form.attachment_kept",
        subject=f"form:{instance_id}",
        body={"name": file.name, "digest": file.digest},
        now=now,
    )


def rejected(session: Session, instance_id: str) -> dict[str, str]:
    """Say of each file of a form that was examined and rejected why it was."""
    query = (
        select(FormAttachment.name, models.File.reason)
        .join(models.File, models.File.digest == FormAttachment.digest)
        .where(FormAttachment.instance_id == instance_id, models.File.state == "rejected")
        .order_by(FormAttachment.name)
    )
    return {row.name: row.reason or "" for row in session.execute(query)}


def of_submissions(
    session: Session, ids: list[str]
) -> dict[str, list[tuple[FormAttachment, models.File]]]:
    """List what came with filled forms, and how each file stands."""
    found: dict[str, list[tuple[FormAttachment, models.File]]] = {id: [] for id in ids}
    query = (
        select(FormAttachment, models.File)
        .join(models.File, models.File.digest == FormAttachment.digest)
        .where(FormAttachment.instance_id.in_(ids))
        .order_by(FormAttachment.name)
    )
    for row, file in session.execute(query):
        found[row.instance_id].append((row, file))
    return found
