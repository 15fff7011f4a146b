"""Completes the OpenAPI document: every status a route can give, and every error as it is sent."""

import json
import re
from collections.abc import Iterable, Mapping
from typing import Any

from pydantic import BaseModel

from app.errors import Trouble
from app.wire.problems import MEDIA_TYPE, Problem

SCHEMAS = "#/components/schemas/"
SHOWN = {MEDIA_TYPE: {"schema": {"$ref": f"{SCHEMAS}{Problem.__name__}"}}}
TRY_LATER = frozenset({"429", "503", "507"})
RETRY_AFTER = {"description": "Seconds after which to try again.", "schema": {"type": "integer"}}
UNSAID = {"", "Validation Error"}


def tell_troubles(
    operation: dict[str, Any],
    kinds: Iterable[type[Trouble]],
    shown: Mapping[str, Any] = SHOWN,
) -> None:
    """Add what any route of its sort can answer, and show every error as a problem, or as said."""
    responses = operation["responses"]
    for kind in kinds:
        response = responses.setdefault(str(kind.status), {"description": ""})
        if response["description"] in UNSAID:
            response["description"] = f"{kind.title()}."
    for status, response in responses.items():
        if status >= "400":
            response["content"] = shown
        if status in TRY_LATER:
            response["headers"] = {"Retry-After": RETRY_AFTER}
    operation["responses"] = dict(sorted(responses.items()))


def settle_schemas(document: dict[str, Any], *models: type[BaseModel]) -> None:
    """Add schemas that are only named, and leave out those that nothing names."""
    schemas = document.setdefault("components", {}).setdefault("schemas", {})
    for model in models:
        schema = model.model_json_schema(ref_template=f"{SCHEMAS}{{model}}")
        schemas |= schema.pop("$defs", {}) | {model.__name__: schema}
    wanted: set[str] = set()
    fresh = _named(document["paths"])
    while fresh:
        wanted |= fresh
        fresh = {name for one in fresh for name in _named(schemas[one])} - wanted
    document["components"]["schemas"] = {name: schemas[name] for name in sorted(wanted)}


def _named(part: Any) -> set[str]:
    return set(re.findall(rf'"{SCHEMAS}([^"]+)"', json.dumps(part)))
