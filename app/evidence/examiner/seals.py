"""Reads the signatures of a PDF, or the chain of a certificate, and says what it finds as JSON.

Before the first byte of it is looked at, the process gives up whatever it does not need, as `main`
does. It asks nobody outside: revocation is known as far as the file itself tells it. What comes in is
a question in JSON after its length in four bytes, then the file.
"""

import asyncio
import hashlib
import importlib
import io
import json
import logging
import os
import re
import sys
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from asn1crypto import pem, x509
from pyhanko.pdf_utils.reader import PdfFileReader
from pyhanko.sign.diff_analysis import ModificationLevel
from pyhanko.sign.validation import async_validate_pdf_signature
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko.sign.validation.errors import NoDSSFoundError
from pyhanko.sign.validation.pdf_embedded import EmbeddedPdfSignature
from pyhanko.sign.validation.settings import KeyUsageConstraints
from pyhanko.sign.validation.status import PdfSignatureStatus, SignatureCoverageLevel
from pyhanko_certvalidator import CertificateValidator, ValidationContext
from pyhanko_certvalidator.errors import PathBuildingError, ValidationError
from pyhanko_certvalidator.policy_decl import (
    CertRevTrustPolicy,
    RevocationCheckingPolicy,
    RevocationCheckingRule,
)

from app.evidence.examiner.main import NEEDED_LATER, close_in, limit

MOST_SEALS = 20
MOST_DIGESTS = 20
DIGEST = re.compile(r"sha256:[0-9a-f]{64}")
NEEDED_TO_SEAL = (
    "cryptography.hazmat.backends.openssl.backend",
    "gzip",
    "lxml.etree",
    "pyhanko.pdf_utils.filters",
    "pyhanko.pdf_utils.metadata.xmp_xml",
    "pyhanko.sign.diff_analysis",
)
"""Modules that these libraries would otherwise open when they are first used."""
SIGNS = KeyUsageConstraints(
    key_usage={"non_repudiation", "digital_signature"}, match_all_key_usages=False
)
IF_THERE = RevocationCheckingPolicy(
    RevocationCheckingRule.CHECK_IF_DECLARED_SOFT, RevocationCheckingRule.CHECK_IF_DECLARED_SOFT
)
NEEDED = RevocationCheckingPolicy(
    RevocationCheckingRule.CRL_OR_OCSP_REQUIRED, RevocationCheckingRule.CHECK_IF_DECLARED_SOFT
)
INFO = ("/Title", "/Subject", "/Keywords")


def main() -> None:
    """Answer the question on standard input."""
    limit()
    incoming = sys.stdin.buffer
    question = json.loads(incoming.read(int.from_bytes(incoming.read(4), "big")))
    data = incoming.read()
    logging.disable(logging.CRITICAL)
    for name in (*NEEDED_LATER, *NEEDED_TO_SEAL):
        importlib.import_module(name)
    loop = asyncio.new_event_loop()  # it takes file descriptors, so it is made before none are left
    close_in()
    asked = _chain if question["about"] == "chain" else _seals
    try:
        answer = loop.run_until_complete(asked(data, question))
    except (MemoryError, RecursionError):
        answer = {"trouble": "It takes too much to read it."}
    except Exception as error:  # whatever a library stumbles over in what strangers wrote
        answer = {"trouble": f"It cannot be read ({type(error).__name__})."}
    sys.stdout.write(json.dumps(answer))
    sys.stdout.flush()
    os._exit(0)


def _loaded(texts: Iterable[str]) -> list[x509.Certificate]:
    """Read certificates from PEM, any number in a text."""
    return [
        x509.Certificate.load(der)
        for text in texts
        for _, _, der in pem.unarmor(text.encode(), multiple=True)
    ]


async def _chain(data: bytes, question: dict[str, Any]) -> dict[str, Any]:
    """Say whether the first of some certificates leads to a root by way of the others."""
    first, *others = _loaded([data.decode()])
    context = _context(question, datetime.fromisoformat(question["now"]))
    validator = CertificateValidator(first, others, validation_context=context)
    try:
        await validator.async_validate_path()
    except (PathBuildingError, ValidationError) as error:
        return {"trouble": None, "trusted": False, "why": str(error)[:300]}
    return {"trouble": None, "trusted": True, "why": None}


def _context(
    question: dict[str, Any],
    moment: datetime,
    dss: DocumentSecurityStore | None = None,
    policy: RevocationCheckingPolicy = IF_THERE,
) -> ValidationContext:
    """Say whom to believe, at which time; nothing is fetched.

    Lists of revocations from after that time count too: proofs are embedded later than is signed.
    """
    return ValidationContext(
        trust_roots=_loaded(question["roots"]),
        other_certs=list(dss.load_certs()) if dss else [],
        moment=moment,
        allow_fetching=False,
        crls=list(_streams(dss.crls)) if dss else [],
        ocsps=list(_streams(dss.ocsps)) if dss else [],
        revinfo_policy=CertRevTrustPolicy(policy),
        retroactive_revinfo=True,
    )


def _streams(references: Iterable[Any]) -> Iterable[bytes]:
    return (one.get_object().data for one in references)


