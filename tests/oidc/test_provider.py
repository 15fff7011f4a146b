"""Signing in by an OpenID provider that is not ours: oidc-provider, which the foundation certifies.

What it refuses (a wrong verifier, another address to come back to, a wrong secret) it refuses by itself.
"""

import json
import re
import shutil
import subprocess
from collections.abc import Callable, Iterator
from html import unescape
from http.client import HTTPConnection
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl, urlencode, urlsplit

import pytest
from sqlalchemy import select

from app.access.rules import Role
from app.database import Sessions
from app.people.models import Person
from app.settings import Settings
from tests.conftest import Browser, settings_for
from tests.doors.filings import problem
from tests.oidc.hostile import CLIENT, REDIRECT, ROLES, SECRET

HERE = Path(__file__).parent
NODE, NPM = shutil.which("node"), shutil.which("npm")
pytestmark = pytest.mark.skipif(
    NODE is None or NPM is None, reason="node and npm are not on this machine"
)
PEOPLE = {
    "ada": {"name": "Ada Example", "email": "ada@example.org", "groups": ["auditors"]},
    "bob": {"name": "Bob Example", "email": "bob@example.org", "groups": ["staff"]},
}


@pytest.fixture(scope="session")
def installed(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder of this run with the provider in it, exactly as the lock file has it."""
    folder = tmp_path_factory.mktemp("provider")
    for name in ("package.json", "package-lock.json", "provider.mjs"):
        shutil.copy(HERE / name, folder)
    command = [str(NPM), "ci", "--ignore-scripts", "--no-audit", "--no-fund"]
    done = subprocess.run(
        command, cwd=folder, capture_output=True, text=True, timeout=300, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder


@pytest.fixture(params=["token", "userinfo"])
def port(installed: Path, request: pytest.FixtureRequest) -> Iterator[int]:
    """A running provider, which names groups in the ID token, or when it is asked for them."""
    with subprocess.Popen(
        [str(NODE), "provider.mjs", REDIRECT, json.dumps(PEOPLE)],
        cwd=installed,
        env={"CLAIMS": request.param, "PATH": ""},
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    ) as process:
        assert process.stdout is not None
        lines = iter(process.stdout.readline, "")
        yield next(int(line) for line in lines if line.strip().isdigit())
        process.terminate()


@pytest.fixture
def settings(database_url: str, tmp_path: Path, port: int) -> Settings:
    return settings_for(
        database_url,
        data_dir=tmp_path / "data",
        oidc_issuer=f"http://127.0.0.1:{port}",
        oidc_client_id=CLIENT,
        oidc_client_secret=SECRET,
        oidc_roles=ROLES,
        origins="https://localhost",
        outbound_allow="127.0.0.0/8",
        outbound_ports=str(port),
    )


class Visit:
    """A browser at the provider's pages: it follows, fills in and keeps cookies."""

    def __init__(self, port: int) -> None:
        self.port = port
        self.cookies: dict[str, str] = {}

    def ask(self, method: str, address: str, form: dict[str, str] | None = None) -> tuple[str, str]:
        """Give where the answer leads to, and its page."""
        parts = urlsplit(address)
        connection = HTTPConnection("127.0.0.1", self.port, timeout=10)
        headers = {"Cookie": "; ".join(f"{name}={value}" for name, value in self.cookies.items())}
        if form is not None:
            headers["Content-Type"] = "application/x-www-form-urlencoded"
        path = parts.path + (f"?{parts.query}" if parts.query else "")
        connection.request(method, path, urlencode(form or {}), headers)
        answer = connection.getresponse()
        page = answer.read().decode()
        for cookie in answer.headers.get_all("Set-Cookie") or []:
            name, _, value = cookie.partition(";")[0].partition("=")
            self.cookies[name] = value
        connection.close()
        return answer.headers.get("Location", ""), page

    def sign_in(self, address: str, login: str) -> dict[str, str]:
        """Sign in and agree, until the browser is sent back; gives the query it is sent back with."""
        leads, page = self.ask("GET", address)
        for _ in range(10):
            if leads.startswith(REDIRECT):
                return dict(parse_qsl(urlsplit(leads).query))
            if leads:
                leads, page = self.ask("GET", leads)
                continue
            form = dict(re.findall(r'name="(\w+)" value="(\w+)"', page))
            action = re.search(r'action="([^"]+)"', page)
            assert action, page
            filled = form | ({"login": login, "password": "any"} if "login" in page else {})
            leads, page = self.ask("POST", unescape(action[1]), filled)
        raise AssertionError(page)


def _sign_in(one: Browser, port: int, login: str) -> Any:
    sent = one.get("/v1/sign-in/oidc", follow_redirects=False)
    assert sent.status_code == 303, sent.text
    query = Visit(port).sign_in(sent.headers["Location"], login)
    assert query["iss"] == f"http://127.0.0.1:{port}"
    return one.get("/v1/sign-in/oidc/callback", params=query, follow_redirects=False)


def test_a_person_signs_in_by_a_certified_provider(
    browser: Callable[[], Browser], port: int, sessions: Sessions
) -> None:
    ada, bob = browser(), browser()
    assert _sign_in(ada, port, "ada").status_code == 303
    assert ada.get("/v1/licenses").status_code == 200
    problem(_sign_in(bob, port, "bob"), 403, "no-role-for-you")
    with sessions() as session:
        person = session.scalars(select(Person)).one()
    assert (person.name, person.role) == ("Ada Example", Role.AUDITOR)


def test_a_code_redeemed_twice_is_declined_by_the_provider_itself(
    browser: Callable[[], Browser], port: int
) -> None:
    first, second = browser(), browser()
    sent = first.get("/v1/sign-in/oidc", follow_redirects=False)
    query = Visit(port).sign_in(sent.headers["Location"], "ada")
    mine = second.get("/v1/sign-in/oidc", follow_redirects=False)
    own = dict(parse_qsl(urlsplit(mine.headers["Location"]).query))
    stolen = query | {"state": own["state"]}
    answer = second.get("/v1/sign-in/oidc/callback", params=stolen, follow_redirects=False)
    problem(answer, 401, "provider-declined")
