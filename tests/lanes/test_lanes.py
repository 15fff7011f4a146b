"""Lanes by themselves: who is worked on, who waits, who is sent away."""

import asyncio
from collections.abc import Awaitable, Callable

import pytest

from app.errors import Trouble
from app.lanes import STRANGER, Lane, LaneFull, Lanes, TooManyAtOnce, connections_in_all
from app.settings import Settings


class Room:
    """Senders in one lane; each holds its place until it is told to go."""

    def __init__(self, lane: Lane) -> None:
        self.lane = lane
        self.called: list[str] = []
        self._go: dict[str, asyncio.Event] = {}
        self._tasks: dict[str, asyncio.Task[None]] = {}

    async def come(self, sender: str, name: str) -> None:
        self._go[name] = asyncio.Event()
        self._tasks[name] = asyncio.create_task(self._hold(sender, name))
        await asyncio.sleep(0)
        await asyncio.sleep(0)

    async def _hold(self, sender: str, name: str) -> None:
        async with self.lane.place(sender):
            self.called.append(name)
            await self._go[name].wait()

    async def go(self, name: str) -> None:
        self._go[name].set()
        await self._tasks[name]
        await asyncio.sleep(0.001)

    async def give_up(self, name: str) -> None:
        self._tasks[name].cancel()
        await asyncio.wait([self._tasks[name]])

    async def refused(self, sender: str) -> Trouble:
        with pytest.raises((LaneFull, TooManyAtOnce)) as refused:
            async with self.lane.place(sender):
                pass
        assert refused.value.told_headers()["Retry-After"]
        return refused.value


def played(
    play: Callable[[Room], Awaitable[None]], *, places: int, line: int, seconds: float = 5.0
) -> Lane:
    """Play a scene in a lane; at its end everybody must have left."""
    lane = Lane("scene", places=places, line=line, seconds=seconds)

    async def scene() -> None:
        await play(Room(lane))

    asyncio.run(scene())
    assert (lane.working, lane.waiting) == (0, 0)
    return lane


def test_nobody_takes_the_last_place() -> None:
    async def play(room: Room) -> None:
        for name in ("1", "2", "3"):
            await room.come("greedy", name)
        assert room.called == ["1", "2"]
        await room.come("other", "x")
        assert room.called == ["1", "2", "x"]
        for name in ("1", "2", "3", "x"):
            await room.go(name)
        assert room.called == ["1", "2", "x", "3"]

    played(play, places=3, line=10)


def test_those_in_line_are_called_by_turns_one_of_each_sender() -> None:
    async def play(room: Room) -> None:
        await room.come("a", "working")
        await room.come("z", "beside")
        for name in ("a1", "a2", "a3"):
            await room.come("a", name)
        await room.come("b", "b1")
        await room.come("c", "c1")
        for name in ("beside", "working", "a1", "b1", "c1", "a2", "a3"):
            await room.go(name)
        assert room.called[2:] == ["b1", "a1", "c1", "a2", "a3"]

    played(play, places=2, line=10)


def test_one_sender_has_half_of_the_line_and_then_hears_429_others_503_once_it_is_full() -> None:
    async def play(room: Room) -> None:
        for name in ("a1", "b1", "a2", "a3", "b2"):
            await room.come(name[0], name)
        assert isinstance(await room.refused("a"), TooManyAtOnce)
        await room.come("c", "c1")
        assert isinstance(await room.refused("d"), LaneFull)
        for name in ("a1", "b1", "a2", "b2", "c1", "a3"):
            await room.go(name)

    played(play, places=2, line=4)


def test_who_waits_too_long_is_sent_away_and_the_line_moves_on() -> None:
    async def play(room: Room) -> None:
        await room.come("a", "a1")
        await room.come("b", "b1")
        assert isinstance(await room.refused("c"), LaneFull)
        assert isinstance(await room.refused("a"), TooManyAtOnce)
        assert room.lane.waiting == 0
        await room.go("a1")
        await room.come("c", "c1")
        assert room.called == ["a1", "b1", "c1"]
        await room.go("b1")
        await room.go("c1")

    played(play, places=2, line=4, seconds=0.05)


def test_who_goes_away_in_line_or_when_called_leaves_no_place_taken() -> None:
    async def play(room: Room) -> None:
        await room.come("a", "a1")
        await room.come("b", "b1")
        await room.come("c", "c1")
        await room.give_up("c1")
        assert room.lane.waiting == 0
        await room.come("c", "c2")
        room._go["a1"].set()  # noqa: SLF001 called and gone in the same breath
        room._tasks["c2"].cancel()  # noqa: SLF001
        await asyncio.sleep(0.01)
        assert room.lane.working == 1
        await room.go("b1")

    played(play, places=2, line=4)


def test_of_strangers_nobody_is_blamed_for_the_others() -> None:
    async def play(room: Room) -> None:
        await room.come(STRANGER, "1")
        assert isinstance(await room.refused(STRANGER), LaneFull)
        await room.come("known", "k")
        await room.go("1")
        await room.go("k")

    played(play, places=2, line=0)


@pytest.mark.parametrize(
    ("method", "path", "name"),
    [
        ("GET", "/v1/alerts", "reads"),
        ("HEAD", "/openrosa/submission", "reads"),
        ("GET", "/v1/readings", "reads"),
        ("POST", "/v1/readings", "readings"),
        ("POST", "/v1/reports", "filings"),
        ("POST", "/v1/licenses", "filings"),
        ("POST", "/v1/sign-in", "door"),
        ("PUT", "/v1/evidence", None),
        ("POST", "/openrosa/submission", None),
    ],
)
def test_the_lane_follows_from_method_and_address(method: str, path: str, name: str | None) -> None:
    lane = Lanes(Settings()).of(method, path)
    assert (lane and lane.name) == name


def test_four_processes_fit_into_the_embedded_database() -> None:
    assert connections_in_all(Settings()) == 20
