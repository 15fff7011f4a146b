import time as real_time
from collections.abc import Callable, Iterator

import pytest
from sqlalchemy import Engine, make_url, text

from app.database import Sessions
from app.journal.sequencer import Sequencer
from app.journal.watch import Progress, Watch
from tests.journal.test_sequencer import commit, write


class Listener:
    """A watch, and how often it said that keys may have changed."""

    def __init__(self, database_url: str) -> None:
        self.forgot = 0
        url = make_url(database_url).set(drivername="postgresql")
        self.watch = Watch(url.render_as_string(False), self.forget)

    def forget(self) -> None:
        self.forgot += 1


@pytest.fixture
def listener(database_url: str) -> Iterator[Listener]:
    listener = Listener(database_url)
    assert listener.watch.current is None
    listener.watch.start()
    wait(lambda: listener.watch.current is not None)
    yield listener
    listener.watch.stop()


def wait(until: Callable[[], bool], seconds: float = 5.0) -> None:
    end = real_time.monotonic() + seconds
    while not until():
        assert real_time.monotonic() < end, "waited in vain"
        real_time.sleep(0.01)


def test_a_watch_begins_where_the_journal_is(
    sessions: Sessions, sequencer: Sequencer, database_url: str
) -> None:
    commit(sessions, "a", "b")
    sequencer.tick()
    listener = Listener(database_url)
    listener.watch.start()
    wait(lambda: listener.watch.current == Progress(seq=2, alerts=0))
    listener.watch.stop()


def test_a_watch_hears_how_far_the_journal_and_its_alerts_have_come(
    sessions: Sessions, sequencer: Sequencer, listener: Listener
) -> None:
    with sessions() as session:
        write(session, "an alert", topic="alert")
        write(session, "something else")
        session.commit()
    sequencer.tick()
    wait(lambda: listener.watch.current == Progress(seq=2, alerts=1))


def test_keys_are_forgotten_when_the_journal_tells_of_access_and_only_then(
    sessions: Sessions, sequencer: Sequencer, listener: Listener
) -> None:
    before = listener.forgot
    commit(sessions, "nothing about keys")
    sequencer.tick()
    wait(lambda: listener.watch.current == Progress(1, 0))
    assert listener.forgot == before
    with sessions() as session:
        write(session, "a key", topic="access")
        session.commit()
    sequencer.tick()
    wait(lambda: listener.forgot == before + 1)


def test_a_watch_whose_connection_ends_says_nothing_until_it_hears_again(
    sessions: Sessions, owner: Engine, sequencer: Sequencer, listener: Listener
) -> None:
    before = listener.forgot
    with owner.connect() as connection:
        ended = connection.scalars(
            text(
                "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity"
                " WHERE datname = current_database() AND application_name <> 'endwatch'"
            )
        ).all()
    assert ended == [True]
    wait(lambda: listener.watch.current is None)
    commit(sessions, "told while nobody listened")
    sequencer.tick()
    wait(lambda: listener.watch.current == Progress(1, 0))
    assert listener.forgot >= before + 2  # notices may have been missed: when it fell, and again
    commit(sessions, "told again")
    sequencer.tick()
    wait(lambda: listener.watch.current == Progress(2, 0))
