"""Holds EPCIS documents against GS1's own JSON schema, which is kept beside this file unchanged.

Source: EPCIS-JSON-Schema.json of EPCIS 2.0 as GS1 publishes it with the standard; © GS1 AISBL, given
"as is" under the GS1 IP policy (royalty-free or RAND licenses to what the standard needs), the REST
bindings of the same publication under Apache-2.0.
"""

import json
from functools import cache
from pathlib import Path
from typing import Any

from jsonschema_rs import Draft7Validator, ValidationError

from app.errors import Malformed
from app.wire.problems import pointer

SCHEMA = Path(__file__).with_name("epcis-schema.json")


class DocumentInvalid(Malformed):
    """This is no EPCIS 2.0 document or event by GS1's JSON schema."""


@cache
def _validator() -> Draft7Validator:
    """Compile the schema; it reaches for nothing outside, and repeats nothing of what was sent."""
    schema = json.loads(SCHEMA.read_text(encoding="utf-8"))
    return Draft7Validator(schema, validate_formats=True, mask="the value", offline=True)


def check(document: dict[str, Any]) -> None:
    """Refuse what the schema refuses, naming the field that lies deepest: it says most."""
    errors = list(_validator().iter_errors(document))
    if not errors:
        return
    worst = max(errors, key=lambda error: len(error.instance_path))
    where = pointer(worst.instance_path)
    raise DocumentInvalid(
        f"{where or '/'}: {_told(worst)} Nothing was captured; correct it and send it again.",
        pointer=where,
        errors=[
            {"pointer": pointer(one.instance_path), "detail": _told(one)} for one in errors[:50]
        ],
    )


def _told(error: ValidationError) -> str:
    if "propertyNames" in error.schema_path:
        return (
            "a field that EPCIS does not have; fields of your own carry a namespace (`my:field`)."
        )
    return f"{error.message}."
