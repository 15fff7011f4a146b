from collections.abc import Iterator, Sequence
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from typing import Any

from app.assessments import rules
from app.assessments.rules import Docket, Ruling
from app.deviations.rules import Found
from monitors import (
    Answer,
    Case,
    CustodyEvent,
    Finding,
    Grade,
    Line,
    Need,
    Obligation,
    Party,
    Severity,
    Source,
    Statement,
    Subject,
    Unit,
    catalogue,
)
from tests.monitors.heard import say

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
HOUR = timedelta(hours=1)


def ruling(kind: str = "gallery_cap", version: int = 1, **more: Any) -> Ruling:
    monitor = more.pop("monitor", catalogue()[kind])
    terms = monitor.terms.model_validate(more.pop("terms", {"max_enrolled": 5000}))
    plain: dict[str, Any] = {
        "condition_id": version,
        "key": kind,
        "version": version,
        "kind": kind,
        "monitor": monitor,
        "terms": terms,
        "hears": monitor.hears(terms),
        "severity": Severity.HIGH,
        "binds": (),
        "lines": frozenset(),
        "effective_from": NOON - timedelta(days=90),
        "effective_to": None,
        "facts": monitor.facts_read(terms),
    }
    return Ruling(**plain | more)


def docket(*rulings: Ruling, **more: Any) -> Docket:
    by_key: dict[str, tuple[Ruling, ...]] = {}
    for one in rulings:
        by_key[one.key] = (*by_key.get(one.key, ()), one)
    plain: dict[str, Any] = {
        "license_id": 7,
        "license": "BX-1",
        "exporter": "NORDLICHT",
        "state": "issued",
        "granted_on": date(2026, 3, 2),
        "expires_on": None,
        "time_zone": "UTC",
        "end_use": "border_control",
        "countries": ("KE",),
        "sites": frozenset({"NBO-T1"}),
        "parties": (
            Party("NORDLICHT", "exporter", "Nordlicht", "DE"),
            Party("KE-BCA", "end_user", "Border Control Agency", "KE"),
            Party("KE-BCA", "ultimate_consignee", "Border Control Agency", "KE"),
        ),
        "rulings": by_key,
    }
    return Docket(**plain | more)


def judged(
    judge_by: Docket, *said: Statement[Any], units: dict[str, Unit] | None = None
) -> list[Found]:
    def context(one: Ruling, _: Sequence[Statement[Any]]) -> Case:
        return rules.case_of(judge_by, one, units=units or {})

    return rules.judge(judge_by, said, context, NOON)


def shown_by(found: list[Found]) -> list[tuple[int | None, str]]:
    return [(one.condition_id, one.source) for one in found]


def over(at: datetime = NOON, **more: Any) -> Statement[Any]:
    return say(at=at, gallery_size=5001, **more)


def test_only_monitors_that_read_what_was_stated_are_asked() -> None:
    both = docket(ruling(), ruling("match_mode", terms={"allowed": ["verify_1_1"]}))
    assert [one.kind for one in judged(both, over(id="s"))] == ["gallery_cap"]
    assert judged(both, say(operators_active=3)) == []


def test_nothing_said_is_judged_before_its_condition_took_effect() -> None:
    new = docket(ruling(effective_from=NOON))
    early, late = over(NOON - HOUR, id="early"), over(NOON, id="late")
    assert shown_by(judged(new, early, late)) == [(1, "late")]
    assert judged(new, early) == []


def test_each_statement_is_judged_by_the_version_in_force_when_it_was_true() -> None:
    stricter = ruling(version=2, terms={"max_enrolled": 10}, effective_from=NOON)
    amended = docket(ruling(), stricter)
    said = [say(id=f"s{hour}", at=NOON + hour * HOUR, gallery_size=4000) for hour in (-1, 0, 1)]
    assert shown_by(judged(amended, *said)) == [(2, "s0"), (2, "s1")]


def test_nothing_is_judged_by_a_condition_that_has_ended() -> None:
    ended = docket(ruling(effective_to=NOON))
    said = over(NOON - HOUR, id="before"), over(NOON, id="after")
    assert shown_by(judged(ended, *said)) == [(1, "before")]


def test_a_condition_on_some_lines_judges_their_units_and_whatever_is_no_unit() -> None:
    on_line = docket(ruling(lines=frozenset({2})))
    units = {"FR-1": Unit("FR-1", 1), "FR-2": Unit("FR-2", 2)}
    said = [over(subject=serial, id=serial) for serial in ("FR-1", "FR-2", "FR-3")]
    said.append(over(subject=Subject("site", "NBO-T1"), id="site"))
    assert shown_by(judged(on_line, *said, units=units)) == [(1, "FR-2"), (1, "site")]
    assert judged(on_line, said[0], units=units) == []


def test_a_condition_on_some_lines_that_had_not_begun_judges_nothing() -> None:
    future = docket(ruling(lines=frozenset({1}), effective_from=NOON + HOUR))
    assert judged(future, over(), units={"FR-000123": Unit("FR-000123", 1)}) == []


