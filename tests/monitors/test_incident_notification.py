import json
from dataclasses import replace
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import TypeAdapter, ValidationError

from monitors import (
    Answer,
    Case,
    CustodyEvent,
    Finding,
    Grade,
    Hears,
    Need,
    Party,
    Source,
    Statement,
    Subject,
    Unit,
    incident_notification,
)
from monitors.incident_notification import MONITOR, Facts, Terms, hears
from tests.monitors.heard import NOON, SERIAL, case, judge, say

HOUR, DAY, SECOND = timedelta(hours=1), timedelta(days=1), timedelta(seconds=1)
UNIT = Subject("unit", SERIAL)
SITE = Subject("site", "BORDER-1")
TERMS = {"within_hours": 72}
POLICE = Party("KBP", "end_user", "Border Police", "KE")

hours = st.integers(-100, 200).map(lambda number: NOON + number * HOUR)
moments = st.datetimes().map(lambda moment: moment.replace(tzinfo=UTC))
kinds = st.sampled_from(
    ["incident", "attestation", "inspection", "third_party", "custody", "reading"]
)
authors = st.sampled_from(["NORDLICHT", "KBP", "inspector", ""])
dispositions = st.sampled_from([None, "lost", "stolen", "destroyed", "in_use", "transferred"])
sites_or_units = st.sampled_from([UNIT, SITE])


def tell(
    disposition: str | None = "stolen",
    *,
    known: datetime | None = None,
    came: datetime | None = None,
    subject: Subject = UNIT,
    at: datetime = NOON,
    **by: Any,
) -> Statement[Any]:
    """Tell of an incident that became known then; it came when it was observed unless given."""
    by = {"kind": "incident", **by}
    said = say(subject, at=at, disposition=disposition, incident_known_at=known, **by)
    return said._replace(received_at=came or at)


def look(disposition: str | None = "stolen", **by: Any) -> Statement[Any]:
    return tell(disposition, **{"kind": "inspection", "by": "inspector", "grade": Grade.A, **by})


def filed(said: Statement[Any], **overrides: Any) -> CustodyEvent:
    """Put a statement on file as the custody of its unit."""
    event = CustodyEvent(
        said.id,
        said.subject.reference,
        said.observed_at,
        said.received_at,
        said.source,
        disposition=said.facts.disposition,
    )
    return replace(event, **overrides)


def found(
    *said: Statement[Any], terms: Any = TERMS, on_file: Any = (), **overrides: Any
) -> list[Finding]:
    custody = tuple(one if isinstance(one, CustodyEvent) else filed(one) for one in on_file)
    file = case(**{"parties": (POLICE,), "custody": custody, **overrides})
    return judge(incident_notification, terms, *said, case=file)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_an_incident_told_within_the_hours_is_kept_and_a_second_later_is_late() -> None:
    limit = NOON + 72 * HOUR

    assert found(tell(known=NOON, came=NOON)) == []
    assert found(tell(known=NOON, came=limit)) == []
    assert reasons(found(tell(known=NOON, came=limit + SECOND))) == ["told_late"]


def test_what_is_not_stated_is_not_judged() -> None:
    assert found() == []
    assert found(say(), say(gallery_size=5), say(disposition="in_use", kind="attestation")) == []
    assert found(look("in_use"), look("destroyed"), look("transferred"), tell("disposed")) == []


def test_a_late_telling_says_when_it_was_known_and_when_it_came() -> None:
    said = tell(known=NOON - 4 * DAY, kind="check_in", by="KBP")

    (finding,) = found(said)

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "told_late")
    assert (finding.subject, finding.at, finding.evidence) == (UNIT, NOON, (said.id,))
    assert finding.expected == "an incident told within 72 hours of becoming known"
    assert finding.observed == "told at 2026-07-01 12:00 UTC, known since 2026-06-27 12:00 UTC"


