"""Keeping how parties stand. Rows are only ever added; the latest one counts."""

from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from app import journal
from app.parties.models import Party, PartyStanding
from app.parties.rules import Standing, worse


def latest(session: Session, party: str) -> PartyStanding | None:
    """Read how a party stands; nobody has said anything of one in good standing from the start."""
    return session.scalar(
        select(PartyStanding)
        .where(PartyStanding.party == party)
        .order_by(PartyStanding.id.desc())
        .limit(1)
    )


def history(session: Session, party: str) -> list[PartyStanding]:
    """List how a party stood, latest first."""
    query = select(PartyStanding).where(PartyStanding.party == party)
    return list(session.scalars(query.order_by(PartyStanding.id.desc()).limit(100)))


def lower(
    session: Session,
    party: str,
    standing: Standing,
    *,
    ground: str,
    source: str,
    actor: str,
    now: datetime,
) -> bool:
    """Let a party stand worse than before; answer whether it did not already.

    `source` names what unsettled it, as `obligation:` and an id: it alone can settle it again.
    """
    if not _held(session, party) or not worse(_standing(latest(session, party)), standing):
        return False
    _enter(session, party, standing, ground, source, actor, now)
    return True


def restore(
    session: Session, party: str, *, ground: str, source: str, actor: str, now: datetime
) -> bool:
    """Let a party stand well again; answer whether it did not already."""
    if not _held(session, party) or _standing(latest(session, party)) is Standing.GOOD:
        return False
    _enter(session, party, Standing.GOOD, ground, source, actor, now)
    return True


def unsettled_by(session: Session, party: str) -> set[str]:
    """Name everything that lowered a party's standing since it last was good."""
    found: set[str] = set()
    for row in history(session, party):
        if row.standing == Standing.GOOD:
            break
        found.add(row.source)
    return found


def _standing(row: PartyStanding | None) -> Standing:
    return Standing.GOOD if row is None else Standing(row.standing)


def _held(session: Session, party: str) -> bool:
    """Hold a party, so that two who would change its standing wait for each other."""
    query = select(Party.id).where(Party.reference == party).with_for_update(key_share=True)
    return session.scalar(query) is not None


def _enter(
    session: Session,
    party: str,
    standing: Standing,
    ground: str,
    source: str,
    actor: str,
    now: datetime,
) -> None:
    session.add(
        PartyStanding(
            party=party,
            standing=standing,
            since=now,
            ground=ground,
            source=source,
            decided_by=actor,
            recorded_at=now,
        )
    )
    session.flush()
    journal.append(
        session,
        actor=actor,
        action="party.standing",
        subject=f"party:{party}",
        party=party,
        body={"standing": standing, "ground": ground, "source": source},
        now=now,
    )
