"""Whatever the order of arrival and however readings are batched, the same is found."""

from collections.abc import Sequence
from itertools import pairwise
from typing import Any, NamedTuple

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import Engine, text
from sqlalchemy.orm import Session

from app.assessments import dockets
from app.database import sessions_of
from app.models import Base
from tests.conftest import Clock, Door, MakeLicense
from tests.journeys.telling import day, reading, send
from tests.world import condition

NUMBER = "BX-SAME"
UNITS = ("FR-1", "fr-2", "FR-3")
KEPT = {"keys", "journal_head"}
TABLES = ", ".join(name for name in Base.metadata.tables if name not in KEPT)

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
    max_examples=15,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture],
)
@given(both=arrivals(), per=st.sampled_from(["unit", "site", "license"]))
def test_the_order_of_arrival_does_not_matter(
    both: tuple[list[list[Size]], list[list[Size]]],
    per: str,
    engine: Engine,
    time: Clock,
    make_license: MakeLicense,
    exporter: Door,
) -> None:
    cap = condition("gallery_cap", max_enrolled=5000, per=per)
    results = []
    for batches in both:
        with engine.begin() as connection:
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
        with sessions_of(engine)() as session:
            results.append(found(session))
    assert results[0] == results[1]
