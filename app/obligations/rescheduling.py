"""Works out anew what is owed on every license: after a release whose kinds ask for more.

A change of a license is attended to by itself (`looking.attend`); this changes nothing where what is
stored already is what the conditions ask for, and never what is settled.
"""

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy import select, update
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

from app.assessments import dockets
from app.assessments.rules import Docket
from app.database import Sessions
from app.licenses.models import License
from app.obligations import awaiting, ending, planning

_log = structlog.get_logger()

TOGETHER = 20
"""Licenses in one transaction: so few that nobody who files about one of them waits long."""


def reschedule_around(
    sessions: Sessions,
    *,
    now: datetime,
    limit: int = TOGETHER,
    share: tuple[int, int] = (0, 1),
) -> int:
    """Work out what is owed on every license; answer on how many.

    With `share`, only on every so-manieth, so that several processes can divide the work. A license
    that another holds is passed over: who changes it leaves it to be attended to.
    """
    after, done = 0, 0
    while True:
        with sessions() as session:
            ids = session.scalars(
                select(License.id)
                .where(License.id > after, License.id % share[1] == share[0])
                .order_by(License.id)
                .limit(limit)
            ).all()
        if not ids:
            return done
        done += _together(sessions, ids, now)
        after = ids[-1]


def _together(sessions: Sessions, ids: Sequence[int], now: datetime) -> int:
    try:
        with sessions() as session:
            held = session.scalars(
                select(License)
                .where(License.id.in_(ids))
                .order_by(License.id)
                .with_for_update(key_share=True, skip_locked=True)
            ).all()
            found = dockets.load(session, [(one.id, one.revision) for one in held])
            for license in held:
                reschedule(session, license, found[license.id], now=now)
            session.commit()
            return len(held)
    except DBAPIError:
        raise
    except Exception as error:
        _log.error("reschedule_failed", licenses=list(ids), exc_info=error)
        _leave(sessions, ids, now)
        return 0


def reschedule(session: Session, license: License, docket: Docket, *, now: datetime) -> None:
    """Work out what is owed on one license, which the caller holds."""
    gone = ending.gone(session, license)
    ending.end(session, docket, gone, now=now)
    planning.plan(session, license, docket, now=now, gone=gone)
    awaiting.follow(session, license, docket, since=now, now=now, over=gone.over)


def _leave(sessions: Sessions, ids: Sequence[int], now: datetime) -> None:
    """Leave licenses to be attended to one by one, so that one that fails keeps no other waiting."""
    with sessions() as session:
        session.execute(
            update(License)
            .where(License.id.in_(ids), License.attend_from.is_(None))
            .values(attend_from=now)
        )
        session.commit()
