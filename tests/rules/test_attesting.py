"""What a signed PDF is worth, by everything that may be found of it."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from uuid import UUID

import pytest

from app.access.rules import Role
from app.evidence.seals import Seal
from app.reports import attesting
from app.reports.attesting import Signer
from app.reports.rules import grade_of
from monitors import Grade

NOW = datetime(2026, 7, 1, tzinfo=UTC)
DAY = timedelta(days=1)
DIGEST = f"sha256:{'a' * 64}"
SEAL = Seal(
    field="Signature1",
    intact=True,
    covers="file",
    trusted=True,
    why=None,
    revoked=False,
    revocation_embedded=False,
    claimed_at=NOW - DAY,
    stamped_at=None,
    stamp_trusted=False,
    mechanism="sha256_ecdsa with sha256",
    digests=(DIGEST,),
    fingerprint="f",
    key="k",
    names="n",
    subject="Erika Muster",
    issuer="Trusted Root",
    valid_from=NOW - 100 * DAY,
    valid_until=NOW + 100 * DAY,
)
SIGNER = Signer(
    key_id=UUID(int=1),
    kid="kid",
    key="k",
    fingerprint="f",
    names="n",
    valid_from=NOW - 50 * DAY,
    valid_until=NOW + 50 * DAY,
    revoked_at=None,
)
BARE = replace(SIGNER, fingerprint=None, names=None)
RENEWED = replace(SEAL, fingerprint="other", key="other")
STAMPED = replace(SEAL, stamped_at=NOW - 200 * DAY, stamp_trusted=True)


def counts(seal: Seal, *signers: Signer, roots: bool = True, digest: str = DIGEST) -> bool:
    weighed = attesting.weigh(seal, signers, digest=digest, roots=roots, now=NOW)
    assert weighed.verified
    assert weighed.not_verified
    return weighed.signed


@pytest.mark.parametrize(
    ("seal", "signer", "roots", "expected"),
    [
        (SEAL, SIGNER, True, True),
        (SEAL, BARE, True, True),
        (replace(SEAL, covers="file_but_proofs"), SIGNER, True, True),
        (RENEWED, SIGNER, True, True),
        (replace(RENEWED, trusted=False, why="no chain"), SIGNER, False, False),
        (RENEWED, BARE, True, False),
        (replace(SEAL, trusted=False, why="no chain"), SIGNER, True, False),
        (replace(SEAL, trusted=False, why="no chain"), SIGNER, False, True),
        (replace(SEAL, digests=()), SIGNER, True, False),
        (replace(SEAL, revoked=True), SIGNER, True, False),
        (replace(SEAL, revocation_embedded=True), SIGNER, True, True),
        (SEAL, replace(SIGNER, revoked_at=NOW - DAY), True, False),
        (SEAL, replace(SIGNER, valid_until=NOW), True, False),
        (RENEWED, replace(SIGNER, valid_until=NOW), True, True),
        (replace(SEAL, fingerprint="other"), replace(SIGNER, valid_until=NOW), True, False),
        (replace(SEAL, valid_until=NOW), SIGNER, True, False),
        (replace(SEAL, valid_until=NOW + timedelta(seconds=1)), SIGNER, True, True),
        (replace(SEAL, valid_from=NOW + DAY), SIGNER, True, False),
        (STAMPED, SIGNER, True, False),
        (replace(STAMPED, valid_from=NOW - 300 * DAY, valid_until=NOW - DAY), SIGNER, True, True),
        (replace(SEAL, stamped_at=NOW - DAY, valid_until=NOW), SIGNER, True, False),
        (replace(SEAL, claimed_at=None), SIGNER, True, True),
    ],
)
def test_a_signature_counts_when_nothing_is_missing(
    seal: Seal, signer: Signer, *, roots: bool, expected: bool
) -> None:
    assert attesting.is_broken(seal) is None
    assert counts(seal, signer, roots=roots) is expected


def test_a_signature_of_nobody_registered_or_another_report_does_not_count() -> None:
    assert not counts(SEAL)
    assert not counts(SEAL, SIGNER, digest=f"sha256:{'b' * 64}")


def test_of_two_of_one_name_the_one_that_still_counts_is_taken() -> None:
    lost = replace(SIGNER, fingerprint="x", key="x", revoked_at=NOW - DAY)
    assert counts(RENEWED, lost, SIGNER)
    assert not counts(RENEWED, lost)


@pytest.mark.parametrize(
    "seal",
    [
        replace(SEAL, intact=False),
        replace(SEAL, covers="less"),
        replace(SEAL, mechanism="sha1_rsa with sha256"),
        replace(SEAL, mechanism="sha256_rsa with md5"),
    ],
)
def test_what_does_not_hold_by_itself_is_broken(seal: Seal) -> None:
    assert attesting.is_broken(seal)


def test_the_best_of_several_signatures_counts_and_of_equals_the_last() -> None:
    weighed = [
        attesting.weigh(one, (SIGNER,), digest=DIGEST, roots=True, now=NOW)
        for one in (SEAL, replace(SEAL, digests=()), replace(SEAL, subject="Max"))
    ]
    assert attesting.best(weighed) is weighed[2]
    assert attesting.best(weighed[:2]) is weighed[0]


@pytest.mark.parametrize(
    ("role", "kind", "mode", "expected"),
    [
        (Role.EXPORTER, "attestation", "documentary", Grade.D),
        (Role.EXPORTER, "incident", "physical", Grade.D),
        (Role.EXPORTER, "attestation", "remote_video", Grade.E),
        (Role.INSPECTOR, "inspection", "physical", Grade.A),
        (Role.REVIEWER, "third_party", "documentary", Grade.B),
        (Role.REVIEWER, "incident", "documentary", Grade.E),
    ],
)
def test_a_signature_lifts_the_word_of_an_exporter_alone(
    role: Role, kind: str, mode: str, expected: Grade
) -> None:
    assert grade_of(role, kind, mode, signed=True) is expected
