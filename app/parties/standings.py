"""Keeping how parties stand. Rows are only ever added; the latest one counts.

A party is lowered by the first cause that is grave enough and restored by the last that ends. Each
cause is kept with the party until whoever raised it says that it has ended, so that nobody needs to
look into the rooms of the others.
"""

from datetime import datetime

from sqlalchemy import select, update
from sqlalchemy.dialects.postgresql import insert
from sqlalchemy.orm import Session

from app import journal
from app.parties.models import Party, PartyCause, PartyStanding
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

    `source` names what unsettles it, as `obligation:` and an id: it does so until it has ended.
    """
    if not _held(session, party):
        return False
    _begin(session, party, standing, source, now)
    if not worse(_standing(latest(session, party)), standing):
        return False
    _enter(session, party, standing, ground, source, actor, now)
    return True


def end(session: Session, source: str, *, ground: str, actor: str, now: datetime) -> int:
    """End a cause; answer how many parties stand well again, whom nothing else unsettles."""
    restored = 0
    for party in _unsettled_by(session, source):
        if not _held(session, party):
            continue
        _close(session, party, source, now)
        if _open(session, party) or _standing(latest(session, party)) is Standing.GOOD:
            continue
        _enter(session, party, Standing.GOOD, ground, source, actor, now)
        restored += 1
    return restored


def pause(session: Session, source: str, *, now: datetime) -> None:
    """Let a cause keep nobody from being restored for now; it restores nobody by itself."""
    for party in _unsettled_by(session, source):
        if _held(session, party):
            _close(session, party, source, now)


def _unsettled_by(session: Session, source: str) -> list[str]:
    """Name the parties of a cause in order, so that two that hold them cannot wait for each other."""
    query = select(PartyCause.party).where(PartyCause.source == source)
    return list(session.scalars(query.order_by(PartyCause.party)))


def _begin(session: Session, party: str, standing: Standing, source: str, now: datetime) -> None:
    """Keep a cause: a new one, one that has become graver, or one that comes back."""
    new = {"standing": standing, "since": now, "ended_at": None}
    session.execute(
        insert(PartyCause)
        .values(party=party, source=source, **new)
        .on_conflict_do_update(
            index_elements=["party", "source"],
            set_=new,
            where=PartyCause.ended_at.is_not(None) | (PartyCause.standing != standing),
        )
    )


def _close(session: Session, party: str, source: str, now: datetime) -> None:
    session.execute(
        update(PartyCause)
        .where(
            PartyCause.party == party, PartyCause.source == source, PartyCause.ended_at.is_(None)
        )
        .values(ended_at=now)
    )


def _open(session: Session, party: str) -> bool:
    query = select(PartyCause.source).where(
        PartyCause.party == party, PartyCause.ended_at.is_(None)
    )
    return session.scalar(query.limit(1)) is not None


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
