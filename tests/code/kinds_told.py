"""Prints, as JSON, everywhere the product tells of its kinds. Started with `-m`; needs no database.

The package `monitors` is whichever comes first on the path.
"""

import json
import sys
from pathlib import Path
from typing import Any

from starlette.testclient import TestClient

import monitors
from app.cli.intakes import READINGS_LAYOUT
from app.main import create_app
from docs import make_conditions
from tests.conftest import settings_for


def told() -> dict[str, Any]:
    app = create_app(settings_for("postgresql://nowhere/nothing"))
    door = TestClient(app)
    return {
        "monitors": str(Path(monitors.__file__).parent),
        "document": app.openapi(),
        "condition_types": door.get("/v1/condition-types").json(),
        "facts": door.get("/v1/facts").json(),
        "page": make_conditions.render(),
        "columns": {name: column.kind for name, column in READINGS_LAYOUT.columns.items()},
        "names_of_columns": READINGS_LAYOUT.names(),
    }


if __name__ == "__main__":
    json.dump(told(), sys.stdout)
