"""What every kind of condition costs. Without a database: what is read from it is at hand."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import timedelta
from typing import Any

from pydantic_core import to_json

from app.assessments import rules, statements
from app.assessments.rules import Context, Docket, Ruling
from benchmarks import one_license, said
from benchmarks.one_license import BEGUN
from benchmarks.said import ROUND
from benchmarks.table import Figure, spent
from monitors import Answer, Case, Statement, catalogue

HOURS = 1_000 // one_license.UNITS
MOMENT = BEGUN + timedelta(days=365)
Said = Sequence[Statement[Any]]
Batch = tuple[Said, Context]


def kinds(_url: str, scale: float) -> list[Figure]:
    """All kinds on one license, judged in batches of 1,000 readings; and what each kind costs."""
    docket, many = one_license.docket(), max(3, int(10 * scale))
    batches = [_batch(docket, number * HOURS) for number in range(many)]
    found = [
        one for heard, context in batches for one in rules.judge(docket, heard, context, MOMENT)
    ]
    rate = many * 1_000 / _seconds(docket, batches)
    texts = [_text(one) for one in batches[0][0]]
    reading = len(texts) / spent(lambda: [catalogue().facts_of(text) for text in texts])
    broken = sum(one.finding.answer is Answer.BROKEN for one in found)
    missing = one_license.without_terms()
    return [
        Figure(
            f"readings of 50 units judged by {len(docket.rulings)} kinds on one license",
            f"{rate:,.0f}/s a core; {broken} broken, {len(found) - broken} not assessable"
            f" of {many * 1_000:,}"
            + (f"; without {', '.join(sorted(missing))}" if missing else ""),
            f"reading their facts from JSON {reading:,.0f}/s",
            "≥ 8,000/s a core",
            rate >= 8_000 and not missing,
            _costs(docket, batches[: max(1, int(3 * scale))]),
        )
    ]


def _text(one: Statement[Any]) -> bytes:
    return to_json(catalogue().validate_facts(one.facts.__dict__))


def _batch(docket: Docket, since: int) -> Batch:
    """Give readings, and the cases they are heard in, ready: loading is measured elsewhere."""
    heard = said.readings(since, HOURS)
    cases = {
        key: _case(docket, ruling, _earlier(ruling, heard, since))
        for key, (ruling,) in docket.rulings.items()
    }
    return heard, lambda ruling, _: cases[ruling.key]


def _earlier(ruling: Ruling, heard: Said, since: int) -> Said:
    """Give what the service would have a monitor hear of the time before."""
    hears, found = ruling.hears, list[Statement[Any]]()
    if hears.latest:
        stating = [
            one for one in said.readings(since - ROUND, ROUND) if _states(one, hears.stating)
        ]
        found += {one.subject: one for one in stating}.values()
    if hears.apart:
        found += said.inspected(since)
    if hears.lag is not None:
        found += said.readings(since - hears.lag // timedelta(hours=1), HOURS)
    first = heard[0].observed_at - (hears.window or timedelta(days=365))
    return sorted(
        (one for one in found if one.observed_at >= first and _states(one, hears.stating)),
        key=statements.order,
    )


def _states(one: Statement[Any], fact: str) -> bool:
    return not fact or fact in one.facts.__dict__


def _case(docket: Docket, ruling: Ruling, earlier: Said, **more: Any) -> Case:
    """Make a case; standing monitors have no file beside statements."""
    parts: dict[str, Any] = {}
    for need in ruling.monitor.needs if not ruling.monitor.standing else ():
        parts |= one_license.filed().get(need, {})
    return rules.case_of(docket, ruling, units=one_license.units(), earlier=earlier, **parts | more)


def _seconds(docket: Docket, batches: Sequence[Batch]) -> float:
    return spent(lambda: [rules.judge(docket, *batch, MOMENT) for batch in batches])


def _costs(docket: Docket, batches: Sequence[Batch]) -> list[tuple[str, ...]]:
    """List what each kind costs, dearest first: of a reading, or of what it is judged by instead."""
    nothing = _seconds(replace(docket, rulings={}), batches)
    stated = {name for heard, _ in batches for one in heard for name in one.facts.__dict__}
    costs = []
    for key, versions in docket.rulings.items():
        (ruling,), alone = versions, replace(docket, rulings={key: versions})
        if ruling.monitor.any_fact or not ruling.facts.isdisjoint(stated):
            taken, what = _seconds(alone, batches) - nothing, "a reading"
            taken /= 1_000 * len(batches)
        elif ruling.facts:
            taken, what = _of_sites(alone, ruling), "a statement of a site or the license"
        else:
            taken, what = _of_file(docket, ruling), "a look at the file of 50 units"
        costs.append((max(0.0, taken) * 1e6, key, what))
    ranked = [(kind, f"{cost:.2f}", what) for cost, kind, what in sorted(costs, reverse=True)]
    return [("kind", "µs", "for"), *ranked]


def _of_sites(docket: Docket, ruling: Ruling) -> float:
    """Give the seconds a statement of an attestation takes."""
    before, *heard = said.attested(1_001)
    earlier = () if ruling.hears.nothing else (before,)
    case = _case(docket, ruling, earlier)
    return _seconds(docket, [(heard, lambda *_: case)]) / len(heard)


def _of_file(docket: Docket, ruling: Ruling) -> float:
    """Give the seconds one look at all that was handed in and owed takes."""
    case, times = _case(docket, ruling, (), **one_license.owed()), 100
    look = lambda: [rules.put(docket, ruling, (), case, MOMENT) for _ in range(times)]  # noqa: E731
    return spent(look) / times
