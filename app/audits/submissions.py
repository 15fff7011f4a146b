"""Takes in filled forms: each once, as a report of kind *inspection*, with the pictures of it.

The evidence store is not there yet, so pictures are kept here, by the SHA-256 of their content.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from uuid import UUID

from sqlalchemy import ColumnElement, case, or_, select, true
from sqlalchemy.dialects.postgresql import insert as upsert
from sqlalchemy.orm import Session

from app import journal
from app.access.once import Replay
from app.access.rules import Actor
from app.audits import checklist as checklists
from app.audits import openrosa, xform
from app.audits.answers import observations_of, pictures_of, report_of
from app.audits.forms_models import FormMedium, FormSubmission
from app.audits.models import Audit
from app.audits.openrosa import Listed, Submission, SubmissionTooLarge
from app.audits.questions import Checklist
from app.errors import Conflict
from app.licenses.models import License
from app.licenses.rules import LAPSES
from app.reports import rules, service
from app.reports.schemas import ReportOut

LISTED_AT_MOST = 50
"""Each form must be made for its hash, and nobody chooses from more on a phone."""


class InstanceTaken(Conflict):
    """This instanceID belongs to a filled form, or to a picture of it, that says something else."""


@dataclass(frozen=True, slots=True)
class Medium:
    """A file that came with a filled form."""

    media_type: str
    content: bytes

    @property
    def digest(self) -> bytes:
        """Hash the content with SHA-256."""
        return hashlib.sha256(self.content).digest()


def forms(session: Session, actor: Actor, *, only: str | None, now: datetime) -> list[Listed]:
    """List the forms of licenses in force, those first whose checks concern the actor.

    `only` asks for one license by number. At most LISTED_AT_MOST are listed.
    """
    numbers = session.scalars(
        select(License.number)
        .where(License.state.in_(LAPSES), true() if only is None else License.number == only)
        .order_by(case((_concerns(actor), 0), else_=1), License.number)
        .limit(LISTED_AT_MOST)
    )
    return [
        listed(checklists.load(session, number, party=actor.reads_only, now=now))
        for number in list(numbers)
    ]


def _concerns(actor: Actor) -> ColumnElement[bool]:
    """Say whether the actor has a check of the license to make, or is offered one."""
    mine = or_(Audit.assignee == actor.name, Audit.offered_to == actor.name)
    return (
        select(Audit.id).where(Audit.license_id == License.id, mine, Audit.closed_at.is_(None))
    ).exists()


def listed(checklist: Checklist) -> Listed:
    """Tell of a form what a phone needs to know whether it has it."""
    digest = hashlib.md5(xform.form(checklist), usedforsecurity=False).hexdigest()
    name = f"Endwatch: check of {checklist.license}"
    return Listed(checklist.license, checklist.form_id, name, checklist.version, digest)


def take(
    session: Session, xml: bytes, media: Mapping[str, Medium], *, actor: Actor, now: datetime
) -> str:
    """Take in a filled form with files; answers what to say. The same form again adds files only.

    Files that the form does not name are left out: phones send whatever lies beside the form.
    Raises InstanceTaken, SubmissionTooLarge, AnswerRefused, and all that filing a report raises.
    """
    rules.check_kind(actor.role, "inspection")
    submission = openrosa.read(xml)
    checklist = checklists.load(session, submission.license, party=actor.reads_only, now=now)
    wanted = set(pictures_of(submission.instance))
    pictures = {name: one for name, one in media.items() if name in wanted}
    row = _entered(session, submission, xml, actor, now)
    if row.report_id is None:
        row.report_id = _file(session, submission, checklist, [*pictures.values()], actor, now)
        _tell_journal(session, row, submission, checklist, actor, now)
    _keep(session, row, pictures, actor, now)
    left_out = len(media) - len(pictures)
    told = f"Filed as inspection {submission.reference} of {submission.license}."
    return f"{told} Files it does not name were left out: {left_out}." if left_out else told


def _entered(
    session: Session, submission: Submission, xml: bytes, actor: Actor, now: datetime
) -> FormSubmission:
    """Enter the form, or find it entered; whoever sends the same one meanwhile waits here."""
    digest = hashlib.sha256(xml).digest()
    license = select(License.id).where(License.number == submission.license).scalar_subquery()
    values = {
        "instance_id": submission.instance_id,
        "license_id": license,
        "form_version": submission.form_version,
        "digest": digest,
        "xml": xml.decode(),
        "filed_by": actor.name,
        "received_at": now,
    }
    session.execute(upsert(FormSubmission).values(values).on_conflict_do_nothing())
    row = session.get_one(FormSubmission, submission.instance_id, with_for_update=True)
    if row.digest != digest:
        raise InstanceTaken(
            f"{submission.instance_id} was filed with other answers. Fill in a new form; "
            "what is on file is corrected by a report that names it in `corrects`.",
            pointer="/meta/instanceID",
        )
    return row


def _file(
    session: Session,
    submission: Submission,
    checklist: Checklist,
    pictures: Sequence[Medium],
    actor: Actor,
    now: datetime,
) -> UUID:
    """File the report; one of the same words that came by another way is the same report."""
    started = submission.started_at or submission.ended_at or now
    report = report_of(
        submission.instance,
        checklist,
        reference=submission.reference,
        observed_at=started,
        captured_at=submission.ended_at or now,
    )
    digests = sorted({f"sha256:{one.digest.hex()}" for one in pictures})
    report = report.model_copy(update={"evidence": digests})
    try:
        return service.file(session, report, actor=actor, now=now).id
    except Replay as known:
        return ReportOut.model_validate_json(known.body).id


def _tell_journal(
    session: Session,
    row: FormSubmission,
    submission: Submission,
    checklist: Checklist,
    actor: Actor,
    now: datetime,
) -> None:
    """Record the form, with what was seen of conditions that no report can speak of."""
    seen = observations_of(submission.instance, checklist)
    journal.append(
        session,
        actor=actor.name,
        action="form.filed",
        subject=f"report:{row.report_id}",
        body={
            "instance_id": row.instance_id,
            "form_version": row.form_version,
            "current_version": checklist.version,
            "digest": f"sha256:{row.digest.hex()}",
            "observations": [asdict(one) for one in seen],
        },
        now=now,
    )


def _keep(
    session: Session,
    row: FormSubmission,
    pictures: Mapping[str, Medium],
    actor: Actor,
    now: datetime,
) -> None:
    """Keep the pictures that are new; one that is there must be the same."""
    known = {
        one.name: one
        for one in session.scalars(
            select(FormMedium).where(FormMedium.instance_id == row.instance_id)
        )
    }
    size = sum(one.size for one in known.values())
    for name, one in pictures.items():
        if name in known:
            if known[name].digest != one.digest:
                raise InstanceTaken(f"{name} of {row.instance_id} is another picture already.")
            continue
        size += len(one.content)
        if size > openrosa.MEDIA_LIMIT:
            raise SubmissionTooLarge(
                f"A form takes at most {openrosa.MEDIA_LIMIT:,} bytes of files."
            )
        session.add(_medium(row, name, one, actor, now))
        _tell_of_medium(session, row, name, one, actor, now)


def _medium(row: FormSubmission, name: str, one: Medium, actor: Actor, now: datetime) -> FormMedium:
    return FormMedium(
        instance_id=row.instance_id,
        name=name,
        digest=one.digest,
        media_type=one.media_type,
        size=len(one.content),
        content=one.content,
        filed_by=actor.name,
        received_at=now,
    )


def _tell_of_medium(
    session: Session, row: FormSubmission, name: str, one: Medium, actor: Actor, now: datetime
) -> None:
    journal.append(
        session,
        actor=actor.name,
        action="form.picture_kept",
        subject=f"report:{row.report_id}",
        body={
            "instance_id": row.instance_id,
            "name": name,
            "digest": f"sha256:{one.digest.hex()}",
            "size": len(one.content),
        },
        now=now,
    )