@pytest.mark.parametrize("what", [None, "destroyed", "in_use", "lost"])
@pytest.mark.parametrize("subject", [UNIT, SITE])
def test_any_incident_can_be_told_late(what: str | None, subject: Subject) -> None:
    said = tell(what if subject is UNIT else None, known=NOON - 4 * DAY, subject=subject)

    assert reasons(found(said)) == ["told_late"]


def test_an_amendment_changes_what_is_found() -> None:
    said = tell(known=NOON - 2 * DAY)

    assert found(said) == []
    assert reasons(found(said, terms={"within_hours": 24})) == ["told_late"]


def test_a_loss_told_without_when_it_was_known_cannot_be_assessed() -> None:
    said = tell("lost")

    (finding,) = found(said, on_file=[said])

    assert (finding.answer, finding.reason) == (Answer.NOT_ASSESSABLE, "known_at_not_told")
    assert finding.missing == ("incident_known_at",)
    assert finding.observed == "lost, but not since when that is known"


def test_a_loss_told_before_need_not_say_again_when_it_was_known() -> None:
    again = tell("stolen", kind="attestation", at=NOON + 30 * DAY)

    assert found(tell("lost", known=NOON), again) == []
    assert found(again, on_file=[tell("lost"), again]) == []
    assert reasons(found(again, on_file=[tell("lost", came=again.received_at)])) == [
        "known_at_not_told"
    ]


@pytest.mark.parametrize(("ahead", "unclear"), [(10 * 60, False), (10 * 60 + 1, True)])
def test_an_incident_known_after_it_was_told_cannot_be_assessed(
    ahead: int,
    unclear: bool,  # noqa: FBT001
) -> None:
    findings = found(tell(known=NOON + ahead * SECOND))

    assert reasons(findings) == ["known_after_told"] * unclear
    assert all(finding.answer is Answer.NOT_ASSESSABLE for finding in findings)


@pytest.mark.parametrize(
    ("after", "reason"), [(timedelta(0), "told_late"), (SECOND, "due_before_terms")]
)
def test_what_was_due_before_the_terms_cannot_be_assessed(after: timedelta, reason: str) -> None:
    said = tell(known=NOON - 4 * DAY)

    assert reasons(found(said, in_force_from=NOON - DAY + after)) == [reason]


def test_to_tell_again_what_was_told_in_time_is_not_late() -> None:
    first = tell(known=NOON, at=NOON + HOUR)
    again = tell("lost", known=NOON - HOUR, at=NOON + 90 * DAY, kind="attestation")

    assert found(first, again) == []
    assert found(again, on_file=[first]) == []
    assert reasons(found(again)) == ["told_late"]


def test_an_incident_of_a_site_told_again_is_known_by_its_time() -> None:
    first = tell(None, known=NOON, subject=SITE)
    again = tell(None, known=NOON, subject=SITE, at=NOON + 90 * DAY, kind="attestation")
    other = tell(None, known=NOON + HOUR, subject=SITE, at=NOON + 90 * DAY, kind="attestation")

    assert found(first, again) == []
    assert found(again, earlier=(say(SITE), first)) == []
    beside = tell(None, known=NOON + DAY, subject=SITE, at=NOON + DAY, by="KBP")
    assert found(first, beside, again) == []
    assert reasons(found(first, other)) == ["told_late"]
    assert reasons(found(first._replace(received_at=NOON + 73 * HOUR), again)) == ["told_late"] * 2


@pytest.mark.parametrize(
    "by",
    [
        {"kind": "inspection", "by": "inspector"},
        {"kind": "third_party", "by": "reviewer"},
        {"kind": "third_party", "by": "NORDLICHT"},
        {"kind": "custody", "by": "inspector"},
        {"kind": "incident", "by": "inspector"},
    ],
)
@pytest.mark.parametrize("what", ["lost", "stolen"])
def test_a_loss_that_others_find_and_nobody_told_is_found(what: str, by: dict[str, str]) -> None:
    said = look(what, **by)

    (finding,) = found(said, on_file=[said])

    assert (finding.answer, finding.reason) == (Answer.BROKEN, "found_not_told")
    assert (finding.subject, finding.at, finding.evidence) == (UNIT, NOON, (said.id,))
    assert finding.observed == f"{what}, not told by 2026-07-01 12:00 UTC"
    assert finding.grade is Grade.A


