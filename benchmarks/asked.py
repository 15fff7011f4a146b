"""A plugin of pytest for the drill `authorization`: it notes what the matrix asks for."""

import json
import os
from pathlib import Path
from typing import Any

import pytest

from tests.walls import test_matrix

_asked: set[tuple[str, ...]] = set()


@pytest.fixture(autouse=True)
def noting(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> None:
    """Note route, who asks, whose record, which walls and which test; then ask as the matrix does."""
    node: Any = request.node
    walls = getattr(node, "callspec", None)
    behind = str(walls.params.get("walled", "all walls")) if walls else "all walls"
    ask = test_matrix._ask  # noqa: SLF001 there is no other place through which all goes

    def noted(door: Any, method: str, route: Any, held: Any, estate: Any) -> Any:
        whose = {estate.mine.number: "own", estate.theirs.number: "another's"}
        who = str(door.actor.role) if door.headers else "nobody"
        record = whose.get(held.number, "nobody's")
        _asked.add((f"{method} {route.path}", who, record, behind, node.originalname))
        return ask(door, method, route, held, estate)

    monkeypatch.setattr(test_matrix, "_ask", noted)


def pytest_sessionfinish() -> None:
    """Hand over what was asked."""
    Path(os.environ["ENDWATCH_DRILL_ASKED"]).write_text(json.dumps(sorted(_asked)))
