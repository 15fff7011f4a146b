"""The accounts of people and their invitations, over HTTP, for those who administer them."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Response

from app.access.once import KeyUsedForOther, OnceDep
from app.access.rules import Actor
from app.clock import Now
from app.database import SessionDep
from app.people import invitations, service
from app.people.knocking import shown_once
from app.people.recognition import MayAdminister
from app.people.rules import (
    LastAdministrator,
    OwnRole,
    PartyAdministratorNeeded,
    PersonHasEnded,
    PersonUnknown,
    RoleUnfit,
    SignInTooOld,
)
from app.people.schemas import (
    InvitationIn,
    InvitationMade,
    InvitationOut,
    PersonEnded,
    PersonOut,
    RoleIn,
    SessionsEnded,
)
from app.wire import Limit, Page, page_after, problems
from app.wire.pages import CursorUnreadable, page_of

router = APIRouter(prefix="/v1/people", tags=["people"])

Administering = Annotated[Actor, Depends(MayAdminister())]
Id = Annotated[str, Path(max_length=40)]
REFUSED: tuple[Any, ...] = (PartyAdministratorNeeded, SignInTooOld, KeyUsedForOther)


@router.get("", responses=problems(CursorUnreadable, PartyAdministratorNeeded))
def browse(
    who: Administering,
    session: SessionDep,
    after: Annotated[str | None, Query()] = None,
    limit: Limit = 100,
) -> Page[PersonOut]:
    """List people by id: everybody, or for an exporter's own administrator those of its party."""
    (last,) = page_after(after, str) or (None,)
    rows = service.listed(session, actor=who, after=last, limit=limit)
    return page_of(rows, limit, PersonOut.model_validate, lambda row: (row.id,))


@router.post(
    "/invitations",
    response_model=InvitationMade,
    status_code=201,
    responses=problems(*REFUSED, RoleUnfit, invitations.SignInNameTaken),
)
def invite(
    given: InvitationIn, who: Administering, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """Invite somebody. The token is shown this once; hand it over yourself, it works for 7 days."""
    made: list[InvitationMade] = []

    def make_it() -> InvitationOut:
        row, token = invitations.invite(session, given, actor=who, now=now)
        shown = InvitationOut.model_validate(row)
        made.append(InvitationMade(**shown.model_dump(), token=token))
        return shown

    once(make_it, session=session, actor=who, now=now)  # the answer kept there has no token
    return shown_once(made[0], None)


@router.get("/invitations", responses=problems(PartyAdministratorNeeded))
def list_invitations(who: Administering, session: SessionDep) -> list[InvitationOut]:
    """List invitations, latest first, at most 500; their tokens are not shown again."""
    rows = invitations.listed(session, actor=who)
    return [InvitationOut.model_validate(row) for row in rows]


@router.post(
    "/invitations/{id}/revocation",
    responses=problems(*REFUSED, invitations.InvitationUnknown, invitations.InvitationUsed),
)
def revoke_invitation(id: Id, who: Administering, session: SessionDep, now: Now) -> InvitationOut:
    """End an invitation that was not accepted yet."""
    return InvitationOut.model_validate(invitations.revoke(session, id, actor=who, now=now))


@router.post(
    "/{id}/role",
    responses=problems(
        *REFUSED, PersonUnknown, PersonHasEnded, LastAdministrator, OwnRole, RoleUnfit
    ),
)
def change_role(
    id: Id, given: RoleIn, who: Administering, session: SessionDep, now: Now
) -> PersonOut:
    """Change what a person is. Their sessions end; the next sign-in is in the new role."""
    person = service.change_role(session, id, given, actor=who, now=now)
    return PersonOut.model_validate(person)


@router.post("/{id}/end", responses=problems(*REFUSED, PersonUnknown, LastAdministrator))
def end(id: Id, who: Administering, session: SessionDep, now: Now) -> PersonEnded:
    """End an account for good. Keys that person made go on; the answer names them."""
    person, keys = service.end(session, id, actor=who, now=now)
    return PersonEnded(person=PersonOut.model_validate(person), keys=keys)


@router.post(
    "/{id}/reset",
    response_model=InvitationMade,
    status_code=201,
    responses=problems(*REFUSED, PersonUnknown, PersonHasEnded),
)
def reset(id: Id, who: Administering, session: SessionDep, now: Now) -> Response:
    """Let somebody begin anew who lost password or passkeys: a token, shown this once."""
    person = service.held(session, id, actor=who)
    row, token = invitations.reset(session, person, actor=who, now=now)
    shown = InvitationOut.model_validate(row)
    made = InvitationMade(**shown.model_dump(), token=token)
    return shown_once(made, None)


@router.post("/{id}/sessions/revocation", responses=problems(*REFUSED, PersonUnknown))
def end_sessions(id: Id, who: Administering, session: SessionDep, now: Now) -> SessionsEnded:
    """Sign somebody out everywhere."""
    return SessionsEnded(ended=service.end_sessions(session, id, actor=who, now=now))