@pytest.mark.parametrize("kind", ["incident", "attestation", "check_in", "custody"])
def test_a_loss_told_before_it_is_found_is_kept(kind: str) -> None:
    told = tell("lost", at=NOON - DAY, came=NOON, kind=kind, by="KBP")

    assert found(look(), on_file=[told]) == []
    assert found(look(), earlier=(told,)) == []


@pytest.mark.parametrize(
    "told",
    [
        tell("lost", at=NOON - DAY, came=NOON + SECOND),
        tell("transferred", at=NOON - DAY),
        tell("destroyed", at=NOON - DAY),
        tell("lost", at=NOON - DAY, subject=Subject("unit", "FR-000124")),
        tell("lost", at=NOON - DAY, by="reviewer"),
        tell("lost", at=NOON - DAY, kind="reading"),
        tell("lost", at=NOON - DAY, kind="third_party"),
    ],
)
def test_a_loss_told_too_late_otherwise_or_by_another_is_found(told: Statement[Any]) -> None:
    (finding,) = found(look(came=NOON + 9 * DAY), on_file=[told], in_force_from=NOON)

    assert finding.reason == "found_not_told"


def test_the_word_of_others_counts_from_when_it_came() -> None:
    told = tell("stolen", at=NOON + DAY)
    heard = look(kind="third_party", came=NOON + 2 * DAY)

    assert found(heard, on_file=[told]) == []
    assert reasons(found(heard._replace(received_at=NOON + HOUR), on_file=[told])) == [
        "found_not_told"
    ]


def test_a_loss_told_before_the_unit_came_back_is_another() -> None:
    told = tell("lost", at=NOON - 9 * DAY)
    back = look("in_use", at=NOON - 5 * DAY)
    unheard = look("in_use", at=NOON - 5 * DAY, came=NOON + SECOND)
    again = tell("lost", at=NOON - 2 * DAY)

    assert reasons(found(look(), on_file=[told, back])) == ["found_not_told"]
    assert found(look(), on_file=[told, back, again]) == []
    assert found(look(), on_file=[told, unheard]) == []
    assert found(look(at=NOON - 6 * DAY, kind="third_party", came=NOON), on_file=[told, back]) == []


def test_a_corrected_event_counts_for_nothing() -> None:
    told = tell("lost", at=NOON - DAY)
    seen = look()

    assert reasons(found(seen, on_file=[filed(told, corrected=True)])) == ["found_not_told"]
    assert found(seen, on_file=[filed(seen, corrected=True)]) == []
    assert found(on_file=[filed(seen, corrected=True)]) == []


def test_what_a_device_says_is_no_telling_and_no_finding() -> None:
    said = say(at=NOON, disposition="stolen", incident_known_at=NOON - 9 * DAY)

    assert reasons(found(said)) == ["known_at_not_told"]
    assert reasons(found(said._replace(source=Source("reading", Grade.E, "inspector")))) == [
        "known_at_not_told"
    ]
    assert reasons(found(said, look(at=NOON + DAY))) == ["known_at_not_told", "found_not_told"]
    assert found(on_file=[said]) == []


def test_a_device_that_still_runs_takes_no_telling_back() -> None:
    told, runs = tell("lost", known=NOON), say(at=NOON + HOUR, disposition="in_use")

    assert found(told, runs, look(at=NOON + DAY)) == []


def test_nobody_without_a_name_tells() -> None:
    told = tell("lost", at=NOON - DAY, by="")

    assert reasons(found(told, look(), exporter="")) == ["found_not_told"] * 2


