"""Exporters who sign: keys, certificates, detached signatures and signed PDFs, made for a test."""

import base64
import io
import json
from datetime import datetime, timedelta
from typing import Any

import rfc8785
from asn1crypto import crl as asn1_crl
from asn1crypto import keys as asn1_keys
from asn1crypto import x509 as asn1_x509
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec, ed25519, rsa
from cryptography.x509.oid import ExtendedKeyUsageOID, NameOID
from pyhanko.pdf_utils import generic
from pyhanko.pdf_utils.incremental_writer import IncrementalPdfFileWriter
from pyhanko.sign import fields, signers, timestamps
from pyhanko.sign.validation.dss import DocumentSecurityStore
from pyhanko_certvalidator.registry import SimpleCertificateStore
from reportlab.pdfgen import canvas

from app import clock
from app.parties import detached, public_keys, signing_keys
from tests.conftest import Door

NOW = clock.now()
DAY = timedelta(days=1)
PEM = serialization.Encoding.PEM
DER = serialization.Encoding.DER


def made(kind: str = "Ed25519") -> Any:
    """A private key."""
    match kind:
        case "Ed25519":
            return ed25519.Ed25519PrivateKey.generate()
        case "ES256":
            return ec.generate_private_key(ec.SECP256R1())
        case "ES384":
            return ec.generate_private_key(ec.SECP384R1())
        case _:
            return rsa.generate_private_key(65537, 3072)


def jwk(key: Any) -> dict[str, str]:
    return public_keys.from_key(key.public_key(), pointer="").jwk


def kid(key: Any) -> str:
    return public_keys.from_key(key.public_key(), pointer="").kid


def signature(payload: bytes, key: Any, now: datetime | None = None) -> str:
    """A detached JWS of bytes."""
    public = public_keys.from_key(key.public_key(), pointer="")
    return detached.sign(payload, public_keys.private(key), public, now=now)


def canonical(body: dict[str, Any]) -> bytes:
    """The canonical form of a body, written by the library itself."""
    return rfc8785.dumps({name: value for name, value in body.items() if name != "signature"})


def signed(body: dict[str, Any], key: Any, now: datetime | None = None) -> dict[str, Any]:
    """A report with its signature filled in."""
    return body | {"signature": signature(canonical(body), key, now)}


def offer(key: Any, party: str = "NORDLICHT", **more: Any) -> dict[str, Any]:
    """The body that registers a key."""
    proof = signature(signing_keys.challenge(party, kid(key)), key)
    named = {} if "certificate" in more else {"jwk": jwk(key)}
    return named | {"proof": proof} | more


def registered(door: Door, key: Any, **more: Any) -> dict[str, Any]:
    """Register a key, and give what was answered."""
    answer = door.post("/v1/signing-keys", offer(key, door.actor.party or "", **more))
    assert answer.status_code == 201, answer.text
    told: dict[str, Any] = answer.json()
    return told


def part(value: Any) -> str:
    """A part of a JWS, of JSON or bytes."""
    octets = value if isinstance(value, bytes) else json.dumps(value).encode()
    return base64.urlsafe_b64encode(octets).decode().rstrip("=")


class Authority:
    """Somebody who vouches for signers."""

    def __init__(self, name: str = "Trusted Root", now: datetime = NOW) -> None:
        self.key = made("ES256")
        self.now = now
        self.certificate = self._issue(name, self.key, name, ca=True, days=(-10, 3000))

    def issue(
        self,
        name: str,
        key: Any,
        days: tuple[float, float] = (-1, 300),
        *,
        stamps: bool = False,
    ) -> x509.Certificate:
        """A certificate, valid from and until so many days from now."""
        issuer = self.certificate.subject.get_attributes_for_oid(NameOID.COMMON_NAME)[0].value
        return self._issue(name, key, str(issuer), ca=False, days=days, stamps=stamps)

    def _issue(
        self,
        name: str,
        key: Any,
        issuer: str,
        *,
        ca: bool,
        days: tuple[float, float],
        stamps: bool = False,
    ) -> x509.Certificate:
        builder = (
            x509.CertificateBuilder()
            .subject_name(_named(name))
            .issuer_name(_named(issuer))
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(self.now + days[0] * DAY)
            .not_valid_after(self.now + days[1] * DAY)
            .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
            .add_extension(
                x509.KeyUsage(not ca, not ca, False, False, False, ca, ca, False, False),
                critical=True,
            )
        )
        if stamps:
            builder = builder.add_extension(
                x509.ExtendedKeyUsage([ExtendedKeyUsageOID.TIME_STAMPING]), critical=True
            )
        return builder.sign(self.key, hashes.SHA256())


