"""The way back: a filled form becomes a report that says what was answered and no more."""

from dataclasses import replace
from datetime import UTC, datetime
from typing import Any
from xml.etree.ElementTree import Element

import pytest
from defusedxml.ElementTree import fromstring, tostring

from app.audits import xform
from app.audits.answers import NothingAnswered, observations_of, pictures_of, report_of
from app.audits.questions import sealed
from app.audits.reading import AnswerRefused
from app.reports.schemas import ReportIn
from benchmarks.checklists import checklist
from tests.audits.forms import filled, submission

SEEN_AT = datetime(2026, 7, 2, 9, 0, tzinfo=UTC)
WRITTEN_AT = datetime(2026, 7, 2, 9, 30, tzinfo=UTC)
CHECKLIST = checklist(6)
FORM = xform.made_of(CHECKLIST)


def report(instance: Element) -> ReportIn:
    return report_of(
        instance, CHECKLIST, reference="uuid:1", observed_at=SEEN_AT, captured_at=WRITTEN_AT
    )


def said(instance: Element) -> dict[str, dict[str, Any]]:
    """What was stated, by subject."""
    found = {}
    for one in report(instance).statements:
        subject = one.subject
        found[subject.serial or subject.site or "license"] = dict(one.facts)
    return found


def unit(serial: str = "FR-0001", **answers: Any) -> dict[str, Any]:
    return {"unit": [{"serial": serial, **answers}]}


def site(number: int, reference: str, **answers: Any) -> dict[str, Any]:
    return {f"site_{number}": {"reference": reference, **answers}}


def test_a_whole_form_becomes_a_report() -> None:
    answers = {
        "visit": {"mode": "physical"},
        "site_1": {
            "reference": "NBO-T1",
            "access_granted": "yes",
            "access_delay_hours": "1.5",
            "changes_any": "yes",
            "site_1_changes": [{"subject": "use", "effective_on": "2026-08-01"}],
            "security_failures": "door_alarm _other",
            "security_failures_other": "window",
            "units_looked_for": "all",
        },
        "unit": [
            {
                "serial": "FR-0003",
                "sighted": "yes",
                "site": "NBO-T1",
                "gallery_size": "4210",
                "match_modes": "verify_1_1 identify_1_n",
                "position": "-1.319 36.928 1600 12.5",
                "incident_known_at": "2026-07-01T08:00:00.000+03:00",
                "remote_sessions_any": "no",
                "integrations": "none",
                "possessor": "_other",
                "possessor_other": "KE-MOI",
            },
        ],
    }
    made = report(filled(FORM, answers))
    assert (made.kind, made.license, made.mode) == ("inspection", "BX-2026-00500", "physical")
    assert (made.reference, made.observed_at) == ("uuid:1", SEEN_AT)
    assert made.captured_at == WRITTEN_AT
    about = said(filled(FORM, answers))
    assert about["NBO-T1"] == {
        "access_granted": True,
        "access_delay_hours": 1.5,
        "changes": about["NBO-T1"]["changes"],
        "security_failures": ["door_alarm", "window"],
        "sighted_serials": ["FR-0003"],
    }
    assert about["NBO-T1"]["changes"][0].effective_on.isoformat() == "2026-08-01"
    fr = about["FR-0003"]
    assert (fr["gallery_size"], fr["site"], fr["possessor"]) == (4210, "NBO-T1", "KE-MOI")
    assert fr["match_modes"] == ["verify_1_1", "identify_1_n"]
    assert (fr["position"].lat, fr["position"].accuracy_m) == (-1.319, 12.5)
    assert (fr["remote_sessions"], fr["integrations"]) == ([], [])
    assert fr["incident_known_at"].astimezone(UTC).hour == 5
    assert set(about) == {"NBO-T1", "FR-0003"}


@pytest.mark.parametrize(
    ("looked", "expected"),
    [("all", ["FR-0001"]), ("some", None), ("not_one", None), ("", None)],
)
def test_only_a_whole_inventory_says_what_is_missing(
    looked: str, expected: list[str] | None
) -> None:
    units = [
        {"serial": "FR-0001", "sighted": "yes", "site": "EBB-1"},
        {"serial": "FR-0002", "sighted": "no", "disposition": "lost"},
        {"serial": "FR-0003", "sighted": "yes", "site": "_elsewhere", "country": "KE"},
    ]
    about = said(submission(**site(3, "EBB-1", units_looked_for=looked), unit=units))
    assert about.get("EBB-1", {}).get("sighted_serials") == expected
    assert about["FR-0001"] == {"site": "EBB-1"}
    assert about["FR-0002"] == {"disposition": "lost"}
    assert about["FR-0003"] == {"country": "KE"}


def test_an_inventory_that_shows_nothing_is_stated() -> None:
    assert said(submission(**site(1, "NBO-T1", units_looked_for="all"))) == {
        "NBO-T1": {"sighted_serials": []}
    }


def test_a_unit_the_license_does_not_know_is_stated_as_seen() -> None:
    strange = {"scanned": "XX-1", "sighted": "yes", "site": "NBO-T1"}
    about = said(submission(**site(1, "NBO-T1", units_looked_for="all"), unit=[strange]))
    assert about == {"NBO-T1": {"sighted_serials": ["XX-1"]}, "XX-1": {"site": "NBO-T1"}}


def test_what_is_not_answered_is_not_stated() -> None:
    with pytest.raises(NothingAnswered):
        report(filled(FORM, {}))
    with pytest.raises(NothingAnswered):
        report(filled(FORM, {"site_1": {"reference": "NBO-T1"}, "unit": [{"sighted": "no"}]}))
    with pytest.raises(NothingAnswered):
        report(submission(**site(1, "NBO-T1", integrations="_other")))


