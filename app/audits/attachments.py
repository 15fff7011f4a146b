"""The files that come with a filled form: taken once under their name, and given back as they came.

What a file is, its first bytes show; what its sender calls it counts for nothing.
"""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import select
from sqlalchemy.orm import Session, undefer

from app import journal
from app.access.rules import Actor
from app.audits.forms import FormAttachment, FormSubmission
from app.audits.openrosa import FILES_LIMIT, SubmissionTooLarge
from app.errors import Conflict, NotReadable, Unknown

HEIF = frozenset({b"heic", b"heix", b"heim", b"heis", b"mif1"})
MP4 = frozenset({b"isom", b"iso2", b"iso4", b"iso5", b"iso6", b"mp41", b"mp42", b"avc1"})
M4A = frozenset({b"M4A ", b"M4B "})
"""Major brands of ISO base media files (ISO/IEC 14496-12; registered at mp4ra.org)."""

TAKEN = "JPEG, PNG and HEIC pictures, PDF, and MP4 with sound or film"


class AttachmentTypeRefused(NotReadable):
    """A file is of no type that is taken with a filled form."""


class AttachmentTaken(Conflict):
    """Another file of this name came with the form before."""


class AttachmentUnknown(Unknown):
    """No such file came with a filled form of this check."""


@dataclass(frozen=True, slots=True)
class File:
    """A file as it came."""

    name: str
    content: bytes

    @property
    def digest(self) -> bytes:
        """Hash the content with SHA-256."""
        return hashlib.sha256(self.content).digest()


def media_type_of(file: File) -> str:
    """Say by its first bytes what a file is. Raises AttachmentTypeRefused."""
    start, brand = file.content[:12], file.content[8:12]
    if start.startswith(b"\xff\xd8\xff"):
        return "image/jpeg"
    if start.startswith(b"\x89PNG\r\n\x1a\n"):
        return "image/png"
    if start.startswith(b"%PDF-"):
        return "application/pdf"
    if start[4:8] == b"ftyp":
        for media_type, brands in (("image/heic", HEIF), ("video/mp4", MP4), ("audio/mp4", M4A)):
            if brand in brands:
                return media_type
    raise AttachmentTypeRefused(
        f"{file.name[:100]} is none of these: {TAKEN}. Take it out of the form, and send it again."
    )


def keep(
    session: Session,
    submission: FormSubmission,
    files: Mapping[str, File],
    *,
    actor: Actor,
    now: datetime,
) -> None:
    """Keep the files that are new; one that is there must be the same.

    The caller holds the license of the submission, so that nobody adds to it meanwhile. Raises
    AttachmentTypeRefused, AttachmentTaken, SubmissionTooLarge.
    """
    query = select(FormAttachment.name, FormAttachment.digest, FormAttachment.size).where(
        FormAttachment.instance_id == submission.instance_id
    )
    known = {row.name: row for row in session.execute(query)}
    size = sum(row.size for row in known.values())
    for name, file in files.items():
        if name not in known:
            size += len(file.content)
            _check_size(size)
            _store(session, submission, file, actor, now)
        elif known[name].digest != file.digest:
            raise AttachmentTaken(
                f"{name[:100]} of this form is on file with other content. What was taken stays."
            )


def _check_size(size: int) -> None:
    if size > FILES_LIMIT:
        raise SubmissionTooLarge(
            f"The files of one form have at most {FILES_LIMIT:,} bytes together. Take the pictures "
            "smaller, or fill in a second form for the others."
        )


def _store(
    session: Session, submission: FormSubmission, file: File, actor: Actor, now: datetime
) -> None:
    row = FormAttachment(
        instance_id=submission.instance_id,
        name=file.name,
        digest=file.digest,
        media_type=media_type_of(file),
        size=len(file.content),
        content=file.content,
        filed_by=actor.name,
        received_at=now,
    )
    session.add(row)
    session.flush()
    session.expunge(row)
    journal.append(
        session,
        actor=actor.name,
        action="form.attachment_kept",
        subject=f"form:{submission.instance_id}",
        body={
            "name": row.name,
            "digest": f"sha256:{row.digest.hex()}",
            "media_type": row.media_type,
            "size": row.size,
        },
        now=now,
    )


def of_submissions(session: Session, ids: list[str]) -> dict[str, list[FormAttachment]]:
    """List what came with filled forms, without its content."""
    found: dict[str, list[FormAttachment]] = {id: [] for id in ids}
    query = select(FormAttachment).where(FormAttachment.instance_id.in_(ids))
    for row in session.scalars(query.order_by(FormAttachment.name)):
        found[row.instance_id].append(row)
    return found


def read(session: Session, audit: UUID, digest: str) -> FormAttachment:
    """Read a file that came with a filled form of a check, by `sha256:` and its digest."""
    algorithm, _, hexadecimal = digest.partition(":")
    try:
        wanted = bytes.fromhex(hexadecimal) if algorithm == "sha256" else b""
    except ValueError:
        wanted = b""
    row = session.scalar(
        select(FormAttachment)
        .join(FormSubmission, FormSubmission.instance_id == FormAttachment.instance_id)
        .where(FormSubmission.audit_id == audit, FormAttachment.digest == wanted)
        .order_by(FormAttachment.received_at, FormAttachment.name)
        .limit(1)
        .options(undefer(FormAttachment.content))
    )
    if row is None:
        raise AttachmentUnknown(f"No file {digest[:80]} came with a form of this check.")
    return row
