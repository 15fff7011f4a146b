"""Gives committed entries their numbers: contiguous, in commit order, without a lock on writers.

In the same transaction the tree grows over what was numbered, and is signed for: an entry with a
number is a sealed entry. Were the tree found damaged, numbering would go on without it, so that
nobody stops the service by harming the tree, and nothing is ever signed that contradicts a
checkpoint; the log says so until the tree is whole again.

Of what is visible, entries are taken in the order they were written. Two transactions that touch one
record write theirs while they hold it, one after the other; their transaction ids tell nothing of that,
for an id may be given to a transaction that then waits for the other.

Any number of sequencers may run; the one that holds a session advisory lock leads. Since a paused
leader keeps its lock until `idle_session_timeout` ends its session, every step also proves that
its epoch is still the newest: a leader that slept cannot number anything.
"""

from collections.abc import Callable
from typing import Any

import structlog
from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import SQLAlchemyError

from app.journal import sealing
from app.journal.notes import Signer
from app.journal.sealing import Seal, TreeDamaged

LOCK = 0x656E6477  # "endw"
CHANNEL = "endwatch_journal"
AT_ONCE = 5_000

_log = structlog.get_logger()

_FENCE = text("SELECT seq, alerts_seq, sealed FROM journal_head WHERE epoch = :epoch FOR UPDATE")

_NUMBER = text(f"""
WITH chosen AS MATERIALIZED (
    SELECT id FROM journal_pending ORDER BY id LIMIT :at_once
), taken AS (
    DELETE FROM journal_pending USING chosen WHERE journal_pending.id = chosen.id
    RETURNING journal_pending.*
), numbered AS (
    INSERT INTO journal (seq, recorded_at, sequenced_at, actor, action, subject, party, topic,
                         receipt, nonce, body)
    SELECT :seq + row_number() OVER (ORDER BY id),
           recorded_at, clock_timestamp(), actor, action, subject, party, topic, receipt, nonce, body
    FROM taken
    RETURNING {sealing.COLUMNS}
)
SELECT * FROM numbered ORDER BY seq
""")  # noqa: S608 our own columns

_ADVANCE = text("""
WITH head AS (UPDATE journal_head SET seq = :seq, alerts_seq = :alerts RETURNING seq)
SELECT pg_notify(:channel, json_build_object(
    'seq', :seq, 'alerts', :alerts, 'access', CAST(:access AS boolean))::text)
FROM head
""")


def keyless(connection: Connection) -> None:
    """Sign for nothing: another sequencer has the key."""
    del connection


def unmarked(note: str) -> None:
    """Keep no mark of what was signed."""
    del note


class Sequencer:
    """One contender for the numbering of the journal. `tick` is called ten times a second.

    `key` gives the key to sign with, asked for whenever the lead is taken. `mark` is told every
    checkpoint that was signed, after its commit.
    """

    def __init__(
        self,
        engine: Engine,
        key: Callable[[Connection], Signer | None] = keyless,
        mark: Callable[[str], None] = unmarked,
    ) -> None:
        self._engine = engine
        self._key = key
        self._mark = mark
        self._seal: Seal | None = None
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
        self._seal = None
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
        self._take_over(connection)
        return self._connection

    def _take_over(self, connection: Connection) -> None:
        """Take over the tree, and seal what was numbered without it."""
        seal, sealed = Seal(self._key(connection)), 1
        try:
            while sealed:
                head = self._fence(connection)
                if head is None:
                    return
                seal.begin(connection, head.sealed)
                sealed = seal.older(connection, head.sealed, AT_ONCE)
                self._commit(connection, seal)
        except TreeDamaged as error:
            connection.rollback()
            _log.error("journal_tree_damaged", error=str(error), remedy="endwatch verify")
            return
        self._seal = seal

    def _fence(self, connection: Connection) -> Any:
        """Hold the head if this one still leads; give up the lead if not."""
        head = connection.execute(_FENCE, {"epoch": self._epoch}).first()
        if head is None:
            _log.warning("sequencer_deposed", epoch=self._epoch)
            self.close()
        return head

    def _number(self, connection: Connection) -> int:
        """Number one portion of pending entries in one transaction."""
        pending = connection.scalar(text("SELECT EXISTS (SELECT FROM journal_pending)"))
        if not pending:
            connection.rollback()
            return 0
        head = self._fence(connection)
        if head is None:
            return 0
        rows = connection.execute(_NUMBER, {"seq": head.seq, "at_once": AT_ONCE}).all()
        alerts = [row.seq for row in rows if row.topic == "alert"]
        connection.execute(
            _ADVANCE,
            {
                "seq": head.seq + len(rows),
                "alerts": max(alerts, default=head.alerts_seq),
                "access": any(row.topic == "access" for row in rows),
                "channel": CHANNEL,
            },
        )
        try:
            if self._seal is not None:
                self._seal.extend(connection, head.sealed, rows)
        except TreeDamaged as error:
            return self._number_unsealed(connection, error)
        self._commit(connection, self._seal)
        return len(rows)

    def _commit(self, connection: Connection, seal: Seal | None) -> None:
        """Commit, and only then keep in mind what was signed: what was not committed nobody saw."""
        connection.commit()
        if seal is not None and seal.note is not None:
            self._mark(seal.note)
            seal.note = None

    def _number_unsealed(self, connection: Connection, error: TreeDamaged) -> int:
        """Number the same portion again without the tree, which somebody has harmed."""
        connection.rollback()
        _log.error("journal_tree_damaged", error=str(error), remedy="endwatch verify")
        self._seal = None
        return self._number(connection)
