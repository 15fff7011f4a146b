"""Whatever the order of arrival and however readings are batched, the same is found.

That goes for readings and reports together, for every kind that looks back, and for what judging all
history again finds.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.assessments import dockets
from app.database import Sessions, sessions_of
from app.models import Base
from app.obligations import replaying, slicing
from app.obligations.slicing import Wanted
from monitors import catalogue
from tests.conftest import Clock, Door, MakeLicense, OpenDoor
from tests.journeys.telling import beat, day, file, reading, report, send, stated
from tests.world import condition

NUMBER = "BX-SAME"
UNITS = ("FR-1", "fr-2", "FR-3")
KEPT = {"keys", "journal_head"}
TABLES = ", ".join(
    name for name in Base.metadata.tables if name not in KEPT and not name.startswith("journal")
)

_STANDING = text("""
SELECT d.id::text, d.reason, d.subject, d.severity, a.severity, a.state, o.source, o.observed,
       o.sentence, o.severity, o.grade, o.observed_at, o.digest
FROM deviations d JOIN occurrences o ON o.deviation_id = d.id JOIN alerts a ON a.id = d.alert_id
WHERE o.withdrawn_at IS NULL ORDER BY d.id, o.source
""")
_COUNTED = text("""
SELECT d.id::text, d.occurrences FROM deviations d WHERE d.withdrawn_at IS NULL ORDER BY d.id
""")


class Size(NamedTuple):
    """How many persons a unit says are enrolled on it, every third day at the same hour."""

    serial: str
    third_day: int
    persons: int


sizes = st.lists(
    st.builds(
        Size, st.sampled_from(UNITS), st.integers(0, 7), st.sampled_from([0, 900, 1700, 2600, 5100])
    ),
    min_size=2,
    max_size=9,
    unique_by=lambda size: (size.serial, size.third_day),
)


@st.composite
def arrivals(draw: st.DrawFn) -> tuple[list[list[Size]], list[list[Size]]]:
    """Draw the same readings twice, each time in some order and cut into batches somewhere."""
    said = draw(sizes)
    cuts = st.sets(st.integers(1, len(said) - 1))
    return _cut(draw(st.permutations(said)), draw(cuts)), _cut(said, draw(cuts))


def _cut(said: Sequence[Size], cuts: set[int]) -> list[list[Size]]:
    edges = [0, *sorted(cuts), len(said)]
    return [list(said[first:last]) for first, last in pairwise(edges)]


def found(session: Session) -> tuple[list[Any], list[Any]]:
    return list(session.execute(_STANDING)), list(session.execute(_COUNTED))


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(both=arrivals(), per=st.sampled_from(["unit", "site", "license"]))
def test_the_order_of_arrival_does_not_matter(
    both: tuple[list[list[Size]], list[list[Size]]],
    per: str,
    owner: Engine,
    time: Clock,
    make_license: MakeLicense,
    exporter: Door,
) -> None:
    cap = condition("gallery_cap", max_enrolled=5000, per=per)
    results = []
    for batches in both:
        with owner.begin() as connection:
            connection.execute(text(f"TRUNCATE {TABLES}"))
        dockets.forget()
        time.now = day(0)
        make_license(cap, serials=UNITS, number=NUMBER)
        time.now = day(30)
        for batch in batches:
            send(
                exporter,
                *(
                    reading(
                        NUMBER,
                        size.serial,
                        day(3 * size.third_day),
                        gallery_size=size.persons,
                        site="NBO-T1",
                    )
                    for size in batch
                ),
            )
        with sessions_of(owner)() as session:
            results.append(found(session))
    assert results[0] == results[1]


class Telling(NamedTuple):
    """What somebody says of a unit at an hour of a day: the device, the exporter or an inspector."""

    by: str
    serial: str
    day: int
    facts: dict[str, Any]


FACTS = st.fixed_dictionaries(
    {},
    optional={
        "gallery_size": st.sampled_from([900, 2600, 5100, 400_000]),
        "watchlist_size": st.sampled_from([10, 900]),
        "concurrent_streams": st.sampled_from([1, 3]),
        "site": st.sampled_from(["NBO-T1", "KIS-AP"]),
        "country": st.sampled_from(["KE", "TZ"]),
        "possessor": st.sampled_from(["KE-BCA", "STRANGER"]),
        "disposition": st.sampled_from(["in_use", "lost", "transferred", "destroyed"]),
        "software_version": st.sampled_from(["4.2.0", "5.0"]),
        "position": st.sampled_from(
            [{"lat": -1.319, "lon": 36.928, "accuracy_m": 10.0}, {"lat": 51.5, "lon": 0.1}]
        ),
    },
).filter(bool)
KINDS_FOUND = ("over_cap", "sources_contradict", "found_not_told", "possessor_unlisted")
HOURS = {"device": 0, "exporter": 5, "inspector": 11}
"""Nobody speaks at the same moment of the same unit as somebody else."""
KINDS = [
    condition("gallery_cap", max_enrolled=5000, per="license"),
    condition("live_stream_cap", max_streams=4, retrospective_only=False),
    condition("watchlist_control", max_entries=500),
    condition("permitted_countries", countries=["KE"]),
    condition("software_version", versions=">=4,<5"),
    condition("no_onward_transfer"),
    condition("incident_notification", within_hours=72),
    condition("disposal", methods=["destroyed"], certificate_within_days=30),
]
tellings = st.lists(
    st.builds(
        Telling, st.sampled_from(sorted(HOURS)), st.sampled_from(UNITS), st.integers(0, 12), FACTS
    ),
    min_size=2,
    max_size=7,
    unique_by=lambda one: (one.by, one.serial, one.day),
)
in_two_orders = tellings.flatmap(lambda said: st.tuples(st.just(said), st.permutations(said)))


CONTRADICTING = [
    Telling("device", "FR-1", 1, {"gallery_size": 5100, "site": "NBO-T1"}),
    Telling("inspector", "FR-1", 1, {"gallery_size": 900, "site": "KIS-AP"}),
    Telling("inspector", "FR-3", 2, {"disposition": "lost"}),
    Telling("exporter", "FR-3", 6, {"disposition": "lost", "possessor": "STRANGER"}),
]


def tell(one: Telling, exporter: Door, inspector: Door) -> Iterator[tuple[str, str]]:
    """Say it; of a report give the id it got, and a name that it has in any order."""
    at = day(one.day, hours=HOURS[one.by] + UNITS.index(one.serial))
    if one.by == "device":
        send(exporter, reading(NUMBER, one.serial, at, **one.facts))
        return
    name = f"{one.by}-{one.serial}-{one.day}"
    more: dict[str, Any] = {"reference": name, "captured_at": at.isoformat()}
    if one.by == "inspector":
        more |= {"kind": "inspection", "mode": "physical"}
    door = inspector if one.by == "inspector" else exporter
    yield file(door, report(NUMBER, at, stated(one.serial, **one.facts), **more))["id"], name


def named(rows: Sequence[Any], ids: dict[str, str]) -> list[tuple[str, ...]]:
    """Write rows without the chance ids of reports, and without what hashes them."""
    texts = []
    for row in rows:
        text = [str(cell) for cell in row[:-1]]
        for id, name in ids.items():
            text = [cell.replace(id, name) for cell in text]
        texts.append(tuple(text))
    return sorted(texts)


def differences(sessions: Sessions, now: datetime) -> list[Any]:
    """Judge all history again, by every kind."""
    differing: list[Any] = []
    for kind in catalogue().monitors:
        for task in slicing.planned(sessions, Wanted(kind)):
            with sessions() as session:
                outcome = replaying.judged(session, task, Wanted(kind), now=now, at_once=2)
            differing += outcome.differences
    return differing


@settings(
    max_examples=10,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(both=in_two_orders)
@example(both=(CONTRADICTING, CONTRADICTING[::-1]))
def test_the_order_of_tellings_does_not_matter_to_any_kind(
    both: tuple[list[Telling], list[Telling]],
    owner: Engine,
    time: Clock,
    make_license: MakeLicense,
    exporter: Door,
    door: OpenDoor,
) -> None:
    sessions, results = sessions_of(owner), []
    inspector = door("inspector")
    for order in both:
        with owner.begin() as connection:
            connection.execute(text(f"TRUNCATE {TABLES}"))
        dockets.forget()
        time.now = day(0)
        make_license(*KINDS, serials=UNITS, number=NUMBER)
        time.now = day(30)
        ids = dict(pair for one in order for pair in tell(one, exporter, inspector))
        beat(sessions, time.now)
        assert differences(sessions, time.now) == []
        with sessions() as session:
            standing, counted = found(session)
        results.append((named(standing, ids), counted))
    assert results[0] == results[1]
    if both[0] == CONTRADICTING:
        kinds = {kind for kind in KINDS_FOUND if any(kind in row[1] for row in results[0][0])}
        assert kinds == set(KINDS_FOUND)
