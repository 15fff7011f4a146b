"""Receipts: what was filed, and by which name its proof is asked for."""

from uuid import UUID, uuid5

from app.wire import Moment, Out

NAMESPACE = UUID("0b5d0c1e-6b0c-5a57-9a52-6c7cf9e3a3d4")
"""Of names made from what an entry is about; drawn once, at random."""


def receipt_of(subject: str) -> UUID:
    """Name the receipt for what is filed under a subject: the same for the same, told twice."""
    return uuid5(NAMESPACE, subject)


class Receipt(Out):
    """What was filed: its SHA-256 and when it reached us.

    `GET /v1/receipts/{id}` gives the proof that it is sealed, a moment after the answer. Answers
    from before the journal was sealed have no `id`.
    """

    id: UUID | None = None
    digest: str
    received_at: Moment
