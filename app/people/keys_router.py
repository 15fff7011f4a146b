"""Keys of machines, over HTTP."""

from typing import Annotated, Any

from fastapi import APIRouter, Depends, Path, Query, Request, Response

from app.access.models import Key
from app.access.once import KeyUsedForOther, OnceDep
from app.access.router import may
from app.access.rules import Actor, Role
from app.access.service import KeyEnded, KeyUnknown
from app.clock import Now
from app.database import SessionDep
from app.people import keys
from app.people.knocking import shown_once
from app.people.recognition import MayAdminister
from app.people.rules import PartyAdministratorNeeded, RoleUnfit, SignInTooOld
from app.people.schemas import KeyIn, KeyMade, KeyOut, RotationIn
from app.wire import Limit, Page, page_after, problems
from app.wire.pages import CursorUnreadable, page_of

router = APIRouter(prefix="/v1/keys", tags=["people"])

Maker = Annotated[Actor, Depends(MayAdminister())]
Holder = Annotated[Actor, may(*Role)]
Id = Annotated[str, Path(max_length=40)]
REFUSED: tuple[Any, ...] = (SignInTooOld, keys.ScopeTooWide, KeyUsedForOther)
NO_STORE = {"Cache-Control": "no-store"}


@router.post(
    "",
    response_model=KeyMade,
    status_code=201,
    responses=problems(*REFUSED, PartyAdministratorNeeded, RoleUnfit, keys.ScopeUnknown),
)
def make(
    given: KeyIn, request: Request, who: Maker, session: SessionDep, now: Now, once: OnceDep
) -> Response:
    """Make a key for a machine; its token is shown this once."""
    made: list[KeyMade] = []

    def make_it() -> KeyOut:
        row, token = keys.make(session, given, scopes=request.app.state.scopes, actor=who, now=now)
        made.append(_with_token(row, token))
        return KeyOut.model_validate(row)

    once(make_it, session=session, actor=who, now=now)  # the answer kept there has no token
    return shown_once(made[0], None)


@router.get("", responses=problems(CursorUnreadable))
def browse(
    who: Holder,
    session: SessionDep,
    after: Annotated[str | None, Query()] = None,
    limit: Limit = 100,
) -> Page[KeyOut]:
    """List keys: all for an administrator, its party's for an exporter's own; else one's own."""
    (last,) = page_after(after, str) or (None,)
    rows = keys.listed(session, actor=who, after=last, limit=limit)
    return page_of(rows, limit, KeyOut.model_validate, lambda row: (row.id,))


@router.post(
    "/{id}/rotation",
    response_model=KeyMade,
    responses=problems(*REFUSED, KeyUnknown, KeyEnded),
)
def rotate(id: Id, given: RotationIn, who: Holder, session: SessionDep, now: Now) -> Response:
    """Give a key another secret, shown this once; the one before works on for the grace given."""
    row, token = keys.rotate(session, id, grace_hours=given.grace_hours, actor=who, now=now)
    made = _with_token(row, token)
    return Response(made.model_dump_json(), 200, NO_STORE, "application/json")


@router.post("/{id}/revocation", responses=problems(*REFUSED, KeyUnknown))
def revoke(id: Id, who: Holder, session: SessionDep, now: Now) -> KeyOut:
    """End a key at once and for good."""
    return KeyOut.model_validate(keys.revoke(session, id, actor=who, now=now))


def _with_token(row: Key, token: str) -> KeyMade:
    return KeyMade(**KeyOut.model_validate(row).model_dump(), token=token)