def _named(name: str) -> x509.Name:
    return x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, name)])


def pem(*certificates: x509.Certificate) -> str:
    return "".join(one.public_bytes(PEM).decode() for one in certificates)


def letter(subject: str = "", text: str = "Attested.") -> bytes:
    """A PDF that names something in its properties."""
    out = io.BytesIO()
    drawn = canvas.Canvas(out)
    drawn.setSubject(subject)
    drawn.drawString(72, 720, text)
    drawn.showPage()
    drawn.save()
    return out.getvalue()


def _signer(key: Any, *certificates: x509.Certificate) -> signers.SimpleSigner:
    loaded = [asn1_x509.Certificate.load(one.public_bytes(DER)) for one in certificates]
    known = SimpleCertificateStore()  # type: ignore[no-untyped-call]
    known.register_multiple(loaded[1:])
    private = key.private_bytes(
        DER, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
    )
    return signers.SimpleSigner(
        signing_cert=loaded[0],
        signing_key=asn1_keys.PrivateKeyInfo.load(private),
        cert_registry=known,
    )


def sealed(
    pdf: bytes,
    key: Any,
    *certificates: x509.Certificate,
    field: str = "Signature1",
    stamper: timestamps.TimeStamper | None = None,
    **more: Any,
) -> bytes:
    """A PDF signed as PAdES prescribes, by the key of the first certificate."""
    out: io.BytesIO = signers.sign_pdf(
        IncrementalPdfFileWriter(io.BytesIO(pdf)),
        signers.PdfSignatureMetadata(
            field_name=field, subfilter=fields.SigSeedSubFilter.PADES, **more
        ),
        signer=_signer(key, *certificates),
        timestamper=stamper,
    )
    return out.getvalue()


def stamper(root: Authority, moment: datetime) -> timestamps.TimeStamper:
    """A time stamping service that says it is a moment."""
    key = made("PS256")
    loaded = _signer(key, root.issue("Time", key, (-400, 400), stamps=True), root.certificate)
    assert loaded.signing_cert is not None
    return timestamps.DummyTimeStamper(
        tsa_cert=loaded.signing_cert,
        tsa_key=loaded.signing_key,
        certs_to_embed=loaded.cert_registry,
        fixed_dt=moment,
    )


def turned(pdf: bytes) -> bytes:
    """A PDF with an update appended that turns its page."""
    writer: Any = IncrementalPdfFileWriter(io.BytesIO(pdf))
    page = writer.root["/Pages"]["/Kids"][0].get_object()
    written: Any = generic
    page["/Rotate"] = written.NumberObject(180)
    writer.update_container(page)
    return _written(writer)


def renamed(pdf: bytes, subject: str) -> bytes:
    """A PDF with an update appended that changes its properties."""
    writer: Any = IncrementalPdfFileWriter(io.BytesIO(pdf))
    written: Any = generic
    info = written.DictionaryObject(
        {written.NameObject("/Subject"): written.TextStringObject(subject)}
    )
    writer.set_info(writer.add_object(info))
    return _written(writer)


def _written(writer: Any) -> bytes:
    out = io.BytesIO()
    writer.write(out)
    return out.getvalue()


def with_proofs(pdf: bytes, root: Authority, *revoked: x509.Certificate) -> bytes:
    """A signed PDF to which its issuer's list of revoked certificates was added, as PAdES-LT does."""
    builder = (
        x509.CertificateRevocationListBuilder()
        .issuer_name(root.certificate.subject)
        .last_update(root.now - DAY / 2)
        .next_update(root.now + 30 * DAY)
    )
    for one in revoked:
        builder = builder.add_revoked_certificate(
            x509.RevokedCertificateBuilder()
            .serial_number(one.serial_number)
            .revocation_date(root.now - DAY / 2)
            .build()
        )
    crl = builder.sign(root.key, hashes.SHA256())
    out = io.BytesIO(pdf)
    DocumentSecurityStore.add_dss(
        out,
        sig_contents=None,
        certs=[asn1_x509.Certificate.load(root.certificate.public_bytes(DER))],
        crls=[asn1_crl.CertificateList.load(crl.public_bytes(DER))],
    )
    return out.getvalue()