async def _seals(data: bytes, question: dict[str, Any]) -> dict[str, Any]:
    """Say of every signature in a PDF what there is to say."""
    reader = PdfFileReader(io.BytesIO(data))
    try:
        dss = DocumentSecurityStore.read_dss(reader)
    except NoDSSFoundError:
        dss = None
    found = reader.embedded_regular_signatures
    if len(found) > MOST_SEALS:
        return {"trouble": f"It holds more than {MOST_SEALS} signatures."}
    return {"trouble": None, "seals": [await _seal(one, dss, question) for one in found]}


async def _seal(
    one: EmbeddedPdfSignature, dss: DocumentSecurityStore | None, question: dict[str, Any]
) -> dict[str, Any]:
    """Check a signature as of now; when a time stamp that is trusted is on it, as of then."""
    now = datetime.fromisoformat(question["now"])
    status = await _checked(one, dss, question, now)
    stamp = status.timestamp_validity
    stamped = stamp is not None and stamp.intact and stamp.valid and stamp.trusted
    moment = stamp.timestamp if stamp is not None and stamped else now
    if moment != now:
        status = await _checked(one, dss, question, moment, stamped_by=now)
    revoked, known = await _revocation(one, dss, question, moment)
    certificate = status.signing_cert
    start, length = one.byte_range[2], one.byte_range[1] + 2 * len(one.pkcs7_content) + 2
    return _certified(certificate) | {
        "field": one.field_name[:100],
        "intact": bool(status.intact and status.valid),
        "covers": _covers(status) if start == length else "less",
        "trusted": bool(status.trusted),
        "why": None if status.trusted else _why(status),
        "revoked": revoked or status.revocation_details is not None,
        "revocation_embedded": known,
        "claimed_at": _text(status.signer_reported_dt),
        "stamped_at": _text(stamp.timestamp) if stamp else None,
        "stamp_trusted": bool(stamped),
        "mechanism": f"{status.pkcs7_signature_mechanism} with {status.md_algorithm}",
        "digests": _digests(one),
    }


async def _checked(
    one: EmbeddedPdfSignature,
    dss: DocumentSecurityStore | None,
    question: dict[str, Any],
    moment: datetime,
    *,
    stamped_by: datetime | None = None,
    policy: RevocationCheckingPolicy = IF_THERE,
) -> PdfSignatureStatus:
    """Check a signature as of a moment, and the time stamp on it as of another."""
    return await async_validate_pdf_signature(
        one,
        signer_validation_context=_context(question, moment, dss, policy),
        ts_validation_context=_context(question, stamped_by or moment, dss),
        key_usage_settings=SIGNS,
    )


async def _revocation(
    one: EmbeddedPdfSignature,
    dss: DocumentSecurityStore | None,
    question: dict[str, Any],
    moment: datetime,
) -> tuple[bool, bool]:
    """Say whether what is embedded tells that the certificate was revoked, or that it was not.

    Whether certificates announce such lists is no matter; what is embedded about this one counts.
    """
    if dss is None or not (dss.crls or dss.ocsps):
        return False, False
    now = datetime.fromisoformat(question["now"])
    status = await _checked(one, dss, question, moment, stamped_by=now, policy=NEEDED)
    return status.revocation_details is not None, bool(status.trusted)


def _certified(certificate: x509.Certificate) -> dict[str, Any]:
    """Tell who a certificate is of, and by which names it can be found."""
    names = certificate.issuer.dump() + certificate.subject.dump()
    return {
        "fingerprint": certificate.sha256.hex(),
        "key": hashlib.sha256(certificate.public_key.dump()).hexdigest(),
        "names": hashlib.sha256(names).hexdigest(),
        "subject": certificate.subject.human_friendly[:300],
        "issuer": certificate.issuer.human_friendly[:300],
        "valid_from": _text(certificate.not_valid_before),
        "valid_until": _text(certificate.not_valid_after),
    }


def _covers(status: PdfSignatureStatus) -> str:
    """Say how much of the file was signed: all; all but what only adds proof of validity; less."""
    if status.coverage == SignatureCoverageLevel.ENTIRE_FILE:
        return "file"
    level = status.modification_level
    if status.coverage == SignatureCoverageLevel.ENTIRE_REVISION and level in {
        ModificationLevel.NONE,
        ModificationLevel.LTA_UPDATES,
    }:
        return "file_but_proofs"
    return "less"


def _why(status: PdfSignatureStatus) -> str:
    problem = status.trust_problem_indic
    return problem.standard_name if problem is not None else "not trusted"


def _text(moment: datetime | None) -> str | None:
    return None if moment is None or moment.tzinfo is None else moment.isoformat()


def _digests(one: EmbeddedPdfSignature) -> list[str]:
    """Find the digests that the document's properties name, as they were when it was signed."""
    signed = one.reader.get_historical_resolver(one.signed_revision)
    if "/Info" not in signed.trailer_view:
        return []
    info = signed.trailer_view["/Info"]
    told = [str(info[name])[:2000] for name in INFO if name in info]
    return [digest for text in told for digest in DIGEST.findall(text)][:MOST_DIGESTS]
