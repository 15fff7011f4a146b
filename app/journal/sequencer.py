"""Gives committed entries their numbers: contiguous, in commit order, without a lock on writers.

Any number of sequencers may run; the one that holds a session advisory lock leads. Since a paused
leader keeps its lock until `idle_session_timeout` ends its session, every step also proves that
its epoch is still the newest: a leader that slept cannot number anything.
"""

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

LOCK = 0x656E6477  # "endw"
CHANNEL = "endwatch_journal"
AT_ONCE = 5_000

_log = structlog.get_logger()

_FENCE = text("SELECT seq, alerts_seq FROM journal_head WHERE epoch = :epoch FOR UPDATE")

_NUMBER = text("""
WITH chosen AS MATERIALIZED (
    SELECT id FROM journal_pending ORDER BY transaction, id LIMIT :at_once
), taken AS (
    DELETE FROM journal_pending USING chosen WHERE journal_pending.id = chosen.id
    RETURNING journal_pending.*
), numbered AS (
    INSERT INTO journal (seq, recorded_at, sequenced_at, actor, action, subject, party, topic, body)
    SELECT :seq + row_number() OVER (ORDER BY transaction, id),
           recorded_at, clock_timestamp(), actor, action, subject, party, topic, body
    FROM taken
    RETURNING seq, topic
)
SELECT count(*), max(seq) FILTER (WHERE topic = 'alert'), bool_or(topic = 'access') FROM numbered
""")

_ADVANCE = text("""
WITH head AS (UPDATE journal_head SET seq = :seq, alerts_seq = :alerts RETURNING seq)
SELECT pg_notify(:channel, json_build_object(
    'seq', :seq, 'alerts', :alerts, 'access', CAST(:access AS boolean))::text)
FROM head
""")


class Sequencer:
    """One contender for the numbering of the journal. `tick` is called ten times a second."""

    def __init__(self, engine: Engine) -> None:
        self._engine = engine
        self._connection: Connection | None = None
        self._epoch = 0

    def tick(self) -> int:
        """Number what is pending if this one leads; answer how many entries were numbered."""
        try:
            connection = self._lead()
            return 0 if connection is None else self._number(connection)
        except SQLAlchemyError as error:
            _log.warning("sequencer_lost", error=str(error).splitlines()[0])
            self.close()
            return 0

    @property
    def leads(self) -> bool:
        """Whether this one held the lead at its last tick."""
        return self._connection is not None

    def close(self) -> None:
        """Give up the lead."""
        connection, self._connection = self._connection, None
        if connection is not None:
            connection.invalidate()
            connection.close()

    def _lead(self) -> Connection | None:
        """Take or keep the lead; None while another has it."""
        if self._connection is not None:
            return self._connection
        connection = self._engine.connect()
        locked = connection.scalar(text("SELECT pg_try_advisory_lock(:lock)"), {"lock": LOCK})
        if not locked:
            connection.close()
            return None
        self._connection = connection  # from here on `close` gives the lock up, whatever fails
        connection.execute(text("SET idle_session_timeout = '10s'"))
        connection.execute(text("SET idle_in_transaction_session_timeout = '10s'"))
        self._epoch = connection.scalar(
            text("UPDATE journal_head SET epoch = epoch + 1 RETURNING epoch")
        )
        connection.commit()
        _log.info("sequencer_leads", epoch=self._epoch)
        return connection

    def _number(self, connection: Connection) -> int:
        """Number one portion of pending entries in one transaction."""
        pending = connection.scalar(text("SELECT EXISTS (SELECT FROM journal_pending)"))
        if not pending:
            connection.rollback()
            return 0
        head = connection.execute(_FENCE, {"epoch": self._epoch}).first()
        if head is None:
            _log.warning("sequencer_deposed", epoch=self._epoch)
            self.close()
            return 0
        count, alerts, access = connection.execute(
            _NUMBER, {"seq": head.seq, "at_once": AT_ONCE}
        ).one()
        connection.execute(
            _ADVANCE,
            {
                "seq": head.seq + count,
                "alerts": alerts or head.alerts_seq,
                "access": bool(access),
                "channel": CHANNEL,
            },
        )
        connection.commit()
        return int(count)
