"""The linter over HTTP: advice before a license is granted. Nothing is stored."""

from typing import Annotated, Any

from fastapi import APIRouter, Body
from pydantic import Discriminator, Tag

from app.access.router import Officer
from app.errors import Invalid
from app.licenses.advice import Advice
from app.licenses.lint import ConditionAlone, lint, lint_condition
from app.licenses.schemas import LicenseIn
from app.wire import Out, problems

router = APIRouter(prefix="/v1/licenses", tags=["licenses"])


def _sort(body: Any) -> str | None:
    """Tell a condition by itself from a license; None for what is neither."""
    if not isinstance(body, dict):
        return None
    return "one_condition" if "condition" in body else "whole_license"


LintIn = Annotated[
    Annotated[LicenseIn, Tag("whole_license")] | Annotated[ConditionAlone, Tag("one_condition")],
    Discriminator(
        _sort,
        custom_error_type="neither_license_nor_condition",
        custom_error_message='Send a license, or one condition as {"condition": {...}}',
    ),
]


class LintOut(Out):
    """What the linter says, gravest first."""

    advice: list[Advice]
    errors: int
    warnings: int


@router.post("/lint", responses=problems(Invalid))
def look(draft: Annotated[LintIn, Body()], officer: Officer) -> LintOut:  # noqa: ARG001 who asks
    """Look at a license or one condition before it is granted; nothing is stored."""
    advice = lint_condition(draft.condition) if isinstance(draft, ConditionAlone) else lint(draft)
    weights = [one.severity for one in advice]
    return LintOut(advice=advice, errors=weights.count("error"), warnings=weights.count("warning"))
