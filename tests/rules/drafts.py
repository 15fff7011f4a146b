"""Drafts of licenses for the linter, and what it says of them."""

from typing import Any

from app.licenses.advice import Advice
from app.licenses.lint import lint
from app.licenses.schemas import LicenseIn
from tests.world import license_body

KISUMU = {"lat": -0.086, "lon": 34.729}
NAIROBI = {"lat": -1.319, "lon": 36.928}


def advice(*conditions: dict[str, Any], **more: Any) -> list[Advice]:
    return lint(LicenseIn.model_validate(license_body(*conditions, **more)))


def told(code: str, *conditions: dict[str, Any], **more: Any) -> list[Advice]:
    return [one for one in advice(*conditions, **more) if one.code == code]


def one(code: str, *conditions: dict[str, Any], **more: Any) -> Advice:
    (found,) = told(code, *conditions, **more)
    return found


def line(number: int = 1, **more: Any) -> dict[str, Any]:
    first: dict[str, Any] = license_body()["lines"][0]
    return first | {"line": number} | more


def circle(reference: str, position: dict[str, float], radius_m: float = 1500) -> dict[str, Any]:
    return {"reference": reference, "position": position, "radius_m": radius_m}
