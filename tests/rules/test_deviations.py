from dataclasses import replace
from datetime import UTC, datetime
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from app.deviations import rules
from app.deviations.rules import Found
from monitors import Answer, Finding, Grade, Severity, Subject

NOON = datetime(2026, 6, 1, 12, tzinfo=UTC)
UNIT = Subject("unit", "FR-1")

FINDING = Finding(
    answer=Answer.BROKEN,
    subject=UNIT,
    reason="over_cap",
    at=NOON,
    expected="at most 5,000 enrolled",
    observed="5,001 enrolled",
    clears="a reading at the cap",
    evidence=("s1", "s2"),
)
FOUND = Found(
    license_id=7,
    license="BX-1",
    exporter="NORDLICHT",
    country="KE",
    condition_id=3,
    kind="gallery_cap",
    title="Gallery cap",
    monitor_version=1,
    severity=Severity.HIGH,
    finding=FINDING,
    digest="sha256:00",
)

weights = st.lists(
    st.tuples(st.sampled_from(Severity), st.none() | st.sampled_from(Grade)), min_size=1, max_size=6
)


def test_a_finding_is_shown_by_its_first_evidence_or_else_by_its_reason() -> None:
    assert FOUND.source == "s1"
    assert replace(FOUND, finding=replace(FINDING, evidence=())).source == "over_cap"


def test_a_finding_may_be_milder_or_graver_than_its_condition() -> None:
    assert FOUND.own_severity is Severity.HIGH
    mild = replace(FOUND, finding=replace(FINDING, severity=Severity.LOW))
    assert mild.own_severity is Severity.LOW


def test_the_same_thing_wrong_is_the_same_deviation_whenever_and_however_often() -> None:
    later = replace(FOUND, finding=replace(FINDING, at=NOON.replace(year=2027), observed="6,000"))
    assert later.fingerprint == FOUND.fingerprint
    assert rules.deviation_id(later.fingerprint, 1) == rules.deviation_id(FOUND.fingerprint, 1)


def test_a_license_is_known_to_a_deviation_by_its_number_and_not_by_its_row() -> None:
    assert replace(FOUND, license_id=8, condition_id=9).fingerprint == FOUND.fingerprint


def test_another_license_kind_subject_reason_or_episode_is_another_deviation() -> None:
    prints = {
        rules.fingerprint(license, kind, subject, reason)
        for license, kind, subject, reason in product(
            ["BX-1", "BX-2"],
            ["a", "b"],
            [UNIT, Subject("unit", "FR-2"), Subject("site", "FR-1"), Subject("site", "FR-2")],
            ["r", "s"],
        )
    }
    assert len(prints) == 32
    ids = {rules.deviation_id(print_, episode) for print_ in prints for episode in (1, 2)}
    assert len(ids) == 64


def test_the_id_of_a_deviation_never_changes() -> None:
    id = rules.deviation_id(rules.fingerprint("BX-1", "gallery_cap", UNIT, "over_cap"), 1)
    assert str(id) == "4c8742f3-be9a-e368-2622-ea66e25260c2"


@pytest.mark.parametrize(
    ("pairs", "episode", "weighed"),
    [
        ([(Severity.CRITICAL, Grade.E)], 1, Severity.MODERATE),
        ([(Severity.CRITICAL, Grade.F), (Severity.HIGH, Grade.E)], 1, Severity.MODERATE),
        ([(Severity.LOW, Grade.F)], 1, Severity.LOW),
        ([(Severity.HIGH, Grade.E), (Severity.LOW, Grade.D)], 1, Severity.HIGH),
        ([(Severity.HIGH, None)], 1, Severity.HIGH),
        ([(Severity.MODERATE, Grade.A)], 2, Severity.HIGH),
        ([(Severity.CRITICAL, Grade.A)], 5, Severity.CRITICAL),
        ([(Severity.MODERATE, Grade.E)], 3, Severity.MODERATE),
    ],
)
def test_severity_is_weighed_by_evidence_and_by_coming_back(
    pairs: list[tuple[Severity, Grade | None]], episode: int, weighed: Severity
) -> None:
    assert rules.weighed(pairs, episode=episode) is weighed


@given(weights, st.integers(1, 5))
def test_further_evidence_never_makes_it_milder(
    pairs: list[tuple[Severity, Grade | None]], episode: int
) -> None:
    every = rules.weighed(pairs, episode=episode)
    for one in pairs:
        alone = rules.weighed([one], episode=episode)
        assert rules.STEPS.index(alone) <= rules.STEPS.index(every)


@given(weights)
def test_the_order_of_evidence_does_not_matter(
    pairs: list[tuple[Severity, Grade | None]],
) -> None:
    assert rules.weighed(pairs, episode=1) is rules.weighed(reversed(pairs), episode=1)


@pytest.mark.parametrize(
    ("subject", "who"),
    [
        (UNIT, "unit FR-1"),
        (Subject("site", "NBO-T1"), "site NBO-T1"),
        (Subject("party", "KE-BCA"), "party KE-BCA"),
        (Subject("license", "BX-1"), "license BX-1"),
    ],
)
def test_a_deviation_is_told_in_a_sentence(subject: Subject, who: str) -> None:
    assert rules.sentence("Gallery cap", subject, FINDING) == (
        f"Gallery cap, {who}: 5,001 enrolled; expected: at most 5,000 enrolled."
    )


OWN = "an inspection by the authority (grade A), or another source "


@pytest.mark.parametrize(
    ("sources", "lacking"),
    [
        ([], OWN + "with a name"),
        ([("A", "inspector")], None),
        ([("D", "NORDLICHT")], OWN + "independent of NORDLICHT"),
        ([("D", "NORDLICHT"), ("E", "NORDLICHT")], OWN + "independent of NORDLICHT"),
        ([("D", "NORDLICHT"), ("E", "KE-BCA")], None),
        ([("F", "anonymous")], OWN + "with a name"),
        ([("F", "anonymous"), ("E", "KE-BCA")], OWN + "independent of KE-BCA"),
    ],
)
def test_a_conclusion_needs_an_inspector_or_two_independent_sources(
    sources: list[tuple[str, str]], lacking: str | None
) -> None:
    assert rules.lacking(sources) == lacking
    assert rules.conclusive(sources) is (lacking is None)
