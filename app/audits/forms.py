"""Forms as they were handed out to phones, filled forms as they came, and the files with them."""

from datetime import datetime
from typing import Any
from uuid import UUID

from sqlalchemy import ARRAY, CheckConstraint, ForeignKey, ForeignKeyConstraint, LargeBinary, Text
from sqlalchemy.orm import Mapped, mapped_column

from app.audits.models import Audit
from app.database import Base
from app.evidence.models import File
from app.licenses.models import License
from app.reports.models import Report


class Form(Base):
    """One version of the form of a license, for phones. What was handed out is never made anew.

    `digest` is the MD5 of `xform`, by which a phone knows whether it has it; `checklist` is what
    the form was made of, so that what it asked can be told when the license has long changed.
    """

    __tablename__ = "forms"

    license_id: Mapped[int] = mapped_column(ForeignKey(License.id), primary_key=True)
    version: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str]
    xform: Mapped[bytes] = mapped_column(LargeBinary, deferred=True)
    checklist: Mapped[dict[str, Any]] = mapped_column(deferred=True)
    made_at: Mapped[datetime]


class FormSubmission(Base):
    """A filled form, once by its instanceID; `digest` is the SHA-256 of its XML as it was sent.

    `audit_id` is the check it was filled for; `unlinked` says why its report could not be linked
    with that check, if so. No report is made of a form that only tells `observations`, which are
    what was seen of conditions that read no facts. `files` are the names of the files it speaks of,
    whether they came or not; `told` is the answer, the first time and each time it comes again.
    """

    __tablename__ = "form_submissions"
    __table_args__ = (
        ForeignKeyConstraint(["license_id", "form_version"], [Form.license_id, Form.version]),
        CheckConstraint("report_id IS NOT NULL OR unlinked IS NOT NULL", name="linked"),
    )

    instance_id: Mapped[str] = mapped_column(primary_key=True)
    license_id: Mapped[int]
    form_version: Mapped[str]
    audit_id: Mapped[UUID] = mapped_column(ForeignKey(Audit.id), index=True)
    report_id: Mapped[UUID | None] = mapped_column(ForeignKey(Report.id), unique=True)
    unlinked: Mapped[str | None]
    observations: Mapped[list[Any]]
    files: Mapped[list[str]] = mapped_column(ARRAY(Text))
    told: Mapped[str]
    digest: Mapped[bytes] = mapped_column(LargeBinary)
    xml: Mapped[str] = mapped_column(deferred=True)
    filed_by: Mapped[str]
    received_at: Mapped[datetime]


class FormAttachment(Base):
    """A file that came with a filled form, under its name in the form. It is never another one.

    The file itself is evidence, whether it was accepted or rejected.
    """

    __tablename__ = "form_attachments"

    instance_id: Mapped[str] = mapped_column(
        ForeignKey(FormSubmission.instance_id), primary_key=True
    )
    name: Mapped[str] = mapped_column(primary_key=True)
    digest: Mapped[str] = mapped_column(ForeignKey(File.digest), index=True)
    received_at: Mapped[datetime]
