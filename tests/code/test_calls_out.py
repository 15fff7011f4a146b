"""Nothing calls out but through app/outbound, which guards every call (decision record 30)."""

import ast
from pathlib import Path

ROOT = Path(__file__).parents[2]
CAN_CALL = {
    "aiohttp",
    "boto3",
    "botocore",
    "ftplib",
    "http.client",
    "httpcore",
    "httpx",
    "httpx2",
    "imaplib",
    "poplib",
    "requests",
    "smtplib",
    "socket",
    "telnetlib",
    "urllib.request",
    "urllib3",
    "websockets",
    "xmlrpc",
}
GUARD = {"app/outbound/calling.py", "app/outbound/connecting.py"}
EXCEPTIONS = {
    "app/evidence/buckets.py": "the bucket the operator has set, by the client of its protocol",
    "app/evidence/examination.py": "the ClamAV daemon the operator has set; it is not HTTP",
    "app/cli/api.py": "listens; calls nobody",
    "app/cli/serve.py": "looks whether a port is free; calls nobody",
    "app/cli/greeting.py": "asks the service it has just started, on this machine",
    "app/cli/health.py": "asks the service on this machine",
    "app/cli/verify.py": "a file for whoever does not trust us, run by hand, by itself",
}


def _named(tree: ast.Module) -> set[str]:
    """List what a module imports, `from a import b` as both a and a.b."""
    named = set()
    for node in ast.walk(tree):
        if isinstance(node, ast.Import):
            named |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module:
            named |= {node.module, *(f"{node.module}.{alias.name}" for alias in node.names)}
    return named


def _can_call(path: Path) -> bool:
    named = _named(ast.parse(path.read_text(encoding="utf-8")))
    return any(f"{name}.".startswith(f"{one}.") for name in named for one in CAN_CALL)


def test_only_the_guard_calls_out_and_each_exception_has_its_reason() -> None:
    found = {
        path.relative_to(ROOT).as_posix()
        for folder in ("app", "monitors", "migrations")
        for path in (ROOT / folder).rglob("*.py")
        if _can_call(path)
    }

    assert found == GUARD | EXCEPTIONS.keys()
    assert all(EXCEPTIONS.values())


def test_what_can_call_is_recognized_however_it_is_imported() -> None:
    for line in (
        "import socket",
        "import urllib.request as r",
        "from urllib import request",
        "from urllib.request import urlopen",
        "def f():\n    from botocore.config import Config",
        "from http import client",
    ):
        assert any(f"{n}.".startswith(f"{c}.") for n in _named(ast.parse(line)) for c in CAN_CALL)
    assert "socket" not in _named(ast.parse("from urllib.parse import quote\nimport http"))
