"""What a monitor's next version finds in shadow, over HTTP, for those who decide on its release."""

from typing import Annotated, Literal

from fastapi import APIRouter, Query

from app.access.router import may
from app.access.rules import Actor, Role
from app.assessments import beside
from app.assessments.beside import Shadowed, ShadowUnknown
from app.database import SessionDep
from app.errors import Invalid
from app.wire import Limit, Moment, Out, problems
from app.wire.pages import page_of

router = APIRouter(prefix="/v1/condition-types", tags=["condition types"])

DecidesOnRelease = Annotated[
    Actor, may(Role.LICENSING_OFFICER, Role.REVIEWER, Role.SUPERVISOR, Role.AUDITOR)
]


class ShadowFindingOut(Out):
    """A finding made in shadow: made by the present version too, or by the next one alone."""

    license: str
    subject_kind: str
    subject: str
    reason: str
    source: str
    answer: str
    observed_at: Moment
    expected: str
    observed: str
    recorded_at: Moment
    beside: Literal["agrees", "only_shadow"]


class ShadowOut(Out):
    """What the next version of a kind found so far, counted, and a page of its findings."""

    kind: str
    version: int
    shadow_version: int
    agrees: int
    only_shadow: int
    items: list[ShadowFindingOut]
    next: str | None


@router.get("/{kind}/shadow", responses=problems(ShadowUnknown, Invalid))
def shadow(
    kind: str,
    reader: DecidesOnRelease,  # noqa: ARG001 what is found is the same for all of them
    session: SessionDep,
    after: Annotated[str | None, Query(description="The `next` of the page before")] = None,
    limit: Limit = 100,
) -> ShadowOut:
    """Show what a kind's next version found since it runs in shadow, beside the present one.

    Nobody is told of these findings otherwise: no deviation, alert or answer comes of them.
    """
    present, following = beside.versions(kind)
    agrees, only_shadow = beside.counts(session, following)
    rows = beside.listed(session, following, after=after, limit=limit)
    page = page_of(rows, limit, _show, beside.keys)
    return ShadowOut(
        kind=kind,
        version=present.version,
        shadow_version=following.version,
        agrees=agrees,
        only_shadow=only_shadow,
        items=page.items,
        next=page.next,
    )


def _show(one: Shadowed) -> ShadowFindingOut:
    names = [name for name in ShadowFindingOut.model_fields if name != "beside"]
    columns = {name: getattr(one, name) for name in names}
    return ShadowFindingOut(**columns, beside="agrees" if one.agrees else "only_shadow")
