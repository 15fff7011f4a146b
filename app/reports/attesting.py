"""What a signature on a report is worth, and what of it was verified. Pure.

A detached signature either holds or the report is refused; there is nothing to weigh. A signed PDF is
weighed: whose certificate it is, whether it speaks of this very report, whether its time and its issuer
can be relied on. Where one of these is missing the report counts as unsigned (grade E), and the answer
says which.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime
from uuid import UUID

from app.evidence.seals import Seal

SCANNED_TYPES = frozenset({"application/pdf", "image/jpeg", "image/png", "image/heic"})
WEAK = ("md2", "md5", "sha1")
"""Hashes for which two documents of the same one can be made (NIST SP 800-131A)."""
KEPT_WHOLE = frozenset({"file", "file_but_proofs"})


@dataclass(frozen=True, slots=True)
class Signer:
    """A key or certificate that the party has registered."""

    key_id: UUID
    kid: str
    key: str
    """SHA-256 of the public key as certificates hold it, in hex."""
    fingerprint: str | None
    names: str | None
    valid_from: datetime
    valid_until: datetime
    revoked_at: datetime | None


@dataclass(frozen=True, slots=True)
class Weighed:
    """Whether a signature counts as the exporter's on this report, by whom, and why or why not."""

    signed: bool
    signer: Signer | None
    verified: tuple[str, ...]
    not_verified: tuple[str, ...]


Part = tuple[bool, str]
"""Something that was looked at: whether it holds, and the sentence that says so."""


def is_broken(seal: Seal) -> str | None:
    """Say why a signature does not hold by itself, whoever made it; None when it does."""
    if not seal.intact:
        return "the signed part was changed, or the signature is not by the key of its certificate"
    if seal.covers not in KEPT_WHOLE:
        return "the file was changed after it was signed, so that the signature is not of all of it"
    if any(weak in seal.mechanism.lower() for weak in WEAK):
        return f"it was signed with {seal.mechanism}, which can be forged"
    return None


def signer_of(seal: Seal, signers: Sequence[Signer]) -> Signer | None:
    """Find the registered certificate that a signature is by.

    The certificate itself or its key; or, when the chain leads to a trusted root, another of the same
    issuer for the same subject, as after a renewal.
    """
    for one in signers:
        if seal.fingerprint == one.fingerprint or seal.key == one.key:
            return one
    if not seal.trusted:
        return None
    same = [one for one in signers if one.names == seal.names]
    return min(same, key=lambda one: one.revoked_at is not None, default=None)


def weigh(
    seal: Seal, signers: Sequence[Signer], *, digest: str, roots: bool, now: datetime
) -> Weighed:
    """Weigh a signature of a PDF that holds by itself, for a report of this canonical digest."""
    signer = signer_of(seal, signers)
    needed = [
        (True, f"the document is as it was signed ({seal.mechanism})"),
        _bound(seal, digest),
        _registered(seal, signer),
        _in_time(seal, signer, now),
        *_rooted(seal, roots=roots),
        *_not_revoked(seal, signer, now),
    ]
    beside = [*_timed(seal), *_revocation(seal)]
    told = [*needed, *beside]
    return Weighed(
        signed=all(holds for holds, _ in needed),
        signer=signer,
        verified=tuple(sentence for holds, sentence in told if holds),
        not_verified=tuple(sentence for holds, sentence in told if not holds) + _unasked(roots),
    )


def _bound(seal: Seal, digest: str) -> Part:
    if digest in seal.digests:
        return True, f"its properties name this report, {digest}"
    return False, (
        f"that it speaks of this report: its title, subject or keywords do not name {digest}, the "
        "SHA-256 of the canonical body"
    )


def _registered(seal: Seal, signer: Signer | None) -> Part:
    if signer is None:
        return False, f"that {seal.subject} signs for you: that certificate is not registered"
    how = "registered" if seal.fingerprint == signer.fingerprint else "of a key or name registered"
    return True, f"the certificate of {seal.subject} is {how} by you ({signer.kid})"


def _moment(seal: Seal, now: datetime) -> datetime:
    """Take the time of a trusted stamp; anybody can write any other time, so now is taken else."""
    if seal.stamp_trusted and seal.stamped_at is not None:
        return seal.stamped_at
    return now


def _in_time(seal: Seal, signer: Signer | None, now: datetime) -> Part:
    moment = _moment(seal, now)
    until = seal.valid_until
    if signer is not None and (seal.fingerprint == signer.fingerprint or seal.key == signer.key):
        until = min(until, signer.valid_until)
    if seal.valid_from <= moment < until:
        return True, f"the certificate was valid at {moment.isoformat()}"
    return False, (
        f"that the certificate was valid when it was signed: it is from "
        f"{seal.valid_from.isoformat()} to {until.isoformat()}, and that it was signed within is "
        "only the signer's word"
    )


def _rooted(seal: Seal, *, roots: bool) -> Iterator[Part]:
    if not roots:
        return
    if seal.trusted:
        yield True, f"the certificate leads to a trusted root, by way of {seal.issuer}"
    else:
        yield False, f"that somebody trusted vouches for the certificate: {seal.why}"


def _not_revoked(seal: Seal, signer: Signer | None, now: datetime) -> Iterator[Part]:
    if seal.revoked:
        yield False, "that the certificate counts: what is embedded says it was revoked"
    if signer is not None and signer.revoked_at is not None and signer.revoked_at <= now:
        yield False, f"that you still sign with {signer.kid}: you revoked it"


def _timed(seal: Seal) -> Iterator[Part]:
    if seal.stamp_trusted and seal.stamped_at is not None:
        yield True, f"it was signed by {seal.stamped_at.isoformat()}, as a trusted time stamp says"
    elif seal.stamped_at is not None:
        yield (
            False,
            (
                f"when it was signed: the time stamp of {seal.stamped_at.isoformat()} is of nobody "
                "trusted here"
            ),
        )
    else:
        claimed = seal.claimed_at.isoformat() if seal.claimed_at else "nothing"
        yield (
            False,
            f"when it was signed: there is no time stamp, only what the signer says ({claimed})",
        )


def _revocation(seal: Seal) -> Iterator[Part]:
    if seal.revoked:
        return
    if seal.revocation_embedded:
        yield True, "what is embedded of its issuer says that the certificate was not revoked"
    else:
        yield (
            False,
            "whether its issuer has revoked the certificate: nothing embedded says, nobody was asked",
        )


def _unasked(roots: bool) -> tuple[str, ...]:  # noqa: FBT001 one word of one sentence
    if roots:
        return ()
    return ("who vouches for the certificate: no trusted roots are configured",)


def best(weighed: Sequence[Weighed]) -> Weighed:
    """Choose the signature that counts most of several on one document; the last of equals."""
    return max(reversed(weighed), key=lambda one: (one.signed, one.signer is not None))
