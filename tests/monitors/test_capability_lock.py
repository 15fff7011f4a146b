from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from monitors import Answer, Finding, Statement, Subject, capability_lock
from monitors.capability_lock import Terms
from tests.monitors.amended import amended, twice
from tests.monitors.heard import SERIAL, judge, say

TERMS = {"locked_modules": ["face_search", "watchlist"], "seal_required": True}
ALL = {**TERMS, "secure_boot_required": True}

modules = st.lists(st.sampled_from(["verify", "Face_Search", "unknown", "x"]), max_size=4)
flags = st.none() | st.booleans()


def found(terms: dict[str, Any], *statements: Statement[Any]) -> list[Finding]:
    return judge(capability_lock, terms, *statements)


def reasons(findings: list[Finding]) -> list[str]:
    return [finding.reason for finding in findings]


def test_locked_modules_off_an_intact_seal_and_secure_boot_are_kept() -> None:
    assert found(ALL, say(enabled_modules=["verify"], seal_intact=True, secure_boot=True)) == []


def test_what_is_not_stated_is_not_judged() -> None:
    assert found(ALL) == []
    assert found(ALL, say(), say(gallery_size=5)) == []
    assert found(ALL, say(enabled_modules=["verify"])) == []


def test_what_is_not_required_is_not_judged() -> None:
    said = say(enabled_modules=[], seal_intact=False, secure_boot=False)

    assert reasons(found({"seal_required": True}, said)) == ["seal_broken"]
    assert reasons(found({"secure_boot_required": True}, said)) == ["secure_boot_off"]
    assert reasons(found({"locked_modules": ["x"]}, said)) == ["module_unnamed"]


def test_a_locked_module_that_is_on_is_found() -> None:
    statement = say(enabled_modules=["verify", "watchlist", "Face_Search", "unknown"])

    (finding,) = found(TERMS, statement)

    assert finding.answer is Answer.BROKEN
    assert finding.reason == "locked_module_on"
    assert finding.subject == Subject("unit", SERIAL)
    assert finding.evidence == (statement.id,)
    assert finding.expected == "face_search, watchlist locked"
    assert finding.observed == "face_search, watchlist on"


def test_a_broken_seal_and_secure_boot_switched_off_are_found() -> None:
    findings = found(ALL, say(seal_intact=False, secure_boot=False))

    assert {finding.answer for finding in findings} == {Answer.BROKEN}
    assert reasons(findings) == ["seal_broken", "secure_boot_off"]


@pytest.mark.parametrize(
    ("modules", "observed"),
    [([], "an empty list of modules"), (["verify", "Other"], "a module without a name")],
)
def test_modules_without_a_name_cannot_be_assessed(modules: list[str], observed: str) -> None:
    (finding,) = found(TERMS, say(enabled_modules=modules))

    assert finding.answer is Answer.NOT_ASSESSABLE
    assert (finding.reason, finding.missing) == ("module_unnamed", ("enabled_modules",))
    assert finding.observed == observed


def test_an_amendment_changes_what_is_found() -> None:
    statement = say(enabled_modules=["watchlist"], seal_intact=False)

    assert reasons(found(TERMS, statement)) == ["locked_module_on", "seal_broken"]
    assert found({"locked_modules": ["face_search"]}, statement) == []


def test_two_statements_around_an_amendment_are_each_judged_by_their_own_terms() -> None:
    then, now = twice(enabled_modules=["watchlist"])

    assert amended(capability_lock, TERMS, {"locked_modules": ["face_search"]}, then, now) == [
        (then.id, "locked_module_on")
    ]


@pytest.mark.parametrize(
    "terms",
    [
        {},
        {"locked_modules": []},
        {"locked_modules": ["two words"]},
        {"locked_modules": ["other"]},
        {"seal_required": "yes"},
        {"modules": ["x"]},
    ],
)
def test_terms_that_make_no_sense_are_refused(terms: dict[str, Any]) -> None:
    with pytest.raises(ValidationError):
        Terms.model_validate(terms)


@given(st.lists(st.tuples(st.none() | modules, flags, flags), max_size=5))
def test_statements_alone_or_together_give_the_same(
    stated: list[tuple[list[str] | None, bool | None, bool | None]],
) -> None:
    said = [
        say(enabled_modules=on, seal_intact=seal, secure_boot=boot) for on, seal, boot in stated
    ]

    alone = [finding for one in said for finding in found(ALL, one)]

    assert found(ALL, *said) == alone
    assert reasons(alone).count("seal_broken") == sum(seal is False for _, seal, _ in stated)
    assert reasons(alone).count("locked_module_on") == sum(
        "Face_Search" in (on or ()) for on, _, _ in stated
    )
