"""A party's whole record: how it stands, where it takes part, what is owed and what was found."""

from typing import Any, NamedTuple

from sqlalchemy import Select, and_, func, select
from sqlalchemy.orm import Session

from app.deviations.models import Deviation
from app.errors import Unknown
from app.licenses.models import License, LicenseParty
from app.obligations import service, shows
from app.obligations.models import Obligation
from app.obligations.schemas import DeviationBrief, PartyOut, RoleOut, StandingOut
from app.obligations.shows import Listed
from app.parties import standings
from app.parties.models import Party
from app.parties.rules import Standing

AT_MOST = 200
OPEN = and_(
    Deviation.closed_at.is_(None),
    Deviation.cleared_at.is_(None),
    Deviation.withdrawn_at.is_(None),
)


class PartyUnknown(Unknown):
    """There is no such party, or it is not yours to see."""


class Shown(NamedTuple):
    """Rows to show, and whether there are more."""

    rows: list[Any]
    more: bool


def read(session: Session, reference: str, *, party: str | None) -> PartyOut:
    """Read a party; a party itself reads its own record alone (`party`), without what is secret."""
    row = session.scalar(select(Party).where(Party.reference == reference))
    if row is None or party not in {None, reference}:
        raise PartyUnknown(f"There is no party {reference!r} here.")
    past = standings.history(session, reference)
    roles, owed = _roles(session, row), _obligations(session, row, party)
    found = _shown(session, _deviations(row, party).where(OPEN))
    lists = {"roles": roles, "obligations": owed, "deviations": found}
    return PartyOut(
        reference=row.reference,
        name=row.name,
        country=row.country,
        standing=past[0].standing if past else Standing.GOOD,
        since=past[0].since if past else row.created_at,
        ground=past[0].ground if past else None,
        standings=[StandingOut.model_validate(one) for one in past],
        roles=[RoleOut(license=one[0], state=one[1], role=one[2]) for one in roles.rows],
        obligations=[shows.show(Listed(*one)) for one in owed.rows],
        deviations=[DeviationBrief.model_validate(one) for (one,) in found.rows],
        past_deviations=_count(session, _deviations(row, party).where(~OPEN)),
        more=[name for name, shown in lists.items() if shown.more],
    )


def _shown(session: Session, query: Select[*tuple[Any, ...]]) -> Shown:
    rows = list(session.execute(query.limit(AT_MOST + 1)))
    return Shown(rows[:AT_MOST], more=len(rows) > AT_MOST)


def _count(session: Session, query: Select[*tuple[Any, ...]]) -> int:
    counted = select(func.count()).select_from(query.order_by(None).subquery())
    return session.scalar(counted) or 0


def _taking_part(row: Party) -> Select[int]:
    return select(LicenseParty.license_id).where(LicenseParty.party_id == row.id)


def _roles(session: Session, row: Party) -> Shown:
    query = (
        select(License.number, License.state, LicenseParty.role)
        .join(LicenseParty, LicenseParty.license_id == License.id)
        .where(LicenseParty.party_id == row.id)
        .order_by(License.number, LicenseParty.id)
    )
    return _shown(session, query)


def _obligations(session: Session, row: Party, party: str | None) -> Shown:
    """Read what is not settled on its licenses; to the party itself, what its own licenses ask."""
    query = (
        service.visible(party)
        .where(Obligation.settled_at.is_(None), Obligation.license_id.in_(_taking_part(row)))
        .order_by(Obligation.due_at, Obligation.id)
    )
    return _shown(session, query)


def _deviations(row: Party, party: str | None) -> Select[Deviation]:
    query = select(Deviation).where(Deviation.license_id.in_(_taking_part(row)))
    if party is not None:
        query = query.where(Deviation.exporter == party)
    return query.order_by(Deviation.raised_at.desc(), Deviation.id)
