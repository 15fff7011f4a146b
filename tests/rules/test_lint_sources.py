import sys
from collections.abc import Iterator, Sequence
from datetime import datetime
from types import ModuleType
from typing import Any

import pytest

from app.licenses.lint import lint, lint_condition
from app.licenses.schemas import ConditionBase, LicenseIn
from monitors import Case, Catalogue, Finding, Monitor, Need, Severity, Statement, TermsModel
from monitors import catalogue as known
from monitors._catalogue import discover
from monitors.heartbeat import Facts as NoFacts
from tests.rules.drafts import line, one, told
from tests.world import condition, license_body

TEXT = "As the license says."


def test_facts_about_sites_need_a_site() -> None:
    found = one("nothing_can_verify", condition("operator_training"), sites=[])
    assert (found.severity, found.pointer) == ("error", "/conditions/0/kind")
    assert "`operators_active` and `operators_trained`" in found.detail
    assert "an inspector on site" in found.detail
    assert "names no site" in found.detail
    assert not told("nothing_can_verify", condition("operator_training"))


@pytest.mark.parametrize("goods", [{"unit": "kg"}, {"quantity": "2.5"}])
def test_facts_about_units_need_goods_that_are_counted(goods: dict[str, Any]) -> None:
    cap = condition("gallery_cap", max_enrolled=5000)
    found = one("nothing_can_verify", cap, lines=[line(**goods)])
    assert "line 1" in found.detail
    assert "serial numbers" in found.advice
    heart = one("nothing_can_verify", condition("heartbeat", every_hours=72), lines=[line(**goods)])
    assert "awaits readings of units" in heart.detail
    assert not told("nothing_can_verify", cap)


def test_a_fact_that_a_site_or_the_license_can_state_is_enough() -> None:
    use = condition("permitted_end_use", allowed=["border_control"])
    basis = condition("legal_basis", sample_size=10)
    assert not told("nothing_can_verify", use, basis, lines=[line(unit="kg")])


def test_lines_whose_goods_state_nothing_are_named() -> None:
    lines = [line(1), line(2, unit="kg")]
    cap = condition("gallery_cap", max_enrolled=5000)
    assert one("line_without_units", cap, lines=lines).severity == "note"
    chosen = one("line_without_units", cap | {"lines": [1, 2]}, lines=lines)
    assert (chosen.severity, chosen.pointer) == ("warning", "/conditions/0/lines")
    heart = condition("heartbeat", every_hours=72)
    assert one("line_without_units", heart, lines=lines).severity == "note"
    assert not told("line_without_units", cap | {"lines": [1]}, lines=lines)
    assert not told("line_without_units", condition("quantity_limit"), lines=lines)


def test_counting_per_site_needs_sites() -> None:
    cap = condition("gallery_cap", max_enrolled=5000, per="site")
    assert one("sites_missing", cap, sites=[]).pointer == "/conditions/0/terms/per"
    assert not told("sites_missing", cap)


def test_a_limit_of_value_needs_lines_with_a_value() -> None:
    limit = condition("quantity_limit", value_tolerance_percent="5")
    assert one("line_without_value", limit, lines=[line(value=None)]).severity == "warning"
    assert not told("line_without_value", limit)


def test_a_required_fact_that_nobody_can_state_is_an_error() -> None:
    cadence = condition("reporting_cadence", every="P3M", required_facts=["end_uses", "mood"])
    found = one("fact_unknown", cadence)
    assert (found.severity, found.pointer) == ("error", "/conditions/0/terms/required_facts/1")


class Nothing(TermsModel):
    """No terms."""


def silent(
    terms: Nothing, heard: Sequence[Statement[Any]], case: Case, moment: datetime
) -> Iterator[Finding]:
    return iter(())


@pytest.fixture
def grown(monkeypatch: pytest.MonkeyPatch) -> Catalogue:
    """The catalogue with kinds dropped in that need what no part delivers yet."""
    modules = []
    for kind, facts in (
        ("paper_only", NoFacts),
        ("paper_too", known()["physical_security"].facts),
        ("mixed", known()["permitted_sites"].facts),
    ):
        module = ModuleType(f"monitors.{kind}", "A kind of the test.")
        module.MONITOR = Monitor(  # type: ignore[attr-defined]
            title=kind.replace("_", " ").title(),
            terms=Nothing,
            facts=facts,
            evaluate=silent,
            severity=Severity.LOW,
            how_to_check="",
            what_to_see="",
            needs=frozenset({Need.DOCUMENTS, Need.UNITS}),
        )
        monkeypatch.setitem(sys.modules, module.__name__, module)
        modules.append(module)
    return Catalogue([*discover("monitors"), *modules])


def _with(kind: str, **more: Any) -> LicenseIn:
    license = LicenseIn.model_validate(license_body(**more))
    extra = ConditionBase(kind=kind, text=TEXT, terms=Nothing())
    return license.model_copy(update={"conditions": [extra]})


def test_a_kind_dropped_into_the_catalogue_is_linted_like_any_other(grown: Catalogue) -> None:
    assert lint(_with("paper_only"), grown) == [
        each for each in lint(_with("paper_only"), grown) if each.code != "fact_unknown"
    ]
    without = lint(_with("paper_too", sites=[]), grown)
    assert "nothing_can_verify" in {each.code for each in without}
    assert "nothing_can_verify" not in {each.code for each in lint(_with("paper_too"), grown)}
    alone = ConditionBase(kind="paper_only", text=TEXT, terms=Nothing())
    assert lint_condition(alone, grown) == []


def test_facts_that_alone_cannot_be_stated_are_noted(grown: Catalogue) -> None:
    grown.facts["site"] = grown.facts["certified_on"]  # a fact of a site beside one of a unit
    codes = {each.code: each for each in lint(_with("mixed", sites=[]), grown)}
    assert codes["partly_verifiable"].severity == "note"
    assert "`site`" in codes["partly_verifiable"].detail
