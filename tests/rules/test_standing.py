"""How subjects fold into the standing of a condition, and when it must be verified next."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.assessments import standing
from app.assessments.standing import CADENCE, SHOWN, Evidence, Hearing, Standing
from monitors import Answer, Finding, Grade, Subject, catalogue
from tests.monitors.heard import say

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
DAY = timedelta(days=1)
GATE, OTHER, SITE = Subject("unit", "FR-1"), Subject("unit", "FR-2"), Subject("site", "NBO-T1")


def proof(id: str = "s1", at: datetime = NOON, grade: Grade = Grade.D) -> Evidence:
    return Evidence(id, "reading", at, grade)


def found(answer: Answer = Answer.BROKEN, subject: Subject = GATE, **more: Any) -> Finding:
    plain: dict[str, Any] = {
        "reason": "over_cap",
        "at": NOON,
        "expected": "at most 1",
        "observed": "2",
        "clears": "one less",
        "evidence": ("s1",),
    }
    return Finding(answer, subject, **plain | more)


def test_nothing_heard_is_not_kept() -> None:
    stood = standing.fold(Hearing())
    assert (stood.answer, stood.reason) == (Standing.NOT_ASSESSABLE, "nothing_heard")
    assert (stood.since, stood.verified_at, stood.grade) == (None, None, None)
    assert stood.subjects == ()


def test_kept_is_what_every_subject_kept() -> None:
    basis = {GATE: [proof()], OTHER: [proof("s2", NOON + DAY, Grade.A)]}
    stood = standing.fold(Hearing(basis))
    assert (stood.answer, stood.reason) == (Standing.KEPT, None)
    assert (stood.since, stood.verified_at) == (NOON, NOON + DAY)
    assert stood.grade == Grade.D  # no better known than by its weakest evidence
    assert [one.id for one in stood.evidence] == ["s2", "s1"]


def test_one_subject_nobody_spoke_of_is_enough_to_leave_it_open() -> None:
    stood = standing.fold(Hearing({GATE: [proof()]}, silent=[OTHER]))
    assert (stood.answer, stood.reason) == (Standing.NOT_ASSESSABLE, "nothing_heard")
    assert stood.counts == {Standing.BROKEN: 0, Standing.NOT_ASSESSABLE: 1, Standing.KEPT: 1}
    assert (stood.since, stood.grade, stood.verified_at) == (None, None, NOON)


def test_one_broken_subject_breaks_it_whatever_is_unclear() -> None:
    basis = {GATE: [proof()], OTHER: [proof("s2", grade=Grade.E)]}
    unclear = found(Answer.NOT_ASSESSABLE, OTHER, reason="border", evidence=("s2",))
    stood = standing.fold(Hearing(basis, [unclear, found()], silent=[SITE]))
    assert (stood.answer, stood.reason) == (Standing.BROKEN, "over_cap")
    assert [one.answer.value for one in stood.subjects] == [
        "broken",
        "not_assessable",
        "not_assessable",
    ]
    assert stood.grade == Grade.D


@pytest.mark.parametrize("turn", [1, -1])
def test_of_one_subject_a_breach_outweighs_what_is_unclear(turn: int) -> None:
    both = [found(Answer.NOT_ASSESSABLE, reason="border"), found(), found(reason="later")]
    (subject,) = standing.fold(Hearing({GATE: [proof()]}, both[::turn])).subjects
    assert subject.answer is Standing.BROKEN
    assert subject.reason == ("over_cap" if turn == 1 else "later")


def test_a_breach_lasts_since_it_stood_on_record() -> None:
    basis = {GATE: [proof(at=NOON)]}
    first = {(GATE, "over_cap"): NOON - 9 * DAY}
    assert standing.fold(Hearing(basis, [found()], first=first)).since == NOON - 9 * DAY
    unclear = [found(Answer.NOT_ASSESSABLE)]
    assert standing.fold(Hearing(basis, unclear, first=first)).since == NOON


def test_silence_lasts_since_the_grace_was_over_and_shows_what_was_heard_last() -> None:
    silent = found(evidence=("obligation:0",), at=NOON + 4 * DAY)
    heard = standing.fold(Hearing({GATE: [proof()]}, [silent]))
    assert (heard.since, heard.evidence) == (NOON + 4 * DAY, (proof(),))
    never = standing.fold(Hearing({}, [silent], silent=[GATE]))
    assert (never.answer, never.evidence, never.counts[Standing.BROKEN]) == ("broken", (), 1)
    assert len(never.subjects) == 1


def test_only_some_subjects_are_shown_the_longest_broken_first() -> None:
    units = [Subject("unit", f"U-{at:03}") for at in range(SHOWN + 9)]
    basis = {unit: [proof(unit.reference, NOON - at * DAY)] for at, unit in enumerate(units)}
    broken = [found(subject=unit, evidence=(unit.reference,)) for unit in units]
    stood = standing.fold(Hearing(basis, broken))
    assert stood.counts[Standing.BROKEN] == SHOWN + 9
    assert [one.subject for one in stood.subjects] == units[::-1][:SHOWN]
    assert len(stood.evidence) == standing.FEW


@given(
    st.sets(st.sampled_from("abcdef")),
    st.dictionaries(st.sampled_from("abcdefg"), st.sampled_from(Answer)),
    st.sets(st.sampled_from("defgh")),
)
def test_kept_means_heard_and_never_found_wanting(
    heard: set[str], wanting: dict[str, Answer], unheard: set[str]
) -> None:
    basis = {Subject("unit", one): [proof(one)] for one in heard}
    findings = [
        found(answer, Subject("unit", one), evidence=(one,)) for one, answer in wanting.items()
    ]
    silent = [Subject("unit", one) for one in sorted(unheard - heard)]
    stood = standing.fold(Hearing(basis, findings, silent))
    assert (stood.answer is Standing.KEPT) == (bool(heard) and not wanting and not silent)
    assert (stood.answer is Standing.BROKEN) == (Answer.BROKEN in wanting.values())
    assert sum(stood.counts.values()) == len(heard | set(wanting) | unheard)


def test_a_sum_reads_the_site_only_to_place_a_number() -> None:
    kinds = catalogue()
    assert standing.relevant(kinds["gallery_cap"]) == {"gallery_size"}
    assert standing.relevant(kinds["permitted_sites"]) == {"position", "site"}
    assert standing.relevant(kinds["heartbeat"]) == frozenset()
    assert standing.scopes(kinds["gallery_cap"]) == {"unit"}
    assert standing.scopes(kinds["permitted_end_use"]) == {"unit", "site", "license"}


def test_of_each_fact_the_latest_word_is_kept_and_the_older_left_out() -> None:
    facts = frozenset({"oldest_probe_days", "oldest_log_days"})
    first = say(at=NOON, oldest_probe_days=40, oldest_log_days=9, site="NBO-T1")
    second = say(at=NOON + DAY, oldest_probe_days=3)
    third = say(at=NOON + 2 * DAY, site="NBO-T2")
    chosen = standing.latest([third, first, second], facts)
    assert [one.id for one in chosen] == [first.id, second.id]
    assert chosen[0].facts.__dict__ == {"oldest_log_days": 9, "site": "NBO-T1"}
    assert chosen[0].facts.oldest_probe_days is None
    assert standing.latest([third], facts) == []


def test_of_the_same_moment_a_report_counts_before_a_reading() -> None:
    reading, report = say(gallery_size=1, id="z"), say(gallery_size=2, id="a", kind="attestation")
    for both in ([reading, report], [report, reading]):
        assert standing.latest(both, frozenset({"gallery_size"}))[0].id == "a"


def test_a_site_speaks_for_its_units_and_the_license_for_all() -> None:
    home = {"FR-1": "NBO-T1", "FR-2": None}
    assert standing.silent([GATE, OTHER], [SITE], home) == [OTHER]
    assert standing.silent([GATE, OTHER], [GATE], home) == [OTHER]
    assert standing.silent([GATE, OTHER], [Subject("license", "BX-1")], home) == []
    assert standing.silent([SITE], [], {}) == [SITE]


def test_evidence_names_the_statement_and_its_worth() -> None:
    statement = say(grade=Grade.A, kind="inspection", id="report:1#0", gallery_size=1)
    shown = standing.evidence_of(statement)
    assert (shown.id, shown.source_kind, shown.grade) == ("report:1#0", "inspection", Grade.A)


@pytest.mark.parametrize(("tier", "days"), [(3, 90), (2, 180), (1, 365)])
def test_the_next_verification_follows_the_tier(tier: int, days: int) -> None:
    assert CADENCE[tier] == timedelta(days=days)

    def due(verified_at: datetime | None, owed: list[datetime] | None) -> datetime | None:
        return standing.next_due(tier=tier, in_force_from=NOON, verified_at=verified_at, owed=owed)

    assert due(NOON + DAY, None) == NOON + timedelta(days=days + 1)
    assert due(None, None) == NOON + timedelta(days=days)
    assert due(NOON, [NOON + 3 * DAY, NOON + 2 * DAY]) == NOON + 2 * DAY
    assert due(NOON, []) is None
