"""Handing in files as an exporter or an inspector does."""

import hashlib
from typing import Any
from urllib.parse import quote

from app.evidence.room import Room
from tests.conftest import Door
from tests.evidence import good


def digest_of(content: bytes) -> str:
    return f"sha256:{hashlib.sha256(content).hexdigest()}"


def put(door: Door, content: Any = None, name: str = "proof.pdf", **headers: str) -> Any:
    """Hand in a file; without one, a small PDF."""
    named = {"Content-Disposition": f"attachment; filename*=UTF-8''{quote(name)}"}
    named |= {key.replace("_", "-"): value for key, value in headers.items()}
    return door.put("/v1/evidence", good.pdf() if content is None else content, headers=named)


def accepted(door: Door, content: bytes | None = None, **more: str) -> str:
    """Hand in a file that must be accepted, and give its digest."""
    answer = put(door, content, **more)
    assert answer.status_code == 201, answer.text
    assert answer.json()["state"] == "accepted", answer.text
    digest: str = answer.json()["digest"]
    return digest


def files_of(room: Room) -> tuple[int, int]:
    """Count the files on their way in, and those on the shelf."""
    arriving = list(room.arrivals.glob("*")) if room.arrivals.exists() else []
    return len(arriving), len(list(room.shelf.names()))
