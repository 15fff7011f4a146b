"""Evidence as callers see it."""

from typing import Literal

from app.wire import Moment, Out

State = Literal["quarantined", "accepted", "rejected"]


class EvidenceOut(Out):
    """A file that was handed in. `media_type` is what it was proven to be, once it is accepted.

    `quarantined`: not examined yet, ask again. `rejected`: `reason` says why; nobody can read it.
    """

    digest: str
    size: int
    media_type: str
    state: State
    reason: str | None = None


class Camera(Out):
    """What a photo says of itself: when it was taken, and where (WGS 84).

    A time without a zone is that of the camera's own clock.
    """

    taken_at: str | None = None
    lat: float | None = None
    lon: float | None = None


class EvidenceRecord(EvidenceOut):
    """What is known of a file, without its content."""

    name: str | None
    filed_at: Moment
    examined_at: Moment | None
    camera: Camera | None


class NamedEvidence(Out):
    """A file that a report names. `differs` says where a photo contradicts the report."""

    digest: str
    state: Literal["quarantined", "accepted", "rejected", "missing"]
    media_type: str | None = None
    camera: Camera | None = None
    differs: list[str] = []