def test_an_incident_of_a_site_that_others_state_is_found_unless_told_since() -> None:
    known = NOON - 5 * DAY
    seen = look(None, subject=SITE, known=known)

    (finding,) = found(seen)

    assert (finding.subject, finding.reason) == (SITE, "found_not_told")
    assert finding.observed == "an incident, not told by 2026-07-01 12:00 UTC"
    for when, told in ((known - DAY, False), (known, True), (NOON, True), (NOON + HOUR, False)):
        before = tell(None, subject=SITE, known=known - 2 * DAY, at=NOON - 9 * DAY, came=when)
        assert ("found_not_told" in reasons(found(seen, earlier=(before,)))) is not told
    same = tell(None, subject=SITE, known=known, at=NOON - 9 * DAY, came=known - SECOND)
    assert found(seen, earlier=(same,)) == []
    assert found(seen, earlier=(same._replace(source=Source("incident", Grade.E, "reviewer")),))


def test_a_loss_on_file_is_found_without_being_heard_anew() -> None:
    lost = CustodyEvent("custody:7", SERIAL, NOON, NOON, Source("custody", Grade.B, "CUSTOMS-KE"))
    lost = replace(lost, disposition="lost")
    told = tell("lost", at=NOON - DAY)

    (finding,) = found(on_file=[lost])

    assert (finding.subject, finding.reason) == (UNIT, "found_not_told")
    assert (finding.evidence, finding.grade) == (("custody:7",), Grade.B)
    assert found(on_file=[told, lost]) == []
    assert found(on_file=[lost], in_force_from=NOON + SECOND) == []
    assert len(found(on_file=[lost], in_force_from=NOON)) == 1


@pytest.mark.parametrize(
    ("units", "lines", "findings"),
    [({}, {1}, 0), ({SERIAL: Unit(SERIAL, 2)}, {1}, 0), ({SERIAL: Unit(SERIAL, 1)}, {1}, 1)],
)
def test_a_loss_on_file_of_another_line_is_not_judged(
    units: dict[str, Unit], lines: set[int], findings: int
) -> None:
    found_here = found(on_file=[look()], units=units, lines=frozenset(lines))

    assert len(found_here) == findings


def test_heard_or_on_file_a_loss_is_found_as_one() -> None:
    seen = look(came=NOON + 3 * DAY)

    assert found(seen) == found(on_file=[seen]) == found(seen, on_file=[seen])


def test_it_says_what_it_needs_and_how_far_back_it_hears() -> None:
    assert hears(Terms()) == Hears(every=True, stating="incident_known_at")
    assert MONITOR.needs == {Need.CUSTODY, Need.PARTIES, Need.UNITS}
    assert MONITOR.awaits is None


def test_the_terms_stand_in_for_themselves() -> None:
    stored = Path(__file__).parent / "terms" / "incident_notification.json"

    assert Terms.model_validate(json.loads(stored.read_text())) == Terms(within_hours=72) == Terms()


@pytest.mark.parametrize(
    "terms", [{"within_hours": 0}, {"within_hours": 1.5}, {"within_hours": 9000}, {"hours": 72}]
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, object]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@pytest.mark.parametrize(
    "written",
    ["2026-07-01T14:00:00+02:00", "2026-07-01T12:00:00Z", "2026-07-01t12:00:00.000000z", NOON],
)
def test_a_time_is_read_with_its_zone(written: Any) -> None:
    facts = Facts(incident_known_at=written)

    assert facts.incident_known_at == NOON
    assert facts.incident_known_at.tzinfo is UTC
    if isinstance(written, str):
        assert Facts.model_validate_json(json.dumps({"incident_known_at": written})) == facts


