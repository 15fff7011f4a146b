"""Recording screenings of parties, and what was decided on their hits.

Nobody outside the authority learns of it here: journal entries belong to no party.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import journal
from app.access import service as access
from app.access.rules import Actor
from app.errors import Conflict, Invalid, Unknown
from app.licenses import service as licenses
from app.parties.models import HitDecision, Party, Screening, ScreeningHit
from app.screening.schemas import (
    HitDecisionIn,
    HitDecisionOut,
    HitIn,
    HitOut,
    ScreeningIn,
    ScreeningOut,
)
from app.shipments import filing
from app.wire import Page, page_after
from app.wire.pages import page_of


class PartyUnknown(Invalid):
    """No party of this reference is on file."""


class ListNotScreened(Invalid):
    """A hit names a list that the party was not compared with."""


class HitUnknown(Unknown):
    """There is no such hit of this screening."""


class HitDecided(Conflict):
    """The hit is already decided this way."""


def record(
    session: Session, screening: ScreeningIn, *, actor: Actor, now: datetime
) -> ScreeningOut:
    """Record that a party was compared with lists; each license it stands on is seen to."""
    _check(session, screening, now)
    row = Screening(
        party=screening.party,
        lists=screening.lists,
        screened_at=screening.screened_at,
        screened_by=actor.name,
        received_at=now,
    )
    session.add(row)
    session.flush()
    hits = [ScreeningHit(screening_id=row.id, **hit.model_dump()) for hit in screening.hits]
    session.add_all(hits)
    session.flush()
    licenses.attend_all_of(session, row.party, now)
    body = screening.model_dump(mode="json") | {"hit_ids": [hit.id for hit in hits]}
    _tell(session, row, "screening.recorded", body, actor, now)
    return _show(row, hits, {})


def _check(session: Session, screening: ScreeningIn, now: datetime) -> None:
    """Refuse what cannot be, and parties nobody knows."""
    known = session.scalar(select(Party.id).where(Party.reference == screening.party))
    if known is None:
        raise PartyUnknown(
            f"{screening.party!r} is not on file. Parties become known by the licenses that name "
            "them; check the reference.",
            pointer="/party",
        )
    filing.check_moment(screening.screened_at, now, "/screened_at")
    for index, hit in enumerate(screening.hits):
        _check_hit(hit, index, screening, now)


def _check_hit(hit: HitIn, index: int, screening: ScreeningIn, now: datetime) -> None:
    if hit.list not in screening.lists:
        raise ListNotScreened(
            f"{hit.list!r} is not among the lists {', '.join(screening.lists)}. Name it there, if "
            "the party was compared with it.",
            pointer=f"/hits/{index}/list",
        )
    if hit.listed_on is not None:
        filing.check_day(hit.listed_on, now, f"/hits/{index}/listed_on")


def decide(
    session: Session,
    screening_id: int,
    hit_id: int,
    decision: HitDecisionIn,
    *,
    actor: Actor,
    now: datetime,
) -> HitDecisionOut:
    """Say whether a hit is the party, as somebody who did not screen it; it may be thought over."""
    screening = _to_decide(session, screening_id, hit_id, decision, actor)
    row = HitDecision(
        hit_id=hit_id,
        confirmed=decision.confirmed,
        ground=decision.ground,
        decided_by=actor.name,
        decided_at=now,
    )
    session.add(row)
    session.flush()
    licenses.attend_all_of(session, screening.party, now)
    body = decision.model_dump(mode="json") | {"party": screening.party, "hit": hit_id}
    _tell(session, screening, "screening.hit_decided", body, actor, now)
    return HitDecisionOut.model_validate(row)


def _to_decide(
    session: Session, screening_id: int, hit_id: int, decision: HitDecisionIn, actor: Actor
) -> Screening:
    """Hold the hit, and refuse a decision that says nothing new, or is not this person's."""
    hit = session.get(ScreeningHit, hit_id, with_for_update=True)
    if hit is None or hit.screening_id != screening_id:
        raise HitUnknown(f"Screening {screening_id} has no hit {hit_id}.")
    screening = session.get_one(Screening, screening_id)
    if access.is_same_person(session, screening.screened_by, actor):
        raise filing.SecondPersonNeeded("Ask somebody else to decide on it.")
    earlier = _standing(session, [screening_id]).get(hit_id)
    if earlier is not None and earlier.confirmed == decision.confirmed:
        word = "confirmed" if earlier.confirmed else "found to be somebody else"
        raise HitDecided(
            f"{earlier.decided_by} has decided: {word}. Decide only what is otherwise.",
            pointer="/confirmed",
        )
    return screening


def _tell(
    session: Session,
    screening: Screening,
    action: str,
    body: dict[str, Any],
    actor: Actor,
    now: datetime,
) -> None:
    """Write to the journal, without a party: one that is screened must not learn of it there."""
    journal.append(
        session,
        actor=actor.name,
        action=action,
        subject=f"screening:{screening.id}",
        party=None,
        body=body,
        now=now,
    )


def listed(
    session: Session, *, party: str | None, after: str | None, limit: int
) -> Page[ScreeningOut]:
    """List screenings with their hits, latest recorded first."""
    query = select(Screening).order_by(Screening.id.desc()).limit(limit + 1)
    if party is not None:
        query = query.where(Screening.party == party)
    keys = page_after(after, int)
    if keys is not None:
        query = query.where(Screening.id < keys[0])
    rows = session.scalars(query).all()
    hits: dict[int, list[ScreeningHit]] = {row.id: [] for row in rows}
    for hit in session.scalars(
        select(ScreeningHit).where(ScreeningHit.screening_id.in_(hits)).order_by(ScreeningHit.id)
    ):
        hits[hit.screening_id].append(hit)
    decisions = _standing(session, hits)
    return page_of(
        rows, limit, lambda row: _show(row, hits[row.id], decisions), lambda row: (row.id,)
    )


def _standing(session: Session, screenings: Iterable[int]) -> dict[int, HitDecision]:
    """Give the decision that counts, the latest, of each hit of these screenings that has one."""
    rows = session.scalars(
        select(HitDecision)
        .join(ScreeningHit, ScreeningHit.id == HitDecision.hit_id)
        .where(ScreeningHit.screening_id.in_(list(screenings)))
        .order_by(HitDecision.id)
    )
    return {row.hit_id: row for row in rows}


def _show(
    row: Screening, hits: Sequence[ScreeningHit], decisions: dict[int, HitDecision]
) -> ScreeningOut:
    return ScreeningOut(
        id=row.id,
        party=row.party,
        lists=row.lists,
        screened_at=row.screened_at,
        screened_by=row.screened_by,
        received_at=row.received_at,
        hits=[_show_hit(hit, decisions.get(hit.id)) for hit in hits],
    )


def _show_hit(hit: ScreeningHit, decision: HitDecision | None) -> HitOut:
    return HitOut(
        id=hit.id,
        list=hit.list,
        entry=hit.entry,
        listed_on=hit.listed_on,
        owner=hit.owner,
        decision=None if decision is None else HitDecisionOut.model_validate(decision),
    )
