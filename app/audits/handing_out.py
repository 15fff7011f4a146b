"""Which forms a phone is given: those of the checks that are its holder's to make.

A form is made once a version and kept: phones hold on to it for weeks without network, and what
they send must be read as it was asked.
"""

import hashlib
from datetime import datetime

from pydantic import TypeAdapter
from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import journal
from app.access.rules import Actor
from app.audits import checklist as checklists
from app.audits import xform
from app.audits.forms import Form
from app.audits.models import Audit, AuditStep
from app.audits.openrosa import Listed
from app.audits.questions import Checklist
from app.audits.rules import State
from app.errors import Unknown
from app.licenses import service as licenses
from app.licenses.models import License

_json: TypeAdapter[Checklist] = TypeAdapter(Checklist)


class FormUnknown(Unknown):
    """There is no such form, or it belongs to a check that is not yours."""


def unknown(number: str) -> FormUnknown:
    """Say the same whether there is no such form or it is somebody else's."""
    return FormUnknown(
        f"There is no form of {number[:100]} for you. If the check was yours under another key, "
        "have it handed over to this one; then send again. What was filled in stays on the phone."
    )


def _to_make(actor: Actor) -> ColumnElement[bool]:
    """Choose the checks that are the actor's to make, or offered to them."""
    nobodys = and_(Audit.assignee.is_(None), Audit.offered_to.is_(None))
    return and_(
        Audit.state != State.CLOSED,
        or_(
            Audit.assignee == actor.key,
            Audit.offered_to == actor.key,
            and_(nobodys, Audit.opened_by == actor.key),
        ),
    )


def concerned(session: Session, license: License, actor: Actor) -> list[Audit]:
    """List the checks of a license that are or once were the actor's, or offered to them.

    Who fills in a form without network may send it when the check is in other hands, or closed.
    """
    involved = (
        select(AuditStep.id)
        .where(
            AuditStep.audit_id == Audit.id,
            or_(AuditStep.by == actor.key, AuditStep.to == actor.key),
        )
        .exists()
    )
    query = select(Audit).where(Audit.license_id == license.id, involved)
    return list(session.scalars(query.order_by(Audit.number)))


def listed(session: Session, actor: Actor, *, form_id: str | None, now: datetime) -> list[Listed]:
    """List the forms of the checks the actor has to make; `form_id` asks for one of them."""
    numbers = session.scalars(
        select(License.number)
        .where(select(Audit.id).where(Audit.license_id == License.id, _to_make(actor)).exists())
        .order_by(License.number)
    ).all()
    found = []
    for number in numbers:
        if form_id in {None, f"endwatch_{number}"}:
            form, checklist = _current(session, number, actor, now)
            found.append(Listed(number, checklist.form_id, form.version, form.digest))
    return found


def current(session: Session, number: str, actor: Actor, *, now: datetime) -> bytes:
    """Give the form of a license as it is now, as an XForm. Raises FormUnknown."""
    check(session, number, actor)
    return _current(session, number, actor, now)[0].xform


def check(session: Session, number: str, actor: Actor) -> None:
    """Refuse a form of a license under which the actor has no check to make."""
    query = select(Audit.id).join(License, License.id == Audit.license_id)
    if session.scalar(query.where(License.number == number, _to_make(actor)).limit(1)) is None:
        raise unknown(number)


def version(session: Session, license: License, name: str) -> tuple[Form, Checklist] | None:
    """Find a version of a license's form that was made, with what it was made of."""
    form = session.get(Form, (license.id, name))
    return None if form is None else (form, _json.validate_python(form.checklist))


def _current(session: Session, number: str, actor: Actor, now: datetime) -> tuple[Form, Checklist]:
    """Find the form of a license as it is now, or make it and keep it."""
    license = licenses.read(session, number, party=None)
    checklist = checklists.of_license(session, license, now=now)
    key = (license.id, checklist.version)
    form = session.get(Form, key)
    if form is None:
        _keep(session, license, checklist, actor, now)
        form = session.get_one(Form, key)
    return form, checklist


def _keep(
    session: Session, license: License, checklist: Checklist, actor: Actor, now: datetime
) -> None:
    """Keep a form; of two that are made at once, the first is the one."""
    xml = xform.form(checklist)
    digest = hashlib.md5(xml, usedforsecurity=False).hexdigest()
    values = {
        "license_id": license.id,
        "version": checklist.version,
        "digest": digest,
        "xform": xml,
        "checklist": _json.dump_python(checklist, mode="json"),
        "made_at": now,
    }
    made = session.scalar(
        insert(Form).values(values).on_conflict_do_nothing().returning(Form.version)
    )
    if made is not None:
        journal.append(
            session,
            actor=actor.name,
            action="form.made",
            subject=f"license:{license.number}",
            body={"version": made, "digest": f"md5:{digest}"},
            now=now,
        )