def crashing(bad: int) -> Ruling:
    """Make a gallery cap that crashes on one size and finds every other one too large."""

    def evaluate(
        terms: Any, heard: Sequence[Statement[Any]], case: Case, moment: datetime
    ) -> Iterator[Finding]:
        for statement in heard:
            if statement.facts.gallery_size == bad:
                raise ZeroDivisionError
        yield from catalogue()["gallery_cap"].evaluate(terms, heard, case, moment)

    return ruling(monitor=replace(catalogue()["gallery_cap"], evaluate=evaluate))


def test_a_monitor_that_crashes_on_one_statement_still_judges_the_others() -> None:
    said = [over(NOON + number * HOUR, id=f"s{number}") for number in range(3)]
    said[1] = say(at=NOON + HOUR, id="s1", gallery_size=13)
    found = judged(docket(crashing(13)), *said)
    broken, unclear = rules.divided(found)
    assert [one.source for one in broken] == ["s0", "s2"]
    (crash,) = unclear
    assert crash.source == "s1"
    assert crash.finding.answer is Answer.NOT_ASSESSABLE
    assert crash.finding.reason == "monitor_failed"
    assert crash.finding.observed == "a failure of monitor gallery_cap version 1"
    assert crash.finding.missing == ("ZeroDivisionError in gallery_cap",)


def test_a_monitor_that_crashes_over_what_is_owed_is_a_finding_about_the_license() -> None:
    def evaluate(*_: Any) -> Iterator[Finding]:
        raise KeyError

    monitor = replace(catalogue()["heartbeat"], evaluate=evaluate)
    broken = ruling("heartbeat", monitor=monitor, terms={"every_hours": 72})
    judge_by = docket(broken)
    (found,) = rules.put(judge_by, broken, (), rules.case_of(judge_by, broken, units={}), NOON)
    assert found.finding.subject == Subject("license", "BX-1")
    assert (found.finding.at, found.source) == (NOON, "monitor_failed")


def test_statements_tried_alone_still_hear_those_before_them() -> None:
    heard_before: list[tuple[str, ...]] = []

    def evaluate(
        terms: Any, heard: Sequence[Statement[Any]], case: Case, moment: datetime
    ) -> Iterator[Finding]:
        assert len(heard) == 1, "together they are too much"
        heard_before.append(tuple(one.id for one in case.earlier))
        return iter(())

    fragile = ruling(monitor=replace(catalogue()["gallery_cap"], evaluate=evaluate))
    assert judged(docket(fragile), *(over(id=f"s{number}") for number in range(3))) == []
    assert heard_before == [(), ("s0",), ("s0", "s1")]


def test_a_finding_names_its_condition_its_monitor_and_its_inputs() -> None:
    (found,) = judged(docket(ruling(version=4)), over(id="s"))
    assert (found.license, found.exporter, found.country) == ("BX-1", "NORDLICHT", "KE")
    assert (found.condition_id, found.kind, found.monitor_version) == (4, "gallery_cap", 1)
    assert (found.title, found.severity) == ("Gallery cap", Severity.HIGH)
    assert found.digest.startswith("sha256:")
    assert len(found.digest) == 71


def test_the_same_inputs_have_the_same_digest_and_others_another() -> None:
    (first,) = judged(docket(ruling()), over(id="s"))
    (again,) = judged(docket(ruling(condition_id=99), license_id=8), over(id="s"))
    assert first.digest == again.digest
    (other_size,) = judged(docket(ruling()), say(id="s", at=NOON, gallery_size=5002))
    (other_time,) = judged(docket(ruling()), over(NOON + HOUR, id="s"))
    (other_terms,) = judged(docket(ruling(terms={"max_enrolled": 4999})), over(id="s"))
    (other_version,) = judged(docket(ruling(version=2)), over(id="s"))
    (other_monitor,) = judged(
        docket(ruling(monitor=replace(catalogue()["gallery_cap"], version=2))), over(id="s")
    )
    others = [other_size, other_time, other_terms, other_version, other_monitor]
    assert len({first.digest, *(one.digest for one in others)}) == 6


def test_a_position_is_written_into_the_digest_as_numbers() -> None:
    cap = ruling("permitted_countries", terms={"countries": ["KE"]})
    where = {"lat": 52.5, "lon": 13.4, "accuracy_m": 10}
    (found,) = judged(docket(cap), say(id="s", position=_position(where)))
    (elsewhere,) = judged(docket(cap), say(id="s", position=_position(where | {"lat": 52.6})))
    assert found.digest != elsewhere.digest


def _position(values: dict[str, float]) -> Any:
    return catalogue().validate_facts({"position": values})["position"]