@pytest.mark.parametrize(
    "written",
    [
        "2026-07-01T12:00:00",
        "2026-07-01",
        "2026-07-01T12:00Z",
        "2026-02-30T12:00:00Z",
        "1782907200",
        1782907200,
        True,
        NOON.replace(tzinfo=None),
        "0001-01-01T00:00:00+14:00",
        datetime.max.replace(tzinfo=timezone(-HOUR)),
    ],
)
def test_what_is_no_time_with_a_zone_is_refused(written: Any) -> None:
    with pytest.raises(ValidationError):
        Facts.model_validate({"incident_known_at": written})


def test_forms_know_it_for_a_time() -> None:
    schema = TypeAdapter(Facts).json_schema()["properties"]["incident_known_at"]

    assert {"type": "string", "format": "date-time"} in schema["anyOf"]
    assert schema["scopes"] == ["unit", "site"]


@given(hours, st.integers(1, 200))
def test_a_first_telling_is_late_exactly_when_hours_are_over(came: datetime, limit: int) -> None:
    said = tell(known=NOON, came=came)

    late = reasons(found(said, terms={"within_hours": limit})) == ["told_late"]

    assert late is (came > NOON + limit * HOUR)


@st.composite
def told_or_found(draw: st.DrawFn) -> Statement[Any]:
    subject, at = draw(sites_or_units), draw(hours)
    return tell(
        draw(dispositions) if subject is UNIT else None,
        subject=subject,
        at=at,
        came=at + draw(st.integers(0, 100)) * HOUR,
        known=draw(st.none() | hours),
        kind=draw(kinds),
        by=draw(authors),
    )


@given(st.lists(told_or_found(), max_size=6), st.booleans(), st.none() | hours)
def test_statements_alone_or_together_give_the_same(
    said: list[Statement[Any]],
    on_file: bool,  # noqa: FBT001
    since: datetime | None,
) -> None:
    said.sort(key=lambda one: (one.observed_at, one.subject.reference, one.id))
    papers = [one for one in said if one.facts.disposition and one.source.kind != "reading"]
    given: dict[str, Any] = {"on_file": papers if on_file else (), "in_force_from": since}

    alone = [
        finding
        for index, one in enumerate(said)
        for finding in found(one, earlier=said[:index], **given)
        if finding.evidence == (one.id,)
    ]

    ids = [(one.id,) for one in said]
    together = [finding for finding in found(*said, **given) if finding.evidence in ids]
    assert together == alone


@given(st.lists(told_or_found(), max_size=6), st.permutations(range(6)))
def test_the_order_of_the_file_makes_no_difference(
    said: list[Statement[Any]], order: list[int]
) -> None:
    papers = [one for one in said if one.facts.disposition]
    shuffled = [papers[index] for index in order if index < len(papers)]

    once, again = found(on_file=papers), found(on_file=shuffled)

    assert sorted(once, key=lambda one: one.evidence) == sorted(again, key=lambda one: one.evidence)


@given(
    st.lists(st.tuples(moments, moments, st.none() | moments, dispositions, kinds, authors)),
    st.none() | moments,
    st.sampled_from([frozenset[int](), frozenset({1})]),
    st.sampled_from(["NORDLICHT", ""]),
)
def test_nothing_whatever_makes_it_raise(
    told: list[tuple[datetime, datetime, datetime | None, str | None, str, str]],
    since: datetime | None,
    lines: frozenset[int],
    exporter: str,
) -> None:
    said = [
        tell(what, at=at, came=came, known=known, kind=kind, by=by)
        for at, came, known, what, kind, by in told
    ]
    file: Case = case(
        in_force_from=since,
        lines=lines,
        exporter=exporter,
        earlier=said[:2],
        custody=tuple(filed(one, corrected=one.source.by == "KBP") for one in said[1:]),
    )

    findings = judge(incident_notification, {"within_hours": 8784}, *said[::2], case=file)

    assert {finding.evidence for finding in findings} <= {(one.id,) for one in said}


def test_the_end_of_time_is_within_the_limit() -> None:
    last = datetime.max.replace(tzinfo=UTC)

    assert found(tell(known=last, came=last)) == []
