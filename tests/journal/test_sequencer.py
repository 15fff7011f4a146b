import random
import threading
import time as real_time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app import journal
from app.database import Sessions, connect
from app.journal.models import Entry
from app.journal.sequencer import LOCK, Sequencer
from tests.conftest import settings_for

NOW = datetime(2026, 6, 1, 12, tzinfo=UTC)


def write(session: Session, subject: str, topic: str | None = None) -> None:
    journal.append(
        session, actor="tests", action="tried", subject=subject, body={}, now=NOW, topic=topic
    )


def commit(sessions: Sessions, *subjects: str) -> None:
    with sessions() as session:
        for subject in subjects:
            write(session, subject)
        session.commit()


def numbered(sessions: Sessions, after: int = 0) -> list[tuple[int, str]]:
    with sessions() as session:
        rows: list[Entry] = journal.read(session, after=after, limit=100_000)
    return [(row.seq, row.subject) for row in rows]


@contextmanager
def ticking(sequencer: Sequencer) -> Iterator[None]:
    """Let a sequencer tick in a thread of its own, and number the rest at the end."""
    over = threading.Event()

    def tick() -> None:
        while not over.wait(0.005):
            sequencer.tick()

    thread = threading.Thread(target=tick)
    thread.start()
    try:
        yield
    finally:
        over.set()
        thread.join()
    while sequencer.tick():
        pass


def together(*works: Callable[[], Any]) -> None:
    threads = [threading.Thread(target=work) for work in works]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def end_leader(owner: Engine) -> bool:
    """End the server process of whoever leads, as a crash would; answer whether anybody led."""
    with owner.connect() as connection:
        ended = connection.scalars(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_locks JOIN pg_database"
                " ON pg_database.oid = pg_locks.database"
                " WHERE locktype = 'advisory' AND objid = :lock AND granted"
                " AND datname = current_database()"
            ),
            {"lock": LOCK},
        ).all()
    return list(ended) == [True]


def follows(sequencer: Sequencer) -> int:
    """Tick until it leads: a server process whose connection was closed needs a moment to end."""
    end = real_time.monotonic() + 5
    counted = 0
    while not sequencer.leads:
        assert real_time.monotonic() < end, "it never took the lead"
        counted = sequencer.tick()
    return counted


class Writer:
    """Writes transactions of a few entries: some slow, a third of them rolled back."""

    def __init__(self, name: str, sessions: Sessions, times: int) -> None:
        self.name = name
        self.sessions = sessions
        self.times = times
        self.committed: list[str] = []

    def __call__(self) -> None:
        chance = random.Random(self.name)
        for time in range(self.times):
            subjects = [f"{self.name}:{time}:{part}" for part in range(chance.randint(1, 4))]
            with self.sessions() as session:
                for subject in subjects:
                    write(session, subject)
                    session.flush()
                    real_time.sleep(chance.choice([0, 0, 0, 0.02]))
                if chance.random() < 0.33:
                    session.rollback()
                    continue
                session.commit()
            self.committed += subjects


def test_numbers_are_contiguous_and_a_poller_misses_nothing_whatever_writers_do(
    sessions: Sessions, sequencer: Sequencer
) -> None:
    writers = [Writer(f"w{number}", sessions, times=30) for number in range(6)]
    polled: list[tuple[int, str]] = []
    over = threading.Event()

    def poll() -> None:
        while not over.is_set():
            polled.extend(numbered(sessions, after=polled[-1][0] if polled else 0))

    poller = threading.Thread(target=poll)
    poller.start()
    with ticking(sequencer):
        together(*writers)
    over.set()
    poller.join()
    polled += numbered(sessions, after=polled[-1][0])

    committed = [subject for writer in writers for subject in writer.committed]
    assert len(committed) > 100
    assert [seq for seq, _ in polled] == list(range(1, len(committed) + 1))
    assert sorted(subject for _, subject in polled) == sorted(committed)
    for writer in writers:
        own = [subject for _, subject in polled if subject.startswith(f"{writer.name}:")]
        assert own == writer.committed


def test_who_began_earlier_and_commits_later_gets_the_later_number(
    sessions: Sessions, sequencer: Sequencer
) -> None:
    with sessions() as slow:
        write(slow, "slow")
        slow.flush()
        commit(sessions, "quick")
        assert sequencer.tick() == 1
        assert numbered(sessions) == [(1, "quick")]
        slow.commit()
    assert sequencer.tick() == 1
    assert numbered(sessions, after=1) == [(2, "slow")]