def test_what_is_owed_and_what_was_shipped_are_inputs_too() -> None:
    one = ruling("heartbeat", terms={"every_hours": 72})
    silent = Obligation(Subject("unit", "FR-1"), 0, NOON - 2 * HOUR, NOON - HOUR)
    line = Line(1, "piece", Decimal(40), None, None)

    def digest(**parts: Any) -> str:
        case = rules.case_of(docket(one), one, units={}, **parts)
        (found,) = rules.put(docket(one), one, (), case, NOON)
        return found.digest

    met = replace(silent, met_at=NOON)
    digests = [
        digest(obligations=(silent,)),
        digest(obligations=(met,)),
        digest(obligations=(silent,), ledger=(line,)),
        digest(obligations=(silent,), ledger=(replace(line, shipped_quantity=Decimal(1)),)),
    ]
    assert len(set(digests)) == 4


def test_evidence_that_is_no_statement_is_named_by_its_id() -> None:
    one = ruling("heartbeat", terms={"every_hours": 72})
    silent = Obligation(Subject("unit", "FR-1"), 3, NOON - 2 * HOUR, NOON - HOUR)
    case = rules.case_of(docket(one), one, units={}, obligations=(silent,))
    (found,) = rules.put(docket(one), one, (), case, NOON)
    assert found.source == "obligation:3"


def test_a_license_without_a_destination_has_deviations_without_a_country() -> None:
    (found,) = judged(docket(ruling(), countries=()), over())
    assert found.country == ""


def test_only_monitors_that_ask_for_parties_are_shown_them() -> None:
    asking = replace(catalogue()["gallery_cap"], needs=frozenset({Need.PARTIES}))
    one = ruling(monitor=asking)
    judge_by = docket(one)
    assert rules.case_of(judge_by, one, units={}).parties == judge_by.parties
    assert rules.case_of(judge_by, ruling(), units={}).parties == ()


def test_a_case_shows_the_license_as_it_is() -> None:
    one = ruling(binds=("end_user",), lines=frozenset({1}))
    case = rules.case_of(docket(one), one, units={}, earlier=[over(id="s")])
    assert (case.license, case.state, case.exporter) == ("BX-1", "issued", "NORDLICHT")
    assert (case.binds, case.lines, case.sites) == (
        ("end_user",),
        frozenset({1}),
        frozenset({"NBO-T1"}),
    )
    assert case.in_force_from == one.effective_from
    assert [statement.id for statement in case.earlier] == ["s"]


def test_a_party_may_have_several_roles_and_a_stranger_has_none() -> None:
    assert docket().roles_of("KE-BCA") == {"end_user", "ultimate_consignee"}
    assert docket().roles_of("STRANGER") == frozenset()


def test_a_license_is_heard_whole_when_some_condition_counts_over_all_its_units() -> None:
    per_license = ruling(terms={"max_enrolled": 5, "per": "license"})
    assert docket(per_license).hears_all
    assert not docket(ruling()).hears_all
    assert not docket().hears_all


def test_a_version_without_the_facts_that_were_stated_is_not_asked() -> None:
    blind = ruling(version=2, effective_from=NOON, facts=frozenset())
    said = [over(NOON - HOUR, id="before"), over(NOON, id="after")]
    assert shown_by(judged(docket(ruling(), blind), *said)) == [(1, "before")]


def test_the_next_version_of_a_monitor_judges_beside_the_present_one() -> None:
    present = catalogue()["gallery_cap"]
    silent = replace(present, version=2, evaluate=lambda *_: iter(()))
    louder = replace(present, version=2)

    def told(shadow: Any) -> list[tuple[int, bool]]:
        found = judged(docket(ruling(shadow=shadow)), over())
        return [(one.monitor_version, one.shadow) for one in found]

    assert told(silent) == [(1, False)]
    assert told(louder) == [(1, False), (2, True)]


def test_a_finding_becomes_graver_with_the_steps_of_its_own_obligation() -> None:
    one = ruling("heartbeat", terms={"every_hours": 72}, severity=Severity.MODERATE)
    silent = Obligation(Subject("unit", "FR-1"), 3, NOON - 2 * HOUR, NOON - HOUR)
    case = rules.case_of(docket(one), one, units={}, obligations=(silent,))
    (found,) = rules.put(docket(one), one, (), case, NOON)

    def grave(**changed: Any) -> Severity:
        return rules.graver(found, [replace(silent, **changed)]).own_severity

    mild = found.own_severity
    steps = list(Severity)
    assert rules.graver(found, []) is found
    assert grave(steps=0) is mild
    assert grave(steps=1) is steps[steps.index(mild) + 1]
    assert grave(steps=9) is steps[-1]
    assert grave(steps=1, slot=4) is mild
    assert grave(steps=1, subject=Subject("unit", "FR-2")) is mild


def test_what_is_on_file_and_shows_a_finding_is_an_input_too() -> None:
    one = ruling("no_onward_transfer", terms={})
    source = Source("custody", Grade.B, "CUSTOMS-KE")

    def digest(receiver: str) -> str:
        event = CustodyEvent("custody:1", "FR-1", NOON, NOON, source, to_party=receiver)
        case = rules.case_of(docket(one), one, units={}, custody=(event,))
        (found,) = rules.put(docket(one), one, (), case, NOON)
        assert found.source == "custody:1"
        return found.digest

    assert digest("ACME") != digest("STRANGER")
