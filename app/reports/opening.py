"""Opens the intake of a report: holds its license and reads what is known, in one round trip.

Two statements on purpose: the second sees what was committed while the first waited for the
license. They are sent together (libpq's pipeline), because a round trip costs more than either.
"""

from collections.abc import Iterable
from datetime import datetime
from typing import Any, NamedTuple

import psycopg
from sqlalchemy.orm import Session

from app.database import array
from app.walls import AS_JUDGE

# Without enable_sort the planner takes the latest statement of a unit from the index, instead of
# sorting all there is of it: 0.03 ms against 1 ms for 600 readings, and growing with history.
_HOLD = f"""
SELECT id, revision, attend_from <= %(now)s, set_config('enable_sort', 'off', true), {AS_JUDGE}
FROM licenses
WHERE number = %(number)s AND (%(party)s::text IS NULL OR exporter = %(party)s)
FOR NO KEY UPDATE
"""  # noqa: S608 our own words

_READ = """
SELECT r.digest, r.answer, r.body::text,
       EXISTS (SELECT FROM obligations o WHERE o.license_id = l.id AND o.settled_at IS NULL
               AND o.next_look_at <= %(now)s),
       (SELECT json_agg(json_build_array(u.serial, u.line, u.shipped_on, u.site, u.consignee))
        FROM units u WHERE u.license_id = l.id AND u.serial = ANY(%(serials)s::text[])),
       EXISTS (SELECT FROM readings n WHERE n.license_id = l.id AND n.observed_at >= %(since)s
               AND n.serial = ANY(%(serials)s::text[]))
       OR EXISTS (SELECT FROM statements n WHERE n.license_id = l.id
                  AND n.observed_at >= %(since)s AND n.superseded_at IS NULL
                  AND n.subject = ANY(%(serials)s::text[]))
FROM licenses l
LEFT JOIN reports r ON r.license_id = l.id AND r.reference = %(reference)s
WHERE l.number = %(number)s
"""


class Opened(NamedTuple):
    """What is known when a report comes in.

    `digest`, `answer` and `body` are those of an earlier report of the same reference; `look` says
    that something is due on the license, `later` that younger statements about these units are on
    file; `units` are serial, line, day shipped, site and consignee.
    """

    license_id: int
    revision: int
    unattended: bool
    digest: bytes | None
    answer: Any
    body: str | None
    look: bool
    units: list[list[Any]] | None
    later: bool


def hold(
    session: Session,
    *,
    number: str,
    party: str | None,
    reference: str,
    serials: Iterable[str],
    since: datetime,
    now: datetime,
) -> Opened | None:
    """Hold a license for a report and read what is known; None when there is no such license."""
    connection = session.connection().connection.driver_connection
    assert isinstance(connection, psycopg.Connection)
    parameters = {
        "number": number,
        "party": party,
        "reference": reference,
        "serials": array(sorted(serials)),
        "since": since,
        "now": now,
    }
    with connection.pipeline():
        held = connection.execute(_HOLD, parameters)
        read = connection.execute(_READ, parameters)
        license, known = held.fetchone(), read.fetchone()
    if license is None or known is None:
        return None
    id, revision, unattended, *_ = license
    return Opened(id, revision, bool(unattended), *known)
