"""Four writers and a poller over 20,000 changes: none missed, none twice, in order."""

import random
import threading
from datetime import timedelta
from itertools import count
from uuid import UUID, uuid4

from app.alerts import service as alerts
from app.alerts.models import Alert
from app.database import Sessions
from app.journal.sequencer import Sequencer
from tests.conftest import Clock, Door
from tests.journal.test_sequencer import ticking

WRITERS = 4
CHANGES = 20_000


class Writer:
    """Changes alerts in transactions of random size, one in five of them rolled back."""

    def __init__(self, name: str, sessions: Sessions, time: Clock, changes: int) -> None:
        self.name = name
        self.sessions = sessions
        self.time = time
        self.changes = changes
        self.committed: list[str] = []

    def __call__(self) -> None:
        chance, numbers = random.Random(self.name), count(1)
        while len(self.committed) < self.changes:
            wanted = min(chance.choice([1, 7, 50, 400]), self.changes - len(self.committed))
            titles = [f"{self.name}:{next(numbers)}" for _ in range(wanted)]
            with self.sessions() as session:
                for part in (titles[: wanted // 2], titles[wanted // 2 :]):
                    told = [(self.alert(title), "raised") for title in part]
                    alerts.tell(session, told, actor=self.name, now=self.time())
                if chance.random() < 0.2:
                    session.rollback()
                    continue
                session.commit()
            self.committed += titles

    def alert(self, title: str) -> Alert:
        id: UUID = uuid4()
        return Alert(
            id=id,
            deviation=id,
            license="BX-1",
            party="NORDLICHT",
            kind="gallery_cap",
            country="KE",
            obligation=None,
            severity="high",
            rank=2,
            state="open",
            title=title,
            raised_at=self.time() - timedelta(days=1),
            changed_at=self.time(),
        )


def test_a_poller_misses_no_change_and_sees_none_twice(
    sessions: Sessions, sequencer: Sequencer, dashboard: Door, time: Clock
) -> None:
    writers = [
        Writer(f"w{number}", sessions, time, CHANGES // WRITERS) for number in range(WRITERS)
    ]
    seen: list[tuple[int, str]] = []
    polls = 0
    cursor: str | None = None
    threads = [threading.Thread(target=writer) for writer in writers]

    def poll() -> int:
        nonlocal cursor
        query = {"limit": "500"} | ({"after": cursor} if cursor else {})
        answer = dashboard.get("/v1/alerts", params=query)
        assert answer.status_code == 200
        page = answer.json()
        cursor = page["next"]
        seen.extend((item["seq"], item["title"]) for item in page["items"])
        return len(page["items"])

    with ticking(sequencer):
        for thread in threads:
            thread.start()
        while any(thread.is_alive() for thread in threads):
            poll()
            polls += 1
        for thread in threads:
            thread.join()
    while poll():
        pass

    assert polls > 5
    assert [seq for seq, _ in seen] == list(range(1, CHANGES + 1))
    titles = [title for _, title in seen]
    for writer in writers:
        own = [title for title in titles if title.startswith(f"{writer.name}:")]
        assert own == writer.committed
        assert len(own) == CHANGES // WRITERS