def test_none_is_an_answer() -> None:
    chosen = said(submission(**unit(integrations="_none", remote_sessions_any="no")))
    written = said(submission(**unit(integrations="none")))
    assert chosen["FR-0001"] == {"integrations": [], "remote_sessions": []}
    assert written["FR-0001"] == {"integrations": []}


def test_the_same_unit_twice_is_two_statements() -> None:
    twice = [{"serial": "FR-0001", "gallery_size": 1}, {"serial": "FR-0001", "gallery_size": 2}]
    made = report(submission(unit=twice))
    assert [one.facts["gallery_size"] for one in made.statements] == [1, 2]


def test_without_a_word_on_how_one_looked_the_least_is_assumed() -> None:
    assert report(submission(**unit(gallery_size=1))).mode == "documentary"
    seen = submission(visit={"mode": "remote_video"}, **unit(gallery_size=1))
    assert report(seen).mode == "remote_video"


@pytest.mark.parametrize(
    ("groups", "pointer"),
    [
        (unit(gallery_size="many"), "/unit[1]/gallery_size"),
        (unit(gallery_size="4.5"), "/unit[1]/gallery_size"),
        (unit(gallery_size="1_000"), "/unit[1]/gallery_size"),
        (unit(gallery_size="-1"), "/unit[1]/gallery_size"),
        (unit(gallery_size="9" * 400), "/unit[1]/gallery_size"),
        (unit(false_match_rate="nan"), "/unit[1]/false_match_rate"),
        (unit(false_match_rate="1e999"), "/unit[1]/false_match_rate"),
        (unit(false_match_rate="1.5"), "/unit[1]/false_match_rate"),
        (unit(seal_intact="perhaps"), "/unit[1]/seal_intact"),
        (unit(disposition="eaten"), "/unit[1]/disposition"),
        (unit(position="north"), "/unit[1]/position"),
        (unit(position="91"), "/unit[1]/position"),
        (unit(position="91 0 0 0"), "/unit[1]/position/lat"),
        (unit(integrations="_none vms"), "/unit[1]/integrations"),
        (unit(integrations="a b !"), "/unit[1]/integrations/2"),
        (unit(serial=""), None),
        (unit(serial="", gallery_size="1"), "/unit[1]/serial"),
        (unit(serial="no serial", gallery_size="1"), "/unit[1]"),
        (site(1, "NBO-T1", certified_on="yesterday"), "/site_1/certified_on"),
        (site(1, "NBO-T1", changes_any="yes", site_1_changes=[{"subject": "use"}]), "/site_1"),
        ({"visit": {"mode": "dreamt"}, **unit(gallery_size="1")}, "/visit/mode"),
    ],
)
def test_a_wrong_answer_is_refused_naming_its_place(
    groups: dict[str, Any], pointer: str | None
) -> None:
    with pytest.raises(AnswerRefused) as refused:
        report(submission(**groups))
    if pointer is not None:
        assert str(refused.value.pointer).startswith(pointer)
        assert refused.value.status == 422


def test_a_second_of_two_units_is_named() -> None:
    units = [{"serial": "FR-0001", "gallery_size": "1"}, {"serial": "FR-0002", "gallery_size": "x"}]
    with pytest.raises(AnswerRefused) as refused:
        report(submission(unit=units))
    assert refused.value.pointer == "/unit[2]/gallery_size"


def test_a_form_that_was_filled_before_the_license_changed_is_understood() -> None:
    instance = filled(FORM, {"unit": [{"serial": "FR-0001", "gallery_size": "7"}]})
    changed = sealed(replace(CHECKLIST, parts=CHECKLIST.parts[:1], sites=(), units=()))
    made = report_of(
        instance, changed, reference="uuid:2", observed_at=SEEN_AT, captured_at=WRITTEN_AT
    )
    assert made.statements[0].facts == {"gallery_size": 7}


def test_namespaces_do_not_matter() -> None:
    plain = filled(FORM, {"unit": [{"serial": "FR-0001", "gallery_size": "7"}]})
    text = tostring(plain).decode().replace("<data ", '<data xmlns="http://example.org/f" ', 1)
    assert said(fromstring(text)) == {"FR-0001": {"gallery_size": 7}}


def test_what_was_seen_of_conditions_without_facts_goes_into_the_file() -> None:
    answers = {
        "license": {
            "seen_heartbeat": "no",
            "remark_heartbeat": "no_access to_be_followed_up",
            "remark_certification": "_none",
        }
    }
    found = observations_of(filled(FORM, answers), CHECKLIST)
    assert [(one.condition, one.seen, one.remarks) for one in found] == [
        ("heartbeat", "no", ("no_access", "to_be_followed_up")),
    ]
    assert observations_of(submission(), CHECKLIST) == ()


@pytest.mark.parametrize("name", ["seen_heartbeat", "remark_heartbeat"])
def test_there_is_no_room_for_free_text_about_persons(name: str) -> None:
    with pytest.raises(AnswerRefused) as refused:
        observations_of(submission(license={name: "Mr_Smith"}), CHECKLIST)
    assert refused.value.pointer == f"/license/{name}"


def test_pictures_are_named() -> None:
    taken = filled(FORM, {"evidence": [{"picture": "1719.jpg"}, {"picture": ""}]})
    assert pictures_of(taken) == ("1719.jpg",)