def test_what_is_rolled_back_leaves_no_gap(sessions: Sessions, sequencer: Sequencer) -> None:
    commit(sessions, "first")
    with sessions() as session:
        write(session, "never")
        session.flush()
    commit(sessions, "second", "third")
    assert sequencer.tick() == 3
    assert sequencer.tick() == 0
    assert numbered(sessions) == [(1, "first"), (2, "second"), (3, "third")]


def test_of_two_sequencers_one_leads_and_the_other_follows_when_it_closes(
    sessions: Sessions, engine: Engine, sequencer: Sequencer
) -> None:
    second = Sequencer(engine)
    commit(sessions, "a")
    assert sequencer.tick() == 1
    commit(sessions, "b")
    assert second.tick() == 0
    assert (sequencer.leads, second.leads) == (True, False)
    sequencer.close()
    assert follows(second) == 1
    assert (sequencer.leads, second.leads) == (False, True)
    commit(sessions, "c")
    assert sequencer.tick() == 0
    assert second.tick() == 1
    second.close()
    assert numbered(sessions) == [(1, "a"), (2, "b"), (3, "c")]


def test_when_the_leader_s_connection_is_ended_another_takes_over(
    sessions: Sessions, engine: Engine, owner: Engine, sequencer: Sequencer
) -> None:
    second = Sequencer(engine)
    commit(sessions, "a")
    assert sequencer.tick() == 1
    assert end_leader(owner)
    commit(sessions, "b")
    assert second.tick() == 1
    assert sequencer.tick() == 0  # it learns that it lost the lead
    assert (sequencer.leads, second.leads) == (False, True)
    assert sequencer.tick() == 0  # and stands by
    assert end_leader(owner)
    commit(sessions, "c")
    assert sequencer.tick() == 1
    assert second.tick() == 0
    assert numbered(sessions) == [(1, "a"), (2, "b"), (3, "c")]


def test_two_sequencers_at_once_number_everything_once_while_leaders_are_ended(
    sessions: Sessions, engine: Engine, owner: Engine, sequencer: Sequencer
) -> None:
    second = Sequencer(engine)
    writers = [Writer(f"w{number}", sessions, times=25) for number in range(3)]
    ended = 0
    with ticking(sequencer), ticking(second):
        threads = [threading.Thread(target=writer) for writer in writers]
        for thread in threads:
            thread.start()
        for _ in range(3):
            real_time.sleep(0.1)
            ended += end_leader(owner)
        for thread in threads:
            thread.join()
    while sequencer.tick() or second.tick():
        pass
    second.close()
    assert ended > 0
    found = numbered(sessions)
    committed = [subject for writer in writers for subject in writer.committed]
    assert [seq for seq, _ in found] == list(range(1, len(committed) + 1))
    assert sorted(subject for _, subject in found) == sorted(committed)


def test_a_leader_that_slept_while_another_epoch_began_can_number_nothing(
    sessions: Sessions, engine: Engine, sequencer: Sequencer
) -> None:
    commit(sessions, "a")
    assert sequencer.tick() == 1
    with engine.begin() as connection:
        connection.execute(text("UPDATE journal_head SET epoch = epoch + 1"))
    commit(sessions, "b")
    assert sequencer.tick() == 0
    assert not sequencer.leads
    assert numbered(sessions) == [(1, "a")]
    assert follows(sequencer) == 1  # it takes the lead anew, with an epoch of its own
    assert numbered(sessions) == [(1, "a"), (2, "b")]


def test_a_lead_that_could_not_be_taken_is_not_kept_from_others(
    sessions: Sessions, database_url: str, engine: Engine, sequencer: Sequencer
) -> None:
    hurried = connect(settings_for(database_url, statement_seconds=1))
    first = Sequencer(hurried)
    commit(sessions, "a")
    with engine.begin() as connection:
        connection.execute(text("SELECT seq FROM journal_head FOR UPDATE"))
        assert first.tick() == 0  # it waits for the head in vain
    assert follows(sequencer) == 1
    first.close()
    hurried.dispose()


def test_more_than_one_portion_is_numbered_in_the_same_order(
    sessions: Sessions, sequencer: Sequencer
) -> None:
    subjects = [f"s{number:05}" for number in range(5_500)]
    commit(sessions, *subjects)
    assert sequencer.tick() == 5_000
    assert sequencer.tick() == 500
    assert [subject for _, subject in numbered(sessions)] == subjects


def test_who_waited_for_a_record_is_numbered_after_who_held_it(
    sessions: Sessions, sequencer: Sequencer
) -> None:
    with sessions() as waits, sessions() as holds:
        waits.execute(text("SELECT pg_current_xact_id()"))  # it is given its id first, then waits
        write(holds, "held it")
        holds.commit()
        write(waits, "waited for it")
        waits.commit()
    sequencer.tick()
    assert [subject for _, subject in numbered(sessions)] == ["held it", "waited for it"]
