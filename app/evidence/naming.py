"""Naming files by their digest: what a report refers to was handed in, and may be read."""

from collections.abc import Mapping, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from app.access.rules import Actor
from app.errors import Invalid
from app.evidence.models import EvidenceFiling, File
from app.evidence.schemas import Camera, NamedEvidence


class EvidenceNotHandedIn(Invalid):
    """A file that is named was not handed in, or was rejected."""


def check(session: Session, digests: Mapping[str, str], *, actor: Actor) -> dict[str, File]:
    """Find the files that are named at these JSON Pointers, by digest.

    Who is not of the authority names files he has handed in himself; that somebody else has the same is
    not told. Raises EvidenceNotHandedIn for the first that is missing or was rejected. One that is
    still examined may be named.
    """
    if not digests:
        return {}
    found = files_of(session, list(digests.values()), actor=actor)
    for pointer, digest in digests.items():
        if digest not in found:
            raise EvidenceNotHandedIn(
                f"{digest} was not handed in. Send the file with PUT /v1/evidence first, then name it.",
                pointer=pointer,
            )
        if found[digest].state == "rejected":
            raise EvidenceNotHandedIn(
                f"{digest} was rejected: {found[digest].reason} Hand in another file.",
                pointer=pointer,
            )
    return found


def files_of(session: Session, digests: Sequence[str], *, actor: Actor) -> dict[str, File]:
    """Find those of some files that the actor may know of, by digest."""
    if not digests:
        return {}
    query = select(File).where(File.digest.in_(digests))
    if actor.reads_only is not None:
        mine = select(EvidenceFiling.digest).where(EvidenceFiling.owner == actor.owner)
        query = query.where(File.digest.in_(mine))
    return {file.digest: file for file in session.scalars(query)}


def shown(digest: str, file: File | None, differs: list[str]) -> NamedEvidence:
    """Show a file that something names; one nobody has is *missing*."""
    if file is None:
        return NamedEvidence(digest=digest, state="missing")
    return NamedEvidence.model_validate(
        {
            "digest": digest,
            "state": file.state,
            "media_type": file.media_type,
            "camera": None if file.camera is None else Camera.model_validate(file.camera),
            "differs": differs,
        }
    )
