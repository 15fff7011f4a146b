"""Prints, as JSON, what GET answers to a key. Started with `-m` PATH...; the key and the database
come in the environment. The package `monitors` is whichever comes first on the path.
"""

import json
import os
import sys

from starlette.testclient import TestClient

from app.cli import logs
from app.main import create_app
from app.settings import Settings


def told(paths: list[str]) -> list[list[object]]:
    logs.configure("WARNING")
    headers = {"Authorization": f"Bearer {os.environ['KEY']}"}
    with TestClient(create_app(Settings())) as client:
        answers = [client.get(path, headers=headers) for path in paths]
    return [[answer.status_code, answer.json()] for answer in answers]


if __name__ == "__main__":
    json.dump(told(sys.argv[1:]), sys.stdout)
