"""Takes in filled forms: each once, as a report of kind *inspection*, with the files it names."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict
from datetime import datetime
from uuid import UUID

from sqlalchemy import select, tuple_
from sqlalchemy.orm import Session

from app import journal
from app.access.rules import Actor
from app.audits import attachments, form_reports, handing_out, matching, openrosa
from app.audits.answers import Observation, pictures_of
from app.audits.attachments import File
from app.audits.carrying import Visit, carry
from app.audits.form_reports import Filled
from app.audits.forms import Form, FormSubmission
from app.audits.matching import Candidate
from app.audits.models import Audit
from app.audits.openrosa import Submission
from app.audits.questions import Checklist
from app.audits.rules import State
from app.errors import Conflict, Invalid
from app.evidence.room import Room
from app.licenses import service as licenses
from app.licenses.models import License
from app.licenses.service import LicenseUnknown
from app.reports.schemas import ReportIn
from app.wire import page_after


class InstanceTaken(Conflict):
    """This instanceID belongs to a filled form that says something else."""


class FormVersionUnknown(Invalid):
    """No form of this version was handed out."""


def take(
    session: Session,
    xml: bytes,
    files: Mapping[str, File],
    *,
    room: Room,
    actor: Actor,
    now: datetime,
) -> str:
    """Take in a filled form with files; answers what to tell. The same form again may add files.

    Files that the form does not name are left out: whoever filled it in took them out of it.
    Raises what `openrosa.read`, `attachments.hand_in` and `attachments.enter` raise, FormUnknown,
    FormVersionUnknown, InstanceTaken, AnswerRefused, and all that filing a report raises.
    """
    submission = openrosa.read(xml)
    named = {name: files[name] for name in pictures_of(submission.instance) if name in files}
    instance_id = submission.instance_id
    done = attachments.hand_in(session, instance_id, named, room=room, actor=actor, now=now)
    license, audits = _held(session, submission, actor)
    row = session.get(FormSubmission, instance_id)
    if row is None:
        form, checklist = _asked(session, license, submission)
        filled = Filled(submission, xml, license, audits, form, checklist, actor, now)
        row = _filed(session, filled, done.digests)
    elif (row.license_id, row.digest) != (license.id, hashlib.sha256(xml).digest()):
        raise InstanceTaken(
            f"{row.instance_id} is on file with other answers. Fill in a new form; what is on file "
            "is corrected by a report that names it in `corrects`.",
            pointer="/meta/instanceID",
        )
    taken = {name: file for name, file in named.items() if name not in done.refused}
    attachments.enter(session, row, taken, actor=actor, now=now)
    refused = done.refused | attachments.rejected(session, instance_id)
    return row.told + _told_of(refused, sorted(files.keys() - named.keys()))


def _told_of(refused: Mapping[str, str], left_out: Sequence[str]) -> str:
    """Say which files were not taken, and why."""
    said = "".join(f" {name[:100]} was refused: {why}" for name, why in sorted(refused.items()))
    if refused:
        said += " Send a picture instead with another form."
    if left_out:
        names = ", ".join(name[:100] for name in left_out)
        said += f" Left out, since the form does not name it: {names}."
    return said


def _held(
    session: Session, submission: Submission, actor: Actor
) -> tuple[License, Sequence[Audit]]:
    """Hold the license, so that the same form sent at once waits here; find the sender's checks."""
    try:
        license = licenses.locked(session, submission.license, party=None)
    except LicenseUnknown as missing:
        raise handing_out.unknown(submission.license) from missing
    audits = handing_out.concerned(session, license, actor)
    if not audits:
        raise handing_out.unknown(submission.license)
    return license, audits


def _asked(session: Session, license: License, submission: Submission) -> tuple[Form, Checklist]:
    """Find the version of the form that was filled in, however old."""
    name = submission.form_version or ""
    found = handing_out.version(session, license, name)
    if found is None:
        raise FormVersionUnknown(
            f"No form of {license.number} has version {name[:60]!r}. Get the form from the list, "
            "and fill it in.",
            pointer="/@version",
        )
    return found


def _filed(session: Session, filled: Filled, digests: list[str]) -> FormSubmission:
    """File the report of a form, carry its check on, and enter the form."""
    report, seen = form_reports.read(filled, digests)
    audit = _audit(filled, report)
    id: UUID | None = None
    unlinked: str | None = form_reports.STATES_NOTHING
    if report is not None:
        id = form_reports.file(session, report, filled)
        visit = Visit(id, report.mode, *filled.submission.times(filled.now))
        unlinked = carry(session, audit.id, visit, actor=filled.actor, now=filled.now)
    row = _row(filled, audit, id, unlinked, seen)
    session.add(row)
    session.flush()
    _tell_journal(session, row, audit, filled)
    return row


def _audit(filled: Filled, report: ReportIn | None) -> Audit:
    """Find the check that the form is of."""
    said = report.statements if report is not None else []
    sites = {one.subject.site for one in said} | {one.facts.get("site") for one in said}
    candidates = [
        Candidate(
            id=one.id,
            number=one.number,
            site=one.site,
            planned_for=one.planned_for,
            created_at=one.created_at,
            closed=one.state == State.CLOSED,
            theirs=filled.actor.key in {one.assignee, one.offered_to},
        )
        for one in filled.audits
    ]
    begun_at, _ = filled.submission.times(filled.now)
    id = matching.choose(candidates, sites=sites, seen_at=begun_at)
    return next(one for one in filled.audits if one.id == id)


def _row(
    filled: Filled,
    audit: Audit,
    report: UUID | None,
    unlinked: str | None,
    seen: Sequence[Observation],
) -> FormSubmission:
    return FormSubmission(
        instance_id=filled.submission.instance_id,
        license_id=filled.license.id,
        form_version=filled.form.version,
        audit_id=audit.id,
        report_id=report,
        unlinked=unlinked,
        observations=[asdict(one) for one in seen],
        files=list(dict.fromkeys(pictures_of(filled.submission.instance))),
        told=form_reports.told(filled, audit, unlinked),
        digest=hashlib.sha256(filled.xml).digest(),
        xml=filled.xml.decode(),
        filed_by=filled.actor.name,
        received_at=filled.now,
    )


def _tell_journal(session: Session, row: FormSubmission, audit: Audit, filled: Filled) -> None:
    """Record the form, with what was seen of conditions that no report can speak of."""
    journal.append(
        session,
        actor=filled.actor.name,
        action="form.filed",
        subject=f"form:{row.instance_id}",
        body={
            "license": filled.license.number,
            "audit": audit.number,
            "form_version": row.form_version,
            "report": None if row.report_id is None else str(row.report_id),
            "unlinked": row.unlinked,
            "digest": f"sha256:{row.digest.hex()}",
            "observations": row.observations,
            "files": row.files,
        },
        now=filled.now,
    )


def of_audit(
    session: Session, audit: UUID, *, after: str | None, limit: int
) -> list[FormSubmission]:
    """List the forms filled in for a check, in the order they came; one more tells of a page more."""
    query = (
        select(FormSubmission)
        .where(FormSubmission.audit_id == audit)
        .order_by(FormSubmission.received_at, FormSubmission.instance_id)
        .limit(limit + 1)
    )
    keys = page_after(after, datetime, str)
    if keys is not None:
        query = query.where(
            tuple_(FormSubmission.received_at, FormSubmission.instance_id) > tuple_(*keys)
        )
    return list(session.scalars(query))
