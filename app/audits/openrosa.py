"""What is said to phones and by them, as OpenRosa 1.0 has it: form lists, answers, filled forms. Pure.

Source: docs.getodk.org/openrosa, pages form-list, form-submission, http-request and metadata.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from urllib.parse import quote
from xml.etree.ElementTree import Element, ParseError, SubElement, tostring

from defusedxml import DefusedXmlException
from defusedxml.ElementTree import fromstring

from app.audits.reading import children, text_of
from app.audits.wording import printable
from app.errors import Invalid, Malformed, TooLarge

PREFIX = "/openrosa"
SUBMISSION = f"{PREFIX}/submission"
MEDIA_TYPE = "text/xml"
LIST_SPACE = "http://openrosa.org/xforms/xformsList"
MANIFEST_SPACE = "http://openrosa.org/xforms/xformsManifest"
ANSWER_SPACE = "http://openrosa.org/http/response"

XML_LIMIT = 2 * 2**20
FILES_LIMIT = 50 * 2**20
POST_LIMIT = FILES_LIMIT + XML_LIMIT + 2**18
"""Bytes: the filled form; the files of one post; one post with all its parts."""

HEADERS = {"X-OpenRosa-Version": "1.0", "X-OpenRosa-Accept-Content-Length": str(POST_LIMIT)}
"""Headers of every answer. `Date` is written by the HTTP server itself."""

FORM_ID = re.compile(r"endwatch_(\S{1,100})")
INSTANCE_ID = re.compile(r"(?:uuid:)?([A-Za-z0-9][A-Za-z0-9._:/+-]{7,63})")
SUCCESS, ERROR = "submit_success", "submit_error"


class SubmissionMalformed(Malformed):
    """The filled form is missing, or is not XML that is taken here."""


class SubmissionUnfit(Invalid):
    """The filled form does not say which form or which instance it is, or when it was filled."""


class SubmissionTooLarge(TooLarge):
    """The filled form or one post of it is larger than this address takes."""


@dataclass(frozen=True, slots=True)
class Listed:
    """A form that can be had. `digest` is the MD5 of its XML in hexadecimal, as phones compare it."""

    license: str
    form_id: str
    version: str
    digest: str


@dataclass(frozen=True, slots=True)
class Submission:
    """A filled form, read: which one it is, of which license, and when it was filled."""

    instance_id: str
    license: str
    form_version: str | None
    started_at: datetime | None
    ended_at: datetime | None
    instance: Element

    @property
    def reference(self) -> str:
        """Name the report that is made of it."""
        return self.instance_id.removeprefix("uuid:")

    def times(self, now: datetime) -> tuple[datetime, datetime]:
        """Say when it was begun and when written down, never later than now.

        A phone writes these times itself and lets nobody change them. What has come cannot have
        been seen later, so a clock that is ahead costs nobody an entry.
        """
        ended = min(self.ended_at or now, now)
        return min(self.started_at or ended, ended), ended

    def ahead(self, now: datetime) -> bool:
        """Say whether the phone's clock was ahead of ours."""
        return any(
            moment is not None and moment > now for moment in (self.started_at, self.ended_at)
        )


def form_list(forms: Iterable[Listed], base: str) -> bytes:
    """Write the list of forms; `base` is the address of the service."""
    root = Element("xforms", {"xmlns": LIST_SPACE})
    for form in forms:
        address = f"{base.rstrip('/')}{PREFIX}/forms/{quote(form.license, safe='')}"
        _tell(
            SubElement(root, "xform"),
            formID=form.form_id,
            name=f"Endwatch: check of {form.license}",
            version=form.version,
            hash=f"md5:{form.digest}",
            downloadUrl=address,
            manifestUrl=f"{address}/manifest",
        )
    return _written(root)


def manifest() -> bytes:
    """Write the manifest of a form: it needs no further files."""
    return _written(Element("manifest", {"xmlns": MANIFEST_SPACE}))


def response(message: str, nature: str) -> bytes:
    """Write what the phone shows to whoever holds it."""
    root = Element("OpenRosaResponse", {"xmlns": ANSWER_SPACE})
    SubElement(root, "message", {"nature": nature}).text = printable(message)
    return _written(root)


def _tell(element: Element, **texts: str) -> None:
    for name, text in texts.items():
        SubElement(element, name).text = text


def _written(root: Element) -> bytes:
    return bytes(tostring(root, encoding="utf-8", xml_declaration=True))


def read(xml: bytes) -> Submission:
    """Read a filled form: UTF-8, no document type, no entities.

    Raises SubmissionTooLarge, SubmissionMalformed, SubmissionUnfit.
    """
    instance = _parsed(xml)
    form = FORM_ID.fullmatch(instance.get("id", ""))
    if form is None:
        raise SubmissionUnfit(
            "This is no form that was made here. Get the form from the list, and fill it in.",
            pointer="/@id",
        )
    return Submission(
        instance_id=_instance_id(instance),
        license=form[1],
        form_version=instance.get("version"),
        started_at=_moment(instance, "start"),
        ended_at=_moment(instance, "end"),
        instance=instance,
    )


def _parsed(xml: bytes) -> Element:
    if len(xml) > XML_LIMIT:
        raise SubmissionTooLarge(
            f"A filled form has at most {XML_LIMIT:,} bytes without its files. Fill in two."
        )
    try:
        xml.decode("utf-8")
        instance: Element = fromstring(xml, forbid_dtd=True)
    except (ParseError, UnicodeDecodeError) as error:
        raise SubmissionMalformed(f"The filled form is not XML in UTF-8: {error}.") from error
    except (DefusedXmlException, ValueError, LookupError) as error:
        raise SubmissionMalformed(
            "Document types, entities and other encodings are not taken here."
        ) from error
    return instance


def _instance_id(instance: Element) -> str:
    """Find the instanceID of the metadata block; filled forms are told apart by nothing else."""
    found = next((text_of(meta, "instanceID") for meta in children(instance, "meta")), None)
    if found is None or INSTANCE_ID.fullmatch(found) is None:
        raise SubmissionUnfit(
            "Give an instanceID: uuid: and 8 to 64 letters, digits and . _ : / + -",
            pointer="/meta/instanceID",
        )
    return found


def _moment(instance: Element, name: str) -> datetime | None:
    """Read when the form was opened or saved; a time without its offset tells no moment."""
    text = text_of(instance, name)
    if text is None:
        return None
    try:
        moment = datetime.fromisoformat(text)
        if moment.tzinfo is not None:
            return moment.astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise SubmissionUnfit(f"{text[:40]!r} is not a time.", pointer=f"/{name}") from error
    raise SubmissionUnfit("Give the time with its offset from UTC.", pointer=f"/{name}")
